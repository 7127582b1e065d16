/** What bundles and online sync need of the local store: its operations as a feed, what it holds of others, the merge, and documents. */
import { ok, type Result } from '../../result.ts'
import type { FederationStore, HiddenVersion, OperationReader } from '../federation-store.ts'
import { type Frontier, type Operation, type Origin, originOf, parseOrigin } from '../operation.ts'
import type { Bucket, BucketId, Position, SiteId, StagedContent, StoreFault, Version } from '../terms.ts'
import { isBucketEmpty } from './changes/apply-buckets.ts'
import { getDeletions } from './changes/bucket-deletions.ts'
import { operationOf } from './changes/operations.ts'
import { decodeRecord } from './changes/record.ts'
import type { ChangeRequest, RequestContent } from './changes/request.ts'
import { decodeHidden, decodeHiddenKey, type HiddenPlace, hiddenSums, type HiddenVersion as StoredHidden } from './index/hidden.ts'
import {
  bucketOriginKey,
  documentKey,
  documentPrefix,
  hiddenKey,
  OPERATIONS_PER_ROW,
  prefixRange,
  Table,
  tableRange,
} from './index/keys.ts'
import { after as afterKey, type OrderedMap, walk } from './index/ordered-map.ts'
import {
  decodeBucket,
  decodeBucketId,
  getBucket,
  getDeletedBucket,
  getHeld,
  lastOperation,
  operationSequences,
  readEpoch,
  readState,
} from './index/rows.ts'
import { toVersion } from './index/values.ts'
import { getAt, getNewest } from './index/versions.ts'
import { type Feed, LocalOperationReader, RecordWalk } from './operation-reader.ts'

export type LocalFederationInput = {
  readonly index: OrderedMap
  readonly site: SiteId
  readonly epoch: number
  readonly feed?: Feed
  submit<T, F>(request: ChangeRequest, staged?: StagedContent): Promise<Result<T, F>>
  take(staged: StagedContent): RequestContent
}

export const DOCUMENT_BYTES_MAX = 1024 * 1024
/** Of one call of putDocuments: what a batch of the journal takes. */
export const DOCUMENTS_BYTES_MAX = 7 * 1024 * 1024
export const DOCUMENTS_MAX = 200
const NAME_BYTES_MAX = 900

export class LocalFederation implements FederationStore {
  readonly siteId: SiteId
  readonly #input: LocalFederationInput

  constructor(input: LocalFederationInput) {
    this.#input = input
    this.siteId = input.site
  }

