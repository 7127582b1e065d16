/** Asks a site that is being served. Format: socket-server.ts. */
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fail, ok, type Result } from '../result.ts'
import type { CommandFailure, Progress } from './command.ts'
import { ADMIN_SOCKET } from './site-files.ts'
import { socketPath } from './socket-path.ts'

/** Runs a command through the admin socket of the site; 'not-served' if nobody answers there. */
export async function askSite(
  siteDirectory: string,
  command: string,
  input: unknown,
  progress: Progress,
): Promise<Result<unknown, CommandFailure | 'not-served'>> {
  if (!existsSync(join(siteDirectory, ADMIN_SOCKET))) return fail('not-served')
  const { path, close } = socketPath(siteDirectory)
  try {
    return await ask(path, command, input, progress)
  } finally {
    close()
  }
}

function ask(path: string, command: string, input: unknown, progress: Progress): Promise<Result<unknown, CommandFailure | 'not-served'>> {
  return new Promise((resolve) => {
    const asked = request(
      { socketPath: path, method: 'POST', path: `/v1/${command}`, headers: { 'content-type': 'application/json' } },
      (reply) => {
        let outcome: Result<unknown, CommandFailure> = fail({
          exit: 1,
          sentence: 'The server ended before the command was done; see its log, then run the command again.',
        })
        const lines = createInterface({ input: reply })
        lines.on('line', (text) => {
          const message = JSON.parse(text) as { progress?: Parameters<Progress>[0]; result?: unknown; failure?: CommandFailure }
          if (message.progress !== undefined) progress(message.progress)
          else outcome = message.failure === undefined ? ok(message.result) : fail(message.failure)
        })
        lines.on('close', () => resolve(outcome))
        reply.on('error', () => lines.close())
      },
    )
    asked.on('error', () => resolve(fail('not-served')))
    asked.end(JSON.stringify(input))
  })
}
