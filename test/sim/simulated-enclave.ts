/**
 * A site in a world of its own: the real engine on simulated disks, its index in memory, its own folder on one more simulated disk. It is
 * started, dies, and is started again on what it left; and it can be copied, to ask what would be there if some of its disks were lost.
 */
import { decodeGeneration, decodeIdentity, decodeWitness, GENERATION_FILES, IDENTITY_FILE } from '../../src/disks/identity.ts'
import { Pool } from '../../src/disks/pool.ts'
import type { DiskSlot, PoolView } from '../../src/disks/pool-view.ts'
import { WITNESS_FILE, witnessIn } from '../../src/disks/pool-witness.ts'
import { EXTENTS_FOLDER, parseShardName } from '../../src/disks/shard-file.ts'
import { fail, ok, type Result } from '../../src/result.ts'
import { type Engine, openEngine } from '../../src/store/local/engine.ts'
import { MemoryMap, type MemoryState } from '../../src/store/local/index/memory-map.ts'
import { getExtent, isIndexOf, readState } from '../../src/store/local/index/rows.ts'
import { loadXxh64 } from '../../src/store/local/journal/checksum.ts'
import type { LocalStore } from '../../src/store/local/local-store.ts'
import type { ScrubReport } from '../../src/store/local/scrub.ts'
import { scrubMemoryIn } from '../../src/store/local/scrub-record.ts'
import type { PendingRetirement } from '../../src/store/local/site-file.ts'
import { describeEngineFault } from '../../src/store/local/site-words.ts'
import type { SiteId } from '../../src/store/terms.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedWorld } from './world.ts'

export type EnclaveOptions = { readonly seed: number; readonly disks: number; readonly parity: number; readonly site?: SiteId }
export type StartOptions = {
  /** Positions of the disks that are there; all unless given. */
  readonly present?: readonly number[]
  /** Whether the spare disk is; it is unless given. */
  readonly spare?: boolean
  readonly acceptOlder?: boolean
}

const SITE = 'a'.repeat(32) as SiteId
const INDEX_STATES_KEPT = 60
/** Small, so that histories see many of them; room for the largest inline body. */
const JOURNAL_OPTIONS = { segmentBytes: 1024 * 1024, urgentBytes: 512 * 1024, xxh64: await loadXxh64() }

export class SimulatedEnclave {
  readonly world: SimulatedWorld
  readonly options: EnclaveOptions
  readonly troubles: string[] = []
  index = new MemoryMap({ statesKept: INDEX_STATES_KEPT })
  #engine: Engine | undefined
  #present: readonly number[] = []
  #spareIsThere = true
  /** Whether the spare disk is about to take a place: what becomes of it from then on may become of that place. */
  takesPlace = false
  /** So often the spare disk has taken the place of another. */
  switches = 0
  #start = 0
  #unclean: number[] = []
  /** What an operator said, as the site's folder keeps it. */
  #pendingRetirement: PendingRetirement | undefined

  private constructor(options: EnclaveOptions) {
    this.options = options
    this.world = new SimulatedWorld(options.seed)
    for (let i = 1; i <= options.disks; i++) this.world.addDisk(`/d${i}`)
    this.world.addDisk('/site')
    this.world.addDisk('/spare')
  }

  /** Made and started. */
  static async make(options: EnclaveOptions): Promise<SimulatedEnclave> {
    const made = new SimulatedEnclave(options)
    const { world } = made
    const disks = world.disks.slice(0, options.disks)
    const created = await world.run(
      Pool.create({ disks, parityShards: options.parity, random: world.random, witness: witnessIn(made.siteFolder) }),
    )
    if (!created.ok) throw new Error(created.error.sentence)
    await made.restart()
    return made
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('it does not run')
    return this.#engine
  }

  get store(): LocalStore {
    return this.engine.store
  }

  get siteFolder(): SimulatedDisk {
    return this.world.disks[this.options.disks]!
  }

  /** Of no place, or one that is to take one. When it has, this is the disk that had it before. */
  get spare(): SimulatedDisk {
    return this.world.disks[this.sparePosition]!
  }

  /** Among the world's disks. */
  get sparePosition(): number {
    return this.options.disks + 1
  }

  /** The slot of a disk that is being filled to take a place. */
  get successor(): DiskSlot | undefined {
    return this.engine.pool.view.sets[0]!.successors?.[0]
  }

