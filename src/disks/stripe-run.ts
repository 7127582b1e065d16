/**
 * A run of adjacent stripes being read: spans of records come from the disks, each unit is checked when it is wanted, and a unit that cannot be
 * had is rebuilt from any k others of its stripe. Holds what was read until it is dropped.
 */
import { Codec } from '../erasure/codec.ts'
import type { Seed } from '../erasure/coder.ts'
import { type Slab, SlabPool } from '../erasure/slabs.ts'
import { fail, ok, type Result } from '../result.ts'
import { DIRECT_BYTES } from './disk.ts'
import type { ExtentFault } from './extents.ts'
import type { ExtentPlace } from './geometry.ts'
import { type Cut, RECORD_BYTES, recordIsIntact, stripesPerRun, TRAILER_BYTES, unitSeed } from './shard-file.ts'
import type { ShardSource } from './shard-source.ts'

type Span = { readonly from: number; readonly to: number; readonly content: Promise<Uint8Array | undefined> }
const NOTHING = new Uint8Array(0)

export class StripeRun {
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly #place: ExtentPlace
  readonly #cut: Cut
  readonly #sources: readonly ShardSource[]
  /** By shard: what is being read ahead. */
  readonly #spans: (Span | undefined)[] = []
  /** By stripe and shard: the intact bytes, or null if they cannot be had from the disk. */
  readonly #units: (Uint8Array | null | undefined)[] = []
  /** Where spans are read to, each to a slot of its own; undefined: to memory of their own. */
  readonly #slab: Slab | undefined
  readonly #direct: boolean
  #slotsUsed = 0
  #reading = 0
  #isSettled = true
  #released = false

  /**
   * `into`: read to memory that serves again, so that units are valid only until `release`, which must be called once; `direct`: past the page cache.
   */
  constructor(
    place: ExtentPlace,
    cut: Cut,
    sources: readonly ShardSource[],
    from: number,
    to: number,
    into?: { readonly direct: boolean } | undefined,
  ) {
    this.#place = place
    this.#cut = cut
    this.#sources = sources
    this.from = from
    this.to = to
    this.#direct = into?.direct === true
    if (into !== undefined)
      this.#slab = SlabPool.for(place.dataShards, 2 * DIRECT_BYTES + stripesPerRun(place.dataShards) * RECORD_BYTES).take()
  }

