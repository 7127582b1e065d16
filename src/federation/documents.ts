/** The federation's small journaled documents: collections, names, and JSON with limits. Format: docs/formats.md#bundle, "Operations". */
import { type Fields, parseJson } from '../bundles/json.ts'
import type { FederationStore } from '../store/federation-store.ts'
import { parseRanges, type Ranges } from '../store/ranges.ts'
import { Refusal, storeRefusal } from './site.ts'

export type Collection =
  | 'site'
  | 'peer-states'
  | 'peers'
  | 'peer-sites'
  | 'peer-rules'
  | 'peer-holds'
  | 'peer-buckets'
  | 'exports'
  | 'imports'
  | 'batches'
  | 'content-digests'

/** Bounds what ranges take in a statement, a receipt or a document, which have at most 1 MiB. */
export const RANGES_BYTES_MAX = 700_000
/** What one range takes as JSON, at most: two numbers of 16 digits are never reached in practice, and a bucket's position stands beside many. */
export const RANGE_BYTES = 24
export const BUCKET_BYTES = 200
export const RANGES_MAX = Math.floor(RANGES_BYTES_MAX / RANGE_BYTES)

export type DocumentChange = {
  readonly collection: Collection
  readonly name: string
  readonly content: Uint8Array | null
  readonly expect?: Uint8Array | null
}

export const jsonDocument = (collection: Collection, name: string, value: object): DocumentChange => ({
  collection,
  name,
  content: Buffer.from(JSON.stringify({ format: 1, ...value })),
})

/** Reads what we wrote ourselves: if it is not as it was written, the site is damaged. */
export function readDocument<T>(collection: Collection, name: string, content: Uint8Array, read: (fields: Fields) => T): T {
  const value = parseJson(content, (fields) => {
    fields.is('format', 1)
    return read(fields)
  })
  if (value === undefined) throw new Refusal(1, 'damaged', `The document ${collection}/${name} of this site is damaged.`)
  return value
}

/** Undefined if there is none. Throws Refusal if it is not as `read` wants it. */
export async function getJson<T>(
  store: FederationStore,
  collection: Collection,
  name: string,
  read: (fields: Fields) => T,
): Promise<T | undefined> {
  const content = await store.getDocument(collection, name)
  return content === undefined ? undefined : readDocument(collection, name, content, read)
}

const PAGE = 100

/** All whose names begin with `prefix`, by name. Throws Refusal as getJson. */
export async function* listJson<T>(
  store: FederationStore,
  collection: Collection,
  prefix: string,
  read: (fields: Fields) => T,
): AsyncGenerator<{ readonly name: string; readonly value: T }> {
  for (let after = prefix; ; ) {
    const page = await store.listDocuments(collection, after, PAGE)
    for (const { name, content } of page) {
      if (!name.startsWith(prefix)) return
      yield { name, value: readDocument(collection, name, content, read) }
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    after = last.name
  }
}

/** What one call of the store takes. */
const CHANGES_PER_CALL = 50

/** All or none where there are at most 50 changes. `what`: for the sentence if it fails, "The peer could not be noted". */
export async function putDocuments(store: FederationStore, what: string, changes: readonly DocumentChange[]): Promise<void> {
  for (let from = 0; from < changes.length; from += CHANGES_PER_CALL) {
    const put = await store.putDocuments(changes.slice(from, from + CHANGES_PER_CALL))
    if (!put.ok) throw storeRefusal(what, put.error)
  }
}

/** Ranges inside a document. */
export const rangesField = (fields: Fields, name: string): Ranges => {
  const ranges = parseRanges(fields.json(name), RANGES_MAX)
  return ranges ?? fields.malformed()
}
