/** Which of two operations of one site came first. */
import type { Origin } from './store.ts'

/** An operation of a bucket by its name: whose it is, and its number there. */
export type OperationName = { readonly from: Origin; readonly number: number }

/** Whether `a` is of the same site as `b`, and not before it; an epoch comes after all of the one before. */
export function isSameOrLater(a: OperationName, b: OperationName): boolean {
  const [site, epoch] = a.from.split('/')
  const [otherSite, otherEpoch] = b.from.split('/')
  if (site !== otherSite) return false
  return epoch === otherEpoch ? a.number >= b.number : Number(epoch) > Number(otherEpoch)
}
