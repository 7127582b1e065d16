/**
 * The journal: one append-only chain of records, copied onto c = min(m + 1, disks in) disks. Format: docs/formats.md#journal-segment.
 *
 * How the committer uses it (one batch at a time):
 *
 *   const begun = await journal.begin()                        // rolls to a fresh segment first if need be
 *   if (!begun.ok) …                                           // 'unavailable' | 'full'
 *   const batch: Reservation = begun.value
 *   for each request:
 *     decide …                                                 // the record's sequence will be batch.nextSequence
 *     if (!batch.fits(records)) break                          // decide that request again in the next batch; if batch.count is 0: batch.cancel()
 *     const { sequence, place } = batch.add(record)            // synchronous; `place` is final unless append answers 'moved'
 *     apply(transaction, record, place)
 *   const appended = await journal.append(batch)
 *   ok            durable on every copy: commit, acknowledge
 *   'moved'       abort the transaction, begin() again and decide anew: same sequences, other places
 *   'unavailable', 'full'    abort the transaction, refuse the requests; begin() may work again later
 *
 * What it holds to:
 * - A sequence is given out again only if its record was never acknowledged. A batch is on every copy before the next one begins.
 * - A copy whose write failed is never written again: its disk is put out first, then the batch goes whole to a new segment on working disks, whose header
 *   states where the old one ended.
 * - A segment's disks were alive (`check`) just before it began.
 *
 * A batch never spans segments and is recovered whole or not at all, so that requests with several records are atomic. `fits` turns false at 256 records,
 * 8 MiB or the end of the segment; an empty batch after the next begin() has room for any record within the limits in terms.ts.
 */
import assert from 'node:assert/strict'
import type { Disk } from '../../../disks/disk.ts'
import type { Pace } from '../../../disks/extents.ts'
import type { Clock } from '../../../environment.ts'
import { Lock } from '../../../lock.ts'
import { done, fail, ok, type Result } from '../../../result.ts'
import { hexOf, loadXxh64, type Xxh64 } from './checksum.ts'
import { isWholeCopy } from './copy-segment.ts'
import { entryOf, readSegment } from './entries.ts'
import { holdersNow, type JournalDisk, type JournalDisks } from './journal-disks.ts'
import { JournalReader } from './reader.ts'
import { type FoundJournal, lookAtChain, type Recovered, recoverJournal, type Seen } from './recover.ts'
import { Arena, Reservation } from './reservation.ts'
import { type CopyProgress, lacksCopy, removeLeftovers, restoreCopiesOn, segmentsOn } from './restore-copies.ts'
import { type CopyCheck, scrubSegment } from './scrub-segment.ts'
import type { Segment } from './segment.ts'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'
import { SegmentWriter } from './segment-writer.ts'
import { BATCH_BYTES_MAX, type JournalEntry, type JournalFault, type JournalRoom, type SegmentInfo } from './terms.ts'

export type JournalOptions = {
  /** Size of a segment; 64 MiB unless given. */
  readonly segmentBytes?: number
  /** Size of a segment that somebody waits for; 16 MiB unless given. Bounds the batch. */
  readonly urgentBytes?: number
  /** From `loadXxh64`, if it was called already: loading is work outside of simulated time. */
  readonly xxh64?: Xxh64
}

export type JournalInput = {
  readonly disks: JournalDisks
  readonly clock: Clock
  readonly options?: JournalOptions
}

export type Recovery = {
  /** What index and SITE have seen; `{ sequence: 0 }` if they know nothing. */
  readonly seen: Seen
  /** An operator decided to go on although the disks hold less than was seen: with anything, or with what holds this. */
  readonly accepts?: Seen | 'anything'
  /** Called with what was found, before anything is written: a fault refuses it. */
  readonly examine?: (found: FoundJournal) => Promise<Result<unknown, JournalFault>>
  /** Lets the pool be written; called when it is known that the disks hold what was seen. Without it a read-only pool is read as it is. */
  readonly begin?: () => Promise<Result<unknown, unknown>>
}

/** While a successor is given what it lacks, segments end, and may be begun without it where disks change. */
const HAND_OVERS_MAX = 8
const SEGMENT_BYTES = 64 * 1024 * 1024
const URGENT_BYTES = 16 * 1024 * 1024
/** What a journal that is not recovered knows. */
const NOTHING: Recovered = { segments: [], continues: false, lastClock: 0, nextNumber: 1, agrees: true }

