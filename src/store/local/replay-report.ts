/** Tells how far a replay is, once it is known to take long. */
import type { Clock } from '../../environment.ts'

/** The last change that is in the index by now, and the last one of the journal. */
export type ReplayReport = (sequence: number, last: number) => void

const FIRST_AFTER_MS = 3000
const PERIOD_MS = 5000

/** Passes on what is reported three seconds from now, and then every five: a start that takes no longer has nothing to tell. */
export function pacedReport(clock: Clock, report: ReplayReport): ReplayReport {
  let since = clock.nowMs()
  let waitMs = FIRST_AFTER_MS
  return (sequence, last) => {
    const now = clock.nowMs()
    // A clock that was set back begins a new wait.
    if (now < since) since = now
    if (now - since < waitMs) return
    since = now
    waitMs = PERIOD_MS
    report(sequence, last)
  }
}
