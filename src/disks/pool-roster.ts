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
import type { DiskSlot, PoolSet, PoolView } from './pool-view.ts'
import type { ReadOnly } from './read-only.ts'
import { gather, isFormer, mapMembers, type SetDraft, setDisksOf, spread, withoutFormers } from './successors.ts'

export type Handle = { readonly disk: Disk; readonly files: GenerationFiles }

/** The members as they will be, by set and position. */
export type Draft = SetDraft[]

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
    return this.generation.sets.map((set) => spread(mapMembers(set, (member) => staying(this.#asNow(member)))))
  }

  /** The sets as a draft would have them. */
  setsOf(draft: Draft): GenerationSet[] {
    return this.generation.sets.map((set, i) => gather(set, draft[i]!))
  }

  /** The sets as they are now. */
  sets(): GenerationSet[] {
    return this.generation.sets.map((set) => mapMembers(set, (member) => this.#asNow(member)))
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
    const sets = this.sets().map((set, index): PoolSet => {
      const { disks, successors, ...geometry } = withoutFormers(set, () => false)
      const places = disks.map((member, place) => this.#slot(member, index, place))
      if (successors === undefined) return { ...geometry, disks: places }
      return {
        ...geometry,
        disks: places,
        successors: successors.map(({ place, ...member }) => this.#slot(member, index, disks.length + place)),
      }
    })
    return { poolId, generation: number, sets, ...(readOnly === undefined ? {} : { readOnly }) }
  }

  /** By set and position; undefined where one is out. */
  setDisks(view: PoolView): (SetDisk | undefined)[][] {
    return setDisksOf(view, (diskId) => this.handles.get(diskId)?.disk)
  }

  /** Of disks that gave their place to another, before this process began. */
  letFormersGo(): void {
    const formers = this.generation.sets.flatMap(({ successors = [] }) => successors.filter(isFormer))
    for (const { diskId } of formers) this.letGo(diskId)
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
  return JSON.stringify(draft) === JSON.stringify(sets.map((set) => spread(mapMembers(set, staying))))
}
