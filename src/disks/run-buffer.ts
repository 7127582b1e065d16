/** The bytes of an extent between the client and the disks: gathered as they come, cut off in runs, dealt out in units, never copied but when small. */
import type { Pieces } from '../erasure/coder.ts'

/** Chunks below this are gathered, so that a unit has few pieces whatever the client sends. */
const SMALL_CHUNK_BYTES = 8 * 1024
const GATHER_BYTES = 64 * 1024

export class RunBuffer {
  bytes = 0
  #pieces: Uint8Array[] = []
  /** Small chunks are copied here, up to `#gathered`. */
  #gather: Uint8Array | undefined
  #gathered = 0

  add(chunk: Uint8Array): void {
    this.bytes += chunk.length
    if (chunk.length >= SMALL_CHUNK_BYTES) this.#pieces.push(chunk)
    else this.#addSmall(chunk)
  }

  /** Takes the first `bytes` bytes out. */
  cutOff(bytes: number): Uint8Array[] {
    const run: Uint8Array[] = []
    let left = bytes
    let taken = 0
    while (left > 0) {
      const piece = this.#pieces[taken]!
      if (piece.length > left) {
        run.push(piece.subarray(0, left))
        this.#pieces[taken] = piece.subarray(left)
        break
      }
      run.push(piece)
      left -= piece.length
      taken++
    }
    this.#pieces.splice(0, taken)
    this.bytes -= bytes
    return run
  }

  clear(): void {
    this.#pieces = []
    this.bytes = 0
  }

  #addSmall(chunk: Uint8Array): void {
    if (this.#gather === undefined || this.#gathered + chunk.length > this.#gather.length) {
      this.#gather = new Uint8Array(Buffer.allocUnsafeSlow(GATHER_BYTES).buffer)
      this.#gathered = 0
    }
    this.#gather.set(chunk, this.#gathered)
    const end = this.#gathered + chunk.length
    const last = this.#pieces.at(-1)
    // Directly behind what was gathered just before, it is one piece with it.
    if (last?.buffer === this.#gather.buffer && last.byteOffset + last.length === this.#gathered) {
      this.#pieces[this.#pieces.length - 1] = this.#gather.subarray(last.byteOffset, end)
    } else {
      this.#pieces.push(this.#gather.subarray(this.#gathered, end))
    }
    this.#gathered = end
  }
}

/** Takes one unit after the other off a row of pieces. */
export class Dealer {
  readonly #pieces: Pieces
  #piece = 0
  #offset = 0

  constructor(pieces: Pieces) {
    this.#pieces = pieces
  }

  take(bytes: number): Uint8Array[] {
    const taken: Uint8Array[] = []
    let left = bytes
    while (left > 0) {
      const piece = this.#pieces[this.#piece]!
      const count = Math.min(left, piece.length - this.#offset)
      taken.push(count === piece.length ? piece : piece.subarray(this.#offset, this.#offset + count))
      left -= count
      this.#offset += count
      if (this.#offset === piece.length) {
        this.#piece++
        this.#offset = 0
      }
    }
    return taken
  }
}
