/**
 * Reads the records of one segment, each from any copy that has it. Memory: one window (1 MiB, or one record if that is larger) per copy.
 * A record is taken only if its header belongs to this segment and place, follows the record before, and the checksums of what is read are right.
 */
import { type Disk, type DiskFault, isOfPlace } from '../../../disks/disk.ts'
import { openPastCache, type PastCacheFile } from '../../../disks/past-cache.ts'
import type { Xxh64 } from './checksum.ts'
import { type DecodedHeader, decodeRecordHeader, RECORD_HEADER_BYTES, recordBytes } from './record.ts'
import { segmentFile } from './segment.ts'

const WINDOW_BYTES = 1024 * 1024

export type OpenCopy = { readonly disk: Disk; readonly file: PastCacheFile }
export type CopyFault = { readonly disk: Disk; readonly fault: DiskFault }

export type FoundRecord = {
  readonly header: DecodedHeader
  /** Views into a window; never written again. */
  readonly metadata: Uint8Array
  /** Only if bodies are read. */
  readonly body: Uint8Array | undefined
  /** The bytes of header, metadata and, if bodies are read, body. */
  readonly raw: Uint8Array
  /** Where the next record begins. */
  readonly end: number
}
export type Expected = { readonly sequence: number; readonly before: bigint }

/**
 * Opens the segment on each disk that has it. `pastCache`: to read what is on the disk itself. `forgiving`: a disk is not to be blamed for what nobody needs;
 * where what is needed cannot be read, that is a fault all the same.
 */
export async function openCopies(
  number: number,
  disks: Iterable<Disk>,
  options?: { readonly pastCache?: boolean; readonly forgiving?: boolean },
): Promise<{ readonly copies: OpenCopy[]; readonly faults: CopyFault[] }> {
  const copies: OpenCopy[] = []
  const faults: CopyFault[] = []
  const open = async (disk: Disk): Promise<void> => {
    const name = segmentFile(number)
    const buffered = { mode: 'read', lane: 'data', forgiving: options?.forgiving === true } as const
    const file = await (options?.pastCache === true
      ? openPastCache(disk, name, options.forgiving === true ? 'forgiving' : undefined)
      : disk.open(name, buffered))
    if (file.ok) copies.push({ disk, file: file.value })
    else if (file.error !== 'not-found') faults.push({ disk, fault: file.error })
  }
  await Promise.all([...disks].map(open))
  return { copies, faults }
}

export function closeCopies(copies: readonly OpenCopy[]): void {
  for (const { file } of copies) file.close()
}

export class SegmentScan {
  readonly faults: CopyFault[] = []
  readonly #windows: Window[]
  readonly #seed: bigint
  readonly #xxh64: Xxh64
  readonly #limit: number
  readonly #bodies: boolean
  #preferred = 0

  /** Nothing at or behind `limit` is read. */
  constructor(input: {
    readonly copies: readonly OpenCopy[]
    readonly seed: bigint
    readonly limit: number
    readonly bodies: boolean
    readonly xxh64: Xxh64
    /** What cannot be read of a copy that was opened so is bad, as if it read wrong. */
    readonly forgiving?: boolean
  }) {
    const note = (disk: Disk, fault: DiskFault): void => {
      if (input.forgiving !== true || !isOfPlace(fault, disk)) this.faults.push({ disk, fault })
    }
    this.#windows = input.copies.map((copy) => new Window(copy, input.limit, note))
    this.#seed = input.seed
    this.#limit = input.limit
    this.#bodies = input.bodies
    this.#xxh64 = input.xxh64
  }

