/** Makes copies of closed segments, or mends them: each record from any good copy, everything read back. */
import { DIRECT_BYTES, type Disk, type DiskFault, type DiskFile, isOfPlace } from '../../../disks/disk.ts'
import type { Pace } from '../../../disks/extents.ts'
import { openPastCache, type PastCacheFile } from '../../../disks/past-cache.ts'
import { done, fail, type Result } from '../../../result.ts'
import type { Xxh64 } from './checksum.ts'
import { readSegment } from './entries.ts'
import { readImage, rewriteDiffering } from './image.ts'
import { JOURNAL_FOLDER, type Segment, segmentFile } from './segment.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
import type { JournalFault } from './terms.ts'

const WRITE_BYTES = 1024 * 1024

export type CopyInput = {
  readonly segment: Segment
  readonly to: Disk
  readonly from: readonly Disk[]
  readonly xxh64: Xxh64
}
/** `disk`: the target failed. */
export type CopyFault = JournalFault | { readonly kind: 'disk'; readonly fault: DiskFault }

/** Makes a copy anew, durable and read back; none stays if that fails. */
export async function copySegment(input: CopyInput): Promise<Result<void, CopyFault>> {
  const { to, segment, xxh64 } = input
  const name = segmentFile(segment.header.number)
  const removed = await to.remove(name)
  if (!removed.ok && removed.error !== 'not-found') return target(removed.error)
  const file = await to.open(name, { mode: 'create', lane: 'data' })
  if (!file.ok) return target(file.error)
  const written = await writeCopy(input, file.value)
  file.value.close()
  if (!written.ok) {
    await to.remove(name)
    return written
  }
  const named = await to.syncFolder(JOURNAL_FOLDER)
  if (!named.ok) return target(named.error)
  return (await isWholeCopy(segment, to, xxh64)) ? done : target('io')
}

/** Makes a copy good where it is not. All copies may help, also this one; what is good in it is not touched. */
export async function mendCopy(input: CopyInput): Promise<Result<void, CopyFault>> {
  const { to, segment, from, xxh64 } = input
  const image = await readImage(segment, from, xxh64)
  if (!image.ok) return image
  const name = segmentFile(segment.header.number)
  const file = await to.open(name, { mode: 'write', lane: 'data' })
  if (!file.ok) return file.error === 'not-found' ? copySegment(input) : target(file.error)
  const onDisk = await openPastCache(to, name, 'forgiving')
  const rewritten = onDisk.ok ? await rewrite(to, file.value, onDisk.value, image.value) : onDisk
  const synced = rewritten.ok ? await file.value.sync() : rewritten
  file.value.close()
  if (onDisk.ok) onDisk.value.close()
  if (!synced.ok) return target(synced.error)
  return (await isWholeCopy(segment, to, xxh64)) ? done : target('io')
}

async function rewrite(disk: Disk, file: DiskFile, onDisk: PastCacheFile, image: Uint8Array): Promise<Result<void, DiskFault>> {
  const size = await onDisk.size()
  // Whole pages: one that cannot be read cannot be written in part.
  const until = Math.ceil(image.length / DIRECT_BYTES) * DIRECT_BYTES
  return size.ok ? rewriteDiffering(file, image, until, { size: size.value, from: onDisk, disk }) : size
}

/** Whether the disk's copy has every byte right; as checkCopy. */
export const isWholeCopy = async (segment: Segment, disk: Disk, xxh64: Xxh64): Promise<boolean> =>
  (await checkCopy(segment, disk, xxh64)) === 'whole'

/**
 * How the disk's copy is, read from the disk itself: after a failed write the kernel may show bytes that are not there. Of a segment that is being written,
 * what was durable when this was asked. With a `pace`, not faster than that.
 */
export async function checkCopy(
  segment: Segment,
  disk: Disk,
  xxh64: Xxh64,
  pace?: Pace,
): Promise<'whole' | 'bad' | 'missing' | 'unreachable' | 'stopped'> {
  const { header, lastSequence, lastChain } = segment
  const file = await openPastCache(disk, segmentFile(header.number), 'forgiving')
  if (!file.ok) return file.error === 'not-found' ? 'missing' : 'unreachable'
  const head = await file.value.read(0, SEGMENT_HEADER_BYTES)
  const isRight = head.ok && Buffer.compare(head.value, encodeSegmentHeader(header, xxh64).bytes) === 0
  file.value.close()
  if (!head.ok) return head.error === 'short' || isOfPlace(head.error, disk) ? 'bad' : 'unreachable'
  if (!isRight) return 'bad'
  let chain = header.previousChain
  const range = { from: header.firstSequence, to: lastSequence, bodies: true, pastCache: true, forgiving: true }
  for await (const found of readSegment({ segment, ...range, disks: [disk], xxh64 })) {
    if (!found.ok) return found.error.kind === 'unavailable' ? 'unreachable' : 'bad'
    chain = found.value.header.checksum
    if ((await pace?.(found.value.end - found.value.header.offset)) === 'stop') return 'stopped'
  }
  return chain === lastChain ? 'whole' : 'bad'
}

async function writeCopy({ segment, from, xxh64 }: CopyInput, file: DiskFile): Promise<Result<void, CopyFault>> {
  let pieces: Uint8Array[] = []
  let held = 0
  let at = SEGMENT_HEADER_BYTES
  const flush = async (): Promise<Result<void, CopyFault>> => {
    const written = held > 0 ? await file.write(at, pieces) : done
    if (!written.ok) return target(written.error)
    at += held
    pieces = []
    held = 0
    return done
  }
  const { firstSequence } = segment.header
  for await (const found of readSegment({ segment, from: firstSequence, to: segment.lastSequence, bodies: true, disks: from, xxh64 })) {
    if (!found.ok) return found
    const { raw, header, end } = found.value
    pieces.push(raw)
    const padding = end - header.offset - raw.length
    if (padding > 0) pieces.push(new Uint8Array(padding))
    held += end - header.offset
    if (held < WRITE_BYTES && pieces.length < 500) continue
    const flushed = await flush()
    if (!flushed.ok) return flushed
  }
  const flushed = await flush()
  if (!flushed.ok) return flushed
  const synced = await file.sync()
  if (!synced.ok) return target(synced.error)
  // Until now the file is no copy: a process that ends here leaves a leftover.
  const headed = await file.write(0, [encodeSegmentHeader(segment.header, xxh64).bytes])
  const settled = headed.ok ? await file.sync() : headed
  return settled.ok ? done : target(settled.error)
}

const target = (fault: DiskFault): Result<never, CopyFault> => fail({ kind: 'disk', fault })
