/** Which disk an operator may replace, and what he is told of the others. */
import { expect, test } from 'vitest'
import type { DiskState, PoolSet } from '../../src/disks/pool-view.ts'
import { whyNotReplace } from '../../src/disks/replacement.ts'

function setOf(dataShards: number, ...states: DiskState[]): PoolSet {
  const disks = states.map((state, position) => ({
    set: 0,
    position,
    diskId: `${position}`.repeat(32),
    directory: `/d${position + 1}`,
    state,
  }))
  return { dataShards, parityShards: states.length - dataShards, disks }
}
const asked = (set: PoolSet, position: number) => whyNotReplace(set, position, { force: false })
const forced = (set: PoolSet, position: number) => whyNotReplace(set, position, { force: true })

test('a disk that is out or healing may always go, as long as the others can fill a new one', () => {
  expect(asked(setOf(2, 'out', 'in', 'in', 'in'), 0)).toBeUndefined()
  expect(asked(setOf(2, 'out', 'healing', 'in', 'in'), 1)).toBeUndefined()
  expect(forced(setOf(2, 'out', 'out', 'healing', 'in'), 0)).toMatch(/^Too few other disks are in to fill a new one/)
})

test('a disk that works may go if all others are in and one more may be lost meanwhile', () => {
  expect(asked(setOf(2, 'in', 'in', 'in', 'in'), 3)).toBeUndefined()
  expect(asked(setOf(8, ...new Array<DiskState>(12).fill('in')), 0)).toBeUndefined()
})

test('a disk that works goes only by force while another is out: that one was meant, most likely', () => {
  const set = setOf(2, 'in', 'out', 'in', 'in')
  expect(asked(set, 2)).toBe(
    '/d3 is in and works; what needs care is /d2 (out). Did you mean that one? If not: until the new disk is filled no other disk could be lost. To replace it all the same, add --force.',
  )
  expect(forced(set, 2)).toBeUndefined()
  expect(asked(setOf(3, 'healing', 'in', 'in', 'in', 'in', 'in'), 1)).toMatch(/\/d1 \(healing\).* 1 more disk could be lost/)
})

test('a disk that works goes only by force where no other could be lost meanwhile', () => {
  const set = setOf(2, 'in', 'in', 'in')
  expect(asked(set, 0)).toBe(
    '/d1 is in and works: until the new disk is filled no other disk could be lost. To replace it all the same, add --force.',
  )
  expect(forced(set, 0)).toBeUndefined()
})

test('no force replaces a disk from others that are too few', () => {
  expect(forced(setOf(2, 'in', 'in', 'out', 'out'), 0)).toMatch(
    /^Without \/d1, which is in and works, too few disks are in to fill a new one/,
  )
  expect(forced(setOf(1, 'in'), 0)).toMatch(/^There is no parity, .* copy \/d1 as it is \(cp -a\), and put the copy in its place\.$/)
})
