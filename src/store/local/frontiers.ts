/** Frontiers that grow: what has been applied in a bucket, by origin. */
import type { Frontier, Origin } from '../operation.ts'
import { NO_RANGES, type Ranges, withNumber, withRange } from '../ranges.ts'

export const withOperation = (frontier: Frontier, origin: Origin, number: number): Frontier => ({
  ...frontier,
  [origin]: withNumber(frontier[origin] ?? NO_RANGES, number),
})

export const withRanges = (frontier: Frontier, origin: Origin, ranges: Ranges): Frontier => ({
  ...frontier,
  [origin]: ranges.reduce<Ranges>(withRange, frontier[origin] ?? NO_RANGES),
})

/** All operations of an origin up to a number, beside what the frontier has. */
export const withAllUpTo = (frontier: Frontier, origin: Origin, number: number): Frontier =>
  number < 1 ? frontier : { ...frontier, [origin]: withRange(frontier[origin] ?? NO_RANGES, [1, number]) }
