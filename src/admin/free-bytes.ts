/** How much content still fits, as far as the file systems of the disks tell. */
import { promises as fs } from 'node:fs'
import type { PoolView } from '../disks/pool-view.ts'

/** Kept free on each file system, for the journal and for deletes. */
const RESERVE_BYTES = 1024 * 1024 * 1024
/** Of a file system, at most this share of what is free is kept. */
const RESERVE_SHARE = 0.05

/**
 * Bytes of content that the sets of the pool can still take. Disks on one file system share its space; what a file system does not tell is not counted as
 * full.
 */
export async function freeBytes(pool: PoolView): Promise<number> {
  const disks = pool.sets.flatMap(({ disks, successors = [] }, at) =>
    [...disks, ...successors].filter(({ state }) => state !== 'out').map(({ directory }) => ({ at, directory })),
  )
  const known = await Promise.all(
    disks.map(async ({ at, directory }) => {
      try {
        const [{ dev }, { bavail, bsize }] = [await fs.stat(directory), await fs.statfs(directory)]
        return { at, dev, free: bavail * bsize }
      } catch {
        return { at, dev: undefined, free: Number.POSITIVE_INFINITY }
      }
    }),
  )
  const sharing = (dev: number): number => known.filter((disk) => disk.dev === dev).length
  const share = ({ dev, free }: (typeof known)[number]): number =>
    dev === undefined ? free : Math.max(0, free - Math.min(RESERVE_BYTES, free * RESERVE_SHARE)) / sharing(dev)
  const bytes = pool.sets.map(({ dataShards }, at) => Math.min(...known.filter((disk) => disk.at === at).map(share)) * dataShards)
  return Math.floor(bytes.reduce((sum, one) => sum + one, 0))
}
