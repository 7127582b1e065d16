/**
 * The engine: pool, journal, index and committer put together, with the work that goes on beside requests. Free of threads, files and real time: all
 * of it enters by argument, so that a simulation runs the same code.
 */

import type { DiskFault } from '../../disks/disk.ts'
import type { ExtentStore, SetDisks } from '../../disks/extents.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { Pool } from '../../disks/pool.ts'
import { describeFault, STARTING } from '../../disks/pool-words.ts'
import { announceReadOnly } from '../../disks/read-only.ts'
import { ShardedExtents } from '../../disks/sharded-extents.ts'
import { watchDisks } from '../../disks/watch-disks.ts'
import { fail, ok, type Result } from '../../result.ts'
import { type ActivationFault, activate, newestStart, readIndex, seenBy } from './activation.ts'
import { afterReaders } from './after-readers.ts'
import { Board } from './board.ts'
import type { ChangeReply, ChangeRequest, Refusal } from './changes/request.ts'
import type { Commits } from './commits.ts'
import { Committer } from './committer.ts'
import { tellOfDisks } from './disk-news.ts'
import { DiskStays } from './disk-stays.ts'
import type { EngineFault, EngineInput } from './engine-input.ts'
import { expireUploads } from './expiry.ts'
import { Freeing } from './freeing.ts'
import { Healing } from './healing.ts'
import { Table, tableRange } from './index/keys.ts'
import { type OrderedMap, walk } from './index/ordered-map.ts'
import { Journal } from './journal/journal.ts'
import { journalDisksOf } from './journal/journal-disks.ts'
import { LocalStore } from './local-store.ts'
import { readUint64 } from './position.ts'
import { ReadOnlyRecovery } from './read-only-recovery.ts'
import { type ReplayFault, replay } from './replay.ts'
import { type Retired, type RetireRequest, retireDisks } from './retiring.ts'
import { Scrub } from './scrub.ts'
import { StagedShards, stagedExtent, withStaged } from './staged-shards.ts'
import { sweepLeftovers } from './sweep.ts'

/** Where the numbers of threads' lanes and extents begin: the engine's own store is thread 0. */
const ENGINE_THREAD = 0
/** So often an upload may find that the disks changed under it. */
const COMPLETIONS_MAX = 4
const ROOM_PERIOD_MS = 1000

/**
 * Read-only (`pool.view.readOnly`) where the disks hold less than was seen, or too few are there: then it serves what the index and those disks have, and goes
 * on by itself when the others are back. Without an index it refuses instead: nobody would know what is missing, and an older site, or an empty
 * one, must not be shown for the newest.
 */
export async function openEngine(input: EngineInput): Promise<Result<Engine, EngineFault>> {
  const { pool, index, clock } = input
  const state = readIndex(index, input.site)
  const newest = state && newestStart(index)
  if (newest !== undefined && newest >= input.start) return fail({ kind: 'start-used', start: newest })
  const journal = await Journal.open({
    disks: journalDisksOf(pool),
    clock,
    ...(input.journalOptions && { options: input.journalOptions }),
  })
  const engine = new Engine(input, journal)
  const activated = await engine.activate('at-start')
  if (activated.ok || (activated.error.kind === 'held' && state !== undefined)) {
    engine.watch()
    return ok(engine)
  }
  engine.abandon()
  return fail(activated.error.kind === 'held' ? { kind: 'nothing-to-show' } : activated.error)
}

export class Engine {
  readonly pool: Pool
  readonly journal: Journal
  readonly index: OrderedMap
  readonly board = new Board()
  readonly extents: ExtentStore
  readonly committer: Committer
  readonly healing: Healing
  readonly scrub: Scrub
  /** The store of this thread. */
  readonly store: LocalStore
  readonly #input: EngineInput
  readonly #freeing: Freeing
  readonly #commits: Commits
  readonly #stays: DiskStays
  readonly #staged: StagedShards
  readonly #stops: (() => void)[] = []
  readonly #readOnlyRecovery: ReadOnlyRecovery | undefined
  #sweeping: Promise<void> = Promise.resolve()
  #closed = false

