/**
 * Signatures of suite hybrid-1: ML-DSA-87 ‖ ECDSA P-384 over the DSSE pre-authentication encoding; both must verify, so a forger must break both.
 * Format: docs/formats.md#identity, "Signed document". Source of the encoding: DSSE protocol specification, "PAE".
 */
import { sign as signWith, verify as verifyWith } from 'node:crypto'
import type { SiteId } from '../store/terms.ts'
import type { PrivateIdentity, PublicIdentity } from './identity-terms.ts'

export const MLDSA_SIGNATURE_BYTES = 4627
export const SIGNATURE_BYTES = MLDSA_SIGNATURE_BYTES + 96

export type SignedBy = { readonly signer: SiteId; readonly signature: Uint8Array }

/** Whom we know: the identity of a site, 'revoked' if its signature must not count any more, undefined if we do not know it. */
export type Trust = (site: SiteId) => PublicIdentity | 'revoked' | undefined

/** What is signed for `body` of the type `type`. */
export function preAuthentication(type: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `), body])
}

/** The signature of `bytes` as a document of the type `type`: SIGNATURE_BYTES bytes. */
export function sign(identity: PrivateIdentity, type: string, bytes: Uint8Array): Buffer {
  const message = preAuthentication(type, bytes)
  const postQuantum = signWith(null, message, identity.signing.mldsa)
  const traditional = signWith('sha384', message, { key: identity.signing.p384, dsaEncoding: 'ieee-p1363' })
  return Buffer.concat([postQuantum, traditional])
}

/** Whether both halves of `signature` are this identity's over `bytes` as a document of the type `type`. */
export function verify(identity: PublicIdentity, type: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  const message = preAuthentication(type, bytes)
  const { mldsa, p384 } = identity.signing
  return (
    verifyWith('sha384', message, { key: p384, dsaEncoding: 'ieee-p1363' }, signature.subarray(MLDSA_SIGNATURE_BYTES)) &&
    verifyWith(null, message, mldsa, signature.subarray(0, MLDSA_SIGNATURE_BYTES))
  )
}

/** Who signed, by what we know of them. Each site stands in one list, once. */
export type Signers = {
  readonly trusted: readonly SiteId[]
  readonly revoked: readonly SiteId[]
  readonly unknown: readonly SiteId[]
  /** Known, but the signature is not theirs over these bytes. */
  readonly forged: readonly SiteId[]
}

/** Distinct signers, so that thresholds count sites and never entries: a second signature of the same site changes nothing. */
export function signersOf(type: string, bytes: Uint8Array, signatures: readonly SignedBy[], trust: Trust): Signers {
  const lists = { trusted: new Set<SiteId>(), revoked: new Set<SiteId>(), unknown: new Set<SiteId>(), forged: new Set<SiteId>() }
  for (const { signer, signature } of signatures) {
    const known = trust(signer)
    if (known === undefined) lists.unknown.add(signer)
    else if (known === 'revoked') lists.revoked.add(signer)
    else if (known.siteId === signer && verify(known, type, bytes, signature)) lists.trusted.add(signer)
    else lists.forged.add(signer)
  }
  return { trusted: [...lists.trusted], revoked: [...lists.revoked], unknown: [...lists.unknown], forged: [...lists.forged] }
}
