/** What is asked of a bundle before anything in it is used: is it known, in time, ours, without gaps, and does its sender know more of us than we do ourselves? */
import type { Fields } from '../bundles/json.ts'
import type { OpenBundle } from '../bundles/read-bundle.ts'
import type { FederationStore } from '../store/federation-store.ts'
import { parseOrigin } from '../store/operation.ts'
import { covers, greatest, inWords, NO_RANGES, type Ranges, subtract } from '../store/ranges.ts'
import type { SiteId } from '../store/terms.ts'
import { type DocumentChange, getJson, jsonDocument, readDocument } from './documents.ts'
import { PAST_EXPIRY_MS } from './holdings.ts'
import type { Peer } from './peers.ts'
import { type FederationSite, Refusal } from './site.ts'
import { parseStatement, type Statement } from './statement.ts'
import { Ahead } from './stopped.ts'
import { parsePosition } from './words.ts'

export type Imported = {
  readonly from: SiteId
  readonly manifest: string
  readonly createdMs: number
  /** When it was applied here. */
  readonly firstMs: number
  /** When it expires; null: never, or that was not noted. */
  readonly expiresMs: number | null
}

export const importedDocument = (bundleId: string, imported: Imported): DocumentChange => jsonDocument('imports', bundleId, imported)

const readImported = (fields: Fields): Imported => ({
  from: fields.hex('from', 16) as SiteId,
  manifest: fields.hex('manifest', 48),
  createdMs: fields.integer('createdMs', 0, Number.MAX_SAFE_INTEGER),
  firstMs: fields.integer('firstMs', 0, Number.MAX_SAFE_INTEGER),
  expiresMs:
    fields.ifThere('expiresMs', () => fields.optional('expiresMs', (name) => fields.integer(name, 0, Number.MAX_SAFE_INTEGER))) ?? null,
})

/** From when on nobody needs to know of an import: the bundle is refused as expired. */
export const importEndMs = (name: string, content: Uint8Array): number =>
  (readDocument('imports', name, content, readImported).expiresMs ?? Number.POSITIVE_INFINITY) + PAST_EXPIRY_MS

/** When and how the bundle was applied before. Refuses another bundle of the same id. */
export async function findImported(store: FederationStore, bundle: OpenBundle): Promise<Imported | undefined> {
  const before = await getJson(store, 'imports', bundle.bundleId, readImported)
  if (before !== undefined && before.manifest !== bundle.manifestDigest)
    throw new Refusal(
      5,
      'other-content',
      `A bundle with the same id (${bundle.bundleId}) but other content was applied here at ${new Date(before.firstMs).toISOString()}: ` +
        'its sender was restored from a copy or cloned, or this is a forgery. Ask for a new export.',
    )
  return before
}

/** The statement, if it is for this site and of an epoch that still counts. */
export function checkStatement(site: FederationSite, peer: Peer, bundle: OpenBundle): Statement {
  const statement = parseStatement(bundle.statement)
  const origin = statement && parseOrigin(statement.origin)
  if (statement === undefined || origin?.site !== bundle.sender.siteId || origin.epoch !== bundle.senderEpoch)
    throw new Refusal(5, 'malformed', 'The statement of this bundle is signed but malformed: its sender must make it anew.')
  if (statement.to !== site.identity.publicIdentity.siteId)
    throw new Refusal(
      5,
      'retargeted',
      `The changes in this bundle were collected for site ${statement.to}, not for this one: ask for an export of its own.`,
    )
  if (origin.epoch < peer.epoch)
    throw new Refusal(
      5,
      'earlier-epoch',
      `This bundle is of epoch ${origin.epoch} of ${peer.name}, which has begun epoch ${peer.epoch} since: ask for a new export. ` +
        'If it was made just now, that site was restored from an older copy or this is a clone of it: a new epoch has to be begun there first.',
    )
  checkEpoch(peer, origin.epoch)
  checkReturns(site, peer, statement)
  return statement
}

/** An epoch is begun by hand, after a restore: one far beyond the last is a fault or an attack, after which all that is true would count as old. */
export function checkEpoch(peer: Peer, epoch: number): void {
  if (epoch <= peer.epoch + EPOCHS_AHEAD_MAX) return
  throw new Refusal(
    5,
    'fast-forward',
    `This is of epoch ${epoch} of ${peer.name}, of which epoch ${peer.epoch} was the last one seen here: no site restores itself so often. If its keys may be in other hands, run "holdfast peer revoke".`,
  )
}

