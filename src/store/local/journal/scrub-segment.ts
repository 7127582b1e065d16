/** Reads every copy of a segment through, and mends or makes those that are not whole. */
import type { Pace } from '../../../disks/extents.ts'
import type { Lock } from '../../../lock.ts'
import type { Xxh64 } from './checksum.ts'
import { checkCopy, mendCopy } from './copy-segment.ts'
import { holdersNow, type JournalDisk, type JournalDisks } from './journal-disks.ts'
import { addCopy } from './restore-copies.ts'
import type { Segment } from './segment.ts'

/** What was found of the copy that a disk has, or should have. */
export type CopyCheck = {
  readonly set: number
  readonly position: number
  /** Bytes that were read. */
  readonly bytes: number
  /** `lost`: some record cannot be had from any copy. `failed`: the disk, or too many others, could not be read or written. */
  readonly outcome: 'whole' | 'repaired' | 'lost' | 'failed'
}

export type SegmentScrub = {
  readonly segment: Segment
  readonly disks: JournalDisks
  readonly xxh64: Xxh64
  /** Held while a copy is made or mended. */
  readonly copying: Lock
  readonly pace: Pace
  readonly isOpen: () => boolean
  /** Ends the segment that is being written: only closed ones are mended. False if that is not possible now. */
  readonly close: () => Promise<boolean>
}

/** What came of each disk that has a copy, or got one. */
export async function scrubSegment(scrub: SegmentScrub): Promise<CopyCheck[]> {
  const { segment, disks } = scrub
  const checks: CopyCheck[] = []
  for (const to of disks.disks()) {
    if (to.healing) continue
    const { set, position } = to
    const outcome = segment.holders.has(to.disk) ? await scrubCopy(scrub, to) : await completeCopies(scrub, to)
    if (outcome !== undefined) checks.push({ set, position, bytes: segment.end, outcome })
  }
  return checks
}

async function scrubCopy(scrub: SegmentScrub, to: JournalDisk): Promise<CopyCheck['outcome'] | undefined> {
  const { segment, disks, xxh64, pace } = scrub
  const found = await checkCopy(segment, to.disk, xxh64, pace)
  if (found === 'stopped') return undefined
  if (found === 'unreachable') return 'failed'
  if (found === 'whole') {
    segment.suspects.delete(to.disk)
    return 'whole'
  }
  segment.suspects.add(to.disk)
  if (scrub.isOpen() && !(await scrub.close())) return 'failed'
  const release = await scrub.copying.take()
  const mended = await mendCopy({ segment, to: to.disk, from: holdersNow(segment.holders, disks), xxh64 })
  release()
  if (mended.ok) segment.suspects.delete(to.disk)
  return mended.ok ? 'repaired' : mended.error.kind === 'damaged' ? 'lost' : 'failed'
}

/** Copies may be too few of segments that are closed; the one being written has what could be had. */
async function completeCopies(scrub: SegmentScrub, to: JournalDisk): Promise<CopyCheck['outcome'] | undefined> {
  const { segment, disks, xxh64 } = scrub
  if (scrub.isOpen() || holdersNow(segment.holders, disks).length === 0) return undefined
  const release = await scrub.copying.take()
  const added = await addCopy({ to, disks, xxh64 }, segment)
  release()
  if (!added.ok) return added.error.kind === 'damaged' ? 'lost' : 'failed'
  return added.value === 'added' ? 'repaired' : undefined
}
