/** The part of the Store contract that bundles and online sync need: operations made here and elsewhere, hidden versions, documents. */
import type { Result } from '../result.ts'
import type { Frontier, KeptOperation, Operation, Origin, Twin } from './operation.ts'
import type { Bucket, BucketId, BucketName, Position, SiteId, StagedContent, StoreFault, Version } from './terms.ts'

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
   * Durable. Answers the local bucket; asking again for the same origin answers the same bucket. One that is deleted here
   * takes the name, to come back under it.
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
   * Merges one foreign operation: a set union by position (docs/architecture.md#bundles, "Merge"). `digest` is that of the operation's signed bytes; `evidence`
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
   * Brings a hidden version back as a new one with the same bytes: in its old place among the versions of the key; or on top, if all that is above it
   * was written by the site that removed it, when it did or later. A deleted bucket is back with it. False: it is not hidden (any more).
   */
  returnVersion(hidden: HiddenVersion, place: 'in-old-place' | 'on-top'): Promise<Result<boolean, StoreFault | 'name-taken'>>
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
