/** Compares a whole store with the model: every version of every key, in order, with every byte; and the listings. */
import type { Store } from '../../src/store/store.ts'
import type { Bucket, ObjectVersion } from '../../src/store/terms.ts'
import { readAll } from './store-clients.ts'
import {
  BUCKETS,
  contentOf,
  current,
  describeState,
  type Fact,
  type KeyState,
  type ModelBucket,
  type ModelKey,
  matches,
  md5,
  placeOf,
  type StoreModel,
} from './store-model.ts'

/**
 * Throws at the first difference. Where the model leaves two possibilities, what is found decides, and is noted; `doubts: 'kept'`: it is not,
 * for looks at a copy. `mayLack`: contents may be unavailable for want of disks, but never other than they were; answers how many are.
 */
export async function checkStore(
  store: Store,
  model: StoreModel,
  buckets: ReadonlyMap<ModelBucket, Bucket>,
  options: CheckOptions,
): Promise<number> {
  const lease = store.lease()
  try {
    return await check(store, model, buckets, options)
  } finally {
    lease.release()
  }
}

async function check(store: Store, model: StoreModel, buckets: ReadonlyMap<ModelBucket, Bucket>, options: CheckOptions): Promise<number> {
  let lacking = 0
  const names = (await store.listBuckets()).map((bucket) => bucket.name as string)
  if (names.join() !== [...BUCKETS].sort().join()) throw new Error(`${options.label}: the buckets are ${names.join()}`)
  for (const name of BUCKETS) {
    const bucket = buckets.get(name)!
    const versioning = (await store.findBucket(bucket.name))?.versioning
    if (versioning !== model.versioning[name]) throw new Error(`${options.label}: ${name} is ${versioning}, not ${model.versioning[name]}`)
    const { shown, unavailable } = await showBucket(store, bucket, options)
    lacking += unavailable
    const live: string[] = []
    for (const key of model.of(name)) {
      const found = shown.get(key.key) ?? []
      shown.delete(key.key)
      const agreed = agree(key, found, options.label)
      if (options.doubts === 'resolved') {
        key.state = agreed
        key.doubt = undefined
      }
      if (current(agreed)?.kind === 'object') live.push(key.key)
    }
    if (shown.size > 0) throw new Error(`${options.label}: ${name} has unknown keys ${[...shown.keys()].join()}`)
    await checkListing(store, bucket, live, options.label)
  }
  await checkHidden(store, model, options.label)
  return lacking
}

/** Everything that a peer removed is hidden, and nothing else. */
async function checkHidden(store: Store, model: StoreModel, label: string): Promise<void> {
  const hidden = new Set((await store.federation.listHidden(undefined, 10_000)).map(({ position }) => placeOf(position)))
  const lost = [...model.hidden].find((place) => !hidden.has(place))
  if (lost !== undefined) throw new Error(`${label}: what a peer removed at ${lost} is not to be brought back`)
  const unknown = [...hidden].find((place) => !model.removed.has(place))
  if (unknown !== undefined) throw new Error(`${label}: ${unknown} is hidden, and nobody removed it`)
  const sum = (await store.federation.hiddenSums()).reduce((versions, one) => versions + one.versions, 0)
  if (sum !== hidden.size) throw new Error(`${label}: ${hidden.size} versions are hidden, and ${sum} are counted`)
}

export type CheckOptions = { readonly label: string; readonly doubts: 'resolved' | 'kept'; readonly mayLack?: boolean }

/** The state that both can agree on, every version with its id. */
function agree(key: ModelKey, found: KeyState, label: string): KeyState {
  const fits = [key.state, key.doubt].find((state) => state !== undefined && matches(state, found))
  if (fits !== undefined) return fits.map((fact, i) => ({ ...fact, versionId: found[i]!.versionId }))
  const possible = key.doubt === undefined ? '' : ` or ${describeState(key.doubt)}`
  throw new Error(`${label}: ${key.bucket}/${key.key} should be ${describeState(key.state)}${possible}; it is ${describeState(found)}`)
}

async function showBucket(
  store: Store,
  bucket: Bucket,
  { label, mayLack = false }: CheckOptions,
): Promise<{ shown: Map<string, KeyState>; unavailable: number }> {
  const shown = new Map<string, Fact[]>()
  let unavailable = 0
  const page = await store.listVersions({ bucketId: bucket.id, prefix: '', delimiter: '', after: '', max: 1000 })
  if (page.truncated) throw new Error('more versions than one page holds')
  for (const entry of page.entries) {
    const facts = shown.get(entry.key) ?? []
    if (entry.isLatest !== (facts.length === 0)) throw new Error(`${label}: ${entry.key}@${entry.versionId} is wrongly latest`)
    shown.set(entry.key, facts)
    if (entry.kind === 'delete-marker') {
      facts.push({ kind: 'delete-marker', versionId: entry.versionId })
      continue
    }
    const version = await store.findVersion(bucket.id, entry.key, entry.versionId)
    if (version?.kind !== 'object') throw new Error(`${label}: ${entry.key}@${entry.versionId} is listed and cannot be found`)
    if (!(await checkBytes(store, version, label, mayLack))) unavailable += 1
    facts.push({
      kind: 'object',
      versionId: version.versionId,
      etag: version.etag,
      content: { ...contentOf([]), bytes: version.bytes },
      tags: JSON.stringify(version.tags),
    })
  }
  return { shown, unavailable }
}

/** False if it is unavailable, and may be. */
async function checkBytes(store: Store, version: ObjectVersion, label: string, mayLack: boolean): Promise<boolean> {
  const name = `${label}: ${version.key}@${version.versionId} (${version.bytes} bytes)`
  const read = await readAll(store, version, 0, version.bytes)
  if (!read.ok && mayLack && read.error === 'unavailable') return false
  if (!read.ok) throw new Error(`${name} cannot be read: ${read.error}`)
  const sum = version.userMetadata.find(([key]) => key === 'sum')?.[1]
  if (read.value.length !== version.bytes || md5(read.value) !== sum) throw new Error(`${name} has other bytes than were written`)
  return true
}

async function checkListing(store: Store, bucket: Bucket, live: readonly string[], label: string): Promise<void> {
  const page = await store.listObjects({ bucketId: bucket.id, prefix: '', delimiter: '', after: '', max: 1000 })
  const listed = page.entries.map((entry) => entry.key)
  const expected = [...live].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  if (listed.join() !== expected.join()) throw new Error(`${label}: ${bucket.name} lists ${listed.join()}, not ${expected.join()}`)
}
