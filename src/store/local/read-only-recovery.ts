/**
 * Looks, while the site is read-only, whether the disks are there again whose absence made it so, and goes on by itself when they are.
 *
 * Before the pool has begun nothing was written, so who is in is decided anew from the beginning, as a new start would.
 *
 * A pool that had begun and lost too many disks goes on where it stopped: since then nothing was acknowledged, so the disks that were in by its durable
 * generation missed nothing. What is known of the journal in memory is more than a new start would find: all that was acknowledged, and that the batch
 * which was being written is not. It may be on some copies; so another segment is begun, whose header says where the one before ended, and
 * behind that all is dead. A disk is taken back only if it shows the generation that it should, its newest journal copy is whole, and nothing that
 * was asked of its earlier opening can still reach it.
 */
import type { Disk } from '../../disks/disk.ts'
import type { Pool } from '../../disks/pool.ts'
import type { DiskPlace } from '../../disks/pool-start.ts'
import { type DiskSlot, everySlot } from '../../disks/pool-view.ts'
import type { Clock } from '../../environment.ts'
import type { Journal } from './journal/journal.ts'

const LOOK_PERIOD_MS = 1000
/** Where no disk has come, only what else was in the way may have gone: to try costs reading the journal's end. */
const LOOKS_PER_TRY = 10

export type ReadOnlyRecoveryInput = {
  readonly pool: Pool
  readonly journal: Pick<Journal, 'readmit' | 'endSegment'>
  readonly clock: Clock
  readonly reopenDisk: (directory: string) => Promise<Disk | undefined>
  /** The disks that are here have changed, or what kept it from beginning may have: tries to. */
  readonly activate: () => Promise<unknown>
}

export class ReadOnlyRecovery {
  readonly #input: ReadOnlyRecoveryInput
  #cancelTimer: (() => void) | undefined
  #looking: Promise<void> | undefined
  #closed = false
  #looks = 0
  readonly #closedOnes = new WeakSet<Disk>()

  constructor(input: ReadOnlyRecoveryInput) {
    this.#input = input
  }

  begin(): void {
    this.#closed = false
    this.#wait()
  }

  #wait(): void {
    if (this.#closed) return
    this.#cancelTimer = this.#input.clock.timer(LOOK_PERIOD_MS, () => {
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined
        this.#wait()
      })
    })
  }

  /** `begin` takes it up again. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { pool } = this.#input
    if (pool.view.readOnly === undefined) return
    if (pool.wasReady) await this.#takeBack()
    else await this.#lookAgain()
  }

  async #lookAgain(): Promise<void> {
    const { pool, activate } = this.#input
    const all = () => everySlot(pool.view)
    const slots = all().filter((slot) => slot.retired === undefined)
    const directories = new Set([...slots, ...(pool.missing ?? [])].map(({ directory }) => directory))
    const here = slots.flatMap(({ diskId }) => pool.opened(diskId) ?? []).filter((disk) => disk.failed === undefined)
    const away = [...directories].filter((directory) => directory && !here.some((disk) => disk.directory === directory)) as string[]
    const found: Disk[] = []
    for (const directory of away) {
      const disk = await this.#reopen(directory)
      if (disk !== undefined) found.push(disk)
    }
    if (found.length > 0) await pool.lookAgain([...here, ...found])
    for (const disk of found) if (!all().some(({ diskId }) => pool.opened(diskId) === disk)) disk.close()
    const tries = found.length > 0 || ++this.#looks % LOOKS_PER_TRY === 0
    if (!this.#closed && tries && pool.mayBegin) await activate()
  }

  /** What is at the place of a disk that failed or was not there. Its earlier opening is of no use any more. */
  async #reopen(directory: string): Promise<Disk | undefined> {
    const { pool, reopenDisk } = this.#input
    for (const { diskId } of everySlot(pool.view).filter((slot) => slot.directory === directory)) {
      const earlier = pool.opened(diskId)
      if (earlier?.failed === undefined) continue
      if (!this.#closedOnes.has(earlier)) earlier.close()
      this.#closedOnes.add(earlier)
      if (!earlier.quiet) return undefined
    }
    return reopenDisk(directory)
  }

  async #takeBack(): Promise<void> {
    const { pool, journal } = this.#input
    // They are in, and only then the site's folder could be written.
    if (pool.mayWrite) return this.#resumeWriting()
    const back: (DiskPlace & { readonly diskId: string; readonly disk: Disk; readonly earlier: Disk })[] = []
    for (const { set, position } of pool.lostSince()) {
      const slot = pool.view.sets[set]!.disks[position]!
      const found = await this.#unchanged(slot)
      if (found !== undefined) back.push({ set, position, diskId: slot.diskId, ...found })
    }
    // Else, looking at what they hold each second would be in vain.
    const enough = pool.view.sets.every(
      ({ dataShards, disks }, set) =>
        disks.filter(({ state }) => state === 'in').length + back.filter((place) => place.set === set).length >= dataShards,
    )
    const whole: typeof back = []
    for (const place of enough && !this.#closed ? back : []) if (await journal.readmit(place.earlier, place.disk)) whole.push(place)
    if (whole.length > 0 && (await pool.takeBack(whole)).ok) await this.#resumeWriting()
    for (const { disk, earlier, set, position } of back) {
      if (disk !== earlier && pool.disk(set, position)?.disk !== disk && !whole.some((place) => place.disk === disk)) disk.close()
    }
  }

  async #resumeWriting(): Promise<void> {
    await this.#input.journal.endSegment()
    this.#input.pool.ready()
  }

  async #unchanged(slot: DiskSlot): Promise<{ disk: Disk; earlier: Disk } | undefined> {
    const { pool } = this.#input
    const earlier = pool.opened(slot.diskId)
    if (earlier === undefined) return undefined
    for (const directory of earlier.failed === undefined ? [slot.directory] : this.#placesOf(slot)) {
      const disk: Disk | undefined = earlier.failed === undefined ? earlier : await this.#reopen(directory)
      // What was asked of it where it was may land wherever it is now.
      if (earlier.failed !== undefined && !earlier.quiet) {
        disk?.close()
        return undefined
      }
      if (disk === undefined) continue
      const same = (await disk.check()).ok && (await pool.isUnchanged(slot, disk))
      if (same) return { disk, earlier }
      if (disk !== earlier) disk.close()
    }
    return undefined
  }

  /** Disks may have changed places while they were lost. */
  #placesOf({ directory }: DiskSlot): ReadonlySet<string> {
    const { pool } = this.#input
    return new Set([directory, ...pool.lostSince().map(({ set, position }) => pool.view.sets[set]!.disks[position]!.directory)])
  }
}
