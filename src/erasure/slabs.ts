/**
 * Memory for stripes that are coded in place and go from there to the disks: page-aligned, so that it can be written past the page cache, and used again
 * and again, so that it makes no garbage. One pool per thread and shape.
 *
 * Slabs come in regions of REGION_SLABS, each a WebAssembly memory with a kernel in it. Of regions without a slab in use FREE_REGIONS_MAX are kept, since
 * what is dropped the collector finds late; so beyond what is in use a pool keeps so many, and what is scattered over regions: taking prefers full ones.
 */
import { Coder } from './coder.ts'

const REGION_SLABS = 16
/** As many slabs as uploads are given at once (RUNS_MAX in src/disks/run-room.ts). */
const FREE_REGIONS_MAX = 2
/** What direct writes want addresses, offsets and lengths to be multiples of. */
export const PAGE_BYTES = 4096

export class Slab {
  readonly coder: Coder
  /** Where it begins in the coder's room. */
  readonly at: number
  /** From slot to slot. */
  readonly slotBytes: number
  /** All slots, one behind the other. What it held before is still there. */
  readonly memory: Uint8Array<ArrayBuffer>
  readonly #region: Region

  constructor(region: Region, at: number, slots: number, slotBytes: number) {
    this.#region = region
    this.coder = region.coder
    this.at = at
    this.slotBytes = slotBytes
    this.memory = region.coder.room.subarray(at, at + slots * slotBytes)
  }

  /** Once, when nobody reads or writes it any more. */
  release(): void {
    this.#region.release(this)
  }

  /** Instead of `release` when a disk may still be reading it: it is never used again, and its memory goes when the last reader does. */
  abandon(): void {
    this.#region.abandon()
  }
}

class Region {
  readonly coder: Coder
  readonly free: Slab[]
  readonly #pool: SlabPool

  constructor(pool: SlabPool, slots: number, slotBytes: number) {
    this.#pool = pool
    this.coder = new Coder(REGION_SLABS * slots * slotBytes)
    this.free = Array.from({ length: REGION_SLABS }, (_, i) => new Slab(this, i * slots * slotBytes, slots, slotBytes))
  }

  release(slab: Slab): void {
    this.free.push(slab)
    if (this.free.length === REGION_SLABS) this.#pool.dropIfSpare(this)
  }

  abandon(): void {
    this.#pool.drop(this)
  }
}

export class SlabPool {
  readonly #slots: number
  readonly #slotBytes: number
  #regions: Region[] = []

  /** `slotBytes`: a multiple of PAGE_BYTES. */
  constructor(slots: number, slotBytes: number) {
    this.#slots = slots
    this.#slotBytes = slotBytes
  }

  /** This thread's pool of slabs of `slots` slots with at least `bytes` bytes each. */
  static for(slots: number, bytes: number): SlabPool {
    const slotBytes = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
    const key = `${slots}x${slotBytes}`
    let pool = pools.get(key)
    if (pool === undefined) {
      pool = new SlabPool(slots, slotBytes)
      pools.set(key, pool)
    }
    return pool
  }

  take(): Slab {
    let fullest: Region | undefined
    for (const region of this.#regions) {
      if (region.free.length > 0 && (fullest === undefined || region.free.length < fullest.free.length)) fullest = region
    }
    if (fullest === undefined) {
      fullest = new Region(this, this.#slots, this.#slotBytes)
      this.#regions.push(fullest)
    }
    return fullest.free.pop()!
  }

  /** For Region. */
  dropIfSpare(region: Region): void {
    if (this.#regions.filter((other) => other.free.length === REGION_SLABS).length > FREE_REGIONS_MAX) this.drop(region)
  }

  drop(region: Region): void {
    this.#regions = this.#regions.filter((other) => other !== region)
  }
}

/** Shapes are few: one per geometry in use. */
const pools = new Map<string, SlabPool>()
