/**
 * What a peer may do here: which buckets its changes may touch, which kinds of change, and for how long what it removes can be brought back. A
 * document of its own beside the peer's, so that it stays when the peer is added again. Format: docs/formats.md#bundle, "Operations".
 */
import type { Result } from '../result.ts'
import type { FederationStore } from '../store/federation-store.ts'
import type { SiteId } from '../store/terms.ts'
import { getJson, jsonDocument, putDocuments } from './documents.ts'
import { findPeer, type Peer } from './peers.ts'
import { type FederationFault, type FederationSite, Refusal, refusable } from './site.ts'
import { counted } from './words.ts'

/** Kinds of change that a peer may be forbidden. That a bucket was made is always taken. */
export const CHANGE_KINDS = ['versions', 'markers', 'configuration', 'deletes'] as const
export type ChangeKind = (typeof CHANGE_KINDS)[number]

export type PeerRules = {
  readonly denied: readonly ChangeKind[]
  /** Names of buckets here. Null: those that it made or was sent. */
  readonly buckets: readonly string[] | null
  /** 0: what it removes is gone at once. */
  readonly undoDays: number
}

export const UNDO_DAYS = 30
const UNDO_DAYS_MAX = 3650
const BUCKETS_MAX = 1000
const DEFAULT_RULES: PeerRules = { denied: [], buckets: null, undoDays: UNDO_DAYS }
const DAY_MS = 24 * 60 * 60 * 1000

/** What the peer may do here: the default where nothing was said. */
export async function rulesOf(store: FederationStore, { site }: Pick<Peer, 'site'>): Promise<PeerRules> {
  const rules = await getJson(store, 'peer-rules', site, (fields): PeerRules => {
    const isRestricted = fields.integer('restricted', 0, 1) === 1
    const buckets = fields.list('buckets', 0, BUCKETS_MAX, (bucket) => bucket.text('name', 63))
    return {
      denied: fields.list('denied', 0, CHANGE_KINDS.length, (kind) => kindField(kind.text('kind', 16)) ?? kind.malformed()),
      buckets: isRestricted ? buckets : null,
      undoDays: fields.integer('undoDays', 0, UNDO_DAYS_MAX),
    }
  })
  return rules ?? DEFAULT_RULES
}

/** For how long what the peer removes can be brought back. */
export const keepRemovedMs = ({ undoDays }: PeerRules): number => undoDays * DAY_MS

const kindField = (text: string): ChangeKind | undefined => CHANGE_KINDS.find((kind) => kind === text)

export type SetPeerInput = {
  readonly peer: string
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** Null: back to those that it made or was sent. */
  readonly buckets?: readonly string[] | null
  readonly undoDays?: number
}
export type SetPeerReport = PeerRules & { readonly peer: string; readonly sentence: string }

/** Changes what is given and leaves the rest. */
export function setPeer(site: FederationSite, input: SetPeerInput): Promise<Result<SetPeerReport, FederationFault>> {
  return refusable(async () => {
    const store = site.store.federation
    const peer = await peerNamed(store, input.peer)
    const before = await rulesOf(store, peer)
    const [allow, deny] = [kinds(input.allow ?? []), kinds(input.deny ?? [])]
    const both = allow.find((kind) => deny.includes(kind))
    if (both !== undefined) throw new Refusal(2, 'both', `--allow and --deny both name ${both}: say one of them.`)
    const denied = CHANGE_KINDS.filter((kind) => deny.includes(kind) || (before.denied.includes(kind) && !allow.includes(kind)))
    const rules: PeerRules = { denied, buckets: bucketsGiven(input, before), undoDays: daysGiven(input, before) }
    const document = {
      denied: denied.map((kind) => ({ kind })),
      restricted: rules.buckets === null ? 0 : 1,
      buckets: (rules.buckets ?? []).map((name) => ({ name })),
      undoDays: rules.undoDays,
    }
    await putDocuments(store, `What ${peer.name} may do could not be noted`, [jsonDocument('peer-rules', peer.site, document)])
    return { ...rules, peer: peer.name, sentence: `${peer.name} ${rulesText(rules)}.` }
  })
}

