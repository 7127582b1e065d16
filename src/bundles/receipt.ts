/**
 * Receipts: what an importing site says it has taken from a bundle, signed; and short ones for paper and telephone, which say "applied whole".
 * Format: docs/formats.md#bundle, "Receipt".
 */
import { createHmac, hash, timingSafeEqual } from 'node:crypto'
import { ok, type Result } from '../result.ts'
import type { SiteId } from '../store/terms.ts'
import { decodeBase32, encodeBase32 } from './base32.ts'
import { armor, documentBytesMax, parseDocument, signDocument, unarmor } from './document.ts'
import { type BundleFault, refuse } from './fault.ts'
import { DIGEST_BYTES, documentType, FORMAT_VERSION } from './format.ts'
import { type PrivateIdentity, type PublicIdentity, parseIdentityDocument } from './identity.ts'
import { type Json, parseJson } from './json.ts'
import { type Trust, verify } from './signature.ts'

export type Receipt = {
  readonly bundleId: string
  readonly manifestDigest: string
  /** Who imported it, and under which epoch. */
  readonly site: SiteId
  readonly epoch: number
  /** The sender of the bundle. */
  readonly to: SiteId
  readonly issuedMs: number
  readonly acknowledges: Json
  /** The newest identity of the importing site, with its next encryption key; signed by itself, and of the same site. */
  readonly identity: PublicIdentity | undefined
}

/** The receipt as the text of a file. `identity`: send the signer's identity along. */
export function writeReceipt(signer: PrivateIdentity, receipt: Omit<Receipt, 'site' | 'identity'>): string {
  const { publicIdentity } = signer
  const body = {
    format: FORMAT_VERSION,
    bundle: receipt.bundleId,
    manifest: receipt.manifestDigest,
    site: publicIdentity.siteId,
    epoch: receipt.epoch,
    to: receipt.to,
    issued: new Date(receipt.issuedMs).toISOString(),
    acknowledges: receipt.acknowledges,
    identity: Buffer.from(publicIdentity.document).toString('base64'),
  }
  return armor('RECEIPT', signDocument('receipt', receipt.bundleId, Buffer.from(JSON.stringify(body)), signer), [
    'Holdfast receipt for a bundle. Take it back to the site that made the bundle:',
    '    holdfast bundle acknowledge SITE RECEIPT-FILE',
    `Bundle: ${receipt.bundleId}`,
    '',
  ])
}

/** A receipt from outside, signed by a site that `trust` knows. */
export function readReceipt(text: string, trust: Trust): Result<Receipt, BundleFault> {
  const bytes = unarmor('RECEIPT', text, documentBytesMax('receipt'))
  if (bytes === undefined) return refuse('malformed', 'There is no Holdfast receipt in this file.')
  const parsed = parseDocument('receipt', bytes)
  if (!parsed.ok && parsed.error === 'newer')
    return refuse('newer-format', 'This receipt was written by newer software: update Holdfast here.')
  if (!parsed.ok && parsed.error === 'other-suite')
    return refuse('unsupported-suite', 'This receipt uses algorithms that this software does not know.')
  const document = parsed.ok ? parsed.value : undefined
  const [first] = document?.signatures ?? []
  if (document === undefined || first === undefined || document.signatures.length > 1 || document.rest.length > 0)
    return refuse('malformed', 'This receipt is damaged: copy it again.')
  const known = trust(first.signer)
  if (known === undefined)
    return refuse('unknown-signer', `This receipt is signed by site ${first.signer}, which is not a peer of this site.`)
  if (known === 'revoked') return refuse('revoked-signer', `This receipt is signed by site ${first.signer}, whose keys were revoked here.`)
  if (known.siteId !== first.signer || !verify(known, documentType('receipt'), document.body, first.signature))
    return refuse('bad-signature', 'The signature of this receipt does not fit it: it was changed, or is forged.')
  const receipt = readBody(document.body)
  if (receipt === undefined || receipt.site !== first.signer || receipt.bundleId !== document.bundleId)
    return refuse('malformed', 'This receipt is signed but malformed: its site must make it anew.')
  return ok(receipt)
}

