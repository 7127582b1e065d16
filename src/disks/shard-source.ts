/** One shard of an extent as a place to read units from: says what went wrong to whom it concerns, and is not asked again in vain. */
import type { Seed } from '../erasure/coder.ts'
import type { Result } from '../result.ts'
import { DIRECT_BYTES, type DiskFault, type DiskFile, isOfPlace } from './disk.ts'
import type { SetDisk, SetDisks } from './extents.ts'
import { type ExtentPlace, shardPosition } from './geometry.ts'
import { type Cut, encodeShardHeader, extentFile, shardSeed } from './shard-file.ts'

export type SourceState =
  | 'usable'
  /** The disk works and the file is not there. */
  | 'missing'
  /** The disk is out or has failed. */
  | 'unreachable'

export class ShardSource {
  readonly shard: number
  /** Of a disk that is healing: nothing is said of what it lacks, and it is asked last. */
  readonly writeOnly: boolean
  state: SourceState
  readonly #set: SetDisks
  readonly #poolId: Uint8Array
  readonly #place: ExtentPlace
  readonly #slot: SetDisk | undefined
  #seed: Seed | undefined
  #file: Promise<Result<DiskFile, DiskFault>> | undefined
  #closed = false
  #directFile: Promise<Result<DiskFile, DiskFault>> | undefined

  constructor(set: SetDisks, poolId: Uint8Array, place: ExtentPlace, shard: number, slot: SetDisk | undefined) {
    this.#set = set
    this.#poolId = poolId
    this.#place = place
    this.#slot = slot
    this.shard = shard
    this.writeOnly = slot?.writeOnly === true
    this.state = slot === undefined || slot.disk.failed !== undefined ? 'unreachable' : 'usable'
  }

  /** Ties its units to their place. */
  get seed(): Seed {
    this.#seed ??= shardSeed(encodeShardHeader(this.#poolId, this.#place, this.shard))
    return this.#seed
  }

  /** The records of stripes `from` to `to` (exclusive), unchecked; undefined if they cannot be had. */
  async read(cut: Cut, from: number, to: number): Promise<Uint8Array | undefined> {
    if (this.#closed || this.state !== 'usable' || this.#slot === undefined) return undefined
    const file = await this.#opened(false)
    const content = file.ok ? await file.value.read(cut.recordOffset(from), cut.recordsBytes(from, to, this.shard)) : file
    if (content.ok) return content.value
    this.#failed(content.error)
    return undefined
  }

  /**
   * The same, read into `pages`, which has room for whole pages around the records. `settled`: false if the disk may still write there. `direct`: past the
   * page cache.
   */
  async readInto(
    pages: Uint8Array,
    span: { readonly cut: Cut; readonly from: number; readonly to: number; readonly direct: boolean },
  ): Promise<{ readonly content: Uint8Array | undefined; readonly settled: boolean }> {
    if (this.#closed || this.state !== 'usable' || this.#slot === undefined) return { content: undefined, settled: true }
    const { cut, from, to, direct } = span
    const start = cut.recordOffset(from)
    const end = start + cut.recordsBytes(from, to, this.shard)
    const offset = start - (start % DIRECT_BYTES)
    const target = pages.subarray(0, Math.ceil((end - offset) / DIRECT_BYTES) * DIRECT_BYTES)
    const file = await this.#opened(direct)
    const read = file.ok ? await file.value.readInto(offset, target) : file
    if (read.ok && offset + read.value >= end) return { content: target.subarray(start - offset, end - offset), settled: true }
    const fault = read.ok ? 'short' : read.error
    this.#failed(fault)
    return { content: undefined, settled: !file.ok || read.ok || isOfPlace(read.error, this.#slot.disk) }
  }

  #opened(direct: boolean): Promise<Result<DiskFile, DiskFault>> {
    const file = extentFile(this.#place, this.shard)
    const open = (): Promise<Result<DiskFile, DiskFault>> =>
      this.#slot!.disk.open(file, { mode: 'read', lane: 'data', direct, forgiving: true })
    if (direct) {
      this.#directFile ??= open()
      return this.#directFile
    }
    this.#file ??= open()
    return this.#file
  }

  /** A unit was not what was written. */
  reportBad(): void {
    if (!this.writeOnly) this.#set.reportBadShard(this.#place, this.shard)
  }

  close(): void {
    this.#closed = true
    for (const opened of [this.#file, this.#directFile]) {
      void opened?.then((file) => {
        if (file.ok) file.value.close()
      })
    }
  }

  /** And not only against the file, or a place in it. */
  #speaksAgainstDisk(fault: DiskFault): boolean {
    return fault === 'gone' || fault === 'timeout' || (fault === 'io' && this.#slot !== undefined && !isOfPlace(fault, this.#slot.disk))
  }

  #failed(fault: DiskFault): void {
    // Of files that were closed meanwhile nothing can be said.
    if (this.#closed) return
    if (this.#speaksAgainstDisk(fault)) {
      if (this.state === 'usable') this.#set.reportFault(this.#place.set, shardPosition(this.#place, this.shard), fault)
      this.state = 'unreachable'
      return
    }
    // A file that is too short still has what lies before its end, and one with a bad sector what lies around it.
    if (fault === 'not-found') this.state = 'missing'
    this.reportBad()
  }
}

export function sourcesOf(set: SetDisks, poolId: Uint8Array, place: ExtentPlace): ShardSource[] {
  const disks = set.disks(place.set)
  return Array.from(
    { length: place.dataShards + place.parityShards },
    (_, shard) => new ShardSource(set, poolId, place, shard, disks[shardPosition(place, shard)]),
  )
}
