/**
 * The end of the journal: the segment that is being written and what it takes to begin the next one on working disks. One caller at a time, except for
 * what says otherwise.
 */
import type { Disk, DiskFault } from '../../../disks/disk.ts'
import { IS_FULL } from '../../../disks/pool-words.ts'
import type { Clock } from '../../../environment.ts'
import { done, fail, ok, type Result } from '../../../result.ts'
import type { Xxh64 } from './checksum.ts'
import { chooseDisks, type JournalDisk, type JournalDisks, putOutFailed } from './journal-disks.ts'
import { NextSegment } from './next-segment.ts'
import { discardPrepared, type Prepared, type PreparedCopy } from './prepare.ts'
import type { Recovered } from './recover.ts'
import type { BatchWrite } from './reservation.ts'
import { newSegment, noteMark, type Segment, segmentFile } from './segment.ts'
import { encodeSegmentHeader } from './segment-header.ts'

/** The segment that is being written. */
type Current = { readonly segment: Segment; readonly copies: readonly PreparedCopy[] }

export type SegmentWriterInput = {
  readonly disks: JournalDisks
  readonly clock: Clock
  readonly xxh64: Xxh64
  readonly recovered: Recovered
  readonly segmentBytes: number
  readonly urgentBytes: number
}

/** With less room than this a batch begins a new segment, if there is one to be had. */
const ROLL_BELOW_BYTES = 64 * 1024
/** With less room than this not even a delete is tried. */
const ROOM_BYTES_MIN = 4096
/** Each turn of a roll puts out a disk or ends; more turns than disks is a fault of ours. */
const ROLL_TURNS_MAX = 2048

export class SegmentWriter {
  /** The whole chain, ascending; the last one is written, or was. */
  readonly segments: Segment[]
  readonly next: NextSegment
  lastClock: number
  readonly #disks: JournalDisks
  readonly #xxh64: Xxh64
  #current: Current | undefined
  /** The disks for which it was tried to have more copies. */
  #grownFor: readonly JournalDisk[] | undefined
  #closed = false

  constructor(input: SegmentWriterInput) {
    const { disks, clock, segmentBytes, urgentBytes, recovered } = input
    this.segments = recovered.segments
    this.lastClock = recovered.lastClock
    this.next = new NextSegment({ disks, clock, segmentBytes, urgentBytes, number: recovered.nextNumber })
    this.#disks = disks
    this.#xxh64 = input.xxh64
  }

  get nextSequence(): number {
    return (this.segments.at(-1)?.lastSequence ?? 0) + 1
  }

  /** The segment that is being written, if any. */
  get open(): Segment | undefined {
    return this.#current?.segment
  }

  /** Whether the segment that is being written has a copy on the disk. */
  writesTo(disk: Disk): boolean {
    return this.#current?.copies.some((copy) => copy.disk === disk) ?? false
  }

  /** Whether the segment that is being written could have more copies than it has. */
  get lacksCopies(): boolean {
    return this.#current !== undefined && this.#copiesMax(this.#current.segment) > this.#current.copies.length
  }

  /** Lets the next `ready` try for more copies, also if it has tried with these disks before: they may have room by now. */
  growAgain(): void {
    this.#grownFor = undefined
  }

