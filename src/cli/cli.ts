/** What every command of the command line gets, and how it ends: a command throws CommandEnd, and main.ts turns that into the exit code. */

import { readdirSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { Command } from 'commander'
import type { CommandFailure, Progress } from '../admin/command.ts'
import type { Clock } from '../environment.ts'
import { fail, type Result } from '../result.ts'
import type { InitRequest, initSiteDirectory } from '../server/make-site.ts'
import type { openSiteOffline } from '../server/open-offline.ts'
import type { RecoverRequest, recoverSite } from '../server/recover-site.ts'
import type { ServeRequest, serve } from '../server/serve.ts'
import { describeSystemFailure } from '../system-failure.ts'
import type { Output } from './output.ts'

export type Cli = {
  readonly output: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Where relative paths start. */
  readonly workingDirectory: string
  /** Makes a site. */
  readonly initSite: (request: InitRequest) => ReturnType<typeof initSiteDirectory>
  /** Makes again what a site's directory held besides its keys and disks. */
  readonly recoverSite: (request: RecoverRequest) => ReturnType<typeof recoverSite>
  /** Starts the server and resolves when it has ended. */
  readonly serve: (request: Omit<ServeRequest, 'log'>) => ReturnType<typeof serve>
  /** Opens a site that nobody serves, in this process. */
  readonly openSite: (directory: string) => ReturnType<typeof openSiteOffline>
}

/** Makes what a command gets, once the command is known. */
export type MakeCli = (command: Command) => Cli

export class CommandEnd extends Error {
  readonly failure: CommandFailure
  constructor(failure: CommandFailure) {
    super(failure.sentence)
    this.failure = failure
  }
}

export const end = (exit: CommandFailure['exit'], sentence: string): never => {
  throw new CommandEnd({ exit, sentence })
}

/** Of an option that may be given more than once. */
export const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value]

/** An empty path would be the working directory, and is a variable of a script that was not set. */
export function absolute(cli: Cli, path: string): string {
  if (path === '') return end(2, 'An empty path was given: name a file or directory (is a variable of a script not set?).')
  return isAbsolute(path) ? path : resolve(cli.workingDirectory, path)
}

/** The names in a directory; none if there is no such directory. Ends the command with a sentence if it is something else, or may not be read. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    if (code === 'ENOTDIR') return end(5, `${directory} is not a directory, or is below a file: choose another place.`)
    return end(5, describeSystemFailure(directory, 'read', error))
  }
}

/** Runs an admin command on a site: through its socket where it is served, else in this process. Throws CommandEnd if it fails. */
export async function onSite<T>(cli: Cli, site: string, command: string, input: unknown): Promise<T> {
  const directory = absolute(cli, site)
  // Loaded when needed: with it comes an HTTP client, which a start has no use for.
  const { askSite } = await import('../admin/socket-client.ts')
  const asked = await askSite(directory, command, input, cli.output.progress, { clock: cli.clock })
  const result: Result<unknown, CommandFailure> =
    asked.ok || asked.error !== 'not-served'
      ? (asked as Result<unknown, CommandFailure>)
      : await offline(cli, directory, command, input, cli.output.progress)
  if (!result.ok) throw new CommandEnd(result.error)
  return result.value as T
}

async function offline(
  cli: Cli,
  directory: string,
  command: string,
  input: unknown,
  progress: Progress,
): Promise<Result<unknown, CommandFailure>> {
  const opened = await cli.openSite(directory)
  if (!opened.ok) return opened
  try {
    const found = opened.value.commands.get(command)
    return found === undefined
      ? fail({ exit: 2, sentence: `There is no command ${command}.` })
      : await found.run(opened.value.site, input, progress, new AbortController().signal)
  } finally {
    await opened.value.close()
  }
}
