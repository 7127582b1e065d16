/**
 * Reads what is on a disk, not what the kernel remembers of it, and leaves the kernel's memory to those who ask for more than one look. (Where a file
 * system cannot read so, it is read as ever.)
 */
import { fail, ok, type Result } from '../result.ts'
import { DIRECT_BYTES, type Disk, type DiskFault, type DiskFile } from './disk.ts'

const WINDOW_BYTES = 1024 * 1024
const PAGES_OF_64_KIB = 16

/** Memory that begins at a page, as such reads want it; used again and again. */
const spare: Uint8Array[] = []
const SPARE_MAX = 8
const takeWindow = (): Uint8Array => spare.pop() ?? new Uint8Array(new WebAssembly.Memory({ initial: PAGES_OF_64_KIB }).buffer)

export type PastCacheFile = Pick<DiskFile, 'read' | 'size' | 'close'>

export async function openPastCache(disk: Disk, file: string): Promise<Result<PastCacheFile, DiskFault>> {
  const opened = await disk.open(file, { mode: 'read', lane: 'data', direct: true })
  if (!opened.ok) return opened
  const { value } = opened
  return ok({ read: (offset, bytes) => readPastCache(value, offset, bytes), size: () => value.size(), close: () => value.close() })
}

async function readPastCache(file: DiskFile, offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>> {
  const content = new Uint8Array(bytes)
  const window = takeWindow()
  for (let done = 0; done < bytes; ) {
    const at = offset + done
    const before = at % DIRECT_BYTES
    const wanted = Math.min(bytes - done, WINDOW_BYTES - before)
    const read = await file.readInto(at - before, window.subarray(0, Math.ceil((before + wanted) / DIRECT_BYTES) * DIRECT_BYTES))
    // After another fault the disk may write into the window at any time.
    if (!read.ok) return read
    if (read.value < before + wanted) {
      keepWindow(window)
      return fail('short')
    }
    content.set(window.subarray(before, before + wanted), done)
    done += wanted
  }
  keepWindow(window)
  return ok(content)
}

function keepWindow(window: Uint8Array): void {
  if (spare.length < SPARE_MAX) spare.push(window)
}
