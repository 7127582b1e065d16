/**
 * What a peer holds of our operations, by its own signature only: a receipt, or what it says in a bundle of its own. That a bundle was made moves nothing, since media get
 * lost in the post. And which buckets it was sent, so that it may send changes of them.
 */
import type { Fields } from '../bundles/json.ts'
import { shortReceiptDigest } from '../bundles/receipt.ts'
import type { FederationStore } from '../store/federation-store.ts'
import { type Origin, parseOrigin } from '../store/operation.ts'
import { NO_RANGES, type Ranges, union } from '../store/ranges.ts'
import { type DocumentChange, getJson, jsonDocument, RANGES_MAX, rangesField, readDocument } from './documents.ts'
import type { Peer } from './peers.ts'
import type { BucketOrigin } from './words.ts'

const nameOf = (peer: Peer, bucket: BucketOrigin): string => `${peer.site}/${bucket}`

const readHolding = (store: FederationStore, peer: Peer, bucket: BucketOrigin) =>
  getJson(store, 'peer-holds', nameOf(peer, bucket), (fields) => ({
    epoch: fields.integer('epoch', 1, Number.MAX_SAFE_INTEGER),
    origin: fields.text('origin', 64),
    ranges: rangesField(fields, 'ranges'),
  }))

/** What the peer is believed to hold of this bucket. */
export async function holdingOf(store: FederationStore, peer: Peer, bucket: BucketOrigin): Promise<Ranges> {
  const held = await readHolding(store, peer, bucket)
  // After a new epoch of the peer only what it said since counts: it may have lost what it held.
  return held !== undefined && held.epoch === peer.epoch && held.origin === store.origin ? held.ranges : NO_RANGES
}

/** What the peer acknowledged in an earlier epoch of this site, while it has not lost anything itself: the same operations have the same numbers since. */
export async function heldEarlier(store: FederationStore, peer: Peer, bucket: BucketOrigin): Promise<Ranges> {
  const held = await readHolding(store, peer, bucket)
  const isOurs = held !== undefined && parseOrigin(held.origin)?.site === store.siteId && held.origin !== store.origin
  return isOurs && held.epoch === peer.epoch ? held.ranges : NO_RANGES
}

export type Said = { readonly bucket: BucketOrigin; readonly ranges: Ranges }

/**
 * The documents by which what the peer (as it is from now on) said is believed. Where the ranges became too many the last ones are left out, which costs sending them
 * again.
 */
export async function believe(store: FederationStore, peer: Peer, said: readonly Said[]): Promise<DocumentChange[]> {
  const changes: DocumentChange[] = []
  for (const { bucket, ranges } of said) {
    const before = await holdingOf(store, peer, bucket)
    const now = union(before, ranges).slice(0, RANGES_MAX)
    if (JSON.stringify(now) === JSON.stringify(before)) continue
    changes.push(jsonDocument('peer-holds', nameOf(peer, bucket), { epoch: peer.epoch, origin: store.origin, ranges: now }))
  }
  return changes
}

/** Whether the bucket ever went to the peer, which may send changes of it since then. */
export async function wasExported(store: FederationStore, peer: Peer, bucket: BucketOrigin): Promise<boolean> {
  return (await store.getDocument('peer-buckets', nameOf(peer, bucket))) !== undefined
}

/** The changes of documents that note it; none for those that went before. */
export async function noteExported(store: FederationStore, peer: Peer, buckets: readonly BucketOrigin[]): Promise<DocumentChange[]> {
  const changes: DocumentChange[] = []
  for (const bucket of buckets)
    if (!(await wasExported(store, peer, bucket))) changes.push(jsonDocument('peer-buckets', nameOf(peer, bucket), {}))
  return changes
}

/** What a bundle carried of our operations, as its receipt may acknowledge it. */
export type Exported = {
  readonly peer: string
  readonly createdMs: number
  readonly origin: Origin
  readonly manifest: string
  /** Digest of the short receipt's code. */
  readonly receiptCode: string
  readonly buckets: readonly Said[]
  readonly acknowledgedMs: number | undefined
  /** When the bundle expires; undefined in documents from before this was noted. */
  readonly expiresMs: number | undefined
  /** The newest epoch of the peer that was known then; undefined in documents from before this was noted. */
  readonly peerEpoch: number | undefined
}

const DAY_MS = 24 * 60 * 60 * 1000
const EXPIRES_AFTER_MS = 365 * DAY_MS
/** A receipt may be as long under way as its bundle was. */
const RECEIPT_AWAITED_MS = 365 * DAY_MS
/** Clocks differ. */
export const PAST_EXPIRY_MS = 30 * DAY_MS

/** From when on nobody needs to know of an export: its bundle is not taken any more, and its receipt has come or is not awaited any longer. */
export function exportEndMs(name: string, content: Uint8Array): number {
  const { createdMs, expiresMs, acknowledgedMs } = readDocument('exports', name, content, (fields) => readExported(fields, name))
  return (expiresMs ?? createdMs + EXPIRES_AFTER_MS) + (acknowledgedMs === undefined ? RECEIPT_AWAITED_MS : PAST_EXPIRY_MS)
}

export const exportedDocument = (bundleId: string, exported: Exported): DocumentChange =>
  jsonDocument('exports', bundleId, { ...exported, acknowledgedMs: exported.acknowledgedMs ?? null })

export const findExported = (store: FederationStore, bundleId: string): Promise<Exported | undefined> =>
  getJson(store, 'exports', bundleId, (fields) => readExported(fields, bundleId))

function readExported(fields: Fields, bundleId: string): Exported {
  const manifest = fields.hex('manifest', 48)
  // Earlier ones kept the secret itself.
  const receiptKey = fields.ifThere('receiptKey', (name) => fields.hex(name, 32))
  return {
    peer: fields.hex('peer', 16),
    createdMs: fields.integer('createdMs', 0, Number.MAX_SAFE_INTEGER),
    origin: fields.text('origin', 64) as Origin,
    manifest,
    receiptCode:
      receiptKey === undefined ? fields.hex('receiptCode', 48) : shortReceiptDigest(Buffer.from(receiptKey, 'hex'), bundleId, manifest),
    buckets: fields.list('buckets', 0, RANGES_MAX, (bucket) => ({
      bucket: bucket.text('bucket', 80) as BucketOrigin,
      ranges: rangesField(bucket, 'ranges'),
    })),
    acknowledgedMs: fields.optional('acknowledgedMs', (name) => fields.integer(name, 0, Number.MAX_SAFE_INTEGER)),
    expiresMs: fields.ifThere('expiresMs', (name) => fields.integer(name, 0, Number.MAX_SAFE_INTEGER)),
    peerEpoch: fields.ifThere('peerEpoch', (name) => fields.integer(name, 0, Number.MAX_SAFE_INTEGER)),
  }
}
