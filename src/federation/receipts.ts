/** Receipts that come back: what a peer says, by its signature, that it applied of a bundle. Nothing else moves what is believed of it. */
import { type Fields, type Json, parseJson } from '../bundles/json.ts'
import { isShortReceipt, type Receipt, readReceipt, readShortReceipt } from '../bundles/receipt.ts'
import type { Result } from '../result.ts'
import { parseOrigin } from '../store/operation.ts'
import { count, greatest, intersect, NO_RANGES } from '../store/ranges.ts'
import type { SiteId } from '../store/terms.ts'
import { type DocumentChange, putDocuments, RANGES_MAX, rangesField } from './documents.ts'
import { believe, type Exported, exportedDocument, findExported, type Said } from './holdings.ts'
import { ahead, checkEpoch } from './import-checks.ts'
import { heard, refuseIfRevoked } from './peer-state.ts'
import { findPeerBySite, type Peer, peerDocument, peerSeen, trustOf } from './peers.ts'
import { type FederationFault, type FederationSite, opened, Refusal, refusable } from './site.ts'
import { refuseIfStopped, stopping } from './stopped.ts'
import { type BucketOrigin, counted, parsePosition } from './words.ts'

export type AcknowledgeReport = {
  readonly sentence: string
  readonly bundle: string
  readonly peer: string
  /** Changes that this receipt acknowledges. */
  readonly operations: number
  /** If a receipt for this bundle was taken note of before, when. */
  readonly firstAcknowledgedMs: number | null
}

/** `receiptText`: the file that an import wrote, or the 56 characters of a short receipt. */
export function acknowledge(
  site: FederationSite,
  { receiptText }: { readonly receiptText: string },
): Promise<Result<AcknowledgeReport, FederationFault>> {
  return refusable(() =>
    stopping(site, async () => {
      await refuseIfStopped(site)
      const text = receiptText.trim()
      return looksShort(text) ? acknowledgeShort(site, text) : acknowledgeWhole(site, text)
    }),
  )
}

/** Whatever is shorter than any receipt with a signature was meant to be typed. */
const looksShort = (text: string): boolean => text.length <= 200

async function acknowledgeWhole(site: FederationSite, text: string): Promise<AcknowledgeReport> {
  const store = site.store.federation
  const receipt = opened(readReceipt(text, await trustOf(site)))
  if (receipt.to !== store.siteId)
    throw new Refusal(5, 'not-for-us', `This receipt is for site ${receipt.to}, which made the bundle, and not for this one.`)
  await checkMadeHere(site, receipt)
  const { exported, peer } = await exportFor(site, receipt.bundleId, receipt.site)
  if (exported.manifest !== receipt.manifestDigest)
    throw new Refusal(
      5,
      'other-content',
      `This receipt is for a bundle with the same id (${receipt.bundleId}) but other content than the one exported here: this site was restored from an older copy, or there is a clone of it. If so, begin a new epoch with "holdfast site new-epoch".`,
    )
  if (receipt.epoch < peer.epoch)
    throw new Refusal(
      5,
      'earlier-epoch',
      `This receipt is of epoch ${receipt.epoch} of ${peer.name}, which has begun epoch ${peer.epoch} since.`,
    )
  checkEpoch(peer, receipt.epoch)
  const said = acknowledgedBy(receipt, exported)
  const word = await heard(site.store.federation, peer.site, { madeMs: receipt.issuedMs, nowMs: site.clock.nowMs(), applied: false })
  return take(site, peerSeen(peer, receipt.epoch, receipt.identity), peer, receipt.bundleId, exported, said, [word])
}

/** A receipt for changes that were never made here shows that this site was restored from an older copy, or cloned. */
async function checkMadeHere(site: FederationSite, receipt: Receipt): Promise<void> {
  const store = site.store.federation
  const said = parseAcknowledged(receipt.acknowledges)
  const peer = await findPeerBySite(store, receipt.site)
  const origin = said && parseOrigin(said.origin)
  if (said === undefined || peer === undefined || origin?.site !== store.siteId || origin.epoch < store.epoch) return
  for (const { bucket, ranges } of said.buckets) {
    const position = parsePosition(bucket)
    const here = position && (await store.findBucketByOrigin(position))
    const made = here === undefined || origin.epoch > store.epoch ? 0 : await store.lastOperation(here.id)
    if (greatest(ranges) > made) throw ahead(peer.name, here?.name ?? bucket, greatest(ranges), made, { seenEpoch: origin.epoch, clock: 0 })
  }
}

