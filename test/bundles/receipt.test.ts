import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isShortReceipt, readReceipt, readShortReceipt, shortReceipt, shortReceiptDigest, writeReceipt } from '../../src/bundles/receipt.ts'
import { alpha, bravo, mallory, NOW, opening, operations, trusting, written } from './bundle-fixture.ts'
import { seeded } from './seeded.ts'

const said = {
  bundleId: '0f'.repeat(16),
  manifestDigest: 'ab'.repeat(48),
  epoch: 3,
  to: alpha.publicIdentity.siteId,
  issuedMs: NOW,
  acknowledges: { held: [[1, 7]] },
}

test('a receipt comes back as it was said, with the identity of who gave it', () => {
  const text = writeReceipt(bravo, said)
  const read = readReceipt(text, trusting(bravo))
  if (!read.ok) throw new Error(read.error.sentence)
  expect(read.value).toMatchObject({ ...said, site: bravo.publicIdentity.siteId })
  expect(read.value.identity?.fingerprint).toBe(bravo.publicIdentity.fingerprint)
})

test('a receipt of a stranger, a forged one and a changed one are refused, each in its own words', () => {
  const text = writeReceipt(bravo, said)
  const kind = (given: string, ...known: (typeof bravo)[]) => {
    const read = readReceipt(given, trusting(...known))
    return read.ok ? 'ok' : read.error.kind
  }
  expect(kind(text, alpha)).toBe('unknown-signer')
  const claimed = writeReceipt({ ...mallory, publicIdentity: bravo.publicIdentity }, said)
  expect(kind(claimed, bravo)).toBe('bad-signature')
  expect(kind('hello', bravo)).toBe('malformed')
  const lines = text.split('\n')
  lines[20] = lines[20]!.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
  expect(kind(lines.join('\n'), bravo)).toBe('bad-signature')
  expect(readReceipt(text, () => 'revoked')).toMatchObject({ ok: false, error: { kind: 'revoked-signer' } })
})

test('the sender knows a short receipt of its recipient by the secret that both have from the bundle', async () => {
  const { folder, summary } = await written([operations('x')], { recipients: [bravo.publicIdentity, mallory.publicIdentity] })
  const opened = await opening(folder)
  if (!opened.ok) throw new Error(opened.error.sentence)
  await opened.value.close()
  const text = shortReceipt(opened.value.receiptKey, opened.value.bundleId, opened.value.manifestDigest)
  expect(text.replaceAll('-', '')).toHaveLength(56)
  const read = readShortReceipt(text.toLowerCase().replaceAll('-', ' '))
  if (!read.ok) throw new Error(read.error.sentence)
  expect(read.value.bundleId).toBe(summary.bundleId)
  const keyOf = (site: typeof bravo) => Buffer.from(summary.receiptKeys.find((key) => key.site === site.publicIdentity.siteId)!.key, 'hex')
  const isOf = (site: typeof bravo, manifest: string) =>
    isShortReceipt(shortReceiptDigest(keyOf(site), summary.bundleId, manifest), read.value)
  expect(isOf(bravo, summary.manifestDigest)).toBe(true)
  expect(isOf(mallory, summary.manifestDigest)).toBe(false)
  expect(isOf(bravo, 'cd'.repeat(48))).toBe(false)
})

test('a short receipt may be typed as people type', () => {
  const text = shortReceipt(Buffer.alloc(32, 7), said.bundleId, said.manifestDigest)
  const read = readShortReceipt(text)
  expect(text).toContain('0')
  expect(text).toContain('1')
  for (const typed of [
    text.toLowerCase(),
    text.replaceAll('-', ''),
    text.replaceAll('-', '\n '),
    text.replaceAll('0', 'O'),
    text.replaceAll('0', 'o'),
    text.replaceAll('-', ' \u2013 '),
  ])
    expect(readShortReceipt(typed)).toEqual(read)
  for (const one of ['I', 'l', 'L', 'i']) expect(readShortReceipt(text.replaceAll('1', one))).toEqual(read)
})

test('a mistyped short receipt is found', () => {
  const key = Buffer.alloc(32, 1)
  const text = shortReceipt(key, said.bundleId, said.manifestDigest)
  const digest = shortReceiptDigest(key, said.bundleId, said.manifestDigest)
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'), (at, character) => {
      fc.pre(text[at] !== '-' && text[at] !== character)
      const read = readShortReceipt(text.slice(0, at) + character + text.slice(at + 1))
      // Two bytes of check: one slip in 65,536 goes by here, and then the code does not fit.
      return !read.ok || !isShortReceipt(digest, read.value)
    }),
    seeded({ numRuns: 300 }),
  )
  const sentence = (given: string) => {
    const read = readShortReceipt(given)
    return read.ok ? 'read' : read.error.sentence
  }
  expect(sentence('')).toBe('A short receipt has 56 letters and digits; this has 0.')
  expect(sentence(text.slice(0, -1))).toBe('A short receipt has 56 letters and digits; this has 55.')
  expect(sentence(`${text}A`)).toBe('A short receipt has 56 letters and digits; this has 57.')
  expect(sentence(text.replace(/.$/, 'u'))).toBe('A short receipt has 56 letters and digits; "u" is in none.')
  expect(sentence(text.slice(5, 10) + text.slice(0, 5) + text.slice(10))).toMatch(/mistyped|newer/)
  expect(readShortReceipt('0'.repeat(100_000)).ok).toBe(false)
})
