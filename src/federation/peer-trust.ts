/** Ending the trust in a peer, for good or until further notice; and how long it has been silent. */
import type { Result } from '../result.ts'
import type { FederationStore } from '../store/federation-store.ts'
import type { SiteId } from '../store/terms.ts'
import { putDocuments } from './documents.ts'
import { findPeerState, peerStateDocument } from './peer-state.ts'
import { findPeer, listPeers, type Peer, type PeerView } from './peers.ts'
import { type FederationFault, type FederationSite, Refusal, refusable } from './site.ts'

export type PeerEnd = { readonly sentence: string; readonly name: string; readonly site: string }

/** Forgets the peer. What it sent stays; what it signs counts no more, as from any unknown site. Its newest epoch, and that it was revoked, are remembered. */
export function removePeer(site: FederationSite, name: string): Promise<Result<PeerEnd, FederationFault>> {
  return refusable(async () => {
    const store = site.store.federation
    const peer = await named(store, name)
    const state = await findPeerState(store, peer.site)
    await putDocuments(store, `The peer ${name} could not be removed`, [
      { collection: 'peers', name, content: null, expect: peer.content },
      { collection: 'peer-sites', name: peer.site, content: null },
      peerStateDocument(peer.site, { ...state, epoch: Math.max(state.epoch, peer.epoch) }),
    ])
    const after = state.revokedMs === null ? 'what it signs is refused as that of an unknown site' : 'its keys stay revoked'
    const stays = 'What it sent before stays here, and what "peer set" said of it: that counts again if it is added again.'
    return { name, site: peer.site, sentence: `Removed peer ${name}, site ${peer.site}: ${after}. ${stays}` }
  })
}

/** From now on whatever it signed is refused, also what it signed before. */
export function revokePeer(site: FederationSite, name: string): Promise<Result<PeerEnd & { readonly revokedMs: number }, FederationFault>> {
  return refusable(async () => {
    const store = site.store.federation
    const peer = await named(store, name)
    const state = await findPeerState(store, peer.site)
    const revokedMs = state.revokedMs ?? site.clock.nowMs()
    if (state.revokedMs === null)
      await putDocuments(store, `The keys of ${name} could not be revoked`, [peerStateDocument(peer.site, { ...state, revokedMs })])
    const sentence =
      `The keys of ${name}, site ${peer.site}, are revoked since ${new Date(revokedMs).toISOString()}: whatever they signed is refused, whenever it was made. ` +
      'What was applied before stays here: see whether it is wanted. To trust it again, add it with --fingerprint.'
    return { name, site: peer.site, revokedMs, sentence }
  })
}

const SIGNERS_NEEDED_MAX = 16

/** From now on bundles of the peer need the signatures of so many sites that are trusted here, the peer's own among them. */
export function needSigners(
  site: FederationSite,
  name: string,
  count: number,
): Promise<Result<PeerEnd & { readonly signersNeeded: number }, FederationFault>> {
  return refusable(async () => {
    const store = site.store.federation
    const peer = await named(store, name)
    if (!Number.isInteger(count) || count < 1 || count > SIGNERS_NEEDED_MAX)
      throw new Refusal(2, 'bad-number', `A bundle can be asked to have 1 to ${SIGNERS_NEEDED_MAX} signers.`)
    const state = await findPeerState(store, peer.site)
    await putDocuments(store, 'The number of signers could not be noted', [
      peerStateDocument(peer.site, { ...state, signersNeeded: count }),
    ])
    const sentence =
      count === 1
        ? `Bundles of ${name} need no signature but its own.`
        : `Bundles of ${name} are taken only with the signatures of ${count} sites that are trusted here, its own among them.`
    return { name, site: peer.site, signersNeeded: count, sentence }
  })
}

async function named(store: FederationStore, name: string): Promise<Peer> {
  const peer = await findPeer(store, name)
  if (peer === undefined) throw new Refusal(5, 'no-such-peer', `There is no peer ${name} here: "holdfast peer list" shows them.`)
  return peer
}

export const STALE_AFTER_MS = 30 * 24 * 60 * 60 * 1000

/** A peer with what is known of it today. */
export type PeerStatus = PeerView & {
  readonly state: 'trusted' | 'revoked'
  readonly revokedMs: number | null
  readonly signersNeeded: number
  /** When its newest bundle or receipt was made, and when its last bundle was applied here; null before the first. */
  readonly heardMs: number | null
  readonly appliedMs: number | null
  /** Nothing was heard of it for too long: somebody may be keeping its bundles back. */
  readonly stale: boolean
}

/** Each peer: whether it is trusted, and when it was last heard of. */
export async function peerStatuses(site: FederationSite, staleAfterMs = STALE_AFTER_MS): Promise<readonly PeerStatus[]> {
  const statuses: PeerStatus[] = []
  for (const view of await listPeers(site)) {
    const { revokedMs, heardMs, appliedMs, signersNeeded } = await findPeerState(site.store.federation, view.site as SiteId)
    const since = site.clock.nowMs() - Math.max(heardMs, view.addedMs)
    statuses.push({
      ...view,
      ...{
        state: revokedMs === null ? 'trusted' : 'revoked',
        revokedMs,
        signersNeeded,
        heardMs: heardMs || null,
        appliedMs: appliedMs || null,
      },
      stale: revokedMs === null && since > staleAfterMs,
    })
  }
  return statuses
}

const DAY_MS = 24 * 60 * 60 * 1000

/** One sentence for each peer of which nothing was heard for too long. */
export const staleSentences = (statuses: readonly PeerStatus[], nowMs: number): readonly string[] =>
  statuses
    .filter(({ stale }) => stale)
    .map(({ name, heardMs, addedMs }) => {
      const days = Math.floor((nowMs - (heardMs ?? addedMs)) / DAY_MS)
      const what = heardMs === null ? `Nothing has come from ${name} since it was added` : `The newest word from ${name} was made`
      return `${what} ${days} days ago: ask whether bundles of it are under way, or are being kept back.`
    })
