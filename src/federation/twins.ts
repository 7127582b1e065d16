/** Operations of a peer that it signed again under a new epoch, and that are known here from an earlier one. */

import type { OperationReader } from '../store/federation-store.ts'
import { type Frontier, type Origin, parseOrigin } from '../store/operation.ts'
import { contains, NO_RANGES } from '../store/ranges.ts'
import type { Bucket } from '../store/terms.ts'
import type { BatchOperation } from './batch.ts'
import { isSameChange, keyOf } from './operation.ts'
import type { Peer } from './peers.ts'
import { type FederationSite, Refusal } from './site.ts'
import { positionText } from './words.ts'

export class Twins {
  readonly #peer: Peer
  readonly #reader: OperationReader

  constructor(site: FederationSite, peer: Peer) {
    this.#peer = peer
    this.#reader = site.store.federation.openOperations()
  }

  /** The operation, with what it was called here before. `held`: what is held in the bucket. Throws Refusal if another change stands at its place in history. */
  async named(bucket: Bucket, held: Frontier, operation: BatchOperation): Promise<BatchOperation> {
    for (const { origin, epoch, number } of earlierNames(held, operation)) {
      const kept = await this.#reader.foreign(bucket.id, origin, number)
      if (kept === undefined || positionText(kept.operation.position) !== positionText(operation.operation.position)) continue
      if (!isSameChange(kept.operation, operation.operation)) throw sameTwice(this.#peer, bucket, operation)
      return { ...operation, twin: { epoch, number, knows: NO_RANGES } }
    }
    return operation
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}

/** Throws Refusal if this site made another change with the very same stamp. */
export async function isOwnHere(own: OperationReader, bucket: Bucket, operation: BatchOperation, peer: Peer): Promise<boolean> {
  const made = await own.own(bucket.id, operation.operation.position)
  if (made !== undefined && !isSameChange(made, operation.operation)) throw sameTwice(peer, bucket, operation)
  return made !== undefined
}

/** Under which numbers it may be held: it keeps its number in a new epoch, unless it was lost and came back. */
function earlierNames(held: Frontier, { origin, operation: { number, was } }: BatchOperation) {
  const now = parseOrigin(origin)!
  const names = (Object.keys(held) as Origin[]).flatMap((name) => {
    const before = parseOrigin(name)!
    return before.site === now.site && before.epoch < now.epoch ? [{ origin: name, epoch: before.epoch, number }] : []
  })
  const former = was === undefined ? [] : [{ origin: was.origin, epoch: parseOrigin(was.origin)!.epoch, number: was.number }]
  return [...names, ...former].filter(({ origin: name, number: at }) => contains(held[name], at))
}

const sameTwice = (peer: Peer, bucket: Bucket, { operation }: BatchOperation): Refusal => {
  const key = keyOf(operation.change)
  return new Refusal(
    5,
    'conflicting-history',
    `Change ${operation.number} of bucket ${bucket.name}${key === undefined ? '' : ` (${key})`} from ${peer.name} has the very stamp of another change that is here: both cannot stay. Delete one of them where it was made, or give up that site's copy and make a new site.`,
  )
}
