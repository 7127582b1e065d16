/**
 * Walks the rows of a bucket in the order of their S3 keys, skipping what falls under common prefixes, as all S3 listings do: a page shows keys, and
 * for all keys with the delimiter behind the prefix one common prefix; both count, and both are strictly after the marker.
 *
 * A listing costs what it shows: behind each common prefix it seeks the next key.
 */
import type { BucketId } from '../../terms.ts'
import { BEFORE_S3_KEY, behind } from './keys.ts'
import { after, type Entry, type IndexReader } from './ordered-map.ts'

export type WalkInput = {
  readonly bucketId: BucketId
  readonly prefix: string
  readonly delimiter: string
  readonly after: string
}

/** The common prefix that stands for a key, if it has the delimiter behind the prefix. */
export function commonPrefixOf(key: string, { prefix, delimiter }: Pick<WalkInput, 'prefix' | 'delimiter'>): string | undefined {
  if (delimiter === '' || !key.startsWith(prefix)) return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

/** Where the walk begins and ends, as bytes of S3 keys: `from` inclusive, `to` undefined for the end of the bucket. */
export function keyBounds(input: WalkInput): { readonly from: Uint8Array; readonly to: Uint8Array | undefined } {
  const prefix = Buffer.from(input.prefix)
  const to = input.prefix === '' ? undefined : behind(prefix)
  if (input.after === '') return { from: prefix, to }
  const covered = commonPrefixOf(input.after, input)
  // Keys have no U+0000, which ends them in rows with more behind: whatever comes next begins with a byte above it.
  const next = covered === undefined ? Buffer.from(`${input.after}\x01`) : behind(Buffer.from(covered))
  return { from: Buffer.compare(next, prefix) > 0 ? next : prefix, to }
}

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(first.length + second.length)
  bytes.set(first)
  bytes.set(second, first.length)
  return bytes
}

/** A table's rows of one bucket from some S3 key on, read in pages that grow while they are used up. */
export class RowCursor {
  readonly #prefix: Uint8Array
  readonly #end: Uint8Array
  #next: Uint8Array
  #page: readonly Entry[] = []
  #at = 0
  #size: number
  #more = true

  /** `prefix`: of the table and bucket. `from`, `to`: what follows it in the row's key. */
  constructor(prefix: Uint8Array, from: Uint8Array, to: Uint8Array | undefined, firstPage: number) {
    this.#prefix = prefix
    this.#next = joined(prefix, from)
    this.#end = to === undefined ? behind(prefix) : joined(prefix, to)
    this.#size = firstPage
  }

  /** The row the cursor stands at; undefined at the end. */
  row(reader: IndexReader): Entry | undefined {
    if (this.#at >= this.#page.length && this.#more) {
      if (Buffer.compare(this.#next, this.#end) >= 0) this.#page = []
      else this.#page = reader.range(this.#next, this.#end, this.#size)
      this.#more = this.#page.length === this.#size
      if (this.#page.length > 0) this.#next = after(this.#page.at(-1)!.key)
      this.#size = Math.min(1000, this.#size * 4)
      this.#at = 0
    }
    return this.#page[this.#at]
  }

  advance(): void {
    this.#at++
  }

  /** Goes on at the first row whose key, behind the table's prefix, is not below `bytes`. */
  seek(bytes: Uint8Array): void {
    const target = joined(this.#prefix, bytes)
    while (this.#at < this.#page.length && Buffer.compare(this.#page[this.#at]!.key, target) < 0) this.#at++
    if (this.#at < this.#page.length || !this.#more) return
    // What the page held was skipped: the next common prefix may cover as much.
    if (Buffer.compare(target, this.#next) > 0) this.#next = target
    this.#size = 2
    this.#page = []
    this.#at = 0
  }
}

/** The S3 key of a row, `tail` bytes being behind it. */
export function s3KeyOf(rowKey: Uint8Array, tail: number): string {
  const bytes = rowKey instanceof Buffer ? rowKey : Buffer.from(rowKey.buffer, rowKey.byteOffset, rowKey.byteLength)
  return bytes.toString('utf8', BEFORE_S3_KEY, bytes.length - tail)
}
