/** What a worker thread does first: become what its `workerData` says. */
import type { Clock, Random } from '../environment.ts'
import type { CommitOptions } from './commit-thread.ts'
import type { GatewayOptions } from './gateway-thread.ts'

export async function runThread(
  data: CommitOptions | GatewayOptions,
  environment: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  if (data.role === 'commit') {
    const { runCommitThread } = await import('./commit-thread.ts')
    await runCommitThread(data, environment)
    return
  }
  const { runGatewayThread } = await import('./gateway-thread.ts')
  await runGatewayThread(data, environment)
}
