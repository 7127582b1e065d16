/**
 * The first reading of a bundle, before anything is changed: every byte is authenticated, every operation parsed and held against what is known here already. Memory: one
 * operations entry.
 */
import type { OpenBundle } from '../bundles/read-bundle.ts'
import type { FederationStore, Ranges } from '../store/store.ts'
import { walkBundle } from './bundle-walk.ts'
import { applyOne, foreignRefusal } from './import-apply.ts'
import { STEPS_TOLD } from './import-apply-pass.ts'
import { ahead } from './import-checks.ts'
import { checkNotMergedThere, type Destination, type Destinations, nameOf } from './import-policy.ts'
import { rulesOf } from './peer-rules.ts'
import type { Peer } from './peers.ts'
import { contains, greatest, NO_RANGES } from './ranges.ts'
import { type KindCount, RuleCheck } from './rule-check.ts'
import type { FederationProgress, FederationSite } from './site.ts'
import type { StatedBucket, Statement } from './statement.ts'

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
  for await (const { stated, operation, content } of walkBundle(bundle, statement)) {
    if (here?.stated !== stated) {
      here = await whatIsHere(store, statement, stated, destinations.get(stated)!)
    }
    checkFrontier(peer, here, greatest(operation.operation.frontier[store.origin] ?? NO_RANGES))
    if (contains(here.held, operation.operation.number) && here.destination.kind === 'known') {
      // Answers 'already' and changes nothing, unless it was another one under this number.
      const { bucket } = here.destination
      counts.known += 1
      const answer = applyOne(store, bucket, operation, undefined).then((applied) => {
        if (typeof applied === 'string') throw foreignRefusal(peer.name, bucket, operation, applied)
      })
      // Whoever waits for it gets the fault; until then it must not count as unhandled.
      answer.catch(() => undefined)
      asked.push(answer)
      if (asked.length >= KNOWN_TOGETHER) {
        await Promise.all(asked)
        asked = []
      }
    } else {
      counts.fresh += 1
      rules.look(nameOf(here.destination), operation)
      if (content.kind === 'here') counts.contentBytes += content.bytes
    }
    const done = counts.fresh + counts.known
    if (done % STEPS_TOLD === 1) progress({ what: 'Checking', done, total: statement.operations, unit: 'items' })
  }
  await Promise.all(asked)
  return { ...counts, kinds: rules.end(), undoDays: allowed.undoDays }
}

type Here = {
  readonly stated: StatedBucket
  readonly destination: Destination
  readonly held: Ranges
  /** How many operations this site made in the bucket. */
  readonly made: number
}

async function whatIsHere(store: FederationStore, { origin }: Statement, stated: StatedBucket, destination: Destination): Promise<Here> {
  const bucket = destination.kind === 'made' ? undefined : destination.kind === 'known' ? destination.bucket : destination.into
  if (bucket === undefined) return { stated, destination, held: NO_RANGES, made: 0 }
  return { stated, destination, held: (await store.held(bucket.id))[origin] ?? NO_RANGES, made: await store.lastOperation(bucket.id) }
}

/** The peer cannot have seen more changes of ours than there are. */
function checkFrontier(peer: Peer, { stated, destination, made }: Here, seen: number): void {
  if (seen <= made) return
  checkNotMergedThere(peer, stated, destination.kind === 'made')
  throw ahead(peer.name, stated.name, seen, made)
}
