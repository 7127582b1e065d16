/**
 * One history of a site, by seed: clients work, disks fail, the process dies and starts again, again and again. What may go wrong at
 * once is what Holdfast promises to survive (head of simulated-disk.ts): at any time at most m disks of the set are `frail`, and everything but power
 * cuts, kills, full disks and the clock happens to those alone. They change when the disks harmed before were replaced and healed.
 *
 * A spare disk is to take the place of one that works, now and then. Until it has, it may fail besides, and be lost besides.
 */

import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { DiskSlot } from '../../src/disks/pool-view.ts'
import { describeReadOnly } from '../../src/disks/read-only.ts'
import { stateKey } from '../../src/store/local/index/keys.ts'
import { readState } from '../../src/store/local/index/rows.ts'
import type { Bucket } from '../../src/store/terms.ts'
import type { DiskSnapshot, SimulatedDisk } from './simulated-disk.ts'
import { type EnclaveOptions, SimulatedEnclave, type StartOptions } from './simulated-enclave.ts'
import { checkStore } from './store-check.ts'
import { makeBuckets, StoreClients } from './store-clients.ts'
import type { ModelBucket } from './store-model.ts'
import { StoreModel } from './store-model.ts'
import { ProcessDied } from './world.ts'

export type HistoryTotals = Record<
  | 'done'
  | 'refused'
  | 'open'
  | 'read'
  | 'unread'
  | 'deaths'
  | 'diedStarting'
  | 'faults'
  | 'losses'
  | 'rebuilt'
  | 'healed'
  | 'scrubbed'
  | 'wentOn'
  | 'planned'
  | 'switched',
  number
>

