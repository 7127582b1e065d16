import assert from 'node:assert/strict'
import { highOf, lowOf, type Xxh64 } from './checksum.ts'
import { encodeRecordHeader, RECORD_HEADER_BYTES, recordBytes } from './record.ts'
import { BATCH_RECORDS_MAX, BODY_BYTES_MAX, METADATA_BYTES_MAX, type NewRecord, type PlacedRecord } from './terms.ts'

/** Pieces up to this size are copied beside their header: cheaper than one more vector element per copy. */
const COPIED_BYTES_MAX = 8 * 1024
const ARENA_BYTES = 1024 * 1024

/** The memory in which headers and small pieces of a batch are put together. Used by one batch after the other. */
export class Arena {
  readonly bytes = new Uint8Array(ARENA_BYTES)
  readonly view = new DataView(this.bytes.buffer)
}

export type ReservationInput = {
  readonly firstSequence: number
  readonly segment: number
  readonly seed: bigint
  readonly chain: bigint
  readonly offset: number
  /** Bytes that the batch may take. */
  readonly roomBytes: number
  readonly arena: Arena
  readonly xxh64: Xxh64
  /** Ends the reservation; `wantedBytes` is what did not fit for want of room in the segment, 0 if nothing. */
  readonly release: (wantedBytes: number) => void
}

type Held = {
  readonly record: NewRecord
  readonly offset: number
  readonly bodyChecksum: bigint
  readonly metadataChecksum: bigint
}

export type BatchWrite = {
  readonly offset: number
  readonly pieces: Uint8Array[]
  readonly end: number
  readonly chain: bigint
  readonly clock: number
}

/** A batch that is being filled. Only one exists at a time; see journal.ts. */
export class Reservation {
  readonly firstSequence: number
  readonly #input: ReservationInput
  readonly #held: Held[] = []
  #end: number
  #wantedBytes = 0

  constructor(input: ReservationInput) {
    this.firstSequence = input.firstSequence
    this.#input = input
    this.#end = input.offset
  }

  /** Sequence of the next record that is added. */
  get nextSequence(): number {
    return this.firstSequence + this.#held.length
  }

  /** Records added. */
  get count(): number {
    return this.#held.length
  }

  /** Whether all of these can still be added. */
  fits(records: readonly Pick<NewRecord, 'metadata' | 'body'>[]): boolean {
    let bytes = 0
    for (const { metadata, body } of records) bytes += recordBytes(metadata.length, body.length)
    if (this.#held.length + records.length > BATCH_RECORDS_MAX) return false
    if (this.#end + bytes <= this.#input.offset + this.#input.roomBytes) return true
    this.#wantedBytes = bytes
    return false
  }

  /** Asserts that it fits. */
  add(record: NewRecord): PlacedRecord {
    const { metadata, body } = record
    assert(metadata.length <= METADATA_BYTES_MAX && body.length <= BODY_BYTES_MAX, 'the record is larger than any may be')
    assert(this.fits([record]), 'the record does not fit')
    const { xxh64, segment } = this.#input
    const sequence = this.nextSequence
    const offset = this.#end
    const bodyChecksum = xxh64(body)
    this.#held.push({ record, offset, bodyChecksum, metadataChecksum: xxh64(metadata) })
    this.#end += recordBytes(metadata.length, body.length)
    if (body.length === 0) return { sequence, place: undefined }
    const bodyAt = offset + RECORD_HEADER_BYTES + metadata.length
    const checksum = { checksumHigh: highOf(bodyChecksum), checksumLow: lowOf(bodyChecksum) }
    return { sequence, place: { segment, offset: bodyAt, bytes: body.length, ...checksum, sequence } }
  }

  /** Gives the batch up; nothing was written. */
  cancel(): void {
    this.release()
  }

  /** For the journal: the batch is over, however it ended. */
  release(): void {
    this.#input.release(this.#wantedBytes)
  }

  /** For the journal: the bytes to write. They lie in the arena and in the records' own arrays. */
  encode(): BatchWrite {
    const { arena, seed, xxh64, offset } = this.#input
    const pieces: Uint8Array[] = []
    let { chain } = this.#input
    let clock = 0
    let used = 0
    let begun = 0
    const flush = (): void => {
      if (used > begun) pieces.push(arena.bytes.subarray(begun, used))
      begun = used
    }
    const put = (bytes: Uint8Array, headersToCome: number): void => {
      if (bytes.length <= COPIED_BYTES_MAX && used + bytes.length + headersToCome * (RECORD_HEADER_BYTES + 8) <= ARENA_BYTES) {
        arena.bytes.set(bytes, used)
        used += bytes.length
      } else {
        flush()
        pieces.push(bytes)
      }
    }
    for (const [index, held] of this.#held.entries()) {
      const { record, metadataChecksum, bodyChecksum } = held
      const header = {
        kind: record.kind,
        batchIndex: index,
        batchRecords: this.#held.length,
        sequence: this.firstSequence + index,
        clock: record.clock,
        metadataBytes: record.metadata.length,
        bodyBytes: record.body.length,
        offset: held.offset,
        metadataChecksum,
        bodyChecksum,
        before: chain,
      }
      chain = encodeRecordHeader(arena.bytes, arena.view, used, header, seed, xxh64)
      used += RECORD_HEADER_BYTES
      const headersToCome = this.#held.length - index
      put(record.metadata, headersToCome)
      put(record.body, headersToCome)
      const taken = RECORD_HEADER_BYTES + record.metadata.length + record.body.length
      const padding = recordBytes(record.metadata.length, record.body.length) - taken
      arena.bytes.fill(0, used, used + padding)
      used += padding
      clock = Math.max(clock, record.clock)
    }
    flush()
    return { offset, pieces, end: this.#end, chain, clock }
  }
}
