/** Removes what an unclean start left: shards that no record came to refer to. */
import type { Disk } from '../../disks/disk.ts'
import type { Pool } from '../../disks/pool.ts'
import { everySlot } from '../../disks/pool-view.ts'
import { parseShardName, startFolder } from '../../disks/shard-file.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { getExtent } from './index/rows.ts'

/**
 * Every extent of a start that is over is either in the index by now or never will be. 'later' if a disk could not be looked through: it will be at the
 * next start.
 */
export async function sweepLeftovers(input: {
  readonly pool: Pool
  readonly index: OrderedMap
  readonly start: number
  readonly stopped: () => boolean
}): Promise<'done' | 'later'> {
  const { pool } = input
  let all = true
  for (const { set, position } of everySlot(pool.view)) {
    const disk = pool.disk(set, position)?.disk
    if (disk === undefined || !(await sweepDisk(input, disk))) all = false
  }
  return all && !input.stopped() ? 'done' : 'later'
}

async function sweepDisk({ index, start, stopped }: Parameters<typeof sweepLeftovers>[0], disk: Disk): Promise<boolean> {
  const top = startFolder(start)
  const folders = await disk.list(top)
  if (!folders.ok) return folders.error === 'not-found'
  for (const folder of folders.value) {
    if (!folder.endsWith('/')) continue
    const path = `${top}/${folder.slice(0, -1)}`
    const names = await disk.list(path)
    if (!names.ok) return false
    let left = 0
    for (const name of names.value) {
      if (stopped()) return false
      const shard = parseShardName(name)
      const isKnown = shard !== undefined && getExtent(index.reader(), { start, counter: shard.counter }) !== undefined
      if (isKnown || name.endsWith('/')) left++
      else await disk.remove(`${path}/${name}`)
    }
    if (left === 0) await disk.removeFolder(path)
  }
  return true
}
