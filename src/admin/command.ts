/**
 * An admin command: what an operator asks of one site. The command line runs it through the admin socket where the site is being served, else
 * in its own process; the command cannot tell the difference. Inputs and outputs are JSON values.
 */
import type { Clock, Random } from '../environment.ts'
import type { FederationSite } from '../federation/site.ts'
import type { Result } from '../result.ts'
import type { Store } from '../store/store.ts'
import type { SiteControl } from './control.ts'

/** Exit codes of the command line, and what they mean to a script. */
export type ExitCode =
  /** Something unforeseen. */
  | 1
  /** The command was not understood. */
  | 2
  /** Damaged, but repairable. */
  | 3
  /** The signer is not trusted here. */
  | 4
  /** Refused; nothing was changed. */
  | 5
  /** Incomplete. */
  | 6

export type CommandFailure = {
  readonly exit: ExitCode
  /** One sentence: what was wrong, and what to do. */
  readonly sentence: string
  /** For --json: what a script may want to know. */
  readonly details?: unknown
}

/** What nobody foresaw, as a failure that can be reported. */
export function unforeseen(error: unknown): CommandFailure {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { exit: 1, sentence: `Something unforeseen went wrong: ${text}` }
}

export type Progress = (step: {
  readonly what: string
  readonly done: number
  readonly total: number
  readonly unit: 'bytes' | 'items'
}) => void

/** A site that is open, as a command sees it. */
export type AdminSite = {
  readonly directory: string
  readonly name: string
  /** Where S3 is served; undefined where the site is open for one command alone. */
  readonly endpoint: string | undefined
  readonly store: Store
  readonly control: SiteControl
  readonly federation: FederationSite
  readonly clock: Clock
  readonly random: Random
}

export interface AdminCommand<Output = unknown> {
  /** As in the request to the admin socket: 'disk/replace'. */
  readonly name: string
  /** `input` comes from outside: the command checks it. Never rejects for what can be foreseen. `signal`: whoever asked has gone away. */
  run(site: AdminSite, input: unknown, progress: Progress, signal: AbortSignal): Promise<Result<Output, CommandFailure>>
}

/** Reads a field of an input object. The sentence of a failure names the field. */
export function stringField(input: unknown, field: string): Result<string, CommandFailure> {
  const value = (input as Record<string, unknown> | null | undefined)?.[field]
  if (typeof value !== 'string' || value === '') return { ok: false, error: { exit: 2, sentence: `The request lacks "${field}", a text.` } }
  return { ok: true, value }
}