  /** Use openEngine. */
  constructor(input: EngineInput, journal: Journal) {
    const { pool, index, clock, site, epoch, start } = input
    this.#input = input
    this.pool = pool
    this.index = index
    this.journal = journal
    this.#stays = new DiskStays(pool.view)
    this.#stops.push(pool.onChange((view) => this.#stays.follow(view)))
    const disks: SetDisks = {
      disks: (set) => pool.disks(set),
      reportFault: (set, position) => {
        const disk = pool.disk(set, position)?.disk
        // A report may be about a disk that has been replaced since.
        if (disk?.failed !== undefined) this.#putOut(set, position, disk.failed)
      },
      reportBadShard: (place, shard) => this.healing.reportBadShard(place, shard),
    }
    this.extents = new ShardedExtents({ poolId: pool.view.poolId, geometry: (set) => pool.view.sets[set]!, disks, clock })
    const isArriving = (diskId: string): boolean => this.healing.isArriving(diskId)
    this.#staged = new StagedShards({ pool, stays: this.#stays, extents: this.extents, isArriving })
    this.committer = new Committer({
      index,
      journal,
      clock,
      site,
      epoch,
      board: this.board,
      readOnly: () => pool.view.readOnly !== undefined,
      generation: () => pool.view.generation,
      room: () => input.indexRoom?.() ?? 'ample',
      countDurable: (staged) => this.#stays.durable(staged),
      lacksShards: (staged) => this.#staged.lacks(staged),
      onFreed: (places, manifests) => this.#freeing.add(places, manifests),
      onHealListGrew: () => this.healing.look(),
      catchUp: () => this.#catchUp(),
      onTrouble: (sentence) => input.onTrouble?.(sentence),
    })
    this.#commits = this.addLane()
    this.#freeing = new Freeing({
      board: this.board,
      extents: this.extents,
      clock,
      paused: () => pool.view.readOnly !== undefined,
      dropManifests: (manifests) => this.#commits.submit({ kind: 'drop-manifests', manifests }),
    })
    this.healing = new Healing({
      pool,
      journal,
      index,
      extents: this.extents,
      clock,
      commits: this.#commits,
      ...(input.reopenDisk && { reopenDisk: input.reopenDisk }),
      onFollowed: (diskId) => this.#stops.push(afterReaders(this.board, clock, () => pool.letGo(diskId))),
      onTrouble: (sentence) => input.onTrouble?.(sentence),
    })
    this.scrub = new Scrub({
      pool,
      journal,
      index,
      extents: this.extents,
      clock,
      commits: this.#commits,
      board: this.board,
      start,
      ...(input.scrubMemory && { memory: input.scrubMemory }),
      onTrouble: (sentence) => input.onTrouble?.(sentence),
    })
    this.store = new LocalStore({
      index,
      commits: this.#commits,
      extents: this.extents,
      journalReader: journal.reader,
      board: this.board,
      thread: ENGINE_THREAD,
      start,
      clock,
      site,
      epoch,
      feed: journal,
    })
    const { reopenDisk } = input
    this.#readOnlyRecovery = reopenDisk && new ReadOnlyRecovery({ pool, journal, clock, reopenDisk, activate: () => this.activate() })
  }

  /** For openEngine: looks after the disks from now on. */
  watch(): void {
    this.#stops.push(watchDisks(this.pool, this.#input.clock), this.#tellOfReadOnly())
    if (this.#input.onTrouble !== undefined) this.#stops.push(tellOfDisks(this.pool, this.#input.onTrouble))
    this.#readOnlyRecovery?.begin()
  }

  #tellOfReadOnly(): () => void {
    const { readOnly: first } = this.pool.view
    let told = first && announceReadOnly(first)
    return this.pool.onChange(({ readOnly }) => {
      const says = readOnly && announceReadOnly(readOnly)
      if (says === told || readOnly === STARTING) return
      told = says
      this.#input.onTrouble?.(says ?? 'The disks that were missing are back, or given up: the site may be written again.')
    })
  }

  /** For openEngine: lets go of everything but pool and index. */
  abandon(): void {
    for (const stop of this.#stops) stop()
    this.journal.close()
  }

  /** Recovers the journal and takes up writing, if the disks hold all that was seen. */
  async activate(when: 'at-start' | 'serving' = 'serving'): Promise<Result<void, ActivationFault>> {
    const activated = await activate(this.#input, this.journal, when)
    if (!activated.ok) return activated
    if (this.#input.pendingRetirement !== undefined || when === 'serving') await this.#input.savePendingRetirement?.(undefined)
    this.pool.ready()
    if (when === 'serving') this.board.noteBucketsChanged()
    this.#begin(activated.value)
    if (activated.value.startsOver) await this.#startOver()
    return ok(undefined)
  }

  /**
   * A record, so that the next start finds a journal; and of a new epoch, since what was signed in this one may be held by peers under the numbers that come
   * next. Where it cannot be written, the next start asks again.
   */
  async #startOver(): Promise<void> {
    await this.beginEpoch(this.store.federation.epoch + 1, 0)
  }

  /** An operator says that disks are lost for good: retiring.ts. */
  async retire(asked: RetireRequest): Promise<Result<Retired, string>> {
    const { pool, journal, index } = this
    const { savePendingRetirement = async () => true } = this.#input
    await this.#readOnlyRecovery?.close()
    const retired = await retireDisks(
      {
        pool,
        journal,
        seen: seenBy(this.#input, readIndex(index, this.#input.site)),
        savePendingRetirement,
        activate: () => this.activate(),
      },
      asked,
    )
    // It is decided: the disks that are lost must not turn up before it is acted upon.
    if (!retired.ok || retired.value.when === 'now') this.#readOnlyRecovery?.begin()
    return retired
  }

  /** Number of the newest change that is shown. */
  get sequence(): number {
    return readIndex(this.index, this.#input.site)?.applied ?? 0
  }

  /** Starts what goes on beside requests. */
  #begin(replayed: { readonly freed: readonly ExtentPlace[] }): void {
    const { index } = this.#input
    const doomed = [...walk(index.reader(), tableRange(Table.doomedManifest))].map(({ key }) => readUint64(Buffer.from(key), 1))
    this.#freeing.add(replayed.freed, doomed)
    this.healing.begin()
    this.scrub.begin()
    this.#sweeping = this.#sweep()
    this.#stops.push(expireUploads(this.#commits, this.#input.clock))
    this.#watchRoom()
  }

  /** A way to the committer for one more thread. */
  addLane(): Commits {
    const lane = this.committer.addLane()
    const { pool } = this
    return {
      submit: (change) => this.#submit(lane, change),
      reportFault: (set, position, fault) => this.#putOut(set, position, fault),
      reportBadShard: (place, shard) => this.healing.reportBadShard(place, shard),
      reportBadCopy: (set, position, segment) => {
        const disk = pool.disk(set, position)?.disk
        if (disk === undefined || this.#closed) return
        this.journal.reportBadCopy(disk, segment)
        this.healing.look()
      },
      get view() {
        return pool.view
      },
      onView: (listener) => pool.onChange(listener),
    }
  }

  /** Every stamp from then on is greater than `clock`. 'unavailable': it may have begun all the same. */
  async beginEpoch(epoch: number, clock: number): Promise<Result<void, Refusal>> {
    const begun = await this.#commits.submit({ kind: 'begin-epoch', epoch, clock })
    if (!begun.ok) return begun
    const noted = await this.#input.onEpoch?.(epoch)
    return noted?.ok === false ? fail('unavailable') : ok(undefined)
  }

  /** Resolves when leftovers of unclean starts have been sought, and what was freed so far is removed: for tests. */
  async settled(): Promise<void> {
    await this.#sweeping
    await this.#freeing.drained()
  }

  /**
   * Answers what was submitted, then lets go of everything. `clean`: nothing was left behind, so that the next start need not seek leftovers of this one.
   * Requests of all threads must have ended before.
   */
  async close(): Promise<{ readonly clean: boolean }> {
    this.#closed = true
    await this.#readOnlyRecovery?.close()
    for (const stop of this.#stops) stop()
    await this.scrub.close()
    await this.healing.close()
    await this.committer.close()
    const { left } = this.#freeing.close()
    await this.#sweeping
    this.journal.close()
    await this.index.close()
    return { clean: !left && this.committer.doubtful === 0 }
  }

  #putOut(set: number, position: number, fault: DiskFault): void {
    if (this.#closed || (fault !== 'gone' && fault !== 'timeout' && fault !== 'io')) return
    void this.pool.putOut([{ set, position, reason: describeFault(fault) }])
  }

  /** What was staged in an extent is completed first, where disks have changed since it was begun. */
  async #submit(lane: number, change: ChangeRequest): Promise<ChangeReply> {
    const staged = stagedExtent(change)
    if (staged === undefined || this.pool.view.readOnly !== undefined) return this.committer.submit(lane, change)
    for (let turn = 0; turn < COMPLETIONS_MAX; turn++) {
      const completed = this.#staged.lacks(staged) ? await this.#staged.complete(staged) : ok(staged)
      if (!completed.ok) return completed
      const reply = await this.committer.submit(lane, completed.value === staged ? change : withStaged(change, completed.value))
      // They changed once more while it waited.
      if (reply.ok || reply.disksChanged !== true) return reply
    }
    return fail('unavailable')
  }

  async #catchUp(): Promise<Result<unknown, ReplayFault>> {
    try {
      const replayed = await replay({
        index: this.index,
        journal: this.journal,
        site: this.#input.site,
        generation: this.pool.view.generation,
      })
      if (replayed.ok) this.#freeing.add(replayed.value.freed, replayed.value.doomed)
      return replayed
    } catch {
      return fail({ kind: 'index-failed' })
    }
  }

  async #sweep(): Promise<void> {
    const { uncleanStarts, onSwept, pool, index } = this.#input
    for (const start of uncleanStarts) {
      const swept = await sweepLeftovers({ pool, index, start, stopped: () => this.#closed || pool.view.readOnly !== undefined })
      if (swept === 'done') await onSwept?.(start)
    }
  }

  /** Uploads that would be refused anyway are refused before their bodies: so that it ends when there is room again, somebody has to look. */
  #watchRoom(): void {
    const { clock } = this.#input
    const look = (): void => {
      this.committer.lookForRoom()
      cancel = clock.timer(ROOM_PERIOD_MS, look)
    }
    let cancel = clock.timer(ROOM_PERIOD_MS, look)
    this.#stops.push(() => cancel())
  }
}