  /** The journal's word counts even where the site's file is older. */
  get epoch(): number {
    return Math.max(this.#input.epoch, readEpoch(this.#input.index.reader()))
  }

  get origin(): Origin {
    return originOf(this.siteId, this.epoch)
  }

  async lastOperation(bucketId: BucketId): Promise<number> {
    return lastOperation(this.#input.index.reader(), bucketId)
  }

  async *operations(bucketId: BucketId, from: number, to: number): AsyncIterable<Operation> {
    const { site } = this.#input
    const walking = new RecordWalk(this.#feed)
    try {
      for (let number = from; number <= to; ) {
        const sequences = operationSequences(this.#input.index.reader(), bucketId, number, Math.min(to, number + OPERATIONS_PER_ROW))
        if (sequences.length === 0) return
        for (const sequence of sequences) {
          const entry = await walking.at(sequence)
          const decoded = decodeRecord(entry)
          const operation = decoded.ok ? operationOf(decoded.value, { clock: entry.clock, site, sequence }) : undefined
          if (operation === undefined || operation.number !== number)
            throw new Error(`record ${sequence} is not operation ${number} of its bucket`)
          yield operation
          number++
        }
      }
    } finally {
      await walking.close()
    }
  }

  get #feed(): Feed {
    const { feed } = this.#input
    if (feed === undefined) throw new Error('operations are read where the journal is')
    return feed
  }

  openOperations(): OperationReader {
    return new LocalOperationReader(this.#input.index, this.#input.site, this.#feed)
  }

  async greatestClock(): Promise<number> {
    return readState(this.#input.index.reader())?.clock ?? 0
  }

  async deletedBuckets(): Promise<readonly Bucket[]> {
    return [...walk(this.#input.index.reader(), tableRange(Table.deletedBucket))].map(({ value }) => decodeBucket(value))
  }

  async findAt(bucketId: BucketId, key: string, position: Position): Promise<Version | undefined> {
    const reader = this.#input.index.reader()
    const row = getAt(reader, bucketId, key, position)
    return row && toVersion(bucketId, key, row, getNewest(reader, bucketId, key)?.owner === row.owner)
  }

  async held(bucketId: BucketId): Promise<Frontier> {
    return getHeld(this.#input.index.reader(), bucketId)
  }

  adoptBucket(input: Parameters<FederationStore['adoptBucket']>[0]): ReturnType<FederationStore['adoptBucket']> {
    return this.#input.submit({ kind: 'adopt-bucket', ...input })
  }

  async findBucketByOrigin(origin: Position): Promise<Bucket | undefined> {
    const reader = this.#input.index.reader()
    const value = reader.get(bucketOriginKey(origin))
    if (value === undefined) return undefined
    const id = decodeBucketId(value)
    return getBucket(reader, id) ?? getDeletedBucket(reader, id)
  }

  async applyForeign(input: Parameters<FederationStore['applyForeign']>[0]): ReturnType<FederationStore['applyForeign']> {
    const { content: staged, keepRemovedMs, ...fields } = input
    const content = staged && this.#input.take(staged)
    const keep = keepRemovedMs === undefined ? {} : { keepUs: keepRemovedMs * 1000 }
    return this.#input.submit({ kind: 'apply-foreign', ...fields, ...keep, ...(content && { content }) }, staged)
  }

  async listHidden(after: HiddenVersion | undefined, max: number): Promise<readonly HiddenVersion[]> {
    const { from, to } = tableRange(Table.hidden)
    const start = after === undefined ? from : afterKey(hiddenKey(after.bucketId, after.key, after.position))
    return this.#input.index
      .reader()
      .range(start, to, max)
      .map(({ key, value }) => toHiddenVersion(decodeHiddenKey(key), decodeHidden(value)))
  }

  async hiddenSums(): ReturnType<FederationStore['hiddenSums']> {
    return hiddenSums(this.#input.index.reader())
  }

  async returnVersion(hidden: HiddenVersion, place: 'in-old-place' | 'on-top'): ReturnType<FederationStore['returnVersion']> {
    const { bucketId, key, position } = hidden
    const asNewest = place === 'on-top'
    return this.#returned(await this.#input.submit({ kind: 'return-version', bucketId, key, hidden: position, asNewest }))
  }

  async lostBuckets(): ReturnType<FederationStore['lostBuckets']> {
    const reader = this.#input.index.reader()
    return (await this.deletedBuckets())
      .filter((bucket) => !isBucketEmpty(reader, bucket.id))
      .map((bucket) => ({ bucket, deletedBy: getDeletions(reader, bucket.id).flatMap(({ origin }) => parseOrigin(origin)?.site ?? []) }))
  }

  async returnBucket(bucketId: BucketId): ReturnType<FederationStore['returnBucket']> {
    return this.#returned(await this.#input.submit({ kind: 'return-bucket', bucketId }))
  }

  #returned(reply: Result<{ readonly returned: boolean }, StoreFault | 'name-taken'>): Result<boolean, StoreFault | 'name-taken'> {
    return reply.ok ? ok(reply.value.returned) : reply
  }

  async dropHidden(hidden: readonly HiddenVersion[]): ReturnType<FederationStore['dropHidden']> {
    const places = hidden.map(({ bucketId, key, position }) => ({ bucket: bucketId, key, position }))
    const reply = await this.#input.submit<{ readonly expired: number }, StoreFault>({ kind: 'drop-hidden', hidden: places })
    return reply.ok ? ok(reply.value.expired) : reply
  }

  async getDocument(collection: string, name: string): Promise<Uint8Array | undefined> {
    return this.#input.index.reader().get(documentKey(collection, name))
  }

  async listDocuments(collection: string, after: string, max: number): ReturnType<FederationStore['listDocuments']> {
    const prefix = documentPrefix(collection)
    const { from, to } = prefixRange(prefix)
    const start = after === '' ? from : afterKey(documentKey(collection, after))
    const entries = this.#input.index.reader().range(start, to, max)
    return entries.map(({ key, value }) => ({ name: Buffer.from(key).toString('utf8', prefix.length), content: value }))
  }

  async putDocuments(changes: Parameters<FederationStore['putDocuments']>[0]): ReturnType<FederationStore['putDocuments']> {
    let bytes = 0
    for (const { collection, name, content } of changes) {
      bytes += content?.length ?? 0
      const named = collection !== '' && name !== '' && !collection.includes('\0') && Buffer.byteLength(collection + name) <= NAME_BYTES_MAX
      if (!named || (content?.length ?? 0) > DOCUMENT_BYTES_MAX) throw new Error(`the document ${collection}/${name} is beyond the limits`)
    }
    if (changes.length > DOCUMENTS_MAX || bytes > DOCUMENTS_BYTES_MAX) throw new Error('too many documents at once')
    return this.#input.submit({ kind: 'put-documents', documents: changes })
  }
}

const toHiddenVersion = ({ bucket, key, position }: HiddenPlace, { row, by, sequence, removed, until }: StoredHidden): HiddenVersion => ({
  ...{ bucketId: bucket, key, position, kind: row.kind, wasNull: row.isNull || row.lostNull === true, bytes: row.bytes },
  ...{ removedBy: by, madeAt: row.owner, removedAt: sequence },
  ...{ removedMs: Math.floor(removed / 1000), untilMs: Math.floor(until / 1000) },
})
