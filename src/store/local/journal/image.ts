/** The bytes that every copy of a segment should have, and how a copy gets them. */
import { type Disk, type DiskFault, type DiskFile, isOfPlace } from '../../../disks/disk.ts'
import { done, ok, type Result } from '../../../result.ts'
import type { Xxh64 } from './checksum.ts'
import { readSegment, type SegmentRead } from './entries.ts'
import type { Segment } from './segment.ts'
import { encodeSegmentHeader } from './segment-header.ts'
import type { JournalFault } from './terms.ts'

const WINDOW_BYTES = 1024 * 1024

/** Header and all records of a closed segment, each from any copy that has it. Memory: the segment once. */
export async function readImage(segment: Segment, disks: SegmentRead['disks'], xxh64: Xxh64): Promise<Result<Uint8Array, JournalFault>> {
  const image = new Uint8Array(segment.end)
  image.set(encodeSegmentHeader(segment.header, xxh64).bytes)
  const from = segment.header.firstSequence
  for await (const found of readSegment({ segment, from, to: segment.lastSequence, bodies: true, disks, xxh64, forgiving: true })) {
    if (!found.ok) return found
    image.set(found.value.raw, found.value.header.offset)
  }
  return ok(image)
}

/** Writes where the file is not as the image, with zeros behind it, up to `until`. Its size is `size`; what it holds is read through `from`. */
export async function rewriteDiffering(
  file: DiskFile,
  image: Uint8Array,
  until: number,
  { size, from: held, disk }: { readonly size: number; readonly from: Pick<DiskFile, 'read'>; readonly disk: Disk },
): Promise<Result<void, DiskFault>> {
  for (let from = 0; from < until; from += WINDOW_BYTES) {
    const to = Math.min(from + WINDOW_BYTES, until)
    const wanted = windowOf(image, from, to)
    const there = to <= size ? await held.read(from, to - from) : undefined
    if (there?.ok === false && !isOfPlace(there.error, disk)) return there
    if (there?.ok === true && Buffer.compare(there.value, wanted) === 0) continue
    const written = await file.write(from, [wanted])
    if (!written.ok) return written
  }
  return done
}

/** The bytes of the image, zeros behind it. */
function windowOf(image: Uint8Array, from: number, to: number): Uint8Array {
  if (to <= image.length) return image.subarray(from, to)
  const window = new Uint8Array(to - from)
  if (from < image.length) window.set(image.subarray(from))
  return window
}
