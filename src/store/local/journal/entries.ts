/** Reads records in order, for replay and for the feed. Memory: a window per copy. */
import type { Disk } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import { hexOf, highOf, lowOf, type Xxh64 } from './checksum.ts'
import { RECORD_HEADER_BYTES } from './record.ts'
import { nearestMark, noteMark, type Segment } from './segment.ts'
import { closeCopies, type FoundRecord, openCopies, SegmentScan } from './segment-scan.ts'
import type { JournalEntry, JournalFault } from './terms.ts'

export type SegmentRead = {
  readonly segment: Segment
  readonly from: number
  readonly to: number
  readonly bodies: boolean
  /** Those that may be read now. */
  readonly disks: Iterable<Disk>
  readonly xxh64: Xxh64
  /** Reads what is on the disks, not what the kernel remembers of them. */
  readonly pastCache?: boolean
  /** What cannot be read of a copy is taken from another, and speaks against no disk. */
  readonly forgiving?: boolean
}

/** The records `from` to `to` of one segment, which has them all. The first is believed to follow the one before, the others are checked to. */
export async function* readSegment(input: SegmentRead): AsyncGenerator<Result<FoundRecord, JournalFault>> {
  const { segment, from, to } = input
  const { number } = segment.header
  // The end may grow while this goes on; what was durable at the beginning is enough.
  const forgiving = input.forgiving === true
  const { copies, faults } = await openCopies(number, input.disks, { pastCache: input.pastCache === true, forgiving })
  const scan = new SegmentScan({ copies, seed: segment.seed, limit: segment.end, bodies: input.bodies, xxh64: input.xxh64, forgiving })
  try {
    const mark = nearestMark(segment, from)
    let { offset } = mark
    let before = mark.sequence === segment.header.firstSequence ? segment.header.previousChain : undefined
    for (let sequence = mark.sequence; sequence <= to; sequence++) {
      const expected = before === undefined ? { sequence } : { sequence, before }
      const found = scan.readCached(offset, expected) ?? (await scan.read(offset, expected))
      if (found === undefined) {
        const unreachable = copies.length === 0 || faults.length > 0 || scan.faults.length > 0
        yield fail(unreachable ? { kind: 'unavailable' } : { kind: 'damaged', segment: number, offset, sequence })
        return
      }
      noteMark(segment, sequence, offset)
      if (sequence >= from) yield ok(found)
      offset = found.end
      before = found.header.checksum
    }
  } finally {
    closeCopies(copies)
  }
}

export function entryOf(segment: Segment, { header, metadata, body }: FoundRecord): JournalEntry {
  const { sequence, kind, clock, bodyBytes } = header
  const place =
    bodyBytes === 0
      ? undefined
      : {
          segment: segment.header.number,
          offset: header.offset + RECORD_HEADER_BYTES + header.metadataBytes,
          bytes: bodyBytes,
          checksumHigh: highOf(header.bodyChecksum),
          checksumLow: lowOf(header.bodyChecksum),
          sequence,
        }
  const entry = { sequence, kind, clock, metadata, place, chain: hexOf(header.checksum) }
  return body === undefined || bodyBytes === 0 ? entry : { ...entry, body }
}
