/**
 * CBOR (RFC 8949) as records and rows carry it: definite lengths, maps with text keys, bytes as byte strings. Integers above 2^32 appear as
 * 64-bit floats, which hold them exactly up to 2^53. Nothing else is read: no tags, no indefinite lengths.
 */
import { Encoder } from 'cbor-x'

const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false, variableMapSize: true })

/** In an ArrayBuffer that other values may share. */
export const encodeCbor = (value: unknown): Uint8Array => encoder.encode(value)

/** In an ArrayBuffer of its own, as messages between threads want it. */
export const encodeCborApart = (value: unknown): Uint8Array<ArrayBuffer> => new Uint8Array(encoder.encode(value))

/** Undefined if the bytes are no such CBOR. What it is then has still to be looked at. */
export function decodeCbor(bytes: Uint8Array): unknown {
  if (itemEnd(bytes, 0, 0) !== bytes.length) return undefined
  try {
    return encoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** Far above what records and rows need. */
const DEPTH_MAX = 32
const NOT_PLAIN = -1

/**
 * Where the item that begins at `at` ends. NOT_PLAIN if it is cut off or is anything that we never write: the library would make objects of tags, big
 * numbers (whose cost grows with the square of their length) and much else, from bytes that lay on a disk that was out of the house.
 */
function itemEnd(bytes: Uint8Array, at: number, depth: number): number {
  if (at >= bytes.length || depth > DEPTH_MAX) return NOT_PLAIN
  const major = bytes[at]! >> 5
  const short = bytes[at]! & 31
  const sizeBytes = short < 24 ? 0 : 1 << (short - 24)
  const end = at + 1 + sizeBytes
  if (short > 27 || end > bytes.length) return NOT_PLAIN
  // False, true, null, undefined; floats of 16, 32 and 64 bits.
  if (major === 7) return (short >= 20 && short <= 23) || short >= 25 ? end : NOT_PLAIN
  let value = short
  if (sizeBytes > 0) {
    value = 0
    for (let index = at + 1; index < end; index++) value = value * 256 + bytes[index]!
  }
  if (major < 2) return value <= Number.MAX_SAFE_INTEGER ? end : NOT_PLAIN
  if (major < 4) return value <= bytes.length - end ? end + value : NOT_PLAIN
  const items = major === 5 ? value * 2 : value
  if (major === 6 || items > bytes.length - end) return NOT_PLAIN
  let next = end
  for (let item = 0; item < items && next !== NOT_PLAIN; item++) next = itemEnd(bytes, next, depth + 1)
  return next
}
