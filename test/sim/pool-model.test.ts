/**
 * One claim, under every fault at once: whatever is acknowledged is on every disk that is in, at any later start that may write. The
 * acknowledged thing is one number in a file, written to all disks in and healing; those that fail are put out first.
 * HOLDFAST_FIRST_SEED and HOLDFAST_SEEDS choose other histories; a failure names its seed.
 */
import { expect, test } from 'vitest'
import type { Pool } from '../../src/disks/pool.ts'
import { must, PoolFixture } from '../disks/pool-fixture.ts'
import type { DiskSnapshot } from './simulated-disk.ts'
import { ProcessDied } from './world.ts'

const SEEDS = Number(process.env.HOLDFAST_SEEDS ?? 300)
const FIRST_SEED = Number(process.env.HOLDFAST_FIRST_SEED ?? 1)
const ROUNDS = 10
const GEOMETRIES = [
  { disks: 4, parity: 2 },
  { disks: 3, parity: 1 },
  { disks: 2, parity: 1 },
  { disks: 6, parity: 3 },
]

class Model {
  readonly site: PoolFixture
  acknowledged = 0
  /** The last one tried; it may be there or not. */
  tried = 0
  readonly #old: { snapshot: DiskSnapshot; generation: number }[] = []
  #settled = 0

  constructor(seed: number, disks: number) {
    this.site = new PoolFixture(seed, disks)
  }

  async write(pool: Pool): Promise<void> {
    this.tried += 1
    const value = this.tried
    const content = new Uint8Array(new Float64Array([value]).buffer)
    const places = pool.view.sets[0]!.disks.filter((slot) => slot.state !== 'out')
    const written = await Promise.all(
      places.map(async (place) => ({ place, result: await pool.disk(0, place.position)!.disk.writeFile('value', content) })),
    )
    const failed = written.filter(({ result }) => !result.ok).map(({ place }) => ({ set: 0, position: place.position, reason: 'failed' }))
    const settled = await pool.putOut(failed)
    if (!settled.ok) return
    this.#settled = settled.value.generation
    this.acknowledged = value
  }

  async heal(pool: Pool, position: number): Promise<void> {
    const slot = pool.view.sets[0]!.disks[position]!
    if (slot.state === 'out' && !(await pool.startHealing(0, position)).ok) return
    const source = pool.journalDisks()[0]
    const target = pool.disk(0, position)
    if (source === undefined || target === undefined) return
    const content = await source.readFile('value')
    if (content.ok && (await target.disk.writeFile('value', content.value)).ok) await pool.markIn(0, position)
  }

  /** What a recovery does: the newest value there is goes to every disk that is in. */
  async recover(pool: Pool): Promise<void> {
    const found = Math.max(...this.#held(pool))
    this.tried = found - 1
    await this.write(pool)
  }

  #held(pool: Pool): number[] {
    return pool.view.sets[0]!.disks.filter((slot) => slot.state === 'in').map((slot) => this.valueOn(slot.position))
  }

  valueOn(position: number): number {
    const content = this.site.disk(position).content('value')
    return content === undefined ? 0 : new Float64Array(content.slice().buffer)[0]!
  }

  remember(pool: Pool, position: number): void {
    this.#old[position] = { snapshot: this.site.disk(position).snapshot(), generation: pool.view.generation }
  }

