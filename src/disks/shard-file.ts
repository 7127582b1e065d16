/**
 * The file of a shard: its name, header and records, and how content is cut into units. Format: docs/formats.md#extent, version 1.
 *
 *   header   0   4  magic       "HFEX"          record   0   b  the stored bytes of the unit
 *            4   1  version     1                        b   1  cipher    0
 *            5   1  k                                        3  zero
 *            6   1  m                                        4  key id    0
 *            7   1  shard                                   16  tag       zero
 *            8  16  pool id                                  8  checksum  xxh64 of what is before in the record,
 *           24   8  start                                                 seeded by header checksum + unit number
 *           32   8  counter
 *           40   4  unit bytes  131,072
 *           44   2  set
 *           46  10  zero
 *           56   8  checksum    xxh64 of bytes 0–55, seed 0
 */
import { strict as assert } from 'node:assert'
import { type Seed, threadCoder } from '../erasure/coder.ts'
import { type ExtentPlace, UNIT_BYTES } from './geometry.ts'

export const SHARD_HEADER_BYTES = 64
/** Behind the stored bytes of each unit. */
export const TRAILER_BYTES = 32
/** The part of it that the checksum covers: cipher, key id and tag, all zero for bytes in clear. */
export const SEAL_BYTES = 24
/** Of a whole unit. */
export const RECORD_BYTES = UNIT_BYTES + TRAILER_BYTES
const VERSION = 1
const EXTENTS_PER_FOLDER = 4096
const NO_SEED: Seed = { low: 0, high: 0 }

/** All extents; below it a folder per start. */
export const EXTENTS_FOLDER = 'extents'
export const startFolder = (start: number): string => `${EXTENTS_FOLDER}/${start.toString(16)}`

type ExtentId = Pick<ExtentPlace, 'start' | 'counter'>
export const extentFolder = (id: ExtentId): string => `${startFolder(id.start)}/${Math.floor(id.counter / EXTENTS_PER_FOLDER).toString(16)}`
export const extentFile = (id: ExtentId, shard: number): string => `${extentFolder(id)}/${id.counter.toString(16)}.${shard}`

/** Counter and shard from the last part of a name that `extentFile` gives; undefined if it is no such name. */
export function parseShardName(name: string): { readonly counter: number; readonly shard: number } | undefined {
  const parts = /^(0|[1-9a-f][0-9a-f]{0,13})\.(0|[1-9][0-9]?)$/.exec(name)
  if (parts === null) return undefined
  const counter = Number.parseInt(parts[1]!, 16)
  return Number.isSafeInteger(counter) ? { counter, shard: Number(parts[2]) } : undefined
}

/** `poolId`: 16 bytes. */
export function encodeShardHeader(poolId: Uint8Array, place: Omit<ExtentPlace, 'bytes'>, shard: number): Uint8Array {
  assert(poolId.length === 16)
  const header = new Uint8Array(SHARD_HEADER_BYTES)
  const view = new DataView(header.buffer)
  header.set([0x48, 0x46, 0x45, 0x58, VERSION, place.dataShards, place.parityShards, shard])
  header.set(poolId, 8)
  view.setBigUint64(24, BigInt(place.start), true)
  view.setBigUint64(32, BigInt(place.counter), true)
  view.setUint32(40, UNIT_BYTES, true)
  view.setUint16(44, place.set, true)
  header.set(threadCoder().hash(header.subarray(0, 56), NO_SEED), 56)
  return header
}

/** What ties the units of a shard to it: the checksum in its header. */
export function shardSeed(header: Uint8Array): Seed {
  const view = new DataView(header.buffer, header.byteOffset)
  return { low: view.getUint32(56, true), high: view.getUint32(60, true) }
}

/** The seed of one unit: their sum modulo 2^64. */
export function unitSeed(shard: Seed, unit: number): Seed {
  const low = shard.low + unit
  return { low: low >>> 0, high: (shard.high + Math.floor(low / 2 ** 32)) >>> 0 }
}

/** Puts the trailer of a unit in clear behind the first `bytes` bytes of `record`, which are the unit's. */
export function sealRecord(record: Uint8Array, bytes: number, seed: Seed): void {
  record.fill(0, bytes, bytes + SEAL_BYTES)
  record.set(threadCoder().hash(record.subarray(0, bytes + SEAL_BYTES), seed), bytes + SEAL_BYTES)
}

/** Whether a record is what was written there, with bytes in clear. `coder`: the one in whose room it lies, if any. */
export function recordIsIntact(record: Uint8Array, seed: Seed, coder = threadCoder()): boolean {
  const end = record.length - 8
  const hash = coder.hash(record.subarray(0, end), seed)
  for (let i = 0; i < 8; i++) if (hash[i] !== record[end + i]) return false
  for (let i = end - SEAL_BYTES; i < end; i++) if (record[i] !== 0) return false
  return true
}

/** Where the record of a stripe's unit begins in each shard's file. */
export const recordOffset = (stripe: number): number => SHARD_HEADER_BYTES + stripe * RECORD_BYTES

/** How the content of an extent is cut. A stripe has one unit per shard; a unit's number within its shard is that of its stripe. */
export class Cut {
  readonly dataShards: number
  readonly bytes: number
  /** Whole and last. */
  readonly stripes: number
  /** Bytes of content in a whole stripe. */
  readonly stripeBytes: number
  readonly #wholeStripes: number
  readonly #lastUnitBytes: number
  readonly #rest: number

  constructor(dataShards: number, bytes: number) {
    this.dataShards = dataShards
    this.bytes = bytes
    this.stripeBytes = dataShards * UNIT_BYTES
    this.#wholeStripes = Math.floor(bytes / this.stripeBytes)
    this.#rest = bytes - this.#wholeStripes * this.stripeBytes
    this.#lastUnitBytes = Math.ceil(Math.ceil(this.#rest / dataShards) / 64) * 64
    this.stripes = this.#wholeStripes + (this.#rest > 0 ? 1 : 0)
  }

  /** By how many bytes of content the units of a stripe are apart. */
  unitBytes(stripe: number): number {
    return stripe < this.#wholeStripes ? UNIT_BYTES : this.#lastUnitBytes
  }

  /** Bytes stored of the shard's unit in the stripe; none is stored if 0. */
  storedBytes(stripe: number, shard: number): number {
    if (stripe < this.#wholeStripes) return UNIT_BYTES
    const index = shard < this.dataShards ? shard : 0
    return Math.max(0, Math.min(this.#lastUnitBytes, this.#rest - index * this.#lastUnitBytes))
  }

  /** Where the record of a stripe's unit begins in each shard's file. */
  recordOffset(stripe: number): number {
    return recordOffset(stripe)
  }

  recordBytes(stripe: number, shard: number): number {
    const bytes = this.storedBytes(stripe, shard)
    return bytes === 0 ? 0 : bytes + TRAILER_BYTES
  }

  /** Bytes of the records of stripes `from` to `to` (exclusive) of a shard. */
  recordsBytes(from: number, to: number, shard: number): number {
    return from >= to ? 0 : this.recordOffset(to - 1) - this.recordOffset(from) + this.recordBytes(to - 1, shard)
  }

  /** Bytes of the file of a shard that mean something. */
  fileBytes(shard: number): number {
    return SHARD_HEADER_BYTES + this.recordsBytes(0, this.stripes, shard)
  }
}

/** Stripes are read and written in runs, so that an operation moves more than one unit where a stripe is small. */
const RUN_BYTES = 1024 * 1024
export const stripesPerRun = (dataShards: number): number => Math.max(1, Math.floor(RUN_BYTES / (dataShards * UNIT_BYTES)))
