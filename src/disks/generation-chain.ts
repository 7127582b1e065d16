/** The generations of a running pool, one after the other: what each attempt says of those before. Format: docs/formats.md#disk-identity. */
import type { Random } from '../environment.ts'
import { BRANCHES_MAX, type Generation, type GenerationSet, type Member, PAST_MAX } from './identity.ts'
import { hex } from './pool-create.ts'
import { isPastOf, type StartDecision } from './pool-start.ts'
import { mapMembers, membersOf, withoutFormers } from './successors.ts'

export class GenerationChain {
  readonly #random: Random
  /** The last one tried: what comes next follows upon it. */
  #tip: Generation
  /** Greatest number seen anywhere. */
  #greatest: number
  #settled: number
  /** Who was in by the newest generation known to be settled, or by the one that ruled at the start and those before it that may have been. */
  #wereIn: ReadonlySet<string>

  constructor(random: Random, { ruling, settled, greatest }: StartDecision) {
    this.#random = random
    this.#tip = ruling
    this.#greatest = greatest
    this.#settled = settled
    this.#wereIn = idsOf(ruling, ({ state, leaving }) => state === 'in' || leaving === true)
  }

  /** A disk shows a generation of this number. */
  note(number: number): void {
    this.#greatest = Math.max(this.#greatest, number)
  }

  /** Whether a disk that shows this one has missed none that was settled, nor been part of any other history. */
  isCurrent(generation: Generation): boolean {
    return generation.number >= this.#settled && isPastOf(generation, this.#tip)
  }

  /** From the next attempt on, what disks that are not here may hold is given up. */
  beginBranch(): void {
    const branches = [...this.#tip.branches, hex(this.#random.bytes(8))].slice(-BRANCHES_MAX)
    this.#tip = { ...this.#tip, branches }
  }

  /** An attempt at the next generation. */
  next(sets: readonly GenerationSet[]): Generation {
    const { poolId, branches, number, name, past, siteName } = this.#tip
    this.#greatest += 1
    const marked = (member: Member): Member =>
      member.state === 'out' && this.#wereIn.has(member.diskId) ? { ...member, leaving: true } : staying(member)
    this.#tip = {
      poolId,
      branches,
      number: this.#greatest,
      name: hex(this.#random.bytes(8)),
      past: [{ number, name }, ...past].slice(0, PAST_MAX),
      settled: this.#settled,
      sets: sets.map((set) =>
        mapMembers(
          withoutFormers(set, ({ diskId }) => this.#wereIn.has(diskId)),
          marked,
        ),
      ),
      ...(siteName === undefined ? {} : { siteName }),
    }
    return this.#tip
  }

  /** It is durable on every disk that is in or healing by it, and in the witness. */
  settle(generation: Generation): void {
    this.#settled = generation.number
    this.#wereIn = idsOf(generation, ({ state }) => state === 'in')
  }
}

/** The member as a settled generation would say it. */
export function staying({ leaving: _, ...member }: Member): Member {
  return member
}

const idsOf = ({ sets }: Generation, wanted: (member: Member) => boolean): ReadonlySet<string> =>
  new Set(
    sets.flatMap((set) =>
      membersOf(set)
        .filter(wanted)
        .map((member) => member.diskId),
    ),
  )
