/** A segment as the journal knows it while it runs. */
import type { Disk } from '../../../disks/disk.ts'
import type { SegmentHeader } from './segment-header.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

export const JOURNAL_FOLDER = 'journal'
const MARK_EVERY_BYTES = 1024 * 1024

export const segmentFile = (number: number): string => `${JOURNAL_FOLDER}/${number.toString(16).padStart(8, '0')}`

/** The number of the segment that a name in the journal's folder stands for; undefined for any other name. */
export function segmentOfName(name: string): number | undefined {
  return /^[0-9a-f]{8}$/.test(name) ? Number.parseInt(name, 16) : undefined
}

export type Segment = {
  readonly header: SegmentHeader
  /** Checksum of the header; seeds those of the records. */
  readonly seed: bigint
  /** Where the next record would lie: behind the last durable one. */
  end: number
  lastSequence: number
  lastChain: bigint
  /**
   * Disks with a whole copy. Kept as the objects they were opened as: a disk that failed and came back is another object, and counts only after
   * its copies were made anew.
   */
  readonly holders: Set<Disk>
  /** Holders whose copy has bad bytes. It is mended in place, never removed: it may be the only one that is good elsewhere. */
  readonly suspects: Set<Disk>
  /** Where some of the records begin, ascending, about one per MiB. Grows as records are written and read. */
  readonly marks: Mark[]
}
export type Mark = { readonly sequence: number; readonly offset: number }

/** Where to look for the record `sequence`: the place of the nearest known one not behind it. */
export function nearestMark(segment: Segment, sequence: number): Mark {
  let low = 0
  let high = segment.marks.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (segment.marks[middle]!.sequence <= sequence) low = middle + 1
    else high = middle
  }
  return segment.marks[low - 1] ?? { sequence: segment.header.firstSequence, offset: SEGMENT_HEADER_BYTES }
}

/** Keeps the place of a record, if the last known one is far away. */
export function noteMark(segment: Segment, sequence: number, offset: number): void {
  const last = segment.marks.at(-1)?.offset ?? SEGMENT_HEADER_BYTES
  if (offset >= last + MARK_EVERY_BYTES) segment.marks.push({ sequence, offset })
}

export function newSegment(header: SegmentHeader, seed: bigint, holders: Iterable<Disk>, suspects: Iterable<Disk> = []): Segment {
  return {
    header,
    seed,
    end: SEGMENT_HEADER_BYTES,
    lastSequence: header.firstSequence - 1,
    lastChain: header.previousChain,
    holders: new Set(holders),
    suspects: new Set(suspects),
    marks: [],
  }
}
