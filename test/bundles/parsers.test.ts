/** Parsers of bytes from outside: whatever comes, they answer and never throw, and they take only what a writer writes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseBundleState } from '../../src/bundles/bundle-state.ts'
import { documentBytesMax, parseDocument, unarmor } from '../../src/bundles/document.ts'
import { CONTENT_BYTES_MAX, DOCUMENT_KINDS, type DocumentKind, PIECE_BYTES_MAX } from '../../src/bundles/format.ts'
import { parsePrivateIdentity } from '../../src/bundles/identity.ts'
import { readManifest, readTrailer } from '../../src/bundles/manifest.ts'
import { readPreamble } from '../../src/bundles/preamble.ts'
import { decodeHeader, encodeHeader, type Member } from '../../src/bundles/tar.ts'
import { seeded } from './seeded.ts'

const kinds = Object.keys(DOCUMENT_KINDS) as DocumentKind[]

test('documents: noise and mutated frames', () => {
  const frame = Buffer.alloc(64 + 10 + 4739)
  frame.write('HOLDFAST')
  frame.writeUInt16LE(1, 8)
  frame[11] = 1
  frame.writeUInt32LE(10, 12)
  frame.writeUInt16LE(1, 16)
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.array(fc.tuple(fc.nat(63), fc.nat(255)), { maxLength: 3 }),
      fc.nat(frame.length),
      (kind, changes, length) => {
        const bytes = Buffer.from(frame.subarray(0, length))
        bytes[10] = DOCUMENT_KINDS[kind].number
        for (const [at, value] of changes) if (at < length) bytes[at] = value
        const parsed = parseDocument(kind, bytes)
        if (!parsed.ok) return
        expect(parsed.value.body.length).toBeLessThanOrEqual(DOCUMENT_KINDS[kind].bodyBytesMax)
        expect(parsed.value.bytes.length + parsed.value.rest.length).toBe(bytes.length)
        expect(parsed.value.bytes.length).toBeLessThanOrEqual(documentBytesMax(kind))
      },
    ),
    seeded({ numRuns: 500 }),
  )
})

test('bodies: any JSON and any text is refused unless it has every field', () => {
  const bodies = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .record({ format: fc.constant(1), bundle: fc.string(), groups: fc.array(fc.object()), next: fc.json() })
      .map((value) => Buffer.from(JSON.stringify(value))),
    fc.constant(Buffer.from(`${'['.repeat(10_000)}${']'.repeat(10_000)}`)),
  )
  fc.assert(
    fc.property(bodies, (body) => {
      expect(readManifest(body)).toBeUndefined()
      expect(readTrailer(body)).toBeUndefined()
      expect(readPreamble(body)).toBeUndefined()
      expect(readPreamble(Buffer.concat([body, Buffer.from(`\n${'0'.repeat(64)}\n`)]))).toBeUndefined()
      expect(parseBundleState(body.toString()).ok).toBe(false)
      expect(parsePrivateIdentity(body.toString()).ok).toBe(false)
    }),
    seeded({ numRuns: 300 }),
  )
})

test('a manifest whose parity is not as long as its longest volume, or with a field too many, is refused', () => {
  const root = 'ab'.repeat(48)
  const body = (change: object = {}, group: object = {}) =>
    Buffer.from(
      JSON.stringify({
        format: 1,
        bundle: '01'.repeat(16),
        preamble: root,
        groups: [
          {
            volumes: [
              { bytes: 10, root },
              { bytes: 20, root },
            ],
            parity: [{ bytes: 20, root }],
            ...group,
          },
        ],
        ...change,
      }),
    )
  expect(readManifest(body())).toBeDefined()
  expect(readManifest(body({}, { parity: [{ bytes: 10, root }] }))).toBeUndefined()
  expect(readManifest(body({}, { volumes: [] }))).toBeUndefined()
  expect(readManifest(body({}, { volumes: [{ bytes: 0, root }] }))).toBeUndefined()
  expect(readManifest(body({}, { volumes: [{ bytes: 2 ** 60, root }] }))).toBeUndefined()
  expect(readManifest(body({ more: 1 }))).toBeUndefined()
  expect(readManifest(body({ format: 2 }))).toBeUndefined()
})

const wholes = fc.oneof(
  fc.constant({ kind: 'statement' } as const),
  fc.record({ kind: fc.constant('operations' as const), number: fc.integer({ min: 1, max: 999_999_999_999 }) }),
  fc.record({
    kind: fc.constant('content' as const),
    digest: fc.uint8Array({ minLength: 48, maxLength: 48 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  }),
)
const members: fc.Arbitrary<Member> = fc.tuple(wholes, fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat()).map(([whole, a, b, c]) => {
  const total = a % (CONTENT_BYTES_MAX + 1)
  const offset = b % (total + 1)
  return { whole, offset, total, bytes: c % (Math.min(PIECE_BYTES_MAX, total - offset) + 1) }
})

test('archive headers come back as written, and any other block is refused', () => {
  fc.assert(
    fc.property(members, fc.nat(511), fc.integer({ min: 1, max: 255 }), (member, at, mask) => {
      const header = encodeHeader(member)
      expect(decodeHeader(header)).toEqual(member)
      header[at]! ^= mask
      expect(decodeHeader(header)).toBeUndefined()
    }),
    seeded({ numRuns: 300 }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 512 }), (block) => decodeHeader(block) === undefined),
    seeded({ numRuns: 100 }),
  )
})

test('armoured text: any text between the lines', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, inside) => {
      const text = `${before}-----BEGIN HOLDFAST RECEIPT-----${inside}-----END HOLDFAST RECEIPT-----`
      const bytes = unarmor('RECEIPT', text, 100)
      if (bytes !== undefined) expect(bytes.length).toBeLessThanOrEqual(100)
    }),
    seeded({ numRuns: 300 }),
  )
  expect(unarmor('RECEIPT', `-----BEGIN HOLDFAST RECEIPT-----${'AAAA'.repeat(1000)}-----END HOLDFAST RECEIPT-----`, 100)).toBeUndefined()
})
