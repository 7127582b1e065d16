/**
 * Keys of the index: a byte that names the table, then the fields, numbers big-endian so that bytes order as numbers do.
 * Format: docs/formats.md#index.
 */
import { hash } from 'node:crypto'
import type { BucketId, BucketName, Position, SiteId } from '../../terms.ts'
import { POSITION_BYTES, writePosition, writeUint64 } from '../position.ts'

export const Table = {
  state: 0x01,
  epoch: 0x02,
  site: 0x03,
  bucket: 0x10,
  bucketName: 0x11,
  bucketOrigin: 0x12,
  bucketOperations: 0x13,
  held: 0x14,
  operation: 0x15,
  foreignOperation: 0x16,
  deletedBucket: 0x17,
  tombstone: 0x18,
  configurationStamp: 0x19,
  bucketDeletions: 0x1a,
  returned: 0x1b,
  current: 0x20,
  version: 0x21,
  nullVersion: 0x22,
  namedVersion: 0x23,
  lostNulls: 0x24,
  hidden: 0x25,
  hiddenUntil: 0x26,
  hiddenSum: 0x27,
  upload: 0x30,
  part: 0x31,
  completedUpload: 0x32,
  manifest: 0x40,
  manifestOwner: 0x41,
  doomedManifest: 0x42,
  extent: 0x50,
  extentOwner: 0x51,
  heal: 0x52,
  document: 0x60,
} as const
export type TableCode = (typeof Table)[keyof typeof Table]

/** Every key of a table lies from `first` (inclusive) to `end`. */
export type KeyRange = { readonly from: Uint8Array; readonly to: Uint8Array }

export const tableRange = (table: TableCode): KeyRange => ({ from: Uint8Array.of(table), to: Uint8Array.of(table + 1) })

/** The first key behind all that begin with `prefix`. */
export function behind(prefix: Uint8Array): Uint8Array {
  let length = prefix.length
  while (length > 0 && prefix[length - 1] === 0xff) length--
  const end = Buffer.from(prefix.subarray(0, length))
  end[length - 1]!++
  return end
}
export const prefixRange = (prefix: Uint8Array): KeyRange => ({ from: prefix, to: behind(prefix) })

const key = (table: TableCode, bytes: number): Buffer => {
  const made = Buffer.allocUnsafe(1 + bytes)
  made[0] = table
  return made
}

/** A number of 32 bits, and room for more behind it. */
function numbered(table: TableCode, number: number, more = 0): Buffer {
  const made = key(table, 4 + more)
  made.writeUInt32BE(number, 1)
  return made
}

/** Numbers of 64 bits. */
function longs(table: TableCode, first: number, second?: number): Buffer {
  const made = key(table, second === undefined ? 8 : 16)
  writeUint64(made, 1, first)
  if (second !== undefined) writeUint64(made, 9, second)
  return made
}

function texted(table: TableCode, text: string): Buffer {
  const made = key(table, Buffer.byteLength(text))
  made.write(text, 1)
  return made
}

export const stateKey = Uint8Array.of(Table.state)
export const epochKey = Uint8Array.of(Table.epoch)
export const siteKey = Uint8Array.of(Table.site)

// Buckets
export const bucketKey = (id: BucketId): Buffer => numbered(Table.bucket, id)
export const deletedBucketKey = (id: BucketId): Buffer => numbered(Table.deletedBucket, id)
export const bucketDeletionsKey = (id: BucketId): Buffer => numbered(Table.bucketDeletions, id)
/** A new epoch goes on with the numbers of the one before, and with its operations: the field that names an epoch stays at the first. */
const FIRST_EPOCH = 1
export function bucketOperationsKey(id: BucketId): Buffer {
  const made = numbered(Table.bucketOperations, id, 4)
  made.writeUInt32BE(FIRST_EPOCH, 5)
  return made
}
export const heldKey = (id: BucketId): Buffer => numbered(Table.held, id)
export const bucketNameKey = (name: BucketName): Buffer => texted(Table.bucketName, name)
export function bucketOriginKey(origin: Position): Buffer {
  const made = key(Table.bucketOrigin, POSITION_BYTES)
  writePosition(made, 1, origin)
  return made
}
/** Sequences of the bucket's operations lie in rows of this many. */
export const OPERATIONS_PER_ROW = 64
export const operationRow = (number: number): number => Math.floor((number - 1) / OPERATIONS_PER_ROW)
export function operationKey(id: BucketId, row: number): Buffer {
  const made = numbered(Table.operation, id, 12)
  made.writeUInt32BE(FIRST_EPOCH, 5)
  writeUint64(made, 9, row)
  return made
}
export function foreignOperationKey(id: BucketId, site: SiteId, epoch: number, number: number): Buffer {
  const made = numbered(Table.foreignOperation, id, 28)
  made.write(site, 5, 16, 'hex')
  made.writeUInt32BE(epoch, 21)
  writeUint64(made, 25, number)
  return made
}
/** An operation of this site's own that was lost with a restore and came back from a peer. */
export function returnedKey(id: BucketId, position: Position): Buffer {
  const made = numbered(Table.returned, id, POSITION_BYTES)
  writePosition(made, 5, position)
  return made
}
export function configurationStampKey(id: BucketId, name: string): Buffer {
  const made = numbered(Table.configurationStamp, id, Buffer.byteLength(name))
  made.write(name, 5)
  return made
}

