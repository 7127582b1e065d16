/** Mends single shards on disks that are in: those that a read found bad, and those that the index knows to be missing. */
import { type ExtentPlace, shardPosition } from '../../disks/geometry.ts'
import type { PoolView } from '../../disks/pool-view.ts'
import type { ShardNote } from './changes/record.ts'
import type { Commits } from './commits.ts'
import { Table, tableRange } from './index/keys.ts'
import { after, type OrderedMap } from './index/ordered-map.ts'
import { decodeExtentId, decodeExtentRow, getExtent } from './index/rows.ts'
import { EXTENTS_PER_PAGE, missingShards, noteOf, type Shards } from './shards.ts'

/** Reports beyond this are dropped: the scrub and the next read find the shard again. */
const BAD_SHARDS_MAX = 10_000
const NOTES_PER_RECORD = 500

export type ShardMendingInput = {
  readonly shards: Shards
  readonly index: OrderedMap
  readonly commits: Commits
  readonly view: () => PoolView
  readonly isStopped: () => boolean
}

export class ShardMending {
  readonly #input: ShardMendingInput
  readonly #bad = new Map<string, { readonly place: ExtentPlace; readonly shard: number }>()
  /** What could not be mended with the disks as they were in a generation: not tried again before the next. */
  readonly #hopeless = new Map<string, number>()
  #working: Promise<void> | undefined
  #again = false

  constructor(input: ShardMendingInput) {
    this.#input = input
  }

  /** A shard was found missing or bad on a disk that works. */
  report(place: ExtentPlace, shard: number): void {
    if (this.#bad.size < BAD_SHARDS_MAX) this.#bad.set(shardName(place, shard), { place, shard })
  }

  /** Extents known to lack a shard, or to have a bad one; counted up to BAD_SHARDS_MAX. */
  get count(): number {
    const { from, to } = tableRange(Table.heal)
    return this.#bad.size + this.#input.index.reader().range(from, to, BAD_SHARDS_MAX).length
  }

  /** Undefined when nothing is being mended. */
  get working(): Promise<void> | undefined {
    return this.#working
  }

  /** Mends what is known by now. */
  look(): void {
    if (this.#working !== undefined) this.#again = true
    else this.#working = this.#work()
  }

  async #work(): Promise<void> {
    do {
      this.#again = false
      await this.#mendReported()
      await this.#mendListed()
    } while (this.#again && !this.#input.isStopped())
    this.#working = undefined
  }

  async #mendReported(): Promise<void> {
    const { index, shards, commits, isStopped } = this.#input
    const notes: ShardNote[] = []
    for (const [id, { place, shard }] of this.#bad) {
      this.#bad.delete(id)
      const row = isStopped() ? undefined : getExtent(index.reader(), place)
      if (row === undefined) continue
      const outcome = await shards.makeWhole(place, shard)
      // What cannot be mended now goes onto the list of what is missing.
      const note = noteOf(row, shard, outcome === 'whole' || outcome === 'repaired' || outcome === 'freed' ? outcome : 'lost')
      if (note !== undefined) notes.push(note)
    }
    await noteShards(commits, notes)
  }

  async #mendListed(): Promise<void> {
    const { index, shards, commits, view, isStopped } = this.#input
    const { from, to } = tableRange(Table.heal)
    for (let next: Uint8Array | undefined = from; next !== undefined && !isStopped(); ) {
      const page: readonly { key: Uint8Array; value: Uint8Array }[] = index.reader().range(next, to, EXTENTS_PER_PAGE)
      next = page.length < EXTENTS_PER_PAGE ? undefined : after(page.at(-1)!.key)
      const notes: ShardNote[] = []
      for (const { key, value } of page) {
        const row = decodeExtentRow(decodeExtentId(key), value)
        for (const shard of missingShards(row)) {
          const name = shardName(row.place, shard)
          const { generation, sets } = view()
          const isIn = sets[row.place.set]?.disks[shardPosition(row.place, shard)]?.state === 'in'
          if (isStopped() || !isIn || this.#hopeless.get(name) === generation) continue
          const outcome = await shards.makeWhole(row.place, shard)
          if (outcome === 'lost') this.#giveUp(name, generation)
          const note = noteOf(row, shard, outcome)
          if (note !== undefined) notes.push(note)
        }
      }
      await noteShards(commits, notes)
    }
  }

  #giveUp(name: string, generation: number): void {
    if (this.#hopeless.size >= BAD_SHARDS_MAX) this.#hopeless.clear()
    this.#hopeless.set(name, generation)
  }
}

/** Tells the index; false if it could not be told. */
export async function noteShards(commits: Commits, notes: readonly ShardNote[]): Promise<boolean> {
  for (let at = 0; at < notes.length; at += NOTES_PER_RECORD) {
    if (!(await commits.submit({ kind: 'note-shards', shards: notes.slice(at, at + NOTES_PER_RECORD) })).ok) return false
  }
  return true
}

const shardName = ({ start, counter }: ExtentPlace, shard: number): string => `${start}/${counter}/${shard}`
