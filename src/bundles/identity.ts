/**
 * A site's identity: two signing keys that never change and name it, dated encryption keys that do. Format: docs/formats.md#identity.
 * Private keys grow from seeds, so `Random` decides all of them. They belong into SITE/keys (0600), never on data disks.
 */
import { hash } from 'node:crypto'
import type { Random } from '../environment.ts'
import { ok, type Result } from '../result.ts'
import type { SiteId } from '../store/terms.ts'
import { encodeBase32 } from './base32.ts'
import { armor, documentBytesMax, parseDocument, signDocument, unarmor } from './document.ts'
import { type BundleFault, refuse } from './fault.ts'
import { documentType, ENCRYPTION_KEYS_MAX } from './format.ts'
import { ENCRYPTION_KEY_BYTES } from './hpke.ts'
import type { EncryptionKey, PrivateIdentity, PublicIdentity } from './identity-terms.ts'
import { parseJson } from './json.ts'
import * as keys from './keys.ts'
import { verify } from './signature.ts'

export type { EncryptionKey, PrivateIdentity, PublicIdentity } from './identity-terms.ts'

const NO_BUNDLE = '0'.repeat(32)
/** Kept at a site that never destroys one. */
const PRIVATE_KEYS_MAX = 64
const sha384 = (bytes: Uint8Array): string => hash('sha384', bytes, 'hex')

/** A new site: new signing keys and one encryption key, in use from now on. */
export function createIdentity(random: Random, nowMs: number): PrivateIdentity {
  const mldsaSeed = random.bytes(keys.MLDSA_SEED_BYTES)
  const p384Scalar = keys.randomScalar(random)
  const first = newEncryptionKey(random, nowMs)
  return issue(signingKeys({ mldsaSeed, p384Scalar }), [first.held], [first.published], 1, nowMs)
}

/** The next document of the site, with one encryption key more, in use from `fromMs` on. The oldest ones are left out where there are too many. */
export function addEncryptionKey(identity: PrivateIdentity, random: Random, nowMs: number, fromMs: number): PrivateIdentity {
  const { publicIdentity, signing } = identity
  const fresh = newEncryptionKey(random, Math.max(fromMs, publicIdentity.encryption.at(-1)!.fromMs + 1))
  const published = [...publicIdentity.encryption, fresh.published].slice(-ENCRYPTION_KEYS_MAX)
  const held = [...identity.encryption, fresh.held].slice(-PRIVATE_KEYS_MAX)
  // Never issued before the last one: peers take the one that was issued last.
  return issue(signing, held, published, publicIdentity.serial + 1, Math.max(nowMs, publicIdentity.issuedMs + 1))
}

function newEncryptionKey(random: Random, fromMs: number) {
  const seed = random.bytes(32)
  const { publicKey } = keys.expandSeed(seed)
  const digest = sha384(publicKey)
  return { held: { fromMs, seed, digest }, published: { fromMs, publicKey, digest } }
}

/**
 * Without the private encryption keys that were superseded before `beforeMs`: bundles sealed to them can never be opened again. The caller overwrites
 * the file. The newest key stays.
 */
