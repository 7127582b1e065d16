/**
 * Makes every copy of the newest segment what was found to hold, before anything is served: the bytes of the last batch and the header are written again
 * even where they read well (after a failed or unanswered write the kernel may show bytes that the disk does not have), other bytes where they differ, and
 * zeros behind the end, so that what was never acknowledged cannot appear in a later start.
 */
import type { Disk, DiskFault, DiskFile } from '../../../disks/disk.ts'
import { done, fail, ok, type Result } from '../../../result.ts'
import type { SegmentEnd } from './chain-end.ts'
import { rewriteDiffering } from './image.ts'
import { chooseDisks, type DisksFailed, type JournalDisk, type JournalDisks } from './journal-disks.ts'
import { JOURNAL_FOLDER, type Segment, segmentFile } from './segment.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { BATCH_BYTES_MAX, type JournalFault } from './terms.ts'

/** A batch that was not acknowledged begins at the end and is no longer; bytes further on were never written as records. */
const TAIL_BYTES = BATCH_BYTES_MAX

/** Answers whether the segment may be appended to. Sets its holders. */
export async function repairNewest(
  segment: Segment,
  end: SegmentEnd,
  disks: readonly JournalDisk[],
  pool: JournalDisks,
): Promise<Result<boolean, JournalFault | DisksFailed>> {
  const { header } = segment
  const should = new Set<Disk>(segment.holders)
  for (const { disk, diskId } of disks) if (header.disks.includes(diskId)) should.add(disk)
  // Where its own disks are too few now, others help out.
  const copies = chooseDisks(disks, pool.copies, header.number).length
  for (const { disk } of [...chooseDisks(disks, pool.copies, header.number), ...disks]) if (should.size < copies) should.add(disk)
  const targets = disks.filter(({ disk }) => should.has(disk))
  const failed: DisksFailed['failed'][number][] = []
  const repair = async (target: JournalDisk): Promise<void> => {
    const bytes = header.disks.includes(target.diskId) ? header.bytes : segment.end
    const repaired = await repairCopy(target.disk, segment, end, bytes)
    if (repaired.ok) {
      segment.holders.add(target.disk)
      segment.suspects.delete(target.disk)
      return
    }
    segment.holders.delete(target.disk)
    // A full disk is not at fault. It has no copy then, and the next batch begins a new segment.
    if (repaired.error !== 'full')
      failed.push({ disk: target, reason: `the newest segment of the journal could not be repaired: ${repaired.error}` })
  }
  await Promise.all(targets.map(repair))
  if (failed.length > 0) return fail({ kind: 'disks-failed', failed })
  if (segment.holders.size === 0) return fail({ kind: 'full' })
  const listed = disks.filter(({ disk, diskId }) => header.disks.includes(diskId) && segment.holders.has(disk)).length
  return ok(listed === header.disks.length && listed === segment.holders.size && listed >= copies)
}

async function repairCopy(disk: Disk, segment: Segment, end: SegmentEnd, bytes: number): Promise<Result<void, DiskFault>> {
  const name = segmentFile(segment.header.number)
  const options = { lane: 'journal', dsync: true, forgiving: true } as const
  const folder = await disk.makeFolder(JOURNAL_FOLDER)
  if (!folder.ok) return folder
  const opened = await disk.open(name, { mode: 'write', ...options })
  const file = !opened.ok && opened.error === 'not-found' ? await disk.open(name, { mode: 'create', ...options }) : opened
  if (!file.ok) return file
  const repaired = await rewrite(disk, file.value, segment, end, bytes)
  file.value.close()
  return repaired.ok ? disk.syncFolder(JOURNAL_FOLDER) : repaired
}

async function rewrite(
  disk: Disk,
  file: DiskFile,
  segment: Segment,
  { image, lastBatchAt }: SegmentEnd,
  bytes: number,
): Promise<Result<void, DiskFault>> {
  const size = await file.size()
  if (!size.ok) return size
  // Where the file must grow, all of it is written.
  const until = size.value < bytes ? bytes : Math.min(size.value, segment.end + TAIL_BYTES)
  const rewritten = await rewriteDiffering(file, image, until, { size: size.value, from: file, disk })
  if (!rewritten.ok) return rewritten
  const lastBatch = lastBatchAt < segment.end ? await file.write(lastBatchAt, [image.subarray(lastBatchAt, segment.end)]) : done
  return lastBatch.ok ? file.write(0, [image.subarray(0, SEGMENT_HEADER_BYTES)]) : lastBatch
}
