/**
 * A site that met operations of its own which it never made was restored from an older copy, or has a clone: whatever it signs under its present epoch
 * may contradict what its peers have. So it stops to export, import and acknowledge until an operator begins a new epoch; S3 goes on. Kept as a
 * document, which counts only within its epoch.
 */
import type { FederationStore } from '../store/federation-store.ts'
import { getJson, jsonDocument, putDocuments } from './documents.ts'
import { findPeerState } from './peer-state.ts'
import { findPeer } from './peers.ts'
import { type FederationSite, Refusal } from './site.ts'

export type Stopped = {
  /** The peer that showed it. */
  readonly peer: string
  readonly sinceMs: number
  /** In one sentence, what was seen. */
  readonly reason: string
  /** Of this site, when it stopped. */
  readonly epoch: number
  /** The newest epoch of this site that the peer knows. */
  readonly seenEpoch: number
  /** The greatest stamp that the peer knows, microseconds since 1970. */
  readonly clock: number
}

const NAME = 'stopped'

/** Undefined if bundles are exchanged: nothing stopped them in the present epoch, or the peer whose bundle did is not trusted any more. */
export async function findStopped(store: FederationStore): Promise<Stopped | undefined> {
  const whole = (max: number) => [0, max] as const
  const stopped = await getJson(store, 'site', NAME, (fields) => ({
    peer: fields.text('peer', 63),
    sinceMs: fields.integer('sinceMs', ...whole(Number.MAX_SAFE_INTEGER)),
    reason: fields.text('reason', 2_000),
    epoch: fields.integer('epoch', ...whole(Number.MAX_SAFE_INTEGER)),
    seenEpoch: fields.integer('seenEpoch', ...whole(Number.MAX_SAFE_INTEGER)),
    clock: fields.integer('clock', ...whole(Number.MAX_SAFE_INTEGER)),
  }))
  if (stopped?.epoch !== store.epoch) return undefined
  // Whom nobody believes any more cannot hold this site up.
  const peer = await findPeer(store, stopped.peer)
  return peer === undefined || (await findPeerState(store, peer.site)).revokedMs !== null ? undefined : stopped
}

export const WHAT_TO_DO =
  'Nothing is exported, imported or acknowledged until a new epoch has begun, with "holdfast site new-epoch"; S3 goes on meanwhile.'

export const stoppedSentence = ({ sinceMs, reason }: Stopped): string =>
  `Stopped since ${new Date(sinceMs).toISOString()}: ${reason} ${WHAT_TO_DO}`

/** Throws Refusal. */
export async function refuseIfStopped(site: FederationSite): Promise<void> {
  const stopped = await findStopped(site.store.federation)
  if (stopped !== undefined) throw new Refusal(5, 'stopped', stoppedSentence(stopped))
}

/** What a refusal brings along that stops the site. */
export class Ahead extends Refusal {
  readonly seen: Pick<Stopped, 'peer' | 'reason' | 'seenEpoch' | 'clock'>

  constructor(seen: Ahead['seen']) {
    super(5, 'ahead-of-us', `${seen.reason} ${WHAT_TO_DO}`)
    this.seen = seen
  }
}

/** Runs `work`; if it finds that this site has a past that it does not know, that is kept. */
export async function stopping<T>(site: FederationSite, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Ahead) {
      const store = site.store.federation
      const stopped: Stopped = { ...error.seen, sinceMs: site.clock.nowMs(), epoch: store.epoch }
      await putDocuments(store, 'That this site stops could not be noted', [jsonDocument('site', NAME, stopped)])
    }
    throw error
  }
}

export const forgetStopped = (store: FederationStore): Promise<void> =>
  putDocuments(store, 'The new epoch has begun, but that could not be noted', [{ collection: 'site', name: NAME, content: null }])
