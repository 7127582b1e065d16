/** What the journal's records say, as CBOR: everything that we write comes back, and whatever else lies on a disk is refused without harm. */
import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ChangeRecord, decodeRecord, encodeRecord, RECORD_KINDS, type RecordKind } from '../../../../src/store/local/changes/record.ts'
import { decodeCbor, encodeCbor } from '../../../../src/store/local/codec.ts'
import { decodeAttributes, encodeAttributes } from '../../../../src/store/local/index/version-row.ts'
import { positionOf, versionIdOf } from '../../../../src/store/local/position.ts'
import { decodeSite, encodeSite } from '../../../../src/store/local/site-file.ts'
import { type Origin, parseOrigin } from '../../../../src/store/operation.ts'
import type { BucketId, BucketName, SiteId } from '../../../../src/store/terms.ts'

const SEED = Number(process.env.HOLDFAST_TEST_SEED ?? 20261123)
const runs = (numRuns: number) => ({ seed: SEED, numRuns })

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const number = fc.maxSafeNat()
const bytes = fc.uint8Array({ maxLength: 50 })
const site = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('hex') as SiteId)
const position = fc.record({ clock: number, site, sequence: number })
const bucket = fc.nat().map((id) => id as BucketId)
const operation = fc.record({ epoch: fc.nat(), number, frontier: bytes }, { requiredKeys: ['epoch', 'number'] })
const place = fc.record({
  set: fc.nat(15),
  start: number,
  counter: number,
  bytes: number,
  dataShards: fc.nat(32),
  parityShards: fc.nat(31),
})
const content = fc.oneof(
  fc.record({ kind: fc.constant('none' as const) }),
  fc.record({ kind: fc.constant('body' as const), bytes: fc.nat() }),
  fc.record({ kind: fc.constant('extent' as const), place, durable: fc.nat(2 ** 32 - 1) }),
  fc.record({ kind: fc.constant('shared' as const), slices: fc.array(fc.array(number, { maxLength: 9 })) }),
)
const ofKey = { bucket, operation, key: text }
const records: fc.Arbitrary<ChangeRecord> = fc.oneof(
  fc.record({
    kind: fc.constant('create-bucket' as const),
    bucket,
    operation,
    name: text.map((name) => name as BucketName),
    owner: text,
    origin: position,
  }),
  fc.record({ kind: fc.constant('put-configuration' as const), bucket, operation, name: text, json: fc.option(text) }),
  fc.record(
    {
      kind: fc.constant('put-object' as const),
      ...ofKey,
      isNull: fc.boolean(),
      replaces: position,
      etag: text,
      checksum: fc.nat(255),
      attributes: bytes,
      bytes: number,
      content,
    },
    { requiredKeys: ['kind', 'bucket', 'operation', 'key', 'isNull', 'etag', 'checksum', 'attributes', 'bytes', 'content'] },
  ),
  fc.record({ kind: fc.constant('delete-version' as const), ...ofKey, versionId: text, target: position }),
  fc.record({ kind: fc.constant('put-document' as const), collection: text, name: text, removed: fc.boolean() }),
  fc.record({ kind: fc.constant('drop-manifests' as const), manifests: fc.array(number) }),
  fc.record({ kind: fc.constant('begin-epoch' as const), epoch: fc.nat(999_999_999) }),
  fc.record(
    {
      ...{ kind: fc.constant('apply-foreign' as const), bucket, epoch: fc.nat(), number, position },
      from: site.map((id) => `${id}/1` as Origin),
      ...{ frontier: bytes, digest: bytes, evidence: bytes, operation },
      change: fc.constant({ kind: 'delete-bucket' as const }),
      twin: fc.record({ epoch: fc.nat(), number, knows: fc.array(fc.tuple(number, number), { maxLength: 3 }) }),
      was: site.map((id) => ({ origin: `${id}/1` as Origin, number: 1 })),
      keepUntil: fc.nat(),
    },
    { requiredKeys: ['kind', 'bucket', 'epoch', 'number', 'position', 'from', 'frontier', 'digest', 'evidence', 'change'] },
  ),
  fc.record({
    kind: fc.constant('return-version' as const),
    ...ofKey,
    hidden: position,
    position,
    isMarker: fc.boolean(),
    isNull: fc.boolean(),
    etag: text,
    checksum: fc.nat(255),
    attributes: bytes,
    bytes: number,
    content,
    parts: fc.array(fc.record({ number, owner: number, bytes: number, etag: bytes, clock: number }), { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('drop-hidden' as const), hidden: fc.array(fc.record({ bucket, key: text, position }), { maxLength: 3 }) }),
)

/** Byte strings come back as views of the metadata; compared by what they hold. */
const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

describe('records', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(records, (record) => {
        const decoded = decodeRecord(encodeRecord(record))
        expect(decoded.ok && plain(decoded.value)).toEqual(plain(record))
      }),
      runs(500),
    )
  })

  test('with bytes changed, cut off or added are refused or are records; nothing throws', () => {
    const change = fc.tuple(fc.nat(300), fc.nat(255))
    fc.assert(
      fc.property(records, fc.array(change, { maxLength: 4 }), fc.nat(300), bytes, (record, changes, cut, more) => {
        const { kind, metadata } = encodeRecord(record)
        const damaged = Buffer.concat([metadata.subarray(0, Math.max(metadata.length - cut, 0)), more])
        for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value
        const decoded = decodeRecord({ kind, metadata: damaged })
        if (decoded.ok) expect(decoded.value.kind).toBe(record.kind)
        else expect(decoded.error).toBe('malformed')
      }),
      runs(2000),
    )
  })

  test('of any kind, holding any CBOR, are refused or have their fields', () => {
    const fields = ['bucket', 'operation', 'key', 'name', 'content', 'uploads', 'removed', 'collection', 'manifests', '__proto__', 'kind']
    fc.assert(
      fc.property(fc.nat(255), fc.dictionary(fc.constantFrom(...fields), fc.anything()), (kind, body) => {
        const decoded = decodeRecord({ kind, metadata: encodeCbor(body) })
        const known = Object.keys(RECORD_KINDS).find((name) => RECORD_KINDS[name as RecordKind] === kind)
        if (known === undefined) expect(decoded).toEqual({ ok: false, error: 'unknown-kind' })
        else if (decoded.ok) expect(decoded.value.kind).toBe(known)
        else expect(decoded.error).toBe('malformed')
      }),
      runs(1000),
    )
  })
})

