/** How fast the scrub reads: so many bytes a second of each disk, and an eighth of that while requests are under way. */
import type { Pace } from '../../disks/extents.ts'
import type { Clock } from '../../environment.ts'
import type { Board } from './board.ts'

const BUSY_DIVISOR = 8
/** Requests come and go between two looks: it is quiet after so many that saw none. */
const QUIET_LOOKS = 8
/** Pauses are gathered, since timers are coarse. */
const PAUSE_MS_MIN = 20

/** The pace of one disk. Stops what it paces when `signal` is aborted. */
export function paceOf(input: {
  readonly clock: Clock
  readonly board: Pick<Board, 'isBusy'>
  readonly bytesPerSecond: () => number
  readonly signal: AbortSignal
}): Pace {
  const { clock, board, bytesPerSecond, signal } = input
  let owedMs = 0
  let begunMs = clock.nowMs()
  let quiet = QUIET_LOOKS
  return (bytes) => {
    if (signal.aborted) return Promise.resolve('stop')
    quiet = board.isBusy ? 0 : quiet + 1
    owedMs += ((bytes * 1000) / bytesPerSecond()) * (quiet < QUIET_LOOKS ? BUSY_DIVISOR : 1)
    if (owedMs < PAUSE_MS_MIN) return undefined
    // Reading took some of it. A clock that was set says nothing.
    const restMs = owedMs - Math.min(owedMs, Math.max(0, clock.nowMs() - begunMs))
    owedMs = 0
    return pause(clock, restMs, signal).then(() => {
      begunMs = clock.nowMs()
      return signal.aborted ? 'stop' : 'go-on'
    })
  }
}

/** Resolves after a time, or when the signal is aborted. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.timer(ms, end)
    signal.addEventListener('abort', end)
  })
}
