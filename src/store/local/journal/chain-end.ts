/** Where the newest segment ends, and what distinguishes a tail that was never acknowledged from damage. */
import { DIRECT_BYTES, type Disk, isOfPlace } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import type { Xxh64 } from './checksum.ts'
import type { DisksFailed, JournalDisk } from './journal-disks.ts'
import { decodeRecordHeader, RECORD_HEADER_BYTES, RECORD_MAGIC } from './record.ts'
import { nearestMark, noteMark, type Segment } from './segment.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { type CopyFault, closeCopies, type OpenCopy, openCopies, SegmentScan } from './segment-scan.ts'
import { BATCH_BYTES_MAX, type JournalFault } from './terms.ts'

export type SegmentEnd = {
  /** Header and records of the segment as they should be on every copy, up to its end. */
  readonly image: Uint8Array
  /** Where the last whole batch begins: the only one whose writes may not have been answered on every copy. */
  readonly lastBatchAt: number
  /** 0 if there is no record. */
  readonly lastClock: number
}

/** Sets `end`, `lastSequence`, `lastChain` and the marks of the segment. Memory: the segment once. */
export async function scanNewest(
  segment: Segment,
  disks: readonly JournalDisk[],
  xxh64: Xxh64,
): Promise<Result<SegmentEnd, JournalFault | DisksFailed>> {
  const { number } = segment.header
  // Sectors behind the end may have gone bad unseen: nothing reads them but this.
  const { copies, faults } = await openCopies(number, segment.holders, { forgiving: true })
  try {
    const scan = new SegmentScan({ copies, seed: segment.seed, limit: segment.header.bytes, bodies: true, xxh64 })
    const scanned = await scanBatches(segment, scan, xxh64)
    const all = [...faults, ...scan.faults]
    if (all.length === 0 && (await laterBatchBehind(segment, copies, all, xxh64))) {
      return fail({ kind: 'damaged', segment: number, offset: segment.end, sequence: segment.lastSequence + 1 })
    }
    return all.length > 0 ? fail(failedDisks(disks, all, number)) : ok(scanned)
  } finally {
    closeCopies(copies)
  }
}

async function scanBatches(segment: Segment, scan: SegmentScan, xxh64: Xxh64): Promise<SegmentEnd> {
  const image = new Uint8Array(segment.header.bytes)
  image.set(encodeSegmentHeader(segment.header, xxh64).bytes)
  let clock = 0
  let lastClock = 0
  let batchAt = SEGMENT_HEADER_BYTES
  let lastBatchAt = SEGMENT_HEADER_BYTES
  let expected = { sequence: segment.lastSequence + 1, before: segment.lastChain }
  for (let offset = segment.end; ; ) {
    const found = scan.readCached(offset, expected) ?? (await scan.read(offset, expected))
    if (found === undefined) break
    const { header } = found
    // The place in the batch must follow too; anything else was not written by us.
    if (header.batchIndex !== (offset === batchAt ? 0 : header.sequence - segment.lastSequence - 1)) break
    image.set(found.raw, offset)
    clock = Math.max(clock, header.clock)
    offset = found.end
    expected = { sequence: header.sequence + 1, before: header.checksum }
    if (header.batchIndex + 1 < header.batchRecords) continue
    noteMark(segment, header.sequence - header.batchIndex, batchAt)
    segment.end = offset
    segment.lastSequence = header.sequence
    segment.lastChain = header.checksum
    lastClock = clock
    lastBatchAt = batchAt
    batchAt = offset
  }
  return { image: image.subarray(0, segment.end), lastBatchAt, lastClock }
}

/** Whether a copy has a valid record of a batch later than the one that should begin at the segment's end. */
async function laterBatchBehind(segment: Segment, copies: readonly OpenCopy[], faults: CopyFault[], xxh64: Xxh64): Promise<boolean> {
  const found = await Promise.all(copies.map((copy) => laterBatchOn(segment, copy, faults, xxh64)))
  return found.includes(true)
}

const SEARCH_BYTES = 4 * 1024 * 1024
/** Around sectors that cannot be read. */
const SEARCH_STEP_BYTES = DIRECT_BYTES
/** The batch that should begin at the end, and the one behind it. */
const SEARCH_BYTES_MAX = 2 * BATCH_BYTES_MAX

async function laterBatchOn(segment: Segment, { disk, file }: OpenCopy, faults: CopyFault[], xxh64: Xxh64): Promise<boolean> {
  const size = await file.size()
  if (!size.ok) faults.push({ disk, fault: size.error })
  const limit = size.ok ? Math.min(size.value, segment.header.bytes, segment.end + SEARCH_BYTES_MAX) : 0
  let step = SEARCH_BYTES
  for (let from = segment.end; from + RECORD_HEADER_BYTES <= limit; ) {
    const read = await file.read(from, Math.min(step, limit - from))
    if (!read.ok && isOfPlace(read.error, disk)) {
      // What cannot be read is stepped over, in small steps.
      if (step === SEARCH_STEP_BYTES) from += SEARCH_STEP_BYTES
      step = SEARCH_STEP_BYTES
      continue
    }
    if (!read.ok) {
      faults.push({ disk, fault: read.error })
      return false
    }
    const view = new DataView(read.value.buffer, read.value.byteOffset, read.value.byteLength)
    const last = read.value.length - RECORD_HEADER_BYTES
    for (let at = 0; at <= last; at += 8) {
      if (view.getUint32(at, true) !== RECORD_MAGIC) continue
      const header = decodeRecordHeader(read.value.subarray(at), from + at, segment.seed, xxh64)
      if (header !== undefined && header.sequence - header.batchIndex > segment.lastSequence + 1) return true
    }
    // Windows overlap by a header, at a multiple of 8.
    from += Math.max(8, (Math.floor(last / 8) + 1) * 8)
  }
  return false
}

/** The checksum of the record `sequence`; undefined if it cannot be had. */
export async function findChain(segments: readonly Segment[], sequence: number, xxh64: Xxh64): Promise<bigint | undefined> {
  const segment = segments.findLast(({ header }) => header.firstSequence <= sequence)
  if (segment === undefined || sequence > segment.lastSequence) return undefined
  if (sequence === segment.lastSequence) return segment.lastChain
  const { copies } = await openCopies(segment.header.number, segment.holders)
  const scan = new SegmentScan({ copies, seed: segment.seed, limit: segment.end, bodies: false, xxh64 })
  const mark = nearestMark(segment, sequence)
  let offset = mark.offset
  let checksum: bigint | undefined
  for (let at = mark.sequence; at <= sequence; at++) {
    const found = scan.readCached(offset, { sequence: at }) ?? (await scan.read(offset, { sequence: at }))
    checksum = found?.header.checksum
    if (found === undefined) break
    noteMark(segment, at, offset)
    offset = found.end
  }
  closeCopies(copies)
  return checksum
}

function failedDisks(disks: readonly JournalDisk[], faults: readonly CopyFault[], segment: number): DisksFailed {
  const reasons = new Map<Disk, string>(
    faults.map(({ disk, fault }) => [disk, `segment ${segment} of the journal could not be read: ${fault}`]),
  )
  const failed = disks.filter(({ disk }) => reasons.has(disk)).map((disk) => ({ disk, reason: reasons.get(disk.disk)! }))
  return { kind: 'disks-failed', failed }
}
