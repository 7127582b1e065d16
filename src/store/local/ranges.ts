/** Sets of numbers as inclusive ranges, ascending, neither touching nor overlapping; and frontiers, which hold one for each origin. */
import type { Frontier, Origin, Ranges } from '../operation.ts'
import type { SiteId } from '../terms.ts'

export const isIn = (ranges: Ranges | undefined, number: number): boolean =>
  ranges?.some(([first, last]) => first <= number && number <= last) === true

export function withNumber(ranges: Ranges | undefined, number: number): Ranges {
  return withRange(ranges ?? [], [number, number])
}

function withRange(ranges: Ranges, [first, last]: readonly [number, number]): Ranges {
  const before = ranges.filter((range) => range[1] < first - 1)
  const after = ranges.filter((range) => range[0] > last + 1)
  const touched = ranges.slice(before.length, ranges.length - after.length)
  const joined = [Math.min(first, touched[0]?.[0] ?? first), Math.max(last, touched.at(-1)?.[1] ?? last)] as const
  return [...before, joined, ...after]
}

export const withOperation = (frontier: Frontier, origin: Origin, number: number): Frontier => ({
  ...frontier,
  [origin]: withNumber(frontier[origin], number),
})

export const withRanges = (frontier: Frontier, origin: Origin, ranges: Ranges): Frontier => ({
  ...frontier,
  [origin]: ranges.reduce<Ranges>(withRange, frontier[origin] ?? []),
})

export const withoutNumber = (ranges: Ranges | undefined, number: number): Ranges =>
  (ranges ?? []).flatMap(([first, last]): Ranges => {
    if (number < first || last < number) return [[first, last]]
    return [...(first < number ? ([[first, number - 1]] as const) : []), ...(number < last ? ([[number + 1, last]] as const) : [])]
  })

/** All operations of an origin up to a number, beside what the frontier has. */
export const withAllUpTo = (frontier: Frontier, origin: Origin, number: number): Frontier =>
  number < 1 ? frontier : { ...frontier, [origin]: withRange(frontier[origin] ?? [], [1, number]) }

export const originOf = (site: SiteId, epoch: number): Origin => `${site}/${epoch}` as Origin

/** Undefined if the text is no origin. */
export function parseOrigin(origin: string): { readonly site: SiteId; readonly epoch: number } | undefined {
  const shaped = /^([0-9a-f]{32})\/(0|[1-9][0-9]{0,8})$/.exec(origin)
  return shaped === null ? undefined : { site: shaped[1] as SiteId, epoch: Number(shaped[2]) }
}
