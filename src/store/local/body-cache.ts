/** Bodies of records that were read lately, bounded in bytes. Records never change, so neither does what is in here. */
const ENTRY_BYTES_MAX = 64 * 1024
/** What a small entry costs beside its bytes. */
const ENTRY_OVERHEAD_BYTES = 200

export class BodyCache {
  readonly #bytesMax: number
  /** Longest unused first. */
  readonly #bodies = new Map<number, Uint8Array>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(sequence: number): Uint8Array | undefined {
    const body = this.#bodies.get(sequence)
    if (body === undefined) return undefined
    this.#bodies.delete(sequence)
    this.#bodies.set(sequence, body)
    return body
  }

  add(sequence: number, body: Uint8Array): void {
    if (body.length > ENTRY_BYTES_MAX || this.#bodies.has(sequence)) return
    // A view would keep the whole buffer behind it.
    this.#bodies.set(sequence, body.byteLength === body.buffer.byteLength ? body : body.slice())
    this.#bytes += body.length + ENTRY_OVERHEAD_BYTES
    for (const [oldest, { length }] of this.#bodies) {
      if (this.#bytes <= this.#bytesMax) return
      this.#bodies.delete(oldest)
      this.#bytes -= length + ENTRY_OVERHEAD_BYTES
    }
  }
}