export function destroyEncryptionKeys(identity: PrivateIdentity, beforeMs: number): PrivateIdentity {
  const kept = identity.encryption.filter((_, index, all) => (all[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY) >= beforeMs)
  return { ...identity, encryption: kept }
}

/** Whether a site made this document after the other one. By time first: a site whose keys were restored from an older copy counts again from there. */
export const isNewerIdentity = (one: PublicIdentity, other: PublicIdentity): boolean =>
  one.issuedMs === other.issuedMs ? one.serial > other.serial : one.issuedMs > other.issuedMs

/** The key to seal to now. */
export function encryptionKeyAt(identity: PublicIdentity, nowMs: number): EncryptionKey {
  return identity.encryption.findLast((key) => key.fromMs <= nowMs) ?? identity.encryption[0]!
}

type Seeds = { readonly mldsaSeed: Uint8Array; readonly p384Scalar: Uint8Array }

const signingKeys = (seeds: Seeds): PrivateIdentity['signing'] => ({
  ...seeds,
  mldsa: keys.mldsaPrivateKey(seeds.mldsaSeed),
  p384: keys.p384PrivateKey(seeds.p384Scalar),
})

function issue(
  signing: PrivateIdentity['signing'],
  encryption: PrivateIdentity['encryption'],
  published: readonly EncryptionKey[],
  serial: number,
  nowMs: number,
): PrivateIdentity {
  const mldsa = keys.mldsaRawPublic(signing.mldsa)
  const p384 = keys.p384RawPublic(signing.p384)
  const siteId = siteIdOf(sha384(Buffer.concat([mldsa, p384])))
  const body = {
    format: 1,
    site: siteId,
    serial,
    issued: new Date(nowMs).toISOString(),
    signing: { mldsa87: mldsa.toString('base64'), p384: p384.toString('base64') },
    encryption: published.map(({ fromMs, publicKey }) => ({
      from: new Date(fromMs).toISOString(),
      mlkem1024p384: Buffer.from(publicKey).toString('base64'),
    })),
  }
  // The half-made identity signs itself: signing needs its id and private keys only.
  const unsigned = { publicIdentity: { siteId } as PublicIdentity, signing, encryption: [] }
  const document = signDocument('identity', NO_BUNDLE, Buffer.from(JSON.stringify(body)), unsigned)
  const parsed = parseIdentityDocument(document)
  if (!parsed.ok) throw new Error(parsed.error.sentence)
  return { publicIdentity: parsed.value, signing, encryption }
}

const siteIdOf = (keyDigest: string): SiteId => keyDigest.slice(0, 32) as SiteId

/** An identity document from outside: complete, well-formed and signed by itself. That it is who it should be, only its fingerprint says. */
export function parseIdentityDocument(bytes: Uint8Array): Result<PublicIdentity, BundleFault> {
  const parsed = parseDocument('identity', bytes)
  if (!parsed.ok) {
    if (parsed.error === 'newer') return refuse('newer-format', 'This identity was made by newer software: update Holdfast here.')
    if (parsed.error === 'other-suite')
      return refuse('unsupported-suite', 'This identity uses algorithms that this software does not know.')
    return refuse('malformed', 'This is not an identity, or it is damaged.')
  }
  const document = parsed.value
  if (document.rest.length > 0 || document.signatures.length !== 1 || document.bundleId !== NO_BUNDLE)
    return refuse('malformed', 'This is not an identity, or it is damaged.')
  const identity = readBody(document.body, document.bytes)
  if (identity === undefined) return refuse('malformed', 'This identity is damaged, or its keys are no keys.')
  const [{ signer, signature }] = document.signatures as [(typeof document.signatures)[number]]
  if (signer !== identity.siteId || !verify(identity, documentType('identity'), document.body, signature))
    return refuse('bad-signature', 'This identity is not signed by its own keys: it was changed.')
  return ok(identity)
}

function readBody(body: Uint8Array, document: Uint8Array): PublicIdentity | undefined {
  const read = parseJson(body, (fields) => {
    fields.is('format', 1)
    return {
      site: fields.hex('site', 16),
      serial: fields.integer('serial', 1, 2 ** 31),
      issuedMs: fields.time('issued'),
      signing: fields.object('signing', (signing) => ({
        mldsa: signing.base64('mldsa87', keys.MLDSA_PUBLIC_BYTES, keys.MLDSA_PUBLIC_BYTES),
        p384: signing.base64('p384', keys.P384_POINT_BYTES, keys.P384_POINT_BYTES),
      })),
      encryption: fields.list('encryption', 1, ENCRYPTION_KEYS_MAX, (key) => {
        const publicKey = key.base64('mlkem1024p384', ENCRYPTION_KEY_BYTES, ENCRYPTION_KEY_BYTES)
        return { fromMs: key.time('from'), publicKey, digest: sha384(publicKey) }
      }),
    }
  })
  if (read === undefined) return undefined
  const raw = Buffer.concat([read.signing.mldsa, read.signing.p384])
  const digest = sha384(raw)
  const ascending = read.encryption.every((key, index) => index === 0 || read.encryption[index - 1]!.fromMs < key.fromMs)
  if (read.site !== siteIdOf(digest) || !ascending) return undefined
  try {
    for (const { publicKey } of read.encryption) {
      keys.mlkemPublicKey(publicKey.subarray(0, keys.MLKEM_PUBLIC_BYTES))
      keys.p384PublicKey(publicKey.subarray(keys.MLKEM_PUBLIC_BYTES))
    }
    const signing = { mldsa: keys.mldsaPublicKey(read.signing.mldsa), p384: keys.p384PublicKey(read.signing.p384), digest }
    const all = Buffer.concat([Buffer.from(read.site, 'hex'), raw, ...read.encryption.map((key) => key.publicKey)])
    const fingerprint = encodeBase32(hash('sha384', all, 'buffer').subarray(0, 20))
    const { serial, issuedMs, encryption } = read
    return { siteId: read.site as SiteId, serial, issuedMs, signing, encryption, fingerprint, document }
  } catch {
    return undefined // node:crypto throws on bytes that are no key.
  }
}

/** 160 bits over site id and all public keys, in eight groups of four characters: what two people compare by voice. */
export const fingerprint = (identity: PublicIdentity): string => identity.fingerprint

/** Whether `text`, as a person typed it, is this fingerprint. */
export const sameFingerprint = (identity: PublicIdentity, text: string): boolean =>
  text.toUpperCase().replace(/[-\s]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1') === identity.fingerprint.replaceAll('-', '')

/** The identity as the text of a file for peers. */
export function publicIdentityText(identity: PublicIdentity): string {
  return armor('IDENTITY', identity.document, [
    'Holdfast site identity. Give it to peers, and compare the fingerprint with them by voice or on paper.',
    `Site:        ${identity.siteId}`,
    `Fingerprint: ${identity.fingerprint}`,
    '',
  ])
}

/** Reads what `publicIdentityText` wrote. The lines for people are ignored. */
export function parsePublicIdentityText(text: string): Result<PublicIdentity, BundleFault> {
  const document = unarmor('IDENTITY', text, documentBytesMax('identity'))
  if (document === undefined)
    return refuse('malformed', 'This is no identity of a site: give the file that "holdfast site identity" wrote at the other site.')
  return parseIdentityDocument(document)
}

/** JSON for a file of mode 0600 below SITE/keys. */
export function serializePrivateIdentity(identity: PrivateIdentity): string {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  const { signing, encryption } = identity
  const text = {
    format: 1,
    site: identity.publicIdentity.siteId,
    signing: { mldsa87Seed: base64(signing.mldsaSeed), p384Scalar: base64(signing.p384Scalar) },
    encryption: encryption.map(({ fromMs, seed }) => ({ from: new Date(fromMs).toISOString(), seed: base64(seed) })),
    identity: base64(identity.publicIdentity.document),
  }
  return `${JSON.stringify(text, null, 2)}\n`
}

export function parsePrivateIdentity(text: string): Result<PrivateIdentity, BundleFault> {
  const broken = refuse(
    'malformed',
    'The file with the keys of this site is damaged. Restore it from the copy that was made when the site was.',
  )
  const read = parseJson(Buffer.from(text), (fields) => {
    fields.is('format', 1)
    return {
      site: fields.hex('site', 16),
      seeds: fields.object('signing', (signing) => ({
        mldsaSeed: signing.base64('mldsa87Seed', keys.MLDSA_SEED_BYTES, keys.MLDSA_SEED_BYTES),
        p384Scalar: signing.base64('p384Scalar', keys.P384_SCALAR_BYTES, keys.P384_SCALAR_BYTES),
      })),
      encryption: fields.list('encryption', 0, PRIVATE_KEYS_MAX, (key) => ({ fromMs: key.time('from'), seed: key.base64('seed', 32, 32) })),
      document: fields.base64('identity', 1, documentBytesMax('identity')),
    }
  })
  if (read === undefined) return broken
  const identity = parseIdentityDocument(read.document)
  if (!identity.ok) return broken
  try {
    const signing = signingKeys(read.seeds)
    const digest = sha384(Buffer.concat([keys.mldsaRawPublic(signing.mldsa), keys.p384RawPublic(signing.p384)]))
    if (digest !== identity.value.signing.digest || read.site !== identity.value.siteId) return broken
    const encryption = read.encryption.map((key) => ({ ...key, digest: sha384(keys.expandSeed(key.seed).publicKey) }))
    return ok({ publicIdentity: identity.value, signing, encryption })
  } catch {
    return broken // A scalar out of range.
  }
}
