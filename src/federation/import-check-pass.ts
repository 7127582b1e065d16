/**
 * The first reading of a bundle, before anything is changed: every byte is authenticated, every content held against its digest, every operation parsed and held against what is known here already. Memory: one
 * operations entry.
 */
import type { OpenBundle } from '../bundles/read-bundle.ts'
import type { FederationStore, OperationReader } from '../store/federation-store.ts'
import type { Frontier, Origin } from '../store/operation.ts'
import { contains, greatest, NO_RANGES, type Ranges } from '../store/ranges.ts'
import type { Bucket } from '../store/terms.ts'
import type { BatchOperation } from './batch.ts'
import { type WalkedContent, walkBundle } from './bundle-walk.ts'
import { applyOne, foreignRefusal } from './import-apply.ts'
import { STEPS_TOLD } from './import-apply-pass.ts'
import { ahead } from './import-checks.ts'
import { type Destination, type Destinations, mergedThere, nameOf } from './import-policy.ts'
import { rulesOf } from './peer-rules.ts'
import type { Peer } from './peers.ts'
import { type KindCount, RuleCheck } from './rule-check.ts'
import type { FederationProgress, FederationSite } from './site.ts'
import type { StatedBucket, Statement } from './statement.ts'
import { isOwnHere, Twins } from './twins.ts'

export type CheckedBundle = {
  /** Operations that are not here yet. */
  readonly fresh: number
  readonly known: number
  /** Of what is not here yet. */
  readonly contentBytes: number
  readonly kinds: readonly KindCount[]
  /** How long what they remove can be brought back. */
  readonly undoDays: number
}

const KNOWN_TOGETHER = 64

/** Reads all operations and changes nothing. Throws Refusal for whatever speaks against the bundle. */
export async function checkPass(
  site: FederationSite,
  peer: Peer,
  bundle: OpenBundle,
  statement: Statement,
  destinations: Destinations,
  progress: FederationProgress,
): Promise<CheckedBundle> {
  const store = site.store.federation
  const counts = { fresh: 0, known: 0, contentBytes: 0 }
  const allowed = await rulesOf(store, peer)
  const rules = new RuleCheck(peer, allowed)
  let here: Here | undefined
  let asked: Promise<void>[] = []
  const own = store.openOperations()
  const twins = new Twins(site, peer)
  try {
    for await (const { stated, operation, content } of walkBundle(bundle, statement, site.identity.publicIdentity)) {
      if (here?.stated !== stated) {
        here = await whatIsHere(store, statement, stated, destinations.get(stated)!)
      }
      checkFrontier(peer, here, greatest(operation.operation.frontier[store.origin] ?? NO_RANGES), statement)
      const isHeld = contains(here.held, operation.operation.number)
      const known = isHeld || (await isKnown(here, operation, own, twins, peer))
      if (content.kind === 'held' && !known) throw foreignRefusal(peer.name, stated.name, operation, 'content-needed')
      if (isHeld && here.destination.kind === 'known') {
        // Answers 'already' and changes nothing, unless it was another one under this number.
        const { bucket } = here.destination
        counts.known += 1
        const answer = applyOne(store, bucket, operation, undefined).then((applied) => {
          if (typeof applied === 'string') throw foreignRefusal(peer.name, bucket.name, operation, applied)
        })
        // Whoever waits for it gets the fault; until then it must not count as unhandled.
        answer.catch(() => undefined)
        asked.push(answer)
        if (asked.length >= KNOWN_TOGETHER) {
          await Promise.all(asked)
          asked = []
        }
      } else if (known) counts.known += 1
      else {
        counts.fresh += 1
        rules.look(nameOf(here.destination), operation, stated.origin !== undefined)
        if (content.kind === 'here') {
          counts.contentBytes += content.bytes
          await checkContent(content)
        }
      }
      const done = counts.fresh + counts.known
      if (done % STEPS_TOLD === 1) progress({ what: 'Checking', done, total: statement.operations, unit: 'items' })
    }
    await Promise.all(asked)
    return { ...counts, kinds: rules.end(), undoDays: allowed.undoDays }
  } finally {
    await own.close()
    await twins.close()
  }
}

/** Reads it to its end, where its digest shows: signed as it is, it may have another one than was promised. */
async function checkContent(content: Extract<WalkedContent, { kind: 'here' }>): Promise<void> {
  const parts = content.read()[Symbol.asyncIterator]()
  while ((await parts.next()).done !== true);
}

/** Whether it is here although it is not numbered so: known from an earlier epoch, or an operation of this site itself. */
async function isKnown(
  { bucket, frontier }: Here,
  operation: BatchOperation,
  own: OperationReader,
  twins: Twins,
  peer: Peer,
): Promise<boolean> {
  if (bucket === undefined) return false
  if (operation.operation.position.site !== peer.site) return isOwnHere(own, bucket, operation, peer)
  return (await twins.named(bucket, frontier, operation)).twin !== undefined
}

type Here = {
  readonly stated: StatedBucket
  readonly destination: Destination
  /** Undefined if it is still to be made. */
  readonly bucket: Bucket | undefined
  readonly frontier: Frontier
  readonly held: Ranges
  /** How many operations this site made in the bucket. */
  readonly made: number
}

async function whatIsHere(
  store: FederationStore,
  statement: Statement,
  stated: StatedBucket & { readonly origin?: Origin },
  destination: Destination,
): Promise<Here> {
  const origin = stated.origin ?? statement.origin

  const bucket = destination.kind === 'made' ? undefined : destination.kind === 'merged' ? destination.into : destination.bucket
  if (bucket === undefined) return { stated, destination, bucket, frontier: {}, held: NO_RANGES, made: 0 }
  const frontier = await store.held(bucket.id)
  return { stated, destination, bucket, frontier, held: frontier[origin] ?? NO_RANGES, made: await store.lastOperation(bucket.id) }
}

/** The peer cannot have seen more changes of ours than there are. */
function checkFrontier(peer: Peer, { stated, destination, made }: Here, seen: number, { clock }: Statement): void {
  if (seen <= made) return
  if (destination.kind === 'made') throw mergedThere(peer, stated)
  throw ahead(peer.name, stated.name, seen, made, { seenEpoch: 0, clock })
}
