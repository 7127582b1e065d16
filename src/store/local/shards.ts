/** Shards of the extents that the index lists: checked where they lie, and made whole from the others. */
import type { ExtentStore, Pace } from '../../disks/extents.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { ShardNote } from './changes/record.ts'
import { Table, tableRange } from './index/keys.ts'
import { after, type OrderedMap } from './index/ordered-map.ts'
import { decodeExtentId, decodeExtentRow, type ExtentRow, getExtent, wholeMask } from './index/rows.ts'

export type ShardOutcome =
  | 'whole'
  | 'repaired'
  /** The extent was deleted meanwhile: nothing is owed. */
  | 'freed'
  /** Fewer shards are intact than it takes to rebuild one. */
  | 'lost'
  /** Too few other disks are there now. */
  | 'too-few-disks'
  /** Its own disk failed. */
  | 'disk-failed'
  /** Its own disk is full. */
  | 'full'
  /** The pace said so. */
  | 'stopped'

export const EXTENTS_PER_PAGE = 200

export class Shards {
  readonly #extents: ExtentStore
  readonly #index: OrderedMap

  constructor(input: { readonly extents: ExtentStore; readonly index: OrderedMap }) {
    this.#extents = input.extents
    this.#index = input.index
  }

  /** Reads a shard through and rebuilds what is missing or bad of it. `pace` and `at`: as in ExtentStore. */
  async makeWhole(
    place: ExtentPlace,
    shard: number,
    { pace, at }: { readonly pace?: Pace; readonly at?: number } = {},
  ): Promise<ShardOutcome> {
    const verified = await this.#extents.verify(place, shard, { pace, at })
    if (verified.ok) return 'whole'
    if (verified.error === 'stopped') return 'stopped'
    if (this.#isFreed(place)) return 'freed'
    const rebuilt = await this.#extents.rebuild(place, shard, at)
    if (this.#isFreed(place)) {
      // Rebuilt after its extent was freed: it must not stay behind.
      if (rebuilt.ok) await this.#extents.remove(place)
      return 'freed'
    }
    if (rebuilt.ok) return 'repaired'
    if (rebuilt.error === 'damaged') return 'lost'
    return rebuilt.error === 'too-few-disks' || rebuilt.error === 'full' ? rebuilt.error : 'disk-failed'
  }

  /** The extents of the index in order, page by page, from a key of their table on; each page as it is when the walk gets there. */
  *pages(from = tableRange(Table.extent).from): Generator<readonly ExtentRow[], void> {
    const { to } = tableRange(Table.extent)
    for (let next: Uint8Array | undefined = from; next !== undefined; ) {
      const page: readonly { key: Uint8Array; value: Uint8Array }[] = this.#index.reader().range(next, to, EXTENTS_PER_PAGE)
      next = page.length < EXTENTS_PER_PAGE ? undefined : after(page.at(-1)!.key)
      yield page.map(({ key, value }) => decodeExtentRow(decodeExtentId(key), value))
    }
  }

  #isFreed(place: ExtentPlace): boolean {
    return getExtent(this.#index.reader(), place) === undefined
  }
}

/** About what one disk holds of an extent. */
export const shardBytes = (place: ExtentPlace): number => Math.ceil(place.bytes / place.dataShards)

/** The shard of an extent that lies on the disk at a position. */
export function shardAt(place: ExtentPlace, position: number): number {
  const disks = place.dataShards + place.parityShards
  return (((position - place.counter) % disks) + disks) % disks
}

export const isNoted = (durable: number, shard: number): boolean => (durable & (2 ** shard)) !== 0

/** The shards that the index knows to be missing. */
export function missingShards({ place, durable }: ExtentRow): number[] {
  const missing = (wholeMask(place) & ~durable) >>> 0
  return Array.from({ length: place.dataShards + place.parityShards }, (_, shard) => shard).filter((shard) => isNoted(missing, shard))
}

/** What the index should be told after a shard was looked at; undefined if it knows. */
export function noteOf({ place, durable }: ExtentRow, shard: number, outcome: ShardOutcome): ShardNote | undefined {
  const { start, counter } = place
  if (outcome === 'lost' && isNoted(durable, shard)) return { start, counter, healed: 0, lost: 2 ** shard }
  if ((outcome === 'whole' || outcome === 'repaired') && !isNoted(durable, shard)) return { start, counter, healed: 2 ** shard, lost: 0 }
  return undefined
}
