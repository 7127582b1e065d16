/** Extents as shards on the disks of a set. One per thread. Format: docs/formats.md#extent. */
import { strict as assert } from 'node:assert'
import type { Clock } from '../environment.ts'
import type { Result } from '../result.ts'
import type { DiskFault } from './disk.ts'
import { ExtentFolders } from './extent-folders.ts'
import { ShardedExtentReader } from './extent-reader.ts'
import { ShardRepair } from './extent-repair.ts'
import { ShardedExtentWriter } from './extent-writer.ts'
import type { ExtentFault, ExtentReader, ExtentStore, ExtentWriter, Pace, SetDisks } from './extents.ts'
import { type ExtentPlace, type Geometry, shardPosition, successorPosition } from './geometry.ts'
import { RunRoom } from './run-room.ts'
import { extentFile } from './shard-file.ts'

export type ShardedExtentsOptions = {
  /** 32 hexadecimal digits. */
  readonly poolId: string
  /** How a set codes new extents. */
  readonly geometry: (set: number) => Geometry
  readonly disks: SetDisks
  readonly clock: Clock
}

export class ShardedExtents implements ExtentStore {
  readonly #poolId: Uint8Array
  readonly #geometry: (set: number) => Geometry
  readonly #set: SetDisks
  readonly #folders = new ExtentFolders()
  readonly #room: RunRoom

  constructor(options: ShardedExtentsOptions) {
    assert(/^[0-9a-f]{32}$/.test(options.poolId))
    this.#poolId = Buffer.from(options.poolId, 'hex')
    this.#geometry = options.geometry
    this.#set = options.disks
    this.#room = new RunRoom(options.clock)
  }

  create(set: number, start: number, counter: number): ExtentWriter {
    const { dataShards, parityShards } = this.#geometry(set)
    const place = { dataShards, parityShards, set, start, counter, bytes: 0 }
    return new ShardedExtentWriter({ set: this.#set, folders: this.#folders, room: this.#room }, this.#poolId, place)
  }

  open(place: ExtentPlace, from: number, to: number): ExtentReader {
    return new ShardedExtentReader(this.#set, this.#poolId, place, from, to)
  }

  rebuild(place: ExtentPlace, shard: number, at?: number): Promise<Result<void, ExtentFault | DiskFault>> {
    return this.#repair(place, shard, at).rebuild()
  }

  verify(
    place: ExtentPlace,
    shard: number,
    { pace, at }: { readonly pace?: Pace | undefined; readonly at?: number | undefined } = {},
  ): Promise<Result<void, DiskFault | 'damaged' | 'stopped'>> {
    return this.#repair(place, shard, at).verify(pace)
  }

  async remove(place: ExtentPlace): Promise<void> {
    const disks = this.#set.disks(place.set)
    const shards = Array.from({ length: place.dataShards + place.parityShards }, (_, shard) => shard)
    await Promise.all(
      shards.flatMap((shard) =>
        [shardPosition, successorPosition].map((position) => disks[position(place, shard)]?.disk.remove(extentFile(place, shard))),
      ),
    )
  }

  #repair(place: ExtentPlace, shard: number, at = shardPosition(place, shard)): ShardRepair {
    return new ShardRepair({ set: this.#set, folders: this.#folders, poolId: this.#poolId }, place, shard, at)
  }
}
