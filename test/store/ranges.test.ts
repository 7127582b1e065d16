import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  contains,
  count,
  covers,
  greatest,
  intersect,
  inWords,
  numbers,
  parseRanges,
  type Ranges,
  RangesBuilder,
  subtract,
  union,
  upTo,
} from '../../src/store/ranges.ts'
import { seeded } from '../bundles/seeded.ts'

const sets = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 })
const rangesOf = (set: readonly number[]): Ranges => {
  const builder = new RangesBuilder()
  for (const number of [...set].sort((one, other) => one - other)) builder.add(number)
  return builder.ranges
}
const setOf = (ranges: Ranges): number[] => [...numbers(ranges)]
const sorted = (set: Iterable<number>): number[] => [...set].sort((one, other) => one - other)

test('ranges are sets: union, difference, intersection and membership agree with those of sets', () => {
  fc.assert(
    fc.property(sets, sets, (one, other) => {
      const [a, b] = [rangesOf(one), rangesOf(other)]
      expect(setOf(union(a, b))).toEqual(sorted(new Set([...one, ...other])))
      expect(setOf(subtract(a, b))).toEqual(sorted(one.filter((number) => !other.includes(number))))
      expect(setOf(intersect(a, b))).toEqual(sorted(one.filter((number) => other.includes(number))))
      expect(covers(a, b)).toBe(other.every((number) => one.includes(number)))
      expect(count(a)).toBe(one.length)
      expect(greatest(a)).toBe(Math.max(0, ...one))
      for (let number = 1; number <= 61; number++) expect(contains(a, number)).toBe(one.includes(number))
    }),
    seeded(),
  )
})

test('every function gives ranges in their one form', () => {
  fc.assert(
    fc.property(sets, sets, (one, other) => {
      for (const made of [union(rangesOf(one), rangesOf(other)), subtract(rangesOf(one), rangesOf(other)), rangesOf(one), upTo(one.length)])
        expect(parseRanges(JSON.parse(JSON.stringify(made)), 1000)).toEqual(made)
    }),
    seeded(),
  )
})

test('ranges from outside are taken in their one form only', () => {
  const bad = [
    null,
    {},
    'x',
    [[1]],
    [[0, 1]],
    [[2, 1]],
    [
      [1, 2],
      [3, 4],
    ],
    [
      [1, 2],
      [2, 4],
    ],
    [
      [5, 6],
      [1, 2],
    ],
    [[1.5, 2]],
    [[1, 2, 3]],
    [[1, '2']],
    [[1, 2 ** 53]],
  ]
  for (const value of bad) expect(parseRanges(value, 10), JSON.stringify(value)).toBeUndefined()
  expect(
    parseRanges(
      [
        [1, 2],
        [4, 4],
      ],
      1,
    ),
  ).toBeUndefined()
  expect(
    parseRanges(
      [
        [1, 2],
        [4, 4],
      ],
      2,
    ),
  ).toEqual([
    [1, 2],
    [4, 4],
  ])
})

test('ranges in words name the first few', () => {
  expect(
    inWords([
      [1, 40],
      [42, 42],
    ]),
  ).toBe('1–40, 42')
  expect(
    inWords([
      [1, 1],
      [3, 3],
      [5, 5],
      [7, 9],
      [11, 11],
    ]),
  ).toBe('1, 3, 5 and 2 more ranges')
})
