/**
 * Whether a disk may be replaced now. One that is out or healing counts for nothing and may go. One that is in works: what it holds is given up, and counts as
 * lost until the new one is filled from the others. A planned replacement is for a set that is whole and can spare it; in any other case the operator most likely
 * meant the disk that is out, or would stand without any margin, and has to say that he knows.
 */
import type { PoolSet } from './pool-view.ts'
import { joinWords } from './read-only.ts'

/** The sentence says why not, and what to do. */
export function whyNotReplace(set: PoolSet, position: number, options: { readonly force: boolean }): string | undefined {
  const slot = set.disks[position]!
  const others = set.disks.filter((other) => other !== slot)
  const spare = others.filter(({ state }) => state === 'in').length - set.dataShards
  if (spare < 0) return tooFew(set, slot.directory, slot.state === 'in')
  if (slot.state !== 'in' || options.force) return undefined
  const lost = others.filter(({ state }) => state !== 'in')
  const left = spare === 0 ? 'no other disk could be lost' : `${spare} more ${spare === 1 ? 'disk' : 'disks'} could be lost`
  const meanwhile = `until the new disk is filled ${left}. To replace it all the same, add --force.`
  if (lost.length > 0) {
    const named = joinWords(lost.map(({ directory, state }) => `${directory} (${state})`))
    return `${slot.directory} is in and works; what needs care is ${named}. Did you mean that one? If not: ${meanwhile}`
  }
  return spare === 0 ? `${slot.directory} is in and works: ${meanwhile}` : undefined
}

function tooFew(set: PoolSet, directory: string, works: boolean): string {
  if (set.parityShards === 0) {
    return `There is no parity, so a new disk cannot be filled from the others: stop the server, copy ${directory} as it is (cp -a), and put the copy in its place.`
  }
  const what = works ? `Without ${directory}, which is in and works, too few` : 'Too few other'
  return `${what} disks are in to fill a new one: bring disks back first (holdfast disk status shows which are out).`
}
