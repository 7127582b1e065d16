/** Directories that are to become, or say that they are, disks of a pool. */
import type { Random } from '../environment.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import { GenerationFiles, isVacant, readFoundDisk } from './generation-files.ts'
import type { Generation } from './identity.ts'
import { hex } from './pool-create.ts'
import type { Handle } from './pool-roster.ts'
import type { DiskPlace } from './pool-start.ts'
import { everySlot, type PoolView } from './pool-view.ts'
import { describeFault, type PoolFault } from './pool-words.ts'

/** The generation that a disk shows, 'none' if it cannot be read; undefined if it is not the disk of this id. */
export async function shownBy(disk: Disk, { poolId }: PoolView, diskId: string): Promise<Generation | 'none' | undefined> {
  const found = await readFoundDisk(disk)
  if (!found.ok || found.value.identity?.poolId !== poolId || found.value.identity.diskId !== diskId) return undefined
  return found.value.generation ?? 'none'
}

/** Gives an empty disk the identity of one that takes this place. */
export async function layInto(
  { set, position }: DiskPlace,
  disk: Disk,
  view: PoolView,
  random: Random,
): Promise<Result<{ readonly diskId: string; readonly handle: Handle }, PoolFault>> {
  const geometry = view.sets[set]
  if (geometry?.disks[position] === undefined) return fail({ kind: 'bad-geometry', sentence: `Set ${set} has no place ${position}.` })
  const vacant = await isReadyForUse(disk, view)
  if (!vacant.ok)
    return fail({ kind: 'not-empty', sentence: `${disk.directory} cannot be used: ${vacant.error}. Name an empty directory.` })
  const { dataShards, parityShards } = geometry
  const diskId = hex(random.bytes(16))
  const files = await GenerationFiles.lay(disk, { poolId: view.poolId, diskId, set, position, dataShards, parityShards })
  if (!files.ok) return fail({ kind: 'disk-failed', sentence: `${disk.directory} cannot be used: ${describeFault(files.error)}.` })
  return ok({ diskId, handle: { disk, files: files.value } })
}

/** It is empty, or was about to take a place when a replacement was interrupted. */
async function isReadyForUse(disk: Disk, view: PoolView): Promise<Result<void, string>> {
  const found = await readFoundDisk(disk)
  const identity = found.ok ? found.value.identity : undefined
  const ours = everySlot(view).some((slot) => slot.diskId === identity?.diskId)
  const interrupted = identity?.poolId === view.poolId && !ours
  return isVacant(disk, interrupted ? 'with-identity' : 'without-identity')
}
