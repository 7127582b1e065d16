import { describe, expect, test } from 'vitest'
import { Output } from '../../src/cli/output.ts'

describe.each([
  { where: 'on a terminal', isRead: true, json: false, usual: 'text\n', forPrograms: 'text\n' },
  { where: 'in a pipe', isRead: false, json: false, usual: 'text\n', forPrograms: '{\n  "a": 1\n}\n' },
  { where: 'on a terminal with --json', isRead: true, json: true, usual: '{\n  "a": 1\n}\n', forPrograms: '{\n  "a": 1\n}\n' },
])('$where', ({ isRead, json, usual, forPrograms }) => {
  const said: string[] = []
  const out = (text: string): void => void said.push(text)
  const output = new Output({ out, err: out, interactive: false, isRead }, { json })

  test('a result is text unless JSON was asked for, and one for programs is text only for somebody who reads it', () => {
    output.result({ a: 1 }, 'text')
    output.resultForPrograms({ a: 1 }, 'text')
    expect(said).toEqual([usual, forPrograms])
  })
})
