/**
 * Writes one extent: bytes are gathered in runs of stripes, and a full run is coded and goes to all disks at once. While one run is on its way to the disks
 * the next one gathers if the thread has room for it, so two are in memory at most (a run: RUN_BYTES, or one stripe where that is more), with parity.
 *
 * A disk that fails is reported and left out; what counts is that k that are not healing remain. One that is full fails the whole; but a successor (of a disk
 * that has the shard as well) is only left out.
 */
import type { Seed } from '../erasure/coder.ts'
import { done, fail, ok, type Result } from '../result.ts'
import type { Disk, DiskFault, DiskFile } from './disk.ts'
import type { ExtentFolders } from './extent-folders.ts'
import type { ExtentFault, ExtentWriter, SetDisks, WrittenExtent } from './extents.ts'
import { GatheredRun } from './gathered-run.ts'
import { type ExtentPlace, shardPosition, successorPosition } from './geometry.ts'
import type { RunRoom, Seat } from './run-room.ts'
import { encodeShardHeader, extentFile, extentFolder, shardSeed, stripesPerRun, unitSeed } from './shard-file.ts'

/** A shard whose disk takes part; a shard may be written to a successor, too. */
type Shard = {
  readonly shard: number
  readonly position: number
  readonly disk: Disk
  readonly healing: boolean
  file: DiskFile | undefined
  /** It takes part no more. */
  dropped: boolean
}

export class ShardedExtentWriter implements ExtentWriter {
  readonly #set: SetDisks
  readonly #folders: ExtentFolders
  readonly #room: RunRoom
  readonly #place: ExtentPlace
  readonly #seeds: readonly Seed[]
  readonly #shards: readonly Shard[]
  #bytes = 0
  /** Undefined before the first byte, and while there is no room for it. */
  #gathering: GatheredRun | undefined
  /** The first stripe of the run that gathers, or will. */
  #stripe = 0
  /** What a run that does not gather yet is to begin with: of the first the shards' headers. */
  #before: readonly Uint8Array[]
  #opening: Promise<void> | undefined
  /** A run on its way to the disks. */
  #flying: Promise<void> | undefined
  /** A chunk that waits for it, or for room. */
  #taking: Promise<void> | undefined
  #fault: ExtentFault | undefined

