/**
 * Prepared segment files: full of zeros and synced, so that appends need no metadata and deletes have room on a full disk. A prepared file becomes a
 * segment when its header is written.
 */
import type { Disk, DiskFault, DiskFile } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import { JOURNAL_FOLDER, segmentFile } from './segment.ts'

const CHUNK_BYTES = 1024 * 1024
/** Synced in pieces, so that a sync of the journal never waits for all of it. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024

export type PreparedCopy = { readonly disk: Disk; readonly file: DiskFile }
export type Prepared = { readonly number: number; readonly bytes: number; readonly copies: readonly PreparedCopy[] }
export type PrepareFault = { readonly disk: Disk; readonly fault: DiskFault }

/**
 * Makes the file on each of the disks, or fills one with zeros that an earlier process left there. The answer's files are open for durable writes.
 * On any fault nothing remains open, and what was made is removed.
 */
export async function prepareSegment(
  number: number,
  bytes: number,
  disks: readonly Disk[],
): Promise<Result<PreparedCopy[], PrepareFault[]>> {
  const made = await Promise.all(disks.map((disk) => prepareCopy(disk, number, bytes)))
  const copies: PreparedCopy[] = []
  const faults: PrepareFault[] = []
  for (const [index, file] of made.entries()) {
    const disk = disks[index]!
    if (file.ok) copies.push({ disk, file: file.value })
    else faults.push({ disk, fault: file.error })
  }
  if (faults.length === 0) return ok(copies)
  await discardPrepared(number, copies)
  return fail(faults)
}

/** Closes and removes. What cannot be removed is found as a leftover by the next start. */
export async function discardPrepared(number: number, copies: readonly PreparedCopy[]): Promise<void> {
  const discard = async ({ disk, file }: PreparedCopy): Promise<void> => {
    file.close()
    await disk.remove(segmentFile(number))
  }
  await Promise.all(copies.map(discard))
}

async function prepareCopy(disk: Disk, number: number, bytes: number): Promise<Result<DiskFile, DiskFault>> {
  const name = segmentFile(number)
  const folder = await disk.makeFolder(JOURNAL_FOLDER)
  if (!folder.ok) return folder
  const created = await disk.open(name, { mode: 'create', lane: 'data' })
  const opened = !created.ok && created.error === 'exists' ? await disk.open(name, { mode: 'write', lane: 'data' }) : created
  if (!opened.ok) return opened
  const filled = await fillWithZeros(opened.value, bytes)
  opened.value.close()
  if (!filled.ok) {
    await disk.remove(name)
    return filled
  }
  const named = await disk.syncFolder(JOURNAL_FOLDER)
  return named.ok ? disk.open(name, { mode: 'write', lane: 'journal', dsync: true }) : named
}

async function fillWithZeros(file: DiskFile, bytes: number): Promise<Result<void, DiskFault>> {
  const size = await file.size()
  if (!size.ok) return size
  const until = Math.max(bytes, size.value)
  const zeros = new Uint8Array(Math.min(CHUNK_BYTES, until))
  for (let at = 0; at < until; at += CHUNK_BYTES) {
    const written = await file.write(at, [until - at < CHUNK_BYTES ? zeros.subarray(0, until - at) : zeros])
    if (!written.ok) return written
    if ((at + CHUNK_BYTES) % SYNC_EVERY_BYTES !== 0) continue
    const synced = await file.sync()
    if (!synced.ok) return synced
  }
  return file.sync()
}
