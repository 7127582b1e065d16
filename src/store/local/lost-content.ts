/** Names what damage that cannot be repaired has cost: versions, and parts of uploads, whose bytes cannot be read any more. */
import type { ExtentStore } from '../../disks/extents.ts'
import type { Clock } from '../../environment.ts'
import type { BucketId } from '../terms.ts'
import type { Slice, Slices } from './content.ts'
import { s3KeyOf } from './index/key-walk.ts'
import { BEFORE_S3_KEY, BEHIND_S3_KEY, partPrefix, prefixRange, Table, type TableCode, tableRange } from './index/keys.ts'
import { manifestChunks } from './index/manifests.ts'
import { after, type Entry, type OrderedMap, walk } from './index/ordered-map.ts'
import { decodePartRow, decodeUploadRow, getBucket, unpackSlices } from './index/rows.ts'
import { Turns } from './index/turns.ts'
import { decodeVersionRow } from './index/version-row.ts'
import { versionIdOfRow } from './index/versions.ts'
import type { JournalReader } from './journal/reader.ts'
import type { ScrubTally } from './scrub-tally.ts'

/** A version; with `part` instead of `versionId`, a part of an upload that is under way. */
export type LostContent = {
  readonly bucket: string
  readonly key: string
  readonly versionId?: string
  readonly part?: number
}
export type LostContents = { readonly named: readonly LostContent[]; readonly more: number }

const NAMED_MAX = 1000
const ROWS_PER_PAGE = 200

export type LostContentInput = {
  readonly index: OrderedMap
  readonly extents: ExtentStore
  readonly journalReader: JournalReader
  readonly clock: Clock
}

/** Goes through the whole index; what refers to something damaged is read, to see whether its own bytes are gone. */
export async function findLost(input: LostContentInput, damage: Pick<ScrubTally, 'lostExtents' | 'lostSegments'>): Promise<LostContents> {
  const search = new LostSearch(input, damage)
  await search.versions(Table.current, 0)
  await search.versions(Table.version, BEHIND_S3_KEY)
  await search.uploads()
  return search
}

class LostSearch implements LostContents {
  readonly named: LostContent[] = []
  more = 0
  readonly #input: LostContentInput
  readonly #damage: Pick<ScrubTally, 'lostExtents' | 'lostSegments'>
  readonly #turns: Turns

  constructor(input: LostContentInput, damage: Pick<ScrubTally, 'lostExtents' | 'lostSegments'>) {
    this.#input = input
    this.#damage = damage
    this.#turns = new Turns(input.index, input.clock)
  }

  /** `tail`: bytes behind the S3 key in keys of the table. */
  async versions(table: TableCode, tail: number): Promise<void> {
    for await (const { key, value } of this.#rows(table)) {
      const row = decodeVersionRow(value)
      if (row.content === undefined || !(await this.#isLost([row.content]))) continue
      this.#add({ ...this.#place(key, tail), versionId: versionIdOfRow(row) })
    }
  }

  async uploads(): Promise<void> {
    for await (const { key, value } of this.#rows(Table.upload)) {
      const { position } = decodeUploadRow(value)
      const parts = [...walk(this.#input.index.reader(), prefixRange(partPrefix(position.sequence)))].map((entry) =>
        decodePartRow(entry.value),
      )
      for (const part of parts) {
        if (await this.#isLost(unpackSlices(part.slices))) this.#add({ ...this.#place(key, BEHIND_S3_KEY), part: part.number })
      }
    }
  }

  async *#rows(table: TableCode): AsyncGenerator<Entry, void> {
    const { from, to } = tableRange(table)
    for (let next: Uint8Array | undefined = from; next !== undefined; ) {
      // What is read in place is good until the next wait.
      const page: readonly Entry[] = this.#input.index
        .reader()
        .range(next, to, ROWS_PER_PAGE)
        .map(({ key, value }) => ({ key: key.slice(), value: value.slice() }))
      for (const entry of page) {
        yield entry
        if (this.#turns.over) await this.#turns.giveWay()
      }
      next = page.length < ROWS_PER_PAGE ? undefined : after(page.at(-1)!.key)
    }
  }

  #place(key: Uint8Array, tail: number): { readonly bucket: string; readonly key: string } {
    const id = Buffer.from(key).readUInt32BE(BEFORE_S3_KEY - 4) as BucketId
    const bucket = getBucket(this.#input.index.reader(), id)
    return { bucket: bucket?.name ?? `(bucket ${id})`, key: s3KeyOf(key, tail) }
  }

  #add(lost: LostContent): void {
    if (this.named.length < NAMED_MAX) this.named.push(lost)
    else this.more++
  }

  async #isLost(slices: Slices): Promise<boolean> {
    for (const slice of this.#leaves(slices)) {
      if (slice.kind === 'journal' && this.#damage.lostSegments.has(slice.place.segment)) {
        const body = await this.#input.journalReader.read(slice.place)
        if (!body.ok && body.error === 'damaged') return true
      }
      const isSuspect = slice.kind === 'extent' && this.#damage.lostExtents.has(`${slice.place.start}/${slice.place.counter}`)
      if (isSuspect && !(await this.#reads(slice))) return true
    }
    return false
  }

  /** The runs that manifests stand for, with them. */
  #leaves(slices: Slices): Slice[] {
    return slices.flatMap((slice) => {
      if (slice.kind !== 'manifest') return slice
      const chunks = [...manifestChunks(this.#input.index.reader(), slice.id, 0)]
      return this.#leaves(chunks.flatMap(({ parts }) => parts.flatMap((part) => unpackSlices(part.slices))))
    })
  }

  async #reads({ place, from, to }: Extract<Slice, { kind: 'extent' }>): Promise<boolean> {
    const reader = this.#input.extents.open(place, from, to)
    reader.lend()
    try {
      for (;;) {
        const read = await reader.read()
        if (!read.ok) return read.error !== 'damaged'
        if (read.value === undefined) return true
      }
    } finally {
      reader.close()
    }
  }
}
