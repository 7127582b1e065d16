/** The second reading of a bundle: buckets are made where they are due, and what is not here yet is applied. */
import type { OpenBundle } from '../bundles/read-bundle.ts'
import type { Frontier } from '../store/operation.ts'
import { contains, NO_RANGES, type Ranges, RangesBuilder } from '../store/ranges.ts'
import type { Bucket } from '../store/terms.ts'
import type { Batch, BatchOperation } from './batch.ts'
import { walkBundle } from './bundle-walk.ts'
import { putDocuments } from './documents.ts'
import { type Applied, Applier } from './import-apply.ts'
import { type Destination, type Destinations, nameOf } from './import-policy.ts'
import { CONCURRENT_LISTED_MAX } from './import-report.ts'
import { keyOf } from './operation.ts'
import { keepRemovedMs, rulesOf } from './peer-rules.ts'
import type { Peer } from './peers.ts'
import { type FederationProgress, type FederationSite, Refusal, storeRefusal } from './site.ts'
import type { StatedBucket, Statement } from './statement.ts'
import { isOwnHere, Twins } from './twins.ts'
import { type BucketOrigin, parsePosition } from './words.ts'

/** One in so many steps is told: a bundle may have millions. */
export const STEPS_TOLD = 100

export type Outcome = {
  applied: number
  /** Of those: operations of this site itself that it had lost. */
  returned: number
  already: number
  contentBytes: number
  concurrentCount: number
  readonly concurrent: { readonly bucket: string; readonly key: string }[]
  /** Numbers, by bucket, that are stamped more than a day ahead of our clock and were not applied. */
  readonly keptOut: Map<BucketOrigin, RangesBuilder>
}

/** Stages contents and applies operations in their order, after checkPass. Throws Refusal; what was applied until then stays, and a second run goes on. */
export async function applyPass(
  site: FederationSite,
  peer: Peer,
  bundle: OpenBundle,
  statement: Statement,
  destinations: Destinations,
  progress: FederationProgress,
): Promise<Outcome> {
  const store = site.store.federation
  const outcome: Outcome = { applied: 0, returned: 0, already: 0, contentBytes: 0, concurrentCount: 0, concurrent: [], keptOut: new Map() }
  const keeping = { name: peer.name, keepRemovedMs: keepRemovedMs(await rulesOf(store, peer)) }
  const applier = new Applier(site.store, keeping, (bucket, operation, applied) => note(outcome, bucket, operation, applied))
  let here: { readonly stated: StatedBucket; readonly bucket: Bucket; readonly frontier: Frontier; readonly held: Ranges } | undefined
  const own = store.openOperations()
  const twins = new Twins(site, peer)
  let kept: Batch | undefined
  let step = 0
  try {
    for await (const { stated, batch, operation, content } of walkBundle(bundle, statement, site.identity.publicIdentity)) {
      if (step++ % STEPS_TOLD === 0) progress({ what: 'Importing', done: step, total: statement.operations, unit: 'items' })
      if (here?.stated !== stated) {
        // The bucket before may have to be gone before this one takes its name.
        await applier.finish()
        const bucket = await adopt(site, stated, destinations.get(stated)!)
        const frontier = await store.held(bucket.id)
        here = { stated, bucket, frontier, held: frontier[stated.origin ?? statement.origin] ?? NO_RANGES }
      }
      const isReturned = stated.origin !== undefined
      if (isReturned ? await isOwnHere(own, here.bucket, operation, peer) : contains(here.held, operation.operation.number)) {
        outcome.already += 1
        continue
      }
      if (isReturned) outcome.returned += 1
      // Of its own operations a site needs no evidence.
      if (kept !== batch && !isReturned) await keep(site, batch)
      kept = batch
      const named = isReturned ? operation : await twins.named(here.bucket, here.frontier, operation)
      const isNew = named.twin === undefined
      if (isNew && content.kind === 'here') outcome.contentBytes += content.bytes
      const told = await withKnowledge(site, applier, here.bucket, named, statement)
      await applier.apply(here.bucket, told, isNew ? content : { kind: 'none' })
    }
    await applier.finish()
    return outcome
  } catch (error) {
    await applier.abandon()
    throw error
  } finally {
    await own.close()
    await twins.close()
  }
}

/** With what the store needs to say who had seen whom, across epochs. */
async function withKnowledge(
  site: FederationSite,
  applier: Applier,
  bucket: Bucket,
  operation: BatchOperation,
  { holds }: Statement,
): Promise<BatchOperation> {
  const store = site.store.federation
  if (operation.twin !== undefined) {
    const knows = holds.find((held) => held.bucket === operation.bucket && held.origin === store.origin)?.ranges ?? NO_RANGES
    return { ...operation, twin: { ...operation.twin, knows } }
  }
  if (operation.operation.position.site !== store.siteId || operation.operation.change.kind !== 'delete-bucket') return operation
  // All that comes back before it has its number by then.
  await applier.finish()
  const seen = new RangesBuilder()
  for await (const { number, position, madeUs } of store.operations(bucket.id, 1, await store.lastOperation(bucket.id)))
    if ((madeUs ?? position.clock) < operation.operation.position.clock) seen.add(number)
  const frontier = { ...operation.operation.frontier, [store.origin]: seen.ranges }
  return { ...operation, operation: { ...operation.operation, frontier } }
}

/** The signature over a batch is durable before any of its operations is. */
async function keep(site: FederationSite, batch: Batch): Promise<void> {
  const store = site.store.federation
  const document = batch.document()
  if (document !== undefined && (await store.getDocument(document.collection, document.name)) === undefined)
    await putDocuments(store, 'The signature of a batch could not be kept', [document])
}

function note(outcome: Outcome, bucket: Bucket, { operation, bucket: origin, twin }: BatchOperation, applied: Applied): void {
  if (applied.kind === 'from-the-future') {
    const numbers = outcome.keptOut.get(origin) ?? new RangesBuilder()
    numbers.add(operation.number)
    outcome.keptOut.set(origin, numbers)
    return
  }
  if (applied.kind === 'already' || twin !== undefined) outcome.already += 1
  else outcome.applied += 1
  if (!applied.concurrent) return
  outcome.concurrentCount += 1
  if (outcome.concurrent.length < CONCURRENT_LISTED_MAX)
    outcome.concurrent.push({ bucket: bucket.name, key: keyOf(operation.change) ?? '' })
}

async function adopt(site: FederationSite, stated: StatedBucket, destination: Destination): Promise<Bucket> {
  if (destination.kind === 'known') return destination.bucket
  const adopted = await site.store.federation.adoptBucket({
    origin: parsePosition(stated.bucket)!,
    owner: site.ownerId,
    ...(destination.kind === 'merged' ? { name: destination.into.name, mergeInto: destination.into.id } : { name: destination.name }),
  })
  if (adopted.ok) return adopted.value
  if (adopted.error === 'name-taken')
    throw new Refusal(
      6,
      'name-taken',
      `There is another bucket ${nameOf(destination)} here by now: run the import again with --map ${stated.name}=OTHER, or with --merge.`,
    )
  throw storeRefusal(`Bucket ${stated.name} could not be made`, adopted.error)
}
