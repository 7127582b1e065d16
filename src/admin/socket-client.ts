/** Asks a site that is being served. Format: socket-server.ts. */
import { existsSync } from 'node:fs'
import type { ClientRequest } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Clock } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import type { CommandFailure, Progress } from './command.ts'
import { ADMIN_SOCKET } from './site-files.ts'
import { holderOfSite } from './site-lock.ts'
import { socketPath } from './socket-path.ts'

// As in socket-server.ts.
const { request } = process.getBuiltinModule('node:http')

/** A server gives a sign of life every two seconds, however long a command takes; its thread may be busy, or the machine. */
const SILENCE_MS_MAX = 30_000

export type AskOptions = {
  readonly clock: Clock
  /** The longest silence that is not taken for the server's end. */
  readonly silenceMsMax?: number
}

type Answer = Result<unknown, CommandFailure | 'not-served'>

/** Runs a command through the admin socket of the site; 'not-served' if nobody answers there. */
export async function askSite(
  siteDirectory: string,
  command: string,
  input: unknown,
  progress: Progress,
  options: AskOptions,
): Promise<Answer> {
  if (!existsSync(join(siteDirectory, ADMIN_SOCKET))) return fail('not-served')
  const { path, close } = socketPath(siteDirectory)
  try {
    return await ask(path, command, input, progress, { ...options, silent: () => describeSilence(siteDirectory) })
  } finally {
    close()
  }
}

function ask(
  path: string,
  command: string,
  input: unknown,
  progress: Progress,
  { clock, silenceMsMax = SILENCE_MS_MAX, silent }: AskOptions & { readonly silent: () => string },
): Promise<Answer> {
  return new Promise((resolve) => {
    let noLongerWait = (): void => undefined
    // In two halves: whoever was stopped himself (Ctrl-Z) finds the first one over before he has read what came meanwhile.
    const wait = (asked: ClientRequest, half: 'first' | 'second' = 'first'): void => {
      noLongerWait()
      noLongerWait = clock.timer(silenceMsMax / 2, () => {
        if (half === 'first') return wait(asked, 'second')
        resolve(fail({ exit: 6, sentence: silent() }))
        asked.destroy()
      })
    }
    const answer = (result: Answer): void => {
      noLongerWait()
      resolve(result)
    }
    const asked = request(
      { socketPath: path, method: 'POST', path: `/v1/${command}`, headers: { 'content-type': 'application/json' } },
      (reply) => {
        let outcome: Result<unknown, CommandFailure> = fail({
          exit: 1,
          sentence: 'The server ended before the command was done; see its log, then run the command again.',
        })
        const lines = createInterface({ input: reply })
        lines.on('line', (text) => {
          wait(asked)
          const message = parseMessage(text)
          if (message?.progress !== undefined) progress(message.progress)
          else if (message?.failure !== undefined) outcome = fail(message.failure)
          else if (message !== undefined && 'result' in message) outcome = ok(message.result)
        })
        lines.on('close', () => answer(outcome))
        // A server that is killed breaks off its answer; the interface passes that on.
        lines.on('error', () => answer(outcome))
      },
    )
    asked.on('error', () => answer(fail('not-served')))
    wait(asked)
    asked.end(JSON.stringify(input))
  })
}

type Message = { readonly progress?: Parameters<Progress>[0]; readonly result?: unknown; readonly failure?: CommandFailure }

/** Undefined if the line is none, as the last one of a server that was killed. */
function parseMessage(text: string): Message | undefined {
  try {
    return JSON.parse(text) as Message
  } catch {
    return undefined
  }
}

function describeSilence(siteDirectory: string): string {
  const pid = holderOfSite(siteDirectory)
  const what = 'What was asked for may still be done once it goes on'
  if (pid === undefined)
    return `The server of ${siteDirectory} gives no sign of life: see whether its process is stopped, or waits for a disk. ${what}.`
  return `The server of ${siteDirectory}, process ${pid}, gives no sign of life: "ps -o stat,wchan ${pid}" says whether it is stopped (T: "kill -CONT ${pid}" lets it go on) or waits for a disk (D). ${what}.`
}
