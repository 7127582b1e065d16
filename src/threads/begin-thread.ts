/** What the worker threads of a served site have in common. */
import type { MessagePort } from 'node:worker_threads'
import type { Clock, Random } from '../environment.ts'

export type ThreadRole = 'commit' | 'gateway'
export type ThreadEnvironment = { readonly clock: Clock; readonly random: Random }

/** Begins a thread: the first message to it are the options, all others are for what this returns (nothing, if it refuses). */
export type BeginThread<Options, Message> = (
  options: Options,
  environment: ThreadEnvironment,
  main: MessagePort,
) => Promise<{ receive(message: Message): Promise<void> } | undefined>
