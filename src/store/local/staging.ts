/** Content on its way in: small ones wait in memory for their record, the others go into an extent. */
import type { ExtentStore, ExtentWriter } from '../../disks/extents.ts'
import type { PoolView } from '../../disks/pool-view.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { ContentWriter } from '../store.ts'
import type { StagedContent, StoreFault } from '../terms.ts'
import type { StagedExtent } from './disk-stays.ts'
import { storeFault } from './reading.ts'

/** Content up to this many bytes goes into the journal with its record. */
export const INLINE_BYTES_MAX = 128 * 1024

export type StagedPlace = { readonly kind: 'body'; readonly body: Uint8Array } | ({ readonly kind: 'extent' } & StagedExtent)

/** Counters of extents are this far apart from thread to thread. */
const COUNTERS_PER_THREAD = 2 ** 36

/** An extent being written, and the pool's generation when it was begun. */
export type BegunExtent = { readonly writer: ExtentWriter; readonly generation: number }

/** Gives out extents: ids that were never used before, and the sets in turn. */
export class ExtentNumbers {
  readonly #start: number
  #counter: number

  constructor(input: { readonly start: number; readonly thread: number }) {
    this.#start = input.start
    this.#counter = input.thread * COUNTERS_PER_THREAD
  }

  begin(extents: ExtentStore, view: PoolView): BegunExtent {
    const counter = this.#counter++
    const { sets, generation } = view
    for (let at = 0; at < sets.length; at++) {
      const set = (counter + at) % sets.length
      const { dataShards, disks } = sets[set]!
      if (disks.filter((disk) => disk.state === 'in').length >= dataShards)
        return { writer: extents.create(set, this.#start, counter), generation }
    }
    return { writer: extents.create(counter % sets.length, this.#start, counter), generation }
  }
}

export class StagingWriter implements ContentWriter {
  /** Extents copy, what goes with the record is kept as it came. */
  readonly copies: boolean
  /** 'read-only': nothing may be written, so what comes is let go. */
  readonly #begin: () => BegunExtent | 'read-only'
  #refused = false
  #chunks: Uint8Array[] = []
  #bytes = 0
  #extent: BegunExtent | undefined

  constructor(begin: () => BegunExtent | 'read-only', expectedBytes: number | undefined) {
    this.#begin = begin
    this.copies = expectedBytes !== undefined && expectedBytes > INLINE_BYTES_MAX
    if (this.copies) this.#extent = this.#beginExtent()
  }

  get fault(): StoreFault | undefined {
    const fault = this.#extent?.writer.fault
    return fault && storeFault(fault)
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    this.#bytes += chunk.length
    if (this.#refused) return undefined
    if (this.#extent !== undefined) return this.#extent.writer.write(chunk)
    this.#chunks.push(chunk)
    if (this.#bytes <= INLINE_BYTES_MAX) return undefined
    this.#extent = this.#beginExtent()
    const chunks = this.#chunks
    this.#chunks = []
    return this.#extent && writeAll(this.#extent.writer, chunks)
  }

  async finish(): Promise<Result<StagedContent, StoreFault>> {
    const bytes = this.#bytes
    if (this.#refused) return fail('read-only')
    if (this.#extent === undefined) return ok({ bytes, place: { kind: 'body', body: joined(this.#chunks, bytes) } satisfies StagedPlace })
    const { writer, generation } = this.#extent
    const written = await writer.finish()
    if (!written.ok) return fail(storeFault(written.error))
    return ok({ bytes, place: { kind: 'extent', ...written.value, generation } satisfies StagedPlace })
  }

  #beginExtent(): BegunExtent | undefined {
    const begun = this.#begin()
    this.#refused = begun === 'read-only'
    return begun === 'read-only' ? undefined : begun
  }

  abort(): void {
    void this.#extent?.writer.abort()
    this.#chunks = []
  }
}

async function writeAll(extent: ExtentWriter, chunks: readonly Uint8Array[]): Promise<void> {
  for (const chunk of chunks) {
    const wait = extent.write(chunk)
    if (wait !== undefined) await wait
  }
}

/** One array that owns its buffer, since it may go to another thread. */
function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined && only.byteLength === only.buffer.byteLength) return only
  const body = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.length
  }
  return body
}
