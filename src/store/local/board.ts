/**
 * What threads tell each other without messages, in shared memory: a counter of freeings, a counter of changes to buckets, whether space is left, and for
 * each thread the freeing counter at which its oldest request began.
 *
 * What a commit freed may be unlinked once every thread's oldest request began after the counter was raised for it: the counter is raised behind
 * the commit, and a request publishes the counter before it first reads the index. Counters wrap; only differences mean something.
 */
import type { Lease } from '../store.ts'

const FREEINGS = 0
const BUCKETS = 1
const FULL = 2
const FIRST_SLOT = 3
/** Per slot: 1 while a request is under way, and the counter at which the oldest began. */
const PER_SLOT = 2
const ACTIVE = 0
const OLDEST = 1
export const THREADS_MAX = 64

export class Board {
  readonly memory: SharedArrayBuffer
  readonly #cells: Int32Array

  /** Over the memory of another thread's board, or over new memory. */
  constructor(memory = new SharedArrayBuffer(4 * (FIRST_SLOT + PER_SLOT * THREADS_MAX))) {
    this.memory = memory
    this.#cells = new Int32Array(memory)
  }

  /** Changes whenever a bucket's row does. */
  get bucketsVersion(): number {
    return Atomics.load(this.#cells, BUCKETS)
  }

  noteBucketsChanged(): void {
    Atomics.add(this.#cells, BUCKETS, 1)
  }

  /** Whether changes that store something were refused for want of space, a second ago or less. */
  get isFull(): boolean {
    return Atomics.load(this.#cells, FULL) === 1
  }

  noteFull(isFull: boolean): void {
    Atomics.store(this.#cells, FULL, isFull ? 1 : 0)
  }

  /** Raises the counter for what was freed by a commit that readers can see by now; answers what `isPast` wants to know. */
  noteFreed(): number {
    return (Atomics.add(this.#cells, FREEINGS, 1) + 1) | 0
  }

  /** Whether no request is under way that began before `noteFreed` answered `freeing`. */
  isPast(freeing: number): boolean {
    for (let at = FIRST_SLOT; at < this.#cells.length; at += PER_SLOT) {
      if (Atomics.load(this.#cells, at + ACTIVE) === 1 && ((Atomics.load(this.#cells, at + OLDEST) - freeing) | 0) < 0) return false
    }
    return true
  }

  /** Whether any request is under way now. */
  get isBusy(): boolean {
    for (let at = FIRST_SLOT; at < this.#cells.length; at += PER_SLOT) if (Atomics.load(this.#cells, at + ACTIVE) === 1) return true
    return false
  }

  /** The leases of one thread: 0 to THREADS_MAX − 1, one owner each. */
  leases(thread: number): Leases {
    if (thread < 0 || thread >= THREADS_MAX) throw new Error(`no slot for thread ${thread}`)
    return new Leases(this.#cells, FIRST_SLOT + PER_SLOT * thread)
  }
}

type Live = { readonly freeing: number; count: number }

/** The requests under way of one thread. */
export class Leases {
  readonly #cells: Int32Array
  readonly #slot: number
  /** Oldest first; the first has a count above zero. */
  readonly #live: Live[] = []

  constructor(cells: Int32Array, slot: number) {
    this.#cells = cells
    this.#slot = slot
    // A thread that died may have left its mark.
    Atomics.store(cells, slot + ACTIVE, 0)
  }

  take(): Lease {
    const freeing = Atomics.load(this.#cells, FREEINGS)
    const last = this.#live.at(-1)
    const live = last !== undefined && last.freeing === freeing ? last : { freeing, count: 0 }
    if (live !== last) this.#live.push(live)
    live.count++
    if (this.#live.length === 1 && live.count === 1) this.#publish()
    let held = true
    return {
      release: () => {
        if (!held) return
        held = false
        live.count--
        if (live.count === 0 && this.#live[0] === live) this.#retire()
      },
    }
  }

  #retire(): void {
    while (this.#live.length > 0 && this.#live[0]!.count === 0) this.#live.shift()
    this.#publish()
  }

  #publish(): void {
    const oldest = this.#live[0]
    if (oldest !== undefined) Atomics.store(this.#cells, this.#slot + OLDEST, oldest.freeing)
    Atomics.store(this.#cells, this.#slot + ACTIVE, oldest === undefined ? 0 : 1)
  }
}
