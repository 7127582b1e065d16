/** Completed uploads are remembered for a day, for clients that ask again; what peers removed stays hidden as long as was said when it was. */
import type { Clock } from '../../environment.ts'
import type { ChangeRequest } from './changes/request.ts'
import type { Commits } from './commits.ts'

const PERIOD_MS = 60 * 60 * 1000
const COMPLETED_KEPT_US = 24 * 60 * 60 * 1_000_000

/** Looks every hour. The returned function ends that. */
export function expireUploads(commits: Commits, clock: Clock): () => void {
  let stopped = false
  const all = async (request: Extract<ChangeRequest, { kind: 'expire-uploads' | 'expire-hidden' }>): Promise<void> => {
    while (!stopped) {
      const reply = await commits.submit(request)
      if (!reply.ok || reply.value === undefined || !('expired' in reply.value) || reply.value.expired === 0) return
    }
  }
  const run = async (): Promise<void> => {
    const nowUs = clock.nowMs() * 1000
    await all({ kind: 'expire-uploads', before: nowUs - COMPLETED_KEPT_US })
    await all({ kind: 'expire-hidden', before: nowUs })
    if (!stopped) cancel = clock.timer(PERIOD_MS, () => void run())
  }
  let cancel = clock.timer(PERIOD_MS, () => void run())
  return () => {
    stopped = true
    cancel()
  }
}
