/**
 * Whether a disk may be replaced now. One that is out or healing counts for nothing and may go. One that is in works, and goes on serving until the new one is
 * filled (successors.ts): that costs nothing, but while another disk is out, the operator most likely meant that one, and has to say that he does not.
 */
import type { DiskSlot, PoolSet } from './pool-view.ts'
import { joinWords } from './read-only.ts'
import { successorsMax } from './successors.ts'

/** The sentence says why not, and what to do. `slot`: of the set, behind a place or not. */
export function whyNotReplace(set: PoolSet, slot: DiskSlot, options: { readonly force: boolean }): string | undefined {
  const { disks, successors = [] } = set
  // It is to take a place, and has none yet.
  if (slot.position >= disks.length) return undefined
  const successor = successors.find(({ position }) => position === disks.length + slot.position)
  if (successor !== undefined)
    return `${slot.directory} is being replaced by ${successor.directory} already. To take another disk instead: holdfast disk replace SITE ${successor.directory} NEW-DIR. To keep ${slot.directory}: holdfast disk retire SITE ${successor.directory}.`
  const others = disks.filter((other) => other !== slot)
  if (slot.state !== 'in') return others.filter(({ state }) => state === 'in').length < set.dataShards ? tooFew(set, slot) : undefined
  if (successors.length >= successorsMax(set))
    return `${slot.directory} is in and works, and no more disks can be replaced at once: wait until one of the new ones is in.`
  const lost = others.filter(({ state }) => state !== 'in')
  if (lost.length === 0 || options.force) return undefined
  const named = joinWords(lost.map(({ directory, state }) => `${directory} (${state})`))
  return `${slot.directory} is in and works; what needs care is ${named}. Did you mean that one? To replace ${slot.directory} all the same, add --force.`
}

function tooFew({ parityShards }: PoolSet, { directory }: DiskSlot): string {
  if (parityShards === 0)
    return `There is no parity, so what only ${directory} holds is on no other disk: bring it back. It can be replaced while it is in.`
  return 'Too few other disks are in to fill a new one: bring disks back first (holdfast disk status shows which are out).'
}
