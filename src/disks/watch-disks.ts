/** Finds within a second that a disk has gone, also where no operation of it fails. Operations on what is open go on to succeed when its directory is removed. */
import type { Clock } from '../environment.ts'
import type { DiskOut, Pool } from './pool.ts'
import { everySlot } from './pool-view.ts'
import { describeFault } from './pool-words.ts'

const PERIOD_MS = 1000

/**
 * Checks every disk that is in or healing each second and puts out those which fail; and tries again where the site's folder could not be written.
 * The returned function ends that.
 */
export function watchDisks(pool: Pool, clock: Clock): () => void {
  let stopped = false
  const checking = new Set<string>()
  let cancel = clock.timer(PERIOD_MS, look)

  function look(): void {
    if (stopped) return
    cancel = clock.timer(PERIOD_MS, look)
    if (pool.waitsForWitness) void pool.putOut([])
    for (const slot of everySlot(pool.view)) {
      if (slot.state !== 'out' && !checking.has(slot.diskId)) void check(slot.set, slot.position, slot.diskId)
    }
  }

  async function check(set: number, position: number, diskId: string): Promise<void> {
    checking.add(diskId)
    await checkDisk(pool, set, position, () => stopped)
    checking.delete(diskId)
  }

  return () => {
    stopped = true
    cancel()
  }
}

/** Checks every disk that is in or healing, now. */
export async function checkDisks(pool: Pool): Promise<void> {
  const slots = everySlot(pool.view).filter((slot) => slot.state !== 'out')
  await Promise.all(slots.map(({ set, position }) => checkDisk(pool, set, position, () => false)))
}

async function checkDisk(pool: Pool, set: number, position: number, isOver: () => boolean): Promise<void> {
  const disk = pool.disk(set, position)?.disk
  if (disk === undefined) return
  const checked = disk.failed === undefined ? await disk.check() : { ok: false as const, error: disk.failed }
  // A disk put out or replaced meanwhile is nobody's concern any more.
  if (checked.ok || isOver() || pool.disk(set, position)?.disk !== disk) return
  const out: DiskOut = { set, position, reason: describeFault(disk.failed ?? checked.error) }
  await pool.putOut([out])
}
