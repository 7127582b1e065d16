/**
 * The index on disk: LMDB, one environment with one table of binary keys and values.
 *
 * The facts it rests on were measured: a read transaction is renewed by a timer, so `reader()` resets it and the next
 * read begins a new one; a callback of transactionSync that returns a promise would commit later, so ours returns nothing. Commits are synced but for
 * the meta page: after a power cut the newest may be gone, and the journal redoes it. That takes 0.14 ms of processor time for 16 rows, where overlapping
 * syncs (which do not overlap for synchronous transactions) take 0.25 ms, and asynchronous writes more.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, open } from 'lmdb'
import { done, fail, ok, type Result } from '../../../result.ts'
import { addressSpace, mapBytes } from './address-room.ts'
import {
  DamagedRow,
  type Entry,
  type IndexReader,
  type IndexTransaction,
  type OrderedMap,
  type PendingChange,
  PendingTransaction,
} from './ordered-map.ts'
import { RowCheck } from './row-check.ts'

/** In the index's folder while it is being opened, and from the moment a row was found damaged: found at a start, it has the index made anew. */
export const BAD_INDEX_FILE = 'opening'

export class LmdbMap implements OrderedMap {
  readonly #database: Database<Buffer, Uint8Array>
  readonly #reader: IndexReader
  readonly #directory: string
  readonly #check: RowCheck

  private constructor(directory: string, database: Database<Buffer, Uint8Array>, check: RowCheck) {
    this.#directory = directory
    this.#database = database
    this.#check = check
    this.#reader = { get: this.#get, range: this.#range, rangeBack: this.#rangeBack }
  }

  /** `directory` must be there. 'failed' if it does not open: no index of ours, or damaged. Many threads may open it; one of them writes. */
  static async open(directory: string): Promise<Result<LmdbMap, 'failed'>> {
    const check = await RowCheck.load()
    // Virtual: the file grows as it is filled.
    const mapSize = mapBytes(addressSpace())
    if (mapSize === undefined) return fail('failed')
    try {
      const database = open<Buffer, Uint8Array>({
        path: directory,
        // A path with a dot in it would be taken for a file's.
        noSubdir: false,
        keyEncoding: 'binary',
        encoding: 'binary',
        mapSize,
        overlappingSync: false,
        noMetaSync: true,
        cache: false,
        compression: false,
        // One environment for each thread and one read transaction in each; some room for tools.
        maxReaders: 250,
      })
      return ok(new LmdbMap(directory, database, check))
    } catch {
      return fail('failed')
    }
  }

  reader(): IndexReader {
    this.#database.resetReadTxn()
    return this.#reader
  }

  begin(): IndexTransaction {
    return new PendingTransaction(this.reader(), (changes) => this.#write(changes))
  }

  clear(): Result<void, 'failed'> {
    try {
      this.#database.clearSync()
      return done
    } catch {
      return fail('failed')
    }
  }

  async close(): Promise<void> {
    await this.#database.close()
  }

  #write(changes: ReadonlyMap<string, PendingChange>): Result<void, 'failed'> {
    if (changes.size === 0) return done
    const database = this.#database
    try {
      database.transactionSync(() => {
        for (const { key, value } of changes.values()) {
          if (value === undefined) database.removeSync(key)
          else database.putSync(key, this.#check.seal(key, value))
        }
      })
      database.resetReadTxn()
      return done
    } catch {
      return fail('failed')
    }
  }

  readonly #get = (key: Uint8Array): Uint8Array | undefined => {
    const stored = this.#database.get(key)
    return stored && (this.#check.open(key, stored) ?? this.#damaged())
  }

  readonly #range = (from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[] => this.#entries({ start: from, end: to, limit })

  readonly #rangeBack = (from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[] =>
    this.#entries({ start: to, exclusiveStart: true, end: from, inclusiveEnd: true, reverse: true, limit })

  #entries(options: {
    start: Uint8Array
    end: Uint8Array
    limit: number
    exclusiveStart?: boolean
    inclusiveEnd?: boolean
    reverse?: boolean
  }): readonly Entry[] {
    if (Buffer.compare(options.start, options.end) === 0) return []
    const found: Entry[] = []
    for (const { key, value } of this.#database.getRange(options)) {
      found.push({ key: key as Uint8Array, value: this.#check.open(key as Uint8Array, value) ?? this.#damaged() })
    }
    return found
  }

  /** Nothing is answered from such a row. The journal has what it should say. */
  #damaged(): never {
    try {
      writeFileSync(join(this.#directory, BAD_INDEX_FILE), '')
    } catch {
      // Then the operator removes it by hand, as the sentence says.
    }
    throw new DamagedRow(
      `a row of the index is damaged: restart the server, which makes it anew from the journal (if not, remove ${this.#directory} before)`,
    )
  }
}
