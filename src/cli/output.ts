/** How commands speak: results on standard output (text, or one JSON document with --json), progress and complaints on standard error. */
import type { CommandFailure, Progress } from '../admin/command.ts'

export interface Terminal {
  /** The process's standard output and error. */
  out(text: string): void
  err(text: string): void
  /** Standard error is a terminal: progress bars may be drawn. */
  readonly interactive: boolean
  /** Standard output is a terminal: somebody reads it, and not a program. */
  readonly isRead: boolean
}

export class Output {
  readonly #terminal: Terminal
  readonly json: boolean
  #barShown = false

  constructor(terminal: Terminal, options: { readonly json: boolean }) {
    this.#terminal = terminal
    this.json = options.json
  }

  /** A result: `text` for people, `value` for --json. */
  result(value: unknown, text: string): void {
    this.#write(value, text, this.json)
  }

  /** A result that programs ask for more than people do: JSON without --json, too, unless somebody reads it. */
  resultForPrograms(value: unknown, text: string): void {
    this.#write(value, text, this.json || !this.#terminal.isRead)
  }

  #write(value: unknown, text: string, json: boolean): void {
    this.#clearBar()
    this.#terminal.out(json ? `${JSON.stringify(value, null, 2)}\n` : text.endsWith('\n') ? text : `${text}\n`)
  }

  /** Something to know about a command that goes on. */
  note(sentence: string): void {
    this.#clearBar()
    this.#terminal.err(`holdfast: ${sentence}\n`)
  }

  failure(failure: CommandFailure): void {
    this.#clearBar()
    if (this.json)
      this.#terminal.out(`${JSON.stringify({ error: failure.sentence, exit: failure.exit, details: failure.details }, null, 2)}\n`)
    this.#terminal.err(`holdfast: ${failure.sentence}\n`)
  }

  readonly progress: Progress = (step) => {
    if (!this.#terminal.interactive) return
    const share = step.total > 0 ? Math.min(1, step.done / step.total) : 0
    const filled = Math.round(share * 30)
    const amount = step.unit === 'bytes' ? `${formatBytes(step.done)} of ${formatBytes(step.total)}` : `${step.done} of ${step.total}`
    this.#terminal.err(`\r\x1b[K${step.what}  [${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${amount}`)
    this.#barShown = true
  }

  #clearBar(): void {
    if (this.#barShown) this.#terminal.err('\r\x1b[K')
    this.#barShown = false
  }
}

/** A word of a line to be pasted into a shell. */
export const shellWord = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/**
 * Bytes of a size as people write it: "50MB", "4.7GB", "64MiB", "1048576". Decimal units are powers of 1,000, as on the boxes of media.
 * Undefined if it is none.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(B|[KMGT]i?B?)?$/i.exec(text.trim())
  if (match === null) return undefined
  const unit = (match[2] ?? 'B').toUpperCase()
  const power = 'BKMGT'.indexOf(unit[0] ?? 'B')
  const base = unit.includes('I') ? 1024 : 1000
  const bytes = Math.floor(Number(match[1]) * base ** power)
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}

/** Lines in columns, two blanks apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows
    .map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '))
    .join('\n')
}

const DURATION_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Milliseconds of a duration as people write it: "90d", "12h", "30m", "10s". Undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,6})([smhdw])$/.exec(text.trim())
  return match === null ? undefined : Number(match[1]) * (DURATION_MS[match[2] ?? ''] ?? 0)
}
