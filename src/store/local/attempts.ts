/**
 * When to try again to fill a disk that fails each time: two generations are written for each attempt, and a generation remembers only so many before it. So
 * the first few follow each other at once, as for a loose cable, and later ones less and less often.
 */
import type { Clock } from '../../environment.ts'

const AT_ONCE = 3
const FIRST_WAIT_MS = 10_000
const WAIT_MS_MAX = 5 * 60_000

export class Attempts {
  readonly #clock: Clock
  /** By disk, until one succeeds: how many there were, and how to end the wait for the next one. */
  readonly #made = new Map<string, { count: number; endWait: (() => void) | undefined }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  mayTry(diskId: string): boolean {
    return this.#made.get(diskId)?.endWait === undefined
  }

  succeeded(diskId: string): void {
    this.#made.get(diskId)?.endWait?.()
    this.#made.delete(diskId)
  }

  begun(diskId: string): void {
    const made = this.#made.get(diskId) ?? { count: 0, endWait: undefined }
    this.#made.set(diskId, made)
    made.count += 1
    if (made.count < AT_ONCE || made.endWait !== undefined) return
    made.endWait = this.#clock.timer(Math.min(FIRST_WAIT_MS * 2 ** (made.count - AT_ONCE), WAIT_MS_MAX), () => {
      made.endWait = undefined
    })
  }

  /** Waits for nothing any more. */
  close(): void {
    for (const { endWait } of this.#made.values()) endWait?.()
  }
}
