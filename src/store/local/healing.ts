/** Looks after what should be made whole: disks that came back or were replaced, single shards, copies of journal segments. */

import type { Disk } from '../../disks/disk.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import { type DiskSlot, everySlot, isSuccessor, slotAt } from '../../disks/pool-view.ts'
import { IS_FULL } from '../../disks/pool-words.ts'
import { fail, type Result } from '../../result.ts'
import { Attempts } from './attempts.ts'
import { DiskHealing, type DiskHealingInput, type HealFault, type HealProgress } from './disk-healing.ts'
import type { Journal } from './journal/journal.ts'
import { ShardMending } from './shard-mending.ts'
import { Shards } from './shards.ts'

export type HealingInput = DiskHealingInput & {
  readonly journal: Pick<Journal, 'copySegments' | 'handOver' | 'restoreCopies' | 'hasBadCopies'>
  readonly reopenDisk?: (directory: string) => Promise<Disk | undefined>
}

const LOOK_PERIOD_MS = 5000

export class Healing {
  readonly #input: HealingInput
  readonly #shards: Shards
  readonly #mending: ShardMending
  /** Ids of disks being healed. */
  readonly #disks = new Map<string, Promise<Result<void, HealFault>>>()
  /** Ids of disks that hold everything and are about to be marked in. */
  readonly #arriving = new Set<string>()
  /** Of filling each disk. */
  readonly #attempts: Attempts
  #cancelTimer: (() => void) | undefined
  #closed = false
  /** Where disks were that are out, since all were in: one that comes back elsewhere leaves its place to another. */
  readonly #leftPlaces = new Set<string>()
  #mendingCopies = false
  #restored: Promise<unknown> = Promise.resolve()

  constructor(input: HealingInput) {
    this.#input = input
    this.#shards = new Shards(input)
    this.#attempts = new Attempts(input.clock)
    const { index, commits, pool } = input
    this.#mending = new ShardMending({ shards: this.#shards, index, commits, view: () => pool.view, isStopped: () => this.#isStopped })
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
    this.#mending.look()
  }

  /** A read met a shard that is missing or bad, on a disk that works. */
  reportBadShard(place: ExtentPlace, shard: number): void {
    if (this.#closed || this.#isReadOnly) return
    this.#mending.report(place, shard)
    this.look()
  }

  /** Extents known to lack a shard, or to have a bad one. */
  get shardsToRepair(): number {
    return this.#mending.count
  }

  /** Resolves when no disk is being healed and no known shard is left to mend, or could be: for tests. */
  async idle(): Promise<void> {
    await this.#restored
    await this.#lookAfterDisks()
    while (this.#disks.size > 0 || this.#mending.working !== undefined) {
      await Promise.all([...this.#disks.values(), this.#mending.working])
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    this.#attempts.close()
    await Promise.all([...this.#disks.values(), this.#mending.working, this.#restored])
  }

  /** Heals a disk that is in the state 'healing', and marks it in. Asking again while that goes on answers the same. */
  healDisk(set: number, position: number, onProgress?: HealProgress): Promise<Result<void, HealFault>> {
    const { pool } = this.#input
    const slot = this.#slot(set, position)
    if (slot?.state !== 'healing') return Promise.resolve(fail('disk-failed'))
    const underWay = this.#disks.get(slot.diskId)
    if (underWay !== undefined) return underWay
    const healing = new DiskHealing(
      { ...this.#input, shards: this.#shards, arriving: this.#arriving, isStopped: () => this.#isStopped },
      slot,
    )
    const run = async (): Promise<Result<void, HealFault>> => {
      const healed = await healing.run(onProgress)
      // The disk that it was to follow goes on, and writes must not wait for one without room.
      if (!healed.ok && healed.error === 'full' && isSuccessor(pool.view, slot)) await pool.putOut([{ set, position, reason: IS_FULL }])
      return healed
    }
    const healed = run().finally(() => {
      this.#disks.delete(slot.diskId)
      if (everySlot(pool.view).find(({ diskId }) => diskId === slot.diskId)?.state === 'in') this.#attempts.succeeded(slot.diskId)
    })
    this.#disks.set(slot.diskId, healed)
    return healed
  }

  /** Nothing may be written while it is read-only, not even what is owed. */
  get #isReadOnly(): boolean {
    return this.#input.pool.view.readOnly !== undefined
  }

  get #isStopped(): boolean {
    return this.#closed || this.#isReadOnly
  }

  #slot(set: number, position: number): DiskSlot | undefined {
    return slotAt(this.#input.pool.view, set, position)
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

  /** Takes back disks that are there again, and goes on healing those that should be. */
  async #lookAfterDisks(): Promise<void> {
    const { pool } = this.#input
    if (this.#isReadOnly) return
    this.#noteLeftPlaces()
    for (const slot of everySlot(pool.view)) {
      if (this.#closed) return
      if (slot.state === 'out') await this.#takeBack(slot)
      if (this.#slot(slot.set, slot.position)?.state === 'healing') void this.healDisk(slot.set, slot.position)
    }
  }

  async #takeBack(slot: DiskSlot): Promise<void> {
    const { pool, reopenDisk } = this.#input
    const { set, position, diskId } = slot
    if (slot.retired !== undefined || !this.#attempts.mayTry(diskId)) return
    // One that is too small stays so: an operator decides.
    if (slot.reason === IS_FULL && isSuccessor(pool.view, slot)) return
    const { generation } = pool.view
    if (!(await pool.startHealing(set, position)).ok) {
      for (const directory of this.#placesOf(slot)) {
        const disk = await reopenDisk?.(directory)
        if (disk === undefined) continue
        // Which disk it is, the pool asks the disk itself.
        if ((await pool.startHealing(set, position, disk)).ok) break
        disk.close()
      }
    }
    if (!this.#closed && pool.view.generation !== generation) this.#attempts.begun(diskId)
  }

  /** Where a disk that is out may be: where it was, or, if disks have changed places, where another one was that is out, or was found elsewhere. */
  #placesOf({ directory }: DiskSlot): readonly string[] {
    const slots = everySlot(this.#input.pool.view)
    const taken = new Set(slots.filter(({ state }) => state !== 'out').map((slot) => slot.directory))
    return [...new Set([directory, ...this.#leftPlaces])].filter((each) => each !== '' && !taken.has(each))
  }

  #noteLeftPlaces(): void {
    const out = everySlot(this.#input.pool.view).filter(({ state }) => state === 'out')
    if (out.length === 0) this.#leftPlaces.clear()
    for (const { directory } of out) this.#leftPlaces.add(directory)
  }
}
