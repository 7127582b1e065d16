/** What a site's identity is: its keys, in public and at home. Format: docs/formats.md#identity. */
import type { KeyObject } from 'node:crypto'
import type { SiteId } from '../store/terms.ts'

export type EncryptionKey = {
  /** Milliseconds since 1970; whoever seals to the site uses the last key whose time has come. */
  readonly fromMs: number
  readonly publicKey: Uint8Array
  /** SHA-384 of the public key, 96 hexadecimal digits. */
  readonly digest: string
}

export type PublicIdentity = {
  readonly siteId: SiteId
  /** Grows with each new document of the site. */
  readonly serial: number
  readonly issuedMs: number
  readonly signing: { readonly mldsa: KeyObject; readonly p384: KeyObject; readonly digest: string }
  /** 1 to 8, ascending by time. */
  readonly encryption: readonly EncryptionKey[]
  readonly fingerprint: string
  /** The signed document, as received. */
  readonly document: Uint8Array
}

export type PrivateIdentity = {
  readonly publicIdentity: PublicIdentity
  readonly signing: {
    readonly mldsa: KeyObject
    readonly p384: KeyObject
    readonly mldsaSeed: Uint8Array
    readonly p384Scalar: Uint8Array
  }
  /** Those not destroyed. */
  readonly encryption: readonly { readonly fromMs: number; readonly seed: Uint8Array; readonly digest: string }[]
}
