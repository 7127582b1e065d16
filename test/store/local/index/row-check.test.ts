/** A row of the index whose bytes are not those that were written under its key is not answered from. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { open } from 'lmdb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LmdbMap } from '../../../../src/store/local/index/lmdb-map.ts'
import { RowCheck } from '../../../../src/store/local/index/row-check.ts'
import { initSite } from '../../../../src/store/local/init-site.ts'
import { type LocalSite, openLocalSite } from '../../../../src/store/local/open-site.ts'
import type { SiteId } from '../../../../src/store/terms.ts'
import { must, StoreUser } from '../../store-contract.ts'
import { realClock, realRandom } from '../real-environment.ts'

const check = await RowCheck.load()
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-rows-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** The rows as they are stored, by whoever else may write there. */
const raw = (path: string) =>
  open<Buffer, Uint8Array>({ path, noSubdir: false, keyEncoding: 'binary', encoding: 'binary', mapSize: 2 ** 30 })

test('a sealed row is what the format says', () => {
  // Made by an XXH32 in Python, from Yann Collet’s specification.
  const stored = check.seal(Buffer.from('\x20\x00\x00\x00\x01photos/1.jpg', 'latin1'), Buffer.from('a row of the index'))
  expect(stored.toString('hex')).toBe('6120726f77206f662074686520696e646578dd49625b')
})

test('any flipped bit of a row or its key is seen', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 400 })
  fc.assert(
    fc.property(bytes, bytes, fc.nat(), fc.integer({ min: 0, max: 7 }), fc.boolean(), (key, value, at, bit, inKey) => {
      const stored = check.seal(key, value)
      expect(check.open(key, stored)).toEqual(Buffer.from(value))
      const hit = inKey ? key : stored
      hit[at % hit.length]! ^= 2 ** bit
      expect(check.open(key, stored)).toBeUndefined()
    }),
  )
  expect(check.open(Buffer.of(1), Buffer.of(1, 2, 3))).toBeUndefined()
})

test('a damaged row is answered with an error in all ways of reading, and has the next start make the index anew', async () => {
  const directory = join(folder, 'index')
  mkdirSync(directory)
  const map = must(await LmdbMap.open(directory))
  const write = map.begin()
  for (const key of [1, 2, 3]) write.put(Buffer.of(key), Buffer.from(`row ${key}`))
  expect(write.commit().ok).toBe(true)
  await map.close()
  const rows = raw(directory)
  const stored = Buffer.from(rows.get(Buffer.of(2))!)
  stored[0]! ^= 1
  rows.putSync(Buffer.of(2), stored)
  await rows.close()
  const again = must(await LmdbMap.open(directory))
  const words = /^a row of the index is damaged: restart the server, which makes it anew from the journal/
  expect(String(again.reader().get(Buffer.of(1)))).toBe('row 1')
  expect(existsSync(join(directory, 'opening'))).toBe(false)
  expect(() => again.reader().get(Buffer.of(2))).toThrow(words)
  expect(() => again.reader().range(Buffer.of(1), Buffer.of(9), 10)).toThrow(words)
  expect(() => again.reader().rangeBack(Buffer.of(1), Buffer.of(9), 10)).toThrow(words)
  expect(existsSync(join(directory, 'opening'))).toBe(true)
  await again.close()
})

test('an object whose row was damaged is not shown wrongly, and is there after a restart', async () => {
  const siteDirectory = join(folder, 'site')
  const environment = { clock: realClock, random: realRandom }
  const diskDirectories = [1, 2, 3].map((number) => join(folder, `d${number}`))
  must(await initSite({ siteDirectory, diskDirectories, name: 'rows', site: 'e'.repeat(32) as SiteId, ...environment }))
  const start = async (): Promise<LocalSite> => must(await openLocalSite({ siteDirectory, ...environment }))
  const userOf = (site: LocalSite) => new StoreUser({ store: site.engine.store, run: (promise) => promise, close: () => site.close() })
  let site = await start()
  const bucket = await userOf(site).bucket('b')
  for (const key of ['one', 'two']) await userOf(site).put(bucket, key, `the bytes of ${key}`)
  await site.close()

  const rows = raw(join(siteDirectory, 'index'))
  const [key] = [...rows.getKeys()].filter((each) => Buffer.from(each).toString('latin1').endsWith('two') && each[0] === 0x20)
  const stored = Buffer.from(rows.get(key!)!)
  // Its size, which nothing else would tell.
  stored[40]! ^= 4
  rows.putSync(key!, stored)
  await rows.close()

  site = await start()
  expect(await userOf(site).text(bucket, 'one')).toBe('the bytes of one')
  const scrubbed = await site.engine.scrub.run({ signal: new AbortController().signal })
  expect(scrubbed).toEqual({ ok: false, error: 'index-damaged' })
  await expect(site.engine.store.findVersion(bucket.id, 'two', undefined)).rejects.toThrow(/a row of the index is damaged/)
  await site.close()
  site = await start()
  expect(await userOf(site).text(bucket, 'two')).toBe('the bytes of two')
  await site.close()
})
