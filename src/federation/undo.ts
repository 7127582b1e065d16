/**
 * Brings back what a peer removed here, or gives it up before its time. What that is for other sites: new versions made here, in the old places; see "Undo" in
 * docs/architecture.md. Memory: the hidden versions of one key, and of each bucket a line.
 */
import type { Result } from '../result.ts'
import type { FederationStore, HiddenVersion } from '../store/federation-store.ts'
import type { Bucket, BucketId, SiteId } from '../store/terms.ts'
import { findPeer, findPeerBySite, type Peer } from './peers.ts'
import { type FederationFault, type FederationProgress, type FederationSite, Refusal, refusable, storeRefusal } from './site.ts'
import { counted } from './words.ts'

export type UndoInput = {
  /** Its name here, or its site id. */
  readonly peer: string
  /**
   * Only what was removed here at or after this time; and then keys are as they were at that time, unless others wrote to them since. Without it
   * everything comes back in its old place, below whatever was written later, so that nothing current changes but where there was nothing any more.
   */
  readonly sinceMs?: number
  readonly bucket?: string
  readonly prefix?: string
  readonly dryRun: boolean
  /** Give it up instead: the bytes are freed now. */
  readonly forget: boolean
}

export type UndoReport = {
  readonly sentence: string
  readonly peer: string
  readonly dryRun: boolean
  /** Brought back, or given up. */
  readonly versions: number
  readonly bytes: number
  readonly keys: number
  readonly buckets: readonly { readonly name: string; readonly versions: number; readonly bytes: number }[]
  /** The first of them, at most LISTED_MAX. */
  readonly listed: readonly { readonly bucket: string; readonly key: string }[]
  /** Deleted buckets that are back. */
  readonly bucketsBack: readonly string[]
  /** Left hidden: null versions that the peer itself wrote and removed again since that time. */
  readonly passedOver: number
  readonly warnings: readonly string[]
}

type Remover = Pick<Peer, 'name' | 'site'>

const PAGE = 500
const IN_FLIGHT_MAX = 64
const LISTED_MAX = 100

export function undo(site: FederationSite, input: UndoInput, progress: FederationProgress): Promise<Result<UndoReport, FederationFault>> {
  return refusable(async () => {
    const peer = await removerNamed(site.store.federation, input.peer)
    const work = new Undo(site, peer, input)
    await work.begin()
    await work.versions(progress)
    if (!input.forget) await work.lostBuckets()
    return work.report()
  })
}

class Undo {
  readonly #store: FederationStore
  readonly #site: FederationSite
  readonly #peer: Remover
  readonly #input: UndoInput
  readonly #buckets = new Map<BucketId, { readonly bucket: Bucket; readonly isDeleted: boolean; versions: number; bytes: number }>()
  readonly #listed: { readonly bucket: string; readonly key: string }[] = []
  readonly #back = new Set<string>()
  /** Buckets that cannot come back since their name was given to another. */
  readonly #taken = new Set<BucketId>()
  readonly #missed = new Set<BucketId>()
  #lastKey: HiddenVersion | undefined
  #keys = 0
  #passedOver = 0

  constructor(site: FederationSite, peer: Remover, input: UndoInput) {
    this.#site = site
    this.#store = site.store.federation
    this.#peer = peer
    this.#input = input
  }

