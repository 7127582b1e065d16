/**
 * Segment header, 4,096 bytes, little-endian. Format: docs/formats.md#journal-segment, version 1.
 *
 *   offset  bytes  field
 *        0      8  magic          "HFSEGMNT"
 *        8      1  version        1
 *        9      1  kind           1, live
 *       10      2  disks          ids that follow, 1 to 32
 *       12      4  number
 *       16     16  pool
 *       32      8  generation
 *       40      8  firstSequence
 *       48      8  clock          greatest of any record before
 *       56      4  previous       number of the segment before, 0: none
 *       60      4  previousEnd    bytes of it that count
 *       64      8  previousChain  checksum of its last record
 *       72      4  bytes          size the file was made with
 *       76      4  zero
 *       80    512  disk ids, 16 bytes each, zeros behind
 *      592  3,496  zero
 *    4,088      8  checksum       xxh64 of bytes 0–4,087, seed 0: the seed of the records
 */
import { fail, ok, type Result } from '../../../result.ts'
import { readNumber, writeNumber, type Xxh64 } from './checksum.ts'

export const SEGMENT_HEADER_BYTES = 4096
export const SEGMENT_VERSION = 1
const MAGIC = 'HFSEGMNT'
const KIND_LIVE = 1
const DISKS_MAX = 32
const CHECKSUM_AT = SEGMENT_HEADER_BYTES - 8

/** What a reader takes; far above what is written. */
const BYTES_MAX = 1024 ** 3

export type SegmentHeader = {
  readonly number: number
  /** 32 hexadecimal digits, as each disk id. */
  readonly pool: string
  readonly generation: number
  readonly firstSequence: number
  readonly clock: number
  readonly previous: number
  readonly previousEnd: number
  readonly previousChain: bigint
  readonly bytes: number
  readonly disks: readonly string[]
}

export type DecodedSegmentHeader = { readonly header: SegmentHeader; readonly seed: bigint }

export type SegmentHeaderFault =
  /** All zero: the file is prepared and not a segment yet. */
  { readonly kind: 'blank' } | { readonly kind: 'corrupt' } | { readonly kind: 'unknown-version'; readonly version: number }

/** `seed`: its checksum, from which those of the records go on. */
export function encodeSegmentHeader(header: SegmentHeader, xxh64: Xxh64): { readonly bytes: Uint8Array; readonly seed: bigint } {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  bytes.write(MAGIC, 'latin1')
  view.setUint8(8, SEGMENT_VERSION)
  view.setUint8(9, KIND_LIVE)
  view.setUint16(10, header.disks.length, true)
  view.setUint32(12, header.number, true)
  bytes.write(header.pool, 16, 16, 'hex')
  writeNumber(view, 32, header.generation)
  writeNumber(view, 40, header.firstSequence)
  writeNumber(view, 48, header.clock)
  view.setUint32(56, header.previous, true)
  view.setUint32(60, header.previousEnd, true)
  view.setBigUint64(64, header.previousChain, true)
  view.setUint32(72, header.bytes, true)
  for (const [index, disk] of header.disks.entries()) bytes.write(disk, 80 + 16 * index, 16, 'hex')
  const seed = xxh64(bytes.subarray(0, CHECKSUM_AT))
  view.setBigUint64(CHECKSUM_AT, seed, true)
  return { bytes, seed }
}

/** Never throws, whatever the bytes. */
export function decodeSegmentHeader(input: Uint8Array, xxh64: Xxh64): Result<DecodedSegmentHeader, SegmentHeaderFault> {
  if (input.length < SEGMENT_HEADER_BYTES) return fail({ kind: 'corrupt' })
  const bytes = Buffer.from(input.buffer, input.byteOffset, SEGMENT_HEADER_BYTES)
  if (bytes.every((byte) => byte === 0)) return fail({ kind: 'blank' })
  if (bytes.toString('latin1', 0, 8) !== MAGIC) return fail({ kind: 'corrupt' })
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_BYTES)
  // Before the checksum: another version may have it elsewhere.
  const version = view.getUint8(8)
  if (version !== SEGMENT_VERSION) return fail({ kind: 'unknown-version', version })
  const seed = view.getBigUint64(CHECKSUM_AT, true)
  if (xxh64(bytes.subarray(0, CHECKSUM_AT)) !== seed) return fail({ kind: 'corrupt' })
  if (view.getUint8(9) !== KIND_LIVE) return fail({ kind: 'unknown-version', version })
  const count = view.getUint16(10, true)
  const generation = readNumber(view, 32)
  const firstSequence = readNumber(view, 40)
  const clock = readNumber(view, 48)
  if (generation === undefined || firstSequence === undefined || clock === undefined) return fail({ kind: 'corrupt' })
  if (count < 1 || count > DISKS_MAX || firstSequence < 1 || view.getUint32(76, true) !== 0) return fail({ kind: 'corrupt' })
  if (bytes.subarray(80 + 16 * count, CHECKSUM_AT).some((byte) => byte !== 0)) return fail({ kind: 'corrupt' })
  const header: SegmentHeader = {
    number: view.getUint32(12, true),
    pool: bytes.toString('hex', 16, 32),
    generation,
    firstSequence,
    clock,
    previous: view.getUint32(56, true),
    previousEnd: view.getUint32(60, true),
    previousChain: view.getBigUint64(64, true),
    bytes: view.getUint32(72, true),
    disks: Array.from({ length: count }, (_, index) => bytes.toString('hex', 80 + 16 * index, 96 + 16 * index)),
  }
  if (header.number === 0 || header.previous >= header.number) return fail({ kind: 'corrupt' })
  if (header.bytes < SEGMENT_HEADER_BYTES || header.bytes > BYTES_MAX) return fail({ kind: 'corrupt' })
  const first = header.previous === 0
  if (first !== (header.previousEnd === 0) || (first && header.previousChain !== 0n)) return fail({ kind: 'corrupt' })
  if (!first && header.previousEnd < SEGMENT_HEADER_BYTES) return fail({ kind: 'corrupt' })
  return ok({ header, seed })
}
