/**
 * Records: changes as the journal keeps them, whole outcomes that `apply` needs nothing else to carry out but the index before them.
 * The metadata of a journal record is the CBOR map of the fields below without `kind`, which the journal keeps itself.
 * Format: docs/formats.md#record-metadata, version 1.
 */
import type { ExtentPlace } from '../../../disks/geometry.ts'
import { fail, ok, type Result } from '../../../result.ts'
import type { Change, Operation, Origin, Twin } from '../../operation.ts'
import type { BucketId, BucketName, Checksum, ChecksumAlgorithm, Position, Tags } from '../../terms.ts'
import { decodeCbor, encodeCbor } from '../codec.ts'
import type { PackedSlices } from '../index/rows.ts'

/** Numbers of the kinds; never used for another. */
export const RECORD_KINDS = {
  'create-bucket': 1,
  'delete-bucket': 2,
  'put-versioning': 3,
  'put-configuration': 4,
  'put-object': 5,
  'put-marker': 6,
  'delete-version': 7,
  'put-tags': 8,
  'create-upload': 9,
  'put-part': 10,
  'complete-upload': 11,
  'abort-upload': 12,
  'expire-uploads': 13,
  'put-document': 14,
  'adopt-bucket': 15,
  'apply-foreign': 16,
  'note-shards': 17,
  'drop-manifests': 18,
  'begin-epoch': 19,
  'return-version': 20,
  'drop-hidden': 21,
} as const
export type RecordKind = keyof typeof RECORD_KINDS

/** The number of the operation that a change of a bucket is. `frontier`: CBOR of what had been applied of other origins, if anything. */
export type LocalOperation = { readonly epoch: number; readonly number: number; readonly frontier?: Uint8Array }

/** Content as a record holds it. */
export type RecordContent =
  | { readonly kind: 'none' }
  /** The record's body. */
  | { readonly kind: 'body'; readonly bytes: number }
  | { readonly kind: 'extent'; readonly place: ExtentPlace; readonly durable: number }
  /** What others own too. */
  | { readonly kind: 'shared'; readonly slices: PackedSlices }

type InBucket = { readonly bucket: BucketId; readonly operation: LocalOperation }
type OfKey = InBucket & { readonly key: string }
/** `upload`: the position of the record that created it. */
type OfUpload = { readonly bucket: BucketId; readonly key: string; readonly upload: Position }

/** A part as a complete-upload record lists it. */
export type RecordPart = {
  readonly number: number
  readonly owner: number
  readonly bytes: number
  readonly etag: Uint8Array
  readonly checksum?: Checksum
  readonly clock: number
}

export type PutObjectRecord = OfKey & {
  readonly kind: 'put-object'
  /** Whether its version id is 'null'; else the id is made from its position. */
  readonly isNull: boolean
  /** The null version that it takes the place of. */
  readonly replaces?: Position
  readonly etag: string
  readonly checksum: number
  readonly attributes: Uint8Array
  readonly bytes: number
  readonly content: RecordContent
}
export type CompleteUploadRecord = Omit<PutObjectRecord, 'kind' | 'content'> & {
  readonly kind: 'complete-upload'
  readonly upload: Position
  readonly parts: readonly RecordPart[]
}
export type ApplyForeignRecord = {
  readonly kind: 'apply-foreign'
  readonly bucket: BucketId
  /** Of this site, at the time. */
  readonly epoch: number
  readonly from: Origin
  readonly number: number
  readonly position: Position
  /** CBOR of the frontier that its origin had seen. */
  readonly frontier: Uint8Array
  readonly change: Change
  readonly digest: Uint8Array
  readonly evidence: Uint8Array
  /** Undefined: only its effects on others count. */
  readonly content?: RecordContent
  /** An operation of this site's own that came back: the number that it has here from now on. */
  readonly operation?: LocalOperation
  /** The same change of the same site as it was numbered in an earlier epoch, which is known here: nothing but its number is new. */
  readonly twin?: Twin
  /** What it was in an earlier epoch of its site, which had lost it and got it back. */
  readonly was?: NonNullable<Operation['was']>
  /** Microseconds since 1970: what it removes is hidden until then. Undefined: it is freed. */
  readonly keepUntil?: number
}
/** A hidden version that comes back as another one. */
export type ReturnVersionRecord = OfKey & {
  readonly kind: 'return-version'
  readonly hidden: Position
  /** Of the version that it is from now on: made here, perhaps with the clock of the hidden one. */
  readonly position: Position
  readonly isMarker: boolean
  readonly isNull: boolean
  readonly etag: string
  readonly checksum: number
  readonly attributes: Uint8Array
  readonly bytes: number
  readonly content: RecordContent
  /** For peers; the content has them already. */
  readonly parts: readonly RecordPart[]
}
/** Shards of an extent that are whole again, and those that are lost: bit s stands for shard s. */
export type ShardNote = { readonly start: number; readonly counter: number; readonly healed: number; readonly lost: number }
export type HiddenVersionAt = { readonly bucket: BucketId; readonly key: string; readonly position: Position }