  /** Nobody needs the units any more. Reads may be under way. */
  release(): void {
    this.#released = true
    // Whoever is still reading comes here again.
    if (this.#slab === undefined || this.#reading > 0) return
    if (this.#isSettled) this.#slab.release()
    else this.#slab.abandon()
  }

  /** Begins to read one shard's units of stripes `from` to `to`, in one operation. */
  prefetch(shard: number, from = this.from, to = this.to): void {
    const last = this.#cut.storedBytes(to - 1, shard) === 0 ? to - 1 : to
    if (from < last) this.#spans[shard] = { from, to: last, content: this.#read(shard, from, last) }
  }

  async #read(shard: number, from: number, to: number): Promise<Uint8Array | undefined> {
    const source = this.#sources[shard]!
    const slab = this.#slab
    if (slab === undefined || this.#slotsUsed === this.#place.dataShards) return source.read(this.#cut, from, to)
    const slot = this.#slotsUsed++
    this.#reading++
    const pages = slab.memory.subarray(slot * slab.slotBytes, (slot + 1) * slab.slotBytes)
    const { content, settled } = await source.readInto(pages, { cut: this.#cut, from, to, direct: this.#direct })
    this.#reading--
    if (!settled) this.#isSettled = false
    if (this.#released) this.release()
    return content
  }

  /** Begins to read k shards whole, so that the shards in `lost` can be rebuilt in every stripe. */
  prefetchOthers(lost: readonly number[]): void {
    let chosen = 0
    for (const source of this.#byPreference()) {
      if (chosen === this.#place.dataShards) return
      if (source.state !== 'usable' || lost.includes(source.shard)) continue
      this.prefetch(source.shard)
      chosen++
    }
  }

  /** The bytes of a unit as they were written, or undefined if the disk has not got them. */
  async unit(stripe: number, shard: number): Promise<Uint8Array | undefined> {
    const stored = this.#cut.storedBytes(stripe, shard)
    if (stored === 0) return NOTHING
    const at = this.#index(stripe, shard)
    const known = this.#units[at]
    if (known !== undefined) return known ?? undefined
    const record = await this.#record(stripe, shard, stored + TRAILER_BYTES)
    if (this.#released) return undefined
    const source = this.#sources[shard]!
    const intact = record !== undefined && this.#isIntact(record, unitSeed(source.seed, stripe))
    if (record !== undefined && !intact) source.reportBad()
    const unit = intact ? record.subarray(0, stored) : undefined
    this.#units[at] = unit ?? null
    return unit
  }

  /** The same, but rebuilt if need be. */
  async unitByAnyMeans(stripe: number, shard: number): Promise<Result<Uint8Array, ExtentFault>> {
    const unit = await this.unit(stripe, shard)
    // After its release nobody asks any more.
    if (unit !== undefined || this.#released) return ok(unit ?? NOTHING)
    // Data units of this stripe that are known to be lost as well come out of the same pass.
    const wanted = [shard]
    for (let other = 0; other < this.#place.dataShards; other++) {
      if (other !== shard && this.#units[this.#index(stripe, other)] === null) wanted.push(other)
    }
    const rebuilt = await this.rebuild(stripe, wanted, 0)
    if (!rebuilt.ok) return rebuilt
    for (const [i, lost] of wanted.entries()) {
      const bytes = rebuilt.value[i]!.subarray(0, this.#cut.storedBytes(stripe, lost))
      this.#units[this.#index(stripe, lost)] = bytes
    }
    return ok(this.#units[this.#index(stripe, shard)]!)
  }

  /** Units `wanted` from others: each in an array of its own, as long as the stripe's first unit, with `slackBytes` behind. */
  async rebuild(stripe: number, wanted: readonly number[], slackBytes: number): Promise<Result<Uint8Array[], ExtentFault>> {
    const { dataShards: k, parityShards: m } = this.#place
    const shards: (Uint8Array | undefined)[] = new Array(k + m).fill(undefined)
    const candidates = this.#byPreference().filter(({ shard }) => !wanted.includes(shard))
    // What costs nothing first: units in memory, and those that hold nothing.
    candidates.sort((a, b) => this.#cost(stripe, a.shard) - this.#cost(stripe, b.shard))
    let have = 0
    while (have < k) {
      const batch = candidates.splice(0, k - have)
      if (batch.length === 0) return fail(this.#why())
      const units = await Promise.all(batch.map(({ shard }) => this.unit(stripe, shard)))
      for (const [i, unit] of units.entries()) {
        if (unit === undefined) continue
        shards[batch[i]!.shard] = unit
        have++
      }
    }
    const bytes = this.#cut.storedBytes(stripe, 0)
    const whole = wanted.map(() => new Uint8Array(Buffer.allocUnsafeSlow(bytes + slackBytes).buffer))
    const out = slackBytes === 0 ? whole : whole.map((array) => array.subarray(0, bytes))
    Codec.for(k, m).reconstruct(shards, wanted, out)
    return ok(whole)
  }

  #isIntact(record: Uint8Array, seed: Seed): boolean {
    const inSlab = record.buffer === this.#slab?.memory.buffer
    return inSlab ? recordIsIntact(record, seed, this.#slab?.coder) : recordIsIntact(record, seed)
  }

  async #record(stripe: number, shard: number, bytes: number): Promise<Uint8Array | undefined> {
    const span = this.#spans[shard]
    if (span !== undefined && stripe >= span.from && stripe < span.to) {
      const content = await span.content
      if (content !== undefined) {
        const at = this.#cut.recordOffset(stripe) - this.#cut.recordOffset(span.from)
        return content.subarray(at, at + bytes)
      }
      // One unit may be there although all together are not.
      if (span.to - span.from === 1) return undefined
    }
    return this.#sources[shard]!.read(this.#cut, stripe, stripe + 1)
  }

  #index(stripe: number, shard: number): number {
    return (stripe - this.from) * this.#sources.length + shard
  }

  /** Disks that are healing last; else data before parity. */
  #byPreference(): ShardSource[] {
    return [...this.#sources].sort((a, b) => Number(a.writeOnly) - Number(b.writeOnly) || a.shard - b.shard)
  }

  #cost(stripe: number, shard: number): number {
    if (this.#cut.storedBytes(stripe, shard) === 0 || this.#units[this.#index(stripe, shard)]) return 0
    return this.#spans[shard] === undefined ? 2 : 1
  }

  #why(): ExtentFault {
    const reachable = this.#sources.filter(({ state, writeOnly }) => state !== 'unreachable' && !writeOnly)
    return reachable.length >= this.#place.dataShards ? 'damaged' : 'too-few-disks'
  }
}
