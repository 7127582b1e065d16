/**
 * What an export carries, decided once and then frozen: every operation made here up to now that the peer does not hold by its own word. Memory: the numbers as ranges.
 */
import type { Operation } from '../store/operation.ts'
import { count, greatest, intersect, NO_RANGES, type Ranges, RangesBuilder, subtract, upTo } from '../store/ranges.ts'
import type { Bucket, SiteId } from '../store/terms.ts'
import { BUCKET_BYTES, RANGE_BYTES, RANGES_BYTES_MAX } from './documents.ts'
import { holdingOf, wasExported } from './holdings.ts'
import { keyOf } from './operation.ts'
import type { Peer } from './peers.ts'
import { lostBy } from './returns.ts'
import { type FederationProgress, type FederationSite, Refusal } from './site.ts'
import { holdsOf, type StatedBucket, type StatedReturn, type Statement } from './statement.ts'
import { counted, positionText } from './words.ts'

/** What was asked for; another attempt has to ask for the same. */
export type ExportArguments = {
  readonly peer: SiteId
  readonly buckets: readonly string[] | null
  readonly prefix: string | null
  readonly volumeBytes: number
  readonly parityVolumes: number
  readonly full: boolean
  readonly expiresInMs: number
}

export type ExportPlan = {
  readonly asked: ExportArguments
  readonly createdMs: number
  readonly expiresMs: number
  /** Bundles that the peer acknowledged, in clear in the preamble. */
  readonly bundles: readonly string[]
  /** False: more is owed than one bundle can say. */
  readonly complete: boolean
  /** Names of buckets that were left out, being other sites'. */
  readonly leftOut: readonly string[]
  readonly statement: Statement
}

const BUNDLES_NAMED_MAX = 50

/** What goes into a bundle for the peer, decided once. Throws Refusal if there is no such bucket, or one cannot be read. */
export async function makePlan(
  site: FederationSite,
  peer: Peer,
  asked: ExportArguments,
  progress: FederationProgress,
): Promise<ExportPlan> {
  const store = site.store.federation
  const createdMs = site.clock.nowMs()
  const { chosen, leftOut } = await chooseBuckets(site, peer, asked)
  const stated: StatedBucket[] = []
  const totals: Totals = { operations: 0, contentBytes: 0, needsBytes: 0, bringsBytes: 0, complete: true }
  for (const [at, { bucket, deleted }] of chosen.entries()) {
    progress({ what: 'Planning', done: at, total: chosen.length, unit: 'items' })
    const origin = positionText(bucket.origin)
    const all = upTo(await store.lastOperation(bucket.id))
    const held = asked.full ? NO_RANGES : intersect(await holdingOf(store, peer, origin), all)
    const brings = await inScope(site, bucket, subtract(all, held), asked.prefix, totals, held.length)
    if (brings.length > 0) stated.push({ bucket: origin, name: bucket.name, deleted, needs: held, brings })
    if (!totals.complete) break
  }
  const returns = await planReturns(site, peer, chosen, asked.prefix, totals)
  const { operations, contentBytes, complete } = totals
  const everywhere = [...(await site.store.listBuckets()), ...(await store.deletedBuckets())]
  return {
    ...{ asked, createdMs, expiresMs: createdMs + asked.expiresInMs, complete, leftOut },
    bundles: peer.bundles.slice(-BUNDLES_NAMED_MAX),
    statement: {
      ...{ origin: store.origin, to: peer.site, full: asked.full, operations, contentBytes, buckets: stated },
      holds: await holdsOf(store, everywhere, peer.site),
      ...{ returns, clock: await store.greatestClock() },
    },
  }
}

/** What the peer made in an earlier epoch and lost. */
async function planReturns(
  site: FederationSite,
  peer: Peer,
  chosen: readonly { readonly bucket: Bucket; readonly deleted: boolean }[],
  prefix: string | null,
  totals: Totals,
): Promise<StatedReturn[]> {
  const returns: StatedReturn[] = []
  for (const { bucket, deleted } of chosen) {
    if (!totals.complete) continue
    for (const { origin, bucket: named, ranges: lost } of await lostBy(site, peer, bucket, prefix)) {
      const fitting = Math.floor((RANGES_BYTES_MAX - totals.bringsBytes - BUCKET_BYTES) / RANGE_BYTES)
      const brings = lost.slice(0, Math.max(0, fitting))
      if (brings.length < lost.length) totals.complete = false
      if (brings.length === 0) continue
      totals.bringsBytes += BUCKET_BYTES + brings.length * RANGE_BYTES
      totals.operations += count(brings)
      returns.push({ bucket: named, name: bucket.name, deleted, needs: NO_RANGES, brings, origin })
    }
  }
  return returns
}