function readBody(body: Uint8Array): Receipt | undefined {
  const read = parseJson(body, (fields) => {
    fields.is('format', FORMAT_VERSION)
    return {
      bundleId: fields.hex('bundle', 16),
      manifestDigest: fields.hex('manifest', DIGEST_BYTES),
      site: fields.hex('site', 16) as SiteId,
      epoch: fields.integer('epoch', 1, Number.MAX_SAFE_INTEGER),
      to: fields.hex('to', 16) as SiteId,
      issuedMs: fields.time('issued'),
      acknowledges: fields.json('acknowledges'),
      document: fields.optional('identity', (name) => fields.base64(name, 1, documentBytesMax('identity'))),
    }
  })
  if (read === undefined) return undefined
  const { document, ...receipt } = read
  if (document === undefined) return { ...receipt, identity: undefined }
  const identity = parseIdentityDocument(document)
  return identity.ok && identity.value.siteId === read.site ? { ...receipt, identity: identity.value } : undefined
}

const SHORT_BYTES = 35
const SHORT_CHARACTERS = 56
const APPLIED_WHOLE = 1
const CODE_BYTES = 16

function codeOf(receiptKey: Uint8Array, bundleId: string, manifestDigest: string): Buffer {
  const code = createHmac('sha384', receiptKey).update('applied whole').update(bundleId, 'hex').update(manifestDigest, 'hex').digest()
  return code.subarray(0, CODE_BYTES)
}

/** 56 characters in fourteen groups. `receiptKey`: of the bundle, as its recipient opened it. */
export function shortReceipt(receiptKey: Uint8Array, bundleId: string, manifestDigest: string): string {
  const said = Buffer.concat([Uint8Array.of(APPLIED_WHOLE), Buffer.from(bundleId, 'hex'), codeOf(receiptKey, bundleId, manifestDigest)])
  return encodeBase32(Buffer.concat([said, hash('sha384', said, 'buffer').subarray(0, 2)]))
}

/** What the sender keeps to know the short receipt again by, in hexadecimal: nobody can make one from it. */
export const shortReceiptDigest = (receiptKey: Uint8Array, bundleId: string, manifestDigest: string): string =>
  hash('sha384', codeOf(receiptKey, bundleId, manifestDigest), 'hex')

export type ShortReceipt = { readonly bundleId: string; readonly code: Uint8Array }

/** The bundle that a short receipt is about, or why it is none; mistyping is found here. Whose it is, only `isShortReceipt` says. */
export function readShortReceipt(text: string): Result<ShortReceipt, BundleFault> {
  const bytes = decodeBase32(text, SHORT_BYTES)
  if (bytes === undefined) return refuse('malformed', `A short receipt has 56 letters and digits${howOther(text)}.`)
  const said = bytes.subarray(0, SHORT_BYTES - 2)
  if (
    !hash('sha384', said, 'buffer')
      .subarray(0, 2)
      .equals(bytes.subarray(SHORT_BYTES - 2))
  )
    return refuse('malformed', 'This short receipt is mistyped: compare it once more, group by group.')
  if (said[0] !== APPLIED_WHOLE) return refuse('newer-format', 'This short receipt was made by newer software: update Holdfast here.')
  return ok({ bundleId: Buffer.from(said.subarray(1, 17)).toString('hex'), code: said.subarray(17) })
}

/** What a person should look at. */
function howOther(text: string): string {
  if (text.length > 4 * SHORT_CHARACTERS) return ''
  const typed = [...text].filter((character) => !/[\p{Pd}\s]/u.test(character))
  const strange = typed.find((character) => !/[0-9A-TV-Za-tv-z]/.test(character))
  if (strange !== undefined) return `; ${/\p{Cc}/u.test(strange) ? 'a control character' : `"${strange}"`} is in none`
  return typed.length === SHORT_CHARACTERS ? '' : `; this has ${typed.length}`
}

/** Whether this short receipt is the one whose digest was kept. */
export const isShortReceipt = (digest: string, { code }: ShortReceipt): boolean =>
  digest.length === 2 * DIGEST_BYTES && timingSafeEqual(Buffer.from(digest, 'hex'), hash('sha384', code, 'buffer'))
