/**
 * Makes disks whole again: those that came back or were replaced, and single shards that were found bad or could not be written.
 *
 * A healing disk gets all new writes from its first moment. Its journal segments come first; then every extent that the index lists is read on it and
 * rebuilt where it is missing or bad; only when everything was read back does it count as in. What is written meanwhile without it is caught at its
 * commit (the disk goes out again) from the last look on, and by that look before.
 */

import type { Disk } from '../../disks/disk.ts'
import type { ExtentStore } from '../../disks/extents.ts'
import { type ExtentPlace, shardPosition } from '../../disks/geometry.ts'
import type { Pool } from '../../disks/pool.ts'
import type { DiskSlot } from '../../disks/pool-view.ts'
import type { Clock } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { ShardNote } from './changes/request.ts'
import type { Commits } from './commits.ts'
import { Table, tableRange } from './index/keys.ts'
import { after, type OrderedMap, walk } from './index/ordered-map.ts'
import { decodeExtentId, decodeExtentRow, type ExtentRow, getExtent, wholeMask } from './index/rows.ts'
import type { Journal } from './journal/journal.ts'

export type HealingInput = {
  readonly pool: Pool
  readonly journal: Pick<Journal, 'copySegments' | 'restoreCopies' | 'hasBadCopies'>
  readonly index: OrderedMap
  readonly extents: ExtentStore
  readonly clock: Clock
  readonly commits: Commits
  readonly reopenDisk?: (directory: string) => Promise<Disk | undefined>
  readonly onTrouble: (sentence: string) => void
}

/** The disk could not take what it should hold, or too few others have it. */
export type HealFault = 'disk-failed' | 'too-few-disks' | 'stopped' | 'damaged'

const LOOK_PERIOD_MS = 5000
const EXTENTS_PER_PAGE = 200
/** Shards that are worked on at once for one disk. */
const SHARDS_AT_ONCE = 2
/** Reports beyond this are dropped: the scrub and the next read find the shard again. */
const BAD_SHARDS_MAX = 10_000
const NOTES_PER_RECORD = 500

export class Healing {
  readonly #input: HealingInput
  /** Ids of disks being healed. */
  readonly #disks = new Map<string, Promise<unknown>>()
  /** Ids of disks that hold everything and are about to be marked in. */
  readonly #arriving = new Set<string>()
  readonly #bad = new Map<string, { readonly place: ExtentPlace; readonly shard: number }>()
  #working: Promise<void> | undefined
  #again = false
  #cancelTimer: (() => void) | undefined
  #closed = false
  #mendingCopies = false
  #restored: Promise<unknown> = Promise.resolve()

  constructor(input: HealingInput) {
    this.#input = input
  }

  /** Starts looking after disks. */
  begin(): void {
    this.#restored = this.#input.journal.restoreCopies({ verify: false }, () => undefined)
    this.look()
  }

  /** Whether a commit must treat the disk as one that is in, though the pool does not say so yet. */
  isArriving(diskId: string): boolean {
    return this.#arriving.has(diskId)
  }

