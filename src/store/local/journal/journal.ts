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
import type { Clock } from '../../../environment.ts'
import { done, fail, ok, type Result } from '../../../result.ts'
import { hexOf, loadXxh64, type Xxh64 } from './checksum.ts'
import { copySegment, isWholeCopy } from './copy-segment.ts'
import { entryOf, readSegment } from './entries.ts'
import { chooseDisks, type JournalDisk, type JournalDisks, putOutFailed } from './journal-disks.ts'
import { Lock } from './lock.ts'
import { NextSegment } from './next-segment.ts'
import { discardPrepared, type Prepared, type PreparedCopy } from './prepare.ts'
import { JournalReader } from './reader.ts'
import { type Recovered, recoverJournal, type Seen } from './recover.ts'
import { Arena, Reservation } from './reservation.ts'
import { JOURNAL_FOLDER, newSegment, noteMark, type Segment, segmentFile, segmentOfName } from './segment.ts'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-header.ts'
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
  /** What index and SITE have seen; `{ sequence: 0 }` if they know nothing. */
  readonly seen: Seen
  /** An operator decided to go on although the disks hold less than was seen. */
  readonly acceptOlder?: boolean
  readonly options?: JournalOptions
}

/** The segment that is being written. */
type Current = { readonly segment: Segment; readonly copies: readonly PreparedCopy[] }

const SEGMENT_BYTES = 64 * 1024 * 1024
const URGENT_BYTES = 16 * 1024 * 1024
/** With less room than this a batch begins a new segment, if there is one to be had. */
const ROLL_BELOW_BYTES = 64 * 1024
/** With less room than this not even a delete is tried. */
const ROOM_BYTES_MIN = 4096
/** Each turn of a roll puts out a disk or ends; more turns than disks is a fault of ours. */
const ROLL_TURNS_MAX = 2048

export class Journal {
  /** Of this thread. */
  readonly reader: JournalReader
  readonly #disks: JournalDisks
  readonly #xxh64: Xxh64
  readonly #segments: Segment[]
  readonly #next: NextSegment
  readonly #batchBytesMax: number
  readonly #lock = new Lock()
  #current: Current | undefined
  #reservation: Reservation | undefined
  #arena = new Arena()
  #lastClock: number
  /** What did not fit into the last batch for want of room in the segment. */
  #wantedBytes = 0
  /** The disks for which it was tried to have more copies. */
  #grownFor: readonly JournalDisk[] | undefined
  #closed = false

  private constructor(input: JournalInput, recovered: Recovered, xxh64: Xxh64) {
    const segmentBytes = input.options?.segmentBytes ?? SEGMENT_BYTES
    const urgentBytes = Math.min(input.options?.urgentBytes ?? URGENT_BYTES, segmentBytes)
    this.#disks = input.disks
    this.#xxh64 = xxh64
    this.#segments = recovered.segments
    this.#lastClock = recovered.lastClock
    this.#batchBytesMax = Math.min(BATCH_BYTES_MAX, urgentBytes - SEGMENT_HEADER_BYTES)
    this.#next = new NextSegment({ disks: input.disks, clock: input.clock, segmentBytes, urgentBytes, number: recovered.nextNumber })
    this.reader = new JournalReader({
      xxh64,
      disks: () => this.#disksIn(),
      reportFault: (disk, fault) => void this.#putOut([{ disk, reason: `the journal could not be read: ${fault}` }]),
      reportBadCopy: (disk, number) => void this.#findSegment(number)?.holders.delete(disk),
    })
  }

  /**
   * Finds the longest valid chain on the disks that are in, makes the copies of its last segment whole and equal, and only then answers. Changes nothing
   * if it refuses. With a pool that is read-only nothing is written, and `begin` answers 'unavailable'.
   */
  static async recover(input: JournalInput): Promise<Result<Journal, JournalFault>> {
    const xxh64 = input.options?.xxh64 ?? (await loadXxh64())
    const { disks, seen } = input
    const recovered = await recoverJournal({ disks, xxh64, seen, acceptOlder: input.acceptOlder === true })
    if (!recovered.ok) return recovered
    const journal = new Journal(input, recovered.value, xxh64)
    const newest = recovered.value.segments.at(-1)
    if (newest !== undefined && recovered.value.continues) await journal.#continue(newest)
    journal.#next.prepareAhead()
    return ok(journal)
  }

