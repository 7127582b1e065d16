/** What a captured peer could say: its signature is right, and what it signed is whatever it likes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BatchLine, decodeBatch, encodeBatch } from '../../src/federation/batch.ts'
import { parseOperation } from '../../src/federation/parse-operation.ts'
import { parseStatement } from '../../src/federation/statement.ts'
import { type BucketOrigin, canonicalJson, parsePosition } from '../../src/federation/words.ts'
import { originOf } from '../../src/store/operation.ts'
import { alpha } from '../bundles/bundle-fixture.ts'
import { seeded } from '../bundles/seeded.ts'

const site = alpha.publicIdentity.siteId
const origin = originOf(site, 1)
const bucket = `1/${site}/1` as BucketOrigin

/** Values that are almost right, and others. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    bucket,
    origin,
    site,
    null,
    true,
    '',
    '__proto__',
    0,
    1,
    -1,
    2 ** 53,
    1.5,
    [],
    {},
    [[1, 2]],
    [[2, 1]],
    'put-object',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
)
const replaced = (fields: readonly string[]) => fc.dictionary(fc.constantFrom(...fields, 'extra', '__proto__'), value, { maxKeys: 3 })

const whole = { bucket, origin: originOf(site, 2), number: 1, frontier: {}, format: 1, position: `5/${site}/5`, was: `${origin}/3` }
const put = {
  ...{ kind: 'put-object', key: 'k', version: 'null', etag: 'a'.repeat(32), headers: {}, metadata: [], tags: [] },
  ...{ bytes: 1, digest: 'b'.repeat(96), label: null, replaces: null, checksum: null, parts: [] },
}
const operation = fc
  .tuple(replaced(Object.keys(whole)), replaced(Object.keys(put)), fc.nat(6))
  .map(([outer, inner, left]) => ({ ...whole, change: { ...put, ...(left > 2 ? {} : inner) }, ...(left < 3 ? {} : outer) }))

test('an operation that differs from a right one in some fields is refused, or has all of its fields within S3’s limits', () => {
  expect(parseOperation(canonicalJson({ ...whole, change: put }))).toBeDefined()
  fc.assert(
    fc.property(operation, (fields) => {
      const read = parseOperation(canonicalJson(fields))
      if (read === undefined) return
      expect(read.operation.position.site).toBe(site)
      expect(read.operation.number).toBeGreaterThan(0)
      if ('key' in read.operation.change) expect(Buffer.byteLength(read.operation.change.key)).toBeLessThanOrEqual(1024)
    }),
    seeded({ numRuns: 3000 }),
  )
})

test('a batch with any texts under a right signature is refused, or all of its operations are of its bucket and origin', () => {
  const signed = fc.oneof(operation.map(canonicalJson), fc.string({ maxLength: 50 }), fc.constant(canonicalJson({ ...whole, change: put })))
  const line: fc.Arbitrary<BatchLine> = fc.record({ content: fc.constantFrom('here', 'gone', 'held', null), signed })
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), (lines) => {
      const batch = decodeBatch(encodeBatch(alpha, bucket, origin, lines), alpha.publicIdentity)
      if (typeof batch === 'string') return
      expect(batch.operations).toHaveLength(lines.length)
      for (const one of batch.operations) expect([one.bucket, one.origin]).toEqual([bucket, origin])
    }),
    seeded({ numRuns: 150 }),
  )
})

test('a statement that differs from a right one in some fields is refused or well-formed', () => {
  const stated = { bucket, name: 'photos', deleted: false, needs: [[1, 2]], brings: [[3, 4]] }
  const returned = { bucket, name: 'photos', deleted: false, origin, brings: [[1, 2]] }
  const right = {
    format: 1,
    origin,
    to: site,
    full: false,
    operations: 2,
    contentBytes: 1,
    buckets: [stated],
    holds: [],
    clock: 1,
    returns: [returned],
  }
  expect(parseStatement(right)).toBeDefined()
  fc.assert(
    fc.property(replaced(Object.keys(right)), replaced(Object.keys(stated)), replaced(Object.keys(returned)), (outer, inner, back) => {
      const parts = { buckets: [{ ...stated, ...inner }], returns: [{ ...returned, ...back }] }
      const json = JSON.parse(JSON.stringify({ ...right, ...parts, ...outer }))
      const read = parseStatement(json)
      for (const one of [...(read?.buckets ?? []), ...(read?.returns ?? [])]) expect(parsePosition(one.bucket)).toBeDefined()
    }),
    seeded({ numRuns: 2000 }),
  )
})
