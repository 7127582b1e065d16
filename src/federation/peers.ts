/**
 * The sites that this one trusts: each with a name of this site's choosing, its identity, and whether somebody compared the fingerprint. Kept as documents, so that they
 * live with the data and not beside it.
 */
import { documentBytesMax } from '../bundles/document.ts'
import {
  isNewerIdentity,
  type PublicIdentity,
  parseIdentityDocument,
  parsePublicIdentityText,
  sameFingerprint,
} from '../bundles/identity.ts'
import type { Fields } from '../bundles/json.ts'
import type { Trust } from '../bundles/signature.ts'
import type { Result } from '../result.ts'
import type { FederationStore } from '../store/federation-store.ts'
import type { SiteId } from '../store/terms.ts'
import { type DocumentChange, getJson, jsonDocument, listJson, putDocuments, readDocument } from './documents.ts'
import { findPeerState, peerStateDocument, revokedSites } from './peer-state.ts'
import { type FederationFault, type FederationSite, opened, Refusal, refusable } from './site.ts'

export type Peer = {
  readonly name: string
  readonly site: SiteId
  readonly identity: PublicIdentity
  /** Whether its fingerprint was compared with what somebody there said. */
  readonly compared: boolean
  readonly addedMs: number
  /** The newest epoch seen in something it signed; 0 before the first. */
  readonly epoch: number
  /** Bundles that it acknowledged, the newest last. */
  readonly bundles: readonly string[]
  /** The document as it is stored. */
  readonly content: Uint8Array
}

