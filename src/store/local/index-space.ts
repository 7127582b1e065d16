/** Watches the space that is left for the index: with too little of it only changes that free some are taken. */
import { statfsSync } from 'node:fs'
import type { Clock } from '../../environment.ts'

/** Deletes and the journal's replay fit into this for a long time. */
const RESERVE_BYTES = 64 * 1024 * 1024
const LOOK_PERIOD_MS = 1000

export class IndexSpace {
  readonly #directory: string
  readonly #clock: Clock
  #room: 'ample' | 'reserve' = 'ample'
  #lookedMs: number | undefined

  constructor(directory: string, clock: Clock) {
    this.#directory = directory
    this.#clock = clock
  }

  get room(): 'ample' | 'reserve' {
    const now = this.#clock.nowMs()
    if (this.#lookedMs === undefined || Math.abs(now - this.#lookedMs) >= LOOK_PERIOD_MS) {
      this.#lookedMs = now
      this.#look()
    }
    return this.#room
  }

  #look(): void {
    try {
      const { bavail, bsize } = statfsSync(this.#directory)
      this.#room = bavail * bsize < RESERVE_BYTES ? 'reserve' : 'ample'
    } catch {
      // The next commit of the index will tell.
    }
  }
}
