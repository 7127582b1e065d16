/**
 * One pass of the scrub: over the index, which says what there should be, and then over every disk that is in: its own files, every copy of a journal
 * segment, every shard of every extent that the index lists. Each is read from the disk itself; what is bad or missing is made again from the others.
 * It finds what nobody reads: flipped bits, lost writes, and a disk that came back as it was earlier within one generation.
 */
import type { Pace } from '../../disks/extents.ts'
import { shardPosition } from '../../disks/geometry.ts'
import type { Pool } from '../../disks/pool.ts'
import { EXTENTS_FOLDER } from '../../disks/shard-file.ts'
import type { Clock } from '../../environment.ts'
import type { ShardNote } from './changes/record.ts'
import type { Commits } from './commits.ts'
import { extentKey } from './index/keys.ts'
import { after, DamagedRow, type Entry, type OrderedMap } from './index/ordered-map.ts'
import type { ExtentRow } from './index/rows.ts'
import { Turns } from './index/turns.ts'
import type { Journal } from './journal/journal.ts'
import { type ScrubTally, slotsOf } from './scrub-tally.ts'
import { noteShards } from './shard-mending.ts'
import { noteOf, type Shards, shardBytes } from './shards.ts'
import { sweepLeftovers } from './sweep.ts'

export type ScrubPassInput = {
  readonly pool: Pool
  readonly journal: Pick<Journal, 'segments' | 'scrub'>
  readonly index: OrderedMap
  readonly shards: Shards
  readonly commits: Commits
  readonly clock: Clock
  /** The number of this start of the process: what earlier ones left and nothing refers to is removed. */
  readonly start: number
}

/** What has been gone through: segments up to a number, then extents up to one. */
export type ScrubCursor =
  | { readonly kind: 'segment'; readonly number: number }
  | { readonly kind: 'extent'; readonly start: number; readonly counter: number }

/** Extents that are read at once, each on all its disks. */
const EXTENTS_AT_ONCE = 2
const ROWS_PER_PAGE = 256

export class ScrubPass {
  readonly #input: ScrubPassInput
  readonly #tally: ScrubTally
  readonly #paces = new Map<string, Pace>()
  readonly #makePace: () => Pace
  readonly #signal: AbortSignal
  /** Where another pass may go on; undefined before anything was gone through. */
  cursor: ScrubCursor | undefined
  doneBytes = 0
  totalBytes = 0

  constructor(
    input: ScrubPassInput,
    options: {
      readonly tally: ScrubTally
      readonly makePace: () => Pace
      readonly signal: AbortSignal
      readonly from?: ScrubCursor | undefined
    },
  ) {
    this.#input = input
    this.#tally = options.tally
    this.#makePace = options.makePace
    this.#signal = options.signal
    this.cursor = options.from
  }

  /** `index-damaged`: what should be on the disks cannot be told. */
  async run(): Promise<'done' | 'stopped' | 'index-damaged'> {
    try {
      await this.#readIndex()
      await this.#scrub()
    } catch (error) {
      if (error instanceof DamagedRow) return 'index-damaged'
      throw error
    }
    return this.#signal.aborted ? 'stopped' : 'done'
  }