export type PeerView = {
  readonly name: string
  readonly site: string
  readonly fingerprint: string
  readonly compared: boolean
  readonly addedMs: number
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const BUNDLES_MAX = 200

function readPeer(name: string, content: Uint8Array): Peer {
  const read = (fields: Fields) => ({
    site: fields.hex('site', 16) as SiteId,
    document: fields.base64('identity', 1, documentBytesMax('identity')),
    compared: fields.integer('compared', 0, 1) === 1,
    addedMs: fields.integer('addedMs', 0, Number.MAX_SAFE_INTEGER),
    epoch: fields.integer('epoch', 0, Number.MAX_SAFE_INTEGER),
    bundles: fields.list('bundles', 0, BUNDLES_MAX, (bundle) => bundle.hex('id', 16)),
  })
  const { document, ...peer } = readDocument('peers', name, content, read)
  return { name, ...peer, identity: opened(parseIdentityDocument(document)), content }
}

/** The peer as a document; nobody else may have changed it meanwhile. */
export function peerDocument(peer: Peer): DocumentChange {
  const { name, site, identity, compared, addedMs, epoch, bundles } = peer
  const value = {
    site,
    identity: Buffer.from(identity.document).toString('base64'),
    compared: compared ? 1 : 0,
    addedMs,
    epoch,
    bundles: bundles.slice(-BUNDLES_MAX).map((id) => ({ id })),
  }
  return { ...jsonDocument('peers', name, value), expect: peer.content }
}

/** By its name here. */
export async function findPeer(store: FederationStore, name: string): Promise<Peer | undefined> {
  const content = await store.getDocument('peers', name)
  return content && readPeer(name, content)
}

export async function findPeerBySite(store: FederationStore, site: SiteId): Promise<Peer | undefined> {
  const name = await getJson(store, 'peer-sites', site, (fields) => fields.text('name', 63))
  return name === undefined ? undefined : findPeer(store, name)
}

async function allPeers(store: FederationStore): Promise<Peer[]> {
  const names: string[] = []
  for await (const { value } of listJson(store, 'peer-sites', '', (fields) => fields.text('name', 63))) names.push(value)
  const peers: Peer[] = []
  for (const name of names.sort()) {
    const peer = await findPeer(store, name)
    if (peer !== undefined) peers.push(peer)
  }
  return peers
}

/** Whom this site believes: its peers and itself. */
export async function trustOf(site: FederationSite): Promise<Trust> {
  const own = site.identity.publicIdentity
  const known = new Map<SiteId, PublicIdentity>([[own.siteId, own]])
  for (const peer of await allPeers(site.store.federation)) known.set(peer.site, peer.identity)
  const revoked = await revokedSites(site.store.federation)
  return (id) => (revoked.has(id) ? 'revoked' : known.get(id))
}

const viewOf = ({ name, site, identity, compared, addedMs }: Peer): PeerView => ({
  ...{ name, site, fingerprint: identity.fingerprint, compared, addedMs },
})

export async function listPeers(site: FederationSite): Promise<readonly PeerView[]> {
  return (await allPeers(site.store.federation)).map(viewOf)
}

/** Said at every export and import until the fingerprint was compared. */
export const neverCompared = (peer: Peer): readonly string[] =>
  peer.compared
    ? []
    : [
        `The fingerprint of ${peer.name} was never compared: ask somebody there to read it to you, and run "holdfast peer add" again with --fingerprint.`,
      ]

export type AddPeerInput = { readonly identityText: string; readonly name: string; readonly fingerprint?: string }
export type AddPeerReport = PeerView & { readonly sentence: string }

/** Trusts a site by its identity; again for one known already: notes its newer identity, and that the fingerprint was compared. */
export function addPeer(site: FederationSite, input: AddPeerInput): Promise<Result<AddPeerReport, FederationFault>> {
  return refusable(async () => {
    const { name, fingerprint } = input
    const store = site.store.federation
    if (!NAME.test(name)) throw new Refusal(2, 'bad-name', 'A peer is named by 1 to 63 letters, digits, dots, dashes and underscores.')
    const identity = opened(parsePublicIdentityText(input.identityText))
    if (identity.siteId === site.identity.publicIdentity.siteId)
      throw new Refusal(5, 'own-identity', 'This is the identity of this site itself: a peer is another site.')
    if (fingerprint !== undefined && !sameFingerprint(identity, fingerprint))
      throw new Refusal(
        5,
        'other-fingerprint',
        `The identity in this file has the fingerprint ${identity.fingerprint}, not the one given: it may be forged. Ask for the file again.`,
      )
    const before = await known(store, identity, name)
    const newest = before !== undefined && isNewerIdentity(before.identity, identity) ? before.identity : identity
    const compared = fingerprint !== undefined || (before?.compared ?? false)
    const state = await findPeerState(store, identity.siteId)
    if (state.revokedMs !== null && fingerprint === undefined)
      throw new Refusal(
        5,
        'revoked',
        `The keys of site ${identity.siteId} were revoked here at ${new Date(state.revokedMs).toISOString()}. If they are to be trusted again, have its fingerprint read to you and give it with --fingerprint.`,
      )
    const fresh = { addedMs: site.clock.nowMs(), epoch: state.epoch, bundles: [], content: new Uint8Array(0) }
    const peer: Peer = { ...(before ?? fresh), name, site: identity.siteId, identity: newest, compared }
    const expect = before?.content ?? null
    await putDocuments(store, `The peer ${name} could not be noted`, [
      { ...peerDocument(peer), expect },
      { ...jsonDocument('peer-sites', peer.site, { name }), ...(before === undefined ? { expect: null } : {}) },
      ...(state.revokedMs === null ? [] : [peerStateDocument(peer.site, { ...state, revokedMs: null })]),
    ])
    const how = compared ? 'its fingerprint was compared' : `its fingerprint was never compared; it is ${newest.fingerprint}`
    return { ...viewOf(peer), sentence: `${before === undefined ? 'Added' : 'Updated'} peer ${name}, site ${peer.site}: ${how}.` }
  })
}

/** The peer of this name and identity, if there is one. Refuses a name or a site that is taken. */
async function known(store: FederationStore, identity: PublicIdentity, name: string): Promise<Peer | undefined> {
  const bySite = await findPeerBySite(store, identity.siteId)
  if (bySite !== undefined && bySite.name !== name)
    throw new Refusal(5, 'known-otherwise', `Site ${identity.siteId} is known here already, as peer ${bySite.name}.`)
  const byName = await findPeer(store, name)
  if (byName !== undefined && byName.site !== identity.siteId)
    throw new Refusal(5, 'name-taken', `Peer ${name} is another site (${byName.site}): choose another name.`)
  return byName
}

/** The peer with what it signed taken into account: its newest epoch, and its newer identity if it sent one along. */
export function peerSeen(peer: Peer, epoch: number, identity: PublicIdentity | undefined): Peer {
  const newer = identity !== undefined && identity.siteId === peer.site && isNewerIdentity(identity, peer.identity)
  return { ...peer, epoch: Math.max(peer.epoch, epoch), ...(newer ? { identity } : {}) }
}