async function acknowledgeShort(site: FederationSite, text: string): Promise<AcknowledgeReport> {
  const short = opened(readShortReceipt(text))
  const { exported, peer } = await exportFor(site, short.bundleId, undefined)
  if (!isShortReceipt(exported.receiptCode, short))
    throw new Refusal(5, 'bad-signature', `This short receipt was not given by ${peer.name} for this bundle: compare it once more.`)
  // A short receipt does not say of which epoch it is; one given before the peer lost what it had must not count afterwards.
  if (peer.epoch > Math.max(1, exported.peerEpoch ?? 1))
    throw new Refusal(
      5,
      'earlier-epoch',
      `${peer.name} has begun epoch ${peer.epoch} since this bundle was exported, and a short receipt does not say whether it was given before: take its whole receipt, or export again.`,
    )
  return take(site, peer.epoch === 0 ? peerSeen(peer, 1, undefined) : peer, peer, short.bundleId, exported, exported.buckets)
}

async function exportFor(
  site: FederationSite,
  bundleId: string,
  from: SiteId | undefined,
): Promise<{ readonly exported: Exported; readonly peer: Peer }> {
  const store = site.store.federation
  const exported = await findExported(store, bundleId)
  if (exported === undefined)
    throw new Refusal(
      5,
      'unknown-bundle',
      `This receipt is for bundle ${bundleId}, of which this site knows nothing: it was made by another one, or so long ago that its receipt is not awaited any more.`,
    )
  const peer = await findPeerBySite(store, exported.peer as SiteId)
  if (peer === undefined || (from !== undefined && from !== peer.site))
    throw new Refusal(
      5,
      'other-peer',
      `Bundle ${bundleId} was made for ${peer?.name ?? exported.peer}, but this receipt is signed by site ${from}.`,
    )
  await refuseIfRevoked(store, peer)
  return { exported, peer }
}

/** A receipt can acknowledge only what its bundle held. */
function acknowledgedBy(receipt: Receipt, { origin, buckets }: Exported): Said[] {
  const said = parseAcknowledged(receipt.acknowledges)
  if (said === undefined || said.origin !== origin)
    throw new Refusal(5, 'malformed', 'This receipt is signed but malformed: its site must make it anew.')
  const byBucket = new Map(said.buckets.map(({ bucket, ranges }) => [bucket, ranges]))
  return buckets.map(({ bucket, ranges }) => ({ bucket, ranges: intersect(ranges, byBucket.get(bucket) ?? NO_RANGES) }))
}

const parseAcknowledged = (json: Json) =>
  parseJson(Buffer.from(JSON.stringify(json)), (fields: Fields) => ({
    origin: fields.text('origin', 64),
    buckets: fields.list('buckets', 0, RANGES_MAX, (one) => ({
      bucket: one.text('bucket', 80) as BucketOrigin,
      ranges: rangesField(one, 'ranges'),
    })),
  }))

async function take(
  site: FederationSite,
  seen: Peer,
  before: Peer,
  bundleId: string,
  exported: Exported,
  said: readonly Said[],
  more: readonly DocumentChange[] = [],
): Promise<AcknowledgeReport> {
  const store = site.store.federation
  const nowMs = site.clock.nowMs()
  const known = before.bundles.includes(bundleId)
  const peer: Peer = known ? seen : { ...seen, bundles: [...seen.bundles, bundleId] }
  // What was made in an epoch before this site's present one is history that its peers do not need to be asked for.
  const counts = exported.origin === store.origin
  const changes = [
    ...more,
    ...(counts ? await believe(store, peer, said) : []),
    ...(peer.epoch === before.epoch && known && peer.identity === before.identity ? [] : [peerDocument(peer)]),
    ...(exported.acknowledgedMs === undefined ? [exportedDocument(bundleId, { ...exported, acknowledgedMs: nowMs })] : []),
  ]
  await putDocuments(store, 'The receipt could not be noted', changes)
  const operations = said.reduce((sum, { ranges }) => sum + count(ranges), 0)
  const first = exported.acknowledgedMs ?? null
  const again = first === null ? '' : ` It was acknowledged before, at ${new Date(first).toISOString()}.`
  const sentence = `${peer.name} holds ${counted(operations, 'change')} of bundle ${bundleId}: they are not sent again.${again}`
  return { sentence, bundle: bundleId, peer: peer.name, operations, firstAcknowledgedMs: first }
}
