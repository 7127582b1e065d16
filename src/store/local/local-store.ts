/**
 * The Store of one thread: reads straight from the index, the journal and the extents; stages content itself; sends changes to the commit thread.
 */

import type { ExtentStore } from '../../disks/extents.ts'
import type { Clock } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { FederationStore } from '../federation-store.ts'
import type { ContentReader, ContentSource, ContentWriter, Lease, ListInput, ListVersionsInput, Store } from '../store.ts'
import type {
  Bucket,
  BucketId,
  BucketName,
  ObjectVersion,
  Part,
  SiteId,
  StagedContent,
  StoreFault,
  Tags,
  Upload,
  Version,
} from '../terms.ts'
import type { Board, Leases } from './board.ts'
import { getUpload } from './changes/decide-uploads.ts'
import type { ChangeRequest, RequestContent } from './changes/request.ts'
import type { Commits } from './commits.ts'
import type { Slice } from './content.ts'
import { LocalFederation } from './federation.ts'
import { partKey, partPrefix, prefixRange, Table, tableRange } from './index/keys.ts'
import { listObjects, listUploads, listVersions } from './index/listing.ts'
import { manifestChunks } from './index/manifests.ts'
import { after as afterKey, type OrderedMap, walk } from './index/ordered-map.ts'
import { decodeBucket, decodePartRow, getBucketByName, type PartRow } from './index/rows.ts'
import { type ListingRoom, Turns } from './index/turns.ts'
import { toPart, toUpload, toVersion } from './index/values.ts'
import { checksumOf, encodeAttributes } from './index/version-row.ts'
import { getCurrent, getNamed, getNewest } from './index/versions.ts'
import type { JournalReader } from './journal/reader.ts'
import type { Feed } from './operation-reader.ts'
import { StoredContent } from './reading.ts'
import { ExtentNumbers, INLINE_BYTES_MAX, type StagedPlace, StagingWriter } from './staging.ts'

export type LocalStoreInput = {
  readonly index: OrderedMap
  readonly commits: Commits
  readonly extents: ExtentStore
  readonly journalReader: JournalReader
  readonly board: Board
  /** This thread's number, 0 to 63: its place on the board, and its range of extent numbers. */
  readonly thread: number
  /** The number of this start of the process; names the folders of new extents. */
  readonly start: number
  readonly clock: Clock
  readonly site: SiteId
  readonly epoch: number
  /** Records of the journal. Only where the journal is: without it `federation.operations` may not be called. */
  readonly feed?: Feed
  /** Where many list at once: what they share of this thread. */
  readonly listings?: ListingRoom
  /** Bound of the cache of small contents. Default 32 MiB. */
  readonly cacheBytes?: number
}

const CACHE_BYTES = 32 * 1024 * 1024
const EMPTY_READER: ContentReader = { read: async () => ok(undefined), close() {} }

export class LocalStore implements Store {
  readonly federation: FederationStore
  readonly #input: LocalStoreInput
  readonly #leases: Leases
  readonly #content: StoredContent
  readonly #numbers: ExtentNumbers
  /** Staged contents that were given to a change or discarded. */
  readonly #spent = new WeakSet<StagedContent>()
  readonly #buckets = new Map<BucketName, Bucket>()
  #bucketsVersion: number

