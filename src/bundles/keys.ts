/**
 * Raw public keys and seeds as the KeyObjects of node:crypto. Sources: RFC 9881 (ML-DSA in X.509), RFC 9935 (ML-KEM in X.509), RFC 5480 and
 * RFC 5915 (elliptic curves), draft-irtf-cfrg-concrete-hybrid-kems (how a seed of MLKEM1024-P384 grows into both private keys).
 */
import { createECDH, createHash, createPrivateKey, createPublicKey, type ECDH, type KeyObject } from 'node:crypto'
import type { Random } from '../environment.ts'

export const MLDSA_PUBLIC_BYTES = 2592
export const MLDSA_SEED_BYTES = 32
export const MLKEM_PUBLIC_BYTES = 1568
export const MLKEM_CIPHERTEXT_BYTES = 1568
export const P384_POINT_BYTES = 97
export const P384_SCALAR_BYTES = 48
const MLKEM_SEED_BYTES = 64

const MLDSA_87 = '0609608648016503040313'
const MLKEM_1024 = '0609608648016503040403'
const EC_P384 = '06072a8648ce3d020106052b81040022'
const P384_ORDER = BigInt('0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973')

/** One DER value of at most 65,535 bytes. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const length =
    content.length < 128
      ? [content.length]
      : content.length < 256
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 255]
  return Buffer.concat([Uint8Array.of(tag, ...length), content])
}

const publicKey = (algorithm: string, raw: Uint8Array): KeyObject =>
  createPublicKey({
    key: der(0x30, der(0x30, Buffer.from(algorithm, 'hex')), der(0x03, Uint8Array.of(0), raw)),
    format: 'der',
    type: 'spki',
  })
const privateKey = (algorithm: string, content: Uint8Array): KeyObject =>
  createPrivateKey({
    key: der(0x30, Uint8Array.of(2, 1, 0), der(0x30, Buffer.from(algorithm, 'hex')), der(0x04, content)),
    format: 'der',
    type: 'pkcs8',
  })

/** The raw key at the end of a SubjectPublicKeyInfo. */
const rawPublic = (key: KeyObject, bytes: number): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-bytes)

/** All of these throw on bytes that are no key: callers with bytes from outside catch. */
export const mldsaPublicKey = (raw: Uint8Array): KeyObject => publicKey(MLDSA_87, raw)
export const mldsaPrivateKey = (seed: Uint8Array): KeyObject => privateKey(MLDSA_87, der(0x80, seed))
export const mldsaRawPublic = (key: KeyObject): Buffer => rawPublic(key, MLDSA_PUBLIC_BYTES)
export const mlkemPublicKey = (raw: Uint8Array): KeyObject => publicKey(MLKEM_1024, raw)
export const p384PublicKey = (point: Uint8Array): KeyObject => publicKey(EC_P384, point)

export function p384PrivateKey(scalar: Uint8Array): KeyObject {
  const point = der(0xa1, der(0x03, Uint8Array.of(0), p384(scalar).getPublicKey()))
  return privateKey(EC_P384, der(0x30, Uint8Array.of(2, 1, 1), der(0x04, scalar), point))
}
export const p384RawPublic = (key: KeyObject): Buffer => rawPublic(key, P384_POINT_BYTES)

/** A P-384 key pair for key agreement. Throws if the scalar is zero or not below the order of the group. */
export function p384(scalar: Uint8Array): ECDH {
  const pair = createECDH('secp384r1')
  pair.setPrivateKey(scalar)
  return pair
}

/** A scalar, uniformly chosen. */
export function randomScalar(random: Random): Uint8Array {
  for (;;) {
    const scalar = random.bytes(P384_SCALAR_BYTES)
    const value = BigInt(`0x${Buffer.from(scalar).toString('hex')}`)
    if (value > 0n && value < P384_ORDER) return scalar
  }
}

export type DecapsulationKeys = { readonly mlkem: KeyObject; readonly ecdh: ECDH; readonly publicKey: Buffer }

/** Both private keys of an MLKEM1024-P384 seed (32 bytes), and the public key, 1,665 bytes. */
export function expandSeed(seed: Uint8Array): DecapsulationKeys {
  const full = createHash('shake256', { outputLength: MLKEM_SEED_BYTES + P384_SCALAR_BYTES })
    .update(seed)
    .digest()
  const mlkem = privateKey(MLKEM_1024, der(0x80, full.subarray(0, MLKEM_SEED_BYTES)))
  const ecdh = p384(full.subarray(MLKEM_SEED_BYTES))
  return { mlkem, ecdh, publicKey: Buffer.concat([rawPublic(mlkem, MLKEM_PUBLIC_BYTES), ecdh.getPublicKey()]) }
}
