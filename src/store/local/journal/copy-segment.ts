/** Makes copies of closed segments, or mends them: each record from any good copy, everything read back. */
import type { Disk, DiskFault, DiskFile } from '../../../disks/disk.ts'
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
export async function mendCopy({ to, segment, from, xxh64 }: CopyInput): Promise<Result<void, CopyFault>> {
  const image = await readImage(segment, from, xxh64)
  if (!image.ok) return image
  const file = await to.open(segmentFile(segment.header.number), { mode: 'write', lane: 'data' })
  if (!file.ok) return target(file.error)
  const size = await file.value.size()
  const rewritten = size.ok ? await rewriteDiffering(file.value, image.value, image.value.length, size.value) : size
  const synced = rewritten.ok ? await file.value.sync() : rewritten
  file.value.close()
  if (!synced.ok) return target(synced.error)
  return (await isWholeCopy(segment, to, xxh64)) ? done : target('io')
}

/** Whether the disk's copy has every byte right. */
export async function isWholeCopy(segment: Segment, disk: Disk, xxh64: Xxh64): Promise<boolean> {
  const file = await disk.open(segmentFile(segment.header.number), { mode: 'read', lane: 'data' })
  const header = file.ok ? await file.value.read(0, SEGMENT_HEADER_BYTES) : file
  if (file.ok) file.value.close()
  if (!header.ok || Buffer.compare(header.value, encodeSegmentHeader(segment.header, xxh64).bytes) !== 0) return false
  let chain = segment.header.previousChain
  const { firstSequence } = segment.header
  for await (const found of readSegment({ segment, from: firstSequence, to: segment.lastSequence, bodies: true, disks: [disk], xxh64 })) {
    if (!found.ok) return false
    chain = found.value.header.checksum
  }
  return chain === segment.lastChain
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
