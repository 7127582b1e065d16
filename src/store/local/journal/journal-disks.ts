/** The disks as the journal needs them, and the bridge from the pool to that. */
import type { Disk } from '../../../disks/disk.ts'
import type { SetDisk } from '../../../disks/extents.ts'
import { everySlot, type PoolView } from '../../../disks/pool-view.ts'
import type { Result } from '../../../result.ts'

export type JournalDisk = {
  readonly disk: Disk
  readonly set: number
  readonly position: number
  /** 32 hexadecimal digits. */
  readonly diskId: string
  /** It gets new segments where copies would be too few otherwise, and is never read in a recovery. */
  readonly healing: boolean
  /** Of a successor: the position of the disk that it is to follow. Besides, it gets what that one gets. */
  readonly follows?: number
}

/** Disks that failed on the way, each with the first reason: the attempt goes again without them. */
export type DisksFailed = {
  readonly kind: 'disks-failed'
  readonly failed: readonly { readonly disk: JournalDisk; readonly reason: string }[]
}

export type DiskOut = { readonly set: number; readonly position: number; readonly reason: string }

export interface JournalDisks {
  /** 32 hexadecimal digits. */
  readonly poolId: string
  readonly generation: number
  /** One more than the greatest parity of any set. */
  readonly copies: number
  /** Set while the pool may not be written. */
  readonly readOnly: boolean
  /** Those in and healing, of all sets, successors among them. */
  disks(): readonly JournalDisk[]
  /** Resolves when it is durable that they are out. */
  putOut(disks: readonly DiskOut[]): Promise<Result<unknown, 'too-few-disks' | 'read-only'>>
}

/** What the journal uses of the pool (src/disks/pool.ts). */
export interface PoolOfJournal {
  readonly view: PoolView
  /** False while nothing may be written. */
  readonly mayWrite: boolean
  disk(set: number, position: number): SetDisk | undefined
  putOut(disks: readonly DiskOut[]): Promise<Result<PoolView, 'too-few-disks' | 'read-only'>>
}

export function journalDisksOf(pool: PoolOfJournal): JournalDisks {
  let seen: PoolView | undefined
  let disks: JournalDisk[] = []
  return {
    get poolId() {
      return pool.view.poolId
    },
    get generation() {
      return pool.view.generation
    },
    get copies() {
      return 1 + Math.max(...pool.view.sets.map((set) => set.parityShards))
    },
    get readOnly() {
      return !pool.mayWrite
    },
    disks() {
      if (seen !== pool.view) {
        seen = pool.view
        disks = listDisks(pool)
      }
      return disks
    },
    putOut: (out) => pool.putOut(out),
  }
}

/** Puts failed disks out; each with the first reason given. */
export function putOutFailed(pool: JournalDisks, failed: DisksFailed['failed']): Promise<Result<unknown, 'too-few-disks' | 'read-only'>> {
  return pool.putOut(failed.map(({ disk, reason }) => ({ set: disk.set, position: disk.position, reason })))
}

/** Those of the disks that are there now. */
export function holdersNow(holders: Iterable<Disk>, pool: JournalDisks): Disk[] {
  const disks = pool.disks()
  return [...holders].filter((disk) => disks.some((other) => other.disk === disk))
}

function listDisks(pool: PoolOfJournal): JournalDisk[] {
  const disks: JournalDisk[] = []
  for (const slot of everySlot(pool.view)) {
    const found = slot.state === 'out' ? undefined : pool.disk(slot.set, slot.position)
    if (found === undefined) continue
    const { set, position, diskId } = slot
    const places = pool.view.sets[set]!.disks.length
    const follows = position < places ? {} : { follows: position - places }
    disks.push({ disk: found.disk, set, position, diskId, healing: slot.state === 'healing', ...follows })
  }
  return disks
}

/**
 * The disks for the copies of a segment: all in one set, so that the loss of m disks in each of several sets still leaves one; taken in turn, by the
 * segment's number. Healing ones fill up where those in are too few, and a successor has what the disk has that it is to follow. Empty if there
 * is none.
 */
export function chooseDisks(disks: readonly JournalDisk[], copies: number, segment: number): JournalDisk[] {
  const sets = new Map<number, JournalDisk[]>()
  for (const disk of disks) {
    const set = sets.get(disk.set)
    if (set === undefined) sets.set(disk.set, [disk])
    else set.push(disk)
  }
  const isIn = (disk: JournalDisk): boolean => !disk.healing
  const countIn = (set: readonly JournalDisk[]): number => Math.min(copies, set.filter(isIn).length)
  const best = Math.max(0, ...[...sets.values()].map(countIn))
  if (best === 0) return []
  const equal = [...sets.values()].filter((set) => countIn(set) === best)
  const set = equal[segment % equal.length] ?? []
  const those = set.filter(isIn)
  const turn = Math.floor(segment / equal.length) % those.length
  const inTurn = [...those.slice(turn), ...those.slice(0, turn), ...set.filter((disk) => disk.healing)]
  const chosen = inTurn.slice(0, copies)
  const isBeside = (disk: JournalDisk): boolean => chosen.some(({ position }) => position === disk.follows) && !chosen.includes(disk)
  return [...chosen, ...set.filter(isBeside)]
}
