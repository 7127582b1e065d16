/**
 * The WebAssembly kernel of this thread: makes shards from shards, and hashes, block by block in the kernel's memory (1.6 MiB, never more).
 * All of it is synchronous, so one instance serves a thread. 7 to 20 GB/s of sources per core, by the number of outputs.
 */
import { strict as assert } from 'node:assert'
import { ERASURE_KERNEL } from './erasure-kernel.ts'

/** As in kernel/erasure.ts. */
const AREA_BYTES = 1024 * 1024 + 256 * 64
const TABLES_BYTES = 128 * 128 * 32
const STATES = 256
/** Room behind each block for the tail that is hashed with it. */
const SLACK_BYTES = 64
const BLOCK_BYTES_MAX = 32 * 1024
export const TAIL_BYTES_MAX = 32

type Exports = {
  memory: WebAssembly.Memory
  areaPointer(): number
  tablesPointer(): number
  statesPointer(): number
  multiply(first: number, sources: number, outputs: number, stride: number, bytes: number): void
  hashStart(slot: number, seedLow: number, seedHigh: number): void
  hashGroups(slot: number, first: number, bytes: number): void
  hashSlots(first: number, slots: number, stride: number, bytes: number): void
  hashEnd(slot: number, first: number, bytes: number, total: number): void
}

/** Tables of coefficients in the kernel's form: `outputs` rows of `sources`. */
export type Tables = { readonly sources: number; readonly outputs: number; readonly bytes: Uint8Array }

/** The pieces of one source, one behind the other. They may end before the block does: zeros are implied. */
export type Pieces = readonly Uint8Array[]

/** A 64-bit number in halves: BigInt costs more than hashing a small block. */
export type Seed = { readonly low: number; readonly high: number }

/**
 * What to hash on the way: for each source, then each output, its bytes followed by a tail. Sources are hashed as long as they are (not the
 * zeros implied); outputs as long as asked for.
 */
export type Hashing = {
  readonly seeds: readonly Seed[]
  /** For each of them its tail; all of one length, at most TAIL_BYTES_MAX. */
  readonly tails: readonly Uint8Array[]
  /** Takes the eight bytes of each hash, little-endian. */
  readonly hashes: readonly Uint8Array[]
}

let module: WebAssembly.Module | undefined
const WASM_PAGE_BYTES = 65_536

export class Coder {
  /** Sources can be coded in place here: `codeInPlace`. */
  readonly room: Uint8Array<ArrayBuffer>
  readonly #kernel: Exports
  readonly #area: Uint8Array
  /** Where the area begins. */
  readonly #first: number
  readonly #tables: Uint8Array
  readonly #states: Uint8Array
  /** The tables that are in the kernel now. */
  #loaded: Tables | undefined

  /** With `roomBytes` of memory of its own behind the kernel's, zero, at an address that is a multiple of 4,096: `room`. */
  constructor(roomBytes = 0) {
    module ??= new WebAssembly.Module(Buffer.from(ERASURE_KERNEL, 'base64'))
    this.#kernel = new WebAssembly.Instance(module).exports as Exports
    const { memory } = this.#kernel
    const pages = memory.grow(Math.ceil(roomBytes / WASM_PAGE_BYTES))
    const { buffer } = memory
    this.room = new Uint8Array(buffer, pages * WASM_PAGE_BYTES, roomBytes)
    this.#first = this.#kernel.areaPointer()
    this.#area = new Uint8Array(buffer, this.#first, AREA_BYTES)
    this.#tables = new Uint8Array(buffer, this.#kernel.tablesPointer(), TABLES_BYTES)
    this.#states = new Uint8Array(buffer, this.#kernel.statesPointer(), STATES * 32)
  }

