import { beforeEach, expect, test } from 'vitest'
import { RUNS_MAX, RunRoom, type Seat, SLOW_MS } from '../../src/disks/run-room.ts'
import { Chance } from '../sim/chance.ts'
import { SimulatedWorld } from '../sim/world.ts'

let world: SimulatedWorld
let room: RunRoom
beforeEach(() => {
  world = new SimulatedWorld(1)
  room = new RunRoom(world.clock)
})

const fill = (): Seat[] => Array.from({ length: RUNS_MAX }, () => room.take()!)
const pass = (ms: number): Promise<void> => world.run(new Promise((resolve) => void world.clock.timer(ms, resolve)))
/** Waits, and notes it when its turn has come. */
function waiter(name: string, turns: string[]): Promise<Seat> {
  const seat = room.wait('later')
  void seat.then(() => turns.push(name))
  return seat
}

test('when there is no room one waits, and turns come in order', async () => {
  const seats = fill()
  expect(seats.every((seat) => seat !== undefined)).toBe(true)
  expect(room.take()).toBeUndefined()
  const turns: string[] = []
  const [first, second] = [waiter('first', turns), waiter('second', turns)]
  seats[5]!.leave()
  // Who comes later does not go before.
  expect(room.take()).toBeUndefined()
  await first
  expect(turns).toEqual(['first'])
  seats[6]!.fly()
  seats[6]!.leave()
  await second
  seats[7]!.leave()
  expect(room.take()).toBeDefined()
})

test('runs that gather slowly keep nobody waiting, those that are on their way to the disks do', async () => {
  const seats = fill()
  for (const seat of seats.slice(1)) seat.fly()
  const turns: string[] = []
  const [first, second] = [waiter('first', turns), waiter('second', turns)]
  await world.run(first)
  await pass(5 * SLOW_MS)
  expect(turns).toEqual(['first', 'second'])
  ;(await first).fly()
  ;(await second).fly()
  const third = waiter('third', turns)
  await pass(5 * SLOW_MS)
  expect(turns).toEqual(['first', 'second'])
  // The slow one becomes fast: it counts again.
  seats[0]!.fly()
  for (const seat of seats.slice(0, 2)) seat.leave()
  await pass(SLOW_MS)
  expect(turns).toEqual(['first', 'second'])
  seats[2]!.leave()
  await third
})

test('an upload that begins need not wait for all that have begun', async () => {
  const seats = fill()
  const turns: string[] = []
  for (let i = 0; i < 9; i++) void room.wait('later').then(() => turns.push('later'))
  const firsts = [room.wait('first'), room.wait('first')].map((seat) => seat.then(() => turns.push('first')))
  for (const seat of seats.slice(0, 4)) seat.leave()
  await Promise.all(firsts)
  expect(turns.slice(0, 4)).toEqual(['first', 'later', 'first', 'later'])
})

test('a clock that is set back makes nobody wait for the slow', async () => {
  fill()
  world.moveWallClock(-3_600_000)
  const seat = room.wait('later')
  await world.run(seat)
})

test('whatever comes and goes, no more than there is room for, and everybody has a turn', async () => {
  const chance = new Chance(7)
  let [inside, most, served] = [0, 0, 0]
  const upload = async (runs: number): Promise<void> => {
    for (let run = 0; run < runs; run++) {
      const seat = room.take() ?? (await room.wait('later'))
      most = Math.max(most, ++inside)
      if (chance.below(2) === 0) seat.fly()
      await new Promise<void>((resolve) => void world.clock.timer(chance.below(SLOW_MS / 2), resolve))
      inside--
      seat.leave()
    }
    served++
  }
  await world.run(Promise.all(Array.from({ length: 300 }, () => upload(chance.below(6)))))
  expect(served).toBe(300)
  expect(most).toBe(RUNS_MAX)
})
