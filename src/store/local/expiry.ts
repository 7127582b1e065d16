/** Completed uploads are remembered for a day, for clients that ask again. */
import type { Clock } from '../../environment.ts'
import type { Commits } from './commits.ts'

const PERIOD_MS = 60 * 60 * 1000
const COMPLETED_KEPT_US = 24 * 60 * 60 * 1_000_000

/** Looks every hour. The returned function ends that. */
export function expireUploads(commits: Commits, clock: Clock): () => void {
  let stopped = false
  const run = async (): Promise<void> => {
    for (;;) {
      const reply = await commits.submit({ kind: 'expire-uploads', before: clock.nowMs() * 1000 - COMPLETED_KEPT_US })
      const expired = reply.ok && reply.value !== undefined && 'expired' in reply.value ? reply.value.expired : 0
      if (expired === 0 || stopped) break
    }
    if (!stopped) cancel = clock.timer(PERIOD_MS, () => void run())
  }
  let cancel = clock.timer(PERIOD_MS, () => void run())
  return () => {
    stopped = true
    cancel()
  }
}
