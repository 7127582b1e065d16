/** Reads bodies of records from whatever copy is good, on any thread. Keeps the files of the segments read last open. */
import { type Disk, type DiskFault, type DiskFile, isOfPlace } from '../../../disks/disk.ts'
import { fail, ok, type Result } from '../../../result.ts'
import { highOf, loadXxh64, lowOf, type Xxh64 } from './checksum.ts'
import { segmentFile } from './segment.ts'
import type { BodyPlace } from './terms.ts'

const SEGMENTS_OPEN_MAX = 64

export type JournalReaderInput = {
  /** Those that are in, now. */
  readonly disks: () => readonly Disk[]
  readonly reportFault: (disk: Disk, fault: DiskFault) => void
  /** A copy of the segment has bad bytes, on a disk that works. */
  readonly reportBadCopy?: (disk: Disk, segment: number) => void
  /** From `loadXxh64`, if it was called already. */
  readonly xxh64?: Xxh64
}

type Opening = Promise<Result<DiskFile, DiskFault>>
/** The files of one segment. Those given up are closed when nobody reads any more. */
type Copies = {
  /** An 'absent' one is asked again only if no other copy is good: it may have been healed since. */
  readonly byDisk: Map<Disk, Opening | DiskFile | 'absent'>
  readonly givenUp: (Opening | DiskFile)[]
  readers: number
}

export class JournalReader {
  readonly #input: JournalReaderInput
  /** In the order of their last use. */
  readonly #segments = new Map<number, Copies>()
  #xxh64: Xxh64 | undefined
  #turn = 0
  #closed = false

  constructor(input: JournalReaderInput) {
    this.#input = input
    this.#xxh64 = input.xxh64
  }

  /** 'damaged' if all disks that have a copy can be read, and none is good. */
  async read(place: BodyPlace): Promise<Result<Uint8Array, 'damaged' | 'too-few-disks'>> {
    if (this.#closed) return fail('too-few-disks')
    this.#xxh64 ??= await loadXxh64()
    const copies = this.#copies(place.segment)
    copies.readers += 1
    try {
      return await this.#readAny(place, copies)
    } finally {
      copies.readers -= 1
      const evicted = this.#segments.get(place.segment) !== copies
      if (evicted) giveUpAll(copies)
      else if (copies.readers === 0) closeGivenUp(copies)
    }
  }

  close(): void {
    this.#closed = true
    for (const copies of this.#segments.values()) giveUpAll(copies)
    this.#segments.clear()
  }

  async #readAny(place: BodyPlace, copies: Copies): Promise<Result<Uint8Array, 'damaged' | 'too-few-disks'>> {
    const disks = this.#input.disks()
    const absent: Disk[] = []
    let faulty = disks.length === 0
    this.#turn += 1
    // Its own: others begin to read meanwhile.
    const first = this.#turn
    for (let turn = 0; turn < disks.length; turn++) {
      const disk = disks[(first + turn) % disks.length]!
      if (copies.byDisk.get(disk) === 'absent') {
        absent.push(disk)
        continue
      }
      const read = await this.#readCopy(disk, place, copies)
      if (read.ok) return read
      if (read.error !== 'bad' && read.error !== 'absent') faulty = true
    }
    for (const disk of absent) {
      copies.byDisk.delete(disk)
      const read = await this.#readCopy(disk, place, copies)
      if (read.ok) return read
      if (read.error !== 'bad' && read.error !== 'absent') faulty = true
    }
    return fail(faulty ? 'too-few-disks' : 'damaged')
  }

  async #readCopy(disk: Disk, place: BodyPlace, copies: Copies): Promise<Result<Uint8Array, DiskFault | 'bad' | 'absent'>> {
    const file = await this.#open(disk, place.segment, copies)
    if (!file.ok && file.error === 'not-found') return fail('absent')
    const read = file.ok ? await file.value.read(place.offset, place.bytes) : file
    if (!read.ok && read.error !== 'short' && !isOfPlace(read.error, disk)) {
      giveUp(copies, disk)
      this.#input.reportFault(disk, read.error)
      return fail(read.error)
    }
    if (read.ok && this.#matches(read.value, place)) return read
    // A repaired copy may be another file.
    giveUp(copies, disk)
    this.#input.reportBadCopy?.(disk, place.segment)
    return fail('bad')
  }

  #matches(bytes: Uint8Array, place: BodyPlace): boolean {
    const checksum = this.#xxh64!(bytes)
    return highOf(checksum) === place.checksumHigh && lowOf(checksum) === place.checksumLow
  }

  async #open(disk: Disk, segment: number, copies: Copies): Promise<Result<DiskFile, DiskFault>> {
    const { byDisk } = copies
    const held = byDisk.get(disk)
    if (held === 'absent') return fail('not-found')
    if (held instanceof Promise) return held
    if (held !== undefined) return ok(held)
    const opening = disk.open(segmentFile(segment), { mode: 'read', lane: 'data', forgiving: true })
    byDisk.set(disk, opening)
    const opened = await opening
    if (byDisk.get(disk) !== opening) return opened
    if (opened.ok) byDisk.set(disk, opened.value)
    else if (opened.error === 'not-found') byDisk.set(disk, 'absent')
    else byDisk.delete(disk)
    return opened
  }

  #copies(segment: number): Copies {
    const known = this.#segments.get(segment)
    const copies: Copies = known ?? { byDisk: new Map(), givenUp: [], readers: 0 }
    if (known !== undefined) this.#segments.delete(segment)
    this.#segments.set(segment, copies)
    if (this.#segments.size <= SEGMENTS_OPEN_MAX) return copies
    const [oldest, its] = this.#segments.entries().next().value!
    this.#segments.delete(oldest)
    giveUpAll(its)
    return copies
  }
}

function giveUp(copies: Copies, disk: Disk): void {
  const held = copies.byDisk.get(disk)
  copies.byDisk.delete(disk)
  if (held !== undefined && held !== 'absent') copies.givenUp.push(held)
}

function giveUpAll(copies: Copies): void {
  for (const disk of [...copies.byDisk.keys()]) giveUp(copies, disk)
  if (copies.readers === 0) closeGivenUp(copies)
}

function closeGivenUp(copies: Copies): void {
  for (const held of copies.givenUp.splice(0)) {
    if (held instanceof Promise) void held.then((opened) => opened.ok && opened.value.close())
    else held.close()
  }
}
