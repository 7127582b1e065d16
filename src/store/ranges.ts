/** Sets of numbers as ranges. Every function gives ranges in their one form for such ranges. */

/** Inclusive ranges of numbers, ascending, neither touching nor overlapping. */
export type Ranges = readonly (readonly [first: number, last: number])[]

export const NO_RANGES: Ranges = []

/** 1 to `last`. */
export const upTo = (last: number): Ranges => (last < 1 ? NO_RANGES : [[1, last]])

/** What is in either. */
export function union(a: Ranges, b: Ranges): Ranges {
  const all = [...a, ...b].sort((one, other) => one[0] - other[0])
  const joined: [number, number][] = []
  for (const [first, last] of all) {
    const before = joined.at(-1)
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else joined.push([first, last])
  }
  return joined
}

/** As union, in one pass: for sets that are large and grow a little at a time. */
export function withRange(ranges: Ranges, [first, last]: Ranges[number]): Ranges {
  const before = ranges.filter((range) => range[1] < first - 1)
  const after = ranges.filter((range) => range[0] > last + 1)
  const touched = ranges.slice(before.length, ranges.length - after.length)
  const joined = [Math.min(first, touched[0]?.[0] ?? first), Math.max(last, touched.at(-1)?.[1] ?? last)] as const
  return [...before, joined, ...after]
}

export const withNumber = (ranges: Ranges, number: number): Ranges => withRange(ranges, [number, number])

/** What is in `a` and not in `b`. */
export function subtract(a: Ranges, b: Ranges): Ranges {
  const left: [number, number][] = []
  let at = 0
  for (const [first, last] of a) {
    let from = first
    while (at < b.length && b[at]![1] < from) at++
    for (let next = at; next < b.length && b[next]![0] <= last; next++) {
      const [cutFirst, cutLast] = b[next]!
      if (cutFirst > from) left.push([from, cutFirst - 1])
      from = cutLast + 1
    }
    if (from <= last) left.push([from, last])
  }
  return left
}

/** What is in both. */
export const intersect = (a: Ranges, b: Ranges): Ranges => subtract(a, subtract(a, b))

export function contains(ranges: Ranges | undefined, number: number): boolean {
  if (ranges === undefined) return false
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[middle]![1] < number) low = middle + 1
    else high = middle
  }
  return low < ranges.length && ranges[low]![0] <= number
}

/** Whether all of `b` is in `a`. */
export const covers = (a: Ranges, b: Ranges): boolean => subtract(b, a).length === 0

/** How many numbers they hold. */
export const count = (ranges: Ranges): number => ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)

/** The greatest number, 0 if there is none. */
export const greatest = (ranges: Ranges): number => ranges.at(-1)?.[1] ?? 0

/** Every number, ascending. */
export function* numbers(ranges: Ranges): Generator<number> {
  for (const [first, last] of ranges) for (let number = first; number <= last; number++) yield number
}

/** Collects ascending numbers. */
export class RangesBuilder {
  readonly #ranges: [number, number][] = []

  add(number: number): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && number === last[1] + 1) last[1] = number
    else this.#ranges.push([number, number])
  }

  get rangeCount(): number {
    return this.#ranges.length
  }

  get ranges(): Ranges {
    return this.#ranges
  }
}

/** Ranges from outside, at most `max` of them; undefined if they are none. */
export function parseRanges(value: unknown, max: number): Ranges | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined
  let before = -1
  for (const range of value as unknown[]) {
    if (!Array.isArray(range) || range.length !== 2) return undefined
    const [first, last] = range as unknown[]
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) return undefined
    // The first number is 1; ranges that touch would be one.
    if ((first as number) < Math.max(1, before + 2) || (last as number) < (first as number)) return undefined
    before = last as number
  }
  return value as unknown as Ranges
}

/** For people: "1–40, 42 and 2 more ranges". */
export function inWords(ranges: Ranges): string {
  const shown = ranges.slice(0, 3).map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`))
  return shown.join(', ') + (ranges.length > 3 ? ` and ${ranges.length - 3} more ranges` : '')
}
