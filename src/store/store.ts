/**
 * The Store contract: buckets, versions, uploads and content in S3's terms, without HTTP or XML. Two implementations: `local/` and, later, `cluster/`.
 *
 * Reads see every change acknowledged before they began. Changes are decided one after another, in the order of their journal:
 * preconditions are part of the change. A change that answers ok is durable.
 */
import type { Result } from '../result.ts'
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
  SiteId,
  Tags,
  Upload,
  UserMetadata,
  Version,
  Versioning,
} from './terms.ts'

/** Why any change may be refused, whatever it is. */
export type StoreFault =
  /** The queue of changes is full: try again. */
  | 'slow-down'
  /** The pool may not be written (see status); an operator has to decide. */
  | 'read-only'
  /** No space above the reserve. Deletes still work. */
  | 'full'
  /** Too few disks, or the index waits to be caught up. */
  | 'unavailable'
  /** Stored bytes cannot be read back by any means. */
  | 'damaged'

/** Conditional writes. Source: Amazon S3 User Guide, "Conditional requests". */
export type WriteCondition =
  /** If-None-Match: * — nothing current under the key. */
  | { readonly kind: 'absent' }
  /** If-Match — the current version has this ETag ('*': there is one). */
  | { readonly kind: 'etag'; readonly etag: string }

export type ConditionFault =
  /** An `etag` condition, and nothing is current under the key. */
  'no-such-key' | 'precondition-failed'

/** Bytes that were written but belong to nothing yet: valid once, in this process; given up by `discard` or a restart. Plain data. */
export type StagedContent = { readonly bytes: number; readonly place: unknown }

