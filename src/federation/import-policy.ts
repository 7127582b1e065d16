/** Where the buckets of a bundle go. Same-named buckets that were made apart are never mixed unless somebody says so. */
import type { FederationStore } from '../store/federation-store.ts'
import { parseOrigin } from '../store/operation.ts'
import type { Bucket, BucketName, SiteId } from '../store/terms.ts'
import { wasExported } from './holdings.ts'
import { type PeerRules, rulesOf } from './peer-rules.ts'
import type { Peer } from './peers.ts'
import { type FederationSite, Refusal } from './site.ts'
import { type StatedBucket, type Statement, sectionsOf } from './statement.ts'
import { parsePosition } from './words.ts'

export type BucketChoices = {
  /** Remote name → local name. */
  readonly map: Readonly<Record<string, string>>
  /** Buckets of the same name here that they may be merged with. */
  readonly merge: readonly string[]
}

export type Destination =
  /** It has been here before. */
  | { readonly kind: 'known'; readonly bucket: Bucket }
  /** It was deleted here, and would come back under this name. */
  | { readonly kind: 'renamed'; readonly bucket: Bucket; readonly name: BucketName }
  | { readonly kind: 'made'; readonly name: BucketName }
  | { readonly kind: 'merged'; readonly into: Bucket }

export type Destinations = ReadonlyMap<StatedBucket, Destination>

// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
const BUCKET_NAME = /^(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** Decides for every bucket; changes nothing. Throws Refusal. */
export async function decideDestinations(
  site: FederationSite,
  peer: Peer,
  statement: Statement,
  choices: BucketChoices,
): Promise<Destinations> {
  checkChoices(statement, choices)
  const { buckets: allowed } = await rulesOf(site.store.federation, peer)
  const destinations = new Map<StatedBucket, Destination>()
  const taken = new Map<string, StatedBucket>()
  for (const stated of sectionsOf(statement)) {
    // What comes back goes where the other changes of its bucket go.
    const before = stated.origin === undefined ? undefined : [...destinations].find(([{ bucket }]) => bucket === stated.bucket)
    const destination = before?.[1] ?? (await decide(site, peer, statement, stated, choices, allowed))
    const name = nameOf(destination)
    // What comes back is no change of the peer's: this site made and signed it.
    if (stated.origin === undefined) checkAllowed(peer, allowed, stated, stated.deleted && destination.kind === 'made' ? stated.name : name)
    const other = stated.deleted ? undefined : taken.get(name)
    if (other !== undefined && before === undefined && destination.kind !== 'known')
      throw new Refusal(
        5,
        'two-into-one',
        `Two buckets of this bundle, ${other.name} and ${stated.name}, would go into bucket ${name}: choose another with --map.`,
      )
    if (!stated.deleted) taken.set(name, stated)
    destinations.set(stated, destination)
  }
  return destinations
}

export const nameOf = (destination: Destination): string =>
  'name' in destination ? destination.name : destination.kind === 'known' ? destination.bucket.name : destination.into.name

function checkAllowed(peer: Peer, allowed: PeerRules['buckets'], stated: StatedBucket, name: string): void {
  if (allowed === null || allowed.includes(name)) return
  throw new Refusal(
    5,
    'not-allowed',
    `${peer.name} sends changes of bucket ${stated.name}${name === stated.name ? '' : ` (${name} here)`}, and may change only ${allowed.join(', ') || 'no bucket'} here. ` +
      `Nothing was changed. If it is wanted: holdfast peer set SITE ${peer.name} --bucket …, with all that it may change; then import again.`,
    { denied: [{ bucket: name }] },
  )
}

/** A choice about a bucket that is not there is a slip of the pen. */
function checkChoices(statement: Statement, { map, merge }: BucketChoices): void {
  const buckets = sectionsOf(statement)
  for (const name of [...Object.keys(map), ...merge])
    if (!buckets.some((bucket) => bucket.name === name))
      throw new Refusal(
        5,
        'no-such-bucket',
        `There is no bucket ${name} in this bundle; it holds changes of ${buckets.map((one) => one.name).join(', ') || 'no bucket'}.`,
      )
}

async function decide(
  site: FederationSite,
  peer: Peer,
  statement: Statement,
  stated: StatedBucket,
  { map, merge }: BucketChoices,
  allowed: PeerRules['buckets'],
): Promise<Destination> {
  const store = site.store.federation
  const mapped = Object.hasOwn(map, stated.name) ? map[stated.name] : undefined
  const position = parsePosition(stated.bucket)!
  const known = await store.findBucketByOrigin(position)
  const chosen = mapped !== undefined || merge.includes(stated.name)
  const returns = position.site === store.siteId && statement.returns.some(({ bucket }) => bucket === stated.bucket)
  // Where an operator listed the buckets, the list says it all.
  const isListed = known !== undefined && allowed?.includes(known.name) === true
  const isExpected = returns || isListed
  if (position.site !== peer.site && !isExpected && !(known !== undefined && (chosen || (await wasExported(store, peer, stated.bucket)))))
    throw new Refusal(
      5,
      'not-theirs',
      `${peer.name} sends changes of bucket ${stated.name}, which it neither made nor was sent from here. If they are wanted, say --merge ${stated.name}.`,
    )
  if (known !== undefined) {
    if (mapped === undefined || mapped === known.name || (await hasNewNamesake(store, statement, stated)))
      return { kind: 'known', bucket: known }
    if ((await store.deletedBuckets()).some(({ id }) => id === known.id)) return comingBack(site, stated, known, mapped)
    throw new Refusal(
      5,
      'mapped-before',
      `Bucket ${stated.name} of ${peer.name} goes into bucket ${known.name} here already: it cannot be mapped to ${mapped} any more.`,
    )
  }
  return decideNew(site, peer, statement, stated, { name: mapped ?? stated.name, chosen })
}

/** Of a bucket that is not known here. `chosen`: an operator said where it goes. */
async function decideNew(
  site: FederationSite,
  peer: Peer,
  statement: Statement,
  stated: StatedBucket,
  { name: wanted, chosen }: { readonly name: string; readonly chosen: boolean },
): Promise<Destination> {
  const store = site.store.federation
  const name = parseName(stated, wanted)
  const there = await site.store.findBucket(name)
  if (there === undefined || (await leaves(store, there, statement))) {
    if (statement.holds.some(({ bucket, origin }) => bucket === stated.bucket && origin === store.origin)) throw mergedThere(peer, stated)
    return { kind: 'made', name }
  }
  if (stated.deleted) return { kind: 'made', name: passingName(stated) }
  if (!chosen)
    throw new Refusal(
      5,
      'made-apart',
      `There is a bucket ${name} here that was not made by ${peer.name}: say --merge ${stated.name} to let both become one, or --map ${stated.name}=OTHER to keep them apart.`,
    )
  if (await takesFrom(store, there, peer.site))
    throw new Refusal(
      5,
      'taken',
      `Bucket ${name} here takes the changes of another bucket of ${peer.name} already: choose another one with --map ${stated.name}=OTHER.`,
    )
  return { kind: 'merged', into: there }
}

function parseName(stated: StatedBucket, name: string): BucketName {
  if (BUCKET_NAME.test(name)) return name as BucketName
  throw new Refusal(5, 'bad-name', `"${name}" is no bucket name: choose one with --map ${stated.name}=NAME.`)
}

/** Whether another bucket of this name comes, which is not here yet: the choice of a name is for that one. It was made at the peer after the other one was deleted there. */
async function hasNewNamesake(store: FederationStore, statement: Statement, { name, bucket }: StatedBucket): Promise<boolean> {
  for (const other of sectionsOf(statement))
    if (other.name === name && other.bucket !== bucket && (await store.findBucketByOrigin(parsePosition(other.bucket)!)) === undefined)
      return true
  return false
}

/** Its old name may be another one's by now: deleted and made again here, while the peer went on writing to the first. */
async function comingBack(site: FederationSite, stated: StatedBucket, bucket: Bucket, mapped: string): Promise<Destination> {
  const name = parseName(stated, mapped)
  if ((await site.store.findBucket(name)) === undefined) return { kind: 'renamed', bucket, name }
  throw new Refusal(5, 'made-apart', `There is a bucket ${name} here already: choose another name with --map ${stated.name}=OTHER.`)
}

/** What the peer made one bucket of cannot be two here: its later changes build on ours. */
export const mergedThere = (peer: Peer, stated: StatedBucket): Refusal =>
  new Refusal(
    5,
    'merged-there',
    `${peer.name} has merged its bucket ${stated.name} with one of this site: say --merge ${stated.name} (or --map ${stated.name}=NAME) so that it goes into that one here too.`,
  )

/** Whether the bundle itself deletes the bucket, before any other needs its name. */
async function leaves(store: FederationStore, bucket: Bucket, { buckets }: Statement): Promise<boolean> {
  for (const { bucket: origin, deleted } of buckets) {
    if (deleted && (await store.findBucketByOrigin(parsePosition(origin)!))?.id === bucket.id) return true
  }
  return false
}

/** Operations are numbered per origin and bucket: two buckets of one site in one would have the same numbers. */
async function takesFrom(store: FederationStore, bucket: Bucket, site: SiteId): Promise<boolean> {
  if (bucket.origin.site === site) return true
  return Object.keys(await store.held(bucket.id)).some((origin) => parseOrigin(origin)?.site === site)
}

/** A bucket that was deleted at its origin before this site ever heard of it, while another one has its name here: it comes under this name and goes again. */
const passingName = ({ bucket }: StatedBucket): BucketName => {
  const { clock, sequence } = parsePosition(bucket)!
  return `deleted-${clock.toString(36)}-${sequence.toString(36)}` as BucketName
}
