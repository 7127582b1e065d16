/**
 * Writes one extent: bytes become runs of stripes, runs become units and parity, and those go to all disks at once. While one run is
 * on its way to the disks the next one gathers, so two are in memory at most (a run: 512 KiB, or one stripe where that is more), and parity.
 *
 * A disk that fails is reported and left out; what counts is that k that are not healing remain. One that is full fails the whole.
 */
import { Codec } from '../erasure/codec.ts'
import { type Pieces, piecesBytes, type Seed } from '../erasure/coder.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Disk, DiskFault, DiskFile } from './disk.ts'
import type { ExtentFolders } from './extent-folders.ts'
import type { ExtentFault, ExtentWriter, SetDisks, WrittenExtent } from './extents.ts'
import { type ExtentPlace, shardPosition, UNIT_BYTES } from './geometry.ts'
import { Dealer, RunBuffer } from './run-buffer.ts'
import {
  Cut,
  encodeShardHeader,
  extentFile,
  extentFolder,
  SEAL_BYTES,
  shardSeed,
  stripesPerRun,
  TRAILER_BYTES,
  unitSeed,
} from './shard-file.ts'

/** A shard whose disk takes part. */
type Shard = {
  readonly shard: number
  readonly disk: Disk
  readonly healing: boolean
  file: DiskFile | undefined
  /** Where the next record goes. */
  offset: number
  /** It takes part no more. */
  dropped: boolean
}

export class ShardedExtentWriter implements ExtentWriter {
  readonly #set: SetDisks
  readonly #folders: ExtentFolders
  readonly #place: ExtentPlace
  readonly #codec: Codec
  /** Of all n shards. */
  readonly #headers: readonly Uint8Array[]
  readonly #seeds: readonly Seed[]
  readonly #shards: readonly Shard[]
  readonly #runBytes: number
  readonly #parity: Uint8Array[] = []
  readonly #waiting = new RunBuffer()
  #bytes = 0
  #stripesSent = 0
  #opening: Promise<void> | undefined
  /** A run on its way to the disks. */
  #flying: Promise<void> | undefined
  #fault: ExtentFault | undefined