  /** Sequence of the next record that is appended; 1 in an empty journal. All below are durable. */
  get nextSequence(): number {
    return (this.#segments.at(-1)?.lastSequence ?? 0) + 1
  }

  /** Greatest clock in any record, 0 if there is none. */
  get lastClock(): number {
    return this.#lastClock
  }

  /** The checksum of the last record (16 hexadecimal digits): store it with the applied sequence and give both to `recover` as `seen`. */
  get lastChain(): string {
    return hexOf(this.#segments.at(-1)?.lastChain ?? 0n)
  }

  get room(): JournalRoom {
    return this.#next.room
  }

  /** Waits while another batch is under way. */
  async begin(): Promise<Result<Reservation, 'unavailable' | 'full'>> {
    const release = await this.#lock.take()
    const current = await this.#ready()
    if (!current.ok) {
      release()
      return current
    }
    const { segment } = current.value
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
    const appended = batch.count === 0 ? done : await this.#append(batch)
    batch.release()
    return appended
  }

  /** Durable records from `from` to `to` (inclusive; the newest at the time of the call), ascending. After a fault nothing more comes. */
  async *entries(
    from: number,
    to: number | undefined,
    options: { readonly bodies: boolean },
  ): AsyncGenerator<Result<JournalEntry, JournalFault>> {
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, this.nextSequence - 1)
    for (const segment of [...this.#segments]) {
      const { firstSequence } = segment.header
      if (segment.lastSequence < from || firstSequence > last) continue
      const range = { from: Math.max(from, firstSequence), to: Math.min(last, segment.lastSequence) }
      const read = { segment, ...range, ...options, disks: this.#holders(segment), xxh64: this.#xxh64 }
      for await (const found of readSegment(read)) {
        yield found.ok ? ok(entryOf(segment, found.value)) : found
        if (!found.ok) return
      }
    }
  }

  segments(): SegmentInfo[] {
    return this.#segments.map((segment) => ({
      number: segment.header.number,
      state: segment === this.#current?.segment ? 'open' : 'closed',
      firstSequence: segment.header.firstSequence,
      lastSequence: segment.lastSequence,
      bytes: segment.end,
      directories: this.#holders(segment).map(({ directory }) => directory),
    }))
  }

  /**
   * Makes again as many copies of each segment as there should be, as far as the disk can help: for one that is healing; pass it when the pool says so.
   * Removes from it what belongs to no segment, checks the copies it has, and reads back those it gets. `unavailable`: the disk failed, or too few others can
   * be read.
   */
  copySegments(to: JournalDisk, progress: (doneBytes: number, totalBytes: number) => void): Promise<Result<void, JournalFault>> {
    return this.#copySegments(to, { verify: true }, progress)
  }

  /**
   * As copySegments, for every disk that is in. To be called after the start, when files may be missing and leftovers lie about; with `verify` it reads all
   * copies through and replaces bad ones: the scrub of the journal, and what to do when disks may have come back old.
   */
  async restoreCopies(
    options: { readonly verify: boolean },
    progress: (doneBytes: number, totalBytes: number) => void,
  ): Promise<Result<void, JournalFault>> {
    for (const disk of this.#disks.disks()) {
      if (disk.healing) continue
      const restored = await this.#copySegments(disk, options, progress)
      if (!restored.ok) return restored
    }
    return done
  }

  /** Nothing may be called afterwards. A batch under way is lost or not. */
  close(): void {
    this.#closed = true
    this.#leaveCurrent()
    this.#next.close()
    this.reader.close()
  }

