/**
 * Reads the archives of a bundle, volume after volume: sealed rows in, members out. Each byte that comes out was authenticated in memory when it was read: its row against
 * the signed root, its chunk under the bundle key. Memory: three rows, and what GroupRows says.
 */
import type { BundleHead } from './bundle-head.ts'
import { Stop } from './fault.ts'
import { GroupRows } from './group-rows.ts'
import { locateVolume } from './located-volume.ts'
import { type NamedVolume, rowCount } from './manifest.ts'
import { ARCHIVE_END_BYTES, BLOCK_BYTES, decodeHeader, isZeroBlock, type Member, paddedBytes } from './tar.ts'
import { VolumeOpener } from './volume.ts'

type Current = {
  readonly volume: NamedVolume
  readonly opener: VolumeOpener
  readonly member: number
  row: number
  ahead: Promise<Uint8Array> | undefined
}

export class ArchiveReader {
  readonly #head: BundleHead
  readonly #bundleKey: Uint8Array
  /** The group being read, its number and its rows. */
  #group = -1
  #rows: GroupRows | undefined
  #repaired = 0
  #index = 0
  #current: Current | undefined
  #chunk: Buffer = Buffer.alloc(0)
  /** Bytes of the member under way that were not taken yet, and zeros behind it. */
  #left = 0
  #padding = 0

  constructor(head: BundleHead, bundleKey: Uint8Array) {
    this.#head = head
    this.#bundleKey = bundleKey
  }

  get repairedRows(): number {
    return this.#repaired + (this.#rows?.repaired ?? 0)
  }

  /** The next member; undefined behind the last one. What was not taken of the one before is passed over. */
  async next(): Promise<Member | undefined> {
    while (this.#left > 0) await this.take(this.#left)
    if (this.#padding > 0 && !isZeroBlock(await this.#exactly(this.#padding))) throw this.#malformed()
    this.#padding = 0
    for (;;) {
      if (this.#current === undefined && !(await this.#openVolume())) return undefined
      const block = await this.#exactly(BLOCK_BYTES)
      if (isZeroBlock(block)) {
        await this.#endVolume()
        continue
      }
      const member = decodeHeader(block)
      if (member === undefined) throw this.#malformed()
      this.#left = member.bytes
      this.#padding = paddedBytes(member.bytes) - member.bytes
      return member
    }
  }

  /** The next bytes of the member, at least one and at most `bytesMax`; it has that many left. They are the caller's. */
  async take(bytesMax: number): Promise<Buffer> {
    if (this.#chunk.length === 0) await this.#nextChunk()
    const part = this.#chunk.subarray(0, Math.min(bytesMax, this.#left))
    this.#chunk = this.#chunk.subarray(part.length)
    this.#left -= part.length
    return part
  }

  async #exactly(bytes: number): Promise<Buffer> {
    if (this.#chunk.length < bytes) {
      const pieces: Buffer[] = []
      let length = 0
      while (length < bytes) {
        if (this.#chunk.length === 0) await this.#nextChunk()
        const part = this.#chunk.subarray(0, bytes - length)
        this.#chunk = this.#chunk.subarray(part.length)
        pieces.push(part)
        length += part.length
      }
      return Buffer.concat(pieces)
    }
    const whole = this.#chunk.subarray(0, bytes)
    this.#chunk = this.#chunk.subarray(bytes)
    return whole
  }

  async #openVolume(): Promise<boolean> {
    let first = 0
    for (const [number, { data, parity }] of this.#head.groups.entries()) {
      if (this.#index < first + data.length) {
        if (number !== this.#group) await this.#openGroup(number, data, parity)
        const volume = data[this.#index - first]!
        const opener = new VolumeOpener(this.#bundleKey, this.#head.preamble.bundleId, this.#index + 1)
        this.#current = { volume, opener, member: this.#index - first, row: 0, ahead: undefined }
        this.#index += 1
        return true
      }
      first += data.length
    }
    return false
  }

  async #openGroup(number: number, data: readonly NamedVolume[], parity: readonly NamedVolume[]): Promise<void> {
    await this.#closeGroup()
    const located = []
    for (const volume of [...data, ...parity]) located.push(await locateVolume(this.#head, volume))
    this.#rows = new GroupRows(located.slice(0, data.length), located.slice(data.length))
    this.#group = number
  }

  /** The next row is read while this one is used. */
  async #nextChunk(): Promise<void> {
    const current = this.#current!
    const rows = rowCount(current.volume.record.bytes)
    if (current.row === rows) throw this.#malformed()
    const row = await (current.ahead ?? this.#rows!.row(current.member, current.row))
    const last = current.row + 1 === rows ? 'last' : 'more'
    current.ahead = last === 'last' ? undefined : this.#rows!.row(current.member, current.row + 1)
    // Whoever awaits it next gets the fault; until then it must not count as unhandled.
    current.ahead?.catch(() => undefined)
    current.row += 1
    const chunk = current.opener.open(row, last)
    if (chunk === undefined)
      throw new Stop(
        'unsealing-failed',
        `${current.volume.name} is signed, but not sealed with the key of this bundle: its sender must make it anew.`,
      )
    this.#chunk = chunk
  }

  /** The first zero block was read: one more follows, then nothing. */
  async #endVolume(): Promise<void> {
    const rest = await this.#exactly(ARCHIVE_END_BYTES - BLOCK_BYTES)
    const { row, volume, member } = this.#current!
    if (!isZeroBlock(rest) || this.#chunk.length > 0 || row !== rowCount(volume.record.bytes)) throw this.#malformed()
    await this.#rows!.release(member)
    this.#current = undefined
  }

  #malformed(): Stop {
    return new Stop(
      'malformed',
      `The archive in ${this.#current?.volume.name ?? 'this bundle'} is signed but malformed: its sender must make the bundle anew.`,
    )
  }

  async #closeGroup(): Promise<void> {
    await this.#current?.ahead?.catch(() => undefined)
    this.#repaired += this.#rows?.repaired ?? 0
    await this.#rows?.close()
    this.#rows = undefined
  }

  close(): Promise<void> {
    return this.#closeGroup()
  }
}