// Versions
export const currentPrefix = (id: BucketId): Buffer => numbered(Table.current, id)
export const versionPrefix = (id: BucketId): Buffer => numbered(Table.version, id)
/** Bytes before the S3 key in keys of `current`, `version`, `nullVersion` and `upload`. */
export const BEFORE_S3_KEY = 5

function withS3Key(table: TableCode, id: BucketId, s3Key: string, more: number): Buffer {
  const made = numbered(table, id, Buffer.byteLength(s3Key) + more)
  made.write(s3Key, BEFORE_S3_KEY)
  return made
}
/** U+0000 cannot be in an S3 key, so it ends one. */
function withPosition(table: TableCode, id: BucketId, s3Key: string, position: Position): Buffer {
  const made = withS3Key(table, id, s3Key, BEHIND_S3_KEY)
  const at = made.length - POSITION_BYTES
  made[at - 1] = 0
  writePosition(made, at, position)
  return made
}
export const currentKey = (id: BucketId, s3Key: string): Buffer => withS3Key(Table.current, id, s3Key, 0)
export const nullVersionKey = (id: BucketId, s3Key: string): Buffer => withS3Key(Table.nullVersion, id, s3Key, 0)
export const lostNullsKey = (id: BucketId, s3Key: string): Buffer => withS3Key(Table.lostNulls, id, s3Key, 0)

/** All rows of one S3 key in `version` begin with this. */
export function versionsOfKey(id: BucketId, s3Key: string): Buffer {
  const made = withS3Key(Table.version, id, s3Key, 1)
  made[made.length - 1] = 0
  return made
}
/** Newest first: the position's bytes are inverted. */
export function versionKey(id: BucketId, s3Key: string, position: Position): Buffer {
  const made = withPosition(Table.version, id, s3Key, position)
  for (let index = made.length - POSITION_BYTES; index < made.length; index++) made[index]! ^= 0xff
  return made
}
/** Bytes behind the S3 key in a key of `version`. */
export const BEHIND_S3_KEY = 1 + POSITION_BYTES

export function namedVersionKey(id: BucketId, s3Key: string, versionId: string): Buffer {
  const made = numbered(Table.namedVersion, id, 32)
  hash('sha256', `${s3Key}\0${versionId}`, 'buffer').copy(made, 5)
  return made
}
export const tombstoneKey = (id: BucketId, s3Key: string, position: Position): Buffer => withPosition(Table.tombstone, id, s3Key, position)

// Versions that a peer removed and that can still be brought back
export const hiddenPrefix = (id: BucketId): Buffer => numbered(Table.hidden, id)
export const hiddenKey = (id: BucketId, s3Key: string, position: Position): Buffer => withPosition(Table.hidden, id, s3Key, position)
/** `owner`: of the version. */
export const hiddenUntilKey = (until: number, owner: number): Buffer => longs(Table.hiddenUntil, until, owner)
export function hiddenSumKey(site: SiteId): Buffer {
  const made = key(Table.hiddenSum, 16)
  made.write(site, 1, 16, 'hex')
  return made
}

// Uploads
export const uploadPrefix = (id: BucketId): Buffer => numbered(Table.upload, id)
/** Oldest first within a key. */
export const uploadKey = (id: BucketId, s3Key: string, position: Position): Buffer => withPosition(Table.upload, id, s3Key, position)
/** `upload`: the sequence of the record that created it. */
export const partPrefix = (upload: number): Buffer => longs(Table.part, upload)
export function partKey(upload: number, number: number): Buffer {
  const made = key(Table.part, 10)
  writeUint64(made, 1, upload)
  made.writeUInt16BE(number, 9)
  return made
}
export const completedUploadKey = (clock: number, upload: number): Buffer => longs(Table.completedUpload, clock, upload)

// Content
export const manifestPrefix = (id: number): Buffer => longs(Table.manifest, id)
/** A chunk of parts by the offset of its first byte in the object, then by its number. */
export function manifestKey(id: number, from: number, chunk: number): Buffer {
  const made = key(Table.manifest, 20)
  writeUint64(made, 1, id)
  writeUint64(made, 9, from)
  made.writeUInt32BE(chunk, 17)
  return made
}
export const manifestOwnerKey = (id: number, owner: number): Buffer => longs(Table.manifestOwner, id, owner)
/** A manifest without owners, whose parts are still to be given up. */
export const doomedManifestKey = (id: number): Buffer => longs(Table.doomedManifest, id)
export const manifestOwnersOf = (id: number): KeyRange => prefixRange(longs(Table.manifestOwner, id))

export type ExtentId = { readonly start: number; readonly counter: number }

function ofExtent(table: TableCode, { start, counter }: ExtentId, more: number): Buffer {
  const made = numbered(table, start, 8 + more)
  writeUint64(made, 5, counter)
  return made
}
export const extentKey = (extent: ExtentId): Buffer => ofExtent(Table.extent, extent, 0)
export const healKey = (extent: ExtentId): Buffer => ofExtent(Table.heal, extent, 0)
export function extentOwnerKey(extent: ExtentId, owner: number): Buffer {
  const made = ofExtent(Table.extentOwner, extent, 8)
  writeUint64(made, 13, owner)
  return made
}
export const extentOwnersOf = (extent: ExtentId): KeyRange => prefixRange(ofExtent(Table.extentOwner, extent, 0))

// Documents
export const documentPrefix = (collection: string): Buffer => texted(Table.document, `${collection}\0`)
export const documentKey = (collection: string, name: string): Buffer => texted(Table.document, `${collection}\0${name}`)
