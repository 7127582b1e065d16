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

/** As of DiskFile, but for what `read` answers: lent until the next read or `close`. One read at a time. */
export type PastCacheFile = Pick<DiskFile, 'read' | 'size' | 'sync' | 'close'>

/** To be closed. */
export async function openPastCache(disk: Disk, name: string, how?: 'forgiving'): Promise<Result<PastCacheFile, DiskFault>> {
  const opened = await disk.open(name, { mode: 'read', lane: 'data', direct: true, forgiving: how === 'forgiving' })
  return opened.ok ? ok(new DirectlyRead(opened.value)) : opened
}

class DirectlyRead implements PastCacheFile {
  readonly #file: DiskFile
  #window: Uint8Array | undefined

  constructor(file: DiskFile) {
    this.#file = file
  }

  async read(offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>> {
    if ((offset % DIRECT_BYTES) + bytes <= WINDOW_BYTES) return this.#readWindow(offset, bytes)
    const whole = new Uint8Array(bytes)
    for (let done = 0; done < bytes; ) {
      const at = offset + done
      const piece = await this.#readWindow(at, Math.min(bytes - done, WINDOW_BYTES - (at % DIRECT_BYTES)))
      if (!piece.ok) return piece
      whole.set(piece.value, done)
      done += piece.value.length
    }
    return ok(whole)
  }

  size(): Promise<Result<number, DiskFault>> {
    return this.#file.size()
  }

  sync(): Promise<Result<void, DiskFault>> {
    return this.#file.sync()
  }

  close(): void {
    this.#file.close()
    if (this.#window !== undefined && spare.length < SPARE_MAX) spare.push(this.#window)
    this.#window = undefined
  }

  /** At most what one window holds. */
  async #readWindow(offset: number, bytes: number): Promise<Result<Uint8Array, DiskFault>> {
    this.#window ??= takeWindow()
    const window = this.#window
    const before = offset % DIRECT_BYTES
    const pages = window.subarray(0, Math.ceil((before + bytes) / DIRECT_BYTES) * DIRECT_BYTES)
    const read = await this.#file.readInto(offset - before, pages)
    if (!read.ok) {
      // The disk may write into it at any time.
      this.#window = undefined
      return read
    }
    return read.value < before + bytes ? fail('short') : ok(window.subarray(before, before + bytes))
  }
}
