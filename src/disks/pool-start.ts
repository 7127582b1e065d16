/**
 * Who is in at a start: a function of what the disks, the witness and the index show. Format: docs/formats.md#disk-identity.
 *
 * - A generation is written to every disk that is in or healing by it, then to the witness; only then is it *settled*, and only then is anything
 *   acknowledged without the disks that it puts out. So the newest generation on any disk rules, settled or not: nothing acknowledged is missing
 *   on the disks that are in by it.
 * - Newest means: the others are its ancestors. An attempt that reached only some disks may not be among the ancestors, when those disks were missing at
 *   the start after it. Such an attempt was never settled: a disk that it counts on went on without knowing it. It is dead, whatever its number.
 *   Only generations that are ancestors or descendants of the witness's are considered, as that one was settled.
 * - A disk that is in by the ruling generation but shows a number below the greatest one known to be settled was not there when that was
 *   written: it came back as it was earlier, and counts as lost. One that shows an ancestor in between (a crash while the newest was being written)
 *   is whole.
 * - The witness is written last, so it never runs ahead of the disks. If it, or the index, has seen a later generation than all disks here
 *   show, then others went on without these: starting would begin a second history.
 * - Without a witness, k missing disks of a set might have gone on alone. With fewer than k they cannot have. Those that the ruling generation itself
 *   put out count among them, since it may not have been settled.
 * - An operator may decide that those others are lost. That begins a *branch*: should they come back after all, then what they did meanwhile counts
 *   for nothing. Disks that were retired by name are not looked at, even if they are here.
 * - What disks that are out hold counts for nothing.
 */
import { fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import { type DiskIdentity, type Generation, type GenerationSet, type Member, PAST_MAX } from './identity.ts'
import type { Witness } from './pool-witness.ts'
import { FORKED, type PoolFault, whyMissing, whyTooFew } from './pool-words.ts'
import { joinWords, type ReadOnly } from './read-only.ts'
import { behindPlace, mapMembers, membersOf, spread } from './successors.ts'

/** A directory as it was found. Without `identity` it is no disk of any pool that can be read; `why` says so to people. */
export type FoundDisk = {
  readonly disk: Disk
  readonly identity?: DiskIdentity
  /** The valid one with the greater number. */
  readonly generation?: Generation
  readonly why?: string
}

export type StartInput = {
  readonly found: readonly FoundDisk[]
  readonly witness: Witness | undefined
  /** Greatest generation that the index has seen; 0 if there is no index. */
  readonly seenGeneration: number
  readonly acceptOlder: boolean
  /** Ids of disks that an operator retired, though no generation says so yet. */
  readonly retired: ReadonlySet<string>
  /** Where a directory of an earlier start is today: what is not here must not be looked for where another site has its disks. */
  readonly moved: (directory: string) => string
}

export type DiskPlace = { readonly set: number; readonly position: number }

export type StartDecision = {
  readonly ruling: Generation
  /** The sets of the ruling generation, with those out that cannot be in now. */
  readonly sets: readonly GenerationSet[]
  /** Every disk of the ruling generation that is here, by id; those out too. */
  readonly here: ReadonlyMap<string, FoundDisk>
  /** Greatest number known to be settled. */
  readonly settled: number
  /** Greatest number known at all. */
  readonly greatest: number
  /** A part of the pool goes on by the operator's decision. */
  readonly forced: boolean
  /** Why the pool may not be written. */
  readonly blocked?: Blocked
  /** Fewer than k disks of a set can be in. */
  readonly short?: ReadOnly
}

/** `missing`: the disks that have to come back or be retired; none if nobody knows which. */
export type Blocked = { readonly why: ReadOnly; readonly missing: readonly Member[] }

/** See the head. Faults: disks of several pools, or none that could rule. */
export function decideStart(input: StartInput): Result<StartDecision, PoolFault> {
  const { witness, seenGeneration, retired } = input
  const members = input.found.filter((found) => found.identity !== undefined && !retired.has(found.identity.diskId))
  const mixed = findMixture(members, witness)
  if (mixed !== undefined) return fail(mixed)
  const ruling = findRuling(members, witness)
  if (!ruling.ok) return ruling
  const rules = relocated(ruling.value, input.moved)

  const settled = Math.max(rules.settled, witness !== undefined && isPastOf(witness, rules) ? witness.number : 0)
  // A directory that says nothing of itself is known by its name, to people.
  const unread = new Map(
    input.found.flatMap(({ identity, disk, why }) => (identity === undefined && why !== undefined ? [[disk.directory, why]] : [])),
  )
  const here = new Map(members.map((found) => [found.identity!.diskId, found]))
  const sets = rules.sets.map((set) =>
    mapMembers(set, (member) => {
      const judged = judge(member, here.get(member.diskId), unread, rules, settled)
      return retired.has(member.diskId) ? asRetired(judged) : judged
    }),
  )
  const greatest = Math.max(rules.number, witness?.number ?? 0, seenGeneration, ...members.map((found) => found.generation?.number ?? 0))

  const blocked = findBlock({ ...input, found: members }, rules, sets)
  const short = findShort(sets)
  const decision = { ruling: rules, sets, here, settled, greatest, ...(short === undefined ? {} : { short }) }
  if (blocked === undefined) return ok({ ...decision, forced: retired.size > 0 })
  const givenUp = blocked.missing.length > 0 && blocked.missing.every((member) => retired.has(member.diskId))
  return ok(input.acceptOlder || givenUp ? { ...decision, forced: true } : { ...decision, forced: false, blocked })
}

function relocated(generation: Generation, moved: StartInput['moved']): Generation {
  const move = (member: Member): Member => (member.directory === undefined ? member : { ...member, directory: moved(member.directory) })
  return { ...generation, sets: generation.sets.map((set) => mapMembers(set, move)) }
}

/** Why nothing can be written: the first set of which fewer disks are in than it needs. */
export function findShort(sets: readonly Pick<GenerationSet, 'dataShards' | 'disks'>[]): ReadOnly | undefined {
  const short = sets.findIndex((set) => set.disks.filter((member) => member.state === 'in').length < set.dataShards)
  return short < 0 ? undefined : whyTooFew(short, sets[short]!)
}

export const asRetired = (member: Member): Member => ({ ...member, state: 'out', retired: true, reason: 'retired' })

/** Whether `earlier` is `later` or one of its ancestors; one older than its list of ancestors is believed to be. */
export function isPastOf(earlier: Generation, later: Generation): boolean {
  if (earlier.name === later.name || later.past.some((ancestor) => ancestor.name === earlier.name)) return true
  const oldest = later.past[later.past.length - 1]
  return later.past.length === PAST_MAX && oldest !== undefined && earlier.number < oldest.number
}

/** What operators decided: whether one generation knows of all decisions that the other does. */
function branchOrder(a: Generation, b: Generation): 'same' | 'a-older' | 'b-older' | 'apart' {
  const lastOfA = a.branches[a.branches.length - 1]!
  const lastOfB = b.branches[b.branches.length - 1]!
  if (lastOfA === lastOfB) return 'same'
  if (b.branches.includes(lastOfA)) return 'a-older'
  return a.branches.includes(lastOfB) ? 'b-older' : 'apart'
}

function findMixture(members: readonly FoundDisk[], witness: Witness | undefined): PoolFault | undefined {
  const poolId = witness?.poolId ?? members[0]?.identity?.poolId
  const foreign = members.filter((found) => found.identity!.poolId !== poolId).map((found) => found.disk.directory)
  if (foreign.length > 0) {
    const sentence = `${joinWords(foreign)} ${foreign.length === 1 ? 'belongs' : 'belong'} to another pool: name only the directories of this site.`
    return { kind: 'mixed-pools', sentence }
  }
  const firsts = new Map<string, string>()
  for (const { identity, disk } of members) {
    const first = firsts.get(identity!.diskId)
    if (first !== undefined) {
      const sentence = `${first} and ${disk.directory} are copies of one disk: remove the copy, only one of them can be in use.`
      return { kind: 'duplicate-disk', sentence }
    }
    firsts.set(identity!.diskId, disk.directory)
  }
  return undefined
}

function findRuling(members: readonly FoundDisk[], witness: Witness | undefined): Result<Generation, PoolFault> {
  const shown = members.filter((found) => found.generation !== undefined)
  if (shown.length === 0) return fail({ kind: 'no-pool', sentence: 'None of the directories is a disk of a pool: is the disk mounted?' })
  const related = shown.filter(
    ({ generation }) => witness !== undefined && (isPastOf(generation!, witness) || isPastOf(witness, generation!)),
  )
  const candidates = related.length > 0 ? related : shown
  const newest = ofNewestBranch(candidates.map((found) => found.generation!))
  const alive = newest.filter((generation) => isTip(generation, newest) && !candidates.some((found) => provesDead(found, generation)))
  const names = new Set(alive.map((generation) => generation.name))
  return names.size === 1 ? ok(alive[0]!) : fail({ kind: 'forked', sentence: FORKED })
}

/** Those that know of every decision of an operator; empty if there is none such. */
const ofNewestBranch = (all: readonly Generation[]): Generation[] =>
  all.filter((generation) => all.every((other) => ['same', 'b-older'].includes(branchOrder(generation, other))))

const isTip = (generation: Generation, all: readonly Generation[]): boolean =>
  all.every((other) => other.name === generation.name || !isPastOf(generation, other))

/** A disk that the generation counts on shows one which is neither it nor what it follows upon: it was never settled. */
function provesDead(found: FoundDisk, generation: Generation): boolean {
  const member = generation.sets.flatMap(membersOf).find((disk) => disk.diskId === found.identity?.diskId)
  return member !== undefined && member.state !== 'out' && !isPastOf(found.generation!, generation)
}

/** The state of one member as it can be now. */
function judge(
  member: Member,
  found: FoundDisk | undefined,
  unread: ReadonlyMap<string, string>,
  ruling: Generation,
  settled: number,
): Member {
  const directory = found?.disk.directory ?? member.directory
  const placed = directory === undefined ? member : { ...member, directory }
  if (member.state === 'out') return placed
  if (found === undefined) return { ...placed, state: 'out', reason: unread.get(member.directory ?? '') ?? 'was not there at the start' }
  if (found.generation === undefined) return { ...placed, state: 'out', reason: found.why ?? 'its generation cannot be read' }
  const current = isPastOf(found.generation, ruling) && found.generation.number >= settled
  return current ? placed : { ...placed, state: 'out', reason: 'came back as it was earlier' }
}

function findBlock(input: StartInput, ruling: Generation, sets: readonly GenerationSet[]): Blocked | undefined {
  const { witness, seenGeneration } = input
  const later = witness !== undefined && !isPastOf(witness, ruling)
  const newest = later && witness !== undefined ? relocated(witness, input.moved) : ruling
  const isIn = new Set(sets.flatMap((set) => set.disks.filter((member) => member.state === 'in').map((member) => member.diskId)))
  if (later || seenGeneration > ruling.number) {
    const missing = select(newest, (member) => member.state === 'in' && !isIn.has(member.diskId))
    return { why: whyMissing('later-seen', missing, Math.max(newest.number, seenGeneration)), missing }
  }
  if (witness !== undefined || seenGeneration > 0) return undefined
  const here = new Set(
    input.found.flatMap(({ identity, generation }) => (generation && isPastOf(generation, ruling) ? identity!.diskId : [])),
  )
  const mayHaveGoneOn = ({ state, leaving, diskId }: Member): boolean =>
    (state === 'in' && !isIn.has(diskId)) || (leaving === true && !here.has(diskId))
  // A disk that just took a place, and the one that had it, may not both have.
  const enough = ruling.sets.some((set) => {
    const members = spread(set)
    const mayHave = (member: Member | undefined): boolean => member !== undefined && mayHaveGoneOn(member)
    return set.disks.filter((member, place) => mayHave(member) || mayHave(members[behindPlace(members, place)])).length >= set.dataShards
  })
  if (!enough) return undefined
  const missing = select(ruling, mayHaveGoneOn)
  return { why: whyMissing('no-witness', missing, ruling.number), missing }
}

const select = (generation: Generation, wanted: (member: Member) => boolean): Member[] =>
  generation.sets.flatMap((set) => membersOf(set).filter(wanted))
