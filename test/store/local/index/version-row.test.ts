/** Rows of versions: they come back as they were written, and a row that is damaged is said to be, or read without harm. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Slice } from '../../../../src/store/local/content.ts'
import {
  decodeVersionRow,
  encodeVersionRow,
  etagText,
  parseEtag,
  readVersionHead,
  type VersionRow,
} from '../../../../src/store/local/index/version-row.ts'
import type { SiteId } from '../../../../src/store/terms.ts'

const SEED = Number(process.env.HOLDFAST_TEST_SEED ?? 20261123)

const number = fc.maxSafeNat()
const small = fc.nat(2 ** 32 - 1)
const bytes = fc.uint8Array({ maxLength: 30 }).map((array) => Buffer.from(array))
const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((array) => Buffer.from(array))
const position = fc.record({ clock: number, site: sixteen.map((id) => id.toString('hex') as SiteId), sequence: number })
const run = { from: number, to: number }
const slice: fc.Arbitrary<Slice> = fc.oneof(
  fc.record({
    kind: fc.constant('journal' as const),
    ...run,
    place: fc.record({ segment: number, offset: number, bytes: small, checksumHigh: small, checksumLow: small, sequence: number }),
  }),
  fc.record({
    kind: fc.constant('extent' as const),
    ...run,
    place: fc.record({
      ...{ set: fc.nat(65535), start: small, counter: number, bytes: number },
      ...{ dataShards: fc.nat(32), parityShards: fc.nat(31) },
    }),
  }),
  fc.record({ kind: fc.constant('manifest' as const), ...run, id: number }),
)
const row: fc.Arbitrary<VersionRow> = fc.record(
  {
    kind: fc.constantFrom('object' as const, 'delete-marker' as const),
    ...{
      isNull: fc.boolean(),
      concurrent: fc.boolean(),
      lostNull: fc.constant(true),
      position,
      owner: number,
      epoch: small,
      operation: number,
      bytes: number,
    },
    etag: fc.record({ digest: sixteen, parts: fc.nat(10_000) }),
    partCount: fc.nat(10_000),
    content: fc.option(slice, { nil: undefined }),
    ...{ attributes: bytes, checksum: fc.nat(255) },
    more: fc.record(
      { versionId: fc.string({ unit: 'grapheme' }), frontier: bytes, tagged: position, cameBack: fc.boolean() },
      { requiredKeys: [] },
    ),
  },
  {
    requiredKeys: [
      ...(['kind', 'isNull', 'concurrent', 'position', 'owner', 'epoch', 'operation', 'bytes'] as const),
      ...(['etag', 'partCount', 'content', 'attributes', 'checksum'] as const),
    ],
  },
)

/** Byte strings may come back as other kinds of views. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

test('a row comes back as it was written, and its head says what a listing shows', () => {
  fc.assert(
    fc.property(row, (given) => {
      const encoded = encodeVersionRow(given)
      expect(plain(decodeVersionRow(encoded))).toEqual(plain(given))
      const { bytes: size, etag, checksum } = given
      expect(readVersionHead(encoded)).toMatchObject({
        bytes: size,
        checksum,
        etag: etagText(etag),
        isMarker: given.kind === 'delete-marker',
      })
      expect(plain(parseEtag(etagText(etag)))).toEqual(plain(etag))
    }),
    { seed: SEED, numRuns: 500 },
  )
})

test('any bytes in place of a row are read, or said to be none; nothing else is thrown', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(row, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 3 }), fc.nat(300)).map(([given, changes, length]) => {
      const damaged = encodeVersionRow(given).subarray(0, length)
      for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value
      return damaged
    }),
  )
  fc.assert(
    fc.property(noise, (damaged) => {
      try {
        decodeVersionRow(damaged)
      } catch (error) {
        expect(String(error)).toBe('Error: the index holds a version row of another format')
      }
    }),
    { seed: SEED, numRuns: 2000 },
  )
})
