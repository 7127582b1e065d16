/**
 * What is remembered of a site apart from its entry as a peer, also after that is gone: whether its keys were revoked, its newest epoch, and its
 * newest word. So nothing that was refused once comes in again because somebody removed the peer and added it anew.
 */
import type { FederationStore } from '../store/federation-store.ts'
import type { SiteId } from '../store/terms.ts'
import { type DocumentChange, getJson, jsonDocument, listJson } from './documents.ts'
import { Refusal } from './site.ts'

export type PeerState = {
  /** Since when nothing counts that it signed, whenever it signed it; null: it counts. */
  readonly revokedMs: number | null
  /** The newest epoch that was seen when the peer was removed; 0 if it never was. */
  readonly epoch: number
  /** When the newest bundle or receipt of it was made that was taken in here, by its own clock; 0 before the first. */
  readonly heardMs: number
  /** When the last bundle of it was applied here; 0 before the first. */
  readonly appliedMs: number
  /** So many sites that are trusted here must have signed its bundles, itself among them. */
  readonly signersNeeded: number
}

export const NO_STATE: PeerState = { revokedMs: null, epoch: 0, heardMs: 0, appliedMs: 0, signersNeeded: 1 }

const read = (fields: Parameters<Parameters<typeof getJson>[3]>[0]): PeerState => {
  const whole = (name: string) => fields.integer(name, 0, Number.MAX_SAFE_INTEGER)
  return {
    revokedMs: fields.optional('revokedMs', whole) ?? null,
    epoch: whole('epoch'),
    heardMs: whole('heardMs'),
    appliedMs: whole('appliedMs'),
    signersNeeded: whole('signersNeeded'),
  }
}

export const findPeerState = async (store: FederationStore, site: SiteId): Promise<PeerState> =>
  (await getJson(store, 'peer-states', site, read)) ?? NO_STATE

export const peerStateDocument = (site: SiteId, state: PeerState): DocumentChange => jsonDocument('peer-states', site, state)

/** Also of sites that are no peers any more. */
export async function revokedSites(store: FederationStore): Promise<ReadonlySet<SiteId>> {
  const revoked = new Set<SiteId>()
  for await (const { name, value } of listJson(store, 'peer-states', '', read)) if (value.revokedMs !== null) revoked.add(name as SiteId)
  return revoked
}

/** That the peer was heard from. A stamp from the future counts as one of now: else it would hide that nothing comes any more. */
export async function heard(
  store: FederationStore,
  site: SiteId,
  word: { readonly madeMs: number; readonly nowMs: number; readonly applied: boolean },
): Promise<DocumentChange> {
  const before = await findPeerState(store, site)
  return peerStateDocument(site, {
    ...before,
    heardMs: Math.max(before.heardMs, Math.min(word.madeMs, word.nowMs)),
    appliedMs: word.applied ? word.nowMs : before.appliedMs,
  })
}

/** Release of a bundle may need more than its sender's word. */
export function refuseTooFewSigners(peer: { readonly name: string }, { signersNeeded }: PeerState, signers: readonly string[]): void {
  if (signers.length >= signersNeeded) return
  throw new Refusal(
    4,
    'too-few-signers',
    `Bundles of ${peer.name} are taken here only if ${signersNeeded} sites that are trusted here have signed them; ${signers.length} signed this one. Have it approved with "holdfast bundle approve".`,
  )
}

/** Nothing is sent to a site that is not trusted any more, and nothing that it is said to hold counts. */
export async function refuseIfRevoked(store: FederationStore, peer: { readonly name: string; readonly site: SiteId }): Promise<void> {
  const { revokedMs } = await findPeerState(store, peer.site)
  if (revokedMs === null) return
  throw new Refusal(
    4,
    'revoked-signer',
    `The keys of ${peer.name} were revoked here at ${new Date(revokedMs).toISOString()}: nothing is exchanged with it. To trust it again, compare its fingerprint and run "holdfast peer add" with --fingerprint.`,
  )
}
