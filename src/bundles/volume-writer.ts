/** Writes one data volume: plaintext in, sealed rows out to the medium, digests on the way. Memory: two rows. */
import { createHash, type Hash } from 'node:crypto'
import { ROW_BYTES } from './format.ts'
import type { VolumeRecord } from './manifest.ts'
import type { OutputFile } from './media.ts'
import { TreeRoot } from './merkle.ts'
import { chunkBytes, type VolumeSealer } from './volume.ts'

export type WrittenVolume = {
  readonly record: VolumeRecord
  readonly leaves: readonly Buffer[]
  /** SHA-512 of the file, 128 hexadecimal digits. */
  readonly sha512: string
}

/** Rows on their way to the medium, with leaf hashes, root and SHA-512. One write is under way while the next row is made. */
export class RowWriter {
  readonly #file: OutputFile
  readonly #leaves: Buffer[] = []
  readonly #tree = new TreeRoot()
  readonly #sha512: Hash = createHash('sha512')
  #bytes = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(file: OutputFile) {
    this.#file = file
  }

  /** The pieces must not change afterwards. */
  async append(row: readonly Uint8Array[]): Promise<void> {
    const leaf = createHash('sha384').update(Uint8Array.of(0))
    for (const piece of row) {
      leaf.update(piece)
      this.#sha512.update(piece)
      this.#bytes += piece.length
    }
    const digest = leaf.digest()
    this.#leaves.push(digest)
    this.#tree.add(digest)
    await this.#writing
    this.#writing = this.#file.append(row)
    // Whoever awaits it next gets the fault; until then it must not count as unhandled.
    this.#writing.catch(() => undefined)
  }

  async finish(): Promise<WrittenVolume> {
    await this.#writing
    await this.#file.finish()
    const record = { bytes: this.#bytes, root: this.#tree.root().toString('hex') }
    return { record, leaves: this.#leaves, sha512: this.#sha512.digest('hex') }
  }

  /** Waits for the write under way, whatever comes of it. */
  settled(): Promise<void> {
    return this.#writing.catch(() => undefined)
  }

  async abandon(): Promise<void> {
    await this.settled()
    await this.#file.abandon()
  }
}

export class VolumeWriter {
  readonly #rows: RowWriter
  readonly #sealer: VolumeSealer
  readonly #chunk = Buffer.allocUnsafeSlow(ROW_BYTES)
  #filled = 0
  #row = 0
  #plainBytes = 0

  constructor(file: OutputFile, sealer: VolumeSealer) {
    this.#rows = new RowWriter(file)
    this.#sealer = sealer
  }

  /** Plaintext taken so far. */
  get plainBytes(): number {
    return this.#plainBytes
  }

  /** Copies `bytes`; wait for the promise, if there is one, before the next call. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#filled + bytes.length > chunkBytes(this.#row)) return this.#writeOver(bytes)
    this.#chunk.set(bytes, this.#filled)
    this.#filled += bytes.length
    this.#plainBytes += bytes.length
    return undefined
  }

  /** A full chunk waits until more comes, since the last one is sealed as the last. */
  async #writeOver(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; ) {
      if (this.#filled === chunkBytes(this.#row)) await this.#seal('more')
      const part = bytes.subarray(from, from + chunkBytes(this.#row) - this.#filled)
      this.#chunk.set(part, this.#filled)
      this.#filled += part.length
      this.#plainBytes += part.length
      from += part.length
    }
  }

  async #seal(last: 'last' | 'more'): Promise<void> {
    const row = this.#sealer.seal(this.#chunk.subarray(0, this.#filled), last)
    this.#row += 1
    this.#filled = 0
    await this.#rows.append(row)
  }

  async finish(): Promise<WrittenVolume> {
    await this.#seal('last')
    return this.#rows.finish()
  }

  abandon(): Promise<void> {
    return this.#rows.abandon()
  }
}