  async begin(): Promise<void> {
    const { bucket: name } = this.#input
    const living = (await this.#site.store.listBuckets()).map((bucket) => ({ bucket, isDeleted: false }))
    const deleted = (await this.#store.deletedBuckets()).map((bucket) => ({ bucket, isDeleted: true }))
    for (const one of [...living, ...deleted]) {
      if (name !== undefined && one.bucket.name !== name) continue
      this.#buckets.set(one.bucket.id, { ...one, versions: 0, bytes: 0 })
      if (one.isDeleted && living.some(({ bucket }) => bucket.name === one.bucket.name)) this.#taken.add(one.bucket.id)
    }
    if (name !== undefined && this.#buckets.size === 0)
      throw new Refusal(5, 'no-such-bucket', `There is no bucket ${name} here, nor was there one that was deleted.`)
  }

  /** Key by key, what was removed, oldest first. */
  async versions(progress: FederationProgress): Promise<void> {
    const total = (await this.#store.hiddenSums()).find(({ site }) => site === this.#peer.site)?.versions ?? 0
    let done = 0
    let ofKey: HiddenVersion[] = []
    for await (const hidden of this.#chosen()) {
      if (done++ % PAGE === 0) progress({ what: this.#input.forget ? 'Giving up' : 'Bringing back', done, total, unit: 'items' })
      const [first] = ofKey
      const isOther = first !== undefined && (first.bucketId !== hidden.bucketId || first.key !== hidden.key)
      // To give up, a page is as good as a key.
      if (isOther && !this.#input.forget) ofKey = await this.#ofKey(ofKey)
      if (this.#input.forget && ofKey.length === PAGE) ofKey = await this.#forget(ofKey)
      ofKey.push(hidden)
    }
    if (this.#input.forget) await this.#forget(ofKey)
    else await this.#ofKey(ofKey)
  }

  /** Buckets that the peer deleted although there were versions in them. */
  async lostBuckets(): Promise<void> {
    for (const { bucket, deletedBy } of await this.#store.lostBuckets()) {
      if (!this.#buckets.has(bucket.id) || !deletedBy.includes(this.#peer.site) || this.#taken.has(bucket.id)) continue
      const back = this.#input.dryRun ? undefined : await this.#store.returnBucket(bucket.id)
      if (back?.ok === false && back.error !== 'name-taken')
        throw storeRefusal(`Bucket ${bucket.name} could not be brought back`, back.error)
      if (back?.ok === false) this.#taken.add(bucket.id)
      else this.#back.add(bucket.name)
    }
  }

  report(): UndoReport {
    const { dryRun, forget } = this.#input
    const touched = [...this.#buckets.values()].filter(({ versions }) => versions > 0)
    const versions = touched.reduce((sum, one) => sum + one.versions, 0)
    const bytes = touched.reduce((sum, one) => sum + one.bytes, 0)
    const what = `${counted(versions, 'version')} (${bytes} bytes) that ${this.#peer.name} had removed`
    const did = forget ? (dryRun ? 'Would give up' : 'Gave up') : dryRun ? 'Would bring back' : 'Brought back'
    const told = versions === 0 && this.#back.size === 0 ? `There is nothing to ${forget ? 'give up' : 'bring back'}` : `${did} ${what}`
    const back =
      this.#back.size === 0 ? [] : [`${dryRun ? 'Would be back' : 'Back'}, with what was in it: bucket ${[...this.#back].join(', ')}.`]
    const over =
      this.#passedOver === 0
        ? []
        : [
            `${counted(this.#passedOver, 'version')} that it wrote and removed itself since then stayed hidden; a later --since brings them back.`,
          ]
    const warnings = this.#namesTaken().map(
      (name) =>
        `Bucket ${name} was deleted, and another one has its name: what was in it stays hidden. Delete or empty the other one first.`,
    )
    return {
      sentence: [`${told}${dryRun ? '; nothing was changed' : ''}.`, ...back, ...over, ...warnings].join('\n'),
      ...{ peer: this.#peer.name, dryRun, versions, bytes, keys: this.#keys, listed: this.#listed, warnings },
      buckets: touched.map(({ bucket: { name }, versions, bytes }) => ({ name, versions, bytes })),
      ...{ bucketsBack: [...this.#back], passedOver: this.#passedOver },
    }
  }

  /** Of buckets in which something stays hidden for it. */
  #namesTaken(): string[] {
    return this.#input.forget ? [] : [...this.#taken].filter((id) => this.#missed.has(id)).map((id) => this.#buckets.get(id)!.bucket.name)
  }

  async *#chosen(): AsyncGenerator<HiddenVersion> {
    const { sinceMs, prefix } = this.#input
    let after: HiddenVersion | undefined
    for (;;) {
      const page = await this.#store.listHidden(after, PAGE)
      for (const hidden of page) {
        const isTheirs = hidden.removedBy === this.#peer.site && this.#buckets.has(hidden.bucketId)
        const isSince = sinceMs === undefined || hidden.removedMs >= sinceMs
        if (isTheirs && isSince && (prefix === undefined || hidden.key.startsWith(prefix))) yield hidden
      }
      after = page.at(-1)
      if (page.length < PAGE) return
    }
  }

  async #ofKey(hidden: readonly HiddenVersion[]): Promise<HiddenVersion[]> {
    const wanted = this.#input.sinceMs === undefined ? hidden : hidden.filter((each) => !cameAfter(each, hidden))
    this.#passedOver += hidden.length - wanted.length
    const newest = this.#input.sinceMs === undefined ? undefined : wanted.at(-1)
    for (let from = 0; from < wanted.length; from += IN_FLIGHT_MAX) {
      const some = wanted.slice(from, from + IN_FLIGHT_MAX)
      await Promise.all(some.map((each) => this.#bringBack(each, each === newest ? 'on-top' : 'in-old-place')))
    }
    return []
  }

  async #bringBack(hidden: HiddenVersion, place: 'in-old-place' | 'on-top'): Promise<void> {
    const { bucket, isDeleted } = this.#buckets.get(hidden.bucketId)!
    if (!this.#taken.has(bucket.id) && !this.#input.dryRun) {
      const returned = await this.#store.returnVersion(hidden, place)
      if (!returned.ok && returned.error !== 'name-taken')
        throw storeRefusal(`${bucket.name}/${hidden.key} could not be brought back`, returned.error)
      if (!returned.ok) this.#taken.add(bucket.id)
      // Somebody else did.
      else if (!returned.value) return
    }
    if (this.#taken.has(bucket.id)) {
      this.#missed.add(bucket.id)
      return
    }
    if (isDeleted) this.#back.add(bucket.name)
    this.#count(hidden)
  }

  async #forget(hidden: readonly HiddenVersion[]): Promise<HiddenVersion[]> {
    if (hidden.length === 0) return []
    if (!this.#input.dryRun) {
      const dropped = await this.#store.dropHidden(hidden)
      if (!dropped.ok) throw storeRefusal('What was removed could not be given up', dropped.error)
    }
    for (const each of hidden) this.#count(each)
    return []
  }

  #count(hidden: HiddenVersion): void {
    const into = this.#buckets.get(hidden.bucketId)!
    into.versions += 1
    into.bytes += hidden.bytes
    if (this.#lastKey?.bucketId === hidden.bucketId && this.#lastKey.key === hidden.key) return
    this.#lastKey = hidden
    this.#keys += 1
    if (this.#listed.length < LISTED_MAX) this.#listed.push({ bucket: into.bucket.name, key: hidden.key })
  }
}

/** Whether the site that removed one of these wrote this null version then or later: it was not there before. */
const cameAfter = ({ wasNull, position, madeAt }: HiddenVersion, hidden: readonly HiddenVersion[]): boolean =>
  wasNull && hidden.some(({ removedBy, removedAt }) => removedBy === position.site && madeAt >= removedAt)

/** Also one that is no peer any more, by its site id: whoever throws a captured peer out first can still undo what it did. */
async function removerNamed(store: FederationStore, name: string): Promise<Remover> {
  const peer = await findPeer(store, name)
  if (peer !== undefined) return peer
  const site = name.toLowerCase()
  const known = await store.hiddenSums()
  if (known.some((sum) => sum.site === site))
    return { name: site === store.siteId ? 'this site itself' : `site ${site}`, site: site as SiteId }
  const others: string[] = []
  for (const sum of known) if ((await findPeerBySite(store, sum.site)) === undefined) others.push(sum.site)
  const sites =
    others.length === 0 ? '' : ` Sites that removed something and are no peers any more: ${others.join(', ')}; name one of these instead.`
  throw new Refusal(5, 'no-such-peer', `There is no peer ${name} here; "holdfast peer list" names those that are.${sites}`)
}
