/**
 * The Store contract: buckets, versions, uploads and content in S3's terms, without HTTP or XML. Implemented in `local/`.
 *
 * Reads see every change acknowledged before they began. Changes are decided one after another, in the order of their journal:
 * preconditions are part of the change. A change that answers ok is durable.
 */
import type { Result } from '../result.ts'
import type { FederationStore } from './federation-store.ts'
import type {
  Bucket,
  BucketId,
  BucketName,
  Checksum,
  ChecksumAlgorithm,
  ContentHeaders,
  ObjectAttributes,
  ObjectVersion,
  Part,
  Position,
  StagedContent,
  StoreFault,
  Tags,
  Upload,
  UserMetadata,
  Version,
  Versioning,
} from './terms.ts'

/** Conditional writes. Source: Amazon S3 User Guide, "Conditional requests". */
export type WriteCondition =
  /** If-None-Match: * — nothing current under the key. */
  | { readonly kind: 'absent' }
  /** If-Match — the current version has this ETag ('*': there is one). */
  | { readonly kind: 'etag'; readonly etag: string }

export type ConditionFault =
  /** An `etag` condition, and nothing is current under the key. */
  'no-such-key' | 'precondition-failed'

export interface ContentWriter {
  /** Bytes given to `write` are copied: once it is done with them they may change. */
  readonly copies: boolean
  /** What finish() will answer, as soon as it is known: writing on is of no use. */
  readonly fault: StoreFault | undefined
  /**
   * Takes the bytes (they must not change afterwards, unless copied). Wait for the promise, if there is one, before the next call. Never rejects: faults
   * show at finish.
   */
  write(chunk: Uint8Array): Promise<void> | undefined
  /** Resolves when the bytes are durable on every disk that is in. */
  finish(): Promise<Result<StagedContent, StoreFault>>
  /** Gives up; nothing remains. */
  abort(): void
}

export interface ContentReader {
  /** From the next read on bytes are needed no longer than to the read after it or `close`, so that their memory can serve again. */
  lend?(): void
  /** The next bytes (the caller's own, unless lent), undefined at the end. After a fault nothing more comes. */
  read(): Promise<Result<Uint8Array | undefined, StoreFault>>
  close(): void
}

/** What the bytes of a new version or part are. */
export type ContentSource =
  | { readonly kind: 'staged'; readonly staged: StagedContent }
  /** Bytes `from` to `to` (exclusive) of a version that exists; moves no data (small ones may be copied). */
  | { readonly kind: 'shared'; readonly of: ObjectVersion; readonly from: number; readonly to: number }

/** While held, what is read stays readable although it be deleted meanwhile. Every request takes one first and releases it last. */
export interface Lease {
  release(): void
}

export type Written = {
  readonly versionId: string
  readonly position: Position
  readonly modifiedMs: number
  readonly versioning: Versioning
}

export type Deleted = {
  /** What happened: a marker was written, a version (or marker) removed for good, or nothing was there. */
  readonly kind: 'marker-made' | 'removed' | 'nothing'
  /** Of the marker made, or of the version removed. */
  readonly versionId: string | undefined
  readonly removedMarker: boolean
  readonly versioning: Versioning
}