export class Journal {
  /** Of this thread. */
  readonly reader: JournalReader
  readonly #disks: JournalDisks
  readonly #xxh64: Xxh64
  readonly #clock: Clock
  readonly #segmentBytes: number
  readonly #urgentBytes: number
  #writer: SegmentWriter
  /** Until then nothing that is on the disks belongs to any segment that is known: nothing may be written, nor removed. */
  #isRecovered = false
  readonly #lock = new Lock()
  /** Held while a copy of a closed segment is made or mended. */
  readonly #copying = new Lock()
  #reservation: Reservation | undefined
  #arena = new Arena()
  /** What did not fit into the last batch for want of room in the segment. */
  #wantedBytes = 0

  private constructor({ disks, clock, options = {} }: JournalInput, xxh64: Xxh64) {
    this.#disks = disks
    this.#xxh64 = xxh64
    this.#clock = clock
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES
    this.#urgentBytes = Math.min(options.urgentBytes ?? URGENT_BYTES, this.#segmentBytes)
    this.#writer = this.#writerFor(NOTHING)
    this.reader = new JournalReader({
      xxh64,
      disks: () => disks.disks().flatMap(({ disk, healing }) => (healing ? [] : [disk])),
      reportFault: (disk, fault) => void this.#writer.putOut([{ disk, reason: `the journal could not be read: ${fault}` }]),
      reportBadCopy: (disk, number) => this.reportBadCopy(disk, number),
    })
  }

  /** Not recovered yet: bodies can be read by their places, and that is all. */
  static async open(input: JournalInput): Promise<Journal> {
    return new Journal(input, input.options?.xxh64 ?? (await loadXxh64()))
  }

  /** Opened and recovered. */
  static async recover(input: JournalInput & Recovery): Promise<Result<Journal, JournalFault>> {
    const journal = await Journal.open(input)
    const recovered = await journal.recover(input)
    if (recovered.ok) return ok(journal)
    journal.close()
    return recovered
  }