  /** The place in which the spare disk is by a generation that any disk shows, be it settled or not. */
  placeOfSpare(): number | undefined {
    const identity = this.spare.content(IDENTITY_FILE)
    const spare = identity && decodeIdentity(identity)
    if (spare?.ok !== true) return undefined
    const generations = this.world.disks.flatMap((disk) => GENERATION_FILES.flatMap((file) => disk.content(file) ?? []))
    const isThere = generations.some((content) => {
      const generation = decodeGeneration(content)
      return generation.ok && generation.value.sets[0]!.disks[spare.value.position]?.diskId === spare.value.diskId
    })
    return isThere ? spare.value.position : undefined
  }

  disk(position: number): SimulatedDisk {
    return this.world.disks[position]!
  }

  positions(): number[] {
    return [...Array(this.options.disks).keys()]
  }

  /** "in in out healing", by position. */
  get states(): string {
    return this.engine.pool.view.sets[0]!.disks.map((slot) => slot.state).join(' ')
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.run(promise)
  }

  /** Reads everything on every disk that is in, and repairs. */
  async scrub(): Promise<ScrubReport> {
    const scrubbed = await this.run(this.engine.scrub.run({ signal: new AbortController().signal }))
    if (!scrubbed.ok) throw new Error(`seed ${this.options.seed}: no scrub: ${scrubbed.error}`)
    return scrubbed.value
  }

  /** Disks that were not there at the start are now. */
  plugIn(): void {
    this.#present = this.positions()
    this.#spareIsThere = true
  }

