/**
 * Since when each disk has been where it is. A shard is known by the position of its disk, and while it is on its way to the commit another disk may come
 * to that position, or the same one may come back as it was earlier; the new one heals what the index lists, which this shard's extent is not yet in. So a
 * shard counts only if its disk has stayed since before the extent was begun.
 */
import { type ExtentPlace, shardPosition, successorPosition } from '../../disks/geometry.ts'
import { everySlot, type PoolView, slotAt } from '../../disks/pool-view.ts'

/** Content in an extent that belongs to nothing yet; `generation`: the pool's when it was begun. */
export type StagedExtent = {
  readonly place: ExtentPlace
  readonly durable: number
  /** The shards that are durable on successors of disks as well. */
  readonly mirrored: number
  readonly generation: number
}

export class DiskStays {
  #view: PoolView
  /** By set and position, successors behind: the generation in which the disk came, to be healed; none if it was there when the process started. */
  readonly #since: number[][]

  constructor(view: PoolView) {
    this.#view = view
    this.#since = view.sets.map(() => [])
  }

  /** Each view in turn, also those that show a disk as out within one generation. */
  follow(view: PoolView): void {
    for (const { set, position, diskId, state } of everySlot(view)) {
      const before = slotAt(this.#view, set, position)
      if (diskId !== before?.diskId || (state === 'healing' && before.state !== 'healing')) this.#since[set]![position] = view.generation
    }
    this.#view = view
  }

  /** The shards, bit by bit, that are durable on the disks as they are now. */
  durable({ place, durable, generation }: StagedExtent): number {
    return this.#stayed(durable, place, shardPosition, generation)
  }

  /** The same of the successors that there are now. */
  mirrored({ place, mirrored, generation }: StagedExtent): number {
    return this.#stayed(mirrored, place, successorPosition, generation)
  }

  #stayed(shards: number, place: ExtentPlace, position: (place: ExtentPlace, shard: number) => number, generation: number): number {
    let counted = shards
    for (let shard = 0; shard < place.dataShards + place.parityShards; shard++) {
      const since = this.#since[place.set]?.[position(place, shard)] ?? 0
      if (since > generation) counted &= ~(2 ** shard)
    }
    return counted >>> 0
  }
}
