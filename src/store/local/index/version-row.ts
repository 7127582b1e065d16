/**
 * The row of a version: a head of 152 bytes that is read in place, then its attributes in CBOR, then what only some have. Listings read the head
 * alone. Format: docs/formats.md#index-version-row, version 1 (little-endian but for the position, which is as in keys).
 *
 *   offset  bytes  field
 *        0      1  version          1
 *        1      1  flags            1 marker, 2 null version, 4 concurrent, 8 has `more`, 16 lost the name null
 *        2      1  content          0 none, 1 in the journal, 2 extent, 3 manifest
 *        3      1  checksum         algorithm (0 none, else its number below) + 128 if composite
 *        4      2  etagParts        0, or N of an ETag that ends in "-N"
 *        6      2  partCount
 *        8     32  position
 *       40      8  bytes
 *       48     16  etag
 *       64      8  owner            sequence of the record here that made the row
 *       72      8  operation        number of the operation that made the version, at its origin
 *       80      4  epoch            of the origin, whose site is the position's
 *       84      4  attributesBytes
 *       88      8  from             the run of bytes of what the content field says
 *       96      8  to
 *      104     48  place            by content; see below
 *      152         attributes, then `more`
 */
import type { ContentHeaders, ObjectAttributes, Position, Tags, UserMetadata } from '../../terms.ts'
import { decodeCbor, encodeCborApart } from '../codec.ts'
import type { Slice } from '../content.ts'
import { readPosition, writePosition } from '../position.ts'
import { checksumAlgorithmOf, checksumNumberOf } from './checksum-numbers.ts'

const ROW_VERSION = 1
const HEAD_BYTES = 152
const FLAG = { marker: 1, nullVersion: 2, concurrent: 4, more: 8, lostNull: 16 } as const
const CONTENT = { none: 0, journal: 1, extent: 2, manifest: 3 } as const
const HIGH = 2 ** 32

export type Etag = { readonly digest: Uint8Array; readonly parts: number }

/**
 * What only some rows have: a foreign version's id where it isn't made from the position; CBOR of the frontier that a foreign version's origin had
 * seen (all foreign ones have it); where the tags are from, if they were changed later; and whether its site had lost it and got it back.
 */
export type VersionMore = {
  readonly versionId?: string
  readonly frontier?: Uint8Array
  readonly tagged?: Position
  readonly cameBack?: boolean
}

export type VersionRow = {
  readonly kind: 'object' | 'delete-marker'
  readonly isNull: boolean
  /** Written as the null version, but a later one that had not seen it has the name. */
  readonly lostNull?: boolean
  readonly concurrent: boolean
  readonly position: Position
  readonly owner: number
  readonly epoch: number
  readonly operation: number
  readonly bytes: number
  readonly etag: Etag
  readonly partCount: number
  /** Undefined for markers and empty objects. */
  readonly content: Slice | undefined
  /** As `encodeAttributes` made it. Empty for markers. */
  readonly attributes: Uint8Array
  readonly checksum: number
  readonly more?: VersionMore
}

