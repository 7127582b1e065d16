/**
 * What a worker thread does first. It loads its code at once, and begins when it is told its options: so it can be started before anybody knows them.
 */
import { parentPort } from 'node:worker_threads'
import { type BeginThread, END_THREAD, type ThreadEnvironment, type ThreadRole } from './begin-thread.ts'

/** `leave`: ends this thread. */
export function runThread(role: ThreadRole, environment: ThreadEnvironment, leave: () => void): void {
  if (role === 'commit') serveMessages(environment, import('./commit-thread.ts'), leave)
  else serveMessages(environment, import('./gateway-thread.ts'), leave)
}

/** One message after the other: a thread that is told to stop while it opens the index finishes that first, since it must not end in the middle of it. */
function serveMessages<Options, Message>(
  environment: ThreadEnvironment,
  loading: Promise<{ readonly begin: BeginThread<Options, Message> }>,
  leave: () => void,
): void {
  const main = parentPort
  if (main === null) throw new Error('threads other than the first run in workers')
  // Told by the first message's turn, when somebody listens.
  loading.catch(() => undefined)
  let thread: ReturnType<BeginThread<Options, Message>> | undefined
  let turn: Promise<unknown> = Promise.resolve()
  main.on('message', (message: Options | Message | typeof END_THREAD) => {
    if (message === END_THREAD) {
      const done = Promise.allSettled([turn, loading])
      void done.then(leave)
    } else if (thread === undefined) {
      thread = loading.then(({ begin }) => begin(message as Options, environment, main))
      turn = thread
    } else {
      const begun = thread
      turn = turn.then(async () => (await begun)?.receive(message as Message))
    }
  })
}
