/**
 * The rows beside versions: what each table's values mean. CBOR maps where they are few or seldom read, fixed layouts where they are many.
 * Format: docs/formats.md#index.
 */
import type { ExtentPlace } from '../../../disks/geometry.ts'
import type { Frontier } from '../../operation.ts'
import type { Ranges } from '../../ranges.ts'
import type { Bucket, BucketId, BucketName, Checksum, ChecksumAlgorithm, Position, SiteId, Upload } from '../../terms.ts'
import { decodeCbor, encodeCborApart } from '../codec.ts'
import type { Slice, Slices } from '../content.ts'
import { readPosition, readUint64, writePosition, writeUint64 } from '../position.ts'
import {
  bucketKey,
  bucketNameKey,
  bucketOperationsKey,
  deletedBucketKey,
  type ExtentId,
  epochKey,
  extentKey,
  heldKey,
  OPERATIONS_PER_ROW,
  operationKey,
  operationRow,
  siteKey,
  stateKey,
} from './keys.ts'
import type { IndexReader, IndexWriter, OrderedMap } from './ordered-map.ts'

/** How far the index is. One row, 48 bytes: format 8, applied 8, clock 8, next bucket 8, generation 8, chain 8. */
export type IndexState = {
  /** Sequence of the newest record that was applied. */
  applied: number
  /** Checksum of that record, 16 hexadecimal digits. */
  chain: string
  /** The greatest stamp of any record or version, own or imported. */
  clock: number
  nextBucketId: number
  /** The newest generation of the pool that was seen. */
  generation: number
}
const STATE_BYTES = 48
const INDEX_FORMAT = 2

export const emptyState = (): IndexState => ({ applied: 0, chain: '0'.repeat(16), clock: 0, nextBucketId: 1, generation: 0 })

/** Undefined if there is none of this format: the index has to be made anew. */
export function readState(reader: IndexReader): IndexState | undefined {
  const value = reader.get(stateKey)
  if (value === undefined || value.length !== STATE_BYTES) return undefined
  const bytes = buffer(value)
  if (readUint64(bytes, 0) !== INDEX_FORMAT) return undefined
  return {
    applied: readUint64(bytes, 8),
    clock: readUint64(bytes, 16),
    nextBucketId: readUint64(bytes, 24),
    generation: readUint64(bytes, 32),
    chain: bytes.toString('hex', 40, 48),
  }
}
export function writeState(writer: IndexWriter, state: IndexState): void {
  const bytes = Buffer.alloc(STATE_BYTES)
  writeUint64(bytes, 0, INDEX_FORMAT)
  writeUint64(bytes, 8, state.applied)
  writeUint64(bytes, 16, state.clock)
  writeUint64(bytes, 24, state.nextBucketId)
  writeUint64(bytes, 32, state.generation)
  bytes.write(state.chain, 40, 8, 'hex')
  writer.put(stateKey, bytes)
}

const buffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Whether the index is this site's. One that says nothing was made before it would say so. */
export function isIndexOf(reader: IndexReader, site: SiteId): boolean {
  const value = reader.get(siteKey)
  return value === undefined || buffer(value).toString('hex') === site
}
/** False if it could not be noted. */
export function noteSite(index: OrderedMap, site: SiteId): boolean {
  if (index.reader().get(siteKey) !== undefined) return true
  const transaction = index.begin()
  transaction.put(siteKey, Buffer.from(site, 'hex'))
  return transaction.commit().ok
}

/** The epoch that the site is in by its journal; 1 before it ever began a new one. */
export function readEpoch(reader: IndexReader): number {
  const value = reader.get(epochKey)
  return value === undefined ? 1 : readUint64(buffer(value), 0)
}
export function writeEpoch(writer: IndexWriter, epoch: number): void {
  const bytes = Buffer.alloc(8)
  writeUint64(bytes, 0, epoch)
  writer.put(epochKey, bytes)
}

// Buckets
export const decodeBucket = (value: Uint8Array): Bucket => decodeCbor(value) as Bucket
export const encodeBucket = (bucket: Bucket): Uint8Array => encodeCborApart(bucket)

export function getBucket(reader: IndexReader, id: BucketId): Bucket | undefined {
  const value = reader.get(bucketKey(id))
  return value && decodeBucket(value)
}
export function getDeletedBucket(reader: IndexReader, id: BucketId): Bucket | undefined {
  const value = reader.get(deletedBucketKey(id))
  return value && decodeBucket(value)
}
export function getBucketByName(reader: IndexReader, name: BucketName): Bucket | undefined {
  const id = reader.get(bucketNameKey(name))
  return id && getBucket(reader, buffer(id).readUInt32BE(0) as BucketId)
}
export const encodeBucketId = (id: BucketId): Uint8Array => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(id)
  return bytes
}
export const decodeBucketId = (value: Uint8Array): BucketId => buffer(value).readUInt32BE(0) as BucketId

// Operations
export function lastOperation(reader: IndexReader, id: BucketId): number {
  const value = reader.get(bucketOperationsKey(id))
  return value === undefined ? 0 : readUint64(buffer(value), 0)
}
/** Notes that operation `number` of the bucket is in the record `sequence`. */
export function noteOperation(writer: IndexWriter, id: BucketId, number: number, sequence: number): void {
  const last = Buffer.allocUnsafe(8)
  writeUint64(last, 0, number)
  writer.put(bucketOperationsKey(id), last)
  const key = operationKey(id, operationRow(number))
  const at = ((number - 1) % OPERATIONS_PER_ROW) * 8
  const before = writer.get(key)
  const row = Buffer.allocUnsafe(at + 8)
  if (before !== undefined) row.set(before.length > at ? before.subarray(0, at) : before)
  writeUint64(row, at, sequence)
  writer.put(key, row)
}
/** The sequences of operations `from` to `to`, ascending; at most those of one row, undefined if there are none. */
export function operationSequences(reader: IndexReader, id: BucketId, from: number, to: number): readonly number[] {
  const value = reader.get(operationKey(id, operationRow(from)))
  if (value === undefined) return []
  const row = buffer(value)
  const sequences: number[] = []
  for (let at = ((from - 1) % OPERATIONS_PER_ROW) * 8, number = from; at + 8 <= row.length && number <= to; at += 8, number++) {
    sequences.push(readUint64(row, at))
  }
  return sequences
}

