/**
 * Lays entries into volumes: one archive per volume, what does not fit goes on in the next. The same entries and sizes always give the same
 * archives, so that an interrupted export can go on behind its last finished volume.
 */
import type { Place } from './bundle-state.ts'
import { Stop } from './fault.ts'
import { PIECE_BYTES_MAX } from './format.ts'
import { ARCHIVE_END_BYTES, BLOCK_BYTES, encodeHeader, paddedBytes, type Whole } from './tar.ts'
import type { VolumeWriter } from './volume-writer.ts'

const ZEROS = new Uint8Array(ARCHIVE_END_BYTES)
/** A volume with less room than this is closed rather than given a piece of content. */
const PIECE_ROOM_MIN = 64 * 1024

/** What the archive writer needs of its surroundings. */
export type Volumes = {
  /** Bytes of plaintext that each volume can take. */
  readonly capacity: number
  begin(): Promise<VolumeWriter>
  /** Closes the volume: durable, vouched for, remembered. `next` null: it was the last. */
  end(volume: VolumeWriter, next: Place | null): Promise<void>
  /** Called after each piece of data; throws to stop. */
  check(bytes: number): void
}

export class ArchiveWriter {
  readonly #volumes: Volumes
  #volume: VolumeWriter | undefined

  constructor(volumes: Volumes) {
    this.#volumes = volumes
  }

  /** Adds a whole of `total` bytes as number `place.entry`, or the rest of it from `place.offset`. `content` begins at its first byte all the same. */
  async add(place: Place, whole: Whole, total: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    const source = new Source(content, total)
    try {
      await source.skip(place.offset)
      let offset = place.offset
      do {
        const { volume, room } = await this.#roomFor(whole, { entry: place.entry, offset }, total - offset)
        const bytes = Math.min(total - offset, room, PIECE_BYTES_MAX)
        await volume.write(encodeHeader({ whole, offset, total, bytes }))
        for (let written = 0; written < bytes; ) {
          const part = await source.take(bytes - written)
          const waiting = volume.write(part)
          if (waiting !== undefined) await waiting
          this.#volumes.check(part.length)
          written += part.length
        }
        await volume.write(ZEROS.subarray(0, paddedBytes(bytes) - bytes))
        offset += bytes
      } while (offset < total)
      await source.end()
    } finally {
      await source.close()
    }
  }

  /** A volume with room for a header and some of the content behind it: all `rest` bytes, or a multiple of 512. */
  async #roomFor(whole: Whole, place: Place, rest: number): Promise<{ readonly volume: VolumeWriter; readonly room: number }> {
    const roomIn = (plainBytes: number): number => {
      const left = this.#volumes.capacity - plainBytes - ARCHIVE_END_BYTES - BLOCK_BYTES
      return left < 0 ? 0 : left - (left % BLOCK_BYTES)
    }
    const empty = roomIn(0)
    if (this.#volume !== undefined) {
      const room = roomIn(this.#volume.plainBytes)
      const fits = paddedBytes(rest) <= room
      // Lines stay together where a volume can hold them; content is cut anywhere.
      const goesOn = whole.kind === 'content' || paddedBytes(rest) > empty ? room >= Math.min(PIECE_ROOM_MIN, empty / 4) : false
      if (fits || goesOn) return { volume: this.#volume, room }
      await this.#end(place)
    }
    this.#volume = await this.#volumes.begin()
    return { volume: this.#volume, room: empty }
  }

  async #end(next: Place | null): Promise<void> {
    const volume = this.#volume!
    await volume.write(ZEROS)
    await this.#volumes.end(volume, next)
    this.#volume = undefined
  }

  /** After the last entry. */
  async finish(): Promise<void> {
    this.#volume ??= await this.#volumes.begin()
    await this.#end(null)
  }

  async abandon(): Promise<void> {
    await this.#volume?.abandon()
  }
}

/** Exactly `total` bytes from an iterable that may hand them out in any sizes, and may fail. */
class Source {
  readonly #iterator: AsyncIterator<Uint8Array>
  readonly #total: number
  #taken = 0
  #held: Uint8Array = new Uint8Array(0)
  #ended = false

  constructor(content: AsyncIterable<Uint8Array>, total: number) {
    this.#iterator = content[Symbol.asyncIterator]()
    this.#total = total
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const next = await this.#iterator.next()
      this.#ended = next.done === true
      return next.done === true ? undefined : next.value
    } catch (error) {
      this.#ended = true
      throw new Stop('source-failed', `What was to be exported cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  /** The next bytes, at least one and at most `bytesMax`. */
  async take(bytesMax: number): Promise<Uint8Array> {
    while (this.#held.length === 0) {
      const next = this.#ended ? undefined : await this.#next()
      if (next === undefined)
        throw new Stop('source-failed', `What was to be exported ends after ${this.#taken} of its ${this.#total} bytes.`)
      this.#held = next
    }
    const part = this.#held.subarray(0, bytesMax)
    this.#held = this.#held.subarray(part.length)
    this.#taken += part.length
    return part
  }

  async skip(bytes: number): Promise<void> {
    for (let skipped = 0; skipped < bytes; ) skipped += (await this.take(bytes - skipped)).length
  }

  /** Nothing more may come. */
  async end(): Promise<void> {
    for (;;) {
      if (this.#held.length > 0) throw new Stop('source-failed', `What was to be exported goes on behind its ${this.#total} bytes.`)
      const next = this.#ended ? undefined : await this.#next()
      if (next === undefined) return
      this.#held = next
    }
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#iterator.return?.().catch(() => undefined)
  }
}
