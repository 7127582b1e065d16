import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase32, encodeBase32 } from '../../src/bundles/base32.ts'
import { parseDocument } from '../../src/bundles/document.ts'
import {
  addEncryptionKey,
  createIdentity,
  destroyEncryptionKeys,
  encryptionKeyAt,
  fingerprint,
  parseIdentityDocument,
  parsePrivateIdentity,
  parsePublicIdentityText,
  publicIdentityText,
  sameFingerprint,
  serializePrivateIdentity,
} from '../../src/bundles/identity.ts'
import { SIGNATURE_BYTES, sign, signersOf, verify } from '../../src/bundles/signature.ts'
import { seeded, seededRandom } from './seeded.ts'

const now = Date.UTC(2026, 10, 23, 12)
const site = createIdentity(seededRandom('site'), now)
const other = createIdentity(seededRandom('other'), now)
const text = publicIdentityText(site.publicIdentity)

test('an identity is made by the random bytes given, and read back from its text', () => {
  const again = createIdentity(seededRandom('site'), now)
  expect(fingerprint(again.publicIdentity)).toBe(fingerprint(site.publicIdentity))
  const read = parsePublicIdentityText(`> forwarded\r\n${text.replaceAll('\n', '\r\n')}`)
  if (!read.ok) throw new Error(read.error.sentence)
  expect(read.value.siteId).toBe(site.publicIdentity.siteId)
  expect(read.value.siteId).toMatch(/^[0-9a-f]{32}$/)
  expect(fingerprint(read.value)).toBe(fingerprint(site.publicIdentity))
  expect(fingerprint(read.value)).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}$/)
  expect(fingerprint(other.publicIdentity)).not.toBe(fingerprint(site.publicIdentity))
})

test('a fingerprint is compared as people type it', () => {
  const typed = fingerprint(site.publicIdentity).toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')
  expect(sameFingerprint(site.publicIdentity, typed)).toBe(true)
  expect(sameFingerprint(site.publicIdentity, fingerprint(other.publicIdentity))).toBe(false)
  expect(sameFingerprint(site.publicIdentity, '')).toBe(false)
})

test('private keys come back from their file and sign as before; a damaged file is refused', () => {
  const read = parsePrivateIdentity(serializePrivateIdentity(site))
  if (!read.ok) throw new Error(read.error.sentence)
  const bytes = Buffer.from('said')
  expect(verify(site.publicIdentity, 'type', bytes, sign(read.value, 'type', bytes))).toBe(true)
  expect(read.value.encryption.map((key) => key.digest)).toEqual(site.publicIdentity.encryption.map((key) => key.digest))
  const swapped = serializePrivateIdentity({ ...site, signing: other.signing })
  expect(parsePrivateIdentity(swapped).ok).toBe(false)
  expect(parsePrivateIdentity('{}').ok).toBe(false)
})

test('an encryption key is added under the same site id and another fingerprint, and is used when its time has come', () => {
  const later = now + 86_400_000
  const rotated = addEncryptionKey(site, seededRandom('rotate'), now, later)
  expect(rotated.publicIdentity.siteId).toBe(site.publicIdentity.siteId)
  expect(rotated.publicIdentity.serial).toBe(2)
  expect(fingerprint(rotated.publicIdentity)).not.toBe(fingerprint(site.publicIdentity))
  expect(encryptionKeyAt(rotated.publicIdentity, now).digest).toBe(site.publicIdentity.encryption[0]!.digest)
  expect(encryptionKeyAt(rotated.publicIdentity, later).digest).toBe(rotated.encryption[1]!.digest)
  const destroyed = destroyEncryptionKeys(rotated, later + 1)
  expect(destroyed.encryption.map((key) => key.digest)).toEqual([rotated.encryption[1]!.digest])
  expect(parsePrivateIdentity(serializePrivateIdentity(destroyed))).toMatchObject({ ok: true, value: { encryption: [{ fromMs: later }] } })
})

