/**
 * CBOR (RFC 8949) as records and rows carry it: definite lengths, maps with text keys, bytes as byte strings. Integers above 2^32 appear as
 * 64-bit floats, which hold them exactly up to 2^53.
 */
import { Encoder } from 'cbor-x'

const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false, variableMapSize: true })

/** In an ArrayBuffer that other values may share. */
export const encodeCbor = (value: unknown): Uint8Array => encoder.encode(value)

/** In an ArrayBuffer of its own, as messages between threads want it. */
export const encodeCborApart = (value: unknown): Uint8Array<ArrayBuffer> => new Uint8Array(encoder.encode(value))

/** Undefined if the bytes are no CBOR. What it is then has still to be looked at. */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    return encoder.decode(bytes)
  } catch {
    return undefined
  }
}
