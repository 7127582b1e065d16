/** What is signed and what is taken: operations, batches and statements from outside. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createIdentity } from '../../src/bundles/identity.ts'
import type { Json } from '../../src/bundles/json.ts'
import { inclusionPath, leafHash } from '../../src/bundles/merkle.ts'
import { type BatchLine, decodeBatch, encodeBatch } from '../../src/federation/batch.ts'
import { operationText, type SignedOperation } from '../../src/federation/operation.ts'
import { parseOperation } from '../../src/federation/parse-operation.ts'
import { parseStatement } from '../../src/federation/statement.ts'
import { type BucketOrigin, canonicalJson, positionText } from '../../src/federation/words.ts'
import { type Change, type Frontier, originOf } from '../../src/store/operation.ts'
import type { BucketName, Position } from '../../src/store/terms.ts'
import { seeded, seededRandom } from '../bundles/seeded.ts'

const alpha = createIdentity(seededRandom('federation alpha'), 1_763_900_000_000)
const bravo = createIdentity(seededRandom('federation bravo'), 1_763_900_000_000)
const site = alpha.publicIdentity.siteId
const origin = originOf(site, 1)
const bucket = positionText({ clock: 1_763_900_000_000_000, site, sequence: 7 })

const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((value) => value.isWellFormed() && !value.includes('\0'))
const key = text.filter((value) => value !== '')
const versionId = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 })
const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 12 })
const position: fc.Arbitrary<Position> = fc.record({
  clock: fc.integer({ min: 0, max: 2 ** 50 }),
  site: fc.constant(site),
  sequence: fc.nat(),
})
const replaces = fc.option(position)
const pairs = fc.array(fc.tuple(text, text), { maxLength: 3 })
const checksum = fc.constantFrom(
  { algorithm: 'SHA256', type: 'FULL_OBJECT', value: 'q83v' } as const,
  { algorithm: 'CRC32', type: 'COMPOSITE', value: 'AAAAAA==' } as const,
)
const partsOf = fc.array(fc.record({ bytes: fc.nat(), etag: fc.constant('a'.repeat(32)), modifiedMs: fc.nat() }), { maxLength: 3 })
const putObject: fc.Arbitrary<Change> = fc
  .record({
    key,
    versionId,
    replaces,
    etag: fc.constant('b'.repeat(32)),
    metadata: fc.array(fc.tuple(fc.stringMatching(/^[a-z0-9-]{0,9}$/), latin1), { maxLength: 3 }),
    tags: pairs,
    contentType: latin1.map((value) => value.replace(/[^\t\x20-\xff]/g, '')),
    bytes: fc.nat(),
    checksum: fc.option(checksum),
    parts: partsOf,
  })
  .map((made) => ({
    kind: 'put-object',
    ...{ key: made.key, versionId: made.versionId, replaces: made.replaces },
    attributes: {
      ...{ etag: made.etag, headers: { contentType: made.contentType }, userMetadata: made.metadata, tags: made.tags },
      ...(made.checksum === null ? {} : { checksum: made.checksum }),
    },
    bytes: made.parts.length === 0 ? made.bytes : made.parts.reduce((sum, part) => sum + part.bytes, 0),
    parts: made.parts.map((part, at) => ({ number: at * 2 + 1, ...part, ...(made.checksum === null ? {} : { checksum: made.checksum }) })),
  }))
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.constant<Change>({ kind: 'create-bucket', name: 'photos' as BucketName }),
  fc.constant<Change>({ kind: 'delete-bucket' }),
  fc.constantFrom<Change>({ kind: 'put-versioning', versioning: 'enabled' }, { kind: 'put-versioning', versioning: 'suspended' }),
  fc.record({ kind: fc.constant('put-configuration' as const), name: key, json: fc.option(text) }),
  putObject,
  fc.record({ kind: fc.constant('put-marker' as const), key, versionId, replaces }),
  fc.record({ kind: fc.constant('delete-version' as const), key, versionId, target: position }),
  fc.record({ kind: fc.constant('put-tags' as const), key, target: position, tags: pairs }),
)
const frontier: fc.Arbitrary<Frontier> = fc.constantFrom(
  {},
  {
    [originOf(bravo.publicIdentity.siteId, 2)]: [
      [1, 4],
      [6, 6],
    ],
  },
) as fc.Arbitrary<Frontier>
const signedOperation: fc.Arbitrary<SignedOperation> = fc
  .record({ number: fc.integer({ min: 1, max: 2 ** 40 }), position, frontier, change })
  .chain((operation) =>
    fc.constantFrom(
      { origin, operation },
      // One that was lost, and came back under a new epoch.
      { origin: originOf(site, 3), operation: { ...operation, was: { origin: originOf(site, 2), number: 9 } } },
    ),
  )
  .map((named) => ({ bucket, ...named, digest: named.operation.change.kind === 'put-object' ? 'c'.repeat(96) : null }))

test('an operation reads back as it was signed, and its text is always the same', () => {
  fc.assert(
    fc.property(signedOperation, (operation) => {
      const signed = operationText(operation)
      expect(parseOperation(signed)).toEqual(operation)
      expect(operationText(parseOperation(signed)!)).toBe(signed)
    }),
    seeded(),
  )
})

test('an operation is taken in its canonical form only, and never half', () => {
  fc.assert(
    fc.property(signedOperation, fc.nat(), fc.integer({ min: 32, max: 126 }), (operation, at, code) => {
      const signed = operationText(operation)
      expect(parseOperation(` ${signed}`)).toBeUndefined()
      expect(parseOperation(signed.replace('{"bucket"', '{"added":1,"bucket"'))).toBeUndefined()
      const place = at % signed.length
      const changed = `${signed.slice(0, place)}${String.fromCharCode(code)}${signed.slice(place + 1)}`
      const read = parseOperation(changed)
      // Whatever one character makes of it, it is either refused or another operation in its one form.
      if (read !== undefined) expect(operationText(read)).toBe(changed)
    }),
    seeded(),
  )
})

test('operations beyond what S3 allows are refused', () => {
  const make = (more: object): string => {
    const put = { kind: 'put-marker', key: 'k', versionId: 'null', replaces: null, ...more } as Change
    return operationText({
      bucket,
      origin,
      operation: { number: 1, position: { clock: 1, site, sequence: 1 }, frontier: {}, change: put },
      digest: null,
    })
  }
  expect(parseOperation(make({}))).toBeDefined()
  for (const bad of [
    { key: '' },
    { key: 'x'.repeat(1025) },
    { key: 'é'.repeat(600) },
    { key: 'a\0b' },
    { versionId: '' },
    { versionId: 'v'.repeat(1025) },
  ])
    expect(parseOperation(make(bad)), JSON.stringify(bad)).toBeUndefined()
  const foreign = canonicalJson({ ...JSON.parse(make({})), position: `1/${'d'.repeat(32)}/1` })
  expect(parseOperation(foreign)).toBeUndefined()
})

test('what would begin a header of its own in the reply to a client is refused', () => {
  const made = (more: { readonly versionId?: string; readonly attributes?: object }): SignedOperation | undefined => {
    const attributes = { etag: 'b'.repeat(32), headers: {}, userMetadata: [], tags: [], ...more.attributes }
    const put = { kind: 'put-object', key: 'k', versionId: 'null', replaces: null, bytes: 0, parts: [], ...more, attributes } as Change
    const operation = { number: 1, position: { clock: 1, site, sequence: 1 }, frontier: {}, change: put }
    return parseOperation(operationText({ bucket, origin, operation, digest: null }))
  }
  expect(made({ attributes: { headers: { contentType: 'text/ü' }, userMetadata: [['name', 'a\r\nb']] } })).toBeDefined()
  // A character beyond latin1 would be sent as its lower byte.
  for (const end of ['\x01', '\r\nset-cookie: x', '\nset-cookie: x', '\0', '\u010d\u010aset-cookie: x']) {
    expect(made({ versionId: `v${end}` }), end).toBeUndefined()
    expect(made({ attributes: { headers: { contentType: `text/plain${end}` } } }), end).toBeUndefined()
    expect(made({ attributes: { userMetadata: [[`name${end}`, 'value']] } }), end).toBeUndefined()
  }
  expect(made({ attributes: { userMetadata: [['na(me', 'value']] } })).toBeUndefined()
  expect(made({ attributes: { userMetadata: [['name: x', 'value']] } })).toBeUndefined()
  expect(made({ attributes: { userMetadata: [['name', '\u010a']] } })).toBeUndefined()
  expect(made({ attributes: { userMetadata: [['name', 'x'.repeat(2045)]] } })).toBeUndefined()
  expect(made({ attributes: { headers: { contentType: 'x'.repeat(9000) } } })).toBeUndefined()
})

test('what an operation was before can only be something of an earlier epoch of its own site', () => {
  const make = (was: unknown): string =>
    canonicalJson({
      ...{ bucket, origin: originOf(site, 2), number: 1, frontier: {}, format: 1, position: `1/${site}/1`, was },
      change: { kind: 'put-marker', key: 'k', version: 'null', replaces: null },
    })
  expect(parseOperation(make(`${originOf(site, 1)}/4`))?.operation.was).toEqual({ origin: originOf(site, 1), number: 4 })
  const other = originOf(bravo.publicIdentity.siteId, 1)
  for (const bad of [
    `${originOf(site, 2)}/4`,
    `${originOf(site, 3)}/4`,
    `${other}/4`,
    `${originOf(site, 1)}/0`,
    originOf(site, 1),
    '',
    7,
    null,
  ])
    expect(parseOperation(make(bad)), String(bad)).toBeUndefined()
})

const lines = (count: number): BatchLine[] =>
  Array.from({ length: count }, (_, at) => ({
    content: null,
    signed: operationText({
      ...{ bucket, origin, digest: null },
      operation: {
        number: at + 1,
        position: { clock: at + 1, site, sequence: at + 1 },
        frontier: {},
        change: { kind: 'put-marker', key: `k${at}`, versionId: 'null', replaces: null },
      },
    }),
  }))

test('a batch reads back whole, and every change of it shows', () => {
  const entry = encodeBatch(alpha, bucket, origin, lines(5))
  const batch = decodeBatch(entry, alpha.publicIdentity)
  if (typeof batch === 'string') throw new Error(batch)
  expect(batch.operations.map(({ operation }) => operation.number)).toEqual([1, 2, 3, 4, 5])
  expect(batch.document()).toBeDefined()
  expect(decodeBatch(entry, bravo.publicIdentity)).toBe('forged')
  const all = entry.toString().trimEnd().split('\n')
  const without = (at: number): Buffer => Buffer.from(`${all.filter((_, line) => line !== at).join('\n')}\n`)
  for (let at = 0; at < all.length; at++) expect(typeof decodeBatch(without(at), alpha.publicIdentity)).toBe('string')
  const swapped = [all[0], all[2], all[1], ...all.slice(3)].join('\n')
  expect(decodeBatch(Buffer.from(swapped), alpha.publicIdentity)).toBe('forged')
  expect(decodeBatch(Buffer.from(entry.toString().replace('k3', 'k9')), alpha.publicIdentity)).toBe('forged')
})

test('some operations of a batch can be carried on, each with its path, and none be forged', () => {
  const made = lines(7)
  const head = encodeBatch(alpha, bucket, origin, made).toString().split('\n')[0]
  const leaves = made.map(({ signed }) => leafHash(Buffer.from(signed)))
  const carried = (index: number, signed = made[index]!.signed): string =>
    JSON.stringify({ content: null, signed, index, path: inclusionPath(leaves, index).map((node) => node.toString('base64')) })
  const batch = decodeBatch(Buffer.from([head, carried(1), carried(4)].join('\n')), alpha.publicIdentity)
  if (typeof batch === 'string') throw new Error(batch)
  expect(batch.operations.map(({ operation }) => operation.number)).toEqual([2, 5])
  expect(batch.document()).toBeUndefined()
  const forged = made[1]!.signed.replace('k1', 'k8')
  expect(decodeBatch(Buffer.from([head, carried(1, forged)].join('\n')), alpha.publicIdentity)).toBe('forged')
  expect(decodeBatch(Buffer.from([head, carried(1).replace('"index":1', '"index":2')].join('\n')), alpha.publicIdentity)).toBe('forged')
})

test('garbage is neither a batch nor a statement, and costs nothing but a no', () => {
  const entry = encodeBatch(alpha, bucket, origin, lines(2))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (garbage, at) => {
      expect(typeof decodeBatch(garbage, alpha.publicIdentity)).toBe('string')
      const damaged = Buffer.from(entry)
      damaged.set(garbage.subarray(0, 4), at % (damaged.length - 4))
      const read = decodeBatch(damaged, alpha.publicIdentity)
      if (typeof read !== 'string') expect(damaged.equals(entry)).toBe(true)
    }),
    seeded({ numRuns: 60 }),
  )
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      expect(parseStatement(json as Json)).toBeUndefined()
    }),
    seeded(),
  )
})

test('canonical JSON sorts names and keeps every text', () => {
  expect(canonicalJson({ b: 1, a: [true, null, { d: 'ü\n', c: '\u20ac' }], e: undefined })).toBe(
    '{"a":[true,null,{"c":"€","d":"ü\\n"}],"b":1}',
  )
  expect(bucket satisfies BucketOrigin).toMatch(/^1763900000000000\/[0-9a-f]{32}\/7$/)
})
