/** What a gateway thread opens for itself: the index, the disks and a store over them. Changes go to the commit thread. */
import { join } from 'node:path'
import { openDirectoryDisk } from '../../disks/directory-disk.ts'
import type { Disk, DiskFault } from '../../disks/disk.ts'
import type { SetDisk, SetDisks } from '../../disks/extents.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import { IDENTITY_FILE } from '../../disks/identity.ts'
import { type DiskSlot, everySlot, type PoolView } from '../../disks/pool-view.ts'
import { ShardedExtents } from '../../disks/sharded-extents.ts'
import { setDisksOf } from '../../disks/successors.ts'
import type { Clock } from '../../environment.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { SiteId } from '../terms.ts'
import { afterReaders } from './after-readers.ts'
import { Board } from './board.ts'
import type { Commits } from './commits.ts'
import { LmdbMap } from './index/lmdb-map.ts'
import { ListingRoom } from './index/turns.ts'
import { JournalReader } from './journal/reader.ts'
import { LocalStore } from './local-store.ts'
import type { Feed } from './operation-reader.ts'
import { INDEX_FOLDER } from './site-file.ts'

export type ReaderInput = {
  readonly siteDirectory: string
  /** 1 to 63, one for each thread; the commit thread is 0. */
  readonly thread: number
  /** `engine.board.memory` of the commit thread. */
  readonly board: SharedArrayBuffer
  readonly commits: Commits
  readonly clock: Clock
  /** As the opened site says. */
  readonly site: SiteId
  readonly epoch: number
  readonly start: number
  readonly cacheBytes?: number
  /** The journal's records, where this thread is to read the feed. */
  readonly feed?: Feed
}

export type ReaderParts = { readonly store: LocalStore; close(): Promise<void> }

/** The store of a thread that changes nothing itself: it sends its changes through `commits`. */
export async function openReaderParts(input: ReaderInput): Promise<Result<ReaderParts, 'index-failed'>> {
  const { commits, clock } = input
  const index = await LmdbMap.open(join(input.siteDirectory, INDEX_FOLDER))
  if (!index.ok) return fail('index-failed')
  const board = new Board(input.board)
  const disks = new ThreadDisks(commits, board, clock)
  // Listening first: the pool may change while its disks are opened.
  const stop = commits.onView((view) => void disks.follow(view))
  await disks.follow(commits.view)
  const { poolId } = commits.view
  const extents = new ShardedExtents({ poolId, geometry: (set) => commits.view.sets[set]!, disks, clock })
  const journalReader = new JournalReader({
    disks: () => disks.forReading(),
    reportFault: (disk, fault) => disks.report(disk, fault),
    reportBadCopy: (disk, segment) => disks.reportBadCopy(disk, segment),
  })
  const store = new LocalStore({
    ...input,
    index: index.value,
    extents,
    journalReader,
    board,
    listings: new ListingRoom(),
  })
  return ok({
    store,
    async close() {
      stop()
      journalReader.close()
      disks.close()
      await index.value.close()
    },
  })
}

/** The thread's own instances of the pool's disks, opened and closed as the pool changes. */
class ThreadDisks implements SetDisks {
  readonly #commits: Commits
  readonly #board: Board
  readonly #clock: Clock
  /** Those that gave their place to another, until nobody reads them any more. */
  readonly #leaving = new Map<Disk, () => void>()
  /** By the disk's id. */
  readonly #held = new Map<string, Disk>()
  readonly #opening = new Map<string, Promise<void>>()
  #sets: readonly (readonly (SetDisk | undefined)[])[] = []
  #readable: readonly Disk[] = []
  #closed = false

  constructor(commits: Commits, board: Board, clock: Clock) {
    this.#commits = commits
    this.#board = board
    this.#clock = clock
  }

  disks(set: number): readonly (SetDisk | undefined)[] {
    return this.#sets[set] ?? []
  }

  forReading(): readonly Disk[] {
    return this.#readable
  }

  /** A report may be about the disk that had this place before. */
  reportFault(set: number, position: number, fault: DiskFault): void {
    if (this.#sets[set]?.[position]?.disk.failed !== undefined) this.#commits.reportFault(set, position, fault)
  }

  reportBadShard(place: ExtentPlace, shard: number): void {
    this.#commits.reportBadShard(place, shard)
  }

  report(disk: Disk, fault: DiskFault): void {
    for (const { set, position } of this.#slotsOf(disk)) this.reportFault(set, position, fault)
  }

  reportBadCopy(disk: Disk, segment: number): void {
    for (const { set, position } of this.#slotsOf(disk)) this.#commits.reportBadCopy(set, position, segment)
  }

  /** Where it is now, if it has a place. */
  #slotsOf(disk: Disk): DiskSlot[] {
    return everySlot(this.#commits.view).filter(({ diskId }) => this.#held.get(diskId) === disk)
  }

  /** Resolves when the disks of the view are open. */
  async follow(view: PoolView): Promise<void> {
    const slots = everySlot(view)
    const used = new Set(slots.filter((slot) => slot.state !== 'out').map((slot) => slot.diskId))
    for (const [diskId, disk] of this.#held) {
      // One that failed here and is healing again is opened anew.
      if (used.has(diskId) && disk.failed === undefined) continue
      this.#held.delete(diskId)
      if (disk.failed === undefined && !slots.some((slot) => slot.diskId === diskId)) this.#closeLater(disk)
      else disk.close()
    }
    this.#look()
    const missing = slots.filter((slot) => used.has(slot.diskId) && !this.#held.has(slot.diskId))
    await Promise.all(missing.map(({ diskId, directory, set, position }) => this.#open(diskId, directory, set, position)))
  }

  close(): void {
    this.#closed = true
    for (const [disk, cancel] of this.#leaving) {
      cancel()
      disk.close()
    }
    for (const disk of this.#held.values()) disk.close()
    this.#held.clear()
    this.#look()
  }

  #closeLater(disk: Disk): void {
    const close = (): void => {
      this.#leaving.delete(disk)
      disk.close()
    }
    this.#leaving.set(disk, afterReaders(this.#board, this.#clock, close))
  }

  #open(diskId: string, directory: string, set: number, position: number): Promise<void> {
    const opening = this.#opening.get(diskId)
    if (opening !== undefined) return opening
    const open = openDirectoryDisk({ directory, identityFile: IDENTITY_FILE, clock: this.#clock }).then((disk) => {
      this.#opening.delete(diskId)
      if (!disk.ok) return this.#commits.reportFault(set, position, disk.error)
      if (this.#closed) return disk.value.close()
      this.#held.set(diskId, disk.value)
      this.#look()
    })
    this.#opening.set(diskId, open)
    return open
  }

  /** What the newest view and the disks that are open amount to. */
  #look(): void {
    this.#sets = setDisksOf(this.#commits.view, (diskId) => this.#held.get(diskId))
    this.#readable = this.#sets.flatMap((set) => set.flatMap((found) => (found === undefined || found.writeOnly ? [] : found.disk)))
  }
}
