/** The file with the private keys is replaced whole, and nothing of a destroyed key is left in the one before. */
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { IdentityKeeper } from '../../src/admin/identity-keeper.ts'
import { readSiteIdentity, saveSiteIdentity } from '../../src/admin/site-identity.ts'
import { addEncryptionKey, createIdentity, destroyEncryptionKeys } from '../../src/bundles/identity.ts'
import { seededRandom } from '../bundles/seeded.ts'

const home = mkdtempSync(join(tmpdir(), 'holdfast-keeper-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

test('a key that is destroyed is gone from the file, and from the bytes of the file before', () => {
  const first = createIdentity(seededRandom('keeper'), 1_763_900_000_000)
  saveSiteIdentity(home, first)
  const file = join(home, 'keys', 'identity.json')
  const seed = Buffer.from(first.encryption[0]!.seed).toString('base64')
  const before = openSync(file, 'r')
  const keeper = new IdentityKeeper(home, first)
  const rotated = addEncryptionKey(first, seededRandom('next'), 1_763_900_000_001, 1_763_900_000_001)
  keeper.keep(destroyEncryptionKeys(rotated, Number.POSITIVE_INFINITY))
  const left = Buffer.alloc(64 * 1024)
  const bytes = readSync(before, left, 0, left.length, 0)
  closeSync(before)
  expect(bytes).toBeGreaterThan(0)
  expect(left.subarray(0, bytes).every((byte) => byte === 0)).toBe(true)
  expect(readFileSync(file, 'utf8')).not.toContain(seed)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const read = readSiteIdentity(home)
  expect(read.ok && read.value.encryption.map(({ digest }) => digest)).toEqual([rotated.encryption[1]!.digest])
  expect(keeper.identity.encryption).toHaveLength(1)
})