export type ListInput = {
  readonly bucketId: BucketId
  readonly prefix: string
  /** '' for none. */
  readonly delimiter: string
  /** Keys and common prefixes strictly after this (UTF-8 order); '' from the start. */
  readonly after: string
  /** 1 to 1,000: keys and common prefixes together. */
  readonly max: number
}
export type ListedObject = {
  readonly key: string
  readonly bytes: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksumAlgorithm?: ChecksumAlgorithm
  readonly checksumType?: 'FULL_OBJECT' | 'COMPOSITE'
}
export type ListPage<T> = {
  readonly entries: readonly T[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
  /** The last key or common prefix of the page, whichever is greater; where the next page starts after. '' on an empty page. */
  readonly last: string
}
export type ListVersionsInput = ListInput & {
  /** Only with `after` a key: go on behind this version of it, instead of behind all its versions. */
  readonly afterVersionId?: string
}
/** Newest first within a key. */
export type ListedVersion =
  | (ListedObject & { readonly kind: 'object'; readonly versionId: string; readonly isLatest: boolean })
  | {
      readonly kind: 'delete-marker'
      readonly key: string
      readonly versionId: string
      readonly isLatest: boolean
      readonly modifiedMs: number
    }

export interface Store {
  lease(): Lease
  /** What a change that stores something would be refused with now, as far as is known here. Only advice: the change decides. */
  foreseenFault(): StoreFault | undefined

  // Buckets
  listBuckets(): Promise<readonly Bucket[]>
  findBucket(name: BucketName): Promise<Bucket | undefined>
  createBucket(input: {
    readonly name: BucketName
    readonly owner: string
  }): Promise<Result<Bucket, StoreFault | { readonly kind: 'exists'; readonly bucket: Bucket }>>
  /** Open uploads do not keep a bucket: they go with it, as at Amazon. */
  deleteBucket(id: BucketId): Promise<Result<void, StoreFault | 'no-such-bucket' | 'not-empty'>>
  putVersioning(id: BucketId, versioning: 'enabled' | 'suspended'): Promise<Result<void, StoreFault | 'no-such-bucket'>>
  /** `json` undefined removes the configuration. */
  putConfiguration(id: BucketId, name: string, json: string | undefined): Promise<Result<void, StoreFault | 'no-such-bucket'>>

  // Versions
  /** The version named, or the current one (which may be a delete marker). */
  findVersion(bucketId: BucketId, key: string, versionId: string | undefined): Promise<Version | undefined>
  listObjects(input: ListInput): Promise<ListPage<ListedObject>>
  listVersions(input: ListVersionsInput): Promise<ListPage<ListedVersion> & { readonly lastVersionId: string }>
  /** The parts a multipart object was made of, in order, those with a number above `after`, at most `max`. */
  parts(version: ObjectVersion, after: number, max: number): Promise<readonly Part[]>

  // Content
  /** `expectedBytes` helps to choose the place; more or fewer may follow. */
  stage(expectedBytes: number | undefined): ContentWriter
  discard(staged: StagedContent): void
  /** Bytes `from` to `to` (exclusive) of a version. */
  read(version: ObjectVersion, from: number, to: number): ContentReader

  // Changes of objects
  putObject(input: {
    readonly bucketId: BucketId
    readonly key: string
    readonly attributes: ObjectAttributes
    readonly content: ContentSource
    readonly condition?: WriteCondition
  }): Promise<Result<Written, StoreFault | ConditionFault | 'no-such-bucket' | 'source-gone'>>
  /** Without a version id: a marker, or in an unversioned bucket the removal of the null version. With one: removal for good. */
  deleteObject(input: {
    readonly bucketId: BucketId
    readonly key: string
    readonly versionId?: string
    readonly condition?: WriteCondition
  }): Promise<Result<Deleted, StoreFault | ConditionFault | 'no-such-bucket'>>
  /** Replaces the tags of a version (the current one if none is named). */
  putTags(input: {
    readonly bucketId: BucketId
    readonly key: string
    readonly versionId?: string
    readonly tags: Tags
  }): Promise<
    Result<{ readonly versionId: string }, StoreFault | 'no-such-bucket' | 'no-such-key' | 'no-such-version' | 'is-delete-marker'>
  >

  // Multipart uploads
  createUpload(input: {
    readonly bucketId: BucketId
    readonly key: string
    readonly headers: ContentHeaders
    readonly userMetadata: UserMetadata
    readonly tags: Tags
    readonly checksumAlgorithm?: ChecksumAlgorithm
    readonly checksumType?: 'FULL_OBJECT' | 'COMPOSITE'
  }): Promise<Result<Upload, StoreFault | 'no-such-bucket'>>
  findUpload(bucketId: BucketId, key: string, uploadId: string): Promise<Upload | undefined>
  /** Replaces a part of the same number. */
  putPart(input: {
    readonly bucketId: BucketId
    readonly key: string
    readonly uploadId: string
    readonly number: number
    readonly etag: string
    readonly checksum?: Checksum
    readonly content: ContentSource
  }): Promise<Result<Part, StoreFault | 'no-such-upload' | 'source-gone'>>
  listParts(
    bucketId: BucketId,
    key: string,
    uploadId: string,
    after: number,
    max: number,
  ): Promise<{ readonly parts: readonly Part[]; readonly truncated: boolean }>
  /**
   * Makes the version of exactly these parts, in this order, if each is still as it was seen; moves no data. With a condition the key must not have
   * changed since the upload was created ('changed-meanwhile'); the removal of an only version leaves no trace and does not count.
   */
  completeUpload(input: {
    readonly bucketId: BucketId
    readonly key: string
    readonly uploadId: string
    readonly parts: readonly Pick<Part, 'number' | 'etag' | 'bytes'>[]
    readonly etag: string
    readonly checksum?: Checksum
    readonly condition?: WriteCondition
  }): Promise<Result<Written, StoreFault | ConditionFault | 'no-such-upload' | 'invalid-part' | 'changed-meanwhile'>>
  abortUpload(bucketId: BucketId, key: string, uploadId: string): Promise<Result<void, StoreFault | 'no-such-upload'>>
  /** By key, then by time of creation. Completed ones are not listed. Undefined if no upload can be called `afterUploadId`. */
  listUploads(
    input: ListInput & { readonly afterUploadId?: string },
  ): Promise<(ListPage<Upload> & { readonly lastUploadId: string }) | undefined>

  readonly federation: FederationStore
}