  constructor(input: LocalStoreInput) {
    this.#input = input
    this.#leases = input.board.leases(input.thread)
    this.#content = new StoredContent({
      ...input,
      cacheBytes: input.cacheBytes ?? CACHE_BYTES,
      mayReturn: () => input.commits.view.readOnly !== undefined,
    })
    this.#numbers = new ExtentNumbers(input)
    this.#bucketsVersion = input.board.bucketsVersion
    this.federation = new LocalFederation({
      ...input,
      submit: (request, staged) => this.#submit(request, staged),
      take: (staged) => this.#take(staged),
    })
  }

  lease(): Lease {
    return this.#leases.take()
  }

  foreseenFault(): StoreFault | undefined {
    const { board, commits } = this.#input
    if (commits.view.readOnly !== undefined) return 'read-only'
    return board.isFull ? 'full' : undefined
  }

  // Buckets

  async listBuckets(): Promise<readonly Bucket[]> {
    const buckets: Bucket[] = []
    for (const { value } of walk(this.#input.index.reader(), tableRange(Table.bucket))) buckets.push(decodeBucket(value))
    return buckets.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async findBucket(name: BucketName): Promise<Bucket | undefined> {
    const { board, index } = this.#input
    // Before reading: a change between the two makes the next call read again.
    const version = board.bucketsVersion
    if (version !== this.#bucketsVersion) {
      this.#buckets.clear()
      this.#bucketsVersion = version
    }
    const known = this.#buckets.get(name)
    if (known !== undefined) return known
    const bucket = getBucketByName(index.reader(), name)
    if (bucket !== undefined) this.#buckets.set(name, bucket)
    return bucket
  }

  createBucket(input: Parameters<Store['createBucket']>[0]): ReturnType<Store['createBucket']> {
    return this.#submit({ kind: 'create-bucket', ...input })
  }

  deleteBucket(bucketId: BucketId): ReturnType<Store['deleteBucket']> {
    return this.#submit({ kind: 'delete-bucket', bucketId })
  }

  putVersioning(bucketId: BucketId, versioning: 'enabled' | 'suspended'): ReturnType<Store['putVersioning']> {
    return this.#submit({ kind: 'put-versioning', bucketId, versioning })
  }

  putConfiguration(bucketId: BucketId, name: string, json: string | undefined): ReturnType<Store['putConfiguration']> {
    return this.#submit({ kind: 'put-configuration', bucketId, name, json: json ?? null })
  }

  // Versions

  async findVersion(bucketId: BucketId, key: string, versionId: string | undefined): Promise<Version | undefined> {
    const reader = this.#input.index.reader()
    if (versionId === undefined) {
      const row = getNewest(reader, bucketId, key)
      return row && toVersion(bucketId, key, row, true)
    }
    const row = getNamed(reader, bucketId, key, versionId)
    if (row === undefined) return undefined
    const newest = getCurrent(reader, bucketId, key) ?? getNewest(reader, bucketId, key)
    return toVersion(bucketId, key, row, newest?.owner === row.owner)
  }

  async listObjects(input: ListInput): ReturnType<Store['listObjects']> {
    return listObjects(await this.#listing(), input)
  }

  async listVersions(input: ListVersionsInput): ReturnType<Store['listVersions']> {
    return listVersions(await this.#listing(), input)
  }

  async parts(version: ObjectVersion, after: number, max: number): Promise<readonly Part[]> {
    const slice = version.content as Slice | undefined
    const found: Part[] = []
    if (version.partCount === 0 || slice?.kind !== 'manifest') return found
    for (const chunk of manifestChunks(this.#input.index.reader(), slice.id, 0)) {
      if (chunk.lastNumber <= after) continue
      for (const part of chunk.parts) {
        if (part.number <= after) continue
        found.push(toPart(part))
        if (found.length >= max) return found
      }
    }
    return found
  }

  // Content

  stage(expectedBytes: number | undefined): ContentWriter {
    const { extents, commits } = this.#input
    const begin = () => (commits.view.readOnly === undefined ? this.#numbers.begin(extents, commits.view) : ('read-only' as const))
    return new StagingWriter(begin, expectedBytes)
  }

  discard(staged: StagedContent): void {
    if (this.#spent.has(staged)) return
    this.#spent.add(staged)
    this.#removeStaged(staged)
  }

  read(version: ObjectVersion, from: number, to: number): ContentReader {
    const slice = version.content as Slice | undefined
    if (slice === undefined || from >= to) return EMPTY_READER
    return this.#content.open([slice], from, to)
  }

  // Changes of objects

  async putObject(input: Parameters<Store['putObject']>[0]): ReturnType<Store['putObject']> {
    const { bucketId, key, attributes, condition } = input
    const content = await this.#source(input.content)
    if (!content.ok) return content
    return this.#submit(
      {
        kind: 'put-object',
        bucketId,
        key,
        etag: attributes.etag,
        attributes: encodeAttributes(attributes),
        checksum: checksumOf(attributes),
        content: content.value,
        ...(condition && { condition }),
      },
      stagedOf(input.content),
    )
  }

  deleteObject(input: Parameters<Store['deleteObject']>[0]): ReturnType<Store['deleteObject']> {
    return this.#submit({ kind: 'delete-object', ...input })
  }

  putTags(input: Parameters<Store['putTags']>[0]): ReturnType<Store['putTags']> {
    return this.#submit({ kind: 'put-tags', ...input })
  }

  // Multipart uploads

  async createUpload(input: Parameters<Store['createUpload']>[0]): ReturnType<Store['createUpload']> {
    const { bucketId, key, headers, userMetadata, tags, checksumAlgorithm, checksumType } = input
    const asked = { ...(checksumAlgorithm && { checksumAlgorithm }), ...(checksumType && { checksumType }) }
    const attributes = encodeAttributes({ headers, userMetadata, tags })
    const made = await this.#submit<{ uploadId: string; initiatedMs: number }, StoreFault | 'no-such-bucket'>({
      kind: 'create-upload',
      bucketId,
      key,
      attributes,
      ...asked,
    })
    return made.ok ? ok({ bucketId, key, ...made.value, headers, userMetadata, tags: tags as Tags, ...asked }) : made
  }

  async findUpload(bucketId: BucketId, key: string, uploadId: string): Promise<Upload | undefined> {
    const row = getUpload(this.#input.index.reader(), bucketId, key, uploadId)
    return row && toUpload(bucketId, key, row)
  }

  async putPart(input: Parameters<Store['putPart']>[0]): ReturnType<Store['putPart']> {
    const { content: source, ...fields } = input
    const content = await this.#source(source)
    if (!content.ok) return content
    return this.#submit({ kind: 'put-part', ...fields, content: content.value }, stagedOf(source))
  }

  async listParts(bucketId: BucketId, key: string, uploadId: string, after: number, max: number): ReturnType<Store['listParts']> {
    const reader = this.#input.index.reader()
    const upload = getUpload(reader, bucketId, key, uploadId)
    if (upload === undefined) return { parts: [], truncated: false }
    const { to } = prefixRange(partPrefix(upload.position.sequence))
    const rows: PartRow[] = reader
      .range(afterKey(partKey(upload.position.sequence, Math.min(after, 65535))), to, max + 1)
      .map(({ value }) => decodePartRow(value))
    return { parts: rows.slice(0, max).map(toPart), truncated: rows.length > max }
  }

  completeUpload(input: Parameters<Store['completeUpload']>[0]): ReturnType<Store['completeUpload']> {
    const parts = input.parts.map(({ number, etag, bytes }) => ({ number, etag, bytes }))
    return this.#submit({ kind: 'complete-upload', ...input, parts })
  }

  abortUpload(bucketId: BucketId, key: string, uploadId: string): ReturnType<Store['abortUpload']> {
    return this.#submit({ kind: 'abort-upload', bucketId, key, uploadId })
  }

  async listUploads(input: Parameters<Store['listUploads']>[0]): ReturnType<Store['listUploads']> {
    const page = await listUploads(await this.#listing(), input)
    if (page === undefined) return undefined
    const entries = page.entries.map(({ key, upload }) => toUpload(input.bucketId, key, upload))
    return { ...page, entries, lastUploadId: entries.at(-1)?.key === page.last ? entries.at(-1)!.uploadId : '' }
  }

  async #listing(): Promise<Turns> {
    const { index, clock, listings } = this.#input
    if (listings !== undefined) await listings.turn()
    return new Turns(index, clock, listings)
  }

  /** What the change answers. The types are the Store's own: `decide` answers each kind of request with the value that its method promises. */
  async #submit<T, F>(request: ChangeRequest, staged?: StagedContent): Promise<Result<T, F>> {
    const reply = await this.#input.commits.submit(request)
    const unneeded = reply.ok ? reply.unused === true : reply.doubtful !== true
    if (staged !== undefined && unneeded) this.#removeStaged(staged)
    return (reply.ok ? ok(reply.value) : fail(reply.error)) as Result<T, F>
  }

  /** Content as a request carries it. What is small and in the journal is copied, so that each record's body has one owner. */
  async #source(source: ContentSource): Promise<Result<RequestContent, StoreFault>> {
    if (source.kind === 'staged') return ok(this.#take(source.staged))
    const { of, from, to } = source
    const slice = of.content as Slice | undefined
    if (slice === undefined || from >= to) return ok({ kind: 'none' })
    if (slice.kind === 'journal' || to - from <= INLINE_BYTES_MAX / 8) return this.#copied(slice, from, to)
    return ok({ kind: 'shared', bucketId: of.bucketId, key: of.key, position: of.position, from, to })
  }

  async #copied(slice: Slice, from: number, to: number): Promise<Result<RequestContent, StoreFault>> {
    const body = new Uint8Array(to - from)
    const reader = this.#content.open([slice], from, to)
    let at = 0
    for (;;) {
      const read = await reader.read()
      if (!read.ok) return read
      if (read.value === undefined) return ok({ kind: 'body', body })
      body.set(read.value, at)
      at += read.value.length
    }
  }

  #take(staged: StagedContent): RequestContent {
    if (this.#spent.has(staged)) throw new Error('staged content is used once')
    this.#spent.add(staged)
    return staged.place as StagedPlace
  }

  #removeStaged(staged: StagedContent): void {
    const place = staged.place as StagedPlace
    if (place.kind === 'extent') void this.#input.extents.remove(place.place)
  }
}

const stagedOf = (source: ContentSource): StagedContent | undefined => (source.kind === 'staged' ? source.staged : undefined)