  async #copySegments(
    to: JournalDisk,
    options: { readonly verify: boolean },
    progress: (doneBytes: number, totalBytes: number) => void,
  ): Promise<Result<void, JournalFault>> {
    const begun = await this.#locked(() => this.#welcome(to))
    if (!begun.ok) return fail({ kind: begun.error })
    const looked = new Set<Segment>()
    let doneBytes = 0
    const rest = (): Segment[] => this.#segments.filter((segment) => segment !== this.#current?.segment && !looked.has(segment))
    for (let segments = rest(); segments.length > 0; segments = rest()) {
      const totalBytes = doneBytes + segments.reduce((sum, { end }) => sum + end, 0)
      for (const segment of segments) {
        looked.add(segment)
        const helped = await this.#copyTo(to, segment, options)
        if (!helped.ok) return helped
        doneBytes += segment.end
        progress(doneBytes, totalBytes)
      }
    }
    return done
  }

  // ---- Appending ----

  async #append(batch: Reservation): Promise<Result<void, 'moved' | 'unavailable' | 'full'>> {
    const { segment, copies } = this.#current!
    const { offset, pieces, end, chain, clock } = batch.encode()
    const written = await Promise.all(copies.map(({ file }) => file.write(offset, pieces)))
    if (written.every((write) => write.ok)) {
      noteMark(segment, batch.firstSequence, offset)
      segment.end = end
      segment.lastSequence = batch.nextSequence - 1
      segment.lastChain = chain
      this.#lastClock = Math.max(this.#lastClock, clock)
      return done
    }
    this.#leaveCurrent()
    // A write that timed out may still read from the old one.
    this.#arena = new Arena()
    const out = await this.#putOutFailing(copies, written)
    if (!out) return fail('unavailable')
    const rolled = await this.#roll()
    return rolled.ok ? fail('moved') : rolled
  }

  /** A segment with room for a batch. */
  async #ready(): Promise<Result<Current, 'unavailable' | 'full'>> {
    if (this.#closed || this.#disks.readOnly) return fail('unavailable')
    this.#next.prepareAhead()
    const current = this.#current
    const wantedBytes = this.#wantedBytes
    this.#wantedBytes = 0
    if (current !== undefined && this.#isUsable(current)) {
      const room = current.segment.header.bytes - current.segment.end
      const should = room < Math.max(wantedBytes, Math.min(ROLL_BELOW_BYTES, this.#batchBytesMax / 8)) || this.#couldGrow(current)
      if (!should) return ok(current)
      const rolled = await this.#roll()
      // On a full disk what is left serves those that need less.
      if (!rolled.ok && (rolled.error === 'unavailable' || wantedBytes > room || room < ROOM_BYTES_MIN)) return rolled
    } else {
      this.#leaveCurrent()
      const rolled = await this.#roll()
      if (!rolled.ok) return rolled
    }
    return this.#current === undefined ? fail('unavailable') : ok(this.#current)
  }

  #isUsable({ copies }: Current): boolean {
    const disks = this.#disks.disks()
    return copies.every(({ disk }) => disk.failed === undefined && disks.some((other) => other.disk === disk))
  }

  /** Whether more copies could be had than the segment has; asked once for each change of the disks. */
  #couldGrow({ segment, copies }: Current): boolean {
    const disks = this.#disks.disks()
    if (this.#grownFor === disks) return false
    this.#grownFor = disks
    return chooseDisks(disks, this.#disks.copies, segment.header.number).length > copies.length
  }

  // ---- Segments ----

  /** Begins a new segment on working disks. */
  async #roll(): Promise<Result<void, 'unavailable' | 'full'>> {
    for (let turn = 0; turn < ROLL_TURNS_MAX && !this.#closed && !this.#disks.readOnly; turn++) {
      const alive = await this.#alive()
      if (alive === undefined) return fail('unavailable')
      const taken = await this.#next.take(alive)
      if (!taken.ok) {
        if (taken.error === 'full') return fail('full')
        const failed = taken.error.map(({ disk, fault }) => ({ disk, reason: `the journal's next segment could not be made: ${fault}` }))
        if (failed.length === 0 || !(await this.#putOut(failed))) return fail('unavailable')
        continue
      }
      const begun = await this.#beginSegment(taken.value)
      if (begun === 'retry') continue
      return begun === 'begun' ? done : fail(begun)
    }
    return fail('unavailable')
  }

  /** Asks each disk whether it is still there; puts out those that are not. Undefined if that is not possible. */
  async #alive(): Promise<JournalDisk[] | undefined> {
    const disks = this.#disks.disks()
    const checks = await Promise.all(disks.map(({ disk }) => disk.check()))
    const failed = disks.filter((_, index) => !checks[index]!.ok)
    if (failed.length > 0 && !(await this.#putOut(failed.map(({ disk }) => ({ disk, reason: 'it is not there any more' })))))
      return undefined
    return this.#disks.disks().filter(({ disk }) => disks.some((other, index) => other.disk === disk && checks[index]!.ok))
  }

  async #beginSegment({ number, bytes, copies }: Prepared): Promise<'begun' | 'retry' | 'unavailable' | 'full'> {
    const last = this.#segments.at(-1)
    const listed = this.#disks.disks()
    const ids = copies.map((copy) => listed.find(({ disk }) => disk === copy.disk)?.diskId)
    if (ids.includes(undefined)) {
      await discardPrepared(number, copies)
      return 'retry'
    }
    const header = {
      number,
      pool: this.#disks.poolId,
      generation: this.#disks.generation,
      firstSequence: this.nextSequence,
      clock: this.#lastClock,
      previous: last?.header.number ?? 0,
      previousEnd: last?.end ?? 0,
      previousChain: last?.lastChain ?? 0n,
      bytes,
      disks: ids as string[],
    }
    const encoded = encodeSegmentHeader(header, this.#xxh64)
    // From the first header on, wherever it lands, the segment before ends where it says, even if the new one comes to nothing.
    this.#leaveCurrent()
    const written = await Promise.all(copies.map(({ file }) => file.write(0, [encoded.bytes])))
    if (!written.every((write) => write.ok)) {
      const out = await this.#putOutFailing(copies, written)
      await discardPrepared(number, copies)
      if (!out) return 'unavailable'
      return written.every((write) => write.ok || write.error === 'full') ? 'full' : 'retry'
    }
    const segment = newSegment(
      header,
      encoded.seed,
      copies.map(({ disk }) => disk),
    )
    this.#segments.push(segment)
    this.#current = { segment, copies }
    this.#next.prepareAhead()
    return 'begun'
  }

  /** Opens the last segment for more records. If that fails, the first batch begins another. */
  async #continue(segment: Segment): Promise<void> {
    const copies: PreparedCopy[] = []
    for (const disk of segment.holders) {
      const file = await disk.open(segmentFile(segment.header.number), { mode: 'write', lane: 'journal', dsync: true })
      if (file.ok) copies.push({ disk, file: file.value })
    }
    this.#current = { segment, copies }
    if (copies.length < segment.holders.size) this.#leaveCurrent()
  }

  #leaveCurrent(): void {
    for (const { file } of this.#current?.copies ?? []) file.close()
    this.#current = undefined
  }

  // ---- Copies ----

  /** Removes from the disk what belongs to no segment, and lets the current segment have a copy there if it has too few. */
  async #welcome(to: JournalDisk): Promise<Result<void, 'unavailable' | 'full'>> {
    await this.#next.idle()
    const made = await to.disk.makeFolder(JOURNAL_FOLDER)
    const names = made.ok ? await to.disk.list(JOURNAL_FOLDER) : made
    if (!names.ok) return fail('unavailable')
    for (const number of names.value.map(segmentOfName)) {
      if (number === undefined || this.#next.holds(number, to.disk)) continue
      if (this.#findSegment(number)?.holders.has(to.disk)) continue
      const removed = await to.disk.remove(segmentFile(number))
      if (!removed.ok && removed.error !== 'not-found') return fail('unavailable')
    }
    const synced = await to.disk.syncFolder(JOURNAL_FOLDER)
    if (!synced.ok) return fail('unavailable')
    if (this.nextSequence === 1 || this.#current?.copies.some(({ disk }) => disk === to.disk)) return done
    const ready = await this.#ready()
    return ready.ok ? done : ready
  }

  async #copyTo(to: JournalDisk, segment: Segment, { verify }: { readonly verify: boolean }): Promise<Result<void, JournalFault>> {
    if (segment.holders.has(to.disk)) {
      if (!verify || (await isWholeCopy(segment, to.disk, this.#xxh64))) return done
      segment.holders.delete(to.disk)
    }
    const others = this.#holders(segment)
    const inDisks = this.#disks.disks().filter(({ healing }) => !healing)
    const held = inDisks.filter(({ disk }) => segment.holders.has(disk)).length
    if (held >= Math.min(this.#disks.copies, inDisks.length + (to.healing ? 1 : 0))) return done
    const copied = await copySegment({ segment, to: to.disk, from: others, xxh64: this.#xxh64, onBytes: () => {} })
    if (copied.ok) {
      segment.holders.add(to.disk)
      return done
    }
    if (copied.error.kind !== 'disk') return fail(copied.error)
    return fail({ kind: copied.error.fault === 'full' ? 'full' : 'unavailable' })
  }

  /** Disks with a copy, as far as they are there now. */
  #holders(segment: Segment): Disk[] {
    const disks = this.#disks.disks()
    return [...segment.holders].filter((disk) => disks.some((other) => other.disk === disk))
  }

  #findSegment(number: number): Segment | undefined {
    return this.#segments.findLast(({ header }) => header.number === number)
  }

  #disksIn(): Disk[] {
    return this.#disks
      .disks()
      .filter(({ healing }) => !healing)
      .map(({ disk }) => disk)
  }

  // ---- Faults ----

  /** Puts out the disks of the writes that failed; a full one is not at fault. False if that was not possible. */
  async #putOutFailing(copies: readonly PreparedCopy[], written: readonly Result<void, string>[]): Promise<boolean> {
    const failed = copies.flatMap(({ disk }, index) => {
      const write = written[index]!
      return write.ok || write.error === 'full' ? [] : [{ disk, reason: `the journal could not be written: ${write.error}` }]
    })
    return failed.length === 0 || this.#putOut(failed)
  }

  async #putOut(failed: readonly { readonly disk: Disk; readonly reason: string }[]): Promise<boolean> {
    const disks = this.#disks.disks()
    const known = failed.flatMap(({ disk, reason }) =>
      disks.filter((other) => other.disk === disk).map((found) => ({ disk: found, reason })),
    )
    // Somebody else may have put it out meanwhile.
    return known.length === 0 || (await putOutFailed(this.#disks, known)).ok
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const release = await this.#lock.take()
    try {
      return await work()
    } finally {
      release()
    }
  }
}