  /** Opens the last segment for more records, and begins to make the next. If that fails, the first batch begins another. */
  async begin({ continues }: { readonly continues: boolean }): Promise<void> {
    const segment = this.segments.at(-1)
    if (segment !== undefined && continues) await this.#continue(segment)
    this.next.prepareAhead(this.#current === undefined ? 'urgent' : 'ahead')
  }

  /** A segment with at least so much room, or as much as there can be. */
  async ready(wantedBytes: number, batchBytesMax: number): Promise<Result<Segment, 'unavailable' | 'full'>> {
    if (this.#closed || this.#disks.readOnly) return fail('unavailable')
    this.next.prepareAhead('ahead')
    const current = this.#current
    if (current !== undefined && this.#isUsable(current)) {
      const room = current.segment.header.bytes - current.segment.end
      const should = room < Math.max(wantedBytes, Math.min(ROLL_BELOW_BYTES, batchBytesMax / 8)) || this.#couldGrow(current)
      if (!should) return ok(current.segment)
      const rolled = await this.#roll()
      // On a full disk what is left serves those that need less.
      if (!rolled.ok && (rolled.error === 'unavailable' || wantedBytes > room || room < ROOM_BYTES_MIN)) return rolled
    } else {
      this.#leaveCurrent()
      const rolled = await this.#roll()
      if (!rolled.ok) return rolled
    }
    return this.#current === undefined ? fail('unavailable') : ok(this.#current.segment)
  }

  /** Begins another segment, so that the one being written is closed; false if that is not possible now. */
  async closeSegment(): Promise<boolean> {
    return !this.#closed && !this.#disks.readOnly && (await this.#roll()).ok
  }

  /** Ends the segment that is being written, or was, where it has got to. */
  async endSegment(): Promise<void> {
    this.#leaveCurrent()
    await this.#roll()
  }

  /** Writes a batch to every copy of the open segment. If one fails, the segment ends before the batch, and another has begun ('moved'). */
  async write(
    batch: BatchWrite & { readonly firstSequence: number; readonly count: number },
  ): Promise<Result<void, 'moved' | 'unavailable' | 'full'>> {
    const { segment, copies } = this.#current!
    const written = await Promise.all(copies.map(({ file }) => file.write(batch.offset, batch.pieces)))
    if (written.every((write) => write.ok)) {
      noteMark(segment, batch.firstSequence, batch.offset)
      segment.end = batch.end
      segment.lastSequence = batch.firstSequence + batch.count - 1
      segment.lastChain = batch.chain
      this.lastClock = Math.max(this.lastClock, batch.clock)
      return done
    }
    this.#leaveCurrent()
    const out = await this.#putOutFailing(copies, written)
    if (!out) return fail('unavailable')
    const rolled = await this.#roll()
    return rolled.ok ? fail('moved') : rolled
  }

  /** Puts out disks that are still there; false if that is not possible. At any time. */
  async putOut(failed: readonly { readonly disk: Disk; readonly reason: string }[]): Promise<boolean> {
    const disks = this.#disks.disks()
    const known = failed.flatMap(({ disk, reason }) =>
      disks.filter((other) => other.disk === disk).map((found) => ({ disk: found, reason })),
    )
    // Somebody else may have put it out meanwhile.
    return known.length === 0 || (await putOutFailed(this.#disks, known)).ok
  }

  close(): void {
    this.#closed = true
    this.#leaveCurrent()
    this.next.close()
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
    return this.#copiesMax(segment) > copies.length
  }

  #copiesMax({ header }: Segment): number {
    return chooseDisks(this.#disks.disks(), this.#disks.copies, header.number).length
  }

  /** Begins a new segment on working disks. */
  async #roll(): Promise<Result<void, 'unavailable' | 'full'>> {
    for (let turn = 0; turn < ROLL_TURNS_MAX && !this.#closed && !this.#disks.readOnly; turn++) {
      const alive = await this.#alive()
      if (alive === undefined) return fail('unavailable')
      const taken = await this.next.take(alive)
      if (!taken.ok) {
        if (taken.error === 'full') return fail('full')
        const failed = taken.error.map(({ disk, fault }) => {
          return { disk, reason: fault === 'full' ? IS_FULL : `the journal's next segment could not be made: ${fault}` }
        })
        if (failed.length === 0 || !(await this.putOut(failed))) return fail('unavailable')
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
    if (failed.length > 0 && !(await this.putOut(failed.map(({ disk }) => ({ disk, reason: 'it is not there any more' })))))
      return undefined
    // Meanwhile too many may have been lost: those that are left are too few for a segment.
    if (this.#disks.readOnly) return undefined
    return this.#disks.disks().filter(({ disk }) => disks.some((other, index) => other.disk === disk && checks[index]!.ok))
  }

  async #beginSegment({ number, bytes, copies }: Prepared): Promise<'begun' | 'retry' | 'unavailable' | 'full'> {
    const last = this.segments.at(-1)
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
      clock: this.lastClock,
      previous: last?.header.number ?? 0,
      previousEnd: last?.end ?? 0,
      previousChain: last?.lastChain ?? 0n,
      bytes,
      disks: ids as string[],
    }
    const encoded = encodeSegmentHeader(header, this.#xxh64)
    // From the first header on, wherever it lands, the segment before ends where it says, even if the new one comes to nothing.
    this.#leaveCurrent()
    const written = await Promise.all(copies.map((copy) => writeHeader(copy, number, encoded.bytes)))
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
    this.segments.push(segment)
    this.#current = { segment, copies }
    this.next.prepareAhead('ahead')
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

  /** Puts out the disks of the writes that failed; a full one is not at fault. False if that was not possible. */
  async #putOutFailing(copies: readonly PreparedCopy[], written: readonly Result<void, string>[]): Promise<boolean> {
    const failed = copies.flatMap(({ disk }, index) => {
      const write = written[index]!
      return write.ok || write.error === 'full' ? [] : [{ disk, reason: `the journal could not be written: ${write.error}` }]
    })
    return failed.length === 0 || this.putOut(failed)
  }
}

/** Writes the header and reads it back by path: a file that was removed meanwhile would take every write. */
async function writeHeader({ disk, file }: PreparedCopy, number: number, header: Uint8Array): Promise<Result<void, DiskFault>> {
  const written = await file.write(0, [header])
  if (!written.ok) return written
  const byPath = await disk.open(segmentFile(number), { mode: 'read', lane: 'journal' })
  if (!byPath.ok) return byPath
  const read = await byPath.value.read(0, header.length)
  byPath.value.close()
  if (!read.ok) return read
  return Buffer.compare(read.value, header) === 0 ? done : fail('io')
}
