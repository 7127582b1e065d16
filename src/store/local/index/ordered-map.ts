/**
 * The index's ground: a map of bytes to bytes in the order of the keys' bytes. Two implementations, `lmdb-map.ts` and `memory-map.ts`, and one suite
 * for both.
 *
 * There is one writer. A transaction gathers its changes beside the map, where only it sees them; it may be held across awaits (the journal is
 * written meanwhile) and then takes effect at once or not at all. Readers see committed states only, each at one moment: what a reader shows is good
 * until the next await, and a long walk asks for one bounded page after another. The map may lose its newest commits in a crash, never more than
 * the journal holds; it is never ahead of the journal.
 */
import type { Result } from '../../../result.ts'

export type Entry = { readonly key: Uint8Array; readonly value: Uint8Array }

/** Keys have 1 to this many bytes. LMDB's limit with its usual page size. */
export const KEY_BYTES_MAX = 1978

export interface IndexReader {
  get(key: Uint8Array): Uint8Array | undefined
  /** Entries with from <= key < to, ascending, at most `limit`. */
  range(from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[]
  /** Entries with from <= key < to, descending, at most `limit`. */
  rangeBack(from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[]
}

export interface IndexWriter extends IndexReader {
  /** Neither array may change afterwards. */
  put(key: Uint8Array, value: Uint8Array): void
  remove(key: Uint8Array): void
}

export interface IndexTransaction extends IndexWriter {
  /** All changes take effect, or with 'failed' none. */
  commit(): Result<void, 'failed'>
  /** Forgets the changes. Nothing else needs doing to give a transaction up. */
  abort(): void
}

export interface OrderedMap {
  /** The newest committed state; to be asked for anew after each await. */
  reader(): IndexReader
  /** One at a time. */
  begin(): IndexTransaction
  /** Removes everything. */
  clear(): Result<void, 'failed'>
  close(): Promise<void>
}

/** A row is not what was written under its key. The index has to be made anew; the sentence says how. */
export class DamagedRow extends Error {
  override readonly name = 'DamagedRow'
}

/** All entries with from <= key < to, in pages; each is read when the walk gets there, so that what was removed meanwhile does no harm. */
export function* walk(
  reader: IndexReader,
  range: { readonly from: Uint8Array; readonly to: Uint8Array },
  page = 256,
): Generator<Entry, void> {
  let { from } = range
  for (;;) {
    const entries = reader.range(from, range.to, page)
    yield* entries
    if (entries.length < page) return
    from = after(entries.at(-1)!.key)
  }
}

/** The first key behind `key`. */
export const after = (key: Uint8Array): Uint8Array => {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** A change by the latin1 text of its key, whose order is that of the bytes. `value` undefined removes. */
export type PendingChange = { readonly key: Uint8Array; readonly value: Uint8Array | undefined }

export const keyText = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')

/** A transaction over any map: its changes, and reads that see them. */
export class PendingTransaction implements IndexTransaction {
  readonly #base: IndexReader
  readonly #write: (changes: ReadonlyMap<string, PendingChange>) => Result<void, 'failed'>
  readonly #changes = new Map<string, PendingChange>()
  /** What was read of the map, since deciding and applying ask for the same rows. */
  readonly #read = new Map<string, Uint8Array | undefined>()
  /** Keys of the changes in order, and those not yet put in order. */
  #sorted: string[] = []
  #unsorted: string[] = []
  #over = false

  constructor(base: IndexReader, write: (changes: ReadonlyMap<string, PendingChange>) => Result<void, 'failed'>) {
    this.#base = base
    this.#write = write
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const text = keyText(key)
    const change = this.#changes.get(text)
    if (change !== undefined) return change.value
    const read = this.#read.get(text)
    if (read !== undefined || this.#read.has(text)) return read
    const value = this.#base.get(key)
    this.#read.set(text, value)
    return value
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#set(key, value)
  }

  remove(key: Uint8Array): void {
    this.#set(key, undefined)
  }

  range(from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[] {
    const own = this.#ownRange(from, to)
    if (own.length === 0) return this.#base.range(from, to, limit)
    const base = this.#base.range(from, to, limit + own.length)
    return merge(own, base, limit, (a, b) => Buffer.compare(a, b))
  }

  rangeBack(from: Uint8Array, to: Uint8Array, limit: number): readonly Entry[] {
    const own = this.#ownRange(from, to).reverse()
    if (own.length === 0) return this.#base.rangeBack(from, to, limit)
    const base = this.#base.rangeBack(from, to, limit + own.length)
    return merge(own, base, limit, (a, b) => Buffer.compare(b, a))
  }

  commit(): Result<void, 'failed'> {
    if (this.#over) throw new Error('a transaction ends once')
    this.#over = true
    return this.#write(this.#changes)
  }

  abort(): void {
    this.#over = true
    this.#changes.clear()
  }

  #set(key: Uint8Array, value: Uint8Array | undefined): void {
    if (key.length === 0 || key.length > KEY_BYTES_MAX) throw new Error(`a key of ${key.length} bytes`)
    const text = keyText(key)
    if (!this.#changes.has(text)) this.#unsorted.push(text)
    this.#changes.set(text, { key, value })
  }

  #ownRange(from: Uint8Array, to: Uint8Array): PendingChange[] {
    if (this.#changes.size === 0) return []
    if (this.#unsorted.length > 0) {
      this.#sorted = this.#sorted.concat(this.#unsorted).sort(byUnits)
      this.#unsorted = []
    }
    const end = keyText(to)
    const found: PendingChange[] = []
    for (let at = lowerBound(this.#sorted, keyText(from)); at < this.#sorted.length; at++) {
      const text = this.#sorted[at]!
      if (text >= end) break
      found.push(this.#changes.get(text)!)
    }
    return found
  }
}

/** Only for latin1 texts, where the order of code units is that of bytes. */
const byUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The first place in the ordered texts whose text is not below `text`. */
export function lowerBound(texts: readonly string[], text: string): number {
  let low = 0
  let high = texts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (texts[middle]! < text) low = middle + 1
    else high = middle
  }
  return low
}

function merge(
  own: readonly PendingChange[],
  base: readonly Entry[],
  limit: number,
  compare: (a: Uint8Array, b: Uint8Array) => number,
): readonly Entry[] {
  const merged: Entry[] = []
  let inBase = 0
  let inOwn = 0
  while (merged.length < limit && (inBase < base.length || inOwn < own.length)) {
    const theirs = base[inBase]
    const ours = own[inOwn]
    const order = theirs === undefined ? 1 : ours === undefined ? -1 : compare(theirs.key, ours.key)
    if (order < 0) {
      merged.push(theirs!)
      inBase++
      continue
    }
    if (order === 0) inBase++
    inOwn++
    if (ours!.value !== undefined) merged.push({ key: ours!.key, value: ours!.value })
  }
  return merged
}
