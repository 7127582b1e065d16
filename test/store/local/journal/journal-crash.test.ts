import { expect, test } from 'vitest'
import type { DiskState } from '../../../../src/disks/pool-view.ts'
import { ProcessDied } from '../../../sim/world.ts'
import { SimulatedJournal } from './simulated-journal.ts'

/** HOLDFAST_SEEDS asks for more than every `npm test` can afford. */
const SEEDS = Number(process.env.HOLDFAST_SEEDS ?? 160)

/** Runs `work` until the process dies or the work is done. */
async function untilDeath(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work()
    return false
  } catch (error) {
    if (error instanceof ProcessDied) return true
    throw error
  }
}

const GEOMETRIES = [
  { disks: 4, parity: 2 },
  { disks: 1, parity: 0 },
  { disks: 3, parity: 1 },
  { disks: 6, parity: 2 },
]

test('after a power cut or kill at any step every acknowledged record is there, and batches are whole', async () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const site = new SimulatedJournal({ seed, ...GEOMETRIES[seed % GEOMETRIES.length]! })
    const { chance } = site.world
    await site.open()
    for (let life = 0; life < 5; life++) {
      const how = chance.oneIn(3) ? 'kill' : 'power-cut'
      site.world.dieAfter(chance.below(chance.oneIn(2) ? 40 : 400), how)
      const died = await untilDeath(async () => {
        for (let batch = 0; batch < 30; batch++) await site.write(site.randomBatch())
      })
      site.world.live()
      if (!died) site.world.kill()
      // The start may die too, again and again.
      for (;;) {
        site.reopenDisks()
        site.world.dieAfter(chance.below(300), chance.oneIn(2) ? 'kill' : 'power-cut')
        if (!(await untilDeath(() => site.open()))) break
      }
      site.world.live()
      await site.checkAgainstModel()
    }
    await site.checkWithLosses()
  }
})

test('with failing disks, up to m of them, nothing acknowledged is lost', async () => {
  const reasons = new Set<string>()
  let healed = 0
  for (let seed = 1_000_000; seed < 1_000_000 + SEEDS; seed++) {
    const site = new SimulatedJournal({ seed, ...(seed % 3 === 0 ? { disks: 3, parity: 1 } : { disks: 4, parity: 2 }) })
    const { chance } = site.world
    const bad = chance.shuffle(site.pool.states.map((_, position) => position)).slice(0, site.pool.parityShards)
    await site.open()
    for (let life = 0; life < 4; life++) {
      site.world.dieAfter(chance.below(600), chance.oneIn(2) ? 'kill' : 'power-cut')
      const died = await untilDeath(async () => {
        for (let batch = 0; batch < 20; batch++) {
          if (chance.oneIn(10)) breakDisk(site, chance.pick(bad), chance.below(10))
          await site.write(site.randomBatch())
        }
      })
      site.world.live()
      if (!died) site.world.kill()
      for (const position of bad) site.disk(position).resume()
      site.reopenDisks()
      await site.open()
      await site.checkAgainstModel()
      for (const position of bad) if (chance.oneIn(2) && (await heal(site, position))) healed += 1
      // What went wrong on them unnoticed counts as lost too, so none of them may be needed.
      await site.checkOn(site.pool.states.flatMap((state, position) => (state === 'in' && !bad.includes(position) ? [position] : [])))
    }
    for (const reason of site.pool.reasons) reasons.add(reason.replace(/\d+/, 'n'))
  }
  expect(reasons.size).toBeGreaterThan(3)
  expect(healed).toBeGreaterThan(100)
})

function breakDisk(site: SimulatedJournal, position: number, how: number): void {
  const disk = site.disk(position)
  if (how === 0) disk.hang()
  else if (how === 1) disk.failNextOperation()
  else if (how === 2) disk.loseNextWrite()
  else if (how === 3) disk.misdirectNextWrite()
  else if (how === 4) disk.powerCut()
  else if (how === 5) {
    const file = site.world.chance.pick([...disk.files(), ''])
    if (file !== '') disk.flipBit(file)
  } else if (how === 6) disk.failNextSync()
  else if (how === 7) disk.failNextRead()
  else if (how === 8) {
    const file = site.world.chance.pick([...disk.files(), ''])
    if (file !== '') disk.spoil(file, site.world.chance.below(disk.content(file)!.length))
  } else if (site.pool.states[position] === 'in') disk.deleteDirectory()
}

/** Answers whether it went well: a fault may still lie in wait on the disk. Then it stays out. */
async function heal(site: SimulatedJournal, position: number): Promise<boolean> {
  const before: DiskState | undefined = site.pool.states[position]
  if (before !== 'out') return false
  const disk = site.disk(position)
  if (site.world.chance.oneIn(2) || disk.files().length === 0) disk.replaceByEmpty()
  disk.reopen()
  site.pool.setState(position, 'healing')
  const copied = await site.world.run(site.journal.copySegments(site.journalDisk(position), () => {}))
  await site.write(site.randomBatch())
  const state: DiskState = site.pool.states[position]!
  const healed = copied.ok && state === 'healing'
  site.pool.setState(position, healed ? 'in' : 'out')
  return healed
}