  /** `place.bytes` is not known yet. */
  constructor(
    { set, folders, room }: { readonly set: SetDisks; readonly folders: ExtentFolders; readonly room: RunRoom },
    poolId: Uint8Array,
    place: ExtentPlace,
  ) {
    const { dataShards: k, parityShards: m } = place
    this.#set = set
    this.#folders = folders
    this.#room = room
    this.#place = place
    const headers = Array.from({ length: k + m }, (_, shard) => encodeShardHeader(poolId, place, shard))
    this.#before = headers
    this.#seeds = headers.map(shardSeed)
    const disks = set.disks(place.set)
    this.#shards = headers.flatMap((_, shard) => {
      return [shardPosition(place, shard), successorPosition(place, shard)].flatMap((position) => {
        const slot = disks[position]
        if (slot === undefined || slot.disk.failed !== undefined) return []
        return [{ shard, position, disk: slot.disk, healing: slot.writeOnly, file: undefined, dropped: false }]
      })
    })
    this.#checkEnough()
  }

  get fault(): ExtentFault | undefined {
    return this.#fault
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#fault !== undefined || chunk.length === 0) return undefined
    this.#bytes += chunk.length
    const left = this.#take(chunk)
    if (left === undefined) return undefined
    this.#taking = this.#takeLater(left)
    return this.#taking
  }

  async finish(): Promise<Result<WrittenExtent, ExtentFault>> {
    await this.#taking
    await this.#flying
    if (this.#fault === undefined) {
      const last = this.#gatheringRun() ?? this.#begin(this.#room.takeLast())
      this.#gathering = undefined
      last.code(this.#seed)
      await this.#send(last, true)
    }
    if (this.#fault === undefined) await this.#each((shard) => this.#sync(shard))
    if (this.#fault !== undefined) {
      this.#giveUp()
      await this.#remove()
      return fail(this.#fault)
    }
    let durable = 0
    let mirrored = 0
    for (const shard of this.#shards) {
      shard.file?.close()
      if (shard.dropped) continue
      if (this.#isSuccessor(shard)) mirrored += 2 ** shard.shard
      else durable += 2 ** shard.shard
    }
    return ok({ place: { ...this.#place, bytes: this.#bytes }, durable, mirrored })
  }

  async abort(): Promise<void> {
    // Any fault stops what is under way.
    this.#fault ??= 'too-few-disks'
    this.#giveUp()
    await this.#taking
    await this.#opening
    await this.#flying
    await this.#remove()
  }

  /** Takes the chunk, or answers what is left of it, maybe nothing, when a full run has to wait for the one before, or a new one for room. */
  #take(chunk: Uint8Array): Uint8Array | undefined {
    let left = chunk
    while (left.length > 0) {
      const run = this.#gatheringRun()
      if (run === undefined) return left
      left = left.subarray(run.add(left))
      if (!run.isFull) return undefined
      if (this.#flying !== undefined) return left
      this.#sendFull(run)
    }
    return undefined
  }

  async #takeLater(chunk: Uint8Array): Promise<void> {
    let left: Uint8Array | undefined = chunk
    while (left !== undefined) {
      if (this.#gathering === undefined) {
        const seat = await this.#room.wait(this.#stripe === 0 ? 'first' : 'later')
        if (this.#fault === undefined) this.#begin(seat)
        else seat.leave()
      } else {
        await this.#flying
        if (this.#fault === undefined) this.#sendFull(this.#gathering)
      }
      if (this.#fault !== undefined) return
      left = this.#take(left)
    }
  }

  /** Undefined if there is no room for it now. */
  #gatheringRun(): GatheredRun | undefined {
    if (this.#gathering !== undefined) return this.#gathering
    const seat = this.#room.take()
    return seat && this.#begin(seat)
  }

  #begin(seat: Seat): GatheredRun {
    this.#opening ??= this.#open()
    this.#gathering = new GatheredRun(seat, this.#place, this.#stripe, this.#before)
    return this.#gathering
  }

  /** What is left over behind the last page goes with the next run. */
  #sendFull(run: GatheredRun): void {
    run.code(this.#seed)
    this.#stripe += stripesPerRun(this.#place.dataShards)
    const seat = this.#room.take()
    this.#gathering = seat && new GatheredRun(seat, this.#place, this.#stripe, run)
    if (seat === undefined) this.#before = run.leftOver()
    this.#flying = this.#send(run, false)
  }

  async #send(run: GatheredRun, isLast: boolean): Promise<void> {
    let mayBeRead = false
    run.fly()
    await this.#opening
    if (this.#fault === undefined) {
      await this.#each(async ({ shard, file }) => {
        const { offset, content } = run.window(shard, isLast)
        if (content.length === 0) return done
        const written = await file!.write(offset, [content])
        if (!written.ok && written.error !== 'full') mayBeRead = true
        return written
      })
    }
    // A disk that hangs may come back to its write after it was given up.
    if (mayBeRead) run.abandon()
    else run.release()
    this.#flying = undefined
  }

  readonly #seed = (shard: number, stripe: number): Seed => unitSeed(this.#seeds[shard]!, stripe)

  #giveUp(): void {
    this.#gathering?.release()
    this.#gathering = undefined
  }

  async #open(): Promise<void> {
    if (this.#fault === undefined) await this.#each((shard) => this.#create(shard))
  }

  async #create(shard: Shard): Promise<Result<void, DiskFault>> {
    const file = extentFile(this.#place, shard.shard)
    const folder = extentFolder(this.#place)
    const made = await this.#folders.make(shard.disk, folder)
    if (!made.ok) return made
    let opened = await shard.disk.open(file, { mode: 'create', lane: 'data', direct: true })
    if (!opened.ok && opened.error === 'not-found') {
      const again = await this.#folders.makeAgain(shard.disk, folder)
      if (!again.ok) return again
      opened = await shard.disk.open(file, { mode: 'create', lane: 'data', direct: true })
    }
    if (!opened.ok) return opened
    shard.file = opened.value
    return ok(undefined)
  }

  async #sync(shard: Shard): Promise<Result<void, DiskFault>> {
    const [file, folder] = await Promise.all([shard.file!.sync(), this.#folders.sync(shard.disk, extentFolder(this.#place))])
    return file.ok ? folder : file
  }

  /** On all shards that take part, at once. */
  async #each(act: (shard: Shard) => Promise<Result<void, DiskFault>>): Promise<void> {
    await Promise.all(
      this.#shards.map(async (shard) => {
        if (shard.dropped) return
        const acted = await act(shard)
        if (acted.ok) return
        if (acted.error === 'full' && !this.#isSuccessor(shard)) this.#fault ??= 'full'
        else {
          shard.dropped = true
          this.#set.reportFault(this.#place.set, shard.position, acted.error)
        }
      }),
    )
    this.#checkEnough()
  }

  #isSuccessor({ position }: Shard): boolean {
    return position >= this.#place.dataShards + this.#place.parityShards
  }

  #checkEnough(): void {
    const live = this.#shards.filter(({ dropped, healing }) => !dropped && !healing)
    if (live.length < this.#place.dataShards) this.#fault ??= 'too-few-disks'
  }

  /** From dropped disks too, as far as they answer. */
  async #remove(): Promise<void> {
    await Promise.all(
      this.#shards.map(async ({ shard, disk, file }) => {
        if (file === undefined) return
        file.close()
        await disk.remove(extentFile(this.#place, shard))
      }),
    )
  }
}
