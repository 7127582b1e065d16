/** A site on simulated disks with its index in memory: the real engine, started, killed and started again. */
import { Pool } from '../../../src/disks/pool.ts'
import { witnessIn } from '../../../src/disks/pool-witness.ts'
import type { Result } from '../../../src/result.ts'
import { type Engine, openEngine } from '../../../src/store/local/engine.ts'
import type { EngineFault, EngineInput } from '../../../src/store/local/engine-input.ts'
import { MemoryMap } from '../../../src/store/local/index/memory-map.ts'
import { readState } from '../../../src/store/local/index/rows.ts'
import { loadXxh64 } from '../../../src/store/local/journal/checksum.ts'
import type { LocalStore } from '../../../src/store/local/local-store.ts'
import type { SiteId } from '../../../src/store/terms.ts'
import { SimulatedWorld } from '../../sim/world.ts'

const xxh64 = await loadXxh64()

export class SimulatedSite {
  readonly world: SimulatedWorld
  readonly site: SiteId
  readonly troubles: string[] = []
  index = new MemoryMap({ statesKept: 50 })
  #engine: Engine | undefined
  #start = 0
  #unclean: number[] = []
  readonly #disks: number

  constructor(options: { readonly seed: number; readonly disks: number; readonly site?: string }) {
    this.world = new SimulatedWorld(options.seed)
    this.site = (options.site ?? 'a'.repeat(32)) as SiteId
    this.#disks = options.disks
    for (let i = 0; i < options.disks; i++) this.world.addDisk(`/d${i}`)
    this.world.addDisk('/site')
  }

  static async make(options: {
    readonly seed: number
    readonly disks: number
    readonly parity: number
    readonly site?: string
  }): Promise<SimulatedSite> {
    const made = new SimulatedSite(options)
    const { world } = made
    const disks = world.disks.slice(0, options.disks)
    const witness = witnessIn(world.disks[options.disks]!)
    const created = await world.run(Pool.create({ disks, parityShards: options.parity, random: world.random, witness }))
    if (!created.ok) throw new Error(created.error.sentence)
    await made.restart()
    return made
  }

  get engine(): Engine {
    return this.#engine!
  }
  get store(): LocalStore {
    return this.engine.store
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.run(promise)
  }

  async restart(more: Partial<EngineInput> = {}): Promise<void> {
    const started = await this.tryStart(more)
    if (!started.ok) throw new Error(`seed ${this.world.seed}: the site does not start: ${JSON.stringify(started.error)}`)
  }

  /** A new process on what the last one left. */
  async tryStart(more: Partial<EngineInput> = {}): Promise<Result<Engine, EngineFault>> {
    const { world, site, index } = this
    world.live()
    for (const disk of world.disks) disk.reopen()
    const disks = world.disks.slice(0, this.#disks)
    const seen = { generation: readState(index.reader())?.generation ?? 0 }
    const opened = await world.run(Pool.find({ disks, witness: witnessIn(world.disks[this.#disks]!), seen, random: world.random }))
    if (!opened.ok) throw new Error(opened.error.sentence)
    const start = ++this.#start
    const uncleanStarts = [...this.#unclean]
    this.#unclean.push(start)
    const engine = await world.run(
      openEngine({
        pool: opened.value,
        index,
        clock: world.clock,
        site,
        epoch: 1,
        start,
        uncleanStarts,
        onSwept: async (swept) => {
          this.#unclean = this.#unclean.filter((each) => each !== swept)
        },
        journalOptions: { segmentBytes: 4 * 1024 * 1024, urgentBytes: 2 * 1024 * 1024, xxh64 },
        reopenDisk: async (directory) => world.disks.find((disk) => disk.directory === directory)?.reopen(),
        onTrouble: (sentence) => this.troubles.push(sentence),
        ...more,
      }),
    )
    if (engine.ok) this.#engine = engine.value
    return engine
  }

  async close(): Promise<void> {
    const { clean } = await this.run(this.engine.close())
    if (clean) this.#unclean = this.#unclean.filter((each) => each !== this.#start)
  }

  /** Paths of all shards, on all disks. */
  shardFiles(): string[] {
    return this.world.disks.flatMap((disk) =>
      disk
        .files()
        .filter((file) => file.startsWith('extents/'))
        .map((file) => `${disk.directory}/${file}`),
    )
  }
}
