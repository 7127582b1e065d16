/**
 * What ties the value of a row to its key: LMDB's pages have no checksum, and a bit that flips in its file would show a wrong size or name as right.
 * Format: docs/formats.md#index.
 */
import createXxhash from 'xxhash-wasm'

export const CHECK_BYTES = 4

export class RowCheck {
  readonly #xxh32: (bytes: Uint8Array, seed?: number) => number

  private constructor(xxh32: (bytes: Uint8Array, seed?: number) => number) {
    this.#xxh32 = xxh32
  }

  /** One per thread: it works in a memory of its own. */
  static async load(): Promise<RowCheck> {
    const { h32Raw } = await createXxhash()
    return new RowCheck(h32Raw)
  }

  /** The value as it is stored. */
  seal(key: Uint8Array, value: Uint8Array): Buffer {
    const stored = Buffer.allocUnsafe(value.length + CHECK_BYTES)
    stored.set(value)
    stored.writeUInt32LE(this.#sum(key, value), value.length)
    return stored
  }

  /** The value of what is stored, in place; undefined if it is not what was written under this key. */
  open(key: Uint8Array, stored: Buffer): Buffer | undefined {
    const end = stored.length - CHECK_BYTES
    if (end < 0) return undefined
    const value = stored.subarray(0, end)
    return stored.readUInt32LE(end) === this.#sum(key, value) ? value : undefined
  }

  #sum(key: Uint8Array, value: Uint8Array): number {
    return this.#xxh32(value, this.#xxh32(key))
  }
}
