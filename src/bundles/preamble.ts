/**
 * The preamble: who sends a bundle to whom, and the bundle key, wrapped for each recipient. Nothing in it depends on the data, so that it can come first in a
 * stream. Format: docs/formats.md#bundle, "Preamble".
 */
import { hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { ok, type Result } from '../result.ts'
import type { SiteId } from '../store/terms.ts'
import { documentBytesMax, signDocument } from './document.ts'
import { type BundleFault, refuse } from './fault.ts'
import {
  DIGEST_BYTES,
  DOCUMENT_KINDS,
  FORMAT_VERSION,
  MARKING_CHARACTERS_MAX,
  NEEDS_BYTES_MAX,
  RECIPIENTS_MAX,
  SUITE,
  SUITE_NUMBERS,
  TAG_BYTES,
} from './format.ts'
import * as hpke from './hpke.ts'
import { type EncryptionKey, encryptionKeyAt, type PrivateIdentity, type PublicIdentity, parseIdentityDocument } from './identity.ts'
import { type Json, parseJson } from './json.ts'
import { expandSeed } from './keys.ts'

export const BUNDLE_KEY_BYTES = 32
const COMMITMENT_BYTES = 32
const RECEIPT_KEY_BYTES = 32
const INFO_LABEL = Buffer.from('holdfast-bundle-key\0')
const RECEIPT_CONTEXT = Buffer.from('holdfast-receipt')
const NONE = new Uint8Array(0)

export type Recipient = { readonly site: SiteId; readonly key: string; readonly encapsulated: Uint8Array; readonly wrapped: Uint8Array }

export type Preamble = {
  readonly bundleId: string
  readonly createdMs: number
  readonly expiresMs: number | undefined
  /** What the sender chose to show in clear, if anything. */
  readonly marking: string | undefined
  readonly sender: { readonly identity: PublicIdentity; readonly epoch: number }
  readonly recipients: readonly Recipient[]
  readonly needs: Json
  /** SHA-384 of the body, 96 hexadecimal digits. */
  readonly digest: string
  readonly firstLine: Uint8Array
  readonly commitment: Uint8Array
}

/** The secret that proves a short receipt of this recipient. 64 hexadecimal digits. */
export type ReceiptKey = { readonly site: SiteId; readonly key: string }

export type PreambleInput = {
  readonly bundleId: string
  readonly bundleKey: Uint8Array
  readonly signer: PrivateIdentity
  readonly epoch: number
  readonly recipients: readonly PublicIdentity[]
  readonly nowMs: number
  readonly expiresMs?: number
  readonly marking?: string
  readonly needs: Json
}

/** The signed document, and the secrets for short receipts. */
export function writePreamble(
  input: PreambleInput,
): Result<{ readonly document: Buffer; readonly receiptKeys: ReceiptKey[] }, BundleFault> {
  const { signer, recipients, needs } = input
  const sites = new Set(recipients.map((recipient) => recipient.siteId))
  if (recipients.length === 0 || recipients.length > RECIPIENTS_MAX || sites.size < recipients.length)
    return refuse('invalid-input', `A bundle goes to 1 to ${RECIPIENTS_MAX} sites, each named once.`)
  if ((input.marking?.length ?? 0) > MARKING_CHARACTERS_MAX)
    return refuse('invalid-input', `A marking has at most ${MARKING_CHARACTERS_MAX} characters.`)
  if (JSON.stringify(needs).length > NEEDS_BYTES_MAX) return refuse('invalid-input', 'What this bundle needs does not fit in its preamble.')
  const wraps = recipients.map((recipient) => wrap(input, recipient))
  const firstLine = Buffer.from(
    `${JSON.stringify({
      format: FORMAT_VERSION,
      suite: SUITE,
      bundle: input.bundleId,
      created: new Date(input.nowMs).toISOString(),
      expires: input.expiresMs === undefined ? null : new Date(input.expiresMs).toISOString(),
      marking: input.marking ?? null,
      sender: {
        site: signer.publicIdentity.siteId,
        epoch: input.epoch,
        identity: Buffer.from(signer.publicIdentity.document).toString('base64'),
      },
      recipients: wraps.map(({ recipient }) => recipient),
      needs,
    })}\n`,
  )
  const commitment = commitmentOf(input.bundleKey, firstLine).toString('hex')
  const document = signDocument('preamble', input.bundleId, Buffer.concat([firstLine, Buffer.from(`${commitment}\n`)]), signer)
  return ok({ document, receiptKeys: wraps.map(({ receiptKey }) => receiptKey) })
}

function wrap(input: PreambleInput, recipient: PublicIdentity) {
  const site = recipient.siteId
  const key = encryptionKeyAt(recipient, input.nowMs)
  const info = wrappingInfo(input.bundleId, input.signer.publicIdentity, input.epoch, site, key.digest)
  const { context, encapsulated } = hpke.setupSender(key.publicKey, info)
  const wrapped = hpke.seal(context, NONE, input.bundleKey)
  return {
    recipient: { site, key: key.digest, encapsulated: encapsulated.toString('base64'), wrapped: wrapped.toString('base64') },
    receiptKey: { site, key: hpke.exportSecret(context, RECEIPT_CONTEXT, RECEIPT_KEY_BYTES).toString('hex') },
  }
}

/** Binds the wrapping to everything that says whose it is: a wrapped key moved into another preamble does not open. */
function wrappingInfo(bundleId: string, sender: PublicIdentity, epoch: number, site: SiteId, keyDigest: EncryptionKey['digest']): Buffer {
  const numbers = Buffer.alloc(4)
  numbers.writeUInt16LE(FORMAT_VERSION, 0)
  numbers.writeUInt16LE(SUITE_NUMBERS[SUITE], 2)
  const epochBytes = Buffer.alloc(8)
  epochBytes.writeBigUInt64LE(BigInt(epoch))
  const from = [Buffer.from(sender.siteId, 'hex'), epochBytes, Buffer.from(sender.signing.digest, 'hex')]
  const to = [Buffer.from(site, 'hex'), Buffer.from(keyDigest, 'hex')]
  return hash('sha384', Buffer.concat([INFO_LABEL, numbers, Buffer.from(bundleId, 'hex'), ...from, ...to]), 'buffer')
}

function commitmentOf(bundleKey: Uint8Array, firstLine: Uint8Array): Buffer {
  const info = Buffer.concat([Buffer.from('commit'), hash('sha384', firstLine, 'buffer')])
  return Buffer.from(hkdfSync('sha384', bundleKey, NONE, info, COMMITMENT_BYTES))
}

/** The body of a preamble whose signature the caller looks after. Undefined if it is malformed. */
export function readPreamble(body: Uint8Array): Preamble | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const end = text.indexOf(10)
  if (end < 0 || text.length !== end + 1 + COMMITMENT_BYTES * 2 + 1 || text.at(-1) !== 10) return undefined
  const firstLine = text.subarray(0, end + 1)
  const commitment = text.toString('latin1', end + 1, text.length - 1)
  if (!/^[0-9a-f]{64}$/.test(commitment)) return undefined
  const read = parseJson(firstLine, (fields) => {
    fields.is('format', FORMAT_VERSION)
    fields.is('suite', SUITE)
    return {
      bundleId: fields.hex('bundle', 16),
      createdMs: fields.time('created'),
      expiresMs: fields.optional('expires', (name) => fields.time(name)),
      marking: fields.optional('marking', (name) => fields.text(name, MARKING_CHARACTERS_MAX)),
      sender: fields.object('sender', (sender) => ({
        site: sender.hex('site', 16),
        epoch: sender.integer('epoch', 1, Number.MAX_SAFE_INTEGER),
        document: sender.base64('identity', 1, documentBytesMax('identity')),
      })),
      recipients: fields.list('recipients', 1, RECIPIENTS_MAX, (recipient) => ({
        site: recipient.hex('site', 16) as SiteId,
        key: recipient.hex('key', DIGEST_BYTES),
        encapsulated: recipient.base64('encapsulated', hpke.ENCAPSULATED_BYTES, hpke.ENCAPSULATED_BYTES),
        wrapped: recipient.base64('wrapped', BUNDLE_KEY_BYTES + TAG_BYTES, BUNDLE_KEY_BYTES + TAG_BYTES),
      })),
      needs: fields.json('needs'),
    }
  })
  if (read === undefined) return undefined
  const identity = parseIdentityDocument(read.sender.document)
  if (!identity.ok || identity.value.siteId !== read.sender.site) return undefined
  return {
    ...read,
    sender: { identity: identity.value, epoch: read.sender.epoch },
    digest: hash('sha384', body, 'hex'),
    firstLine,
    commitment: Buffer.from(commitment, 'hex'),
  }
}

