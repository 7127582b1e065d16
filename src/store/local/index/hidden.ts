/**
 * Hidden versions: removed by a peer, not to be seen by anybody, but still owners of their content until their time has passed, so that a captured peer cannot
 * empty the others. Each has a row, and one by which its end is found; sums by the site that removed them. Format: docs/formats.md#index.
 */
import type { BucketId, Position, SiteId } from '../../terms.ts'
import { decodeCbor, encodeCborApart } from '../codec.ts'
import { POSITION_BYTES, readPosition, readUint64, writeUint64 } from '../position.ts'
import { BEFORE_S3_KEY, hiddenKey, hiddenSumKey, hiddenUntilKey, Table, tableRange } from './keys.ts'
import { type IndexReader, type IndexWriter, walk } from './ordered-map.ts'
import { decodeVersionRow, encodeVersionRow, type VersionRow } from './version-row.ts'

export type HiddenVersion = {
  /** Stamp and sequence of the record that hid it; and when its bytes are given up. */
  readonly removed: number
  readonly sequence: number
  readonly until: number
  /** The site that removed it. */
  readonly by: SiteId
  readonly row: VersionRow
}
export type HiddenSum = { readonly versions: number; readonly bytes: number }

/** Where a hidden version is found. */
export type HiddenPlace = { readonly bucket: BucketId; readonly key: string; readonly position: Position }

export function decodeHidden(value: Uint8Array): HiddenVersion {
  const { row, ...fields } = decodeCbor(value) as Omit<HiddenVersion, 'row'> & { row: Uint8Array }
  return { ...fields, row: decodeVersionRow(row) }
}

export function decodeHiddenKey(key: Uint8Array): HiddenPlace {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  const end = bytes.length - POSITION_BYTES
  return {
    bucket: bytes.readUInt32BE(1) as BucketId,
    key: bytes.toString('utf8', BEFORE_S3_KEY, end - 1),
    position: readPosition(bytes, end),
  }
}

export function getHidden(reader: IndexReader, { bucket, key, position }: HiddenPlace): HiddenVersion | undefined {
  const value = reader.get(hiddenKey(bucket, key, position))
  return value && decodeHidden(value)
}

export function putHidden(writer: IndexWriter, bucket: BucketId, key: string, hidden: HiddenVersion): void {
  const at = hiddenKey(bucket, key, hidden.row.position)
  writer.put(at, encodeCborApart({ ...hidden, row: encodeVersionRow(hidden.row) }))
  writer.put(hiddenUntilKey(hidden.until, hidden.row.owner), at)
  addToSum(writer, hidden, 1)
}

/** Answers what it was; its content is the caller's to give up. */
export function removeHidden(writer: IndexWriter, place: HiddenPlace): HiddenVersion | undefined {
  const hidden = getHidden(writer, place)
  if (hidden === undefined) return undefined
  writer.remove(hiddenKey(place.bucket, place.key, place.position))
  writer.remove(hiddenUntilKey(hidden.until, hidden.row.owner))
  addToSum(writer, hidden, -1)
  return hidden
}

function addToSum(writer: IndexWriter, { by: site, row }: HiddenVersion, sign: 1 | -1): void {
  const before = getHiddenSum(writer, site)
  const versions = before.versions + sign
  if (versions <= 0) {
    writer.remove(hiddenSumKey(site))
    return
  }
  const sum = Buffer.allocUnsafe(16)
  writeUint64(sum, 0, versions)
  writeUint64(sum, 8, before.bytes + sign * row.bytes)
  writer.put(hiddenSumKey(site), sum)
}

const decodeSum = (value: Uint8Array): HiddenSum => ({
  versions: readUint64(Buffer.from(value), 0),
  bytes: readUint64(Buffer.from(value), 8),
})

function getHiddenSum(reader: IndexReader, site: SiteId): HiddenSum {
  const value = reader.get(hiddenSumKey(site))
  return value === undefined ? { versions: 0, bytes: 0 } : decodeSum(value)
}

/** By the site that removed them. */
export const hiddenSums = (reader: IndexReader): readonly (HiddenSum & { readonly site: SiteId })[] =>
  [...walk(reader, tableRange(Table.hiddenSum))].map(({ key, value }) => ({
    site: Buffer.from(key).toString('hex', 1) as SiteId,
    ...decodeSum(value),
  }))

/** The first whose time has passed. */
export function endedBefore(reader: IndexReader, before: number, max: number): readonly HiddenPlace[] {
  const { from } = tableRange(Table.hiddenUntil)
  return reader.range(from, hiddenUntilKey(before, 0), max).map(({ value }) => decodeHiddenKey(value))
}
