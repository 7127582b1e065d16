/**
 * MD5 of long bodies, those of one thread side by side: one alone keeps a processor busy for a fifth, since each step waits for the one before.
 *
 * Each stream gathers its bytes in one half of a lane of the kernel's memory while the other half, full, waits. When the second one is full too, all halves
 * that wait are hashed together, whosever they are. So nobody waits for anybody: a stream that is alone is hashed alone, as fast as by OpenSSL.
 */
import type { Hasher } from './checksum-algorithms.ts'
import { MD5_KERNEL } from './md5-kernel.ts'

/** Clients send in bursts: with shorter halves one stream fills both of its own while the others have nothing new, and is hashed alone. */
const HALF_BYTES = 512 * 1024
/** The last block with its padding may need one more. */
const LANE_BYTES = 2 * HALF_BYTES + 128
/** Lanes of a thread: 16 MiB, of which only what was ever in use at once counts. Streams beyond are hashed by OpenSSL. */
const LANES_MAX = 16
/** Below it a lane is not worth its while. */
export const LANE_BODY_BYTES_MIN = 2 * HALF_BYTES

const BLOCK_BYTES = 64
const WASM_PAGE_BYTES = 64 * 1024
const SLOTS = 12
/** From so many streams on, twelve slots at once are faster than two and two. */
const WIDE_MIN = 5
const START: readonly number[] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]

type Kernel = {
  readonly two: (bytes: number) => void
  readonly twelve: (bytes: number) => void
  /** All memory. */
  readonly memory: Uint8Array
  readonly states: Uint32Array
  readonly pointers: Uint32Array
}

function loadKernel(): Kernel & { readonly lanes: number } {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(MD5_KERNEL, 'base64')))
  const exported = instance.exports as {
    memory: WebAssembly.Memory
    statesPointer(): number
    pointersPointer(): number
    constantsPointer(): number
    two(bytes: number): void
    twelve(bytes: number): void
  }
  const lanes = exported.memory.grow(Math.ceil((LANES_MAX * LANE_BYTES) / WASM_PAGE_BYTES)) * WASM_PAGE_BYTES
  const { buffer } = exported.memory
  // RFC 1321, section 3.4: the table T.
  const constants = new Uint32Array(buffer, exported.constantsPointer(), 64)
  for (let i = 0; i < 64; i++) constants[i] = Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32)
  return {
    two: exported.two,
    twelve: exported.twelve,
    memory: new Uint8Array(buffer),
    states: new Uint32Array(buffer, exported.statesPointer(), SLOTS * 4),
    pointers: new Uint32Array(buffer, exported.pointersPointer(), SLOTS),
    lanes,
  }
}

/** Those of a thread. */
export class Md5Lanes {
  readonly #kernel: Kernel
  /** Where free lanes are. */
  readonly #free: number[]
  readonly #open = new Set<Md5Lane>()

  constructor() {
    const { lanes, ...kernel } = loadKernel()
    this.#kernel = kernel
    this.#free = Array.from({ length: LANES_MAX }, (_, i) => lanes + i * LANE_BYTES).reverse()
  }

  /** For a new stream; undefined if none is free. It must be closed. */
  take(): Md5Lane | undefined {
    const at = this.#free.pop()
    if (at === undefined) return undefined
    const lane = new Md5Lane(this, this.#kernel.memory, at)
    this.#open.add(lane)
    return lane
  }

  /** For Md5Lane. */
  close(lane: Md5Lane, at: number): void {
    if (this.#open.delete(lane)) this.#free.push(at)
  }

  /** Hashes all halves that wait. */
  hashWaiting(): void {
    const waiting = [...this.#open].filter((lane) => lane.waits !== undefined)
    for (let from = 0; from < waiting.length; ) {
      const count = Math.min(waiting.length - from, waiting.length - from < WIDE_MIN ? 2 : SLOTS)
      this.#hash(waiting.slice(from, from + count), HALF_BYTES)
      from += count
    }
    for (const lane of waiting) lane.waits = undefined
  }

  /** Hashes what begins where the lane is to be read. */
  hashAlone(lane: Md5Lane, at: number, bytes: number): void {
    lane.waits = at
    this.#hash([lane], bytes)
    lane.waits = undefined
  }

  /** The same number of bytes of each lane. */
  #hash(lanes: readonly Md5Lane[], bytes: number): void {
    const { states, pointers, two, twelve } = this.#kernel
    const slots = lanes.length <= 2 ? 2 : SLOTS
    for (let slot = 0; slot < slots; slot++) {
      // Slots without a lane repeat the first one, for nothing.
      const lane = lanes[slot] ?? lanes[0]!
      pointers[slot] = lane.waits!
      for (let word = 0; word < 4; word++) states[stateIndex(slot, word)] = lane.state[word]!
    }
    if (slots === 2) two(bytes)
    else twelve(bytes)
    for (const [slot, { state }] of lanes.entries()) for (let word = 0; word < 4; word++) state[word] = states[stateIndex(slot, word)]!
  }
}

/** Groups of four slots, of each group the words a of all, then b, c, d. */
const stateIndex = (slot: number, word: number): number => (slot >> 2) * 16 + word * 4 + (slot & 3)

export class Md5Lane implements Hasher {
  readonly state = Uint32Array.from(START)
  /** Where the half is that waits. */
  waits: number | undefined
  readonly #lanes: Md5Lanes
  readonly #memory: Uint8Array
  readonly #at: number
  /** The half that is being filled. */
  #half: number
  #filled = 0
  #bytes = 0

  constructor(lanes: Md5Lanes, memory: Uint8Array, at: number) {
    this.#lanes = lanes
    this.#memory = memory
    this.#at = at
    this.#half = at
  }

  update(bytes: Uint8Array): void {
    this.#bytes += bytes.length
    let from = 0
    while (from < bytes.length) {
      const count = Math.min(bytes.length - from, HALF_BYTES - this.#filled)
      this.#memory.set(count === bytes.length ? bytes : bytes.subarray(from, from + count), this.#half + this.#filled)
      this.#filled += count
      from += count
      if (this.#filled === HALF_BYTES) this.#turn()
    }
  }

  #turn(): void {
    if (this.waits !== undefined) this.#lanes.hashWaiting()
    this.waits = this.#half
    this.#half = this.#half === this.#at ? this.#at + HALF_BYTES : this.#at
    this.#filled = 0
  }

  digest(): Buffer {
    if (this.waits !== undefined) this.#lanes.hashWaiting()
    // Now the other half is free, so there is room behind each: a one, zeros, and the number of bits. RFC 1321, section 3.1.
    const padded = Math.ceil((this.#filled + 9) / BLOCK_BYTES) * BLOCK_BYTES
    const end = this.#half + padded
    this.#memory.fill(0, this.#half + this.#filled, end)
    this.#memory[this.#half + this.#filled] = 0x80
    const view = new DataView(this.#memory.buffer)
    view.setUint32(end - 8, (this.#bytes * 8) >>> 0, true)
    view.setUint32(end - 4, Math.floor(this.#bytes / 2 ** 29), true)
    this.#lanes.hashAlone(this, this.#half, padded)
    const digest = Buffer.alloc(16)
    for (const [word, value] of this.state.entries()) digest.writeUInt32LE(value, word * 4)
    return digest
  }

  /** Once nothing more is asked of it; again does nothing. */
  close(): void {
    this.#lanes.close(this, this.#at)
  }
}

let ofThread: Md5Lanes | undefined
/** The thread's own, made at first use. */
export function threadMd5Lanes(): Md5Lanes {
  ofThread ??= new Md5Lanes()
  return ofThread
}