const EPOCHS_AHEAD_MAX = 1_000

/** Only operations of this site's own earlier epochs come back to it. */
function checkReturns(site: FederationSite, peer: Peer, { returns, clock }: Statement): void {
  const store = site.store.federation
  for (const { origin, name } of returns) {
    const own = parseOrigin(origin)!
    if (own.site !== store.siteId)
      throw new Refusal(
        5,
        'malformed',
        `This bundle gives back changes of bucket ${name} that are of another site than this one: its sender must make it anew.`,
      )
    if (own.epoch >= store.epoch)
      throw new Ahead({
        ...{ peer: peer.name, seenEpoch: own.epoch + 1, clock },
        reason: `${peer.name} knows a later epoch of this site than ${store.epoch}: it was restored from a copy from before that, or is a clone.`,
      })
  }
}

/** A peer that holds operations of ours which we never made shows that this site was restored from an older copy, or cloned. */
export async function checkNotAhead(site: FederationSite, peer: Peer, statement: Statement): Promise<void> {
  const store = site.store.federation
  for (const { bucket, origin, ranges } of statement.holds) {
    const theirs = parseOrigin(origin)
    if (theirs?.site !== store.siteId || theirs.epoch < store.epoch) continue
    const position = parsePosition(bucket)!
    const here = await store.findBucketByOrigin(position)
    // A bucket of theirs that ours were merged into there, and that was not merged here yet.
    if (here === undefined && position.site !== store.siteId) continue
    const made = theirs.epoch > store.epoch || here === undefined ? 0 : await store.lastOperation(here.id)
    if (greatest(ranges) > made)
      throw ahead(peer.name, here?.name ?? bucket, greatest(ranges), made, { seenEpoch: theirs.epoch, clock: statement.clock })
  }
}

/** `seen`: what the peer says of this site besides. */
export const ahead = (
  peer: string,
  bucket: string,
  number: number,
  made: number,
  seen: { readonly seenEpoch: number; readonly clock: number },
): Ahead =>
  new Ahead({
    ...seen,
    peer,
    reason: `${peer} knows change ${number} of bucket ${bucket} made here, but this site has made only ${made}: it was restored from an older copy, or there is a clone of it.`,
  })

/** What the bundle builds on must be here. */
export async function checkNoGap(site: FederationSite, bundle: OpenBundle, statement: Statement): Promise<void> {
  const store = site.store.federation
  const gaps: string[] = []
  for (const { bucket, name, needs } of statement.buckets) {
    const here = await store.findBucketByOrigin(parsePosition(bucket)!)
    const held: Ranges = here === undefined ? NO_RANGES : ((await store.held(here.id))[statement.origin] ?? NO_RANGES)
    if (!covers(held, needs)) gaps.push(`changes ${inWords(subtract(needs, held))} of bucket ${name}`)
  }
  if (gaps.length === 0) return
  const shown = gaps.slice(0, 5).join('; ') + (gaps.length > 5 ? `; and of ${gaps.length - 5} more buckets` : '')
  const missing = await missingBundles(store, bundle)
  const which = missing.length === 0 ? '' : ` Bundles acknowledged but not applied here: ${missing.slice(0, 10).join(', ')}.`
  throw new Refusal(
    6,
    'gap',
    `There is a gap before this bundle: it builds on ${shown}, which are missing here.${which} Import what is missing first, or ask for an export with --full.`,
    { missingBundles: missing },
  )
}

async function missingBundles(store: FederationStore, bundle: OpenBundle): Promise<string[]> {
  const { needs } = bundle
  const listed = typeof needs === 'object' && needs !== null && !Array.isArray(needs) ? (needs as { bundles?: unknown }).bundles : undefined
  const missing: string[] = []
  if (!Array.isArray(listed)) return missing
  for (const id of (listed as unknown[]).slice(0, 100))
    if (typeof id === 'string' && /^[0-9a-f]{32}$/.test(id) && (await store.getDocument('imports', id)) === undefined) missing.push(id)
  return missing
}
