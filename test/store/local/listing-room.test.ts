/** Hundreds of listings that arrive together leave room for everybody else on their thread. */
import { expect, test } from 'vitest'
import { MemoryMap } from '../../../src/store/local/index/memory-map.ts'
import { ListingRoom, Turns } from '../../../src/store/local/index/turns.ts'

const LISTINGS = 200

const turnOfTheEventLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('of listings that arrive together at most one begins in each turn of the event loop, in the order in which they came', async () => {
  const room = new ListingRoom()
  const begun: number[] = []
  const all = Array.from({ length: LISTINGS }, async (_, listing) => {
    await room.turn()
    begun.push(listing)
  })
  for (let turn = 1; begun.length < LISTINGS; turn++) {
    await turnOfTheEventLoop()
    expect(begun.length).toBeLessThanOrEqual(turn + 1)
    expect(turn).toBeLessThanOrEqual(LISTINGS + 1)
  }
  await Promise.all(all)
  expect(begun).toEqual(Array.from({ length: LISTINGS }, (_, listing) => listing))
})

test('one that comes alone begins at once', async () => {
  const room = new ListingRoom()
  for (let time = 0; time < 3; time++) {
    let hasBegun = false
    void room.turn().then(() => {
      hasBegun = true
    })
    await undefined
    await undefined
    expect(hasBegun).toBe(true)
    await turnOfTheEventLoop()
    await turnOfTheEventLoop()
  }
})

test('long ones go on by turns, too, behind those that came meanwhile', async () => {
  const room = new ListingRoom()
  let now = 0
  const clock = { nowMs: () => (now += 10), timer: () => () => undefined }
  const steps: string[] = []
  const list = async (name: string, rows: number): Promise<void> => {
    await room.turn()
    const turns = new Turns(new MemoryMap(), clock, room)
    for (let row = 0; row < rows; row++) {
      if (!turns.over) continue
      steps.push(name)
      await turns.giveWay()
    }
  }
  await Promise.all([list('a', 192), list('b', 192), list('c', 64)])
  expect(steps).toEqual(['a', 'b', 'c', 'a', 'b', 'a', 'b'])
})
