/**
 * The file of the next segment, made in the background while the current one fills. It is also the reserve of space: when it cannot be had because a disk is
 * full, what is left of the current segment is for deletes.
 */
import type { Disk } from '../../../disks/disk.ts'
import type { Clock } from '../../../environment.ts'
import { fail, ok, type Result } from '../../../result.ts'
import { chooseDisks, type JournalDisk, type JournalDisks } from './journal-disks.ts'
import { discardPrepared, type Prepared, type PreparedCopy, type PrepareFault, prepareSegment } from './prepare.ts'
import type { JournalRoom } from './terms.ts'

const RETRY_MS = 1000

export type NextSegmentInput = {
  readonly disks: JournalDisks
  readonly clock: Clock
  /** Of files made in the background. */
  readonly segmentBytes: number
  /** Of a file that somebody waits for: smaller, so quicker. */
  readonly urgentBytes: number
  readonly number: number
}

export class NextSegment {
  readonly #input: NextSegmentInput
  /** Of the next file handed out. */
  #number: number
  #prepared: Prepared | undefined
  #preparing: Promise<void> | undefined
  #full = false
  /** After a failure nothing is tried for a while. */
  #resting: (() => void) | undefined
  #closed = false

  constructor(input: NextSegmentInput) {
    this.#input = input
    this.#number = input.number
  }

  get room(): JournalRoom {
    return this.#full ? 'reserve' : 'ample'
  }

  /** Begins to make the file, unless there is one, or one is being made, or that failed a moment ago. 'urgent': somebody may soon wait for it. */
  prepareAhead(why: 'ahead' | 'urgent'): void {
    const { disks } = this.#input
    if (this.#prepared !== undefined || this.#preparing !== undefined || this.#resting !== undefined || this.#closed || disks.readOnly)
      return
    const chosen = chooseDisks(disks.disks(), disks.copies, this.#number).map(({ disk }) => disk)
    if (chosen.length > 0) this.#preparing = this.#prepare(chosen, why === 'urgent' ? this.#input.urgentBytes : this.#input.segmentBytes)
  }

  /**
   * A file on as many of these disks as there should be copies. Waits for the one being made; adds copies that lack. Faults of disks are the caller's
   * to deal with; none at all: no disk is left.
   */
  async take(alive: readonly JournalDisk[]): Promise<Result<Prepared, PrepareFault[] | 'full'>> {
    await this.#preparing
    const number = this.#number
    const wanted = chooseDisks(alive, this.#input.disks.copies, number)
    if (wanted.length === 0) return fail([])
    const prepared = this.#prepared
    this.#prepared = undefined
    const usable = new Set<Disk>(alive.filter(({ set }) => set === wanted[0]!.set).map(({ disk }) => disk))
    const kept = prepared?.copies.filter(({ disk }) => usable.has(disk)) ?? []
    const dropped = prepared?.copies.filter(({ disk }) => !usable.has(disk)) ?? []
    await discardPrepared(number, dropped)
    const bytes = prepared?.bytes ?? this.#input.urgentBytes
    const lacking = wanted.map(({ disk }) => disk).filter((disk) => !kept.some((copy) => copy.disk === disk))
    const added = await this.#add(number, bytes, lacking.slice(0, Math.max(0, wanted.length - kept.length)))
    if (!added.ok) {
      if (kept.length > 0) this.#prepared = { number, bytes, copies: kept }
      return added
    }
    this.#number += 1
    return ok({ number, bytes, copies: [...kept, ...added.value] })
  }

  /** Whether the file of this number on this disk is, or is to be, the next segment. */
  holds(number: number, disk: Disk): boolean {
    return number === this.#number && (this.#prepared?.copies.some((copy) => copy.disk === disk) ?? false)
  }

  /** Resolves when nothing is being made. */
  async idle(): Promise<void> {
    await this.#preparing
  }

  close(): void {
    this.#closed = true
    this.#resting?.()
    for (const { file } of this.#prepared?.copies ?? []) file.close()
    this.#prepared = undefined
  }

  async #prepare(disks: readonly Disk[], bytes: number): Promise<void> {
    const number = this.#number
    const made = await prepareSegment(number, bytes, disks)
    this.#preparing = undefined
    if (!made.ok) this.#failed(made.error)
    else if (this.#closed) closeAll(made.value)
    else {
      this.#full = false
      this.#prepared = { number, bytes, copies: made.value }
    }
  }

  async #add(number: number, bytes: number, disks: readonly Disk[]): Promise<Result<PreparedCopy[], PrepareFault[] | 'full'>> {
    if (disks.length === 0) return ok([])
    if (this.#full && this.#resting !== undefined) return fail('full')
    const added = await prepareSegment(number, bytes, disks)
    if (added.ok) return added
    this.#failed(added.error)
    const faults = added.error.filter((fault) => !this.#isForWantOfSpace(fault))
    return fail(faults.length > 0 ? faults : 'full')
  }

  /** A successor that is full has failed: nobody waits until it has room. */
  #isForWantOfSpace({ disk, fault }: PrepareFault): boolean {
    return fault === 'full' && this.#input.disks.disks().find((other) => other.disk === disk)?.follows === undefined
  }

  #failed(faults: readonly PrepareFault[]): void {
    this.#full = faults.some((fault) => this.#isForWantOfSpace(fault))
    if (this.#closed) return
    this.#resting?.()
    this.#resting = this.#input.clock.timer(RETRY_MS, () => {
      this.#resting = undefined
      // Room may come from outside, and nothing else may ask while writes are refused.
      if (this.#full) this.prepareAhead('ahead')
    })
  }
}

function closeAll(copies: readonly PreparedCopy[]): void {
  for (const { file } of copies) file.close()
}
