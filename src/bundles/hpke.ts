/**
 * Hybrid Public Key Encryption, base mode (RFC 9180), one message per context: KEM MLKEM1024-P384 (0x0051), HKDF-SHA384, AES-256-GCM.
 * Source of the KEM: draft-ietf-hpke-pq and draft-irtf-cfrg-concrete-hybrid-kems. Whoever breaks only one of ML-KEM and P-384 learns nothing.
 */
import { createCipheriv, createDecipheriv, createECDH, createHmac, decapsulate, type ECDH, encapsulate, hash } from 'node:crypto'
import { TAG_BYTES } from './format.ts'
import { type DecapsulationKeys, MLKEM_CIPHERTEXT_BYTES, MLKEM_PUBLIC_BYTES, mlkemPublicKey, P384_POINT_BYTES } from './keys.ts'

export const ENCRYPTION_KEY_BYTES = MLKEM_PUBLIC_BYTES + P384_POINT_BYTES
export const ENCAPSULATED_BYTES = MLKEM_CIPHERTEXT_BYTES + P384_POINT_BYTES

const KEM_LABEL = Buffer.from('MLKEM1024-P384')
const VERSION = Buffer.from('HPKE-v1')
/** "HPKE", KEM 0x0051, KDF 0x0002, AEAD 0x0002. */
const SUITE_ID = Buffer.from('48504b45005100020002', 'hex')
const NONE = new Uint8Array(0)

/** What both ends share: a key for one message, and secrets exported by name. */
export type HpkeContext = { readonly key: Buffer; readonly nonce: Buffer; readonly exporter: Buffer }

/** A context for whoever has the private key of `publicKey`, and what he needs to get it. Throws if that is no key. */
export function setupSender(publicKey: Uint8Array, info: Uint8Array): { readonly context: HpkeContext; readonly encapsulated: Buffer } {
  const ephemeral = createECDH('secp384r1')
  ephemeral.generateKeys()
  const { sharedKey, ciphertext } = encapsulate(mlkemPublicKey(publicKey.subarray(0, MLKEM_PUBLIC_BYTES)))
  const point = publicKey.subarray(MLKEM_PUBLIC_BYTES)
  const shared = combine(sharedKey, ephemeral.computeSecret(point), ephemeral.getPublicKey(), point)
  return { context: schedule(shared, info), encapsulated: Buffer.concat([ciphertext, ephemeral.getPublicKey()]) }
}

/** The same context. Undefined if `encapsulated` is malformed; another one than the sender's if it is merely wrong. */
export function setupRecipient(keys: DecapsulationKeys, encapsulated: Uint8Array, info: Uint8Array): HpkeContext | undefined {
  if (encapsulated.length !== ENCAPSULATED_BYTES) return undefined
  const point = encapsulated.subarray(MLKEM_CIPHERTEXT_BYTES)
  const traditional = agree(keys.ecdh, point)
  if (traditional === undefined) return undefined
  const postQuantum = decapsulate(keys.mlkem, encapsulated.subarray(0, MLKEM_CIPHERTEXT_BYTES))
  return schedule(combine(postQuantum, traditional, point, keys.ecdh.getPublicKey()), info)
}

/** The ciphertext with its tag behind it. A context seals once. */
export function seal(context: HpkeContext, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', context.key, context.nonce).setAAD(aad)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Undefined if it was not sealed so. */
export function open(context: HpkeContext, aad: Uint8Array, sealed: Uint8Array): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', context.key, context.nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const plaintext = decipher.update(sealed.subarray(0, -TAG_BYTES))
  try {
    decipher.final()
    return plaintext
  } catch {
    return undefined
  }
}

/** RFC 9180 section 5.3. */
export const exportSecret = (context: HpkeContext, exporterContext: Uint8Array, bytes: number): Buffer =>
  labeledExpand(context.exporter, 'sec', exporterContext, bytes)

/** Undefined if the point is not on the curve. */
function agree(pair: ECDH, point: Uint8Array): Buffer | undefined {
  if (point[0] !== 4) return undefined
  try {
    return pair.computeSecret(point)
  } catch {
    return undefined
  }
}

const combine = (postQuantum: Uint8Array, traditional: Uint8Array, ephemeral: Uint8Array, recipient: Uint8Array): Buffer =>
  hash('sha3-256', Buffer.concat([postQuantum, traditional, ephemeral, recipient, KEM_LABEL]), 'buffer')

function schedule(shared: Uint8Array, info: Uint8Array): HpkeContext {
  const context = Buffer.concat([Uint8Array.of(0), labeledExtract(NONE, 'psk_id_hash', NONE), labeledExtract(NONE, 'info_hash', info)])
  const secret = labeledExtract(shared, 'secret', NONE)
  return {
    key: labeledExpand(secret, 'key', context, 32),
    nonce: labeledExpand(secret, 'base_nonce', context, 12),
    exporter: labeledExpand(secret, 'exp', context, 48),
  }
}

const labeledExtract = (salt: Uint8Array, label: string, input: Uint8Array): Buffer =>
  createHmac('sha384', salt).update(VERSION).update(SUITE_ID).update(label).update(input).digest()

/** HKDF-Expand of at most one block, 48 bytes. */
function labeledExpand(secret: Uint8Array, label: string, info: Uint8Array, bytes: number): Buffer {
  const length = Uint8Array.of(bytes >> 8, bytes & 255)
  const block = createHmac('sha384', secret).update(length).update(VERSION).update(SUITE_ID).update(label).update(info)
  return block.update(Uint8Array.of(1)).digest().subarray(0, bytes)
}
