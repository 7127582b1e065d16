/** `SiteControl` over the engine itself, in the thread that has it. */
import type { ScrubRefusal, ScrubReport, SiteControl } from '../admin/control.ts'
import { describeHeld } from '../disks/disk-locks.ts'
import { type DiskSlot, everySlot, isSuccessor, slotAt } from '../disks/pool-view.ts'
import { describeFault } from '../disks/pool-words.ts'
import { whyNotReplace } from '../disks/replacement.ts'
import { checkDisks } from '../disks/watch-disks.ts'
import type { Clock } from '../environment.ts'
import { describeNotMade, makeFolders, whyNotWritable } from '../make-folders.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Engine } from '../store/local/engine.ts'
import type { LocalSite } from '../store/local/open-site.ts'
import type { ScrubFault } from '../store/local/scrub.ts'

const PROGRESS_PERIOD_MS = 200

export function engineControl({ engine, openDisk }: Pick<LocalSite, 'engine' | 'openDisk'>, clock: Clock): SiteControl {
  return {
    async status() {
      // Whoever has just pulled a disk wants to see it out.
      await checkDisks(engine.pool)
      const { pool, sequence, healing, scrub } = engine
      return { pool: pool.view, sequence, shardsToRepair: healing.shardsToRepair, scrub: scrub.status }
    },
    beginEpoch: (epoch, clockUs) => engine.beginEpoch(epoch, clockUs),
    async scrub(options, progress, signal): Promise<Result<ScrubReport, ScrubRefusal>> {
      const scrubbing = engine.scrub.run({ ...options, signal })
      const stop = repeat(clock, () => {
        const { running } = engine.scrub.status
        if (running?.by === 'operator') progress(running)
      })
      const scrubbed = await scrubbing
      stop()
      if (scrubbed.ok) return scrubbed
      return fail({ exit: scrubbed.error === 'index-damaged' ? 3 : 5, sentence: NOT_SCRUBBED[scrubbed.error] })
    },
    async replaceDisk({ oldDirectory, newDirectory, force }, progress): Promise<Result<void, string>> {
      // What is out by now need not be found out by hand.
      await checkDisks(engine.pool)
      const { view } = engine.pool
      const slot = everySlot(view).find((disk) => disk.directory === oldDirectory)
      if (slot === undefined) {
        const known = everySlot(view).map((disk) => disk.directory)
        return fail(`${oldDirectory} is no disk of this site; its disks are ${known.join(', ')}.`)
      }
      const successor = slotAt(view, slot.set, view.sets[slot.set]!.disks.length + slot.position)
      // The command was stopped, and is given again.
      if (successor?.state === 'healing' && successor.directory === newDirectory) return heal(engine, successor, clock, progress)
      const refused = whyNotReplace(view.sets[slot.set]!, slot, { force })
      if (refused !== undefined) return fail(refused)
      const made = await makeFolders(newDirectory)
      const unusable = made.ok ? await whyNotWritable(newDirectory) : describeNotMade(made.error)
      if (unusable !== undefined) return fail(unusable)
      const disk = await openDisk(newDirectory)
      if (!disk.ok) {
        const why = disk.error
        if (typeof why === 'object') return fail(describeHeld(newDirectory, why))
        return fail(`${newDirectory} can't be opened (${describeFault(why)}): choose a directory that Holdfast may read and write.`)
      }
      const replaced = await engine.pool.replaceDisk(slot.set, slot.position, disk.value)
      if (!replaced.ok) {
        disk.value.close()
        return fail(typeof replaced.error === 'string' ? REFUSED[replaced.error] : replaced.error.sentence)
      }
      const taken = everySlot(replaced.value).find(({ diskId }) => engine.pool.opened(diskId) === disk.value)
      return taken === undefined ? fail(FAILED_AT_ONCE) : heal(engine, taken, clock, progress)
    },
    retireDisks: (directories, giveUp) => engine.retire({ directories, ...(giveUp === undefined ? {} : { giveUp }) }),
  }
}

const FAILED_AT_ONCE = 'The new disk failed as it was taken in: choose another one.'

const REFUSED = {
  'too-few-disks': 'Too few other disks are in to fill a new one: bring disks back first (holdfast disk status shows which are out).',
  'read-only': 'The site is read-only: holdfast status says which disks have to come back first.',
}

const NOT_SCRUBBED: Readonly<Record<ScrubFault, string>> = {
  'under-way': 'Another scrub is under way: holdfast disk status shows how far it is. Wait for its end, or stop that command.',
  'read-only': 'The site is read-only, so nothing could be repaired: holdfast status says which disks have to come back first.',
  'index-damaged': 'The index is damaged: restart the server, which makes it anew from the journal, then scrub again.',
  stopped: 'The scrub was stopped. What was repaired until then stays repaired.',
}

/** Does it now and again; the returned function ends that. */
function repeat(clock: Clock, act: () => void): () => void {
  let cancel: () => void
  const next = (): void => {
    act()
    cancel = clock.timer(PROGRESS_PERIOD_MS, next)
  }
  next()
  return () => cancel()
}

async function heal(
  engine: Engine,
  slot: DiskSlot,
  clock: Clock,
  progress: (step: { doneBytes: number; totalBytes: number }) => void,
): Promise<Result<void, string>> {
  const { set, position, diskId, directory } = slot
  const now = (): DiskSlot | undefined => everySlot(engine.pool.view).find((slot) => slot.diskId === diskId)
  // Healing may have been begun by the engine itself already: what it has done is in the view.
  const stop = repeat(clock, () => {
    const healed = now()?.healed
    if (healed !== undefined) progress(healed)
  })
  const healed = await engine.healing.healDisk(set, position)
  stop()
  if (healed.ok || now()?.state === 'in') return ok(undefined)
  if (now() === undefined)
    return fail(`${directory} is not going to be a disk of this site any more: its replacement was called off, or it was replaced itself.`)
  const serves = isSuccessor(engine.pool.view, slot)
  const why = {
    'disk-failed': 'the new disk failed, or was taken away; "holdfast disk status" says which, and it is tried again by itself',
    full: serves
      ? `the new disk is full, and the old one stays in. To take a larger one: holdfast disk replace SITE ${directory} NEW-DIR; to keep the old one: holdfast disk retire SITE ${directory}`
      : 'the new disk is full; it is tried again by itself',
    'too-few-disks': 'too few other disks can be read; it goes on by itself when they are back',
    stopped: 'the server stopped meanwhile; it goes on at the next start',
    damaged: 'some of what it should hold is damaged on the other disks too; what could be filled was filled',
  }[healed.error]
  return fail(`The disk is not filled yet: ${why}.`)
}
