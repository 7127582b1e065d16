/**
 * Reads a range of an extent in order, a run of stripes ahead of what is handed out. A run is RUN_BYTES (1 MiB), or one stripe where that is more;
 * two are in memory at most, and while shards are lost, what is rebuilt of them besides. Only the units that the range touches are read.
 */
import { strict as assert } from 'node:assert'
import { fail, ok, type Result } from '../result.ts'
import type { ExtentFault, ExtentReader, SetDisks } from './extents.ts'
import type { ExtentPlace } from './geometry.ts'
import { Cut, stripesPerRun } from './shard-file.ts'
import { type ShardSource, sourcesOf } from './shard-source.ts'
import { StripeRun } from './stripe-run.ts'

/**
 * Reads of at least so much go past the page cache: filling it costs several times what reading costs, and what is so great is rarely wanted again soon.
 * Below, and so in most ranges, the cache and its reading ahead serve better.
 */
const DIRECT_BYTES_MIN = 4 * 1024 * 1024

export class ShardedExtentReader implements ExtentReader {
  readonly #place: ExtentPlace
  readonly #cut: Cut
  readonly #sources: readonly ShardSource[]
  readonly #to: number
  /** The next byte to hand out. */
  #at: number
  #current: StripeRun | undefined
  #ahead: StripeRun | undefined
  #fault: ExtentFault | undefined
  #into: { readonly direct: boolean } | undefined

  constructor(set: SetDisks, poolId: Uint8Array, place: ExtentPlace, from: number, to: number) {
    assert(from >= 0 && from <= to && to <= place.bytes)
    this.#place = place
    this.#cut = new Cut(place.dataShards, place.bytes)
    this.#sources = sourcesOf(set, poolId, place)
    this.#at = from
    this.#to = to
  }

  lend(): void {
    this.#into = { direct: this.#to - this.#at >= DIRECT_BYTES_MIN }
  }

  async read(): Promise<Result<Uint8Array | undefined, ExtentFault>> {
    if (this.#fault !== undefined) return fail(this.#fault)
    if (this.#at === this.#to) return ok(undefined)
    const stripe = this.#stripeAt(this.#at)
    const unitBytes = this.#cut.unitBytes(stripe)
    const inStripe = this.#at - stripe * this.#cut.stripeBytes
    const shard = Math.floor(inStripe / unitBytes)
    const unit = await this.#runOf(stripe).unitByAnyMeans(stripe, shard)
    if (!unit.ok) {
      this.#fault = unit.error
      this.close()
      return unit
    }
    const from = inStripe - shard * unitBytes
    const to = Math.min(unit.value.length, from + this.#to - this.#at)
    this.#at += to - from
    return ok(unit.value.subarray(from, to))
  }

  close(): void {
    this.#at = this.#to
    this.#current?.release()
    this.#ahead?.release()
    this.#current = undefined
    this.#ahead = undefined
    for (const source of this.#sources) source.close()
  }

  #stripeAt(at: number): number {
    return Math.floor(at / this.#cut.stripeBytes)
  }

  /** The run that holds the stripe; reading of the one behind it begins as well. */
  #runOf(stripe: number): StripeRun {
    const current = this.#current
    if (current !== undefined && stripe < current.to) return current
    current?.release()
    const next = this.#ahead ?? this.#begin(stripe)
    this.#current = next
    this.#ahead = next.to * this.#cut.stripeBytes < this.#to ? this.#begin(next.to) : undefined
    return next
  }

  #begin(from: number): StripeRun {
    const last = this.#stripeAt(this.#to - 1)
    const run = new StripeRun(
      this.#place,
      this.#cut,
      this.#sources,
      from,
      Math.min(from + stripesPerRun(this.#place.dataShards), last + 1),
      this.#into,
    )
    const lost: number[] = []
    const spans: [shard: number, from: number, to: number][] = []
    for (let shard = 0; shard < this.#place.dataShards; shard++) {
      // Only the first and the last stripe of the range can have units that it does not touch.
      const first = this.#touches(run.from, shard) ? run.from : run.from + 1
      const end = this.#touches(run.to - 1, shard) ? run.to : run.to - 1
      if (first >= end) continue
      const source = this.#sources[shard]!
      if (source.state === 'usable' && !source.writeOnly) spans.push([shard, first, end])
      else lost.push(shard)
    }
    if (lost.length > 0) run.prefetchOthers(lost)
    else for (const [shard, first, end] of spans) run.prefetch(shard, first, end)
    return run
  }

  #touches(stripe: number, shard: number): boolean {
    const from = stripe * this.#cut.stripeBytes + shard * this.#cut.unitBytes(stripe)
    return from < this.#to && from + this.#cut.storedBytes(stripe, shard) > Math.max(this.#at, stripe * this.#cut.stripeBytes)
  }
}
