/**
 * Positions as bytes: clock 8, site 16, sequence 8, each big-endian, so that bytes order as positions do. Format: docs/formats.md#index.
 * The version ids that we give are the base64url text of these 32 bytes.
 */
import type { Position, SiteId } from '../terms.ts'

export const POSITION_BYTES = 32
export const NULL_VERSION_ID = 'null'
/** Source: Amazon S3 User Guide, "Version IDs". */
export const VERSION_ID_BYTES_MAX = 1024
const VERSION_ID_CHARACTERS = 43

const HIGH = 2 ** 32

/** Big-endian; below 2^53. */
export function writeUint64(into: Buffer, offset: number, value: number): void {
  into.writeUInt32BE(Math.floor(value / HIGH), offset)
  into.writeUInt32BE(value >>> 0, offset + 4)
}

export const readUint64 = (from: Buffer, offset: number): number => from.readUInt32BE(offset) * HIGH + from.readUInt32BE(offset + 4)

export function writePosition(into: Buffer, offset: number, position: Position): void {
  writeUint64(into, offset, position.clock)
  into.write(position.site, offset + 8, 16, 'hex')
  writeUint64(into, offset + 24, position.sequence)
}

export const readPosition = (from: Buffer, offset: number): Position => ({
  clock: readUint64(from, offset),
  site: from.toString('hex', offset + 8, offset + 24) as SiteId,
  sequence: readUint64(from, offset + 24),
})

export function positionBytes(position: Position): Buffer {
  const bytes = Buffer.allocUnsafe(POSITION_BYTES)
  writePosition(bytes, 0, position)
  return bytes
}

export const versionIdOf = (position: Position): string => positionBytes(position).toString('base64url')

/** The position that an id of our making names. Undefined if it has another form. */
export function positionOf(versionId: string): Position | undefined {
  if (versionId.length !== VERSION_ID_CHARACTERS) return undefined
  const bytes = Buffer.from(versionId, 'base64url')
  // Decoding is lax; only the one text that encodes these bytes names them.
  if (bytes.length !== POSITION_BYTES || bytes.toString('base64url') !== versionId) return undefined
  if (bytes[0] !== 0 || bytes[1]! >= 0x20 || bytes[24] !== 0 || bytes[25]! >= 0x20) return undefined
  return readPosition(bytes, 0)
}

/** Below zero if `a` is older. */
export function comparePositions(a: Position, b: Position): number {
  if (a.clock !== b.clock) return a.clock - b.clock
  if (a.site !== b.site) return a.site < b.site ? -1 : 1
  return a.sequence - b.sequence
}

export const samePosition = (a: Position, b: Position): boolean => a.clock === b.clock && a.sequence === b.sequence && a.site === b.site

/** What S3 calls LastModified: the stamp of the commit in milliseconds. */
export const modifiedMsOf = (position: Position): number => Math.floor(position.clock / 1000)
