/**
 * How many runs of uploads one thread has in memory at once, however many uploads there are: one has about 1 MiB of content and its parity.
 *
 * The server sees that a client went away only behind everything that it had sent, and what the kernels hold of that may be all of an upload; so a client
 * that keeps a few uploads going and breaks them off leaves hundreds that look alive. They all end in time, but not sooner for having memory.
 *
 * A run counts while it is on its way to the disks, and while it gathers bytes for at most SLOW_MS: nobody waits for slow clients, who have a run each.
 * Who finds no room waits for his turn, run by run and not upload by upload, so that all advance alike; turns go by turns to uploads that begin and to others,
 * so that a small one need not wait for all great ones. Disks answer within their time limit, so turns come.
 */
import type { Clock } from '../environment.ts'

/** Two for each of sixteen uploads: with less, gathering would stop while the disks write. */
export const RUNS_MAX = 32
export const SLOW_MS = 250
/** How often those that wait look whether a run has become slow. */
const LOOK_MS = 100

type Turn = 'first' | 'later'

/** Room for one run. */
export interface Seat {
  /** It goes to the disks now, and counts until it has left. */
  fly(): void
  /** Once. */
  leave(): void
}

export class RunRoom {
  readonly #clock: Clock
  /** With the time when each began, the oldest first; without those that have become slow. */
  readonly #gathering = new Map<Seat, number>()
  readonly #flying = new Set<Seat>()
  readonly #waiting: Record<Turn, ((seat: Seat) => void)[]> = { first: [], later: [] }
  #next: Turn = 'first'
  #looks = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined if there is none, or others wait for it. */
  take(): Seat | undefined {
    return !this.#isAwaited && this.#isFree() ? this.#give() : undefined
  }

  /** When it is one's turn, with the first run of an upload or a later one. */
  wait(turn: Turn): Promise<Seat> {
    return new Promise((resolve) => {
      this.#waiting[turn].push(resolve)
      this.#serve()
    })
  }

  /** At once, for the rest of an upload that flies at once. */
  takeLast(): Seat {
    return this.#give()
  }

  get #isAwaited(): boolean {
    return this.#waiting.first.length + this.#waiting.later.length > 0
  }

  #isFree(): boolean {
    if (this.#gathering.size + this.#flying.size < RUNS_MAX) return true
    const nowMs = this.#clock.nowMs()
    for (const [seat, sinceMs] of this.#gathering) {
      // A clock that was set back must not keep them young.
      if (Math.abs(nowMs - sinceMs) < SLOW_MS) break
      this.#gathering.delete(seat)
    }
    return this.#gathering.size + this.#flying.size < RUNS_MAX
  }

  #give(): Seat {
    const seat: Seat = {
      fly: () => {
        this.#gathering.delete(seat)
        this.#flying.add(seat)
      },
      leave: () => {
        this.#gathering.delete(seat)
        this.#flying.delete(seat)
        this.#serve()
      },
    }
    this.#gathering.set(seat, this.#clock.nowMs())
    return seat
  }

  #serve(): void {
    while (this.#isAwaited && this.#isFree()) {
      const other = this.#next === 'first' ? 'later' : 'first'
      const served = this.#waiting[this.#next].shift() ?? this.#waiting[other].shift()
      this.#next = other
      served!(this.#give())
    }
    if (!this.#isAwaited || this.#looks) return
    this.#looks = true
    this.#clock.timer(LOOK_MS, () => {
      this.#looks = false
      this.#serve()
    })
  }
}