  /** The disk comes back as it was, if the pool has had a later generation since. Answers whether. */
  comesBackOld(position: number): boolean {
    const old = this.#old[position]
    if (old === undefined || old.generation >= this.#settled) return false
    this.site.disk(position).restore(old.snapshot)
    return true
  }

  started(pool: Pool): void {
    this.#settled = Math.max(this.#settled, pool.view.generation)
  }

  checkStart(pool: Pool, label: string): void {
    const { dataShards, disks } = pool.view.sets[0]!
    const ins = disks.filter((slot) => slot.state === 'in')
    expect(ins.length, label).toBeGreaterThanOrEqual(dataShards)
    for (const slot of ins) {
      const value = this.valueOn(slot.position)
      expect(value, `${label}: ${slot.directory} lacks what was acknowledged`).toBeGreaterThanOrEqual(this.acknowledged)
      expect(value, label).toBeLessThanOrEqual(this.tried)
    }
  }
}

/** Runs until done or until the process dies. */
async function live(model: Model, pool: Pool, parity: number): Promise<void> {
  const { site } = model
  const { chance } = site.world
  const harmed = new Set<number>()
  site.world.dieAfter(1 + chance.below(150), chance.oneIn(2) ? 'power-cut' : 'kill')
  for (let step = 0; step < 6; step++) {
    const position = chance.below(site.count)
    const harm = chance.below(12)
    if (harm < 5 && harmed.size < parity) harmed.add(position)
    if (!harmed.has(position)) model.remember(pool, position)
    else if (harm === 0) site.disk(position).hang()
    else if (harm === 1) site.disk(position).failNextOperation()
    else if (harm === 2) site.disk(position).loseNextWrite()
    else if (harm === 3) site.disk(position).powerCut()
    // A lost write is found by reading back, which this small model does not: the disk is taken out as a reader would.
    if (harm === 2 && harmed.has(position)) site.disk(position).failNextOperation()
    await site.world.run(model.write(pool))
    if (chance.oneIn(3)) await site.world.run(model.heal(pool, chance.below(site.count)))
  }
}

test(`in ${SEEDS} histories of faults, every disk that is in holds what was acknowledged`, async () => {
  let readOnly = 0
  let writable = 0
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { disks, parity } = GEOMETRIES[seed % GEOMETRIES.length]!
    const model = new Model(seed, disks)
    const { site } = model
    const { chance } = site.world
    // A disk that came back old can show that it was in alone; only a witness knows better. Losing both is not promised.
    const losesWitness = chance.oneIn(2)
    // Disks that came back old and were not put out yet: they count as lost.
    let stale = 0
    let pool: Pool | undefined = await site.create(parity)
    for (let round = 0; round < ROUNDS; round++) {
      const label = `seed ${seed}, round ${round}`
      try {
        if (pool !== undefined) await live(model, pool, parity)
        site.world.live()
      } catch (error) {
        if (!(error instanceof ProcessDied)) throw error
      }
      site.world.kill()
      for (let i = 0; i < disks; i++) site.disk(i).resume()
      if (!losesWitness && chance.oneIn(4) && model.comesBackOld(chance.below(disks))) stale += 1
      const present = chance.oneIn(2) ? undefined : site.world.chance.shuffle([...Array(disks).keys()]).slice(chance.below(disks))
      if (losesWitness && chance.oneIn(4)) site.loseWitness()
      const witnessed = site.hasWitness()
      const started: Awaited<ReturnType<PoolFixture['start']>> = await site.start(present)
      if (!started.ok) {
        // Nobody is left who knows which of two attempts, each of which reached only disks that the other did not, was settled; or no disk is there.
        const expected = started.error.kind === 'no-pool' ? present?.length === 0 : started.error.kind === 'forked' && !witnessed
        if (!expected) throw new Error(`${label}: ${started.error.sentence}`)
        pool = undefined
        continue
      }
      pool = started.value.view.readOnly === undefined ? started.value : undefined
      if (pool === undefined) {
        readOnly += 1
        if (present === undefined && stale === 0)
          throw new Error(`${label}: all disks are there, and yet: ${started.value.view.readOnly?.wrong}`)
        continue
      }
      writable += 1
      stale = 0
      model.started(pool)
      model.checkStart(pool, label)
      await site.world.run(must(model.recover(pool).then(() => ({ ok: true, value: undefined }))))
    }
  }
  // The test tries something only if both happen often.
  expect(readOnly).toBeGreaterThan(SEEDS)
  expect(writable).toBeGreaterThan(3 * SEEDS)
})
