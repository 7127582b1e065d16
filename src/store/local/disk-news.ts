/** What the log says of the disks: who is out at the start, and each that goes out, comes to be filled, or is whole again. */
import type { Pool } from '../../disks/pool.ts'
import type { DiskSlot, PoolSet, PoolView } from '../../disks/pool-view.ts'

/** Tells at once who is out, and of changes until the returned function is called. */
export function tellOfDisks(pool: Pick<Pool, 'view' | 'onChange'>, tell: (sentence: string) => void): () => void {
  let told: PoolView | undefined
  const look = (view: PoolView): void => {
    for (const [number, set] of view.sets.entries()) {
      for (const disk of set.disks) {
        const before = told?.sets[number]?.disks[disk.position]
        const isNews = before === undefined ? disk.state !== 'in' : before.state !== disk.state || before.diskId !== disk.diskId
        if (isNews) tell(describe(disk, set))
      }
    }
    told = view
  }
  look(pool.view)
  return pool.onChange(look)
}

function describe({ directory, state, reason }: DiskSlot, { parityShards, disks }: PoolSet): string {
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