/** Throws Refusal if there is no such peer. */
export async function peerNamed(store: FederationStore, name: string): Promise<Peer> {
  const peer = await findPeer(store, name)
  if (peer === undefined) throw new Refusal(5, 'no-such-peer', `There is no peer ${name} here; "holdfast peer list" names those that are.`)
  return peer
}

function kinds(given: readonly string[]): ChangeKind[] {
  return given.map((text) => {
    const kind = kindField(text)
    if (kind === undefined) throw new Refusal(2, 'bad-kind', `"${text}" is no kind of change: there are ${CHANGE_KINDS.join(', ')}.`)
    return kind
  })
}

function bucketsGiven({ buckets }: SetPeerInput, before: PeerRules): readonly string[] | null {
  if (buckets === undefined) return before.buckets
  if (buckets === null) return null
  if (buckets.length > BUCKETS_MAX) throw new Refusal(2, 'too-many', `At most ${BUCKETS_MAX} buckets can be named.`)
  const bad = buckets.find((name) => name === '' || name.length > 63)
  if (bad !== undefined) throw new Refusal(2, 'bad-name', `"${bad}" is no bucket name.`)
  return [...new Set(buckets)].sort()
}

function daysGiven({ undoDays }: SetPeerInput, before: PeerRules): number {
  if (undoDays === undefined) return before.undoDays
  if (!Number.isInteger(undoDays) || undoDays < 0 || undoDays > UNDO_DAYS_MAX)
    throw new Refusal(2, 'bad-days', `--undo-days is a whole number of days from 0 (gone at once) to ${UNDO_DAYS_MAX}.`)
  return undoDays
}

export type PeerRulesView = {
  readonly rules: PeerRules
  /** The rules in words, behind the name. */
  readonly may: string
  /** What it removed that can still be brought back. */
  readonly hidden: { readonly versions: number; readonly bytes: number }
}

/** Each with what it may do here, and what it removed that can be brought back. */
export async function withRules<T extends { readonly site: string }>(
  site: FederationSite,
  peers: readonly T[],
): Promise<(T & PeerRulesView)[]> {
  const store = site.store.federation
  const sums = await store.hiddenSums()
  const views: (T & PeerRulesView)[] = []
  for (const peer of peers) {
    const rules = await rulesOf(store, { site: peer.site as SiteId })
    const { versions = 0, bytes = 0 } = sums.find((sum) => sum.site === peer.site) ?? {}
    views.push({ ...peer, rules, may: rulesText(rules), hidden: { versions, bytes } })
  }
  return views
}

export type FormerRemover = PeerRulesView['hidden'] & { readonly site: string; readonly isThisSite?: true }

/** Sites that are no peers any more and removed what can still be brought back; and this site itself, by what it had lost and got back. */
export async function formerRemovers(site: FederationSite, peers: readonly { readonly site: string }[]): Promise<readonly FormerRemover[]> {
  const { siteId } = site.store.federation
  const sums = await site.store.federation.hiddenSums()
  return sums
    .filter((sum) => !peers.some((peer) => peer.site === sum.site))
    .map((sum) => (sum.site === siteId ? { ...sum, isThisSite: true as const } : sum))
}

/** For people, behind the peer's name: "may change … here". */
export function rulesText({ denied, buckets, undoDays }: PeerRules): string {
  const allowed = CHANGE_KINDS.filter((kind) => !denied.includes(kind))
  const may = allowed.length === 0 ? 'may change nothing' : `may bring ${allowed.join(', ')}`
  const not = denied.length === 0 || allowed.length === 0 ? '' : `, not ${denied.join(', ')},`
  const where = buckets === null ? 'buckets that it made or was sent' : buckets.length === 0 ? 'no bucket' : buckets.join(', ')
  const undo = undoDays === 0 ? 'what it removes is gone at once' : `what it removes can be brought back for ${counted(undoDays, 'day')}`
  return `${may}${not} in ${where}; ${undo}`
}
