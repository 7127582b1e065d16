/** A pool on simulated disks, its witness on another one (the site's own folder). */
import type { Disk } from '../../src/disks/disk.ts'
import { type OpenPool, Pool } from '../../src/disks/pool.ts'
import { type PoolWitness, WITNESS_FILE, witnessIn } from '../../src/disks/pool-witness.ts'
import type { PoolFault } from '../../src/disks/pool-words.ts'
import type { Result } from '../../src/result.ts'
import type { SimulatedDisk } from '../sim/simulated-disk.ts'
import { SimulatedWorld } from '../sim/world.ts'

export class PoolFixture {
  readonly world: SimulatedWorld
  readonly count: number
  readonly #witnessIndex: number

  constructor(seed: number, disks: number) {
    this.world = new SimulatedWorld(seed)
    this.count = disks
    for (let i = 0; i < disks; i++) this.world.addDisk(`/d${i + 1}`)
    this.#witnessIndex = disks
    this.world.addDisk('/site')
  }

  disk(i: number): SimulatedDisk {
    return this.world.disks[i]!
  }

  get site(): SimulatedDisk {
    return this.disk(this.#witnessIndex)
  }

  get witness(): PoolWitness {
    return witnessIn(this.site)
  }

  hasWitness(): boolean {
    return this.site.files().includes(WITNESS_FILE)
  }

  loseWitness(): void {
    if (this.hasWitness()) this.site.replaceByEmpty()
  }

  /** All disks as a new process opens them. */
  reopen(): void {
    for (const disk of [...this.world.disks]) disk.reopen()
  }

  create(parityShards: number): Promise<Pool> {
    const disks = this.world.disks.slice(0, this.count)
    return this.world.run(must(Pool.create({ disks, parityShards, random: this.world.random, witness: this.witness })))
  }

  /** A start with the disks of these numbers; all if not said otherwise. */
  start(present?: readonly number[], more: Partial<OpenPool> = {}): Promise<Result<Pool, PoolFault>> {
    this.reopen()
    const disks: (Disk | undefined)[] = Array.from({ length: this.count }, (_, i) =>
      present?.includes(i) === false ? undefined : this.disk(i),
    )
    return this.world.run(Pool.open({ disks, witness: this.witness, seen: { generation: 0 }, random: this.world.random, ...more }))
  }

  async started(present?: readonly number[], more: Partial<OpenPool> = {}): Promise<Pool> {
    return must(this.start(present, more))
  }
}

export async function must<T>(promise: Promise<Result<T, unknown>>): Promise<T> {
  const result = await promise
  if (!result.ok) throw new Error(`failed: ${JSON.stringify(result.error)}`)
  return result.value
}

/** "in in out healing", by position. */
export const states = (pool: Pool): string => pool.view.sets[0]!.disks.map((slot) => slot.state).join(' ')