  /** Looks now for disks and shards to heal; it also does so every few seconds. */
  look(): void {
    if (this.#closed) return
    this.#cancelTimer?.()
    this.#cancelTimer = this.#input.clock.timer(LOOK_PERIOD_MS, () => this.look())
    if (this.#isReadOnly) return
    void this.#lookAfterDisks()
    this.#mendCopies()
    if (this.#working !== undefined) this.#again = true
    else this.#working = this.#mendShards()
  }

  /** Mends journal copies that a read found bad, one round at a time. */
  #mendCopies(): void {
    const { journal } = this.#input
    if (!journal.hasBadCopies || this.#mendingCopies) return
    this.#mendingCopies = true
    this.#restored = this.#restored
      .then(() => journal.restoreCopies({ verify: false }, () => undefined))
      .then(() => {
        this.#mendingCopies = false
      })
  }

  /** A read met a shard that is missing or bad, on a disk that works. */
  reportBadShard(place: ExtentPlace, shard: number): void {
    if (this.#closed || this.#isReadOnly || this.#bad.size >= BAD_SHARDS_MAX) return
    this.#bad.set(`${place.start}/${place.counter}/${shard}`, { place, shard })
    this.look()
  }

  /** Extents known to lack a shard, or to have a bad one; counted up to BAD_SHARDS_MAX. */
  get shardsToRepair(): number {
    const { from, to } = tableRange(Table.heal)
    return this.#bad.size + this.#input.index.reader().range(from, to, BAD_SHARDS_MAX).length
  }

  /** Resolves when no disk is being healed and no known shard is left to mend, or could be: for tests. */
  async idle(): Promise<void> {
    await this.#restored
    await this.#lookAfterDisks()
    while (this.#disks.size > 0 || this.#working !== undefined) {
      await Promise.all([...this.#disks.values(), this.#working])
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await Promise.all([...this.#disks.values(), this.#working, this.#restored])
  }

  /** Heals a disk that is in the state 'healing', and marks it in. Asking again while that goes on answers the same. */
  healDisk(set: number, position: number, onProgress?: (doneBytes: number, totalBytes: number) => void): Promise<Result<void, HealFault>> {
    const slot = this.#slot(set, position)
    if (slot?.state !== 'healing') return Promise.resolve(fail('disk-failed'))
    const underWay = this.#disks.get(slot.diskId) as Promise<Result<void, HealFault>> | undefined
    if (underWay !== undefined) return underWay
    const healed = this.#heal(slot, onProgress).finally(() => this.#disks.delete(slot.diskId))
    this.#disks.set(slot.diskId, healed)
    return healed
  }

  #slot(set: number, position: number): DiskSlot | undefined {
    return this.#input.pool.view.sets[set]?.disks[position]
  }

  /** Takes back disks that are there again, and goes on healing those that should be. */
  async #lookAfterDisks(): Promise<void> {
    const { pool } = this.#input
    if (this.#isReadOnly) return
    for (const slot of pool.view.sets.flatMap((set) => set.disks)) {
      if (this.#closed) return
      if (slot.state === 'out') await this.#takeBack(slot)
      if (this.#slot(slot.set, slot.position)?.state === 'healing') void this.healDisk(slot.set, slot.position)
    }
  }

  async #takeBack({ set, position, directory, retired }: DiskSlot): Promise<void> {
    const { pool, reopenDisk } = this.#input
    if (retired !== undefined || (await pool.startHealing(set, position)).ok) return
    const disk = await reopenDisk?.(directory)
    if (disk === undefined) return
    if (!(await pool.startHealing(set, position, disk)).ok) disk.close()
  }

  async #heal(slot: DiskSlot, onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined): Promise<Result<void, HealFault>> {
    const { pool, journal } = this.#input
    const { set, position, diskId } = slot
    const disk = pool.disk(set, position)?.disk
    if (disk === undefined) return fail('disk-failed')
    const shardsBytes = this.#shardBytes(set)
    let journalBytes = 0
    let reportedAt = 0
    const report = (doneBytes: number): void => {
      const totalBytes = Math.max(doneBytes, journalBytes + shardsBytes)
      onProgress?.(doneBytes, totalBytes)
      const now = this.#input.clock.nowMs()
      if (Math.abs(now - reportedAt) < 200 && doneBytes !== totalBytes) return
      reportedAt = now
      pool.reportProgress(set, position, { doneBytes, totalBytes })
    }
    const copied = await journal.copySegments({ disk, set, position, diskId, healing: true }, (doneBytes, totalBytes) => {
      journalBytes = totalBytes
      report(doneBytes)
    })
    if (!copied.ok) return fail(copied.error.kind === 'damaged' ? 'damaged' : 'disk-failed')
    // A batch under way may count on the disk that was here before: what it commits is in the index by the time this is answered.
    if (!(await this.#batchesPassed())) return fail('stopped')
    const rebuilt = await this.#healShards(slot, (doneBytes) => report(journalBytes + doneBytes))
    const complete = rebuilt.ok ? await this.#healMissed(slot) : rebuilt
    if (!complete.ok) return complete
    try {
      return this.#isStill(slot) && (await pool.markIn(set, position)).ok ? ok(undefined) : fail('disk-failed')
    } finally {
      this.#arriving.delete(diskId)
    }
  }

  /** Bytes that one disk of the set should hold in extents. */
  #shardBytes(set: number): number {
    let bytes = 0
    const { from, to } = tableRange(Table.extent)
    for (let next: Uint8Array | undefined = from; next !== undefined; ) {
      const page: readonly { key: Uint8Array; value: Uint8Array }[] = this.#input.index.reader().range(next, to, EXTENTS_PER_PAGE)
      for (const { key, value } of page) {
        const { place } = decodeExtentRow(decodeExtentId(key), value)
        if (place.set === set) bytes += Math.ceil(place.bytes / place.dataShards)
      }
      next = page.length < EXTENTS_PER_PAGE ? undefined : after(page.at(-1)!.key)
    }
    return bytes
  }

  /**
   * The shards of what was committed without the disk while it was being gone through. Ends with none, and with the disk arriving: what is committed
   * without it from then on puts it out again.
   */
  async #healMissed(slot: DiskSlot): Promise<Result<void, HealFault>> {
    // Nothing can be done for these, and they are on record.
    const hopeless = new Set<string>()
    for (;;) {
      this.#arriving.add(slot.diskId)
      // A batch under way may have asked before that: when this one is answered, all of it can be seen.
      const passed = await this.#batchesPassed()
      const missed = passed ? this.#missedBy(slot, hopeless) : []
      if (passed && missed.length === 0) return ok(undefined)
      this.#arriving.delete(slot.diskId)
      if (!passed) return fail('stopped')
      const notes: ShardNote[] = []
      for (const row of missed) {
        const healed = this.#isStill(slot) ? await this.#healExtent(slot, row) : fail('stopped' as const)
        if (!healed.ok) return healed
        if (healed.value?.healed === 0) hopeless.add(extentName(row.place))
        else if (healed.value !== undefined) notes.push(healed.value)
      }
      await this.#note(notes)
    }
  }

  /** Resolves when every batch that was under way is in the index; false if nothing can be committed now. */
  async #batchesPassed(): Promise<boolean> {
    return (await this.#input.commits.submit({ kind: 'drop-manifests', manifests: [] })).ok
  }

  /** Extents of the heal list that lack their shard on the disk; a page of them. */
  #missedBy(slot: DiskSlot, except: ReadonlySet<string>): ExtentRow[] {
    const { from, to } = tableRange(Table.heal)
    const found: ExtentRow[] = []
    for (const { key, value } of walk(this.#input.index.reader(), { from, to })) {
      const row = decodeExtentRow(decodeExtentId(key), value)
      const lacks = row.place.set === slot.set && (row.durable & (2 ** shardAt(row.place, slot.position))) === 0
      if (lacks && !except.has(extentName(row.place)) && found.push(row) === EXTENTS_PER_PAGE) break
    }
    return found
  }

  /** Nothing may be written then, not even what is owed. */
  get #isReadOnly(): boolean {
    return this.#input.pool.view.readOnly !== undefined
  }

  #isStill(slot: DiskSlot): boolean {
    const now = this.#slot(slot.set, slot.position)
    return !this.#closed && !this.#isReadOnly && now?.diskId === slot.diskId && now.state === 'healing'
  }

  async #healShards(slot: DiskSlot, report: (doneBytes: number) => void): Promise<Result<void, HealFault>> {
    const { index, commits } = this.#input
    const { from, to } = tableRange(Table.extent)
    let doneBytes = 0
    for (let next: Uint8Array | undefined = from; next !== undefined; ) {
      const page: readonly { key: Uint8Array; value: Uint8Array }[] = index.reader().range(next, to, EXTENTS_PER_PAGE)
      next = page.length < EXTENTS_PER_PAGE ? undefined : after(page.at(-1)!.key)
      const rows = page.map(({ key, value }) => decodeExtentRow(decodeExtentId(key), value)).filter(({ place }) => place.set === slot.set)
      const notes: ShardNote[] = []
      let fault: HealFault | undefined
      const work = async (): Promise<void> => {
        for (let row = rows.pop(); row !== undefined && fault === undefined; row = rows.pop()) {
          const healed = this.#isStill(slot) ? await this.#healExtent(slot, row) : fail('stopped' as const)
          if (!healed.ok) fault = healed.error
          else if (healed.value !== undefined) notes.push(healed.value)
          doneBytes += Math.ceil(row.place.bytes / row.place.dataShards)
          report(doneBytes)
        }
      }
      await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, work))
      if (fault !== undefined) return fail(fault)
      if (notes.length > 0 && !(await commits.submit({ kind: 'note-shards', shards: notes })).ok) return fail('stopped')
    }
    return ok(undefined)
  }

  /** The shard of an extent on a healing disk: read through, else rebuilt and read back. Answers what the index should note. */
  async #healExtent(slot: DiskSlot, { place, durable }: ExtentRow): Promise<Result<ShardNote | undefined, HealFault>> {
    const { extents, index } = this.#input
    const shard = shardAt(place, slot.position)
    const verified = await extents.verify(place, shard)
    if (!verified.ok) {
      const rebuilt = await extents.rebuild(place, shard)
      if (!rebuilt.ok) {
        // Deleted meanwhile: nothing is owed.
        if (getExtent(index.reader(), place) === undefined) return ok(undefined)
        if (rebuilt.error === 'damaged') {
          this.#input.onTrouble(`Extent ${place.start}/${place.counter} cannot be rebuilt: too few of its shards are intact.`)
          return ok({ start: place.start, counter: place.counter, healed: 0, lost: 2 ** shard })
        }
        return fail(rebuilt.error === 'too-few-disks' ? 'too-few-disks' : 'disk-failed')
      }
      // Rebuilt after its extent was freed: it must not stay behind.
      if (getExtent(index.reader(), place) === undefined) await extents.remove(place)
    }
    const isNoted = (durable & (2 ** shard)) !== 0
    return ok(isNoted ? undefined : { start: place.start, counter: place.counter, healed: 2 ** shard, lost: 0 })
  }

  /** Rebuilds shards that were reported bad, then those on the heal list whose disks are in. */
  async #mendShards(): Promise<void> {
    do {
      this.#again = false
      await this.#mendReported()
      await this.#mendListed()
    } while (this.#again && !this.#closed)
    this.#working = undefined
  }

  async #mendReported(): Promise<void> {
    const { index, extents } = this.#input
    const lost: ShardNote[] = []
    for (const [id, { place, shard }] of this.#bad) {
      this.#bad.delete(id)
      if (this.#closed || getExtent(index.reader(), place) === undefined) continue
      const rebuilt = await extents.rebuild(place, shard)
      const isGone = getExtent(index.reader(), place) === undefined
      if (isGone && rebuilt.ok) await extents.remove(place)
      if (!isGone && !rebuilt.ok) lost.push({ start: place.start, counter: place.counter, healed: 0, lost: 2 ** shard })
    }
    await this.#note(lost)
  }

  async #mendListed(): Promise<void> {
    const { index, extents } = this.#input
    const { from, to } = tableRange(Table.heal)
    for (let next: Uint8Array | undefined = from; next !== undefined && !this.#closed; ) {
      const page: readonly { key: Uint8Array; value: Uint8Array }[] = index.reader().range(next, to, EXTENTS_PER_PAGE)
      next = page.length < EXTENTS_PER_PAGE ? undefined : after(page.at(-1)!.key)
      const healed: ShardNote[] = []
      for (const { key, value } of page) {
        const { place, durable } = decodeExtentRow(decodeExtentId(key), value)
        for (const shard of missingShards(place, durable)) {
          if (this.#closed || this.#slot(place.set, shardPosition(place, shard))?.state !== 'in') continue
          const mended = (await extents.verify(place, shard)).ok || (await extents.rebuild(place, shard)).ok
          if (mended) healed.push({ start: place.start, counter: place.counter, healed: 2 ** shard, lost: 0 })
        }
      }
      await this.#note(healed)
    }
  }

  async #note(notes: readonly ShardNote[]): Promise<void> {
    for (let at = 0; at < notes.length; at += NOTES_PER_RECORD) {
      await this.#input.commits.submit({ kind: 'note-shards', shards: notes.slice(at, at + NOTES_PER_RECORD) })
    }
  }
}

const extentName = ({ start, counter }: ExtentPlace): string => `${start}/${counter}`

/** The shard of an extent that lies on the disk at a position. */
function shardAt(place: ExtentPlace, position: number): number {
  const disks = place.dataShards + place.parityShards
  return (((position - place.counter) % disks) + disks) % disks
}

function missingShards(place: ExtentPlace, durable: number): number[] {
  const missing = (wholeMask(place) & ~durable) >>> 0
  return Array.from({ length: place.dataShards + place.parityShards }, (_, shard) => shard).filter(
    (shard) => (missing & (2 ** shard)) !== 0,
  )
}
