/** Listings of objects, versions and uploads. Source of what they show: Amazon S3 API Reference, ListObjectsV2, ListObjectVersions, ListMultipartUploads. */
import type { ListedObject, ListedVersion, ListInput, ListPage, ListVersionsInput } from '../../store.ts'
import type { Position } from '../../terms.ts'
import { comparePositions, POSITION_BYTES, positionOf } from '../position.ts'
import { checksumAlgorithmOf } from './checksum-numbers.ts'
import { commonPrefixOf, keyBounds, RowCursor, s3KeyOf } from './key-walk.ts'
import { BEHIND_S3_KEY, behind, currentPrefix, namedVersionKey, nullVersionKey, uploadPrefix, versionPrefix } from './keys.ts'
import { after, type Entry, type IndexReader } from './ordered-map.ts'
import { decodePosition, decodeUploadRow, encodePosition, type UploadRow } from './rows.ts'
import type { Turns } from './turns.ts'
import { decodeVersionRow, readVersionHead, type VersionHead, type VersionRow } from './version-row.ts'
import { getCurrent, versionIdOfRow } from './versions.ts'

/** Gathers a page: keys and common prefixes together, at most `max`. */
class Page<T> {
  readonly entries: T[] = []
  readonly commonPrefixes: string[] = []
  truncated = false
  last = ''
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  /** False, and the page says so, if there is more than it can show. */
  get open(): boolean {
    if (this.entries.length + this.commonPrefixes.length < this.#max) return true
    this.truncated = true
    return false
  }
}

const listedObject = (key: string, head: VersionHead): ListedObject => {
  const named = checksumAlgorithmOf(head.checksum)
  const { bytes, etag, modifiedMs } = head
  return named === undefined
    ? { key, bytes, etag, modifiedMs }
    : { key, bytes, etag, modifiedMs, checksumAlgorithm: named.algorithm, checksumType: named.type }
}

/** How rows of one table become entries of a page. */
type Rows<T> = {
  readonly keyOf: (row: Entry) => string
  /** Rows that are there and not listed. */
  readonly hides?: (row: Entry) => boolean
  readonly entryOf: (key: string, row: Entry) => T
}

/** A page of rows, those with a common prefix as one. */
async function gather<T>(turns: Turns, cursor: RowCursor, input: ListInput, { keyOf, hides, entryOf }: Rows<T>): Promise<ListPage<T>> {
  const page = new Page<T>(input.max)
  for (let row = cursor.row(turns.reader); row !== undefined; row = cursor.row(turns.reader)) {
    if (hides?.(row)) {
      cursor.advance()
    } else {
      if (!page.open) break
      const key = keyOf(row)
      const common = commonPrefixOf(key, input)
      if (common === undefined) {
        page.entries.push(entryOf(key, row))
        cursor.advance()
      } else {
        page.commonPrefixes.push(common)
        cursor.seek(behind(Buffer.from(common)))
      }
      page.last = common ?? key
    }
    if (turns.over) await turns.giveWay()
  }
  const { entries, commonPrefixes, truncated, last } = page
  return { entries, commonPrefixes, truncated, last }
}

export function listObjects(turns: Turns, input: ListInput): Promise<ListPage<ListedObject>> {
  const { from, to } = keyBounds(input)
  const cursor = new RowCursor(currentPrefix(input.bucketId), from, to, input.delimiter === '' ? input.max + 1 : 32)
  return gather(turns, cursor, input, {
    keyOf: (row) => s3KeyOf(row.key, 0),
    entryOf: (key, row) => listedObject(key, readVersionHead(row.value)),
  })
}

export async function listVersions(
  turns: Turns,
  input: ListVersionsInput,
): Promise<ListPage<ListedVersion> & { readonly lastVersionId: string }> {
  const { from, to } = keyBounds(input)
  const within = startWithinKey(turns.reader, input)
  const current = new RowCursor(currentPrefix(input.bucketId), within?.current ?? from, to, 32)
  const others = new RowCursor(versionPrefix(input.bucketId), within?.others ?? from, to, 32)
  const page = new Page<ListedVersion>(input.max)
  let lastVersionId = ''
  /** The last key whose newest version is known to have been shown, here or on a page before. */
  let begunKey = within?.newestBefore === true ? input.after : undefined
  for (;;) {
    const newest = current.row(turns.reader)
    const other = others.row(turns.reader)
    if (newest === undefined && other === undefined) break
    if (!page.open) break
    const newestKey = newest && s3KeyOf(newest.key, 0)
    const otherKey = other && s3KeyOf(other.key, BEHIND_S3_KEY)
    const fromCurrent = isFirst(newestKey, otherKey)
    const key = (fromCurrent ? newestKey : otherKey)!
    const common = commonPrefixOf(key, input)
    if (common !== undefined) {
      page.commonPrefixes.push(common)
      const next = behind(Buffer.from(common))
      current.seek(next)
      others.seek(next)
      lastVersionId = ''
    } else {
      const row = decodeVersionRow((fromCurrent ? newest : other)!.value)
      const isLatest = fromCurrent || (key !== begunKey && getCurrent(turns.reader, input.bucketId, key) === undefined)
      page.entries.push(listedVersion(key, row, (fromCurrent ? newest : other)!, isLatest))
      lastVersionId = versionIdOfRow(row)
      begunKey = key
      ;(fromCurrent ? current : others).advance()
    }
    page.last = common ?? key
    if (turns.over) await turns.giveWay()
  }
  const { entries, commonPrefixes, truncated, last } = page
  return { entries, commonPrefixes, truncated, last, lastVersionId }
}

/** Whether the current row comes next: on a tie it does, being the newest of its key. */
function isFirst(currentKey: string | undefined, otherKey: string | undefined): boolean {
  if (currentKey === undefined || otherKey === undefined) return otherKey === undefined
  return currentKey === otherKey || Buffer.compare(Buffer.from(currentKey), Buffer.from(otherKey)) < 0
}

function listedVersion(key: string, row: VersionRow, entry: Entry, isLatest: boolean): ListedVersion {
  const versionId = versionIdOfRow(row)
  const head = readVersionHead(entry.value)
  if (head.isMarker) return { kind: 'delete-marker', key, versionId, isLatest, modifiedMs: head.modifiedMs }
  return { kind: 'object', versionId, isLatest, ...listedObject(key, head) }
}

type WithinKey = {
  /** Where to go on, as bytes behind the table's prefix in `version`; and in `current`, if the current version is among what is to come. */
  readonly others: Uint8Array
  readonly current: Uint8Array | undefined
  /** The newest version of the key lies before. */
  readonly newestBefore: boolean
}

/**
 * Behind the version named of the key `after`; undefined to go on behind the key. Whoever removes page after page names a version that is gone, and with
 * it what was newer: then the current version may be one to come. Of a null version that is gone nothing tells where it was; all that is left comes.
 */
function startWithinKey(reader: IndexReader, input: ListVersionsInput): WithinKey | undefined {
  const { bucketId, afterVersionId, after: key } = input
  if (afterVersionId === undefined || key === '' || commonPrefixOf(key, input) !== undefined || !key.startsWith(input.prefix))
    return undefined
  const position = positionNamed(reader, input, afterVersionId)
  const newest = getCurrent(reader, bucketId, key)
  const first = Buffer.from(`${key}\0`)
  if (position === undefined) return { others: first, current: newest && Buffer.from(key), newestBefore: false }
  const others = after(Buffer.concat([first, encodePosition(position).map((byte) => byte ^ 0xff)]))
  if (newest !== undefined && comparePositions(newest.position, position) < 0)
    return { others, current: Buffer.from(key), newestBefore: false }
  const table = versionPrefix(bucketId)
  const rowsBefore = reader.range(Buffer.concat([table, first]), Buffer.concat([table, others]), 1)
  return { others, current: undefined, newestBefore: newest !== undefined || rowsBefore.length > 0 }
}

/** Also of a version that is gone by now, if its id tells. */
function positionNamed(reader: IndexReader, { bucketId, after: key }: ListVersionsInput, versionId: string): Position | undefined {
  if (versionId === 'null') {
    const current = getCurrent(reader, bucketId, key)
    if (current?.isNull === true) return current.position
    const pointer = reader.get(nullVersionKey(bucketId, key))
    return pointer && decodePosition(pointer)
  }
  const named = reader.get(namedVersionKey(bucketId, key, versionId))
  return named === undefined ? positionOf(versionId) : decodePosition(named)
}

export type ListedUpload = { readonly key: string; readonly upload: UploadRow }

/** Those neither complete nor aborted. Undefined if no upload can be called `afterUploadId`. */
export async function listUploads(
  turns: Turns,
  input: ListInput & { readonly afterUploadId?: string },
): Promise<ListPage<ListedUpload> | undefined> {
  const tail = 1 + POSITION_BYTES
  const position = input.afterUploadId === undefined ? undefined : positionOf(input.afterUploadId)
  if (input.afterUploadId !== undefined && position === undefined) return undefined
  const { after: key } = input
  const withinKey = position !== undefined && key !== '' && key.startsWith(input.prefix) && commonPrefixOf(key, input) === undefined
  const bounds = keyBounds(input)
  const from = withinKey ? after(Buffer.concat([Buffer.from(`${input.after}\0`), encodePosition(position)])) : bounds.from
  const cursor = new RowCursor(uploadPrefix(input.bucketId), from, bounds.to, 32)
  return gather(turns, cursor, input, {
    keyOf: (row) => s3KeyOf(row.key, tail),
    hides: (row) => decodeUploadRow(row.value).completed !== undefined,
    entryOf: (key, row) => ({ key, upload: decodeUploadRow(row.value) }),
  })
}
