import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { LmdbMap } from '../../../../src/store/local/index/lmdb-map.ts'
import { MemoryMap } from '../../../../src/store/local/index/memory-map.ts'
import type { Entry, IndexReader, OrderedMap } from '../../../../src/store/local/index/ordered-map.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-index-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let opened = 0
async function openLmdb(): Promise<OrderedMap> {
  const directory = join(folder, `index.${opened++}`)
  mkdirSync(directory)
  const map = await LmdbMap.open(directory)
  if (!map.ok) throw new Error('lmdb does not open')
  return map.value
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const shown = (entries: readonly Entry[]): string[] =>
  entries.map(({ key, value }) => `${Buffer.from(key).toString('latin1')}=${Buffer.from(value).toString('latin1')}`)
const all = (reader: IndexReader): string[] => shown(reader.range(bytes('\x00'), bytes('\xff\xff\xff\xff\xff\xff\xff\xff\xff'), 10_000))

for (const [name, make] of [
  ['memory', async () => new MemoryMap()],
  ['lmdb', openLmdb],
] as const) {
  describe(`the index in ${name}`, () => {
    test('shows the changes of a transaction to itself at once and to others when it is committed', async () => {
      const map = await make()
      const first = map.begin()
      first.put(bytes('a'), bytes('1'))
      first.put(bytes('c'), bytes('3'))
      expect(first.get(bytes('a'))).toEqual(Buffer.from('1'))
      expect(all(map.reader())).toEqual([])
      expect(first.commit().ok).toBe(true)
      expect(all(map.reader())).toEqual(['a=1', 'c=3'])
      const second = map.begin()
      second.remove(bytes('a'))
      second.put(bytes('b'), bytes('2'))
      expect(shown(second.range(bytes('a'), bytes('z'), 10))).toEqual(['b=2', 'c=3'])
      second.abort()
      expect(all(map.reader())).toEqual(['a=1', 'c=3'])
      await map.close()
    })

    test('pages through keys in the order of their bytes, both ways', async () => {
      const map = await make()
      const write = map.begin()
      for (const key of ['\xffz', 'b', 'a\x00', 'a', 'a\xff', 'a/b']) write.put(bytes(key), bytes('v'))
      write.commit()
      const reader = map.reader()
      const ascending = ['a', 'a\x00', 'a/b', 'a\xff', 'b', '\xffz']
      expect(all(reader)).toEqual(ascending.map((key) => `${key}=v`))
      expect(shown(reader.range(bytes('a\x00'), bytes('b'), 2))).toEqual(['a\x00=v', 'a/b=v'])
      expect(shown(reader.rangeBack(bytes('a\x00'), bytes('b'), 2))).toEqual(['a\xff=v', 'a/b=v'])
      expect(shown(reader.rangeBack(bytes('a'), bytes('a\x01'), 9))).toEqual(['a\x00=v', 'a=v'])
      expect(reader.range(bytes('b'), bytes('b'), 9)).toEqual([])
      expect(reader.rangeBack(bytes('b'), bytes('b'), 9)).toEqual([])
      await map.close()
    })

    test('behaves like a sorted list under random changes', async () => {
      const map = await make()
      const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 4 })
      const step = fc.record({
        kind: fc.constantFrom('put', 'put', 'put', 'remove', 'commit', 'abort', 'range'),
        key,
        to: key,
        limit: fc.integer({ min: 1, max: 9 }),
      })
      const text = (key: Uint8Array) => Buffer.from(key).toString('latin1')
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
          map.clear()
          let committed = new Map<string, string>()
          let pending = new Map(committed)
          let write = map.begin()
          let value = 0
          for (const { kind, key, to, limit } of steps) {
            if (kind === 'put') {
              value++
              write.put(key, bytes(`${value}`))
              pending.set(text(key), `${value}`)
            } else if (kind === 'remove') {
              write.remove(key)
              pending.delete(text(key))
            } else if (kind === 'range') {
              const inside = [...pending.keys()].filter((each) => each >= text(key) && each < text(to)).sort((a, b) => (a < b ? -1 : 1))
              const entries = inside.map((each) => `${each}=${pending.get(each)}`)
              expect(shown(write.range(key, to, limit))).toEqual(entries.slice(0, limit))
              expect(shown(write.rangeBack(key, to, limit))).toEqual(entries.reverse().slice(0, limit))
            } else {
              if (kind === 'commit') {
                expect(write.commit().ok).toBe(true)
                committed = new Map(pending)
              } else {
                write.abort()
                pending = new Map(committed)
              }
              write = map.begin()
              expect(all(map.reader())).toEqual(
                [...committed.keys()].sort((a, b) => (a < b ? -1 : 1)).map((each) => `${each}=${committed.get(each)}`),
              )
            }
          }
        }),
        { numRuns: 100 },
      )
      await map.close()
    })
  })
}

test('the index in memory gives back earlier states', () => {
  const map = new MemoryMap({ statesKept: 3 })
  for (const value of ['1', '2', '3', '4']) {
    const write = map.begin()
    for (let at = 0; at < 600; at++) write.put(bytes(`${at}`), bytes(value))
    write.commit()
  }
  const values = map.states.map((state) => Buffer.from(new MemoryMap({ state }).reader().get(bytes('77'))!).toString('latin1'))
  expect(values).toEqual(['2', '3', '4'])
})
