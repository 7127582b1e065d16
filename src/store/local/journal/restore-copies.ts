/** Keeps as many good copies of each closed segment as there should be. */
import type { Disk } from '../../../disks/disk.ts'
import type { Lock } from '../../../lock.ts'
import { done, fail, ok, type Result } from '../../../result.ts'
import type { Xxh64 } from './checksum.ts'
import { type CopyFault, copySegment, isWholeCopy, mendCopy } from './copy-segment.ts'
import { holdersNow, type JournalDisk, type JournalDisks } from './journal-disks.ts'
import type { NextSegment } from './next-segment.ts'
import { JOURNAL_FOLDER, type Segment, segmentFile, segmentOfName } from './segment.ts'
import type { JournalFault } from './terms.ts'

export type CopyProgress = (doneBytes: number, totalBytes: number) => void

export type CopyTask = {
  readonly to: JournalDisk
  readonly disks: JournalDisks
  /** Those that are closed now, more as time goes. */
  readonly closed: () => readonly Segment[]
  readonly xxh64: Xxh64
  /** Held while a copy is made or mended. */
  readonly copying: Lock
  /** Also the copies that the disk is believed to have are read through. */
  readonly verify: boolean
  readonly progress: CopyProgress
}

/** Removes from the disk what is no copy of these segments, which it holds. Nothing may be written to the journal meanwhile. */
export async function removeLeftovers(to: Disk, holds: readonly Segment[], next: NextSegment): Promise<Result<void, 'unavailable'>> {
  await next.idle()
  const made = await to.makeFolder(JOURNAL_FOLDER)
  const names = made.ok ? await to.list(JOURNAL_FOLDER) : made
  if (!names.ok) return fail('unavailable')
  const held = new Set(holds.map(({ header }) => header.number))
  for (const number of names.value.map(segmentOfName)) {
    if (number === undefined || held.has(number) || next.holds(number, to)) continue
    const removed = await to.remove(segmentFile(number))
    if (!removed.ok && removed.error !== 'not-found') return fail('unavailable')
  }
  const synced = await to.syncFolder(JOURNAL_FOLDER)
  return synced.ok ? done : fail('unavailable')
}

/** Those of the segments of which the disk has a file, whatever is in it; undefined if it cannot be read. */
export async function segmentsOn(disk: Disk, segments: readonly Segment[]): Promise<Segment[] | undefined> {
  const names = await disk.list(JOURNAL_FOLDER)
  if (!names.ok) return names.error === 'not-found' ? [] : undefined
  const numbers = new Set(names.value.map(segmentOfName))
  return segments.filter(({ header }) => numbers.has(header.number))
}

/** Goes through the closed segments, also those that close meanwhile, and gives the disk a copy of each that has too few. */
export async function restoreCopiesOn(task: CopyTask): Promise<Result<void, JournalFault>> {
  const looked = new Set<Segment>()
  let doneBytes = 0
  const rest = (): Segment[] => task.closed().filter((segment) => !looked.has(segment))
  for (let segments = rest(); segments.length > 0; segments = rest()) {
    const totalBytes = doneBytes + segments.reduce((sum, { end }) => sum + end, 0)
    for (const segment of segments) {
      looked.add(segment)
      const release = await task.copying.take()
      const helped = await restoreCopy(task, segment)
      release()
      if (!helped.ok) return helped
      doneBytes += segment.end
      task.progress(doneBytes, totalBytes)
    }
  }
  return done
}

async function restoreCopy(task: CopyTask, segment: Segment): Promise<Result<void, JournalFault>> {
  const { to, disks, verify, xxh64 } = task
  const { holders, suspects } = segment
  const input = { segment, to: to.disk, from: holdersNow(holders, disks), xxh64 }
  if (holders.has(to.disk)) {
    const doubted = verify || suspects.has(to.disk)
    const mended = doubted && !(await isWholeCopy(segment, to.disk, xxh64)) ? await mendCopy(input) : done
    if (!mended.ok) return journalFault(mended.error)
    suspects.delete(to.disk)
    return done
  }
  const added = await addCopy(task, segment)
  return added.ok ? done : added
}

/** Whether there would be too few copies with this disk in: in the place of another, if it is to follow that. */
export function lacksCopy({ to, disks }: Pick<CopyTask, 'to' | 'disks'>, holders: ReadonlySet<Disk>): boolean {
  if (holders.has(to.disk)) return false
  // Copies on disks that are healing count once those are in.
  const others = disks.disks().filter(({ healing, set, position }) => !healing && !(set === to.set && position === to.follows))
  const held = others.filter(({ disk }) => holders.has(disk)).length
  return held < Math.min(disks.copies, others.length + (to.healing ? 1 : 0))
}

/** Gives the disk a copy of a closed segment that has too few. */
export async function addCopy(
  { to, disks, xxh64 }: Pick<CopyTask, 'to' | 'disks' | 'xxh64'>,
  segment: Segment,
): Promise<Result<'added' | 'enough', JournalFault>> {
  const { holders } = segment
  if (!lacksCopy({ to, disks }, holders)) return ok('enough')
  const copied = await copySegment({ segment, to: to.disk, from: holdersNow(holders, disks), xxh64 })
  if (!copied.ok) return journalFault(copied.error)
  holders.add(to.disk)
  return ok('added')
}

export function journalFault(fault: CopyFault): Result<never, JournalFault> {
  if (fault.kind !== 'disk') return fail(fault)
  return fail({ kind: fault.fault === 'full' ? 'full' : 'unavailable' })
}
