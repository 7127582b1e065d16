/** Checks shards, and makes lost ones anew from the others. */
import { done, fail, ok, type Result } from '../result.ts'
import { type Disk, type DiskFault, type DiskFile, isOfPlace } from './disk.ts'
import type { ExtentFolders } from './extent-folders.ts'
import type { ExtentFault, Pace, SetDisks } from './extents.ts'
import { type ExtentPlace, shardPosition } from './geometry.ts'
import { openPastCache, type PastCacheFile } from './past-cache.ts'
import {
  Cut,
  encodeShardHeader,
  extentFile,
  extentFolder,
  recordIsIntact,
  SHARD_HEADER_BYTES,
  sealRecord,
  shardSeed,
  stripesPerRun,
  TRAILER_BYTES,
  unitSeed,
} from './shard-file.ts'
import { type ShardSource, sourcesOf } from './shard-source.ts'
import { StripeRun } from './stripe-run.ts'

export class ShardRepair {
  readonly #set: SetDisks
  readonly #folders: ExtentFolders
  readonly #poolId: Uint8Array
  readonly #place: ExtentPlace
  readonly #shard: number
  /** Of the disk that should have it. */
  readonly #at: number
  readonly #cut: Cut
  readonly #header: Uint8Array

  constructor(
    { set, folders, poolId }: { readonly set: SetDisks; readonly folders: ExtentFolders; readonly poolId: Uint8Array },
    place: ExtentPlace,
    shard: number,
    at: number,
  ) {
    this.#set = set
    this.#folders = folders
    this.#poolId = poolId
    this.#place = place
    this.#shard = shard
    this.#at = at
    this.#cut = new Cut(place.dataShards, place.bytes)
    this.#header = encodeShardHeader(poolId, place, shard)
  }

