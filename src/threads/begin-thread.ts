/** What the worker threads of a served site have in common. */
import type { MessagePort, Worker } from 'node:worker_threads'
import type { Clock, Random } from '../environment.ts'

export type ThreadRole = 'commit' | 'gateway'
export type ThreadEnvironment = { readonly clock: Clock; readonly random: Random }

/** Begins a thread: the first message to it are the options, all others are for what this returns (nothing, if it refuses). */
export type BeginThread<Options, Message> = (
  options: Options,
  environment: ThreadEnvironment,
  main: MessagePort,
) => Promise<{ receive(message: Message): Promise<void> } | undefined>

/** The message that ends a thread, whether it has begun or not. */
export const END_THREAD = 'end'

/** A thread that hangs is ended all the same. */
const END_MS_MAX = 3000

/**
 * Ends a thread once it has loaded its code and done what it was told: one that is stopped while it loads a native module takes the process with it (the module's
 * C++ has no answer to that). The same holds for the end of the process, so it comes after this.
 */
export function endThread(worker: Worker, clock: Clock): Promise<void> {
  // It has ended by itself.
  if (worker.threadId < 0) return Promise.resolve()
  return new Promise((resolve) => {
    const cancel = clock.timer(END_MS_MAX, () => void worker.terminate())
    worker.once('exit', () => {
      cancel()
      resolve()
    })
    worker.postMessage(END_THREAD)
  })
}