  /** `place.bytes` is not known yet. */
  constructor(set: SetDisks, folders: ExtentFolders, poolId: Uint8Array, place: ExtentPlace) {
    const { dataShards: k, parityShards: m } = place
    this.#set = set
    this.#folders = folders
    this.#place = place
    this.#codec = Codec.for(k, m)
    this.#runBytes = stripesPerRun(k) * k * UNIT_BYTES
    this.#headers = Array.from({ length: k + m }, (_, shard) => encodeShardHeader(poolId, place, shard))
    this.#seeds = this.#headers.map(shardSeed)
    const disks = set.disks(place.set)
    this.#shards = this.#headers.flatMap((_, shard) => {
      const slot = disks[shardPosition(place, shard)]
      if (slot === undefined || slot.disk.failed !== undefined) return []
      return [{ shard, disk: slot.disk, healing: slot.writeOnly, file: undefined, offset: 0, dropped: false }]
    })
    this.#checkEnough()
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#fault !== undefined || chunk.length === 0) return undefined
    this.#opening ??= this.#open()
    this.#bytes += chunk.length
    this.#waiting.add(chunk)
    if (this.#waiting.bytes < this.#runBytes) return undefined
    if (this.#flying !== undefined) return this.#sendFull()
    this.#flying = this.#send(this.#runBytes)
    return this.#waiting.bytes < this.#runBytes ? undefined : this.#sendFull()
  }

  async finish(): Promise<Result<WrittenExtent, ExtentFault>> {
    this.#opening ??= this.#open()
    await this.#sendFull()
    await this.#flying
    if (this.#fault === undefined && (this.#waiting.bytes > 0 || this.#bytes === 0)) await this.#send(this.#waiting.bytes)
    if (this.#fault === undefined) await this.#each((shard) => this.#sync(shard))
    if (this.#fault !== undefined) {
      await this.#remove()
      return fail(this.#fault)
    }
    let durable = 0
    for (const { shard, file, dropped } of this.#shards) {
      file?.close()
      if (!dropped) durable += 2 ** shard
    }
    return ok({ place: { ...this.#place, bytes: this.#bytes }, durable })
  }

  async abort(): Promise<void> {
    // Any fault stops what is under way.
    this.#fault ??= 'too-few-disks'
    this.#waiting.clear()
    await this.#opening
    await this.#flying
    await this.#remove()
  }

  /** Sends as long as a whole run waits. */
  async #sendFull(): Promise<void> {
    while (this.#waiting.bytes >= this.#runBytes && this.#fault === undefined) {
      await this.#flying
      if (this.#fault === undefined) this.#flying = this.#send(this.#runBytes)
    }
  }

  /** The run of the first `bytes` waiting bytes: whole stripes, unless it is the last. */
  async #send(bytes: number): Promise<void> {
    const run = this.#encode(this.#waiting.cutOff(bytes), bytes)
    await this.#opening
    if (this.#fault === undefined) await this.#each((shard) => this.#append(shard, run[shard.shard]!))
    this.#flying = undefined
  }

  /** What each shard's file gets. */
  #encode(run: Pieces, bytes: number): Uint8Array[][] {
    const { dataShards: k, parityShards: m } = this.#place
    const files: Uint8Array[][] = this.#headers.map((header) => (this.#stripesSent === 0 ? [header] : []))
    const cut = new Cut(k, bytes)
    const first = this.#stripesSent
    const content = new Dealer(run)
    for (let stripe = 0; stripe < cut.stripes; stripe++) {
      const data = Array.from({ length: k }, (_, shard) => content.take(cut.storedBytes(stripe, shard)))
      const parity = Array.from({ length: m }, (_, i) => this.#parityUnit(stripe * m + i).subarray(0, cut.storedBytes(stripe, k)))
      const trailers = this.#headers.map(() => new Uint8Array(TRAILER_BYTES))
      this.#codec.encode(data, parity, {
        seeds: this.#seeds.map((seed) => unitSeed(seed, first + stripe)),
        tails: trailers.map((trailer) => trailer.subarray(0, SEAL_BYTES)),
        hashes: trailers.map((trailer) => trailer.subarray(SEAL_BYTES)),
      })
      for (const [shard, pieces] of files.entries()) {
        if (cut.storedBytes(stripe, shard) === 0) continue
        if (shard < k) pieces.push(...data[shard]!)
        else pieces.push(parity[shard - k]!)
        pieces.push(trailers[shard]!)
      }
    }
    this.#stripesSent += cut.stripes
    return files
  }

  /** Parity is written before the next run is coded, so its memory serves again. */
  #parityUnit(index: number): Uint8Array {
    this.#parity[index] ??= new Uint8Array(Buffer.allocUnsafeSlow(UNIT_BYTES).buffer)
    return this.#parity[index]
  }

  async #open(): Promise<void> {
    if (this.#fault === undefined) await this.#each((shard) => this.#create(shard))
  }

  async #create(shard: Shard): Promise<Result<void, DiskFault>> {
    const file = extentFile(this.#place, shard.shard)
    const folder = extentFolder(this.#place)
    const made = await this.#folders.make(shard.disk, folder)
    if (!made.ok) return made
    let opened = await shard.disk.open(file, { mode: 'create', lane: 'data' })
    if (!opened.ok && opened.error === 'not-found') {
      const again = await this.#folders.makeAgain(shard.disk, folder)
      if (!again.ok) return again
      opened = await shard.disk.open(file, { mode: 'create', lane: 'data' })
    }
    if (!opened.ok) return opened
    shard.file = opened.value
    return ok(undefined)
  }

  async #append(shard: Shard, pieces: Uint8Array[]): Promise<Result<void, DiskFault>> {
    if (pieces.length === 0) return ok(undefined)
    const written = await shard.file!.write(shard.offset, pieces)
    shard.offset += piecesBytes(pieces)
    return written
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
        if (acted.error === 'full') this.#fault ??= 'full'
        else {
          shard.dropped = true
          this.#set.reportFault(this.#place.set, shardPosition(this.#place, shard.shard), acted.error)
        }
      }),
    )
    this.#checkEnough()
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
