/**
 * Fills one disk that is healing. It gets all new writes from its first moment. Its journal segments come first; then every extent that the index lists is
 * read on it and rebuilt where it is missing or bad; only when everything was read back does it count as in. What is written meanwhile without it is given
 * to it before its commit from the last look on, and found by that look before.
 *
 * A successor is given what is committed from its first moment on, so what lies in the index by then is all that it lacks. It has its place when the journal
 * is on it as on the disk that it follows (Journal.handOver).
 */
import type { ExtentStore } from '../../disks/extents.ts'
import type { Pool } from '../../disks/pool.ts'
import { type DiskSlot, slotAt } from '../../disks/pool-view.ts'
import type { Clock } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { ShardNote } from './changes/record.ts'
import type { Commits } from './commits.ts'
import { Table, tableRange } from './index/keys.ts'
import { type OrderedMap, walk } from './index/ordered-map.ts'
import { decodeExtentId, decodeExtentRow, type ExtentRow } from './index/rows.ts'
import { Turns } from './index/turns.ts'
import type { Journal } from './journal/journal.ts'
import type { JournalDisk } from './journal/journal-disks.ts'
import type { JournalFault } from './journal/terms.ts'
import { noteShards } from './shard-mending.ts'
import { EXTENTS_PER_PAGE, isNoted, noteOf, type Shards, shardAt, shardBytes } from './shards.ts'

export type DiskHealingInput = {
  readonly pool: Pool
  readonly journal: Pick<Journal, 'copySegments' | 'handOver'>
  readonly index: OrderedMap
  readonly extents: ExtentStore
  readonly clock: Clock
  readonly commits: Commits
  /** The disk with this id has given its place to another. */
  readonly onFollowed: (diskId: string) => void
  readonly onTrouble: (sentence: string) => void
}

/** The disk could not take what it should hold, or too few others have it. */
export type HealFault = 'disk-failed' | 'full' | 'too-few-disks' | 'stopped' | 'damaged'
export type HealProgress = (doneBytes: number, totalBytes: number) => void

/** Remembered; of more than these the scrub has to tell. */
const LOST_MAX = 10_000
/** Shards that are worked on at once for one disk. */
const SHARDS_AT_ONCE = 2

export class DiskHealing {
  readonly #input: DiskHealingInput
  readonly #shards: Shards
  readonly #slot: DiskSlot
  /** Disks that hold everything and are about to be marked in. */
  readonly #arriving: Set<string>
  readonly #isStopped: () => boolean
  /** Of a successor, what could not be rebuilt: the disk that it follows may get it yet. */
  readonly #lost: ShardNote[] = []

  constructor(
    input: DiskHealingInput & { readonly shards: Shards; readonly arriving: Set<string>; readonly isStopped: () => boolean },
    slot: DiskSlot,
  ) {
    this.#input = input
    this.#shards = input.shards
    this.#arriving = input.arriving
    this.#isStopped = input.isStopped
    this.#slot = slot
  }

