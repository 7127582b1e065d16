import { expect, test } from 'vitest'
import { announceReadOnly, describeReadOnly, describeUnopened, type ReadOnly } from '../../src/disks/read-only.ts'

const others: ReadOnly = {
  wrong: 'Other disks went on without these.',
  remedy: { kind: 'return-or-give-up', disks: ['/d3', '/d4'] },
}

test('of a site that is served, an operator is told the command that gives disks up', () => {
  expect(describeReadOnly(others)).toBe(
    'Other disks went on without these. Bring them back: it goes on by itself then. Or, if they are lost for good, run `holdfast disk retire SITE /d3 /d4`, or start with --accept-older: what only they held is lost then.',
  )
  expect(announceReadOnly(others)).toMatch(/^The site is read-only\. Other disks /)
})

test('of a site that does not open, nothing is said of commands that could not reach it, nor that it goes on by itself', () => {
  expect(describeUnopened(others)).toBe(
    'Other disks went on without these. Bring them back and start again. Or, if they are lost for good, start with --accept-older: what only they held is lost then.',
  )
  const short: ReadOnly = { wrong: 'Set 0 needs 2 disks and has 1.', remedy: { kind: 'return', disks: ['/d1', '/d2 (gone)'] } }
  expect(describeReadOnly(short)).toBe(
    'Set 0 needs 2 disks and has 1. Bring back /d1 and /d2 (gone). It goes on by itself then, at the latest after a restart.',
  )
  expect(describeUnopened(short)).toBe('Set 0 needs 2 disks and has 1. Bring back /d1 and /d2 (gone) and start again.')
})

test('where nobody knows which disks are missing, none is named', () => {
  const unknown: ReadOnly = { wrong: 'Something is missing.', remedy: { kind: 'return-or-give-up', disks: [] } }
  for (const said of [describeReadOnly(unknown), describeUnopened(unknown)]) {
    expect(said).toContain('--accept-older')
    expect(said).not.toContain('disk retire')
  }
  expect(describeReadOnly({ wrong: 'All is said.', remedy: { kind: 'said' } })).toBe('All is said.')
})