  #noteHandOvers(pool: Pool): void {
    const markIn = pool.markIn.bind(pool)
    this.takesPlace = false
    pool.markIn = async (set, position) => {
      this.takesPlace ||= position >= this.options.disks
      const marked = await markIn(set, position)
      this.takesPlace = false
      return marked
    }
  }

  /** The spare disk has a place: the one that was there is the spare one now. */
  #notePlaces({ sets }: PoolView): void {
    const place = sets[0]!.disks.findIndex(({ directory }) => directory === this.spare.directory)
    if (place < 0) return
    const { disks } = this.world
    const [before, now] = [this.disk(place), this.spare]
    disks[place] = now
    disks[this.sparePosition] = before
    this.switches += 1
  }

  /** Files of earlier starts that belong to no extent: nobody will ever read them. */
  strays(): string[] {
    const isStray = (file: string): boolean => {
      const [folder, start = '', , name = ''] = file.split('/')
      const shard = folder === EXTENTS_FOLDER ? parseShardName(name) : undefined
      const id = shard && { start: Number.parseInt(start, 16), counter: shard.counter }
      return id !== undefined && id.start < this.#start && getExtent(this.index.reader(), id) === undefined
    }
    return this.positions().flatMap((position) => this.disk(position).files().filter(isStray))
  }

  /** Passes time until something is so; a simulated minute at most. */
  async until(isSo: () => boolean, what: string): Promise<void> {
    for (let tenths = 0; !isSo(); tenths++) {
      if (tenths > 600) throw new Error(`seed ${this.options.seed}: in a simulated minute not: ${what} (${this.states})`)
      await this.world.sleep(100)
    }
  }

  /** The process ends. */
  die(how: 'power-cut' | 'kill'): void {
    if (how === 'kill') this.world.kill()
    else this.world.powerCut()
    this.#engine = undefined
  }

  async stop(): Promise<void> {
    const { clean } = await this.run(this.engine.close())
    if (clean) this.#unclean = this.#unclean.filter((start) => start !== this.#start)
    this.die('kill')
  }

  async restart(options: StartOptions = {}): Promise<void> {
    const started = await this.start(options)
    if (!started.ok) throw new Error(`seed ${this.options.seed}: it does not start: ${started.error}`)
  }

  /** A new process on what the last one left. The error: what an operator would read. */
  async start({ present = this.positions(), spare = true, acceptOlder }: StartOptions = {}): Promise<Result<Engine, string>> {
    const { world, index } = this
    this.#present = present
    this.#spareIsThere = spare
    for (const disk of [...world.disks]) disk.reopen()
    const accept = acceptOlder === true ? { acceptOlder } : {}
    const seen = { generation: this.#seenGeneration() }
    const places = this.positions().map((position) => (present.includes(position) ? this.disk(position) : undefined))
    // A directory without an identity is no disk.
    const disks = spare && this.spare.content(IDENTITY_FILE) !== undefined ? [...places, this.spare] : places
    const pendingRetirement = this.#pendingRetirement
    const retired = new Set(pendingRetirement?.disks)
    const pool = await this.run(Pool.find({ disks, witness: witnessIn(this.siteFolder), seen, retired, random: world.random, ...accept }))
    if (!pool.ok) return fail(pool.error.sentence)
    const start = ++this.#start
    const uncleanStarts = [...this.#unclean]
    this.#unclean.push(start)
    const engine = await this.run(
      openEngine({
        pool: pool.value,
        index,
        clock: world.clock,
        site: this.#site,
        epoch: 1,
        start,
        uncleanStarts,
        onSwept: async (swept) => {
          this.#unclean = this.#unclean.filter((each) => each !== swept)
        },
        ...(pendingRetirement && { pendingRetirement }),
        savePendingRetirement: async (pending) => {
          this.#pendingRetirement = pending
          return true
        },
        journalOptions: JOURNAL_OPTIONS,
        reopenDisk: async (directory) => this.#reopenDisk(directory),
        scrubMemory: scrubMemoryIn(this.siteFolder),
        onTrouble: (sentence) => this.troubles.push(sentence),
        ...accept,
      }),
    )
    if (!engine.ok) return fail(describeEngineFault(engine.error, pool.value.view).sentence)
    this.#engine = engine.value
    this.#notePlaces(engine.value.pool.view)
    engine.value.pool.onChange((view) => this.#notePlaces(view))
    this.#noteHandOvers(engine.value.pool)
    return ok(engine.value)
  }

  /** The index as a crash or a careless hand may leave it. */
  setIndexBack(to: 'earlier' | 'empty' | 'garbage'): void {
    this.setIndexTo(to === 'earlier' ? this.world.chance.pick(this.index.states) : [])
    if (to === 'garbage') this.#litterIndex()
  }

  setIndexTo(state: MemoryState): void {
    this.index = new MemoryMap({ state, statesKept: INDEX_STATES_KEPT })
  }

  #litterIndex(): void {
    const { chance } = this.world
    const writer = this.index.begin()
    for (let i = 0; i < 50; i++) writer.put(chance.bytes(1 + chance.below(40)), chance.bytes(chance.below(100)))
    writer.commit()
  }

  /** The generation that the site's folder knows to be settled; 0 if it knows nothing. */
  settledGeneration(): number {
    const content = this.siteFolder.content(WITNESS_FILE)
    const witness = content && decodeWitness(content)
    return witness?.ok === true ? witness.value.number : 0
  }

  loseWitness(): void {
    this.siteFolder.replaceByEmpty()
  }

  /**
   * What an operator would find if the process ended now, these disks were lost, and perhaps the index too: a site of its own, not yet started.
   * This one goes on unchanged.
   */
  copy(without: readonly number[], index: 'with-index' | 'without-index'): SimulatedEnclave {
    const copy = new SimulatedEnclave(this.options)
    for (const [i, disk] of this.world.disks.entries()) {
      if (without.includes(i)) copy.disk(i).deleteDirectory()
      else copy.world.disks[i]!.restore(disk.snapshot())
    }
    const state = index === 'with-index' ? this.index.states.at(-1) : undefined
    copy.index = new MemoryMap({ ...(state && { state }), statesKept: 1 })
    copy.#start = this.#start
    copy.#unclean = [...this.#unclean]
    copy.#pendingRetirement = this.#pendingRetirement
    return copy
  }

  get #site(): SiteId {
    return this.options.site ?? SITE
  }

  #seenGeneration(): number {
    try {
      if (!isIndexOf(this.index.reader(), this.#site)) return 0
      return readState(this.index.reader())?.generation ?? 0
    } catch {
      return 0
    }
  }

  /** A directory opened anew, if it is mounted now. Disks that are gone for good cannot be opened. */
  #reopenDisk(directory: string): SimulatedDisk | undefined {
    const position = this.world.disks.findIndex((disk) => disk.directory === directory)
    const isThere = position === this.sparePosition ? this.#spareIsThere : this.#present.includes(position)
    return isThere && this.disk(position).isThere ? this.disk(position).reopen() : undefined
  }
}