describe('CBOR', () => {
  test('any bytes are refused or read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => {
        decodeCbor(noise)
      }),
      runs(5000),
    )
  })

  test.each([
    ['a number of a hundred thousand bytes', [0xc2, 0x5a, 0, 1, 0x86, 0xa0, ...new Uint8Array(100_000).fill(255)]],
    ['a date', [0xc1, 0x00]],
    ['an expression', [0xd8, 27, 0x82, 0x66, ...Buffer.from('RegExp'), 0x61, 0x61]],
    ['a set', [0xd9, 1, 2, 0x80]],
    ['a tag that nobody knows', [0xd9, 0xf0, 0, 0x80]],
    ['a list without a length', [0x9f, 0xff]],
    ['a list of four thousand million', [0x9a, 0xff, 0xff, 0xff, 0xff]],
    ['a map that is cut off', [0xa2, 0x61, 0x61, 0x01]],
    ['a whole number beyond 2^53', [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ['two values', [0x01, 0x02]],
    ['lists in lists a thousand deep', [...new Uint8Array(1000).fill(0x81), 0x01]],
    ['nothing', []],
  ])('%s is refused', (_, noise) => {
    expect(decodeCbor(Uint8Array.from(noise))).toBeUndefined()
  })

  test('whatever the library makes of plain values is read back', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, true, false, undefined),
        fc.maxSafeInteger().map((integer) => Math.abs(integer)),
        fc.double({ noNaN: true }),
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.array(tie('any'), { maxLength: 5 }),
        fc.dictionary(
          fc.string({ unit: 'grapheme', maxLength: 30 }).filter((name) => name !== '__proto__'),
          tie('any'),
          { maxKeys: 5 },
        ),
      ),
    })).any
    const stock = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false })
    fc.assert(
      fc.property(value, (any) => {
        const encoded = encodeCbor(any)
        expect(decodeCbor(encoded)).toEqual(stock.decode(encoded))
      }),
      runs(1000),
    )
  })
})

describe('other texts and bytes', () => {
  test('attributes come back, and from noise comes nothing that throws', () => {
    const pair = fc.tuple(text, text)
    const attributes = fc.record({
      headers: fc.record({ contentType: text }),
      userMetadata: fc.array(pair),
      tags: fc.array(pair),
    })
    fc.assert(
      fc.property(attributes, bytes, (given, noise) => {
        expect(decodeAttributes(encodeAttributes(given), 0)).toEqual(given)
        decodeAttributes(noise, noise[0] ?? 0)
      }),
      runs(500),
    )
  })

  test('a version id of ours is one text only, and no other text is one', () => {
    fc.assert(
      fc.property(position, text, (given, noise) => {
        expect(positionOf(versionIdOf(given))).toEqual(given)
        const other = positionOf(noise)
        if (other !== undefined) expect(versionIdOf(other)).toBe(noise)
        const found = parseOrigin(noise)
        if (found !== undefined) expect(`${found.site}/${found.epoch}`).toBe(noise)
      }),
      runs(500),
    )
  })

  test('the site file comes back; with any byte changed, and any noise, it is refused', () => {
    const disks = fc.array(fc.stringMatching(/^[0-9a-f]{32}$/), { maxLength: 3 })
    const pendingRetirement = fc.record({ disks, sequence: number, chain: fc.stringMatching(/^([0-9a-f]{16})?$/) })
    const members = {
      site,
      name: text,
      createdMs: number,
      epoch: number,
      start: number,
      unclean: fc.array(number, { maxLength: 20 }),
      home: text,
      disks: fc.array(text, { maxLength: 5 }),
    }
    const file = fc.oneof(fc.record(members), fc.record({ ...members, pendingRetirement }))
    fc.assert(
      fc.property(file, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 200 }), (given, at, flip, noise) => {
        const sealed = encodeSite(given)
        expect(decodeSite(sealed)).toEqual({ ok: true, value: given })
        const end = Buffer.from(sealed).lastIndexOf('\n') < 0 ? sealed.length : Buffer.from(sealed).lastIndexOf('\n')
        const damaged = Uint8Array.from(sealed)
        damaged[at % end]! ^= flip
        expect(decodeSite(damaged).ok).toBe(false)
        expect(decodeSite(noise).ok).toBe(false)
      }),
      runs(300),
    )
  })
})
