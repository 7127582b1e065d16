/**
 * Since when each disk has been where it is. A shard is known by the position of its disk, and while it is on its way to the commit another disk may come
 * to that position, or the same one may come back as it was earlier; the new one heals what the index lists, which this shard's extent is not yet in. So a
 * shard counts only if its disk has stayed since before the extent was begun.
 */
import { type ExtentPlace, shardPosition } from '../../disks/geometry.ts'
import type { DiskOut } from '../../disks/pool.ts'
import type { PoolView } from '../../disks/pool-view.ts'

/** Content in an extent that belongs to nothing yet; `generation`: the pool's when it was begun. */
export type StagedExtent = { readonly place: ExtentPlace; readonly durable: number; readonly generation: number }

export class DiskStays {
  #view: PoolView
  /** By set and position: the generation in which the disk came, to be healed; 0 if it was there when the process started. */
  readonly #since: number[][]

  constructor(view: PoolView) {
    this.#view = view
    this.#since = view.sets.map((set) => set.disks.map(() => 0))
  }

  /** Each view in turn, also those that show a disk as out within one generation. */
  follow(view: PoolView): void {
    for (const { set, position, diskId, state } of view.sets.flatMap(({ disks }) => disks)) {
      const before = this.#view.sets[set]!.disks[position]!
      if (diskId !== before.diskId || (state === 'healing' && before.state !== 'healing')) this.#since[set]![position] = view.generation
    }
    this.#view = view
  }

  /** The shards, bit by bit, that are durable on the disks as they are now. */
  durable({ place, durable, generation }: StagedExtent): number {
    let counted = durable
    for (let shard = 0; shard < place.dataShards + place.parityShards; shard++) {
      const since = this.#since[place.set]?.[shardPosition(place, shard)] ?? 0
      if (since > generation) counted &= ~(2 ** shard)
    }
    return counted >>> 0
  }
}

/** The disks that count as in, or are about to, and do not have their shard of these. */
export function lackingDisks(staged: readonly StagedExtent[], view: PoolView, isArriving: (diskId: string) => boolean): DiskOut[] {
  const lacking = new Map<string, DiskOut>()
  for (const { place, durable } of staged) {
    for (let shard = 0; shard < place.dataShards + place.parityShards; shard++) {
      if ((durable & (2 ** shard)) !== 0) continue
      const position = shardPosition(place, shard)
      const slot = view.sets[place.set]?.disks[position]
      if (slot === undefined || (slot.state !== 'in' && !isArriving(slot.diskId))) continue
      lacking.set(`${place.set}/${position}`, { set: place.set, position, reason: 'it lacks a part of what was written meanwhile' })
    }
  }
  return [...lacking.values()]
}
