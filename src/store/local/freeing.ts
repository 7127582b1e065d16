/** Unlinks extents, and lets manifests go, that nobody owns any more, once no request can still be reading them. */

import type { ExtentStore } from '../../disks/extents.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { Clock } from '../../environment.ts'
import type { Board } from './board.ts'

/** How long to wait before looking again whether readers are past. */
const LOOK_AGAIN_MS = 50
/** Extents removed at once; each keeps a few disk operations in the queues. */
const REMOVALS_AT_ONCE = 4

export class Freeing {
  readonly #board: Board
  readonly #extents: Pick<ExtentStore, 'remove'>
  readonly #clock: Clock
  readonly #paused: () => boolean
  readonly #dropManifests: (ids: readonly number[]) => Promise<unknown>
  readonly #waiting: { readonly freeing: number; readonly places: readonly ExtentPlace[]; readonly manifests: readonly number[] }[] = []
  readonly #ready: ExtentPlace[] = []
  #removing = 0
  #cancelTimer: (() => void) | undefined
  #idle: (() => void)[] = []

  constructor(input: {
    readonly board: Board
    readonly extents: Pick<ExtentStore, 'remove'>
    readonly clock: Clock
    /** Nothing may be changed for the time being. */
    readonly paused: () => boolean
    readonly dropManifests: (ids: readonly number[]) => Promise<unknown>
  }) {
    this.#dropManifests = input.dropManifests
    this.#board = input.board
    this.#extents = input.extents
    this.#clock = input.clock
    this.#paused = input.paused
  }

  /** What a commit freed that is durable and to be seen by readers. */
  add(places: readonly ExtentPlace[], manifests: readonly number[]): void {
    if (places.length === 0 && manifests.length === 0) return
    this.#waiting.push({ freeing: this.#board.noteFreed(), places, manifests })
    this.#look()
  }

  /** Resolves when all that was freed so far has been removed. Waits for readers. */
  async drained(): Promise<void> {
    if (this.#waiting.length === 0 && this.#ready.length === 0 && this.#removing === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Gives up waiting; what is left will be found as leftovers. Answers whether anything is. */
  close(): { readonly left: boolean } {
    this.#cancelTimer?.()
    const left = this.#waiting.length > 0 || this.#ready.length > 0 || this.#removing > 0
    this.#waiting.length = 0
    this.#ready.length = 0
    return { left }
  }

  #look(): void {
    const paused = this.#paused()
    while (!paused && this.#waiting.length > 0 && this.#board.isPast(this.#waiting[0]!.freeing)) {
      const { places, manifests } = this.#waiting.shift()!
      this.#ready.push(...places)
      if (manifests.length > 0) void this.#work(() => this.#dropManifests(manifests))
    }
    while (!paused && this.#removing < REMOVALS_AT_ONCE && this.#ready.length > 0) {
      const place = this.#ready.pop()!
      void this.#work(() => this.#extents.remove(place))
    }
    if (this.#waiting.length > 0 || (paused && this.#ready.length > 0)) {
      this.#cancelTimer ??= this.#clock.timer(LOOK_AGAIN_MS, () => {
        this.#cancelTimer = undefined
        this.#look()
      })
    }
  }

  async #work(work: () => Promise<unknown>): Promise<void> {
    this.#removing++
    await work()
    this.#removing--
    this.#look()
    if (this.#waiting.length > 0 || this.#ready.length > 0 || this.#removing > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