export const decodeFrontier = (value: Uint8Array | undefined): Frontier =>
  value === undefined ? {} : (decodeCbor(value) as Record<string, Ranges> as Frontier)
export const encodeFrontier = (frontier: Frontier): Uint8Array => encodeCborApart(frontier)
export const getHeld = (reader: IndexReader, id: BucketId): Frontier => decodeFrontier(reader.get(heldKey(id)))

// Positions
export function encodePosition(position: Position): Buffer {
  const bytes = Buffer.allocUnsafe(32)
  writePosition(bytes, 0, position)
  return bytes
}
export const decodePosition = (value: Uint8Array): Position => readPosition(buffer(value), 0)

// Slices, as CBOR arrays that begin with 1 (journal), 2 (extent), 3 (manifest)
export type PackedSlices = readonly (readonly number[])[]

export const packSlices = (slices: Slices): PackedSlices =>
  slices.map((slice) => {
    if (slice.kind === 'manifest') return [3, slice.from, slice.to, slice.id]
    if (slice.kind === 'extent') {
      const { set, start, counter, bytes, dataShards, parityShards } = slice.place
      return [2, slice.from, slice.to, set, start, counter, bytes, dataShards, parityShards]
    }
    const { segment, offset, bytes, checksumHigh, checksumLow, sequence } = slice.place
    return [1, slice.from, slice.to, segment, offset, bytes, checksumHigh, checksumLow, sequence]
  })

export const unpackSlices = (packed: PackedSlices): Slices => packed.map(unpackSlice)

function unpackSlice([kind, from = 0, to = 0, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0]: readonly number[]): Slice {
  if (kind === 3) return { kind: 'manifest', id: a, from, to }
  if (kind === 2) return { kind: 'extent', place: { set: a, start: b, counter: c, bytes: d, dataShards: e, parityShards: f }, from, to }
  return { kind: 'journal', place: { segment: a, offset: b, bytes: c, checksumHigh: d, checksumLow: e, sequence: f }, from, to }
}

// Uploads and parts
export type UploadRow = {
  readonly position: Position
  /** As `encodeAttributes` made it. */
  readonly attributes: Uint8Array
  readonly checksumAlgorithm?: ChecksumAlgorithm
  readonly checksumType?: Checksum['type']
  readonly completed?: NonNullable<Upload['completed']> & { readonly position: Position }
}
export const encodeUploadRow = (row: UploadRow): Uint8Array => encodeCborApart(row)
export const decodeUploadRow = (value: Uint8Array): UploadRow => decodeCbor(value) as UploadRow

export type PartRow = {
  readonly number: number
  /** Sequence of the record that made it: owns its content. */
  readonly owner: number
  readonly clock: number
  readonly bytes: number
  /** 16 bytes. */
  readonly etag: Uint8Array
  readonly checksum?: Checksum
  readonly slices: PackedSlices
}
export const encodePartRow = (row: PartRow): Uint8Array => encodeCborApart(row)
export const decodePartRow = (value: Uint8Array): PartRow => decodeCbor(value) as PartRow

/** Parts one behind the other, in order. */
export type ManifestChunk = { readonly lastNumber: number; readonly from: number; readonly parts: readonly PartRow[] }
export const PARTS_PER_CHUNK = 64
export const encodeManifestChunk = (chunk: ManifestChunk): Uint8Array => encodeCborApart(chunk)
export const decodeManifestChunk = (value: Uint8Array): ManifestChunk => decodeCbor(value) as ManifestChunk

// Extents: bytes 8, set 2, k 1, m 1, durable 4, big-endian
export type ExtentRow = { readonly place: ExtentPlace; readonly durable: number }

export function encodeExtentRow({ place, durable }: ExtentRow): Buffer {
  const row = Buffer.allocUnsafe(16)
  writeUint64(row, 0, place.bytes)
  row.writeUInt16BE(place.set, 8)
  row[10] = place.dataShards
  row[11] = place.parityShards
  row.writeUInt32BE(durable >>> 0, 12)
  return row
}
export function decodeExtentRow(id: ExtentId, value: Uint8Array): ExtentRow {
  const row = buffer(value)
  return {
    place: {
      set: row.readUInt16BE(8),
      start: id.start,
      counter: id.counter,
      bytes: readUint64(row, 0),
      dataShards: row[10]!,
      parityShards: row[11]!,
    },
    durable: row.readUInt32BE(12),
  }
}
export const decodeExtentId = (key: Uint8Array): ExtentId => ({ start: buffer(key).readUInt32BE(1), counter: readUint64(buffer(key), 5) })
export function getExtent(reader: IndexReader, id: ExtentId): ExtentRow | undefined {
  const value = reader.get(extentKey(id))
  return value && decodeExtentRow(id, value)
}
/** All shards of the extent. */
export const wholeMask = ({ dataShards, parityShards }: ExtentPlace): number => 2 ** (dataShards + parityShards) - 1
