/**
 * The entries of a bundle, batch after batch: the operations of a frozen plan, then their contents. What a batch said once is kept until the export is finished, so that
 * every attempt writes the same. Memory: one batch, and small contents up to CACHE_BYTES_MAX between their digest and their writing.
 */
import { ContentDigest } from '../bundles/merkle.ts'
import type { BundleEntry } from '../bundles/write-bundle.ts'
import type { Operation } from '../store/operation.ts'
import { contains, NO_RANGES, numbers, type Ranges, subtract, upTo } from '../store/ranges.ts'
import type { Bucket, ObjectVersion, Position } from '../store/terms.ts'
import { BATCH_OPERATIONS_MAX, type BatchLine, type ContentState, encodeBatch, goneLine } from './batch.ts'
import { ContentDigests, EMPTY_DIGEST } from './content-digests.ts'
import { type ExportPlan, operationsOf } from './export-plan.ts'
import { heldEarlier } from './holdings.ts'
import { operationText, type SignedOperation } from './operation.ts'
import { findPeerBySite } from './peers.ts'
import { asSigned, encodeReturned, keptOperation, type ReturnedLine } from './returns.ts'
import { type FederationSite, Refusal } from './site.ts'
import type { StateFolder } from './state-files.ts'
import { type StatedBucket, type StatedReturn, sectionsOf } from './statement.ts'
import { parsePosition } from './words.ts'

const BATCH_TEXT_BYTES_MAX = 1024 * 1024
/** A batch ends behind so much content: while it is written nothing that is deleted anywhere in the site frees its space. */
const BATCH_CONTENT_BYTES_MAX = 256 * 1024 * 1024
const CACHE_BYTES_MAX = 16 * 1024 * 1024
const CACHED_CONTENT_BYTES_MAX = 256 * 1024

type PlannedContent = { readonly key: string; readonly position: Position; readonly digest: string; readonly bytes: number }
type Batch = {
  /** Number of the bucket in the statement. */
  readonly bucket: number
  readonly contents: readonly PlannedContent[]
  /** The number of the next operation of this bucket; 0 if it was the last. */
  readonly next: number
  readonly entry: Buffer
}

export class ExportBatches {
  readonly #site: FederationSite
  readonly #plan: ExportPlan
  readonly #state: StateFolder
  /** Contents of the batch under way that were read for their digest. */
  readonly #cache = new Map<PlannedContent, Uint8Array[]>()
  #cachedBytes = 0
  /** Contents of this run whose digest was computed from what is there now. */
  readonly #fresh = new WeakSet<PlannedContent>()

  get #sections() {
    return sectionsOf(this.#plan.statement)
  }

  constructor(site: FederationSite, plan: ExportPlan, state: StateFolder) {
    this.#site = site
    this.#plan = plan
    this.#state = state
  }

  async *entries(fromEntry: number): AsyncGenerator<BundleEntry> {
    let entry = 0
    let batchNumber = 0
    for (let at = 0, next = 1; at < this.#sections.length; ) {
      // What is deleted from here on stays readable until the batch is written.
      const lease = this.#site.store.lease()
      try {
        const bucket = await this.#bucket(at)
        batchNumber += 1
        const batch = (await this.#load(batchNumber)) ?? (await this.#make(batchNumber, at, bucket, next))
        if (entry++ >= fromEntry) yield { kind: 'operations', lines: batch.entry }
        for (const content of batch.contents) if (entry++ >= fromEntry) yield await this.#content(bucket, content)
        next = batch.next
        if (next === 0) {
          at += 1
          next = 1
        }
      } finally {
        this.#cache.clear()
        this.#cachedBytes = 0
        lease.release()
      }
    }
  }

  async #bucket(at: number): Promise<Bucket> {
    const stated = this.#sections[at]!
    const bucket = await this.#site.store.federation.findBucketByOrigin(parsePosition(stated.bucket)!)
    if (bucket === undefined)
      throw new Refusal(6, 'no-such-bucket', `Bucket ${stated.name} is not there any more: begin the export again in an empty folder.`)
    return bucket
  }

