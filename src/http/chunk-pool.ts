/** Memory for chunks of bodies, used again and again. One per thread. */

/** Great enough that a chunk costs little beside its bytes. */
export const LENT_CHUNK_BYTES = 256 * 1024
/** 16 MiB: what two dozen uploads at full speed need. */
const FREE_MAX = 64

export class ChunkPool {
  readonly #free: Uint8Array[] = []

  /** LENT_CHUNK_BYTES bytes with anything in them. */
  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(LENT_CHUNK_BYTES)
  }

  give(chunk: Uint8Array): void {
    if (this.#free.length < FREE_MAX) this.#free.push(chunk)
  }
}
