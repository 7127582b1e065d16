/** Operations out of the journal: those made here as a feed, and single ones by where they came from. */
import type { Result } from '../../result.ts'
import type { OperationReader } from '../federation-store.ts'
import { type KeptOperation, type Operation, type Origin, parseOrigin } from '../operation.ts'
import type { BucketId, Position, SiteId } from '../terms.ts'
import { operationOf } from './changes/operations.ts'
import { type ChangeRecord, decodeRecord } from './changes/record.ts'
import { foreignOperationKey, returnedKey } from './index/keys.ts'
import type { OrderedMap } from './index/ordered-map.ts'
import { decodeFrontier, readState } from './index/rows.ts'
import type { JournalEntry, JournalFault } from './journal/terms.ts'
import { readUint64, samePosition } from './position.ts'

/** The records of the journal; bodies are not needed. */
export interface Feed {
  entries(from: number, to: number | undefined, options: { readonly bodies: false }): AsyncIterable<Result<JournalEntry, JournalFault>>
}

/** A record further ahead than this is sought by the journal's table instead of walking there. */
const WALK_SEQUENCES_MAX = 2000

/** Reads records of the journal one by one; going on from the one before where that is near. */
export class RecordWalk {
  readonly #feed: Feed
  #entries: AsyncIterator<Result<JournalEntry, JournalFault>> | undefined
  /** Where the walk is. */
  #at = 0

  constructor(feed: Feed) {
    this.#feed = feed
  }

  async at(sequence: number): Promise<JournalEntry> {
    const goesOn = this.#entries !== undefined && sequence >= this.#at && sequence - this.#at <= WALK_SEQUENCES_MAX
    // The journal may have grown since the walk began, whose end was fixed then.
    const found = (goesOn ? await this.#seek(sequence) : undefined) ?? (await this.#begin(sequence))
    if (found === undefined) throw new Error(`the journal ends before record ${sequence}`)
    return found
  }

  async close(): Promise<void> {
    await this.#entries?.return?.()
    this.#entries = undefined
  }

  async #begin(sequence: number): Promise<JournalEntry | undefined> {
    await this.close()
    this.#entries = this.#feed.entries(sequence, undefined, { bodies: false })[Symbol.asyncIterator]()
    return this.#seek(sequence)
  }

  async #seek(sequence: number): Promise<JournalEntry | undefined> {
    for (;;) {
      const next = await this.#entries!.next()
      if (next.done === true) return undefined
      if (!next.value.ok) throw new Error(`record ${sequence} cannot be read: ${next.value.error.kind}`)
      const entry = next.value.value
      this.#at = entry.sequence + 1
      if (entry.sequence === sequence) return entry
      if (entry.sequence > sequence) throw new Error(`record ${sequence} is missing`)
    }
  }
}

export class LocalOperationReader implements OperationReader {
  readonly #index: OrderedMap
  readonly #site: SiteId
  readonly #walk: RecordWalk

  constructor(index: OrderedMap, site: SiteId, feed: Feed) {
    this.#index = index
    this.#site = site
    this.#walk = new RecordWalk(feed)
  }

  async foreign(bucketId: BucketId, origin: Origin, number: number): Promise<KeptOperation | undefined> {
    const from = parseOrigin(origin)
    const row = from && this.#index.reader().get(foreignOperationKey(bucketId, from.site, from.epoch, number))
    if (row === undefined) return undefined
    const { record } = await this.#record(readUint64(Buffer.from(row), 0))
    if (record?.kind !== 'apply-foreign') return undefined
    const { position, frontier, change, evidence } = record
    return { operation: { number, position, frontier: decodeFrontier(frontier), change }, evidence }
  }

  async own(bucketId: BucketId, position: Position): Promise<Operation | undefined> {
    const returned = this.#index.reader().get(returnedKey(bucketId, position))
    const sequence = returned === undefined ? position.sequence : readUint64(Buffer.from(returned), 0)
    const applied = readState(this.#index.reader())?.applied ?? 0
    // What is beyond was made in a life of the site that was lost.
    const found = sequence < 1 || sequence > applied ? undefined : await this.#record(sequence)
    if (found?.record === undefined || !('bucket' in found.record) || found.record.bucket !== bucketId) return undefined
    const operation = operationOf(found.record, { clock: found.clock, site: this.#site, sequence })
    return operation !== undefined && samePosition(operation.position, position) ? operation : undefined
  }

  close(): Promise<void> {
    return this.#walk.close()
  }

  async #record(sequence: number): Promise<{ readonly clock: number; readonly record: ChangeRecord | undefined }> {
    const entry = await this.#walk.at(sequence)
    const decoded = decodeRecord(entry)
    return { clock: entry.clock, record: decoded.ok ? decoded.value : undefined }
  }
}