export async function liveThrough(options: EnclaveOptions & { readonly lives: number }, totals: HistoryTotals): Promise<void> {
  const history = new History(await SimulatedEnclave.make(options), totals)
  try {
    await history.begin()
    for (let life = 1; life <= options.lives; life++) await history.life(`life ${life}`)
    await history.checkLosses('at the end')
    history.count()
  } catch (error) {
    throw new Error(`seed ${options.seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

class History {
  readonly #enclave: SimulatedEnclave
  readonly #totals: HistoryTotals
  readonly #model = new StoreModel()
  #buckets: ReadonlyMap<ModelBucket, Bucket> = new Map()
  #frail: readonly number[] = []
  /** Those of them that may lack something unnoticed, or are not there. */
  readonly #harmed = new Set<number>()
  readonly #old = new Map<number, { readonly directory: string; readonly snapshot: DiskSnapshot; readonly generation: number }>()
  /** Only a witness can tell that a disk came back old, so a history has either of the two. */
  readonly #losesWitness: boolean
  #over = false

  constructor(enclave: SimulatedEnclave, totals: HistoryTotals) {
    this.#enclave = enclave
    this.#totals = totals
    this.#losesWitness = enclave.world.chance.oneIn(3)
  }

  async begin(): Promise<void> {
    this.#chooseFrail()
    const buckets = await this.#enclave.run(makeBuckets(this.#enclave.store))
    if (buckets === undefined) throw new Error('no buckets could be made')
    this.#buckets = buckets
  }

  count(): void {
    this.#totals.switched += this.#enclave.switches
  }

  async life(label: string): Promise<void> {
    const enclave = this.#enclave
    const { chance } = enclave.world
    const clients = new StoreClients({ model: this.#model, store: enclave.store, world: enclave.world, buckets: this.#buckets })
    const how = chance.oneIn(2) ? 'power-cut' : 'kill'
    if (!chance.oneIn(4)) enclave.world.dieAfter(20 + chance.below(chance.pick([200, 1200])), how)
    this.#countOut()
    for (const position of this.#frail) if (chance.oneIn(2)) this.#remember(position)
    const died = await this.#untilDeath(async () => {
      this.#over = false
      const faults = this.#harmNowAndThen()
      await enclave.run(clients.work(1 + chance.below(6), 5 + chance.below(20)))
      this.#over = true
      await enclave.run(faults)
      if (!chance.oneIn(3)) return
      const working = clients.work(1 + chance.below(4), 30)
      await this.#renew(label)
      await enclave.run(working)
    })
    enclave.world.live()
    for (const count of ['done', 'refused', 'open', 'read', 'unread'] as const) this.#totals[count] += clients.counts[count]
    const lost = chance.pick(this.#losses(label))
    this.#countOut()
    if (!died && chance.oneIn(2)) await enclave.stop()
    else enclave.die(how)
    this.#totals.deaths += died ? 1 : 0
    this.#model.release()
    // Either before anything is mended, or before anything is healed.
    const atDeath = chance.oneIn(2)
    if (atDeath) await this.#checkLoss(this.#copy(lost), `${label}, at its end`, lost)
    await this.#startAgain(label)
    const lostNow = chance.pick(this.#losses(label))
    const copy = atDeath ? undefined : this.#copy(lostNow)
    await enclave.run(checkStore(enclave.store, this.#model, this.#buckets, { label, doubts: 'resolved' }))
    if (copy !== undefined) await this.#checkLoss(copy, `${label}, just started`, lostNow)
    await this.#turnVersioning(label)
  }

  #copy(lost: readonly number[]): SimulatedEnclave {
    const { chance } = this.#enclave.world
    const copy = this.#enclave.copy(this.#withSpare(lost), chance.pick(['with-index', 'without-index']))
    if (chance.oneIn(2)) copy.world.powerCut()
    return copy
  }

  /** The bucket that is suspended at times goes from one to the other. */
  async #turnVersioning(label: string): Promise<void> {
    const { versioning } = this.#model
    const next = versioning.paused === 'enabled' ? 'suspended' : 'enabled'
    const put = await this.#enclave.run(this.#enclave.store.putVersioning(this.#buckets.get('paused')!.id, next))
    if (!put.ok) throw new Error(`${label}: versioning cannot be put: ${put.error}`)
    versioning.paused = next
  }

  /** Everything is there with any m disks lost, those that are out or harmed among them; with the index and without. */
  async checkLosses(label: string): Promise<void> {
    for (const [i, lost] of this.#losses(label).entries()) {
      await this.#checkLoss(this.#enclave.copy(this.#withSpare(lost), i % 2 === 0 ? 'with-index' : 'without-index'), label, lost)
    }
  }

  /** A spare disk that may have a place is lost with it; any other may be lost besides. */
  #withSpare(lost: readonly number[]): number[] {
    const place = this.#enclave.placeOfSpare()
    const isLost = place === undefined ? this.#enclave.world.chance.oneIn(2) : lost.includes(place)
    return isLost ? [...lost, this.#enclave.sparePosition] : [...lost]
  }

  #losses(label: string): number[][] {
    const enclave = this.#enclave
    const out = this.#out()
    const weak = [...new Set([...this.#harmed, ...out])]
    const losses = subsets(enclave.positions(), enclave.options.parity).filter((lost) => weak.every((position) => lost.includes(position)))
    if (losses.length === 0) throw new Error(`${label}: more disks are out than may fail: ${enclave.states}`)
    return losses
  }

  async #checkLoss(copy: SimulatedEnclave, label: string, lost: readonly number[]): Promise<void> {
    const here = `${label}, without ${lost.map((position) => `/d${position + 1}`).join() || 'none'}`
    const started = await copy.start()
    if (!started.ok) throw new Error(`${here}: ${started.error}`)
    this.#checkIndex(copy, here)
    await copy.run(checkStore(copy.store, this.#model, this.#buckets, { label: here, doubts: 'kept' }))
    this.#totals.losses += 1
  }

  /** Live and replayed, the same records make the same rows. */
  #checkIndex(copy: SimulatedEnclave, here: string): void {
    const rebuilt = rowsOf(copy)
    const live = rowsOf(this.#enclave)
    if (rebuilt.applied !== live.applied) return
    for (const key of [...live.rows.keys(), ...rebuilt.rows.keys()]) {
      if (live.rows.get(key) === rebuilt.rows.get(key)) continue
      throw new Error(`${here}: row ${key} is ${live.rows.get(key)} live and ${rebuilt.rows.get(key)} replayed`)
    }
    this.#totals.rebuilt += 1
  }

  async #untilDeath(work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      return false
    } catch (error) {
      if (error instanceof ProcessDied) return true
      throw error
    }
  }

  // ---- What goes wrong ----

  async #harmNowAndThen(): Promise<void> {
    const { world } = this.#enclave
    while (!this.#over) {
      await new Promise<void>((resolve) => void world.clock.timer(1 + world.chance.below(world.chance.pick([20, 2000])), resolve))
      if (this.#over) return
      if (world.chance.oneIn(5)) await this.#replaceOneThatWorks()
      else this.#harm()
    }
  }

  #harm(): void {
    const enclave = this.#enclave
    const { chance } = enclave.world
    this.#totals.faults += 1
    const kind = chance.below(10)
    if (kind === 0) enclave.world.moveWallClock((chance.below(2000) - 1000) * 100_000)
    else if (kind === 1) this.#fillOrEmpty()
    else if (kind === 2) this.#failIndex()
    else if (kind < 5 && enclave.successor !== undefined) this.#harmSuccessor(enclave.successor.position - enclave.options.disks)
    else if (this.#frail.length > 0) this.#harmDisk(chance.pick(this.#frail))
  }

  /** Of one that works, a spare disk takes the place; or that is called off, or given to another one. */
  async #replaceOneThatWorks(): Promise<void> {
    const enclave = this.#enclave
    const { chance } = enclave.world
    const { pool, healing } = enclave.engine
    const { successor } = enclave
    if (pool.view.readOnly !== undefined) return
    if (successor !== undefined) {
      if (chance.oneIn(4)) await pool.retire([successor])
      return
    }
    enclave.spare.resume()
    // What it was asked before, and hung, lands by then: in another directory it could not.
    await new Promise<void>((resolve) => void enclave.world.clock.timer(500, resolve))
    const out = this.#out()
    const working = enclave.positions().filter((position) => !out.includes(position))
    if (working.length === 0 || pool.view.readOnly !== undefined) return
    enclave.spare.replaceByEmpty()
    const disk = enclave.spare.reopen()
    this.#totals.planned += 1
    if ((await pool.replaceDisk(0, chance.pick(working), disk)).ok) healing.look()
  }

  /** Until it has the place it may fail whatever else does; but what it lacks unnoticed, the place lacks afterwards. */
  #harmSuccessor(place: number): void {
    const { spare, world } = this.#enclave
    if (this.#frail.includes(place)) {
      this.#harmDisk(place, spare)
      return
    }
    if (this.#enclave.takesPlace || this.#enclave.placeOfSpare() !== undefined) return
    const harms = [
      () => spare.failNextOperation(),
      () => spare.failWrites(),
      () => spare.hang(),
      () => spare.deleteDirectory(),
      () => spare.fill(),
    ]
    world.chance.pick(harms)()
  }

  #harmDisk(position: number, disk = this.#enclave.disk(position)): void {
    const { chance } = this.#enclave.world
    const unnoticed = (harm: () => void) => () => {
      this.#harmed.add(position)
      harm()
    }
    const harms = [
      () => disk.failNextOperation(),
      () => disk.failNextRead(),
      () => disk.failNextSync(),
      () => disk.slowDown(1500),
      () => disk.hang(),
      () => disk.resume(),
      () => disk.powerCut(),
      () => disk === this.#enclave.disk(position) && this.#remember(position),
      unnoticed(() => disk.loseNextWrite()),
      unnoticed(() => disk.misdirectNextWrite()),
      unnoticed(() => this.#flipBits(disk)),
      unnoticed(() => this.#loseFiles(disk)),
      unnoticed(() => this.#spoilFiles(disk)),
      unnoticed(() => chance.oneIn(3) && disk.deleteDirectory()),
    ]
    chance.pick(harms)()
  }

  /** One of them, or all at once. */
  #fillOrEmpty(): void {
    const { chance, disks } = this.#enclave.world
    const fills = chance.oneIn(2)
    for (const disk of chance.oneIn(3) ? disks : [chance.pick(disks)]) {
      if (fills) disk.fill()
      else disk.setCapacity(1e9)
    }
  }

  /** The index cannot be written for a while. */
  #failIndex(): void {
    const { index, world } = this.#enclave
    index.failing = true
    world.after(1000 * world.chance.below(300), { happen: () => this.#mendIndex(index), interrupted: () => this.#mendIndex(index) })
  }

  #mendIndex(index = this.#enclave.index): void {
    index.failing = false
  }

  /** Sectors go bad. */
  #spoilFiles(disk: SimulatedDisk): void {
    const { chance } = this.#enclave.world
    const files = disk.files()
    for (let i = 0; i < 1 + chance.below(3) && files.length > 0; i++) {
      const file = chance.pick(files)
      disk.spoil(file, chance.below(disk.content(file)?.length ?? 1))
    }
  }

  /** Files end early, or are gone. */
  #loseFiles(disk: SimulatedDisk): void {
    const { chance } = this.#enclave.world
    const files = disk.files()
    for (let i = 0; i < 1 + chance.below(3) && files.length > 0; i++) {
      if (chance.oneIn(2)) disk.cutShort(chance.pick(files))
      else disk.loseFile(chance.pick(files))
    }
  }

  #flipBits(disk: SimulatedDisk): void {
    const { chance } = this.#enclave.world
    const files = disk.files()
    for (let i = 0; i < 1 + chance.below(4) && files.length > 0; i++) disk.flipBit(chance.pick(files))
  }

  #out(): number[] {
    const isOut = ({ state, position }: DiskSlot) => state !== 'in' || this.#enclave.disk(position).failed !== undefined
    return this.#enclave.engine.pool.view.sets[0]!.disks.filter(isOut).map((slot) => slot.position)
  }

  /** What is out now cannot be lost beside as many others. */
  #countOut(): void {
    this.#setFrail([...new Set([...this.#out(), ...this.#frail])])
  }

  #remember(position: number): void {
    const { generation } = this.#enclave.engine.pool.view
    const { directory } = this.#enclave.disk(position)
    this.#old.set(position, { directory, snapshot: this.#enclave.disk(position).snapshot(), generation })
  }

  /** The harmed disks are scrubbed, or replaced by new ones and healed; then others may fail. */
  async #renew(label: string): Promise<void> {
    const enclave = this.#enclave
    enclave.plugIn()
    for (const disk of enclave.world.disks) {
      disk.resume()
      disk.setCapacity(1e9)
    }
    const scrubs = enclave.world.chance.oneIn(2)
    // A disk that had hung is found out by then, and one whose own files are harmed stays out: it is one to be replaced.
    await enclave.world.sleep(2500)
    const isIn = (position: number) => enclave.disk(position).isThere && !this.#out().includes(position)
    for (const position of this.#harmed) {
      // Of a disk that is out nothing is read but its own files.
      if (scrubs && isIn(position)) continue
      // Until it is found that the directory is another one, folders may be made in there.
      enclave.disk(position).deleteDirectory()
      await enclave.world.sleep(2500)
      enclave.disk(position).replaceByEmpty()
      const replaced = await enclave.run(enclave.engine.pool.replaceDisk(0, position, enclave.disk(position).reopen()))
      if (!replaced.ok) throw new Error(`${label}: /d${position + 1} cannot be replaced: ${JSON.stringify(replaced.error)}`)
      this.#old.delete(position)
    }
    enclave.engine.healing.look()
    await enclave.until(() => !/out|healing/.test(enclave.states), 'all disks healed')
    await enclave.until(() => enclave.successor?.state !== 'healing', 'a new disk filled')
    if (enclave.successor !== undefined) await enclave.run(enclave.engine.pool.retire([enclave.successor]))
    this.#totals.healed += 1
    if (scrubs) await this.#scrub(label)
    this.#harmed.clear()
    this.#chooseFrail()
  }

  async #scrub(label: string): Promise<void> {
    const { disks, remaining, lost } = await this.#enclave.scrub()
    const states = disks.map(({ state }) => state).join(' ')
    if (remaining > 0 || /failed|out/.test(states)) {
      throw new Error(`${label}: the scrub leaves ${remaining} damaged places, disks ${states}, ${JSON.stringify(lost.named)}`)
    }
    await this.#enclave.until(() => this.#enclave.strays().length === 0, `${label}: what nothing refers to is removed`)
    this.#totals.scrubbed += 1
  }

  #chooseFrail(): void {
    this.#setFrail(this.#enclave.world.chance.shuffle(this.#enclave.positions()))
  }

  #setFrail(positions: readonly number[]): void {
    this.#frail = positions.slice(0, this.#enclave.options.parity)
    for (const position of this.#old.keys()) if (!this.#frail.includes(position)) this.#old.delete(position)
  }

  // ---- What a new process finds ----

  async #startAgain(label: string): Promise<void> {
    const enclave = this.#enclave
    const { chance } = enclave.world
    for (const disk of enclave.world.disks) {
      disk.resume()
      disk.setCapacity(1e9)
    }
    if (chance.oneIn(3)) enclave.setIndexBack(chance.pick(['earlier', 'earlier', 'empty', 'garbage']))
    let present = enclave.positions()
    // Without witness and index, k disks that show nothing might have gone on alone: that start is read-only, as it should be.
    const shown = enclave.options.disks - this.#harmed.size
    if (this.#losesWitness && shown > enclave.options.parity && chance.oneIn(3)) enclave.loseWitness()
    else if (chance.oneIn(3)) present = present.filter((position) => !this.#frail.includes(position) || chance.oneIn(2))
    if (!this.#losesWitness && chance.oneIn(4)) this.#someComeBackOld()
    if (chance.oneIn(3) && (await this.#startWithTooFew(label)) === 'went-on') return
    while (chance.oneIn(3)) await this.#dieStarting({ present, spare: this.#spareIsThere() }, label)
    const started = await enclave.start({ present, spare: this.#spareIsThere() })
    if (!started.ok) throw new Error(`${label}: it does not start: ${started.error}`)
    const { readOnly } = started.value.pool.view
    if (readOnly !== undefined) throw new Error(`${label}: ${describeReadOnly(readOnly)}`)
  }

  /** One that may have a place is. */
  #spareIsThere(): boolean {
    return this.#enclave.placeOfSpare() !== undefined || !this.#enclave.world.chance.oneIn(4)
  }

  /** The process dies while it starts, or soon after: what it had repaired and brought up by then is no worse for the next one. */
  async #dieStarting(options: StartOptions, label: string): Promise<void> {
    const enclave = this.#enclave
    const { chance } = enclave.world
    enclave.world.dieAfter(1 + chance.below(chance.pick([60, 300])), chance.pick(['power-cut', 'kill'] as const))
    const died = await this.#untilDeath(async () => {
      const started = await enclave.start(options)
      if (!started.ok) throw new Error(`${label}: it does not start: ${started.error}`)
      await enclave.world.sleep(chance.below(1000))
    })
    enclave.world.live()
    enclave.die('kill')
    this.#totals.diedStarting += died ? 1 : 0
  }

  /** So few disks that nothing can be written: nothing is, until the others are there. */
  async #startWithTooFew(label: string): Promise<'went-on' | 'ended'> {
    const enclave = this.#enclave
    const { chance } = enclave.world
    const { disks, parity } = enclave.options
    const present = chance.shuffle(enclave.positions()).slice(0, chance.below(disks - parity))
    const before = contents(enclave)
    const started = await enclave.start({ present, spare: false })
    if (started.ok && enclave.engine.pool.view.readOnly === undefined)
      throw new Error(`${label}: it is written with ${present.length} disks`)
    if (started.ok) await enclave.world.sleep(chance.below(5000))
    if (!isDeepStrictEqual(contents(enclave), before)) throw new Error(`${label}: something was changed while it was read-only`)
    if (!started.ok || chance.oneIn(2)) {
      enclave.die('kill')
      return 'ended'
    }
    enclave.plugIn()
    await enclave.until(() => enclave.engine.pool.view.readOnly === undefined, `${label}: goes on by itself`)
    this.#totals.wentOn += 1
    return 'went-on'
  }

  /** Disks of which a later generation is settled: whoever came back old within one generation is found only by reading. */
  #someComeBackOld(): void {
    for (const [position, { directory, snapshot, generation }] of this.#old) {
      if (!this.#frail.includes(position) || generation >= this.#settled()) continue
      // Another one has its place now.
      if (this.#enclave.disk(position).directory !== directory) continue
      this.#enclave.disk(position).restore(snapshot)
      this.#old.delete(position)
    }
  }

  #settled(): number {
    return this.#enclave.settledGeneration()
  }
}

/** The rows of an index but for its state, and the sequence that they have come to. */
function rowsOf({ index }: SimulatedEnclave): { readonly applied: number; readonly rows: ReadonlyMap<string, string> } {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const rows = new Map(index.states.at(-1)?.flatMap(({ entries }) => entries.map(({ key, value }) => [hex(key), hex(value)])))
  rows.delete(hex(stateKey))
  return { applied: readState(index.reader())?.applied ?? 0, rows }
}

/** Every file of every disk, and the index. */
export function contents(enclave: SimulatedEnclave): unknown {
  const disks = new Map(
    [...enclave.positions(), enclave.sparePosition].map((position) => {
      const disk = enclave.disk(position)
      return [disk.directory, new Map(disk.files().map((file) => [file, hash('md5', disk.content(file)!)]))]
    }),
  )
  return { disks, index: enclave.index.states.at(-1) }
}

function subsets(of: readonly number[], size: number): number[][] {
  if (size === 0) return [[]]
  return of.flatMap((first, i) => subsets(of.slice(i + 1), size - 1).map((rest) => [first, ...rest]))
}
