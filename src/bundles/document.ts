/** The frame that identities, receipts and the documents of a bundle share. Format: docs/formats.md#identity, "Signed document". */
import { fail, ok, type Result } from '../result.ts'
import type { SiteId } from '../store/terms.ts'
import { DOCUMENT_KINDS, type DocumentKind, documentType, FORMAT_VERSION, SIGNATURES_MAX, SUITE, SUITE_NUMBERS } from './format.ts'
import type { PrivateIdentity } from './identity-terms.ts'
import { SIGNATURE_BYTES, type SignedBy, sign } from './signature.ts'

const MAGIC = Buffer.from('HOLDFAST')
export const PRELUDE_BYTES = 64
const SIGNER_BYTES = 16
const RECORD_BYTES = SIGNER_BYTES + SIGNATURE_BYTES

/** Not yet believed: whoever parsed it looks at the signatures next, then at the body. */
export type SignedDocument = {
  readonly kind: DocumentKind
  /** 32 hexadecimal digits; zeros in an identity. */
  readonly bundleId: string
  readonly body: Uint8Array
  readonly signatures: readonly SignedBy[]
  /** The whole frame as received. */
  readonly bytes: Uint8Array
  /** What follows the frame. */
  readonly rest: Uint8Array
}

export type DocumentFault =
  /** Not such a document, cut short, or out of its limits. */
  'malformed' | 'newer' | 'other-suite'

/** Greatest length of the frame of a document of this kind. */
export const documentBytesMax = (kind: DocumentKind): number =>
  PRELUDE_BYTES + DOCUMENT_KINDS[kind].bodyBytesMax + SIGNATURES_MAX * RECORD_BYTES

export function parseDocument(kind: DocumentKind, bytes: Uint8Array): Result<SignedDocument, DocumentFault> {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (all.length < PRELUDE_BYTES || !all.subarray(0, 8).equals(MAGIC)) return fail('malformed')
  if (all.readUInt16LE(8) !== FORMAT_VERSION) return fail(all.readUInt16LE(8) > FORMAT_VERSION ? 'newer' : 'malformed')
  if (all[10] !== DOCUMENT_KINDS[kind].number) return fail('malformed')
  if (all[11] !== SUITE_NUMBERS[SUITE]) return fail('other-suite')
  const bodyBytes = all.readUInt32LE(12)
  const signatureCount = all.readUInt16LE(16)
  const zeros = all.readUInt16LE(18) === 0 && all.subarray(36, PRELUDE_BYTES).every((byte) => byte === 0)
  if (!zeros || bodyBytes > DOCUMENT_KINDS[kind].bodyBytesMax || signatureCount < 1 || signatureCount > SIGNATURES_MAX)
    return fail('malformed')
  const signaturesAt = PRELUDE_BYTES + bodyBytes
  const end = signaturesAt + signatureCount * RECORD_BYTES
  if (all.length < end) return fail('malformed')
  const signatures = Array.from({ length: signatureCount }, (_, index) => {
    const at = signaturesAt + index * RECORD_BYTES
    const signer = all.toString('hex', at, at + SIGNER_BYTES) as SiteId
    return { signer, signature: all.subarray(at + SIGNER_BYTES, at + RECORD_BYTES) }
  })
  return ok({
    kind,
    bundleId: all.toString('hex', 20, 36),
    body: all.subarray(PRELUDE_BYTES, signaturesAt),
    signatures,
    bytes: all.subarray(0, end),
    rest: all.subarray(end),
  })
}

/** The document with `body`, signed by `signer`. */
export function signDocument(kind: DocumentKind, bundleId: string, body: Uint8Array, signer: PrivateIdentity): Buffer {
  return frame(kind, bundleId, body, [{ signer: signer.publicIdentity.siteId, signature: sign(signer, documentType(kind), body) }])
}

/** The same document with one more signature, as an approver adds it. Undefined if it can take no more. */
export function addSignature(document: SignedDocument, signer: PrivateIdentity): Buffer | undefined {
  if (document.signatures.length >= SIGNATURES_MAX) return undefined
  const added = { signer: signer.publicIdentity.siteId, signature: sign(signer, documentType(document.kind), document.body) }
  return frame(document.kind, document.bundleId, document.body, [...document.signatures, added])
}

function frame(kind: DocumentKind, bundleId: string, body: Uint8Array, signatures: readonly SignedBy[]): Buffer {
  const prelude = Buffer.alloc(PRELUDE_BYTES)
  prelude.set(MAGIC)
  prelude.writeUInt16LE(FORMAT_VERSION, 8)
  prelude[10] = DOCUMENT_KINDS[kind].number
  prelude[11] = SUITE_NUMBERS[SUITE]
  prelude.writeUInt32LE(body.length, 12)
  prelude.writeUInt16LE(signatures.length, 16)
  prelude.write(bundleId, 20, 'hex')
  return Buffer.concat([prelude, body, ...signatures.flatMap(({ signer, signature }) => [Buffer.from(signer, 'hex'), signature])])
}

/** A document as text for mail and paper: base64 between two lines. `heading`: lines for people. */
export function armor(label: 'IDENTITY' | 'RECEIPT', document: Uint8Array, heading: readonly string[]): string {
  const lines =
    Buffer.from(document)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return [...heading, `-----BEGIN HOLDFAST ${label}-----`, ...lines, `-----END HOLDFAST ${label}-----`, ''].join('\n')
}

/** The bytes between the two lines; undefined if they are not there. `text` is of any length; at most `bytesMax` bytes come out. */
export function unarmor(label: 'IDENTITY' | 'RECEIPT', text: string, bytesMax: number): Buffer | undefined {
  const begin = `-----BEGIN HOLDFAST ${label}-----`
  const from = text.indexOf(begin)
  const to = text.indexOf(`-----END HOLDFAST ${label}-----`, from)
  if (from < 0 || to < 0 || to - from > bytesMax * 1.5 + 256) return undefined
  const inside = text.slice(from + begin.length, to).replace(/\s+/g, '')
  const bytes = Buffer.from(inside, 'base64')
  return bytes.toString('base64') === inside && bytes.length <= bytesMax ? bytes : undefined
}
