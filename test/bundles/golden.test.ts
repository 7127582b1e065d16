/** Bundles written by released versions of the format open forever; their bad variants fail as they did. The files are never edited. */
import { createHash } from 'node:crypto'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fingerprint, parsePrivateIdentity, parsePublicIdentityText } from '../../src/bundles/identity.ts'
import { verifyBundle } from '../../src/bundles/read-bundle.ts'
import { isShortReceipt, readReceipt, readShortReceipt, shortReceipt, shortReceiptDigest } from '../../src/bundles/receipt.ts'
import type { Result } from '../../src/result.ts'
import { flip, NOW, newFolder, trusting, unpacked } from './bundle-fixture.ts'

type Expected = {
  bundle: string
  manifest: string
  volumes: number
  fingerprint: string
  statement: object
  needs: object
  entries: ({ operations: string } | { content: string; bytes: number; sha256: string })[]
  shortReceipt: string
  receiptKey: string
  bad: { file: string; at: number; xor: number; expects: string }[]
}
const at = (name: string): string => fileURLToPath(new URL(`../vectors/bundles/hybrid-1/${name}`, import.meta.url))
const text = (name: string): string => readFileSync(at(name), 'utf8')
function sure<T>(result: Result<T, { sentence: string }>): T {
  if (!result.ok) throw new Error(result.error.sentence)
  return result.value
}
const expected = JSON.parse(text('expected.json')) as Expected
const bravo = sure(parsePrivateIdentity(text('bravo.keys.json')))
const alpha = sure(parsePublicIdentityText(text('alpha.identity')))
const trust = () => alpha
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('the bundle of version 1, suite hybrid-1, opens', async () => {
  const found = await unpacked(at('bundle'), { trust, recipient: bravo })
  expect(found.fault).toBeUndefined()
  expect(found.bundle).toMatchObject({
    bundleId: expected.bundle,
    manifestDigest: expected.manifest,
    statement: expected.statement,
    needs: expected.needs,
    senderEpoch: 2,
    marking: 'EXERCISE',
  })
  expect(found.entries.map((entry) => (typeof entry === 'string' ? { operations: entry } : { sha256: sha256(entry) }))).toEqual(
    expected.entries.map((entry) => ('operations' in entry ? entry : { sha256: entry.sha256 })),
  )
  expect(await verifyBundle([at('bundle')], trust, { nowMs: NOW })).toMatchObject({ verdict: 'intact', exit: 0, volumes: expected.volumes })
  expect(fingerprint(alpha)).toBe(expected.fingerprint)
})

test('its receipt and short receipt are known', () => {
  expect(sure(readReceipt(text('receipt.txt'), trusting(bravo)))).toMatchObject({
    bundleId: expected.bundle,
    manifestDigest: expected.manifest,
  })
  const key = Buffer.from(expected.receiptKey, 'hex')
  expect(shortReceipt(key, expected.bundle, expected.manifest)).toBe(expected.shortReceipt)
  const digest = shortReceiptDigest(key, expected.bundle, expected.manifest)
  expect(isShortReceipt(digest, sure(readShortReceipt(expected.shortReceipt)))).toBe(true)
})

test.each(expected.bad)('with byte $at of $file changed by $xor it is $expects', async ({ file, at: place, xor, expects }) => {
  const folder = newFolder()
  cpSync(at('bundle'), folder, { recursive: true })
  flip(join(folder, file), place, xor)
  const found = await unpacked(folder, { trust, recipient: bravo })
  expect(found.fault ?? (found.repaired > 0 ? 'repaired' : 'intact')).toBe(expects)
})
