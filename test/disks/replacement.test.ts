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
const at = (set: PoolSet, position: number) => set.disks[position]!
const asked = (set: PoolSet, position: number) => whyNotReplace(set, at(set, position), { force: false })
const forced = (set: PoolSet, position: number) => whyNotReplace(set, at(set, position), { force: true })

/** The same, with one that is to take the place of the disk at `position`. */
const replacing = (set: PoolSet, position: number): PoolSet => {
  const successor = { ...at(set, position), position: set.disks.length + position, directory: '/new', state: 'healing' as const }
  return { ...set, successors: [...(set.successors ?? []), successor] }
}

test('a disk that is out or healing may always go, as long as the others can fill a new one', () => {
  expect(asked(setOf(2, 'out', 'in', 'in', 'in'), 0)).toBeUndefined()
  expect(asked(setOf(2, 'out', 'healing', 'in', 'in'), 1)).toBeUndefined()
  expect(forced(setOf(2, 'out', 'out', 'healing', 'in'), 0)).toMatch(/^Too few other disks are in to fill a new one/)
  expect(forced(setOf(1, 'out'), 0)).toMatch(/^There is no parity, .* bring it back/)
})

test('a disk that works may go, since it serves until the new one is filled: also where no other could be lost, or there is no parity', () => {
  for (const set of [setOf(2, 'in', 'in', 'in', 'in'), setOf(2, 'in', 'in', 'in'), setOf(1, 'in'), setOf(3, 'in', 'in', 'in')])
    for (const { position } of set.disks) expect(asked(set, position)).toBeUndefined()
})

test('a disk that works goes only by force while another is out: that one was meant, most likely', () => {
  const set = setOf(2, 'in', 'out', 'in', 'in')
  expect(asked(set, 2)).toBe(
    '/d3 is in and works; what needs care is /d2 (out). Did you mean that one? To replace /d3 all the same, add --force.',
  )
  expect(forced(set, 2)).toBeUndefined()
  expect(asked(setOf(3, 'healing', 'in', 'in', 'in', 'in', 'in'), 1)).toMatch(/what needs care is \/d1 \(healing\)/)
})

test('a disk that is being replaced is not replaced twice, and the sentence says how to change one’s mind', () => {
  const set = replacing(setOf(2, 'in', 'in', 'in', 'in'), 1)
  expect(forced(set, 1)).toBe(
    '/d2 is being replaced by /new already. To take another disk instead: holdfast disk replace SITE /new NEW-DIR. To keep /d2: holdfast disk retire SITE /new.',
  )
  expect(whyNotReplace(set, set.successors![0]!, { force: false })).toBeUndefined()
})

test('no more than four disks of a set are replaced at once', () => {
  const four = [0, 1, 2, 3].reduce(replacing, setOf(4, ...new Array<DiskState>(6).fill('in')))
  expect(asked(four, 4)).toMatch(/^\/d5 is in and works, and no more disks can be replaced at once: wait/)
})