/**
 * Deleted buckets first, so that their names are free for others of that name. A bucket that a third site made is taken only if it is named: whether the peer takes
 * changes of it from us is between those two.
 */
async function chooseBuckets(site: FederationSite, peer: Peer, { buckets: names }: ExportArguments) {
  const store = site.store.federation
  const deleted: Bucket[] = []
  // A bucket that was never sent cannot be there: its end is nobody's business.
  for (const bucket of await store.deletedBuckets())
    if (bucket.origin.site === peer.site || (await wasExported(store, peer, positionText(bucket.origin)))) deleted.push(bucket)
  const living = await site.store.listBuckets()
  const unknown = names?.find((name) => !living.some((bucket) => bucket.name === name) && !deleted.some((bucket) => bucket.name === name))
  if (unknown !== undefined) throw new Refusal(5, 'no-such-bucket', `There is no bucket ${unknown} here.`)
  const all = [...deleted.map((bucket) => ({ bucket, deleted: true })), ...living.map((bucket) => ({ bucket, deleted: false }))]
  const chosen: typeof all = []
  const leftOut: string[] = []
  for (const one of all) {
    const { origin, name } = one.bucket
    const ours = origin.site === store.siteId || origin.site === peer.site
    if (names === null ? ours || (await wasExported(store, peer, positionText(origin))) : names.includes(name)) chosen.push(one)
    else if (names === null) leftOut.push(name)
  }
  return { chosen, leftOut }
}

/** `needsBytes`, `bringsBytes`: what the ranges of the statement take, each below RANGES_BYTES_MAX. */
type Totals = { operations: number; contentBytes: number; needsBytes: number; bringsBytes: number; complete: boolean }

/** The numbers among `owed` that are wanted: all of them, or those about keys with the prefix and those about the bucket itself. */
async function inScope(
  site: FederationSite,
  bucket: Bucket,
  owed: Ranges,
  prefix: string | null,
  totals: Totals,
  heldRanges: number,
): Promise<Ranges> {
  const found = new RangesBuilder()
  const isBegun = totals.operations > 0
  totals.needsBytes += heldRanges * RANGE_BYTES
  totals.bringsBytes += BUCKET_BYTES
  if (isBegun && (totals.needsBytes > RANGES_BYTES_MAX || totals.bringsBytes > RANGES_BYTES_MAX)) {
    totals.complete = false
    return NO_RANGES
  }
  for (const [first, last] of owed) {
    for await (const operation of operationsOf(site, bucket, first, last)) {
      const { change, number } = operation
      const key = keyOf(change)
      if (prefix !== null && key !== undefined && !key.startsWith(prefix)) continue
      if (totals.bringsBytes + (found.rangeCount + 1) * RANGE_BYTES > RANGES_BYTES_MAX && greatest(found.ranges) !== number - 1) {
        totals.complete = false
        break
      }
      found.add(number)
      totals.operations += 1
      if (change.kind === 'put-object') totals.contentBytes += change.bytes
    }
    if (!totals.complete) break
  }
  totals.bringsBytes += found.rangeCount * RANGE_BYTES
  return found.ranges
}

/** The operations as the store has them. A feed that cannot be read is a fault of the site, said as such. */
export async function* operationsOf(site: FederationSite, bucket: Bucket, first: number, last: number): AsyncGenerator<Operation> {
  let expected = first
  try {
    for await (const operation of site.store.federation.operations(bucket.id, first, last)) {
      if (operation.number !== expected) break
      expected += 1
      yield operation
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Refusal(6, 'damaged', `The changes of bucket ${bucket.name} cannot be read back: ${reason}. See "holdfast status".`)
  }
  if (expected <= last)
    throw new Refusal(
      6,
      'damaged',
      `${counted(last - expected + 1, 'change')} of bucket ${bucket.name} cannot be read back. See "holdfast status".`,
    )
}
