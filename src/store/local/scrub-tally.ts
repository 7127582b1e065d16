/** What a scrub has found so far, disk by disk. */
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { DiskSlot, PoolView } from '../../disks/pool-view.ts'
import type { ScrubbedDisk } from '../../disks/scrubbed-disk.ts'
import type { CopyCheck } from './journal/scrub-segment.ts'
import { type ShardOutcome, shardBytes } from './shards.ts'

type Counts = { -readonly [K in keyof ScrubbedDisk]: ScrubbedDisk[K] }

export class ScrubTally {
  /** Extents of which a shard could not be rebuilt for want of intact ones, and numbers of segments with records that no copy has. */
  readonly lostExtents = new Map<string, ExtentPlace>()
  readonly lostSegments = new Set<number>()
  bytes = 0
  readonly #disks = new Map<string, Counts>()

  constructor(view: PoolView) {
    for (const { diskId, directory, state } of slotsOf(view)) {
      const counts = { segments: 0, shards: 0, bytes: 0, repaired: 0, remaining: 0 }
      this.#disks.set(diskId, { path: directory, id: diskId, state: state === 'in' ? 'checked' : 'out', ...counts })
    }
  }

  addFiles(slot: DiskSlot, outcome: 'whole' | 'mended' | 'failed'): void {
    const disk = this.#disks.get(slot.diskId)
    if (disk === undefined) return
    if (outcome === 'mended') disk.repaired++
    if (outcome === 'failed') disk.state = 'failed'
  }

  addCopy(slot: DiskSlot, segment: number, { outcome, bytes }: CopyCheck): void {
    const disk = this.#disks.get(slot.diskId)
    this.bytes += bytes
    if (disk === undefined) return
    disk.segments++
    disk.bytes += bytes
    if (outcome === 'repaired') disk.repaired++
    if (outcome === 'failed') disk.state = 'failed'
    if (outcome !== 'lost') return
    disk.remaining++
    this.lostSegments.add(segment)
  }

  addShard(slot: DiskSlot, place: ExtentPlace, outcome: ShardOutcome): void {
    if (outcome === 'stopped') return
    const disk = this.#disks.get(slot.diskId)
    const bytes = shardBytes(place)
    this.bytes += bytes
    if (disk === undefined || outcome === 'freed') return
    disk.shards++
    disk.bytes += bytes
    if (outcome === 'repaired') disk.repaired++
    if (outcome === 'disk-failed' || outcome === 'full') disk.state = 'failed'
    if (outcome === 'lost' || outcome === 'too-few-disks') disk.remaining++
    if (outcome === 'lost') this.lostExtents.set(`${place.start}/${place.counter}`, place)
  }

  /** What was in at the beginning and is not any more was not read to the end. */
  disks(now: PoolView): ScrubbedDisk[] {
    const isIn = new Set(slotsOf(now).flatMap(({ diskId, state }) => (state === 'in' ? diskId : [])))
    return [...this.#disks.values()].map((disk) => (disk.state === 'checked' && !isIn.has(disk.id) ? { ...disk, state: 'failed' } : disk))
  }

  get repaired(): number {
    return this.#sum(({ repaired }) => repaired)
  }

  get remaining(): number {
    return this.#sum(({ remaining }) => remaining)
  }

  #sum(of: (disk: ScrubbedDisk) => number): number {
    return [...this.#disks.values()].reduce((sum, disk) => sum + of(disk), 0)
  }
}

export const slotsOf = (view: PoolView): readonly DiskSlot[] => view.sets.flatMap((set) => set.disks)