export interface ContentWriter {
  /** Bytes given to `write` are copied: once it is done with them they may change. */
  readonly copies: boolean
  /** What finish() will answer, as soon as it is known: writing on is of no use. */
  readonly fault: StoreFault | undefined
  /** Takes the bytes (they must not change afterwards, unless copied). Wait for the promise, if there is one, before the next call. Never rejects: faults show at finish. */
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

// ---- What bundles and online sync need ----

/** Inclusive ranges of numbers, ascending, neither touching nor overlapping. */
export type Ranges = readonly (readonly [first: number, last: number])[]
/** "site/epoch": where operations come from. */
export type Origin = string & { readonly brand: 'Origin' }
/** What had been applied in a bucket, by origin. */
export type Frontier = Readonly<Record<Origin, Ranges>>

/** One change of a bucket, as its origin made it. Everything but `content` goes into what the origin signs. */
export type Operation = {
  /** From 1, without gaps, per origin and bucket. */
  readonly number: number
  readonly position: Position
  /** What of other origins the origin had applied in this bucket before. */
  readonly frontier: Frontier
  readonly change: Change
  /** What it was in an earlier epoch, if its origin had lost it and gave it another number when it came back. */
  readonly was?: { readonly origin: Origin; readonly number: number }
  /** When it was made here, microseconds since 1970, if its position is that of a version which it brought back. Peers are not told. */
  readonly madeUs?: number
}

export type Change =
  /** Always number 1 of the bucket's own origin. */
  | { readonly kind: 'create-bucket'; readonly name: BucketName }
  | { readonly kind: 'delete-bucket' }
  | { readonly kind: 'put-versioning'; readonly versioning: 'enabled' | 'suspended' }
  | { readonly kind: 'put-configuration'; readonly name: string; readonly json: string | null }
  | {
      readonly kind: 'put-object'
      readonly key: string
      readonly versionId: string
      /** The null version that this one took the place of. Only with versionId 'null'. */
      readonly replaces: Position | null
      readonly attributes: ObjectAttributes
      readonly bytes: number
      /** [] unless it was uploaded in parts. */
      readonly parts: readonly Part[]
    }
  | { readonly kind: 'put-marker'; readonly key: string; readonly versionId: string; readonly replaces: Position | null }
  | { readonly kind: 'delete-version'; readonly key: string; readonly versionId: string; readonly target: Position }
  | { readonly kind: 'put-tags'; readonly key: string; readonly target: Position; readonly tags: Tags }

/** A version that a peer removed: out of sight, its bytes still there. */
export type HiddenVersion = {
  readonly bucketId: BucketId
  readonly key: string
  readonly position: Position
  readonly kind: 'object' | 'delete-marker'
  /** Whether it was written as the null version. */
  readonly wasNull: boolean
  readonly bytes: number
  readonly removedBy: SiteId
  /** When it came to be here, and when it was removed, by the order in which changes were applied here. */
  readonly madeAt: number
  readonly removedAt: number
  /** When it was removed here, and when its bytes will be given up. */
  readonly removedMs: number
  readonly untilMs: number
}

export type ForeignFault =
  | StoreFault
  /** Bytes are missing for a version that is not there. */
  | 'content-needed'
  /** The same number of this origin was applied with another digest. */
  | 'conflicting-history'
  /** Its clock is more than a day ahead of ours: the operation is kept out. */
  | 'from-the-future'
  | 'no-such-bucket'

/** What an operation was in an earlier epoch of its site; `knows`: what its site says to hold of the operations of this one in that bucket. */
export type Twin = { readonly epoch: number; readonly number: number; readonly knows: Ranges }

export type KeptOperation = { readonly operation: Operation; readonly evidence: Uint8Array }

export interface OperationReader {
  /** An applied operation of another site, as it came. */
  foreign(bucketId: BucketId, origin: Origin, number: number): Promise<KeptOperation | undefined>
  /** The operation of this site itself at a position: made here, or one that came back. */
  own(bucketId: BucketId, position: Position): Promise<Operation | undefined>
  close(): Promise<void>
}

export interface FederationStore {
  readonly siteId: SiteId
  /** The present one: it can change while the site is open. */
  readonly epoch: number
  /** `${siteId}/${epoch}`. */
  readonly origin: Origin
  /** Number of the newest operation made here in the bucket. Deleted buckets keep theirs until every peer knows. */
  lastOperation(bucketId: BucketId): Promise<number>
  /** Operations made here in the bucket with numbers `from` to `to`, ascending. Holds no read transaction between yields. */
  operations(bucketId: BucketId, from: number, to: number): AsyncIterable<Operation>
  /** Buckets deleted here that peers may still have to hear of. */
  deletedBuckets(): Promise<readonly Bucket[]>
  /** The version at a position, if it is (still) there. */
  findAt(bucketId: BucketId, key: string, position: Position): Promise<Version | undefined>
  /** What has been applied in the bucket, by foreign origin. */
  held(bucketId: BucketId): Promise<Frontier>
  /**
   * Makes the local bucket for a foreign one, keeping its origin; or (`mergeInto`) lets the foreign bucket's operations go into a local one from now on.
   * Durable. Answers the local bucket; asking again for the same origin answers the same bucket.
   */
  adoptBucket(input: {
    readonly origin: Position
    readonly name: BucketName
    readonly owner: string
    readonly mergeInto?: BucketId
  }): Promise<Result<Bucket, StoreFault | 'name-taken'>>
  /** The local bucket that a foreign bucket's origin was adopted as, or that has this origin itself. */
  findBucketByOrigin(origin: Position): Promise<Bucket | undefined>
  /**
   * Merges one foreign operation: a set union by position (DESIGN section 6, "Merge"). `digest` is that of the operation's signed bytes; `evidence`
   * (signed bytes, tree path, signed root) is kept as received. Applying again answers 'already'. Submit in ascending number; many may be in flight.
   * `content` undefined: the version's bytes are gone at the origin (it was deleted since), only its effects on others count.
   */
  applyForeign(input: {
    readonly bucketId: BucketId
    readonly from: Origin
    readonly operation: Operation
    readonly digest: Uint8Array
    readonly evidence: Uint8Array
    readonly content?: StagedContent
    /** The number of the same change in an earlier epoch of its site, from the caller's own look at it: the new number takes the place of the old. */
    readonly twin?: Twin
    /** How long versions that it removes can be brought back; 0: not at all. 30 days unless given. */
    readonly keepRemovedMs?: number
  }): Promise<Result<{ readonly kind: 'applied' | 'already'; readonly concurrent: boolean }, ForeignFault>>
  /** The greatest stamp of any operation, own or imported: microseconds since 1970. */
  greatestClock(): Promise<number>
  /** Reads single operations; to be closed. Cheap where they are asked for in the order in which they came. */
  openOperations(): OperationReader
  /** Versions that peers removed and that can still be brought back, by bucket, key and position; at most `max` behind `after`, the last one of the page before. */
  listHidden(after: HiddenVersion | undefined, max: number): Promise<readonly HiddenVersion[]>
  /** How many there are and what they hold, by the site that removed them. */
  hiddenSums(): Promise<readonly { readonly site: SiteId; readonly versions: number; readonly bytes: number }[]>
  /**
   * Brings a hidden version back as a new one with the same bytes, in its old place among the versions of the key; `asNewest`: on top, if all that is above it was written
   * by the site that removed it, when it did or later. A deleted bucket is back with it. False: it is not hidden (any more).
   */
  returnVersion(hidden: HiddenVersion, asNewest: boolean): Promise<Result<boolean, StoreFault | 'name-taken'>>
  /** Deleted buckets that hold versions all the same, and the sites that deleted them. */
  lostBuckets(): Promise<readonly { readonly bucket: Bucket; readonly deletedBy: readonly SiteId[] }[]>
  /** Undoes the deletion of a bucket by an operation that it had not seen. False: it is there. */
  returnBucket(id: BucketId): Promise<Result<boolean, StoreFault | 'name-taken'>>
  /** Gives up the bytes of hidden versions, at most 500. Answers how many there were. */
  dropHidden(hidden: readonly HiddenVersion[]): Promise<Result<number, StoreFault>>
  /** Small journaled documents of the federation (peers, receipts, what was imported when), by collection and name, at most 1 MiB each. */
  getDocument(collection: string, name: string): Promise<Uint8Array | undefined>
  listDocuments(collection: string, after: string, max: number): Promise<readonly { readonly name: string; readonly content: Uint8Array }[]>
  /** All or none. `expect`: the content that must be there now (null: none). `content` null removes. */
  putDocuments(
    changes: readonly {
      readonly collection: string
      readonly name: string
      readonly content: Uint8Array | null
      readonly expect?: Uint8Array | null
    }[],
  ): Promise<Result<void, StoreFault | 'conflict'>>
}
