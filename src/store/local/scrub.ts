/**
 * The scrub: reads everything on every disk that is in, and repairs what is not as it should be. On an operator's word at once; and by itself, so slowly that
 * nobody notices, once in four weeks, going on after a restart where it was.
 */

import type { ExtentStore } from '../../disks/extents.ts'
import type { Pool } from '../../disks/pool.ts'
import type { ScrubbedDisk } from '../../disks/scrubbed-disk.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { Board } from './board.ts'
import type { Journal } from './journal/journal.ts'
import { findLost, type LostContents } from './lost-content.ts'
import { paceOf, pause } from './scrub-pace.ts'
import { ScrubPass, type ScrubPassInput } from './scrub-pass.ts'
import type { ScrubMemory, ScrubRecord } from './scrub-record.ts'
import { ScrubTally } from './scrub-tally.ts'
import { Shards } from './shards.ts'

export type ScrubInput = Omit<ScrubPassInput, 'shards' | 'journal'> & {
  readonly journal: Pick<Journal, 'segments' | 'scrub' | 'reader'>
  readonly extents: ExtentStore
  readonly board: Pick<Board, 'isBusy'>
  readonly memory?: ScrubMemory
  readonly onTrouble: (sentence: string) => void
}

export type ScrubReport = {
  readonly disks: readonly ScrubbedDisk[]
  readonly bytes: number
  readonly repaired: number
  readonly remaining: number
  /** What cannot be read any more. */
  readonly lost: LostContents
  /** Segments of the journal with records that no copy has: the index could not be rebuilt from it. */
  readonly lostSegments: readonly number[]
}
export type ScrubStatus = {
  readonly running?: { readonly by: 'operator' | 'itself'; readonly doneBytes: number; readonly totalBytes: number }
  readonly last?: NonNullable<ScrubRecord['last']>
}
export type ScrubFault = 'under-way' | 'read-only' | 'stopped' | 'index-damaged'

/** Of each disk, while nothing else goes on. */
const BYTES_PER_SECOND = 128 * 1024 * 1024
const DAY_MS = 24 * 60 * 60 * 1000
const PERIOD_MS = 28 * DAY_MS
/** A pass of its own is to take so long, and so has a week to spare; but no disk need be read more slowly than this. */
const PASS_SECONDS = 21 * 24 * 60 * 60
const BYTES_PER_SECOND_MIN = 1024 * 1024
const LOOK_PERIOD_MS = 10 * 60 * 1000
const SAVE_PERIOD_MS = 60 * 1000

export class Scrub {
  readonly #input: ScrubInput
  readonly #shards: Shards
  readonly #closing = new AbortController()
  #byOperator: ScrubPass | undefined
  #byItself: ScrubPass | undefined
  #last: ScrubRecord['last']
  #background: Promise<void> = Promise.resolve()
  #command: Promise<unknown> = Promise.resolve()

  constructor(input: ScrubInput) {
    this.#input = input
    this.#shards = new Shards(input)
  }