  async run(onProgress: HealProgress | undefined): Promise<Result<void, HealFault>> {
    const { pool, journal } = this.#input
    const { set, position, diskId } = this.#slot
    const disk = pool.disk(set, position)?.disk
    if (disk === undefined) return fail('disk-failed')
    const report = this.#reporter(onProgress, await this.#shardBytes())
    if (!this.#isStill()) return fail('stopped')
    const to = { disk, set, position, diskId, healing: true, ...(this.#follows === undefined ? {} : { follows: this.#follows }) }
    const copied = await journal.copySegments(to, (doneBytes, totalBytes) => report(doneBytes, totalBytes))
    if (!copied.ok) return fail(journalHealFault(copied.error))
    // A batch under way may count on the disk that was here before: what it commits is in the index by the time this is answered.
    if (!(await this.#batchesPassed())) return fail('stopped')
    const healed = await this.#healShards((doneBytes) => report(doneBytes))
    if (this.#follows !== undefined) return healed.ok ? this.#takePlace(to) : healed
    const complete = healed.ok ? await this.#healMissed() : healed
    if (!complete.ok) return complete
    try {
      return this.#isStill() && (await pool.markIn(set, position)).ok ? ok(undefined) : fail('disk-failed')
    } finally {
      this.#arriving.delete(diskId)
    }
  }

  /** Of a successor, the place that it is to take. */
  get #follows(): number | undefined {
    const places = this.#input.pool.view.sets[this.#slot.set]!.disks.length
    return this.#slot.position < places ? undefined : this.#slot.position - places
  }

  async #takePlace(to: JournalDisk): Promise<Result<void, HealFault>> {
    const { pool, journal } = this.#input
    const { set, position, diskId } = this.#slot
    if (!this.#isStill()) return fail('stopped')
    const old = pool.view.sets[set]!.disks[this.#follows!]!
    const given = await journal.handOver(to, async () => this.#isStill() && (await pool.markIn(set, position)).ok)
    if (!given.ok) return fail(journalHealFault(given.error))
    const taken = pool.view.sets[set]!.disks[this.#follows!]
    if (taken?.diskId !== diskId) return fail('disk-failed')
    this.#input.onFollowed(old.diskId)
    await noteShards(this.#input.commits, this.#lost)
    return taken.state === 'in' ? ok(undefined) : fail('disk-failed')
  }

  /** Tells of the journal while its bytes are given, and then of the shards behind it; the pool five times a second. */
  #reporter(onProgress: HealProgress | undefined, shardsBytes: number): (doneBytes: number, journalBytes?: number) => void {
    const { pool, clock } = this.#input
    const { set, position } = this.#slot
    let journal = 0
    let reportedAt = 0
    return (bytes, journalBytes) => {
      journal = journalBytes ?? journal
      const doneBytes = journalBytes === undefined ? journal + bytes : bytes
      const totalBytes = Math.max(doneBytes, journal + shardsBytes)
      onProgress?.(doneBytes, totalBytes)
      const now = clock.nowMs()
      if (Math.abs(now - reportedAt) < 200 && doneBytes !== totalBytes) return
      reportedAt = now
      pool.reportProgress(set, position, { doneBytes, totalBytes })
    }
  }

  /** Bytes that the disk should hold in extents. Of an index with many it takes long: requests come in between. */
  async #shardBytes(): Promise<number> {
    const turns = new Turns(this.#input.index, this.#input.clock)
    let bytes = 0
    for (const page of this.#shards.pages()) {
      for (const { place } of page) {
        if (place.set === this.#slot.set) bytes += shardBytes(place)
        if (turns.over) await turns.giveWay()
      }
      if (this.#isStopped()) break
    }
    return bytes
  }

  async #healShards(report: (doneBytes: number) => void): Promise<Result<void, HealFault>> {
    let doneBytes = 0
    for (const page of this.#shards.pages()) {
      const rows = page.filter(({ place }) => place.set === this.#slot.set)
      const notes: ShardNote[] = []
      let fault: HealFault | undefined
      const work = async (): Promise<void> => {
        for (let row = rows.pop(); row !== undefined && fault === undefined; row = rows.pop()) {
          const healed = await this.#healExtent(row)
          if (!healed.ok) fault = healed.error
          else if (healed.value.note !== undefined) notes.push(healed.value.note)
          doneBytes += shardBytes(row.place)
          report(doneBytes)
        }
      }
      await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, work))
      if (fault !== undefined) return fail(fault)
      if (!(await noteShards(this.#input.commits, notes))) return fail('stopped')
    }
    return ok(undefined)
  }

  /**
   * The shards of what was committed without the disk while it was being gone through. Ends with none, and with the disk arriving: what is committed from
   * then on is completed first.
   */
  async #healMissed(): Promise<Result<void, HealFault>> {
    // Nothing can be done for these, and they are on record.
    const hopeless = new Set<string>()
    const { diskId } = this.#slot
    for (;;) {
      this.#arriving.add(diskId)
      // A batch under way may have asked before that: when this one is answered, all of it can be seen.
      const passed = await this.#batchesPassed()
      const missed = passed ? this.#missed(hopeless) : []
      if (passed && missed.length === 0) return ok(undefined)
      this.#arriving.delete(diskId)
      if (!passed) return fail('stopped')
      const notes: ShardNote[] = []
      for (const row of missed) {
        const healed = await this.#healExtent(row)
        if (!healed.ok) return healed
        if (healed.value.isLost) hopeless.add(extentName(row))
        else if (healed.value.note !== undefined) notes.push(healed.value.note)
      }
      await noteShards(this.#input.commits, notes)
    }
  }

  /** Extents of the heal list that lack their shard on the disk; a page of them. */
  #missed(except: ReadonlySet<string>): ExtentRow[] {
    const { from, to } = tableRange(Table.heal)
    const found: ExtentRow[] = []
    for (const { key, value } of walk(this.#input.index.reader(), { from, to })) {
      const row = decodeExtentRow(decodeExtentId(key), value)
      const lacks = row.place.set === this.#slot.set && !isNoted(row.durable, shardAt(row.place, this.#slot.position))
      if (lacks && !except.has(extentName(row)) && found.push(row) === EXTENTS_PER_PAGE) break
    }
    return found
  }

  async #healExtent(row: ExtentRow): Promise<Result<{ readonly note: ShardNote | undefined; readonly isLost: boolean }, HealFault>> {
    if (!this.#isStill()) return fail('stopped')
    const shard = shardAt(row.place, this.#slot.position)
    const outcome = await this.#shards.makeWhole(row.place, shard, { at: this.#slot.position })
    if (outcome === 'too-few-disks' || outcome === 'disk-failed' || outcome === 'full' || outcome === 'stopped') return fail(outcome)
    const isLost = outcome === 'lost'
    if (isLost) this.#input.onTrouble(`Extent ${extentName(row)} cannot be rebuilt: too few of its shards are intact.`)
    if (this.#follows === undefined) return ok({ note: noteOf(row, shard, outcome), isLost })
    const { start, counter } = row.place
    if (isLost && this.#lost.length < LOST_MAX) this.#lost.push({ start, counter, healed: 0, lost: 2 ** shard })
    // What the index knows is what the disks have that have a place.
    return ok({ note: undefined, isLost })
  }

  /** Resolves when every batch that was under way is in the index; false if nothing can be committed now. */
  async #batchesPassed(): Promise<boolean> {
    return (await this.#input.commits.submit({ kind: 'drop-manifests', manifests: [] })).ok
  }

  #isStill(): boolean {
    const now = slotAt(this.#input.pool.view, this.#slot.set, this.#slot.position)
    return !this.#isStopped() && now?.diskId === this.#slot.diskId && now.state === 'healing'
  }
}

const journalHealFault = ({ kind }: JournalFault): HealFault => (kind === 'damaged' || kind === 'full' ? kind : 'disk-failed')

const extentName = ({ place }: ExtentRow): string => `${place.start}/${place.counter}`
