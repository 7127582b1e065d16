/**
 * The versions of a key. Invariant: the row in `current` is the newest version of its key and no delete marker; all others are in `version`. A key
 * without a current row has no versions, or its newest is a delete marker. Its one null version is the current row if that says so, else where
 * the row in `nullVersion` points.
 */
import type { BucketId, Position } from '../../terms.ts'
import { comparePositions, NULL_VERSION_ID, POSITION_BYTES, positionOf, samePosition, versionIdOf } from '../position.ts'
import { behind, currentKey, lostNullsKey, namedVersionKey, nullVersionKey, versionKey, versionsOfKey } from './keys.ts'
import type { IndexReader, IndexWriter } from './ordered-map.ts'
import { decodePosition, encodePosition } from './rows.ts'
import { decodeVersionRow, encodeVersionRow, type VersionRow } from './version-row.ts'

export const versionIdOfRow = (row: VersionRow): string =>
  row.isNull ? NULL_VERSION_ID : (row.more?.versionId ?? versionIdOf(row.position))

/** Undefined if the newest version is a delete marker, or there is none. */
export function getCurrent(reader: IndexReader, bucketId: BucketId, key: string): VersionRow | undefined {
  const value = reader.get(currentKey(bucketId, key))
  return value && decodeVersionRow(value)
}

/** The newest among those in `version`. */
function getNewestBelow(reader: IndexReader, bucketId: BucketId, key: string): VersionRow | undefined {
  const prefix = versionsOfKey(bucketId, key)
  const [entry] = reader.range(prefix, behind(prefix), 1)
  return entry && decodeVersionRow(entry.value)
}

/** The newest version, delete markers included. */
export const getNewest = (reader: IndexReader, bucketId: BucketId, key: string): VersionRow | undefined =>
  getCurrent(reader, bucketId, key) ?? getNewestBelow(reader, bucketId, key)

/** The version at a position. */
export function getAt(reader: IndexReader, bucketId: BucketId, key: string, position: Position): VersionRow | undefined {
  const current = getCurrent(reader, bucketId, key)
  if (current !== undefined && samePosition(current.position, position)) return current
  const value = reader.get(versionKey(bucketId, key, position))
  return value && decodeVersionRow(value)
}

/** The one that is called 'null', wherever it is among the others. */
export function getNull(reader: IndexReader, bucketId: BucketId, key: string): VersionRow | undefined {
  const current = getCurrent(reader, bucketId, key)
  if (current?.isNull === true) return current
  const pointer = reader.get(nullVersionKey(bucketId, key))
  if (pointer === undefined) return undefined
  const value = reader.get(versionKey(bucketId, key, decodePosition(pointer)))
  return value && decodeVersionRow(value)
}

/** By its version id, 'null' included. */
export function getNamed(reader: IndexReader, bucketId: BucketId, key: string, versionId: string): VersionRow | undefined {
  if (versionId === NULL_VERSION_ID) return getNull(reader, bucketId, key)
  const position = positionOf(versionId)
  const found = position && getAt(reader, bucketId, key, position)
  // An id that looks like a position may be a foreign one's name, and a null version isn't known by its position.
  if (found !== undefined && versionIdOfRow(found) === versionId) return found
  const named = reader.get(namedVersionKey(bucketId, key, versionId))
  return named && getAt(reader, bucketId, key, decodePosition(named))
}

export const nameIsTaken = (reader: IndexReader, bucketId: BucketId, key: string, versionId: string): boolean =>
  reader.get(namedVersionKey(bucketId, key, versionId)) !== undefined

/** Versions of a key from the newest, a page at a time. */
export function listOfKey(reader: IndexReader, bucketId: BucketId, key: string, max: number): readonly VersionRow[] {
  const current = getCurrent(reader, bucketId, key)
  const prefix = versionsOfKey(bucketId, key)
  const others = reader.range(prefix, behind(prefix), max).map((entry) => decodeVersionRow(entry.value))
  return current === undefined ? others : [current, ...others]
}

/** Puts a version where its position says. The null version it takes the place of has to be removed before. */
export function insertVersion(writer: IndexWriter, bucketId: BucketId, key: string, row: VersionRow): void {
  const current = getCurrent(writer, bucketId, key)
  const isNewest = isNewestOf(writer, bucketId, key, current, row)
  if (isNewest && current !== undefined) putBelow(writer, bucketId, key, current)
  if (isNewest && row.kind === 'object') writer.put(currentKey(bucketId, key), encodeVersionRow(row))
  else putBelow(writer, bucketId, key, row)
  if (isNewest && row.kind === 'delete-marker' && current !== undefined) writer.remove(currentKey(bucketId, key))
  if (row.more?.versionId !== undefined && !row.isNull) {
    writer.put(namedVersionKey(bucketId, key, row.more.versionId), encodePosition(row.position))
  }
}

function isNewestOf(reader: IndexReader, bucketId: BucketId, key: string, current: VersionRow | undefined, row: VersionRow): boolean {
  if (current !== undefined) return comparePositions(row.position, current.position) > 0
  // What was made here is always the newest, its stamp being above all that were seen; what came from elsewhere has `more`.
  if (row.more === undefined) return true
  const below = getNewestBelow(reader, bucketId, key)
  return below === undefined || comparePositions(row.position, below.position) > 0
}