  /**
   * Finds the longest valid chain on the disks that are in, makes the copies of its last segment whole and equal, and only then answers. Changes nothing
   * if it refuses, and may then be asked again. With a pool that stays read-only nothing is written, and `begin` answers 'unavailable'.
   * `agrees`: false if it holds less than was seen, which an operator accepted.
   */
  async recover({ seen, accepts, examine, begin }: Recovery): Promise<Result<{ readonly agrees: boolean }, JournalFault>> {
    const more = { ...(examine && { examine }), ...(begin && { begin }) }
    const recovered = await recoverJournal({ disks: this.#disks, xxh64: this.#xxh64, seen, accepts, ...more })
    if (!recovered.ok) return recovered
    const writer = this.#writerFor(recovered.value)
    await writer.begin(recovered.value)
    this.#writer = writer
    this.#isRecovered = true
    return ok({ agrees: recovered.value.agrees })
  }

  /** Where the chain on the disks that are here ends. Writes nothing; for a journal that is not recovered. */
  lookAtChain(seen: Seen): ReturnType<typeof lookAtChain> {
    return lookAtChain({ disks: this.#disks, xxh64: this.#xxh64, seen, accepts: 'anything' })
  }

  #writerFor(recovered: Recovered): SegmentWriter {
    const sizes = { segmentBytes: this.#segmentBytes, urgentBytes: this.#urgentBytes }
    return new SegmentWriter({ disks: this.#disks, clock: this.#clock, xxh64: this.#xxh64, recovered, ...sizes })
  }

  get #batchBytesMax(): number {
    return Math.min(BATCH_BYTES_MAX, this.#urgentBytes - SEGMENT_HEADER_BYTES)
  }

  /** Sequence of the next record that is appended; 1 in an empty journal. All below are durable. */
  get nextSequence(): number {
    return this.#writer.nextSequence
  }

  /** Greatest clock in any record, 0 if there is none. */
  get lastClock(): number {
    return this.#writer.lastClock
  }

  /** The checksum of the last record (16 hexadecimal digits): store it with the applied sequence and give both to `recover` as `seen`. */
  get lastChain(): string {
    return hexOf(this.#writer.segments.at(-1)?.lastChain ?? 0n)
  }

  get room(): JournalRoom {
    return this.#writer.next.room
  }

  /** Waits while another batch is under way. */
  async begin(): Promise<Result<Reservation, 'unavailable' | 'full'>> {
    if (!this.#isRecovered) return fail('unavailable')
    const release = await this.#lock.take()
    const ready = await this.#ready()
    if (!ready.ok) {
      release()
      return ready
    }
    const segment = ready.value
    const reservation = new Reservation({
      firstSequence: segment.lastSequence + 1,
      segment: segment.header.number,
      seed: segment.seed,
      chain: segment.lastChain,
      offset: segment.end,
      roomBytes: Math.min(this.#batchBytesMax, segment.header.bytes - segment.end),
      arena: this.#arena,
      xxh64: this.#xxh64,
      release: (wantedBytes) => {
        if (this.#reservation !== reservation) return
        this.#reservation = undefined
        this.#wantedBytes = wantedBytes
        release()
      },
    })
    this.#reservation = reservation
    return ok(reservation)
  }

  /** Writes the batch to every copy; ok: it is durable there. See the head of this file. */
  async append(batch: Reservation): Promise<Result<void, 'moved' | 'unavailable' | 'full'>> {
    assert(batch === this.#reservation, 'the batch is not the one under way')
    const { firstSequence, count } = batch
    const appended = count === 0 ? done : await this.#writer.write({ ...batch.encode(), firstSequence, count })
    // A write that timed out may still read from the old one.
    if (!appended.ok) this.#arena = new Arena()
    batch.release()
    return appended
  }

  /** Durable records from `from` to `to` (inclusive; the newest at the time of the call), ascending. After a fault nothing more comes. */
  async *entries(
    from: number,
    to: number | undefined,
    options: { readonly bodies: boolean },
  ): AsyncGenerator<Result<JournalEntry, JournalFault>> {
    if (!this.#isRecovered) {
      yield fail({ kind: 'unavailable' })
      return
    }
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, this.nextSequence - 1)
    for (const segment of [...this.#writer.segments]) {
      const { firstSequence } = segment.header
      if (segment.lastSequence < from || firstSequence > last) continue
      const range = { from: Math.max(from, firstSequence), to: Math.min(last, segment.lastSequence) }
      const read = { segment, ...range, ...options, disks: holdersNow(segment.holders, this.#disks), xxh64: this.#xxh64 }
      for await (const found of readSegment(read)) {
        yield found.ok ? ok(entryOf(segment, found.value)) : found
        if (!found.ok) return
      }
    }
  }

  segments(): SegmentInfo[] {
    return this.#writer.segments.map((segment) => ({
      number: segment.header.number,
      state: segment === this.#writer.open ? 'open' : 'closed',
      firstSequence: segment.header.firstSequence,
      lastSequence: segment.lastSequence,
      bytes: segment.end,
      directories: holdersNow(segment.holders, this.#disks).map(({ directory }) => directory),
    }))
  }

  /**
   * Makes again as many copies of each segment as there should be, as far as the disk can help: for one that is healing; pass it when the pool says so.
   * Removes from it what belongs to no segment, checks the copies it has, and reads back those it gets. `unavailable`: the disk failed, or too few others can
   * be read.
   */
  copySegments(to: JournalDisk, progress: CopyProgress): Promise<Result<void, JournalFault>> {
    return this.#copySegments(to, { verify: true }, progress)
  }

  /**
   * Lets a successor, that has all else, take the place of the disk that it follows (`take`; false: it could not), with the journal on it as there. Nothing is
   * appended meanwhile.
   */
  async handOver(to: JournalDisk, take: () => Promise<boolean>): Promise<Result<void, JournalFault>> {
    for (let turn = 0; turn < HAND_OVERS_MAX; turn++) {
      const copied = await this.#copyTo(to, { verify: false }, () => undefined)
      if (!copied.ok) return copied
      const release = await this.#lock.take()
      try {
        if (!this.#writer.segments.some(({ holders }) => lacksCopy({ to, disks: this.#disks }, holders)))
          return (await take()) ? done : fail({ kind: 'unavailable' })
        // The open one may have been begun before it came, or where disks changed; the next is on it, too, where it has to be.
        if (this.#writer.open !== undefined && !(await this.#writer.closeSegment())) return fail({ kind: 'unavailable' })
      } finally {
        release()
      }
    }
    return fail({ kind: 'unavailable' })
  }

  /**
   * As copySegments, for every disk that is in. To be called after the start, when files may be missing and leftovers lie about; with `verify` it reads all
   * copies through and replaces bad ones: the scrub of the journal, and what to do when disks may have come back old.
   */
  async restoreCopies(options: { readonly verify: boolean }, progress: CopyProgress): Promise<Result<void, JournalFault>> {
    for (const disk of this.#disks.disks()) {
      if (disk.healing) continue
      const restored = await this.#copySegments(disk, options, progress)
      if (!restored.ok) return restored
    }
    return done
  }

  /**
   * Reads every copy of a segment through, from the disks themselves, and mends or makes what is not whole. Undefined if there is no such segment.
   */
  async scrub(number: number, pace: Pace): Promise<CopyCheck[] | undefined> {
    const segment = this.#writer.segments.find(({ header }) => header.number === number)
    if (segment === undefined) return undefined
    const isOpen = (): boolean => segment === this.#writer.open
    const close = async (): Promise<boolean> => {
      const release = await this.#lock.take()
      const closed = !isOpen() || (await this.#writer.closeSegment())
      release()
      return closed
    }
    return scrubSegment({ segment, disks: this.#disks, xxh64: this.#xxh64, copying: this.#copying, pace, isOpen, close })
  }

  /** Some copy was reported bad and not yet mended. */
  get hasBadCopies(): boolean {
    return this.#writer.segments.some((segment) => segment.suspects.size > 0)
  }

  /** A reader, of any thread, met bad bytes: the next `restoreCopies` mends that copy. */
  reportBadCopy(disk: Disk, number: number): void {
    const segment = this.#writer.segments.find(({ header }) => header.number === number)
    if (segment?.holders.has(disk)) segment.suspects.add(disk)
  }

  /**
   * A disk that was away, opened anew, while nothing could be appended: its copies count again, unless that of its newest segment is not whole any more. What it
   * has beside them is removed: files that were being prepared. A batch that was being written when it went may be on it in part, and stays dead, for the next
   * one begins a segment whose header says where the one before ended. False if it is to be healed as any other.
   */
  async readmit(from: Disk, to: Disk): Promise<boolean> {
    if (!this.#isRecovered) return false
    const release = await this.#lock.take()
    try {
      const { segments, next } = this.#writer
      const known = heldBy(from, segments)
      // One that was healed may well hold none, as others have enough; what it does hold counts as far as it is whole.
      const held = known.length > 0 ? known : await segmentsOn(to, segments)
      if (held === undefined) return false
      const newest = held.findLast((segment) => segment.end > SEGMENT_HEADER_BYTES)
      if (newest !== undefined && !(await isWholeCopy(newest, to, this.#xxh64))) return false
      if (!(await removeLeftovers(to, held, next)).ok) return false
      for (const { holders, suspects } of held) {
        const wasHolder = holders.delete(from)
        const wasSuspect = suspects.delete(from)
        holders.add(to)
        if (wasSuspect || !wasHolder) suspects.add(to)
      }
      return true
    } finally {
      release()
    }
  }

  /**
   * Begins another segment, whose header says where the one before ended: a batch that was refused while disks were away, and is on some copies all the same,
   * cannot turn up any more. If that fails now, the next batch does it.
   */
  async endSegment(): Promise<void> {
    const release = await this.#lock.take()
    if (this.#isRecovered && this.nextSequence > 1) await this.#writer.endSegment()
    release()
  }

  /** Nothing may be called afterwards. A batch under way is lost or not. */
  close(): void {
    this.#writer.close()
    this.reader.close()
  }

  async #copySegments(
    to: JournalDisk,
    { verify }: { readonly verify: boolean },
    progress: CopyProgress,
  ): Promise<Result<void, JournalFault>> {
    if (!this.#isRecovered) return fail({ kind: 'unavailable' })
    const release = await this.#lock.take()
    const prepared = await this.#admit(to)
    release()
    if (!prepared.ok) return fail({ kind: prepared.error })
    return this.#copyTo(to, { verify }, progress)
  }

  #copyTo(to: JournalDisk, { verify }: { readonly verify: boolean }, progress: CopyProgress): Promise<Result<void, JournalFault>> {
    const closed = () => this.#writer.segments.filter((segment) => segment !== this.#writer.open)
    return restoreCopiesOn({ to, disks: this.#disks, closed, xxh64: this.#xxh64, copying: this.#copying, verify, progress })
  }

  /** Cleans the disk, and lets the open segment have a copy there if it has too few: then another begins. */
  async #admit(to: JournalDisk): Promise<Result<unknown, 'unavailable' | 'full'>> {
    const cleaned = await removeLeftovers(to.disk, heldBy(to.disk, this.#writer.segments), this.#writer.next)
    // A successor counts for nothing yet: it has what it must in the end (handOver).
    if (!cleaned.ok || to.follows !== undefined || this.nextSequence === 1 || this.#writer.writesTo(to.disk)) return cleaned
    this.#writer.growAgain()
    const ready = await this.#ready()
    // Where no other could begin, for want of space, what is in the open one would stay without its copy.
    return ready.ok && this.#writer.lacksCopies ? fail('full') : ready
  }

  #ready(): ReturnType<SegmentWriter['ready']> {
    const wantedBytes = this.#wantedBytes
    this.#wantedBytes = 0
    return this.#writer.ready(wantedBytes, this.#batchBytesMax)
  }
}

const heldBy = (disk: Disk, segments: readonly Segment[]): Segment[] => segments.filter(({ holders }) => holders.has(disk))