/** The bundle key, for whoever it was sealed to, and the secret for the short receipt. */
export function unwrapBundleKey(
  preamble: Preamble,
  recipient: PrivateIdentity,
): Result<{ readonly bundleKey: Buffer; readonly receiptKey: Buffer }, BundleFault> {
  const site = recipient.publicIdentity.siteId
  const ours = preamble.recipients.filter((one) => one.site === site)
  if (ours.length === 0)
    return refuse(
      'wrong-recipient',
      `This bundle is sealed to ${sitesInWords(preamble)}, not to this site (${site}): ask its sender for one of its own.`,
    )
  const changed = refuse(
    'retargeted',
    'The key in this bundle does not belong to its preamble: sender or recipients were changed after sealing.',
  )
  const match = ours.flatMap((entry) => recipient.encryption.filter((key) => key.digest === entry.key).map((key) => ({ entry, key })))[0]
  if (match === undefined)
    return refuse(
      'key-destroyed',
      'This bundle is sealed to an encryption key that this site does not have any more: it was destroyed on schedule, or the keys folder was restored from an older copy. ' +
        'Give the sender a receipt, a bundle or the identity of today ("holdfast site identity"), and ask for a new export.',
    )
  const { entry, key } = match
  const { identity, epoch } = preamble.sender
  const info = wrappingInfo(preamble.bundleId, identity, epoch, site, entry.key)
  const context = hpke.setupRecipient(expandSeed(key.seed), entry.encapsulated, info)
  const bundleKey = context && hpke.open(context, NONE, entry.wrapped)
  if (bundleKey === undefined || !timingSafeEqual(commitmentOf(bundleKey, preamble.firstLine), preamble.commitment)) return changed
  return ok({ bundleKey, receiptKey: hpke.exportSecret(context!, RECEIPT_CONTEXT, RECEIPT_KEY_BYTES) })
}

const sitesInWords = (preamble: Preamble): string => preamble.recipients.map((one) => `site ${one.site}`).join(', ')

/** The greatest file that a preamble can be. */
export const PREAMBLE_FILE_BYTES_MAX = documentBytesMax('preamble')
export const PREAMBLE_BODY_BYTES_MAX = DOCUMENT_KINDS.preamble.bodyBytesMax
