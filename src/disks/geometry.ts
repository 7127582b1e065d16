/** How a set codes an extent. Format: docs/formats.md#extent. */
export type Geometry = {
  /** k: shards that hold data. k + m is the number of disks in the set, 1 to 32. */
  readonly dataShards: number
  /** m: shards that hold parity; as many disks may be lost. */
  readonly parityShards: number
}

export const UNIT_BYTES = 128 * 1024
export const DISKS_PER_SET_MAX = 32

/** The parity chosen for a set of `disks` disks when nobody says otherwise. */
export function defaultParity(disks: number): number {
  if (disks <= 1) return 0
  if (disks <= 3) return 1
  if (disks <= 6) return 2
  return disks <= 10 ? 3 : 4
}

/**
 * Where the bytes of an extent are. Shard s of the extent lies on the disk at position (s + counter) mod n of its set,
 * in the file that `extentFile` names. Recorded in the journal and the index.
 */
export type ExtentPlace = Geometry & {
  readonly set: number
  /** The number of the start (of the process) that made it: names the folder. */
  readonly start: number
  /** Counts extents within one start; each writer thread has a range of its own. */
  readonly counter: number
  /** Bytes of content. */
  readonly bytes: number
}

/** The position in the set of the disk that holds shard `shard`. */
export const shardPosition = (place: ExtentPlace, shard: number): number =>
  (shard + place.counter) % (place.dataShards + place.parityShards)

/** Where its successor is, if it has one: successors.ts. */
export const successorPosition = (place: ExtentPlace, shard: number): number =>
  shardPosition(place, shard) + place.dataShards + place.parityShards
