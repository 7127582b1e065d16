/**
 * What the commit thread is asked to change, and what it answers. Plain data that survives structured cloning; byte arrays own their ArrayBuffer,
 * since a message between threads copies the whole of one.
 */
import type { Operation, Origin, Twin } from '../../operation.ts'
import type { WriteCondition } from '../../store.ts'
import type { Bucket, BucketId, BucketName, Checksum, ChecksumAlgorithm, Part, Position, StoreFault, Versioning } from '../../terms.ts'
import type { StagedExtent } from '../disk-stays.ts'
import type { HiddenVersionAt, ShardNote } from './record.ts'

/** Content of a new version or part. */
export type RequestContent =
  | { readonly kind: 'none' }
  /** Goes into the journal with the record. */
  | { readonly kind: 'body'; readonly body: Uint8Array }
  /** Bit s of `durable` is set if shard s was when it was written. */
  | ({ readonly kind: 'extent' } & StagedExtent)
  /** Bytes `from` to `to` (exclusive) of the version at a position, if it is still there. */
  | {
      readonly kind: 'shared'
      readonly bucketId: BucketId
      readonly key: string
      readonly position: Position
      readonly from: number
      readonly to: number
    }

/** Attributes but the ETag, as `encodeAttributes` made them; `checksum` is the number of the algorithm, 0 for none. */
export type RequestAttributes = { readonly etag: string; readonly attributes: Uint8Array; readonly checksum: number }

type InBucket = { readonly bucketId: BucketId }
type OfKey = InBucket & { readonly key: string }
type OfUpload = OfKey & { readonly uploadId: string }

export type ChangeRequest =
  | { readonly kind: 'create-bucket'; readonly name: BucketName; readonly owner: string }
  | (InBucket & { readonly kind: 'delete-bucket' })
  | (InBucket & { readonly kind: 'put-versioning'; readonly versioning: 'enabled' | 'suspended' })
  | (InBucket & { readonly kind: 'put-configuration'; readonly name: string; readonly json: string | null })
  | (OfKey & RequestAttributes & { readonly kind: 'put-object'; readonly content: RequestContent; readonly condition?: WriteCondition })
  | (OfKey & { readonly kind: 'delete-object'; readonly versionId?: string; readonly condition?: WriteCondition })
  | (OfKey & { readonly kind: 'put-tags'; readonly versionId?: string; readonly tags: readonly (readonly [string, string])[] })
  | (OfKey & {
      readonly kind: 'create-upload'
      readonly attributes: Uint8Array
      readonly checksumAlgorithm?: ChecksumAlgorithm
      readonly checksumType?: Checksum['type']
    })
  | (OfUpload & {
      readonly kind: 'put-part'
      readonly number: number
      readonly etag: string
      readonly checksum?: Checksum
      readonly content: RequestContent
    })
  | (OfUpload & {
      readonly kind: 'complete-upload'
      readonly parts: readonly Pick<Part, 'number' | 'etag' | 'bytes'>[]
      readonly etag: string
      readonly checksum?: Checksum
      readonly condition?: WriteCondition
    })
  | (OfUpload & { readonly kind: 'abort-upload' })
  /** Forgets uploads that were completed before a stamp, at most a page of them. */
  | { readonly kind: 'expire-uploads'; readonly before: number }
  | { readonly kind: 'put-documents'; readonly documents: readonly DocumentChange[] }
  | {
      readonly kind: 'adopt-bucket'
      readonly origin: Position
      readonly name: BucketName
      readonly owner: string
      readonly mergeInto?: BucketId
    }
  | (InBucket & {
      readonly kind: 'apply-foreign'
      readonly from: Origin
      readonly operation: Operation
      readonly digest: Uint8Array
      readonly evidence: Uint8Array
      /** Undefined: the bytes are not to be had any more. */
      readonly content?: RequestContent
      readonly twin?: Twin
      /** How long what it removes stays hidden before its bytes are given up; 0 frees it at once. HIDDEN_KEPT_US unless given. */
      readonly keepUs?: number
    })
  /** `clock`: the greatest stamp of this site that anybody has seen; later ones are greater. */
  | { readonly kind: 'begin-epoch'; readonly epoch: number; readonly clock: number }
  /** Brings a hidden version back. `asNewest`: on top of what the same peer wrote since, if nobody else did. */
  | (OfKey & { readonly kind: 'return-version'; readonly hidden: Position; readonly asNewest: boolean })
  /** Makes an operation in a bucket that is deleted, which undoes the deletion. */
  | (InBucket & { readonly kind: 'return-bucket' })
  /** Gives up hidden versions, at most HIDDEN_AT_ONCE. */
  | { readonly kind: 'drop-hidden'; readonly hidden: readonly HiddenVersionAt[] }
  /** Gives up hidden versions whose time has passed, at most a page of them. */
  | { readonly kind: 'expire-hidden'; readonly before: number }
  /** Shards that were found bad or missing, or are whole again. Bit s stands for shard s. */
  | { readonly kind: 'note-shards'; readonly shards: readonly ShardNote[] }
  /** Lets manifests go that have no owners. */
  | { readonly kind: 'drop-manifests'; readonly manifests: readonly number[] }

export type DocumentChange = {
  readonly collection: string
  readonly name: string
  readonly content: Uint8Array | null
  readonly expect?: Uint8Array | null
}

/** Outcomes by the kind of change; LocalStore's signatures say which value belongs to which kind. */
export type ChangeValue =
  | undefined
  | Bucket
  | { readonly versionId: string; readonly position: Position; readonly modifiedMs: number; readonly versioning: Versioning }
  | {
      readonly kind: 'marker-made' | 'removed' | 'nothing'
      readonly versionId: string | undefined
      readonly removedMarker: boolean
      readonly versioning: Versioning
    }
  | { readonly versionId: string }
  | { readonly uploadId: string; readonly initiatedMs: number }
  | Part
  | { readonly expired: number }
  | { readonly returned: boolean }
  | { readonly kind: 'applied' | 'already'; readonly concurrent: boolean }

export type Refusal =
  | StoreFault
  | 'no-such-key'
  | 'precondition-failed'
  | 'no-such-bucket'
  | 'source-gone'
  | 'not-empty'
  | 'no-such-version'
  | 'is-delete-marker'
  | 'no-such-upload'
  | 'invalid-part'
  | 'changed-meanwhile'
  | 'conflict'
  | 'name-taken'
  | 'content-needed'
  | 'conflicting-history'
  | 'from-the-future'
  | { readonly kind: 'exists'; readonly bucket: Bucket }

/**
 * `unused`: content that was staged was not needed and belongs to nobody. `doubtful`: the change may be found done after a restart, so that what was
 * staged has to stay; any other refusal means that nothing was written. `disksChanged`: a disk lacks its shard of what was staged.
 */
export type ChangeReply =
  | { readonly ok: true; readonly value: ChangeValue; readonly unused?: true }
  | { readonly ok: false; readonly error: Refusal; readonly doubtful?: true; readonly disksChanged?: true }
