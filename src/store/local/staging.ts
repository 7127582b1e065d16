/** Content on its way in: small ones wait in memory for their record, the others go into an extent. */
import type { ExtentStore, ExtentWriter } from '../../disks/extents.ts'
import type { ExtentPlace } from '../../disks/geometry.ts'
import type { PoolView } from '../../disks/pool-view.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { ContentWriter, StagedContent, StoreFault } from '../store.ts'
import { storeFault } from './reading.ts'

/** Content up to this many bytes goes into the journal with its record. */
export const INLINE_BYTES_MAX = 128 * 1024

export type StagedPlace =
  | { readonly kind: 'body'; readonly body: Uint8Array }
  | { readonly kind: 'extent'; readonly place: ExtentPlace; readonly durable: number }

/** Counters of extents are this far apart from thread to thread. */
const COUNTERS_PER_THREAD = 2 ** 36

/** Gives out extents: ids that were never used before, and the sets in turn. */
export class ExtentNumbers {
  readonly #start: number
  #counter: number

  constructor(input: { readonly start: number; readonly thread: number }) {
    this.#start = input.start
    this.#counter = input.thread * COUNTERS_PER_THREAD
  }

  create(extents: ExtentStore, view: PoolView): ExtentWriter {
    const counter = this.#counter++
    const { sets } = view
    for (let at = 0; at < sets.length; at++) {
      const set = (counter + at) % sets.length
      const { dataShards, disks } = sets[set]!
      if (disks.filter((disk) => disk.state === 'in').length >= dataShards) return extents.create(set, this.#start, counter)
    }
    return extents.create(counter % sets.length, this.#start, counter)
  }
}

export class StagingWriter implements ContentWriter {
  /** Extents copy, what goes with the record is kept as it came. */
  readonly copies: boolean
  readonly #begin: () => ExtentWriter
  #chunks: Uint8Array[] = []
  #bytes = 0
  #extent: ExtentWriter | undefined

  constructor(begin: () => ExtentWriter, expectedBytes: number | undefined) {
    this.#begin = begin
    this.copies = expectedBytes !== undefined && expectedBytes > INLINE_BYTES_MAX
    if (this.copies) this.#extent = begin()
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    this.#bytes += chunk.length
    if (this.#extent !== undefined) return this.#extent.write(chunk)
    this.#chunks.push(chunk)
    if (this.#bytes <= INLINE_BYTES_MAX) return undefined
    this.#extent = this.#begin()
    const chunks = this.#chunks
    this.#chunks = []
    return writeAll(this.#extent, chunks)
  }

  async finish(): Promise<Result<StagedContent, StoreFault>> {
    const bytes = this.#bytes
    if (this.#extent === undefined) return ok({ bytes, place: { kind: 'body', body: joined(this.#chunks, bytes) } satisfies StagedPlace })
    const written = await this.#extent.finish()
    if (!written.ok) return fail(storeFault(written.error))
    return ok({ bytes, place: { kind: 'extent', ...written.value } satisfies StagedPlace })
  }

  abort(): void {
    void this.#extent?.abort()
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