export function parseEtag(text: string): Etag | undefined {
  const shaped = /^([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?$/.exec(text)
  return shaped === null ? undefined : { digest: Buffer.from(shaped[1]!, 'hex'), parts: Number(shaped[2] ?? 0) }
}
export function etagText({ digest, parts }: Etag): string {
  const hex = Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('hex', 0, 16)
  return parts === 0 ? hex : `${hex}-${parts}`
}

/** Attributes but the ETag, as rows and records carry them. */
export type PackedAttributes = Omit<ObjectAttributes, 'etag'>
type Attributes = { h?: ContentHeaders; m?: UserMetadata; t?: Tags; c?: string }

/** CBOR: {h: headers, m: user metadata, t: tags, c: value of the checksum}, each only if there is any. In an ArrayBuffer of its own. */
export function encodeAttributes(attributes: PackedAttributes): Uint8Array<ArrayBuffer> {
  const packed: Attributes = {}
  for (const _ in attributes.headers) {
    packed.h = attributes.headers
    break
  }
  if (attributes.userMetadata.length > 0) packed.m = attributes.userMetadata
  if (attributes.tags.length > 0) packed.t = attributes.tags
  if (attributes.checksum !== undefined) packed.c = attributes.checksum.value
  return encodeCborApart(packed)
}
export function decodeAttributes(bytes: Uint8Array, checksum: number): PackedAttributes {
  const packed = (decodeCbor(bytes) ?? {}) as Attributes
  const named = checksumAlgorithmOf(checksum)
  return {
    headers: packed.h ?? {},
    userMetadata: packed.m ?? [],
    tags: packed.t ?? [],
    ...(named === undefined || packed.c === undefined ? {} : { checksum: { ...named, value: packed.c } }),
  }
}
export const checksumOf = (attributes: Pick<ObjectAttributes, 'checksum'>): number =>
  attributes.checksum === undefined ? 0 : checksumNumberOf(attributes.checksum)

const putUint64 = (into: Buffer, offset: number, value: number): void => {
  into.writeUInt32LE(value >>> 0, offset)
  into.writeUInt32LE(Math.floor(value / HIGH), offset + 4)
}
const getUint64 = (from: Buffer, offset: number): number => from.readUInt32LE(offset) + from.readUInt32LE(offset + 4) * HIGH

export function encodeVersionRow(row: VersionRow): Buffer {
  const more = row.more === undefined ? undefined : encodeCborApart(row.more)
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + row.attributes.length + (more?.length ?? 0))
  bytes[0] = ROW_VERSION
  bytes[1] =
    (row.kind === 'delete-marker' ? FLAG.marker : 0) |
    (row.isNull ? FLAG.nullVersion : 0) |
    (row.concurrent ? FLAG.concurrent : 0) |
    (row.lostNull === true ? FLAG.lostNull : 0) |
    (more === undefined ? 0 : FLAG.more)
  bytes[2] = row.content === undefined ? CONTENT.none : CONTENT[row.content.kind]
  bytes[3] = row.checksum
  bytes.writeUInt16LE(row.etag.parts, 4)
  bytes.writeUInt16LE(row.partCount, 6)
  writePosition(bytes, 8, row.position)
  putUint64(bytes, 40, row.bytes)
  bytes.set(row.etag.digest, 48)
  putUint64(bytes, 64, row.owner)
  putUint64(bytes, 72, row.operation)
  bytes.writeUInt32LE(row.epoch, 80)
  bytes.writeUInt32LE(row.attributes.length, 84)
  bytes.fill(0, 88, HEAD_BYTES)
  if (row.content !== undefined) writeSlice(bytes, row.content)
  bytes.set(row.attributes, HEAD_BYTES)
  if (more !== undefined) bytes.set(more, HEAD_BYTES + row.attributes.length)
  return bytes
}

/**
 * The place, 48 bytes from 104: journal segment 8, sequence 8, offset 8, checksum low 4, high 4, bytes 4; extent counter 8, bytes 8, start 4, set 2, k
 * 1, m 1; manifest id 8.
 */
function writeSlice(into: Buffer, slice: Slice): void {
  putUint64(into, 88, slice.from)
  putUint64(into, 96, slice.to)
  if (slice.kind === 'journal') {
    const { place } = slice
    putUint64(into, 104, place.segment)
    putUint64(into, 112, place.sequence)
    putUint64(into, 120, place.offset)
    into.writeUInt32LE(place.checksumLow, 128)
    into.writeUInt32LE(place.checksumHigh, 132)
    into.writeUInt32LE(place.bytes, 136)
  } else if (slice.kind === 'extent') {
    const { place } = slice
    putUint64(into, 104, place.counter)
    putUint64(into, 112, place.bytes)
    into.writeUInt32LE(place.start, 120)
    into.writeUInt16LE(place.set, 124)
    into[126] = place.dataShards
    into[127] = place.parityShards
  } else putUint64(into, 104, slice.id)
}

function readSlice(from: Buffer): Slice | undefined {
  const run = { from: getUint64(from, 88), to: getUint64(from, 96) }
  switch (from[2]) {
    case CONTENT.journal:
      return {
        kind: 'journal',
        place: {
          segment: getUint64(from, 104),
          sequence: getUint64(from, 112),
          offset: getUint64(from, 120),
          checksumLow: from.readUInt32LE(128),
          checksumHigh: from.readUInt32LE(132),
          bytes: from.readUInt32LE(136),
        },
        ...run,
      }
    case CONTENT.extent:
      return {
        kind: 'extent',
        place: {
          counter: getUint64(from, 104),
          bytes: getUint64(from, 112),
          start: from.readUInt32LE(120),
          set: from.readUInt16LE(124),
          dataShards: from[126]!,
          parityShards: from[127]!,
        },
        ...run,
      }
    case CONTENT.manifest:
      return { kind: 'manifest', id: getUint64(from, 104), ...run }
    default:
      return undefined
  }
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Asserts what only damage of the index could break; the index is rebuilt then. */
export function decodeVersionRow(value: Uint8Array): VersionRow {
  const bytes = asBuffer(value)
  if (bytes.length < HEAD_BYTES || bytes[0] !== ROW_VERSION) throw new Error('the index holds a version row of another format')
  const flags = bytes[1]!
  const attributesEnd = HEAD_BYTES + bytes.readUInt32LE(84)
  const more = (flags & FLAG.more) === 0 ? undefined : (decodeCbor(bytes.subarray(attributesEnd)) as VersionMore)
  return {
    kind: (flags & FLAG.marker) === 0 ? 'object' : 'delete-marker',
    isNull: (flags & FLAG.nullVersion) !== 0,
    concurrent: (flags & FLAG.concurrent) !== 0,
    ...((flags & FLAG.lostNull) !== 0 && { lostNull: true }),
    position: readPosition(bytes, 8),
    owner: getUint64(bytes, 64),
    epoch: bytes.readUInt32LE(80),
    operation: getUint64(bytes, 72),
    bytes: getUint64(bytes, 40),
    etag: { digest: bytes.subarray(48, 64), parts: bytes.readUInt16LE(4) },
    partCount: bytes.readUInt16LE(6),
    content: readSlice(bytes),
    attributes: bytes.subarray(HEAD_BYTES, attributesEnd),
    checksum: bytes[3]!,
    ...(more === undefined ? {} : { more }),
  }
}

/** What a listing shows, from the head alone. */
export type VersionHead = {
  readonly isMarker: boolean
  readonly bytes: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum: number
}
export function readVersionHead(value: Uint8Array): VersionHead {
  const bytes = asBuffer(value)
  const parts = bytes.readUInt16LE(4)
  const hex = bytes.toString('hex', 48, 64)
  return {
    isMarker: (bytes[1]! & FLAG.marker) !== 0,
    bytes: getUint64(bytes, 40),
    etag: parts === 0 ? hex : `${hex}-${parts}`,
    modifiedMs: Math.floor((bytes.readUInt32BE(8) * HIGH + bytes.readUInt32BE(12)) / 1000),
    checksum: bytes[3]!,
  }
}
