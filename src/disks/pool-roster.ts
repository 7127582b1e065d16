/**
 * Who is where: the members as a generation says, less those that are lost whatever it says, and the openings of those that are here. What others see
 * of the pool is made here.
 */
import type { Disk } from './disk.ts'
import type { SetDisk } from './extents.ts'
import { staying } from './generation-chain.ts'
import type { GenerationFiles } from './generation-files.ts'
import type { Generation, GenerationSet, Member } from './identity.ts'
import type { DiskPlace } from './pool-start.ts'
import type { DiskSlot, PoolView } from './pool-view.ts'
import type { ReadOnly } from './read-only.ts'

export type Handle = { readonly disk: Disk; readonly files: GenerationFiles }

/** The members as they will be, by set and position. */
export type Draft = Member[][]

export class Roster {
  /** The newest one that is settled, or that rules a pool which may not be written. */
  generation: Generation
  /** By id, those of the pool that are here; the ones that are out too. */
  readonly handles: Map<string, Handle>
  /** Out, whatever the generation says: the reason, by id. */
  readonly lost = new Map<string, string>()
  readonly healed = new Map<string, { readonly doneBytes: number; readonly totalBytes: number }>()

  constructor(generation: Generation, handles: Map<string, Handle>) {
    this.generation = generation
    this.handles = handles
  }

  draft(): Draft {
    return this.generation.sets.map((set) => set.disks.map((member) => staying(this.#asNow(member))))
  }

  /** The sets as a draft would have them. */
  setsOf(draft: Draft): GenerationSet[] {
    return this.generation.sets.map((set, i) => ({ ...set, disks: draft[i]! }))
  }

  /** The sets as they are now. */
  sets(): GenerationSet[] {
    return this.generation.sets.map((set) => ({ ...set, disks: set.disks.map((member) => this.#asNow(member)) }))
  }

  /** Puts a disk into a place of the draft, healing. */
  takeIn(draft: Draft, { set, position }: DiskPlace, member: Member, handle: Handle): void {
    if (this.handles.get(member.diskId)?.disk !== handle.disk) this.letGo(member.diskId)
    this.handles.set(member.diskId, handle)
    this.lost.delete(member.diskId)
    this.healed.delete(member.diskId)
    draft[set]![position] = { ...member, state: 'healing', directory: handle.disk.directory }
  }

  /** Nobody uses the disk through this opening of it any more. */
  letGo(diskId: string): void {
    this.handles.get(diskId)?.disk.close()
    this.handles.delete(diskId)
  }

  view(readOnly: ReadOnly | undefined): PoolView {
    const { poolId, number } = this.generation
    const sets = this.sets().map((set, index) => ({ ...set, disks: set.disks.map((member, i) => this.#slot(member, index, i)) }))
    return { poolId, generation: number, sets, ...(readOnly === undefined ? {} : { readOnly }) }
  }

  /** By set and position; undefined where one is out. */
  setDisks({ sets }: PoolView): (SetDisk | undefined)[][] {
    const opened = (slot: DiskSlot): SetDisk | undefined => {
      const handle = slot.state === 'out' ? undefined : this.handles.get(slot.diskId)
      return handle && { disk: handle.disk, writeOnly: slot.state === 'healing' }
    }
    return sets.map((set) => set.disks.map(opened))
  }

  #asNow(member: Member): Member {
    const reason = this.lost.get(member.diskId)
    return reason === undefined ? member : { ...member, state: 'out', reason }
  }

  #slot({ diskId, state, retired, reason, directory = '' }: Member, set: number, position: number): DiskSlot {
    const healed = state === 'healing' ? this.healed.get(diskId) : undefined
    return {
      set,
      position,
      diskId,
      directory,
      state,
      ...(retired === undefined ? {} : { retired }),
      ...(reason === undefined ? {} : { reason }),
      ...(healed === undefined ? {} : { healed }),
    }
  }
}

export function putOut(draft: Draft, { set, position }: DiskPlace, reason: string): void {
  draft[set]![position] = { ...draft[set]![position]!, state: 'out', reason }
}

export function sameMembers(draft: Draft, sets: readonly GenerationSet[]): boolean {
  const text = (members: readonly (readonly Member[])[]): string => JSON.stringify(members)
  return text(draft) === text(sets.map((set) => set.disks.map(staying)))
}
