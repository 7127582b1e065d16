/**
 * A run of stripes on its way from the client to the disks. Bytes are copied once, to where they lie in the files of their shards; coding fills in parity and
 * trailers around them; and what goes to a disk is a window of its shard's file that begins and ends at a page, so that it can be written directly.
 *
 * The bytes between the last page border and the end of a run are the beginning of the next window.
 */
import { Codec } from '../erasure/codec.ts'
import type { Seed } from '../erasure/coder.ts'
import { type Slab, SlabPool } from '../erasure/slabs.ts'
import { DIRECT_BYTES } from './disk.ts'
import { type Geometry, UNIT_BYTES } from './geometry.ts'
import type { Seat } from './run-room.ts'
import { Cut, RECORD_BYTES, recordOffset, SEAL_BYTES, SHARD_HEADER_BYTES, stripesPerRun } from './shard-file.ts'

export class GatheredRun {
  /** Of content. */
  bytes = 0
  readonly #k: number
  readonly #n: number
  readonly #slab: Slab
  readonly #seat: Seat
  readonly #memory: Uint8Array<ArrayBuffer>
  readonly #firstStripe: number
  /** Where the windows begin in the files. */
  readonly #offset: number
  readonly #roomBytes: number
  /** What each window holds, once coded. */
  readonly #ends: number[] = []

  /** The run from `stripe` on: of the first the windows begin with the shards' headers, of others with what the one before, coded, left over. */
  constructor(seat: Seat, geometry: Geometry, stripe: number, before: GatheredRun | readonly Uint8Array[]) {
    this.#seat = seat
    const { dataShards: k, parityShards: m } = geometry
    const stripes = stripesPerRun(k)
    this.#k = k
    this.#n = k + m
    this.#slab = SlabPool.for(k + m, DIRECT_BYTES + SHARD_HEADER_BYTES + stripes * RECORD_BYTES).take()
    this.#memory = this.#slab.memory
    this.#firstStripe = stripe
    this.#offset = stripe === 0 ? 0 : floorToPage(recordOffset(stripe))
    this.#roomBytes = stripes * k * UNIT_BYTES
    for (let shard = 0; shard < this.#n; shard++) {
      this.#memory.set(before instanceof GatheredRun ? before.#rest(shard) : before[shard]!, shard * this.#slab.slotBytes)
    }
  }

  get isFull(): boolean {
    return this.bytes === this.#roomBytes
  }

  /** Copies as much of the chunk as there is room for, and says how much. */
  add(chunk: Uint8Array): number {
    let taken = 0
    while (taken < chunk.length && this.bytes < this.#roomBytes) {
      const unit = Math.floor(this.bytes / UNIT_BYTES)
      const inUnit = this.bytes - unit * UNIT_BYTES
      const count = Math.min(chunk.length - taken, UNIT_BYTES - inUnit)
      const piece = count === chunk.length ? chunk : chunk.subarray(taken, taken + count)
      this.#memory.set(piece, this.#unitAt(Math.floor(unit / this.#k), unit % this.#k) + inUnit)
      taken += count
      this.bytes += count
    }
    return taken
  }

  /** Makes parity and trailers. `seed`: of a shard's unit. A run that is not full is the last. */
  code(seed: (shard: number, stripe: number) => Seed): void {
    const cut = new Cut(this.#k, this.bytes)
    const codec = Codec.for(this.#k, this.#n - this.#k)
    for (let stripe = 0; stripe < cut.stripes; stripe++) {
      if (cut.unitBytes(stripe) < UNIT_BYTES) this.#cutEvenly(stripe, this.bytes - stripe * cut.stripeBytes, cut.unitBytes(stripe))
      const bytes = Array.from({ length: this.#n }, (_, shard) => cut.storedBytes(stripe, shard))
      codec.encodeInPlace(this.#slab, { at: this.#unitAt(stripe, 0), bytes, zeroBytes: SEAL_BYTES }, (shard) =>
        seed(shard, this.#firstStripe + stripe),
      )
    }
    const start = recordOffset(this.#firstStripe) - this.#offset
    for (let shard = 0; shard < this.#n; shard++) this.#ends[shard] = start + cut.recordsBytes(0, cut.stripes, shard)
  }

  /** Where in its file a shard's window is to be written, and what; whole pages. Of the last run, the last page ends with zeros. */
  window(shard: number, isLast: boolean): { readonly offset: number; readonly content: Uint8Array } {
    const from = shard * this.#slab.slotBytes
    const end = this.#ends[shard]!
    const pagesEnd = isLast ? ceilToPage(end) : floorToPage(end)
    if (isLast) this.#memory.fill(0, from + end, from + pagesEnd)
    return { offset: this.#offset, content: this.#memory.subarray(from, from + pagesEnd) }
  }

  /** What the next run begins with, for each shard, when this one will be gone by then. */
  leftOver(): Uint8Array[] {
    return Array.from({ length: this.#n }, (_, shard) => this.#rest(shard).slice())
  }

  /** It goes to the disks now. */
  fly(): void {
    this.#seat.fly()
  }

  /** Once, when no disk reads the windows any more. */
  release(): void {
    this.#slab.release()
    this.#seat.leave()
  }

  /** Instead of `release`, when one may. */
  abandon(): void {
    this.#slab.abandon()
    this.#seat.leave()
  }

  #unitAt(stripe: number, shard: number): number {
    return shard * this.#slab.slotBytes + recordOffset(this.#firstStripe + stripe) - this.#offset
  }

  #rest(shard: number): Uint8Array {
    const from = shard * this.#slab.slotBytes
    const end = this.#ends[shard]!
    return this.#memory.subarray(from + floorToPage(end), from + end)
  }

  /** Content was gathered in whole units; the last stripe of an extent has all units of one length. Backwards, so that nothing is overwritten before it was moved. */
  #cutEvenly(stripe: number, bytes: number, unitBytes: number): void {
    for (let unit = this.#k - 1; unit > 0; unit--) {
      const start = unit * unitBytes
      let end = Math.min(bytes, start + unitBytes)
      while (end > start) {
        const source = Math.floor((end - 1) / UNIT_BYTES)
        const from = Math.max(start, source * UNIT_BYTES)
        const at = this.#unitAt(stripe, source) + from - source * UNIT_BYTES
        this.#memory.copyWithin(this.#unitAt(stripe, unit) + from - start, at, at + end - from)
        end = from
      }
    }
  }
}

const floorToPage = (bytes: number): number => bytes - (bytes % DIRECT_BYTES)
const ceilToPage = (bytes: number): number => Math.ceil(bytes / DIRECT_BYTES) * DIRECT_BYTES
