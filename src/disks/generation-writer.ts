/** Makes a change of who is in durable: on every disk that is in or healing by it, then in the witness. */
import { fail, ok, type Result } from '../result.ts'
import type { DiskFault } from './disk.ts'
import type { GenerationChain } from './generation-chain.ts'
import type { Generation, GenerationSet, Member } from './identity.ts'
import type { Draft, Handle, Roster } from './pool-roster.ts'
import { findShort } from './pool-start.ts'
import type { PoolWitness } from './pool-witness.ts'
import { describeFault, WITNESS_LOST } from './pool-words.ts'
import type { ReadOnly } from './read-only.ts'
import { type SetDraft, takeBackPlaces } from './successors.ts'

/** `draft`: the members as far as it got, with those out that failed meanwhile. */
export type NotWritten = { readonly kind: 'too-few-disks' | 'no-witness'; readonly why: ReadOnly; readonly draft: Draft }

/** A disk that fails meanwhile is out by the next attempt. No attempt is made with fewer than k disks of a set in. */
export async function writeGeneration(
  draft: Draft,
  { roster, chain, witness }: { readonly roster: Roster; readonly chain: GenerationChain; readonly witness: PoolWitness },
): Promise<Result<Generation, NotWritten>> {
  for (;;) {
    const sets: GenerationSet[] = roster.setsOf(draft)
    const short = findShort(sets)
    if (short !== undefined) return fail({ kind: 'too-few-disks', why: short, draft })
    const generation = chain.next(sets)
    if (!(await writeToDisks(draft, generation, roster))) {
      for (const [i, set] of roster.generation.sets.entries()) takeBackPlaces(draft[i]!, set, roster.lost)
      continue
    }
    const witnessed = await witness.write(generation)
    if (!witnessed.ok) return fail({ kind: 'no-witness', why: { wrong: WITNESS_LOST, remedy: { kind: 'said' } }, draft })
    chain.settle(generation)
    return ok(generation)
  }
}

/**
 * False if a disk failed; it is out in the draft then. All are looked at before anything is written: where disks have changed places, the one that is found out
 * first would else have a generation written into its own directory by which it is out.
 */
async function writeToDisks(draft: Draft, generation: Generation, roster: Roster): Promise<boolean> {
  const onAll = async (act: (handle: Handle) => Promise<Result<void, DiskFault>>): Promise<boolean> => {
    const onOne = async (set: SetDraft, member: Member, position: number): Promise<boolean> => {
      const handle = roster.handles.get(member.diskId)
      const acted = handle === undefined ? fail('gone' as const) : await act(handle)
      if (acted.ok) return true
      const reason = describeFault(handle?.disk.failed ?? acted.error)
      roster.lost.set(member.diskId, reason)
      set[position] = { ...member, state: 'out', reason }
      return false
    }
    const all = draft.flatMap((set) =>
      set.map((member, position) => (member === undefined || member.state === 'out' ? true : onOne(set, member, position))),
    )
    return (await Promise.all(all)).every((acted) => acted)
  }
  return (await onAll(({ disk }) => disk.check())) && (await onAll(({ files }) => files.write(generation)))
}