  /**
   * Every unit and the header, read from the disk itself: after a failed sync the kernel shows bytes that are not there. Without a `pace` what is intact is
   * also made durable, as it may be what a write left that was never answered, or a process that ended before its sync.
   */
  async verify(pace?: Pace): Promise<Result<void, DiskFault | 'damaged' | 'stopped'>> {
    const disk = this.#disk()
    if (disk === undefined) return fail('gone')
    const file = await openPastCache(disk, this.#file, 'forgiving')
    if (!file.ok) return this.#reported(file.error)
    const intact = await this.#verifyFile(file.value, pace)
    const synced = intact.ok && pace === undefined ? await file.value.sync() : intact
    file.value.close()
    const named = synced.ok && pace === undefined ? await this.#folders.sync(disk, extentFolder(this.#place)) : synced
    return named.ok ? named : this.#reported(named.error)
  }

  /**
   * Only what is not intact is written, in place, since intact units may be all that is left to save another shard with. Cut off in the middle it
   * leaves units that are bad as before.
   */
  async rebuild(): Promise<Result<void, ExtentFault | DiskFault>> {
    const disk = this.#disk()
    if (disk === undefined) return fail('gone')
    const file = await this.#openForRepair(disk)
    if (!file.ok) return this.#reported(file.error)
    const sources = sourcesOf(this.#set, this.#poolId, this.#place)
    const onDisk = await openPastCache(disk, this.#file, 'forgiving')
    const written = onDisk.ok ? await this.#rebuildFile(file.value, onDisk.value, sources) : onDisk
    for (const source of sources) source.close()
    if (onDisk.ok) onDisk.value.close()
    const synced = written.ok ? await file.value.sync() : written
    file.value.close()
    const read = synced.ok ? await this.verify() : this.#reported(synced.error)
    // Without a pace nothing stops it.
    return read.ok || read.error !== 'stopped' ? (read as Result<void, DiskFault | 'damaged'>) : fail('damaged')
  }

  get #file(): string {
    return extentFile(this.#place, this.#shard)
  }

  #disk(): Disk | undefined {
    return this.#set.disks(this.#place.set)[this.#at]?.disk
  }

  /** Passes a fault on, and tells of it if it speaks against the disk of this shard. */
  #reported<F extends ExtentFault | DiskFault | 'stopped'>(fault: F): { readonly ok: false; readonly error: F } {
    if (fault === 'gone' || fault === 'timeout' || fault === 'io') {
      this.#set.reportFault(this.#place.set, this.#at, fault)
    }
    return fail(fault)
  }

  async #openForRepair(disk: Disk): Promise<Result<DiskFile, DiskFault>> {
    const found = await disk.open(this.#file, { mode: 'write', lane: 'data' })
    if (found.ok || found.error !== 'not-found') return found
    const made = await this.#folders.makeAgain(disk, extentFolder(this.#place))
    if (!made.ok) return made
    const created = await disk.open(this.#file, { mode: 'create', lane: 'data' })
    return created.ok || created.error !== 'exists' ? created : disk.open(this.#file, { mode: 'write', lane: 'data' })
  }

  async #verifyFile(file: PastCacheFile, pace: Pace | undefined): Promise<Result<void, DiskFault | 'damaged' | 'stopped'>> {
    const header = await file.read(0, SHARD_HEADER_BYTES)
    if (!header.ok) return fail(this.#isOfPlace(header.error) ? 'damaged' : header.error)
    if (Buffer.compare(header.value, this.#header) !== 0) return fail('damaged')
    for (const [from, to] of this.#runs()) {
      const bad = await this.#badUnits(file, from, to)
      if (!bad.ok) return bad
      if (bad.value.stripes.length > 0) return fail('damaged')
      if ((await pace?.(this.#cut.recordsBytes(from, to, this.#shard))) === 'stop') return fail('stopped')
    }
    return done
  }

  async #rebuildFile(
    file: DiskFile,
    onDisk: PastCacheFile,
    sources: readonly ShardSource[],
  ): Promise<Result<void, ExtentFault | DiskFault>> {
    const size = await onDisk.size()
    if (!size.ok) return size
    const header = size.value < SHARD_HEADER_BYTES ? undefined : await onDisk.read(0, SHARD_HEADER_BYTES)
    if (header?.ok === false && !this.#isOfPlace(header.error)) return header
    const hasHeader = header?.ok === true && Buffer.compare(header.value, this.#header) === 0
    // A page that cannot be read must be written as a whole, with what lies beside the header.
    const isLead = header?.ok === false && header.error === 'io'
    if (!hasHeader && !isLead) {
      const written = await file.write(0, [this.#header])
      if (!written.ok) return written
    }
    for (const [from, to] of this.#runs()) {
      const there = size.value > this.#cut.recordOffset(from)
      const found = there ? await this.#badUnits(onDisk, from, to) : ok({ stripes: this.#stored(from, to), unreadable: false })
      if (!found.ok) return found
      const lead = isLead && from === 0 ? [this.#header] : []
      const bad = found.value.unreadable || lead.length > 0 ? this.#stored(from, to) : found.value.stripes
      if (bad.length === 0) continue
      const run = new StripeRun(this.#place, this.#cut, sources, from, to)
      if (bad.length > 1) this.#prefetch(run, sources)
      const written = await this.#rebuildUnits(file, run, bad, lead)
      if (!written.ok) return written
    }
    return done
  }

  /** `lead`: the header, to be written with the first of them. */
  async #rebuildUnits(
    file: DiskFile,
    run: StripeRun,
    stripes: readonly number[],
    lead: readonly Uint8Array[],
  ): Promise<Result<void, ExtentFault | DiskFault>> {
    // Records of adjacent stripes go in one write.
    let before = lead
    let records: Uint8Array[] = []
    for (const [i, stripe] of stripes.entries()) {
      const made = await this.#record(run, stripe)
      if (!made.ok) return made
      const record = made.value
      sealRecord(record, this.#cut.storedBytes(stripe, this.#shard), unitSeed(shardSeed(this.#header), stripe))
      records.push(record)
      if (stripes[i + 1] === stripe + 1) continue
      const at = this.#cut.recordOffset(stripe - records.length + 1) - (before.length > 0 ? SHARD_HEADER_BYTES : 0)
      const written = await file.write(at, [...before, ...records])
      if (!written.ok) return written
      before = []
      records = []
    }
    return done
  }

  /** Whether another disk has it, or should. */
  get #isSuccessor(): boolean {
    return this.#at !== shardPosition(this.#place, this.#shard)
  }

  #prefetch(run: StripeRun, sources: readonly ShardSource[]): void {
    if (this.#isSuccessor && sources[this.#shard]!.state === 'usable') run.prefetch(this.#shard)
    else run.prefetchOthers([this.#shard])
  }

  /** The unit, with room for its trailer behind: one read where another disk has it, else k. */
  async #record(run: StripeRun, stripe: number): Promise<Result<Uint8Array, ExtentFault>> {
    const bytes = this.#cut.recordBytes(stripe, this.#shard)
    const copied = this.#isSuccessor ? await run.unit(stripe, this.#shard) : undefined
    if (copied !== undefined) {
      const record = new Uint8Array(bytes)
      record.set(copied)
      return ok(record)
    }
    const rebuilt = await run.rebuild(stripe, [this.#shard], TRAILER_BYTES)
    return rebuilt.ok ? ok(rebuilt.value[0]!.subarray(0, bytes)) : rebuilt
  }

  *#runs(): Generator<readonly [from: number, to: number]> {
    const step = stripesPerRun(this.#place.dataShards)
    for (let from = 0; from < this.#cut.stripes; from += step) yield [from, Math.min(from + step, this.#cut.stripes)]
  }

  /** The stripes of a run in which the shard stores a unit. */
  #stored(from: number, to: number): number[] {
    const stripes: number[] = []
    for (let stripe = from; stripe < to; stripe++) if (this.#cut.storedBytes(stripe, this.#shard) > 0) stripes.push(stripe)
    return stripes
  }

  /** Whether a fault speaks against this place of the file, and not against the disk. */
  #isOfPlace(fault: DiskFault): boolean {
    const disk = this.#disk()
    return fault === 'short' || (disk !== undefined && isOfPlace(fault, disk))
  }

  /** Of those, the ones that the file has not got intact; `unreadable`: for want of a sector that can be read. */
  async #badUnits(
    file: PastCacheFile,
    from: number,
    to: number,
  ): Promise<Result<{ readonly stripes: number[]; readonly unreadable: boolean }, DiskFault>> {
    const stored = this.#stored(from, to)
    if (stored.length === 0) return ok({ stripes: [], unreadable: false })
    const whole = await file.read(this.#cut.recordOffset(from), this.#cut.recordsBytes(from, from + stored.length, this.#shard))
    if (!whole.ok && !this.#isOfPlace(whole.error)) return whole
    let unreadable = false
    const bad: number[] = []
    for (const stripe of stored) {
      const at = this.#cut.recordOffset(stripe)
      const bytes = this.#cut.recordBytes(stripe, this.#shard)
      const start = at - this.#cut.recordOffset(from)
      const record = whole.ok ? ok(whole.value.subarray(start, start + bytes)) : await file.read(at, bytes)
      if (!record.ok && !this.#isOfPlace(record.error)) return record
      unreadable ||= !record.ok && record.error === 'io'
      if (!record.ok || !recordIsIntact(record.value, unitSeed(shardSeed(this.#header), stripe))) bad.push(stripe)
    }
    return ok({ stripes: bad, unreadable })
  }
}
