/** What is read from disks may be anything: decoders answer, they do not throw. And what is encoded is what is decoded. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { seal } from '../../../src/disks/sealed-json.ts'
import { decodeRecord, encodeRecord, RECORD_KINDS } from '../../../src/store/local/changes/record.ts'
import type { Slice } from '../../../src/store/local/content.ts'
import { keyBounds } from '../../../src/store/local/index/key-walk.ts'
import { versionKey, versionsOfKey } from '../../../src/store/local/index/keys.ts'
import { packSlices, unpackSlices } from '../../../src/store/local/index/rows.ts'
import { decodeVersionRow, encodeVersionRow, type VersionRow } from '../../../src/store/local/index/version-row.ts'
import { comparePositions, positionOf, versionIdOf } from '../../../src/store/local/position.ts'
import { decodeScrubRecord, encodeScrubRecord } from '../../../src/store/local/scrub-record.ts'
import { decodeSite, encodeSite, type SiteRecord } from '../../../src/store/local/site-file.ts'
import { contains, type Ranges, withNumber } from '../../../src/store/ranges.ts'
import type { BucketId, SiteId } from '../../../src/store/terms.ts'

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const site = fc.stringMatching(/^[0-9a-f]{32}$/).map((text) => text as SiteId)
const position = fc.record({ clock: count, site, sequence: count })
const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0'))
const slice: fc.Arbitrary<Slice> = fc.oneof(
  fc.record({
    kind: fc.constant('journal' as const),
    place: fc.record({ segment: uint32, offset: uint32, bytes: uint32, checksumHigh: uint32, checksumLow: uint32, sequence: count }),
    from: count,
    to: count,
  }),
  fc.record({
    kind: fc.constant('extent' as const),
    place: fc.record({
      set: fc.nat(65535),
      start: uint32,
      counter: count,
      bytes: count,
      dataShards: fc.nat(32),
      parityShards: fc.nat(32),
    }),
    from: count,
    to: count,
  }),
  fc.record({ kind: fc.constant('manifest' as const), id: count, from: count, to: count }),
)
const row: fc.Arbitrary<VersionRow> = fc.record({
  kind: fc.constantFrom('object' as const, 'delete-marker' as const),
  isNull: fc.boolean(),
  concurrent: fc.boolean(),
  position,
  owner: count,
  epoch: uint32,
  operation: count,
  bytes: count,
  etag: fc.record({ digest: fc.uint8Array({ minLength: 16, maxLength: 16 }), parts: fc.nat(10_000) }),
  partCount: fc.nat(10_000),
  content: fc.option(slice, { nil: undefined }),
  attributes: fc.uint8Array({ maxLength: 40 }),
  checksum: fc.nat(255),
})
const asPlain = (value: VersionRow) => ({
  ...value,
  etag: { ...value.etag, digest: [...value.etag.digest] },
  attributes: [...value.attributes],
})

describe('codecs', () => {
  test('records of any bytes are decoded or refused', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.uint8Array({ maxLength: 200 }), (kind, metadata) => {
        expect(['boolean']).toContain(typeof decodeRecord({ kind, metadata }).ok)
      }),
      { numRuns: 2000 },
    )
  })

  test('a record with a changed byte is decoded or refused', () => {
    const encoded = encodeRecord({
      kind: 'put-marker',
      bucket: 3 as BucketId,
      key: 'some/key',
      isNull: true,
      replaces: { clock: 1e15, site: 'a'.repeat(32) as SiteId, sequence: 7 },
      operation: { epoch: 1, number: 2 },
    })
    expect(decodeRecord(encoded)).toMatchObject({ ok: true, value: { kind: 'put-marker', key: 'some/key' } })
    fc.assert(
      fc.property(fc.nat(encoded.metadata.length - 1), fc.nat(255), (at, byte) => {
        const metadata = new Uint8Array(encoded.metadata)
        metadata[at] = byte
        expect(typeof decodeRecord({ kind: RECORD_KINDS['put-marker'], metadata }).ok).toBe('boolean')
      }),
    )
    expect(decodeRecord({ kind: 255, metadata: encoded.metadata })).toEqual({ ok: false, error: 'unknown-kind' })
    expect(decodeRecord({ kind: RECORD_KINDS['put-object'], metadata: encoded.metadata })).toEqual({ ok: false, error: 'malformed' })
  })

  test('version rows and slices come back as they went', () => {
    fc.assert(
      fc.property(row, (value) => {
        expect(asPlain(decodeVersionRow(encodeVersionRow(value)))).toEqual(asPlain(value))
      }),
    )
    fc.assert(
      fc.property(fc.array(slice), (slices) => {
        expect(unpackSlices(packSlices(slices))).toEqual(slices)
      }),
    )
  })

  test('version ids name positions, and only the text we give names one', () => {
    fc.assert(
      fc.property(position, (value) => {
        expect(positionOf(versionIdOf(value))).toEqual(value)
      }),
    )
    fc.assert(
      fc.property(fc.string({ minLength: 43, maxLength: 43 }), (text) => {
        const named = positionOf(text)
        expect([undefined, text]).toContain(named && versionIdOf(named))
      }),
    )
  })

  test('rows of versions lie by key in UTF-8, then newest first', () => {
    fc.assert(
      fc.property(key, position, key, position, (a, older, b, newer) => {
        const bucket = 1 as BucketId
        const order = Buffer.compare(versionKey(bucket, a, older), versionKey(bucket, b, newer))
        const byKey = Buffer.compare(Buffer.from(a), Buffer.from(b))
        expect(order).toBe(byKey !== 0 ? byKey : Math.sign(comparePositions(newer, older)))
        expect(Buffer.compare(versionsOfKey(bucket, a), versionKey(bucket, a, older))).toBe(-1)
      }),
    )
  })

  test('listings begin behind the marker and not before the prefix', () => {
    fc.assert(
      fc.property(key, key, key, (prefix, after, other) => {
        const { from } = keyBounds({ bucketId: 1 as BucketId, prefix, delimiter: '', after })
        const bytes = Buffer.from(prefix + other)
        const isShown = Buffer.compare(bytes, Buffer.from(after)) > 0
        expect(Buffer.compare(bytes, from) >= 0).toBe(isShown)
      }),
    )
  })

  test('ranges hold the numbers put into them and stay apart', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), fc.integer({ min: 1, max: 40 }), (numbers, asked) => {
        const ranges = numbers.reduce<Ranges>((all, number) => withNumber(all, number), [])
        expect(contains(ranges, asked)).toBe(numbers.includes(asked))
        for (let i = 1; i < ranges.length; i++) expect(ranges[i]![0]).toBeGreaterThan(ranges[i - 1]![1] + 1)
      }),
    )
  })

  test('site files of any bytes are read or refused', () => {
    const encoded = encodeSite({
      site: 'a'.repeat(32) as SiteId,
      name: 'n',
      createdMs: 1,
      home: '/s',
      epoch: 1,
      start: 3,
      unclean: [3],
      disks: ['/d'],
    })
    expect(decodeSite(encoded)).toMatchObject({ ok: true, value: { start: 3, unclean: [3] } })
    const read = decodeSite(encoded)
    for (const pendingRetirement of [
      {},
      'x',
      { disks: ['no id'], sequence: 1, chain: '' },
      { disks: [], sequence: -1, chain: '' },
      { disks: [], sequence: 1, chain: 'x' },
    ])
      expect(decodeSite(encodeSite({ ...(read.ok && read.value), pendingRetirement } as unknown as SiteRecord)).ok).toBe(false)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeSite(bytes).ok).toBe(false)
      }),
    )
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = new Uint8Array(encoded)
        bytes[at]! ^= flip
        expect(decodeSite(bytes).ok).toBe(false)
      }),
    )
  })
})

test('what the scrub remembers is read as it was written, and damage to it as nothing', () => {
  const count = fc.nat({ max: 2 ** 31 - 1 })
  const cursor = fc.oneof(
    count.map((number) => ({ kind: 'segment' as const, number })),
    fc.tuple(count, count).map(([start, counter]) => ({ kind: 'extent' as const, start, counter })),
    fc.constant(undefined),
  )
  const record = fc.record(
    {
      begunMs: count,
      under: fc.record({ repaired: count, remaining: count, cursor }),
      last: fc.record({ repaired: count, remaining: count, endedMs: count, bytes: count }),
    },
    { requiredKeys: ['begunMs'] },
  )
  fc.assert(
    fc.property(record, fc.nat(), fc.integer({ min: 0, max: 7 }), (written, at, bit) => {
      const bytes = encodeScrubRecord(written)
      expect(decodeScrubRecord(bytes)).toEqual(written)
      bytes[at % bytes.length]! ^= 2 ** bit
      expect(decodeScrubRecord(bytes)).toBeUndefined()
    }),
  )
  const odd = fc.dictionary(fc.constantFrom('begunMs', 'pass', 'last'), fc.jsonValue())
  fc.assert(fc.property(odd, (body) => ['object', 'undefined'].includes(typeof decodeScrubRecord(seal('holdfast-scrub', 1, body)!))))
})
