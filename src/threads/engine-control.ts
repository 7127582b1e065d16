/** `SiteControl` over the engine itself, in the thread that has it. */

import { mkdir } from 'node:fs/promises'
import type { SiteControl } from '../admin/control.ts'
import { openDirectoryDisk } from '../disks/directory-disk.ts'
import { IDENTITY_FILE } from '../disks/identity.ts'
import { checkDisks } from '../disks/watch-disks.ts'
import type { Clock } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Engine } from '../store/local/engine.ts'

const PROGRESS_PERIOD_MS = 200

export function engineControl(engine: Engine, clock: Clock): SiteControl {
  return {
    async status() {
      // Whoever has just pulled a disk wants to see it out.
      await checkDisks(engine.pool)
      return { pool: engine.pool.view, sequence: engine.journal.nextSequence - 1, shardsToRepair: engine.healing.shardsToRepair }
    },
    beginEpoch: (epoch, clockUs) => engine.beginEpoch(epoch, clockUs),
    async replaceDisk(oldDirectory, newDirectory, progress): Promise<Result<void, string>> {
      const slot = engine.pool.view.sets.flatMap((set) => set.disks).find((disk) => disk.directory === oldDirectory)
      if (slot === undefined) {
        const known = engine.pool.view.sets.flatMap((set) => set.disks.map((disk) => disk.directory)).join(', ')
        return fail(`${oldDirectory} is no disk of this site; its disks are ${known}.`)
      }
      try {
        await mkdir(newDirectory, { recursive: true, mode: 0o700 })
      } catch (error) {
        return fail(
          `${newDirectory} can't be made (${(error as NodeJS.ErrnoException).code}): choose a directory that Holdfast may write to.`,
        )
      }
      const disk = await openDirectoryDisk({ directory: newDirectory, identityFile: IDENTITY_FILE, clock })
      if (!disk.ok) return fail(`${newDirectory} can't be opened (${disk.error}): choose a directory that Holdfast may read and write.`)
      const replaced = await engine.pool.replaceDisk(slot.set, slot.position, disk.value)
      if (!replaced.ok) {
        disk.value.close()
        return fail(typeof replaced.error === 'string' ? REFUSED[replaced.error] : replaced.error.sentence)
      }
      return heal(engine, slot.set, slot.position, clock, progress)
    },
  }
}

const REFUSED = {
  'too-few-disks': 'Too few other disks are in to fill a new one: bring disks back first (holdfast disk status shows which are out).',
  'read-only': 'The site is read-only: holdfast status says which disks have to come back first.',
}

async function heal(
  engine: Engine,
  set: number,
  position: number,
  clock: Clock,
  progress: (step: { doneBytes: number; totalBytes: number }) => void,
): Promise<Result<void, string>> {
  // Healing may have been begun by the engine itself already: what it has done is in the view.
  let stopped = false
  const look = (): void => {
    if (stopped) return
    const healed = engine.pool.view.sets[set]?.disks[position]?.healed
    if (healed !== undefined) progress(healed)
    clock.timer(PROGRESS_PERIOD_MS, look)
  }
  look()
  const healed = await engine.healing.healDisk(set, position)
  stopped = true
  if (healed.ok || engine.pool.view.sets[set]?.disks[position]?.state === 'in') return ok(undefined)
  const why = {
    'disk-failed': 'the new disk failed, or was taken away',
    'too-few-disks': 'too few other disks can be read',
    stopped: 'the server stopped meanwhile; it goes on at the next start',
    damaged: 'some of what it should hold is damaged on the other disks too; what could be filled was filled',
  }[healed.error]
  return fail(`The disk is not filled yet: ${why}.`)
}
