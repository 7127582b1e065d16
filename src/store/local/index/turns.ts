/**
 * Long walks of the index give way to others: a thread does everything else between their turns, so what a walk takes at once is what everybody waits for.
 */
import type { Clock } from '../../../environment.ts'
import type { IndexReader, OrderedMap } from './ordered-map.ts'

const TURN_MS = 5
/** Rows between two looks at the clock. */
const LOOK_EVERY = 64

/**
 * The listings of one thread. Each turn of the event loop has one turn of one listing: of hundreds that arrive together the others wait, and with them no
 * request that is no listing.
 */
export class ListingRoom {
  #taken = false
  #waiting: (() => void)[] = []

  /** Resolves when a listing may begin, or go on. */
  turn(): Promise<void> {
    if (this.#taken) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#taken = true
    setImmediate(this.#next)
    return Promise.resolve()
  }

  readonly #next = (): void => {
    const first = this.#waiting.shift()
    this.#taken = first !== undefined
    if (first === undefined) return
    setImmediate(this.#next)
    first()
  }
}

/** Of one walk. With a room it shares it with others, and begins when it has a turn there. */
export class Turns {
  readonly #index: OrderedMap
  readonly #clock: Clock
  readonly #room: ListingRoom | undefined
  #until: number
  #count = 0
  /** Good until the next await. */
  reader: IndexReader

  constructor(index: OrderedMap, clock: Clock, room?: ListingRoom) {
    this.#index = index
    this.#clock = clock
    this.#room = room
    this.#until = clock.nowMs() + TURN_MS
    this.reader = index.reader()
  }

  /** Whether to await `giveWay` before the next row. */
  get over(): boolean {
    if (++this.#count % LOOK_EVERY !== 0) return false
    const now = this.#clock.nowMs()
    // A clock that was set back must not stretch the turn.
    return now >= this.#until || now < this.#until - TURN_MS
  }

  async giveWay(): Promise<void> {
    if (this.#room === undefined) await new Promise<void>((resolve) => setImmediate(resolve))
    else await this.#room.turn()
    this.reader = this.#index.reader()
    this.#until = this.#clock.nowMs() + TURN_MS
  }
}