test('a changed byte anywhere in an identity is found', () => {
  const document = site.publicIdentity.document
  fc.assert(
    fc.property(fc.integer({ min: 0, max: document.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(document)
      changed[at]! ^= mask
      return !parseIdentityDocument(changed).ok
    }),
    seeded({ numRuns: 150 }),
  )
})

test('bytes that are no identity are refused without a throw', () => {
  const prelude = Buffer.from(site.publicIdentity.document.subarray(0, 64))
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 6000 }).map((rest) => Buffer.concat([prelude, rest])),
    fc.nat(site.publicIdentity.document.length - 1).map((length) => site.publicIdentity.document.subarray(0, length)),
  )
  fc.assert(
    fc.property(noise, (bytes) => !parseIdentityDocument(bytes).ok && !parseDocument('manifest', bytes).ok),
    seeded({ numRuns: 300 }),
  )
  fc.assert(
    fc.property(
      fc.string(),
      (inside) => !parsePublicIdentityText(`-----BEGIN HOLDFAST IDENTITY-----${inside}-----END HOLDFAST IDENTITY-----`).ok,
    ),
    seeded({ numRuns: 200 }),
  )
})

test('a signature holds for one signer, one type and one text only, and needs both halves', () => {
  const bytes = Buffer.from('released')
  const mine = sign(site, 'release', bytes)
  const theirs = sign(other, 'release', bytes)
  expect(mine).toHaveLength(SIGNATURE_BYTES)
  expect(SIGNATURE_BYTES).toBe(4723)
  expect(verify(site.publicIdentity, 'release', bytes, mine)).toBe(true)
  expect(verify(other.publicIdentity, 'release', bytes, mine)).toBe(false)
  expect(verify(site.publicIdentity, 'Release', bytes, mine)).toBe(false)
  expect(verify(site.publicIdentity, 'release', Buffer.from('releasee'), mine)).toBe(false)
  expect(verify(site.publicIdentity, 'release', bytes, Buffer.concat([mine.subarray(0, 4627), theirs.subarray(4627)]))).toBe(false)
  expect(verify(site.publicIdentity, 'release', bytes, Buffer.concat([theirs.subarray(0, 4627), mine.subarray(4627)]))).toBe(false)
  expect(verify(site.publicIdentity, 'release', bytes, mine.subarray(1))).toBe(false)
})

test('thresholds count distinct, trusted signers', () => {
  const bytes = Buffer.from('released')
  const by = (who: typeof site, signer = who) => ({ signer: who.publicIdentity.siteId, signature: sign(signer, 'release', bytes) })
  const known = new Map([site, other].map((who) => [who.publicIdentity.siteId, who.publicIdentity]))
  const stranger = createIdentity(seededRandom('stranger'), now)
  const signers = signersOf('release', bytes, [by(site), by(site), by(other, site), by(stranger)], (id) => known.get(id))
  expect(signers).toEqual({
    trusted: [site.publicIdentity.siteId],
    forged: [other.publicIdentity.siteId],
    unknown: [stranger.publicIdentity.siteId],
    revoked: [],
  })
  expect(signersOf('release', bytes, [by(site)], () => 'revoked').revoked).toEqual([site.publicIdentity.siteId])
})

test('base32 gives back every run of bytes, and nothing for text of another length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (bytes) => {
      const written = encodeBase32(bytes)
      expect(decodeBase32(written, 20)).toEqual(bytes)
      expect(decodeBase32(written.slice(1), 20)).toBeUndefined()
      expect(decodeBase32(`${written}0`, 20)).toBeUndefined()
    }),
    seeded(),
  )
})

test('many rotations keep the newest eight keys in the document, and the file of private keys readable', () => {
  let rotated = site
  for (let month = 1; month <= 70; month++) rotated = addEncryptionKey(rotated, seededRandom(`month ${month}`), now, now + month)
  expect(rotated.publicIdentity.encryption.map((key) => key.fromMs - now)).toEqual([63, 64, 65, 66, 67, 68, 69, 70])
  expect(rotated.publicIdentity.serial).toBe(71)
  expect(parsePrivateIdentity(serializePrivateIdentity(rotated))).toMatchObject({ ok: true })
  const sameTime = addEncryptionKey(rotated, seededRandom('again'), now, now)
  expect(sameTime.publicIdentity.encryption.at(-1)!.fromMs).toBe(now + 71)
})
