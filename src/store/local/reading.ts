/** Content as readers: one run after the other, from the journal, extents, or the parts of a manifest. */
import type { ExtentFault, ExtentReader, ExtentStore } from '../../disks/extents.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { ContentReader } from '../store.ts'
import type { StoreFault } from '../terms.ts'
import { BodyCache } from './body-cache.ts'
import { cut, type Slice, type Slices } from './content.ts'
import { manifestChunks } from './index/manifests.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { unpackSlices } from './index/rows.ts'
import type { JournalReader } from './journal/reader.ts'
import type { BodyPlace } from './journal/terms.ts'

export class StoredContent {
  readonly #index: OrderedMap
  readonly #extents: ExtentStore
  readonly #journal: JournalReader
  readonly #cache: BodyCache
  readonly #mayReturn: () => boolean

  constructor(input: {
    readonly index: OrderedMap
    readonly extents: ExtentStore
    readonly journalReader: JournalReader
    readonly cacheBytes: number
    /** Disks are missing that may hold what is on none of those that are here. */
    readonly mayReturn: () => boolean
  }) {
    this.#index = input.index
    this.#extents = input.extents
    this.#journal = input.journalReader
    this.#cache = new BodyCache(input.cacheBytes)
    this.#mayReturn = input.mayReturn
  }

  /** Bytes `from` to `to` (exclusive) of the slices. */
  open(slices: Slices, from: number, to: number): ContentReader {
    const pieces = cut(slices, from, to)
    return new SlicesReader(pieces, this)
  }

  openExtent(slice: Extract<Slice, { kind: 'extent' }>): ExtentReader {
    return this.#extents.open(slice.place, slice.from, slice.to)
  }

  /** The body of a record. It must not be changed: others may be reading it. */
  async body(place: BodyPlace): Promise<Result<Uint8Array, StoreFault>> {
    const cached = this.#cache.get(place.sequence)
    if (cached !== undefined) return ok(cached)
    const { wereAway } = this
    const read = await this.#journal.read(place)
    if (!read.ok) return fail(this.faultOf(read.error, wereAway))
    this.#cache.add(place.sequence, read.value)
    return read
  }

  /** To be asked before a read, for `faultOf`. */
  get wereAway(): boolean {
    return this.#mayReturn()
  }

  /** Nothing is called damaged that disks may hold which were away when the read began, or are now. */
  faultOf(fault: ExtentFault, wereAway: boolean): StoreFault {
    return fault === 'damaged' && (wereAway || this.#mayReturn()) ? 'unavailable' : storeFault(fault)
  }

  /** The runs of a manifest from `from` to `to`, row by row as the walk gets there. */
  *manifest(id: number, from: number, to: number): Generator<Slice, void> {
    for (const chunk of manifestChunks(this.#index.reader(), id, from)) {
      let start = chunk.from
      for (const part of chunk.parts) {
        const end = start + part.bytes
        if (end > from && start < to) yield* cut(unpackSlices(part.slices), Math.max(0, from - start), Math.min(part.bytes, to - start))
        start = end
      }
      if (start >= to) return
    }
  }
}

class SlicesReader implements ContentReader {
  readonly #content: StoredContent
  /** The innermost last. */
  readonly #walks: Iterator<Slice, void>[]
  #extent: ExtentReader | undefined
  /** Disks were away when it was opened: it may not ask them. */
  #wereAway = false
  /** Bytes that are still to come; a manifest that ends early is damage. */
  #missing: number
  #closed = false
  #lends = false

  constructor(slices: Slices, content: StoredContent) {
    this.#content = content
    this.#walks = [slices[Symbol.iterator]() as Iterator<Slice, void>]
    this.#missing = slices.reduce((bytes, slice) => bytes + slice.to - slice.from, 0)
  }

  lend(): void {
    this.#lends = true
    this.#extent?.lend()
  }

  async read(): Promise<Result<Uint8Array | undefined, StoreFault>> {
    while (!this.#closed) {
      const next = this.#extent === undefined ? this.#nextSlice() : await this.#readExtent(this.#extent)
      if (next === 'go-on') continue
      if (next === 'end') return this.#missing === 0 ? ok(undefined) : this.#failed('damaged')
      if ('kind' in next) {
        const body = await this.#content.body(next.place)
        if (!body.ok) return this.#failed(body.error)
        return this.#bytes(body.value.subarray(next.from, next.to))
      }
      if (!next.ok) return this.#failed(next.error)
      return this.#bytes(next.value)
    }
    return ok(undefined)
  }

  close(): void {
    this.#closed = true
    this.#extent?.close()
    this.#extent = undefined
  }

  #bytes(bytes: Uint8Array): Result<Uint8Array, StoreFault> {
    this.#missing -= bytes.length
    return ok(bytes)
  }

  #failed(fault: StoreFault): Result<never, StoreFault> {
    this.close()
    return fail(fault)
  }

  #nextSlice(): 'go-on' | 'end' | Extract<Slice, { kind: 'journal' }> {
    const walk = this.#walks.at(-1)
    if (walk === undefined) return 'end'
    const { value: slice } = walk.next()
    if (slice === undefined) this.#walks.pop()
    else if (slice.kind === 'journal') return slice
    else if (slice.kind === 'extent') this.#openExtent(slice)
    else this.#walks.push(this.#content.manifest(slice.id, slice.from, slice.to))
    return 'go-on'
  }

  #openExtent(slice: Extract<Slice, { kind: 'extent' }>): void {
    this.#wereAway = this.#content.wereAway
    this.#extent = this.#content.openExtent(slice)
    if (this.#lends) this.#extent.lend()
  }

  async #readExtent(extent: ExtentReader): Promise<'go-on' | Result<Uint8Array, StoreFault>> {
    const read = await extent.read()
    if (!read.ok) return fail(this.#content.faultOf(read.error, this.#wereAway))
    if (read.value !== undefined) return ok(read.value)
    extent.close()
    if (this.#extent === extent) this.#extent = undefined
    return 'go-on'
  }
}

/** The fault of an extent as callers of the store know it. */
export function storeFault(fault: ExtentFault): StoreFault {
  return fault === 'too-few-disks' ? 'unavailable' : fault
}