  async #scrub(): Promise<void> {
    await this.#measure()
    if (this.cursor === undefined) await this.#scrubFiles()
    if (this.cursor?.kind !== 'extent') await this.#scrubSegments(this.cursor?.number ?? 0)
    await this.#scrubExtents()
    await this.#sweepLeftovers()
  }

  /** Every row once: each is checked as it is read. */
  async #readIndex(): Promise<void> {
    const { index, clock } = this.#input
    const turns = new Turns(index, clock)
    const end = Uint8Array.of(0xff)
    for (let next: Uint8Array | undefined = Uint8Array.of(0); next !== undefined && !this.#signal.aborted; ) {
      const page: readonly Entry[] = turns.reader.range(next, end, ROWS_PER_PAGE)
      next = page.length < ROWS_PER_PAGE ? undefined : after(page.at(-1)!.key)
      for (const _ of page) if (turns.over) await turns.giveWay()
    }
  }

  /** Shards that could not be removed when their extent was freed. */
  async #sweepLeftovers(): Promise<void> {
    const { pool, index, start: now } = this.#input
    const disks = pool.view.sets.flatMap((_, set) => pool.disks(set).flatMap((found) => found?.disk ?? []))
    const listed = await Promise.all(disks.map((disk) => disk.list(EXTENTS_FOLDER)))
    const starts = listed.flatMap((names) => (names.ok ? names.value.map((name) => Number.parseInt(name, 16)) : []))
    for (const start of new Set(starts)) {
      if (start < now && !this.#signal.aborted) await sweepLeftovers({ pool, index, start, stopped: () => this.#signal.aborted })
    }
  }

  /** How much there is to read, and how much of it lies before the cursor. */
  async #measure(): Promise<void> {
    const { pool, journal, index, shards, clock } = this.#input
    const isIn = pool.view.sets.map((set) => set.disks.filter(({ state }) => state === 'in').length)
    for (const { number, bytes, directories } of journal.segments()) this.#count(bytes * directories.length, this.#isBehindSegment(number))
    const turns = new Turns(index, clock)
    for (const page of shards.pages()) {
      if (this.#signal.aborted) return
      for (const { place } of page) {
        this.#count(shardBytes(place) * (isIn[place.set] ?? 0), this.#isBehindExtent(place))
        if (turns.over) await turns.giveWay()
      }
    }
  }

  #count(bytes: number, isBehind: boolean): void {
    this.totalBytes += bytes
    if (isBehind) this.doneBytes += bytes
  }

  #isBehindSegment(number: number): boolean {
    return this.cursor?.kind === 'extent' || (this.cursor?.kind === 'segment' && number <= this.cursor.number)
  }

  #isBehindExtent({ start, counter }: { readonly start: number; readonly counter: number }): boolean {
    const { cursor } = this
    return cursor?.kind === 'extent' && (start < cursor.start || (start === cursor.start && counter <= cursor.counter))
  }

  async #scrubFiles(): Promise<void> {
    const { pool } = this.#input
    for (const slot of slotsOf(pool.view)) {
      if (this.#signal.aborted || slot.state !== 'in') continue
      this.#tally.addFiles(slot, await pool.mendFiles(slot.set, slot.position))
    }
  }

  async #scrubSegments(behind: number): Promise<void> {
    const { journal, pool } = this.#input
    for (const { number } of journal.segments()) {
      if (this.#signal.aborted) return
      if (number <= behind) continue
      for (const check of (await journal.scrub(number, this.#paceOf(''))) ?? []) {
        const slot = pool.view.sets[check.set]?.disks[check.position]
        if (slot !== undefined) this.#tally.addCopy(slot, number, check)
      }
      if (!this.#signal.aborted) this.cursor = { kind: 'segment', number }
    }
  }

  async #scrubExtents(): Promise<void> {
    const from = this.cursor?.kind === 'extent' ? after(extentKey(this.cursor)) : undefined
    for (const page of this.#input.shards.pages(from)) {
      const notes: ShardNote[] = []
      for (let at = 0; at < page.length && !this.#signal.aborted; at += EXTENTS_AT_ONCE) {
        const rows = page.slice(at, at + EXTENTS_AT_ONCE)
        notes.push(...(await Promise.all(rows.map((row) => this.#scrubExtent(row)))).flat())
        const { start, counter } = rows.at(-1)!.place
        if (!this.#signal.aborted) this.cursor = { kind: 'extent', start, counter }
      }
      await noteShards(this.#input.commits, notes)
      if (this.#signal.aborted) return
    }
  }

  /** The shards of one extent, each on its disk, at once. Answers what the index should note. */
  async #scrubExtent(row: ExtentRow): Promise<ShardNote[]> {
    const { pool, shards } = this.#input
    const { place } = row
    const scrubShard = async (shard: number): Promise<ShardNote | undefined> => {
      const slot = pool.view.sets[place.set]?.disks[shardPosition(place, shard)]
      if (slot?.state !== 'in') return undefined
      const outcome = await shards.makeWhole(place, shard, { pace: this.#paceOf(slot.diskId) })
      this.#tally.addShard(slot, place, outcome)
      // One that is on record as missing was only read: whether it is durable is for those to see who mend what is missing.
      return outcome === 'whole' ? undefined : noteOf(row, shard, outcome)
    }
    const all = Array.from({ length: place.dataShards + place.parityShards }, (_, shard) => scrubShard(shard))
    return (await Promise.all(all)).filter((note) => note !== undefined)
  }

  #paceOf(disk: string): Pace {
    let pace = this.#paces.get(disk)
    if (pace === undefined) {
      const made = this.#makePace()
      pace = (bytes) => {
        this.doneBytes += bytes
        return made(bytes)
      }
      this.#paces.set(disk, pace)
    }
    return pace
  }
}