  async #load(number: number): Promise<Batch | undefined> {
    const file = await this.#state.read(fileName(number))
    if (file === undefined) return undefined
    const end = file.indexOf(10)
    const head = JSON.parse(file.toString('utf8', 0, end)) as Pick<Batch, 'bucket' | 'contents' | 'next'>
    return { ...head, entry: file.subarray(end + 1) }
  }

  #make(number: number, at: number, bucket: Bucket, from: number): Promise<Batch> {
    const section = this.#sections[at]!
    return section.origin === undefined
      ? this.#makeOwn(number, at, section, bucket, from)
      : this.#makeReturned(number, at, { ...section, origin: section.origin }, bucket, from)
  }

  async #makeOwn(number: number, at: number, stated: StatedBucket, bucket: Bucket, from: number): Promise<Batch> {
    const site = this.#site
    const held = await this.#heldEarlier(stated)
    const digests = new ContentDigests(site.store.federation, stated.bucket)
    const lines: BatchLine[] = []
    const contents: PlannedContent[] = []
    let textBytes = 0
    let contentBytes = 0
    let next = 0
    for await (const operation of wanted(site, bucket, subtract(stated.brings, upTo(from - 1)))) {
      if (lines.length === BATCH_OPERATIONS_MAX || contentBytes >= BATCH_CONTENT_BYTES_MAX) {
        next = operation.number
        break
      }
      const content = await this.#contentOf(bucket, operation, digests, contains(held, operation.number))
      const { origin } = this.#plan.statement
      const signed = operationText({ bucket: stated.bucket, origin, operation, digest: content.digest })
      const bytes = Buffer.byteLength(signed)
      if (lines.length > 0 && textBytes + bytes > BATCH_TEXT_BYTES_MAX) {
        next = operation.number
        break
      }
      textBytes += bytes
      contentBytes += content.planned?.bytes ?? 0
      lines.push({ content: content.state, signed })
      if (content.planned !== undefined) contents.push(content.planned)
    }
    await digests.save()
    const entry = encodeBatch(site.identity, stated.bucket, this.#plan.statement.origin, lines)
    return this.#keep(number, { bucket: at, contents, next }, entry)
  }

  /** Operations of the recipient, as they came from it. */
  async #makeReturned(number: number, at: number, stated: StatedReturn, bucket: Bucket, from: number): Promise<Batch> {
    const reader = this.#site.store.federation.openOperations()
    const lines: ReturnedLine[] = []
    const contents: PlannedContent[] = []
    let [contentBytes, next] = [0, 0]
    try {
      for (const wanted of numbers(subtract(stated.brings, upTo(from - 1)))) {
        const kept = await keptOperation(reader, bucket, stated.origin, wanted)
        const signed = asSigned(kept, lines)
        if (signed === undefined || contentBytes >= BATCH_CONTENT_BYTES_MAX) {
          next = wanted
          break
        }
        const content = await this.#returnedContent(bucket, signed.signed)
        lines.push({ ...signed, content: content.state })
        if (content.planned === undefined) continue
        contents.push(content.planned)
        contentBytes += content.planned.bytes
      }
    } finally {
      await reader.close()
    }
    return this.#keep(number, { bucket: at, contents, next }, await encodeReturned(this.#site, lines))
  }

  async #returnedContent(
    bucket: Bucket,
    { operation: { change, position }, digest }: SignedOperation,
  ): Promise<{ readonly state: ContentState; readonly planned?: PlannedContent }> {
    if (change.kind !== 'put-object') return { state: null }
    const { key, bytes } = change
    const version = await this.#site.store.federation.findAt(bucket.id, key, position)
    if (version?.kind !== 'object' || digest === null) return { state: 'gone' }
    return bytes === 0 ? { state: 'here' } : { state: 'here', planned: { key, position, digest, bytes } }
  }

  /** What goes without its bytes. A full export takes nothing for granted. */
  async #heldEarlier({ bucket }: StatedBucket): Promise<Ranges> {
    const { asked } = this.#plan
    const store = this.#site.store.federation
    const peer = asked.full ? undefined : await findPeerBySite(store, asked.peer)
    return peer === undefined ? NO_RANGES : heldEarlier(store, peer, bucket)
  }

  async #keep(number: number, head: Pick<Batch, 'bucket' | 'contents' | 'next'>, entry: Buffer): Promise<Batch> {
    await this.#state.write(fileName(number), Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), entry]))
    return { ...head, entry }
  }

  async #contentOf(
    bucket: Bucket,
    { change, number, position }: Operation,
    digests: ContentDigests,
    isHeld: boolean,
  ): Promise<{ readonly state: ContentState; readonly digest: string | null; readonly planned?: PlannedContent }> {
    if (change.kind !== 'put-object') return { state: null, digest: null }
    const { key, bytes } = change
    const version = await this.#site.store.federation.findAt(bucket.id, key, position)
    const there = version?.kind === 'object'
    if (bytes === 0) return { state: there ? 'here' : 'gone', digest: EMPTY_DIGEST }
    const known = await digests.find(number)
    if (!there) return { state: 'gone', digest: known ?? null }
    if (known !== undefined)
      return isHeld ? { state: 'held', digest: known } : { state: 'here', digest: known, planned: { key, position, digest: known, bytes } }
    const { digest, chunks } = await this.#digestOf(bucket, version)
    await digests.note(number, digest)
    const planned = { key, position, digest, bytes }
    this.#fresh.add(planned)
    if (chunks !== undefined) this.#cache.set(planned, chunks)
    return isHeld ? { state: 'held', digest } : { state: 'here', digest, planned }
  }

  async #digestOf(bucket: Bucket, version: ObjectVersion): Promise<{ readonly digest: string; readonly chunks: Uint8Array[] | undefined }> {
    const fits = version.bytes <= CACHED_CONTENT_BYTES_MAX && this.#cachedBytes + version.bytes <= CACHE_BYTES_MAX
    const chunks: Uint8Array[] | undefined = fits ? [] : undefined
    if (fits) this.#cachedBytes += version.bytes
    const found = new ContentDigest()
    for await (const chunk of this.#read(bucket, version)) {
      found.update(chunk)
      chunks?.push(chunk)
    }
    return { digest: found.digest(), chunks }
  }

  async *#read(bucket: Bucket, version: ObjectVersion): AsyncGenerator<Uint8Array> {
    const reader = this.#site.store.read(version, 0, version.bytes)
    try {
      for (;;) {
        const read = await reader.read()
        if (!read.ok)
          throw new Refusal(
            6,
            read.error,
            `${bucket.name}/${version.key} (version ${version.versionId}) cannot be read back: ${read.error}. See "holdfast status"; once it reads again, run the export again.`,
          )
        if (read.value === undefined) return
        yield read.value
      }
    } finally {
      reader.close()
    }
  }

  async #content(bucket: Bucket, planned: PlannedContent): Promise<BundleEntry> {
    const { key, position, digest, bytes } = planned
    const cached = this.#cache.get(planned)
    const version = await this.#site.store.federation.findAt(bucket.id, key, position)
    // Promised by an attempt that was interrupted, and deleted since.
    if (cached === undefined && version?.kind !== 'object') return { kind: 'operations', lines: goneLine(digest) }
    const read = (): AsyncIterable<Uint8Array> => {
      if (cached !== undefined) return iterate(cached)
      return this.#fresh.has(planned)
        ? this.#read(bucket, version as ObjectVersion)
        : this.#checked(bucket, version as ObjectVersion, planned)
    }
    return { kind: 'content', digest, bytes, read }
  }

  /** The content, if it still is what was signed at an earlier export. */
  async *#checked(bucket: Bucket, version: ObjectVersion, { digest }: PlannedContent): AsyncGenerator<Uint8Array> {
    const found = new ContentDigest()
    for await (const chunk of this.#read(bucket, version)) {
      found.update(chunk)
      yield chunk
    }
    if (found.digest() !== digest)
      throw new Refusal(
        1,
        'damaged',
        `${bucket.name}/${version.key} (version ${version.versionId}) is not what was exported before: this site is damaged.`,
      )
  }
}

const fileName = (number: number): string => `batch-${String(number).padStart(6, '0')}`

async function* wanted(site: FederationSite, bucket: Bucket, ranges: Ranges): AsyncGenerator<Operation> {
  for (const [first, last] of ranges) yield* operationsOf(site, bucket, first, last)
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
