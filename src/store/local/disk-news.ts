/** What the log says of the disks: who is out at the start, and each that goes out, comes to be filled, or is whole again. */
import type { Pool } from '../../disks/pool.ts'
import { type DiskSlot, everySlot, type PoolSet, type PoolView, slotAt } from '../../disks/pool-view.ts'

/** Tells at once who is out, and of changes until the returned function is called. */
export function tellOfDisks(pool: Pick<Pool, 'view' | 'onChange'>, tell: (sentence: string) => void): () => void {
  let told: PoolView | undefined
  const look = (view: PoolView): void => {
    for (const disk of everySlot(view)) {
      const before = told && slotAt(told, disk.set, disk.position)
      const isNews = before === undefined ? disk.state !== 'in' : before.state !== disk.state || before.diskId !== disk.diskId
      if (isNews) tell(describe(disk, view.sets[disk.set]!))
    }
    told = view
  }
  look(pool.view)
  return pool.onChange(look)
}

function describe({ directory, position, state, reason }: DiskSlot, { parityShards, disks }: PoolSet): string {
  const followed = disks[position - disks.length]
  if (followed !== undefined) {
    const serves = followed.state === 'in' ? `, and serves until that is done` : ''
    if (state === 'healing')
      return `Disk ${directory} is being filled to take the place of ${followed.directory}, which is ${followed.state}${serves}.`
    return `Disk ${directory}, which was being filled to take the place of ${followed.directory}, is out${reason === undefined ? '' : ` (${reason})`}.`
  }
  switch (state) {
    case 'in':
      return `Disk ${directory} is in: everything that it should hold was read back.`
    case 'healing':
      return `Disk ${directory} is being filled from the others; it counts as lost until that is done.`
    case 'out': {
      const left = Math.max(0, parityShards - disks.filter((disk) => disk.state !== 'in').length)
      return `Disk ${directory} is out${reason === undefined ? '' : ` (${reason})`}; ${left} more ${left === 1 ? 'disk' : 'disks'} may be lost without losing anything.`
    }
  }
}