function putBelow(writer: IndexWriter, bucketId: BucketId, key: string, row: VersionRow): void {
  writer.put(versionKey(bucketId, key, row.position), encodeVersionRow(row))
  if (row.isNull) writer.put(nullVersionKey(bucketId, key), encodePosition(row.position))
}

/** Replaces the row of a version that is there, with the same position. */
export function replaceVersion(writer: IndexWriter, bucketId: BucketId, key: string, row: VersionRow): void {
  const current = getCurrent(writer, bucketId, key)
  const atTop = current !== undefined && samePosition(current.position, row.position)
  if (atTop) writer.put(currentKey(bucketId, key), encodeVersionRow(row))
  else {
    writer.put(versionKey(bucketId, key, row.position), encodeVersionRow(row))
    const pointer = writer.get(nullVersionKey(bucketId, key))
    const pointsHere = pointer !== undefined && samePosition(decodePosition(pointer), row.position)
    if (row.isNull && !pointsHere) writer.put(nullVersionKey(bucketId, key), encodePosition(row.position))
    if (!row.isNull && pointsHere) writer.remove(nullVersionKey(bucketId, key))
  }
  if (row.more?.versionId !== undefined && !row.isNull) {
    writer.put(namedVersionKey(bucketId, key, row.more.versionId), encodePosition(row.position))
  }
}

/**
 * Removes the version at a position, if it is there, and answers it. 'covered': a newer version follows in the same change, so that none below
 * needs to be made current.
 */
export function removeVersion(
  writer: IndexWriter,
  bucketId: BucketId,
  key: string,
  position: Position,
  next: 'promote' | 'covered',
): VersionRow | undefined {
  const current = getCurrent(writer, bucketId, key)
  const atTop = current !== undefined && samePosition(current.position, position)
  const row = atTop ? current : getAt(writer, bucketId, key, position)
  if (row === undefined) return undefined
  if (atTop) writer.remove(currentKey(bucketId, key))
  else {
    writer.remove(versionKey(bucketId, key, position))
    if (row.isNull) writer.remove(nullVersionKey(bucketId, key))
  }
  if (row.more?.versionId !== undefined) writer.remove(namedVersionKey(bucketId, key, row.more.versionId))
  if (row.lostNull === true) dropLostNull(writer, bucketId, key, position)
  if (next === 'promote' && (atTop || current === undefined)) promote(writer, bucketId, key)
  if (next === 'promote' && row.isNull) giveNullName(writer, bucketId, key)
  return row
}

/** Where nothing is current, an object that became the newest version takes the place. */
function promote(writer: IndexWriter, bucketId: BucketId, key: string): void {
  const below = getNewestBelow(writer, bucketId, key)
  if (below === undefined || below.kind === 'delete-marker') return
  writer.remove(versionKey(bucketId, key, below.position))
  if (below.isNull) writer.remove(nullVersionKey(bucketId, key))
  writer.put(currentKey(bucketId, key), encodeVersionRow(below))
}

// Of several versions that were written as the null one, without having seen each other, the newest that is left has the name.

function getLostNulls(reader: IndexReader, bucketId: BucketId, key: string): readonly Position[] {
  const value = reader.get(lostNullsKey(bucketId, key))
  if (value === undefined) return []
  return Array.from({ length: value.length / POSITION_BYTES }, (_, i) =>
    decodePosition(value.subarray(i * POSITION_BYTES, (i + 1) * POSITION_BYTES)),
  )
}

function putLostNulls(writer: IndexWriter, bucketId: BucketId, key: string, positions: readonly Position[]): void {
  const rowKey = lostNullsKey(bucketId, key)
  if (positions.length === 0) writer.remove(rowKey)
  else writer.put(rowKey, Buffer.concat(positions.map(encodePosition)))
}

/** Notes that the version at a position goes by an id from its position from now on. */
export function noteLostNull(writer: IndexWriter, bucketId: BucketId, key: string, position: Position): void {
  const others = getLostNulls(writer, bucketId, key).filter((other) => !samePosition(other, position))
  putLostNulls(writer, bucketId, key, [...others, position].sort(comparePositions))
}

function dropLostNull(writer: IndexWriter, bucketId: BucketId, key: string, position: Position): void {
  putLostNulls(
    writer,
    bucketId,
    key,
    getLostNulls(writer, bucketId, key).filter((other) => !samePosition(other, position)),
  )
}

/** The null version is gone: the newest of those that had lost the name to it has it now. */
function giveNullName(writer: IndexWriter, bucketId: BucketId, key: string): void {
  const positions = getLostNulls(writer, bucketId, key)
  const newest = positions.at(-1)
  const row = newest && getAt(writer, bucketId, key, newest)
  if (row === undefined) return
  const { lostNull: _, ...rest } = row
  putLostNulls(writer, bucketId, key, positions.slice(0, -1))
  replaceVersion(writer, bucketId, key, { ...rest, isNull: true })
}
