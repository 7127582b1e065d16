/** A set of simulated disks with extents on it, and what was reported of them. */
import type { DiskFault } from '../../src/disks/disk.ts'
import type { ExtentFault, ExtentReader, SetDisk, SetDisks } from '../../src/disks/extents.ts'
import { type ExtentPlace, type Geometry, shardPosition } from '../../src/disks/geometry.ts'
import { extentFile } from '../../src/disks/shard-file.ts'
import { ShardedExtents } from '../../src/disks/sharded-extents.ts'
import type { Result } from '../../src/result.ts'
import { Chance } from '../sim/chance.ts'
import type { SimulatedDisk } from '../sim/simulated-disk.ts'
import { SimulatedWorld } from '../sim/world.ts'

export const POOL = '00112233445566778899aabbccddeeff'
const patterns = new Chance(99).bytes(8 * 1024 * 1024)

export class ExtentSet implements SetDisks {
  readonly world: SimulatedWorld
  readonly geometry: Geometry
  readonly extents: ShardedExtents
  readonly slots: (SetDisk | undefined)[]
  /** "position fault". */
  readonly faults: string[] = []
  /** Shards. */
  readonly badShards = new Set<number>()
  #counter = 0

  constructor(dataShards: number, parityShards: number, seed = 1) {
    this.world = new SimulatedWorld(seed)
    this.geometry = { dataShards, parityShards }
    const disks = Array.from({ length: dataShards + parityShards }, (_, i) => this.world.addDisk(`/disk${i}`))
    this.slots = disks.map((disk) => ({ disk, writeOnly: false }))
    this.extents = new ShardedExtents({ poolId: POOL, geometry: () => this.geometry, disks: this, clock: this.world.clock })
  }

  disks(): readonly (SetDisk | undefined)[] {
    return this.slots
  }
  reportFault(_set: number, position: number, fault: DiskFault): void {
    this.faults.push(`${position} ${fault}`)
  }
  reportBadShard(_place: ExtentPlace, shard: number): void {
    this.badShards.add(shard)
  }

  disk(position: number): SimulatedDisk {
    return this.world.disks[position]!
  }
  /** The disk that holds a shard, and the file on it. */
  holder(place: ExtentPlace, shard: number): [disk: SimulatedDisk, file: string] {
    return [this.disk(shardPosition(place, shard)), extentFile(place, shard)]
  }
  takeOut(position: number): void {
    this.slots[position] = undefined
  }
  /** A new, empty disk, healing. */
  replace(position: number): void {
    this.disk(position).replaceByEmpty()
    this.slots[position] = { disk: this.disk(position).reopen(), writeOnly: true }
  }
  /** A new, empty disk that is to follow the one at `position`; answers its position. */
  follow(position: number): number {
    const at = this.geometry.dataShards + this.geometry.parityShards + position
    while (this.slots.length < at) this.slots.push(undefined)
    this.slots[at] = { disk: this.world.addDisk(`/new${position}`), writeOnly: true }
    return at
  }
  healed(position: number): void {
    this.slots[position] = { disk: this.disk(position), writeOnly: false }
  }
  /** Every file on every disk. */
  files(): string[] {
    return this.world.disks.flatMap((disk) => disk.files())
  }

  /** Bytes that differ from extent to extent and from place to place. */
  content(bytes: number): Uint8Array {
    return patterns.subarray(this.#counter * 7919, this.#counter * 7919 + bytes)
  }

  async store(content: Uint8Array, chunkBytes = 100_000): Promise<ExtentPlace> {
    const written = await this.write(content, chunkBytes)
    if (!written.ok) throw new Error(written.error)
    return written.value.place
  }

  async write(content: Uint8Array, chunkBytes = 100_000, between: (sentBytes: number) => void = () => {}) {
    const writer = this.extents.create(0, 3, this.#counter++)
    return this.world.run(
      (async () => {
        for (let from = 0; from < content.length; from += chunkBytes) {
          await writer.write(content.subarray(from, from + chunkBytes))
          between(from + chunkBytes)
        }
        return writer.finish()
      })(),
    )
  }

  read(place: ExtentPlace, from = 0, to = place.bytes, between: (readBytes: number) => void = () => {}) {
    return this.world.run(drain(this.extents.open(place, from, to), between))
  }
  /** The same through memory that the reader only lends. */
  readLent(place: ExtentPlace, from = 0, to = place.bytes, between: (readBytes: number) => void = () => {}) {
    const reader = this.extents.open(place, from, to)
    reader.lend()
    return this.world.run(drain(reader, between))
  }
  verify(place: ExtentPlace, shard: number, at?: number) {
    return this.world.run(this.extents.verify(place, shard, { at }))
  }
  rebuild(place: ExtentPlace, shard: number, at?: number) {
    return this.world.run(this.extents.rebuild(place, shard, at))
  }
}

async function drain(reader: ExtentReader, between: (readBytes: number) => void): Promise<Result<Uint8Array, ExtentFault>> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for (;;) {
    const read = await reader.read()
    if (!read.ok) return read
    if (read.value === undefined) break
    // What is lent is needed no longer than to the next read.
    pieces.push(new Uint8Array(read.value))
    bytes += read.value.length
    between(bytes)
  }
  reader.close()
  return { ok: true, value: new Uint8Array(Buffer.concat(pieces)) }
}

export const same = (read: Result<Uint8Array, string>, expected: Uint8Array): boolean =>
  read.ok && Buffer.compare(read.value, expected) === 0
