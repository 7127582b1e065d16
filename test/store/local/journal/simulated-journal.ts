/**
 * A journal on simulated disks beside a model of what was acknowledged. The pool is the journal's view of one: who is in, kept over restarts, as the
 * real one keeps it durably.
 */
import assert from 'node:assert/strict'
import type { SetDisk } from '../../../../src/disks/extents.ts'
import type { DiskSlot, DiskState, PoolView } from '../../../../src/disks/pool-view.ts'
import { fail, ok, type Result } from '../../../../src/result.ts'
import { loadXxh64 } from '../../../../src/store/local/journal/checksum.ts'
import { Journal, type JournalOptions } from '../../../../src/store/local/journal/journal.ts'
import { type DiskOut, type JournalDisk, journalDisksOf, type PoolOfJournal } from '../../../../src/store/local/journal/journal-disks.ts'
import type { Seen } from '../../../../src/store/local/journal/recover.ts'
import type { JournalEntry, JournalFault, NewRecord } from '../../../../src/store/local/journal/terms.ts'
import { Chance } from '../../../sim/chance.ts'
import type { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { SimulatedWorld } from '../../../sim/world.ts'

export const xxh64 = await loadXxh64()
export const SMALL: JournalOptions = { segmentBytes: 24 * 1024, urgentBytes: 16 * 1024, xxh64 }

export class SimulatedPool implements PoolOfJournal {
  readonly world: SimulatedWorld
  readonly parityShards: number
  readonly states: DiskState[]
  readonly reasons: string[] = []
  #view: PoolView

  constructor(world: SimulatedWorld, parityShards: number) {
    this.world = world
    this.parityShards = parityShards
    this.states = world.disks.map(() => 'in')
    this.#view = this.#makeView(1)
  }

  readonly mayWrite = true

  get view(): PoolView {
    return this.#view
  }

  disk(_set: number, position: number): SetDisk | undefined {
    const state = this.states[position]
    return state === 'out' ? undefined : { disk: this.world.disks[position]!, writeOnly: state === 'healing' }
  }

  async putOut(out: readonly DiskOut[]): Promise<Result<PoolView, 'too-few-disks' | 'read-only'>> {
    await new Promise<void>((happen) => void this.world.after(500, { happen }))
    const positions = new Set(out.map(({ position }) => position))
    const stay = this.states.filter((state, position) => state === 'in' && !positions.has(position)).length
    if (stay < this.world.disks.length - this.parityShards) return fail('too-few-disks')
    for (const { position, reason } of out) {
      this.states[position] = 'out'
      this.reasons.push(reason)
    }
    this.#view = this.#makeView(this.#view.generation + 1)
    return ok(this.#view)
  }

  setState(position: number, state: DiskState): void {
    this.states[position] = state
    this.#view = this.#makeView(this.#view.generation + 1)
  }

  /** The disks were opened anew. */
  refresh(): void {
    this.#view = this.#makeView(this.#view.generation)
  }

  /** A pool that may only be read, on some of the disks. */
  readOnly(positions: readonly number[]): PoolOfJournal {
    const states = this.states.map((state, position): DiskState => (positions.includes(position) ? state : 'out'))
    const view = {
      ...this.#makeView(this.#view.generation, states),
      readOnly: { wrong: 'A test reads.', remedy: { kind: 'said' as const } },
    }
    const disk = (set: number, position: number): SetDisk | undefined => (states[position] === 'out' ? undefined : this.disk(set, position))
    return { view, mayWrite: false, disk, putOut: async () => fail('read-only') }
  }

  #makeView(generation: number, states: readonly DiskState[] = this.states): PoolView {
    const disks = states.map((state, position): DiskSlot => {
      const diskId = `${position}`.padStart(32, 'd')
      return { set: 0, position, diskId, directory: this.world.disks[position]!.directory, state }
    })
    const { parityShards } = this
    return { poolId: 'ab'.repeat(16), generation, sets: [{ dataShards: disks.length - parityShards, parityShards, disks }] }
  }
}

export type ModelRecord = { readonly sequence: number; readonly record: NewRecord; readonly chain?: string }

export class SimulatedJournal {
  readonly world: SimulatedWorld
  readonly pool: SimulatedPool
  /** Everything acknowledged, by sequence − 1. */
  readonly acknowledged: NewRecord[] = []
  /** The batch that was being written when the process died. */
  pending: NewRecord[] = []
  /** Of the newest acknowledged record. */
  chain = ''
  readonly #chance: Chance
  readonly #options: JournalOptions
  #journal: Journal | undefined
  #clock = 1_900_000_000_000_000

  constructor(input: {
    readonly seed: number
    readonly disks: number
    readonly parity: number
    readonly options?: JournalOptions
    readonly capacityBytes?: number
  }) {
    this.world = new SimulatedWorld(input.seed)
    for (let i = 0; i < input.disks; i++) {
      this.world.addDisk(`disk-${i}`, input.capacityBytes === undefined ? {} : { capacityBytes: input.capacityBytes })
    }
    this.pool = new SimulatedPool(this.world, input.parity)
    this.#chance = new Chance(input.seed, 50)
    this.#options = input.options ?? SMALL
  }

  get journal(): Journal {
    assert(this.#journal !== undefined)
    return this.#journal
  }

  disk(position: number): SimulatedDisk {
    return this.world.disks[position]!
  }

  journalDisk(position: number): JournalDisk {
    const found = journalDisksOf(this.pool)
      .disks()
      .find((disk) => disk.position === position)
    assert(found !== undefined)
    return found
  }

  /** What an index that committed everything acknowledged would have seen. */
  get seen(): Seen {
    return this.chain === '' ? { sequence: 0 } : { sequence: this.acknowledged.length, chain: this.chain }
  }

  async tryOpen(
    input: { readonly seen?: Seen; readonly acceptOlder?: boolean; readonly pool?: PoolOfJournal } = {},
  ): Promise<Result<Journal, JournalFault>> {
    const { seen = this.seen, acceptOlder = false, pool = this.pool } = input
    return Journal.recover({
      disks: journalDisksOf(pool),
      clock: this.world.clock,
      seen,
      ...(acceptOlder && { accepts: 'anything' as const }),
      options: this.#options,
    })
  }

  async open(input: Parameters<SimulatedJournal['tryOpen']>[0] = {}): Promise<Journal> {
    const opened = await this.world.run(this.tryOpen(input))
    assert(opened.ok, `seed ${this.world.seed}: ${JSON.stringify(opened)}`)
    this.#journal = opened.value
    return opened.value
  }

  /** As after a restart of the machine: every disk is opened anew. */
  reopenDisks(): void {
    for (const disk of [...this.world.disks]) disk.reopen()
    this.pool.refresh()
  }

  /** Ends the process, and opens the disks and the journal again. */
  async restart(how: 'kill' | 'power-cut' = 'kill'): Promise<Journal> {
    if (how === 'kill') this.world.kill()
    else this.world.powerCut()
    this.reopenDisks()
    return this.open()
  }

  randomRecord(): NewRecord {
    const kind = this.#chance.below(256)
    const metadata = this.#chance.bytes(this.#chance.below(200))
    const size = this.#chance.below(10)
    const body = this.#chance.bytes(size < 4 ? 0 : size < 9 ? this.#chance.below(1500) : this.#chance.below(9000))
    this.#clock += this.#chance.below(50)
    return { kind, clock: this.#clock, metadata, body }
  }

  randomBatch(): NewRecord[] {
    return Array.from({ length: 1 + this.#chance.below(this.#chance.oneIn(4) ? 12 : 3) }, () => this.randomRecord())
  }

  /** Appends as the committer does. Batches are cut where they do not fit. Answers a fault, or undefined. */
  async append(records: readonly NewRecord[]): Promise<'unavailable' | 'full' | undefined> {
    let rest = [...records]
    for (let refusals = 0; rest.length > 0; ) {
      const begun = await this.journal.begin()
      if (!begun.ok) return begun.error
      const batch = begun.value
      assert.equal(batch.firstSequence, this.acknowledged.length + 1)
      this.pending = []
      while (batch.count < rest.length && batch.fits([rest[batch.count]!])) {
        this.pending.push(rest[batch.count]!)
        batch.add(rest[batch.count]!)
      }
      if (batch.count === 0) {
        batch.cancel()
        refusals += 1
        assert(refusals < 3, 'an empty batch has no room')
        continue
      }
      refusals = 0
      const appended = await this.journal.append(batch)
      if (!appended.ok) {
        if (appended.error !== 'moved') return appended.error
        continue
      }
      this.acknowledged.push(...this.pending)
      rest = rest.slice(this.pending.length)
      this.pending = []
      this.chain = this.journal.lastChain
    }
    return undefined
  }

  /** Appends outside of any drama. */
  async write(records: readonly NewRecord[]): Promise<void> {
    const fault = await this.world.run(this.append(records))
    assert.equal(fault, undefined, `seed ${this.world.seed}`)
  }

  /** All entries of a journal, bodies included. */
  async entries(journal = this.journal, from = 1): Promise<JournalEntry[]> {
    const read = async (): Promise<JournalEntry[]> => {
      const entries: JournalEntry[] = []
      for await (const entry of journal.entries(from, undefined, { bodies: true })) {
        if (!entry.ok) assert.fail(`seed ${this.world.seed}: ${JSON.stringify(entry)}`)
        entries.push(entry.value)
      }
      return entries
    }
    return this.world.run(read())
  }

  /** The journal holds what was acknowledged, and of the batch under way all or nothing; from then on the model does too. */
  async checkAgainstModel(journal = this.journal): Promise<void> {
    const seed = `seed ${this.world.seed}`
    const entries = await this.entries(journal)
    const beyond = entries.length - this.acknowledged.length
    assert(
      beyond === 0 || beyond === this.pending.length,
      `${seed}: ${entries.length} of ${this.acknowledged.length}+${this.pending.length}`,
    )
    if (beyond > 0) this.acknowledged.push(...this.pending)
    this.pending = []
    this.chain = journal.lastChain
    assert.equal(journal.nextSequence, entries.length + 1, seed)
    for (const [index, entry] of entries.entries()) {
      const record = this.acknowledged[index]!
      assert.equal(entry.sequence, index + 1, seed)
      assert.equal(entry.kind, record.kind, seed)
      assert.equal(entry.clock, record.clock, seed)
      assert(Buffer.compare(entry.metadata, record.metadata) === 0, seed)
      assert(Buffer.compare(entry.body ?? new Uint8Array(0), record.body) === 0, seed)
      assert.equal(entry.place?.bytes ?? 0, record.body.length, seed)
    }
    assert.equal(journal.lastClock, Math.max(0, ...this.acknowledged.map(({ clock }) => clock)), seed)
  }

  /** Everything is there with any of the disks removed, as many as may be lost beyond those that are. */
  async checkWithLosses(): Promise<void> {
    const inPool = this.pool.states.flatMap((state, position) => (state === 'in' ? [position] : []))
    const spare = this.pool.parityShards - (this.pool.states.length - inPool.length)
    for (const left of subsets(inPool, inPool.length - spare)) await this.checkOn(left)
  }

  /** Everything can be read on these disks alone. */
  async checkOn(left: readonly number[]): Promise<void> {
    const opened = await this.world.run(this.tryOpen({ pool: this.pool.readOnly(left) }))
    assert(opened.ok, `seed ${this.world.seed}, on ${left}: ${JSON.stringify(opened)}`)
    await this.checkAgainstModel(opened.value)
    opened.value.close()
  }
}

function subsets(items: readonly number[], size: number): number[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, index) => subsets(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]))
}