  /** Starts the background scrub. */
  begin(): void {
    this.#background = this.#goRound()
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([this.#background, this.#command])
  }

  get status(): ScrubStatus {
    const pass = this.#byOperator ?? this.#byItself
    const by = this.#byOperator === undefined ? ('itself' as const) : ('operator' as const)
    return {
      ...(pass && { running: { by, doneBytes: pass.doneBytes, totalBytes: Math.max(pass.totalBytes, pass.doneBytes) } }),
      ...(this.#last && { last: this.#last }),
    }
  }

  /** A whole pass now. One at a time. */
  run(options: { readonly signal: AbortSignal; readonly bytesPerSecond?: number | undefined }): Promise<Result<ScrubReport, ScrubFault>> {
    if (this.#byOperator !== undefined) return Promise.resolve(fail('under-way'))
    if (this.#input.pool.view.readOnly !== undefined) return Promise.resolve(fail('read-only'))
    const writable = whileWritable(this.#input.pool)
    const signal = AbortSignal.any([options.signal, this.#closing.signal, writable.signal])
    const { clock, board, pool } = this.#input
    const tally = new ScrubTally(pool.view)
    const bytesPerSecond = (): number => options.bytesPerSecond ?? BYTES_PER_SECOND
    const makePace = () => paceOf({ clock, board, bytesPerSecond, signal })
    const pass = new ScrubPass({ ...this.#input, shards: this.#shards }, { tally, makePace, signal })
    this.#byOperator = pass
    const done = this.#run(pass, tally).finally(() => {
      writable.end()
      this.#byOperator = undefined
    })
    this.#command = done
    return done
  }

  async #run(pass: ScrubPass, tally: ScrubTally): Promise<Result<ScrubReport, ScrubFault>> {
    const { clock, journal } = this.#input
    const begunMs = clock.nowMs()
    const ended = await pass.run()
    if (ended !== 'done') return fail(ended)
    const disks = tally.disks(this.#input.pool.view)
    const { bytes, repaired, remaining } = tally
    const lost = remaining === 0 ? { named: [], more: 0 } : await findLost({ ...this.#input, journalReader: journal.reader }, tally)
    if (disks.every(({ state }) => state !== 'failed')) await this.#remember({ begunMs, last: this.#ended(tally) })
    return ok({ disks, bytes, repaired, remaining, lost, lostSegments: [...tally.lostSegments] })
  }

  #ended({ bytes, repaired, remaining }: ScrubTally): NonNullable<ScrubRecord['last']> {
    return { endedMs: this.#input.clock.nowMs(), bytes, repaired, remaining }
  }

  async #remember(record: ScrubRecord): Promise<void> {
    if (record.last !== undefined) this.#last = record.last
    await this.#input.memory?.write({ ...record, ...(this.#last && { last: this.#last }) })
  }

  // ---- By itself ----

  async #goRound(): Promise<void> {
    const { clock, memory, pool } = this.#input
    const { signal } = this.#closing
    this.#last = (await memory?.read())?.last
    for (;;) {
      await pause(clock, LOOK_PERIOD_MS, signal)
      if (signal.aborted) return
      if (pool.view.readOnly !== undefined || this.#byOperator !== undefined) continue
      const known = await memory?.read()
      // A clock that was set says little: then once more.
      const age = known === undefined ? PERIOD_MS : Math.abs(clock.nowMs() - known.begunMs)
      if (known?.under === undefined && age < PERIOD_MS) continue
      await this.#runByItself(known?.under === undefined ? { begunMs: clock.nowMs() } : known)
      if (signal.aborted) return
    }
  }

  async #runByItself({ begunMs, under }: ScrubRecord): Promise<void> {
    const { clock, board, pool, onTrouble } = this.#input
    const writable = whileWritable(pool)
    const signal = AbortSignal.any([this.#closing.signal, writable.signal])
    const tally = new ScrubTally(pool.view)
    const isIn = pool.view.sets.flatMap((set) => set.disks).filter(({ state }) => state === 'in').length
    const bytesPerSecond = (): number => Math.max(BYTES_PER_SECOND_MIN, pass.totalBytes / Math.max(1, isIn) / PASS_SECONDS)
    let savedMs = clock.nowMs()
    const findings = () => ({ repaired: (under?.repaired ?? 0) + tally.repaired, remaining: (under?.remaining ?? 0) + tally.remaining })
    const save = () => this.#remember({ begunMs, under: { ...findings(), cursor: pass.cursor } })
    const makePace = () => {
      const slowly = paceOf({ clock, board, bytesPerSecond, signal })
      return (bytes: number) => {
        if (this.#byOperator !== undefined) return this.#giveWay()
        if (Math.abs(clock.nowMs() - savedMs) >= SAVE_PERIOD_MS) {
          savedMs = clock.nowMs()
          void save()
        }
        return slowly(bytes)
      }
    }
    const pass = new ScrubPass({ ...this.#input, shards: this.#shards }, { tally, makePace, signal, from: under?.cursor })
    this.#byItself = pass
    const ended = await pass.run()
    writable.end()
    this.#byItself = undefined
    for (const disk of tally.disks(pool.view)) {
      if (disk.repaired > 0)
        onTrouble(`The scrub repaired ${disk.repaired} damaged places on ${disk.path}. If that goes on, replace the disk.`)
    }
    if (ended === 'index-damaged') onTrouble('The index is damaged: restart the server, which makes it anew from the journal.')
    if (ended !== 'done') {
      await save()
      return
    }
    const { repaired, remaining } = findings()
    await this.#remember({ begunMs, last: { ...this.#ended(tally), repaired, remaining } })
    if (remaining > 0)
      onTrouble(`The scrub found ${remaining} damaged places that cannot be repaired: "holdfast disk scrub" says what they cost.`)
  }

  /** Waits while an operator's pass reads. */
  async #giveWay(): Promise<'go-on' | 'stop'> {
    const { signal } = this.#closing
    while (this.#byOperator !== undefined && !signal.aborted) await pause(this.#input.clock, 1000, signal)
    return signal.aborted ? 'stop' : 'go-on'
  }
}

/** Aborted when the pool becomes read-only: nothing may be written then, not even what is owed. */
function whileWritable(pool: Pool): { readonly signal: AbortSignal; end(): void } {
  const stop = new AbortController()
  const end = pool.onChange(({ readOnly }) => {
    if (readOnly !== undefined) stop.abort()
  })
  return { signal: stop.signal, end }
}