export type ChangeRecord =
  | (InBucket & { readonly kind: 'create-bucket'; readonly name: BucketName; readonly owner: string; readonly origin: Position })
  | (InBucket & { readonly kind: 'delete-bucket' })
  | (InBucket & { readonly kind: 'put-versioning'; readonly versioning: 'enabled' | 'suspended' })
  | (InBucket & { readonly kind: 'put-configuration'; readonly name: string; readonly json: string | null })
  | PutObjectRecord
  | (OfKey & { readonly kind: 'put-marker'; readonly isNull: boolean; readonly replaces?: Position })
  | (OfKey & { readonly kind: 'delete-version'; readonly versionId: string; readonly target: Position })
  | (OfKey & { readonly kind: 'put-tags'; readonly target: Position; readonly tags: Tags })
  | {
      readonly kind: 'create-upload'
      readonly bucket: BucketId
      readonly key: string
      readonly attributes: Uint8Array
      readonly checksumAlgorithm?: ChecksumAlgorithm
      readonly checksumType?: Checksum['type']
    }
  | (OfUpload & {
      readonly kind: 'put-part'
      readonly number: number
      readonly bytes: number
      readonly etag: Uint8Array
      readonly checksum?: Checksum
      readonly content: RecordContent
    })
  | CompleteUploadRecord
  | (OfUpload & { readonly kind: 'abort-upload' })
  | {
      readonly kind: 'expire-uploads'
      readonly uploads: readonly { readonly bucket: BucketId; readonly key: string; readonly upload: Position; readonly clock: number }[]
    }
  | { readonly kind: 'put-document'; readonly collection: string; readonly name: string; readonly removed: boolean }
  | {
      readonly kind: 'adopt-bucket'
      readonly bucket: BucketId
      readonly name: BucketName
      readonly owner: string
      readonly origin: Position
      readonly merged: boolean
    }
  | ApplyForeignRecord
  | { readonly kind: 'note-shards'; readonly shards: readonly ShardNote[] }
  | { readonly kind: 'drop-manifests'; readonly manifests: readonly number[] }
  | { readonly kind: 'begin-epoch'; readonly epoch: number }
  | ReturnVersionRecord
  | { readonly kind: 'drop-hidden'; readonly hidden: readonly HiddenVersionAt[] }

export type EncodedRecord = { readonly kind: number; readonly metadata: Uint8Array }

export function encodeRecord(record: ChangeRecord): EncodedRecord {
  const { kind, ...fields } = record
  return { kind: RECORD_KINDS[kind], metadata: encodeCbor(fields) }
}

type FieldType = 'number' | 'text' | 'bytes' | 'flag' | 'map' | 'list' | 'number?' | 'text?' | 'map?' | 'bytes?' | 'text-or-null'
type Shape = Readonly<Record<string, FieldType>>

const OF_KEY: Shape = { bucket: 'number', operation: 'map', key: 'text' }
const OF_UPLOAD: Shape = { bucket: 'number', key: 'text', upload: 'map' }
const OF_VERSION: Shape = { isNull: 'flag', replaces: 'map?' }
const OF_OBJECT: Shape = { ...OF_KEY, ...OF_VERSION, etag: 'text', checksum: 'number', attributes: 'bytes', bytes: 'number' }

