/**
 * A planned replacement: a disk that works keeps its place until another one, its *successor*, holds everything that it should hold, and has been read back.
 *
 * A set has n places, and behind each a second one: position n + p is for the successor of the disk at place p. It is filled as any disk that heals, and as
 * that one counts for nothing: not for who may go on alone, not for what is acknowledged, not for what may be lost. So the set is no worse than without
 * it, whatever happens to it. What the old disk can give is copied from there, the rest is rebuilt from the others.
 *
 * - Since it came, nothing is committed without it: journal segments on the old disk are on the successor too, and so is each shard. What was committed
 *   before, it is given.
 * - Then one generation puts it into the place, and the old one out for good (`retired`). Whichever of the two generations a start finds to rule, the disk
 *   that is in by it has everything. The old one stays listed behind the place until that generation is settled: until then it might go on alone.
 * - The successor fails: it is out, behind its place, and is filled further when it comes back, as any disk that is out. The old one fails: that one is
 *   out, and filling goes on from the others. Both may come back; whoever is first whole has the place.
 *
 * Format: docs/formats.md#disk-identity.
 */
import { fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import type { SetDisk } from './extents.ts'
import { DISKS_PER_SET_MAX, type Geometry } from './geometry.ts'
import type { GenerationSet, Member, Successor } from './identity.ts'
import type { DiskSlot, PoolView } from './pool-view.ts'

/** The members of a set by position, those behind the places among them; undefined where nobody is. */
export type SetDraft = (Member | undefined)[]

export const membersOf = ({ disks, successors = [] }: Pick<GenerationSet, 'disks' | 'successors'>): Member[] => [...disks, ...successors]

export function spread({ disks, successors = [] }: GenerationSet): SetDraft {
  const behind: SetDraft = disks.map(() => undefined)
  for (const { place, ...member } of successors) behind[place] = member
  return [...disks, ...behind]
}

/** The set with these members. */
export function gather({ dataShards, parityShards, disks }: GenerationSet, members: SetDraft): GenerationSet {
  const places = disks.length
  const successors: Successor[] = members.slice(places).flatMap((member, place) => (member === undefined ? [] : { place, ...member }))
  return {
    dataShards,
    parityShards,
    disks: disks.map((_, place) => members[place]!),
    ...(successors.length === 0 ? {} : { successors }),
  }
}

export const mapMembers = (set: GenerationSet, change: (member: Member) => Member): GenerationSet =>
  gather(
    set,
    spread(set).map((member) => member && change(member)),
  )

/** Of a member behind a place: it had that before its successor took it, or was retired. */
export const isFormer = ({ state, retired }: Member): boolean => state === 'out' && retired === true

/** Without those behind the places that are of no concern any more. */
export const withoutFormers = (set: GenerationSet, isNeeded: (former: Member) => boolean): GenerationSet => {
  const { successors = [], ...rest } = set
  const left = successors.filter((member) => !isFormer(member) || isNeeded(member))
  return left.length === 0 ? rest : { ...rest, successors: left }
}

/** The disk at `position` has everything: it is in, and has its place if it was behind it. */
export function takePlace(members: SetDraft, position: number): void {
  const place = position % (members.length / 2)
  const { reason: _, ...rest } = members[position]!
  const { reason = 'replaced', ...old } = members[place]!
  members[place] = { ...rest, state: 'in' }
  if (position !== place) members[position] = { ...old, state: 'out', retired: true, reason }
}

/** Where an empty disk is to be that replaces the one at `position`, and who goes for it, at once: nobody, if it is to be a successor. */
export function makeRoom(
  set: GenerationSet,
  members: SetDraft,
  position: number,
): Result<{ readonly position: number; readonly gone: readonly Member[] }, 'not-possible' | 'too-few-disks'> {
  const place = position % set.disks.length
  const behind = behindPlace(members, place)
  if (members[position]?.state === 'in')
    return hasRoomForSuccessor(set, members, place) ? ok({ position: behind, gone: [] }) : fail('not-possible')
  const stay = members.filter((other, at) => at !== position && other?.state === 'in').length
  if (stay < set.dataShards) return fail('too-few-disks')
  const gone = [members[position], members[behind]].filter((each) => each !== undefined)
  members[behind] = undefined
  return ok({ position, gone })
}

/**
 * An attempt at a generation failed: a successor that was to take a place by it, and failed, does not. The disk that was in by `durable` may still be: nothing
 * was acknowledged without it.
 */
export function takeBackPlaces(members: SetDraft, durable: GenerationSet, lost: { has(diskId: string): boolean }): void {
  for (const [place, old] of durable.disks.entries()) {
    const failed = members[place]!
    if (failed.state !== 'out' || failed.diskId === old.diskId || old.state !== 'in' || lost.has(old.diskId)) continue
    if (members[behindPlace(members, place)]?.diskId !== old.diskId) continue
    members[place] = old
    members[behindPlace(members, place)] = failed
  }
}

/** How many a set may have at once. A generation has room for four; a segment header names 32 disks, the m + 1 with a copy and the successors of those. */
export const successorsMax = ({ parityShards }: Geometry): number => Math.min(4, DISKS_PER_SET_MAX - 1 - parityShards)

/** Whether the disk at `place` may have one now. */
function hasRoomForSuccessor(geometry: Geometry, members: SetDraft, place: number): boolean {
  const others = members.slice(behindPlace(members, 0)).filter((member) => member !== undefined && !isFormer(member)).length
  const behind = members[behindPlace(members, place)]
  return (behind === undefined || isFormer(behind)) && others < successorsMax(geometry)
}

/** Where the successor of the disk at `place` is. */
export const behindPlace = (members: { readonly length: number }, place: number): number => members.length / 2 + place

/** By set and position, as `SetDisks` has them; `opened`: the disk of an id, if it is open. */
export function setDisksOf({ sets }: Pick<PoolView, 'sets'>, opened: (diskId: string) => Disk | undefined): (SetDisk | undefined)[][] {
  const found = (slot: DiskSlot | undefined): SetDisk | undefined => {
    const disk = slot === undefined || slot.state === 'out' ? undefined : opened(slot.diskId)
    return disk && { disk, writeOnly: slot?.state === 'healing' }
  }
  return sets.map(({ disks, successors }) => {
    const places = disks.map(found)
    if (successors === undefined) return places
    return [...places, ...disks.map((_, place) => found(successors.find(({ position }) => position === disks.length + place)))]
  })
}
