import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeRecordHeader,
  encodeRecordHeader,
  RECORD_HEADER_BYTES,
  type RecordHeader,
} from '../../../../src/store/local/journal/record.ts'
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../../../src/store/local/journal/segment-header.ts'
import { SimulatedJournal, xxh64 } from './simulated-journal.ts'

type Expected = { readonly records: number } | { readonly fault: unknown }
type Vectors = {
  readonly file: string
  readonly entries: readonly {
    readonly sequence: number
    readonly kind: number
    readonly clock: number
    readonly metadata: string
    readonly body: string
    readonly offset: number | null
    readonly chain: string
  }[]
  readonly cases: readonly {
    readonly name: string
    readonly patches: readonly { readonly offset: number; readonly hex: string }[]
    /** The file ends here. */
    readonly bytes?: number
    readonly expected: Expected
  }[]
}

const folder = new URL('../../../vectors/journal/', import.meta.url)
const vectors: Vectors = JSON.parse(readFileSync(new URL('segment-v1.json', folder), 'utf8'))
const golden = readFileSync(new URL(vectors.file, folder))

/** A disk whose journal is this one file. */
async function siteWith(content: Uint8Array): Promise<SimulatedJournal> {
  const site = new SimulatedJournal({ seed: 1, disks: 1, parity: 0 })
  await site.world.run(site.disk(0).makeFolder('journal'))
  site.disk(0).setContent('journal/00000001', content)
  return site
}

describe('the golden segment of version 1', () => {
  for (const { name, patches, bytes, expected } of vectors.cases) {
    test(name, async () => {
      const content = Buffer.from(golden)
      for (const { offset, hex } of patches) content.write(hex, offset, 'hex')
      const site = await siteWith(content.subarray(0, bytes))
      const opened = await site.world.run(site.tryOpen())
      if ('fault' in expected) {
        expect(opened).toEqual({ ok: false, error: expected.fault })
        return
      }
      if (!opened.ok) throw new Error(JSON.stringify(opened.error))
      const entries = await site.entries(opened.value)
      const read = entries.map(({ sequence, kind, clock, metadata, body, place, chain }) => {
        const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex')
        return {
          sequence,
          kind,
          clock,
          metadata: hex(metadata),
          body: hex(body ?? new Uint8Array(0)),
          offset: place?.offset ?? null,
          chain,
        }
      })
      expect(read).toEqual(vectors.entries.slice(0, expected.records))
    })
  }
})

const clock = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const recordHeader: fc.Arbitrary<RecordHeader> = fc.record({
  kind: fc.nat(255),
  batchIndex: fc.nat(127),
  batchRecords: fc.integer({ min: 128, max: 256 }),
  sequence: fc.integer({ min: 256, max: Number.MAX_SAFE_INTEGER }),
  clock,
  metadataBytes: fc.nat(4_194_304),
  bodyBytes: fc.nat(4_190_208),
  offset: fc.nat(2 ** 31 - 1),
  metadataChecksum: u64,
  bodyChecksum: u64,
  before: u64,
})

test('a record header decodes to what was encoded, and with any bit flipped to nothing', () => {
  fc.assert(
    fc.property(recordHeader, u64, fc.nat(RECORD_HEADER_BYTES * 8 - 1), (header, seed, bit) => {
      const bytes = new Uint8Array(RECORD_HEADER_BYTES)
      const checksum = encodeRecordHeader(bytes, new DataView(bytes.buffer), 0, header, seed, xxh64)
      expect(decodeRecordHeader(bytes, header.offset, seed, xxh64)).toEqual({ ...header, checksum })
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeRecordHeader(bytes, header.offset, seed, xxh64)).toBeUndefined()
    }),
  )
})

test('a segment header decodes to what was encoded, and with any bit flipped to a fault', () => {
  const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
  const header = fc.record({
    number: fc.integer({ min: 2, max: 2 ** 32 - 1 }),
    pool: id,
    generation: clock,
    firstSequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    clock,
    previous: fc.constant(1),
    previousEnd: fc.integer({ min: 4096, max: 2 ** 32 - 1 }),
    previousChain: u64,
    bytes: fc.integer({ min: 4096, max: 2 ** 30 }),
    disks: fc.array(id, { minLength: 1, maxLength: 32 }),
  })
  fc.assert(
    fc.property(header, fc.nat(SEGMENT_HEADER_BYTES * 8 - 1), (value, bit) => {
      const { bytes, seed } = encodeSegmentHeader(value, xxh64)
      expect(decodeSegmentHeader(bytes, xxh64)).toEqual({ ok: true, value: { header: value, seed } })
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      expect(decodeSegmentHeader(bytes, xxh64).ok).toBe(false)
    }),
  )
})

/** Bytes of any kind, with checksums that are right so that the fields behind them are reached. */
const sealed = (bytes: Uint8Array, at: number, seed: bigint): Uint8Array => {
  if (bytes.length >= at + 8) new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(at, xxh64(bytes.subarray(0, at), seed), true)
  return bytes
}

test('arbitrary bytes never throw, sealed or not', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), u64, (input, seal, seed) => {
      const bytes = Uint8Array.from(input)
      bytes.set([0x48, 0x46, 0x52, 0x43, 1].slice(0, bytes.length))
      decodeRecordHeader(seal ? sealed(bytes, 64, seed) : bytes, 0, seed, xxh64)
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (input, seal) => {
      const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
      bytes.set(input)
      bytes.set(Buffer.from('HFSEGMNT\u0001\u0001'))
      decodeSegmentHeader(seal ? sealed(bytes, SEGMENT_HEADER_BYTES - 8, 0n) : bytes, xxh64)
    }),
    { numRuns: 300 },
  )
})

test('a segment with arbitrary bytes anywhere is opened or refused, and what is opened goes on', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(golden.length), fc.uint8Array({ minLength: 1, maxLength: 400 }), async (at, bytes) => {
      const content = Buffer.concat([golden, Buffer.alloc(2000)])
      content.set(bytes.subarray(0, content.length - at), at)
      const site = await siteWith(content)
      const opened = await site.world.run(site.tryOpen())
      if (!opened.ok) return
      const { nextSequence } = opened.value
      const batch = await site.world.run(opened.value.begin())
      if (!batch.ok) throw new Error(batch.error)
      batch.value.add({ kind: 1, clock: 1, metadata: new Uint8Array(3), body: new Uint8Array(0) })
      expect((await site.world.run(opened.value.append(batch.value))).ok).toBe(true)
      expect((await site.entries(opened.value)).length).toBe(nextSequence)
    }),
    { numRuns: 150 },
  )
})