/** The fields that each kind must have. What a record says is trusted beyond that: its checksums vouch for it. */
const SHAPES: Readonly<Record<RecordKind, Shape>> = {
  'create-bucket': { bucket: 'number', operation: 'map', name: 'text', owner: 'text', origin: 'map' },
  'delete-bucket': { bucket: 'number', operation: 'map' },
  'put-versioning': { bucket: 'number', operation: 'map', versioning: 'text' },
  'put-configuration': { bucket: 'number', operation: 'map', name: 'text', json: 'text-or-null' },
  'put-object': { ...OF_OBJECT, content: 'map' },
  'put-marker': { ...OF_KEY, ...OF_VERSION },
  'delete-version': { ...OF_KEY, versionId: 'text', target: 'map' },
  'put-tags': { ...OF_KEY, target: 'map', tags: 'list' },
  'create-upload': { bucket: 'number', key: 'text', attributes: 'bytes', checksumAlgorithm: 'text?', checksumType: 'text?' },
  'put-part': { ...OF_UPLOAD, number: 'number', bytes: 'number', etag: 'bytes', checksum: 'map?', content: 'map' },
  'complete-upload': { ...OF_OBJECT, upload: 'map', parts: 'list' },
  'abort-upload': OF_UPLOAD,
  'expire-uploads': { uploads: 'list' },
  'put-document': { collection: 'text', name: 'text', removed: 'flag' },
  'adopt-bucket': { bucket: 'number', name: 'text', owner: 'text', origin: 'map', merged: 'flag' },
  'apply-foreign': {
    bucket: 'number',
    epoch: 'number',
    from: 'text',
    number: 'number',
    position: 'map',
    frontier: 'bytes',
    change: 'map',
    digest: 'bytes',
    evidence: 'bytes',
    content: 'map?',
    operation: 'map?',
    twin: 'map?',
    was: 'map?',
    keepUntil: 'number?',
  },
  'note-shards': { shards: 'list' },
  'drop-manifests': { manifests: 'list' },
  'begin-epoch': { epoch: 'number' },
  'return-version': {
    ...OF_KEY,
    hidden: 'map',
    position: 'map',
    isMarker: 'flag',
    isNull: 'flag',
    etag: 'text',
    checksum: 'number',
    attributes: 'bytes',
    bytes: 'number',
    content: 'map',
    parts: 'list',
  },
  'drop-hidden': { hidden: 'list' },
}
const KIND_BY_NUMBER = new Map<number, RecordKind>(Object.entries(RECORD_KINDS).map(([kind, number]) => [number, kind as RecordKind]))

/** 'unknown-kind': written by a newer software. 'malformed': not what the format says, although its checksums were right. */
export function decodeRecord(encoded: EncodedRecord): Result<ChangeRecord, 'unknown-kind' | 'malformed'> {
  const kind = KIND_BY_NUMBER.get(encoded.kind)
  if (kind === undefined) return fail('unknown-kind')
  const fields = decodeCbor(encoded.metadata)
  if (!isMap(fields)) return fail('malformed')
  for (const [name, type] of Object.entries(SHAPES[kind])) if (!hasType(fields[name], type)) return fail('malformed')
  return ok({ ...fields, kind } as unknown as ChangeRecord)
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

function hasType(value: unknown, type: FieldType): boolean {
  switch (type) {
    case 'number':
      return Number.isSafeInteger(value) && (value as number) >= 0
    case 'number?':
      return value === undefined || hasType(value, 'number')
    case 'text':
      return typeof value === 'string'
    case 'text?':
      return value === undefined || typeof value === 'string'
    case 'text-or-null':
      return value === null || typeof value === 'string'
    case 'bytes':
      return value instanceof Uint8Array
    case 'bytes?':
      return value === undefined || value instanceof Uint8Array
    case 'flag':
      return typeof value === 'boolean'
    case 'map':
      return isMap(value)
    case 'map?':
      return value === undefined || isMap(value)
    case 'list':
      return Array.isArray(value)
  }
}