  /** The record that begins at `offset`. A `before` that is not known is not asked for. Undefined if no copy has it. */
  async read(offset: number, expected: Partial<Expected>): Promise<FoundRecord | undefined> {
    for (let turn = 0; turn < this.#windows.length; turn++) {
      const index = (this.#preferred + turn) % this.#windows.length
      const found = await this.#readFrom(this.#windows[index]!, offset, expected)
      if (found === undefined) continue
      this.#preferred = index
      return found
    }
    return undefined
  }

  /** As `read`, if what it needs is in memory already; undefined says nothing. */
  readCached(offset: number, expected: Partial<Expected>): FoundRecord | undefined {
    const window = this.#windows[this.#preferred]
    const header = window && this.#header(window.cached(offset, RECORD_HEADER_BYTES), offset, expected)
    if (header === undefined) return undefined
    return this.#record(window!.cached(offset, this.#wantedBytes(header)), header)
  }

  async #readFrom(window: Window, offset: number, expected: Partial<Expected>): Promise<FoundRecord | undefined> {
    const header = this.#header(await window.read(offset, RECORD_HEADER_BYTES), offset, expected)
    if (header === undefined) return undefined
    return this.#record(await window.read(offset, this.#wantedBytes(header)), header)
  }

  #header(bytes: Uint8Array | undefined, offset: number, expected: Partial<Expected>): DecodedHeader | undefined {
    const header = bytes && decodeRecordHeader(bytes, offset, this.#seed, this.#xxh64)
    if (header === undefined || offset + recordBytes(header.metadataBytes, header.bodyBytes) > this.#limit) return undefined
    if (expected.sequence !== undefined && header.sequence !== expected.sequence) return undefined
    return expected.before !== undefined && header.before !== expected.before ? undefined : header
  }

  #wantedBytes(header: DecodedHeader): number {
    return RECORD_HEADER_BYTES + header.metadataBytes + (this.#bodies ? header.bodyBytes : 0)
  }

  #record(raw: Uint8Array | undefined, header: DecodedHeader): FoundRecord | undefined {
    if (raw === undefined) return undefined
    const bodyAt = RECORD_HEADER_BYTES + header.metadataBytes
    const metadata = raw.subarray(RECORD_HEADER_BYTES, bodyAt)
    if (this.#xxh64(metadata) !== header.metadataChecksum) return undefined
    const body = this.#bodies ? raw.subarray(bodyAt, bodyAt + header.bodyBytes) : undefined
    if (body !== undefined && this.#xxh64(body) !== header.bodyChecksum) return undefined
    return { header, metadata, body, raw, end: header.offset + recordBytes(header.metadataBytes, header.bodyBytes) }
  }
}

class Window {
  readonly #copy: OpenCopy
  readonly #limit: number
  readonly #note: (disk: Disk, fault: DiskFault) => void
  #bytes: Uint8Array = new Uint8Array(0)
  #from = 0
  /** Bytes that can be read; undefined until asked, 0 after a fault. */
  #readable: number | undefined

  constructor(copy: OpenCopy, limit: number, note: (disk: Disk, fault: DiskFault) => void) {
    this.#copy = copy
    this.#limit = limit
    this.#note = note
  }

  cached(offset: number, bytes: number): Uint8Array | undefined {
    const from = offset - this.#from
    return from >= 0 && from + bytes <= this.#bytes.length ? this.#bytes.subarray(from, from + bytes) : undefined
  }

  /** Undefined if the file ends before, or the disk failed. */
  async read(offset: number, bytes: number): Promise<Uint8Array | undefined> {
    const cached = this.cached(offset, bytes)
    if (cached !== undefined) return cached
    if (this.#readable === undefined) {
      const size = await this.#copy.file.size()
      if (!size.ok) return this.#failed(size.error)
      this.#readable = Math.min(size.value, this.#limit)
    }
    if (offset + bytes > this.#readable) return undefined
    const { disk, file } = this.#copy
    const ahead = await file.read(offset, Math.min(Math.max(bytes, WINDOW_BYTES), this.#readable - offset))
    const read = !ahead.ok && isOfPlace(ahead.error, disk) ? await file.read(offset, bytes) : ahead
    if (!read.ok) return this.#failed(read.error)
    this.#bytes = read.value
    this.#from = offset
    return this.#bytes.subarray(0, bytes)
  }

  #failed(fault: DiskFault): undefined {
    const { disk } = this.#copy
    if (!isOfPlace(fault, disk)) this.#readable = 0
    if (fault !== 'short') this.#note(disk, fault)
    return undefined
  }
}