  /** Fills `outputs`, all of one length, which no source exceeds. */
  code(tables: Tables, sources: readonly Pieces[], outputs: readonly Uint8Array[], hashing?: Hashing): void {
    const kernel = this.#kernel
    assert(sources.length === tables.sources && outputs.length === tables.outputs)
    const slots = sources.length + outputs.length
    const bytes = outputs[0]?.length ?? Math.max(0, ...sources.map(piecesBytes))
    this.#load(tables)
    const blockBytes = Math.min(BLOCK_BYTES_MAX, Math.floor(AREA_BYTES / slots / 64) * 64 - SLACK_BYTES)
    const stride = blockBytes + SLACK_BYTES
    const cursors = sources.map((pieces) => new Cursor(pieces))
    if (hashing !== undefined) for (const [slot, seed] of hashing.seeds.entries()) kernel.hashStart(slot, seed.low, seed.high)
    let from = 0
    do {
      const block = Math.min(blockBytes, bytes - from)
      const padded = (block + 31) & ~31
      for (let slot = 0; slot < cursors.length; slot++) cursors[slot]!.fill(this.#area, slot * stride, block, padded)
      if (outputs.length > 0) kernel.multiply(this.#first, sources.length, outputs.length, stride, padded)
      for (let output = 0; output < outputs.length; output++) {
        const at = (sources.length + output) * stride
        outputs[output]!.set(this.#area.subarray(at, at + block), from)
      }
      if (hashing !== undefined) this.#hash(hashing, cursors, stride, from, block, bytes)
      from += block
    } while (from < bytes)
  }

  /**
   * Codes and hashes a stripe that lies in `room`: unit 0 at `at`, each `stride` bytes behind the one before, sources first. `bytes`: of each unit, sources
   * at most as long as the first, outputs as long. After that, behind each unit that has a byte lies its trailer: `zeroBytes` zeros, and eight bytes
   * of hash of unit and zeros, little-endian.
   */
  codeInPlace(
    tables: Tables,
    stripe: { readonly at: number; readonly stride: number; readonly bytes: readonly number[]; readonly zeroBytes: number },
    seed: (unit: number) => Seed,
  ): void {
    const kernel = this.#kernel
    const { stride, bytes, zeroBytes } = stripe
    const first = this.room.byteOffset + stripe.at
    const units = bytes.length
    const longest = bytes[0]!
    assert(units === tables.sources + tables.outputs)
    // What is behind the units up to there becomes zero in sources, and trailers in the end.
    const padded = (longest + 31) & ~31
    assert(stripe.at + (units - 1) * stride + padded + zeroBytes + 8 <= this.room.length)
    this.#load(tables)
    for (let unit = 0; unit < units; unit++) {
      const { low, high } = seed(unit)
      kernel.hashStart(unit, low, high)
    }
    for (let unit = 0; unit < tables.sources; unit++) {
      const start = stripe.at + unit * stride
      if (bytes[unit]! < padded) this.room.fill(0, start + bytes[unit]!, start + padded)
    }
    // Those as long as the first are hashed while they are in the processor's cache.
    const even = bytes.every((length) => length === padded)
    for (let from = 0; from < padded; from += BLOCK_BYTES_MAX) {
      const block = Math.min(BLOCK_BYTES_MAX, padded - from)
      if (tables.outputs > 0) kernel.multiply(first + from, tables.sources, tables.outputs, stride, block)
      if (even) kernel.hashSlots(first + from, units, stride, block)
    }
    for (let unit = 0; unit < units; unit++) {
      const length = bytes[unit]!
      if (length === 0) continue
      const end = stripe.at + unit * stride + length
      this.room.fill(0, end, end + zeroBytes)
      const hashed = even ? length : 0
      kernel.hashEnd(unit, first + unit * stride + hashed, length - hashed + zeroBytes, length + zeroBytes)
      this.room.set(this.#states.subarray(unit * 32, unit * 32 + 8), end + zeroBytes)
    }
  }

  #load(tables: Tables): void {
    if (this.#loaded === tables) return
    this.#tables.set(tables.bytes)
    this.#loaded = tables
  }

  #hash(hashing: Hashing, cursors: readonly Cursor[], stride: number, from: number, block: number, bytes: number): void {
    const kernel = this.#kernel
    const slots = hashing.seeds.length
    const last = from + block === bytes
    if (!last && cursors.every((cursor) => cursor.taken === from + block && !cursor.atEnd)) {
      kernel.hashSlots(this.#first, slots, stride, block)
      return
    }
    for (let slot = 0; slot < slots; slot++) {
      const cursor = cursors[slot]
      const taken = cursor === undefined ? from + block : cursor.taken
      const fresh = cursor === undefined ? block : cursor.fresh
      const ends = cursor === undefined ? last : cursor.atEnd
      assert(ends || !last) // No source is longer than the outputs.
      if (!ends) kernel.hashGroups(slot, this.#first + slot * stride, fresh)
      // A source that ended with an earlier block had its hash then; one without a byte has it at the first.
      else if (fresh > 0 || (taken === 0 && from === 0)) {
        const tail = hashing.tails[slot]!
        this.#area.set(tail, slot * stride + fresh)
        kernel.hashEnd(slot, this.#first + slot * stride, fresh + tail.length, taken + tail.length)
        hashing.hashes[slot]!.set(this.#states.subarray(slot * 32, slot * 32 + 8))
      }
    }
  }

  /** XXH64 of `bytes`, as eight bytes, little-endian, valid until the next call of anything here. Bytes in `room` are not copied. */
  hash(bytes: Uint8Array, seed: Seed): Uint8Array {
    const kernel = this.#kernel
    kernel.hashStart(0, seed.low, seed.high)
    if (bytes.buffer === this.room.buffer) {
      kernel.hashEnd(0, bytes.byteOffset, bytes.length, bytes.length)
      return this.#states.subarray(0, 8)
    }
    let from = 0
    for (; bytes.length - from > BLOCK_BYTES_MAX; from += BLOCK_BYTES_MAX) {
      this.#area.set(bytes.subarray(from, from + BLOCK_BYTES_MAX))
      kernel.hashGroups(0, this.#first, BLOCK_BYTES_MAX)
    }
    this.#area.set(from === 0 ? bytes : bytes.subarray(from))
    kernel.hashEnd(0, this.#first, bytes.length - from, bytes.length)
    return this.#states.subarray(0, 8)
  }
}

/** Walks the pieces of a source. */
class Cursor {
  readonly #pieces: Pieces
  #piece = 0
  #offset = 0
  /** Bytes taken so far; those of the last block. */
  taken = 0
  fresh = 0

  constructor(pieces: Pieces) {
    this.#pieces = pieces
    this.#skipEmpty()
  }

  get atEnd(): boolean {
    return this.#piece === this.#pieces.length
  }

  /** Puts up to `bytes` bytes into `area` at `at`, zeros behind them up to `padded`. */
  fill(area: Uint8Array, at: number, bytes: number, padded: number): void {
    let filled = 0
    while (filled < bytes && this.#piece < this.#pieces.length) {
      const piece = this.#pieces[this.#piece]!
      const count = Math.min(bytes - filled, piece.length - this.#offset)
      area.set(count === piece.length ? piece : piece.subarray(this.#offset, this.#offset + count), at + filled)
      filled += count
      this.#offset += count
      this.#skipEmpty()
    }
    if (filled < padded) area.fill(0, at + filled, at + padded)
    this.fresh = filled
    this.taken += filled
  }

  #skipEmpty(): void {
    while (this.#piece < this.#pieces.length && this.#offset === this.#pieces[this.#piece]!.length) {
      this.#piece++
      this.#offset = 0
    }
  }
}

export function piecesBytes(pieces: Pieces): number {
  let bytes = 0
  for (const piece of pieces) bytes += piece.length
  return bytes
}

let ofThread: Coder | undefined
/** The thread's own, made at first use. It keeps nothing between calls but its memory. */
export function threadCoder(): Coder {
  ofThread ??= new Coder()
  return ofThread
}
