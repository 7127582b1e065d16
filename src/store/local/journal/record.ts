/**
 * Journal record header, 72 bytes, little-endian. Format: docs/formats.md#journal-record, version 1.
 *
 *   offset  bytes  field
 *        0      4  magic             "HFRC"
 *        4      1  version           1
 *        5      1  kind
 *        6      2  batchIndex        place in its batch
 *        8      8  sequence          one more than in the record before
 *       16      8  clock             microseconds
 *       24      4  metadataBytes
 *       28      4  bodyBytes
 *       32      2  batchRecords      records in its batch
 *       34      2  zero
 *       36      4  offset            of this header in the segment
 *       40      8  metadataChecksum  xxh64, seed 0
 *       48      8  bodyChecksum      xxh64, seed 0
 *       56      8  before            checksum of the record before
 *       64      8  checksum          xxh64 of bytes 0–63, seeded by the segment
 */
import { readNumber, writeNumber, type Xxh64 } from './checksum.ts'
import { BATCH_RECORDS_MAX, BODY_BYTES_MAX, METADATA_BYTES_MAX } from './terms.ts'

export const RECORD_HEADER_BYTES = 72
export const RECORD_VERSION = 1
/** "HFRC", read as a little-endian number. */
export const RECORD_MAGIC = 0x43524648

export type RecordHeader = {
  readonly kind: number
  readonly batchIndex: number
  readonly batchRecords: number
  readonly sequence: number
  readonly clock: number
  readonly metadataBytes: number
  readonly bodyBytes: number
  readonly offset: number
  readonly metadataChecksum: bigint
  readonly bodyChecksum: bigint
  readonly before: bigint
}

export type DecodedHeader = RecordHeader & { readonly checksum: bigint }

/** Header, metadata, body and padding. */
export const recordBytes = (metadataBytes: number, bodyBytes: number): number =>
  Math.ceil((RECORD_HEADER_BYTES + metadataBytes + bodyBytes) / 8) * 8

/** Writes the header at `at` (`bytes` and `view` cover the same memory) and answers its checksum. */
export function encodeRecordHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  header: RecordHeader,
  seed: bigint,
  xxh64: Xxh64,
): bigint {
  view.setUint32(at, RECORD_MAGIC, true)
  view.setUint8(at + 4, RECORD_VERSION)
  view.setUint8(at + 5, header.kind)
  view.setUint16(at + 6, header.batchIndex, true)
  writeNumber(view, at + 8, header.sequence)
  writeNumber(view, at + 16, header.clock)
  view.setUint32(at + 24, header.metadataBytes, true)
  view.setUint32(at + 28, header.bodyBytes, true)
  view.setUint16(at + 32, header.batchRecords, true)
  view.setUint16(at + 34, 0, true)
  view.setUint32(at + 36, header.offset, true)
  view.setBigUint64(at + 40, header.metadataChecksum, true)
  view.setBigUint64(at + 48, header.bodyChecksum, true)
  view.setBigUint64(at + 56, header.before, true)
  const checksum = xxh64(bytes.subarray(at, at + 64), seed)
  view.setBigUint64(at + 64, checksum, true)
  return checksum
}

/**
 * The header in the first 72 bytes if it is one, of the segment with this seed, and lies at `offset` of it. Undefined else, whatever the bytes are:
 * a reader can only go on to the next copy.
 */
export function decodeRecordHeader(bytes: Uint8Array, offset: number, seed: bigint, xxh64: Xxh64): DecodedHeader | undefined {
  if (bytes.length < RECORD_HEADER_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEADER_BYTES)
  if (view.getUint32(0, true) !== RECORD_MAGIC || view.getUint8(4) !== RECORD_VERSION || view.getUint32(36, true) !== offset)
    return undefined
  const checksum = view.getBigUint64(64, true)
  if (xxh64(bytes.subarray(0, 64), seed) !== checksum) return undefined
  const sequence = readNumber(view, 8)
  const clock = readNumber(view, 16)
  const metadataBytes = view.getUint32(24, true)
  const bodyBytes = view.getUint32(28, true)
  const batchIndex = view.getUint16(6, true)
  const batchRecords = view.getUint16(32, true)
  if (sequence === undefined || clock === undefined || sequence <= batchIndex || view.getUint16(34, true) !== 0) return undefined
  if (metadataBytes > METADATA_BYTES_MAX || bodyBytes > BODY_BYTES_MAX) return undefined
  if (batchRecords > BATCH_RECORDS_MAX || batchIndex >= batchRecords) return undefined
  return {
    kind: view.getUint8(5),
    batchIndex,
    batchRecords,
    sequence,
    clock,
    metadataBytes,
    bodyBytes,
    offset,
    metadataChecksum: view.getBigUint64(40, true),
    bodyChecksum: view.getBigUint64(48, true),
    before: view.getBigUint64(56, true),
    checksum,
  }
}
