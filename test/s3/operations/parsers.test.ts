/** What requests say, read by the operations: examples, and whatever fast-check thinks of. The seed is in fast-check's report of a failure. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { S3Request } from '../../../src/s3/operation.ts'
import { bareEtag, namedVersion, partNumber, rowsMax, urlEncoded } from '../../../src/s3/operations/arguments.ts'
import { joinedChecksum } from '../../../src/s3/operations/checksums.ts'
import { parseParts } from '../../../src/s3/operations/claimed-parts.ts'
import { failedCondition } from '../../../src/s3/operations/conditions.ts'
import { fromToken, toToken } from '../../../src/s3/operations/continuation.ts'
import { parseCopySource } from '../../../src/s3/operations/copy-source.ts'
import { createMultipartUpload } from '../../../src/s3/operations/create-multipart-upload.ts'
import { decodeEncodedWords, toEncodedWords } from '../../../src/s3/operations/encoded-words.ts'
import { putObject } from '../../../src/s3/operations/put-object.ts'
import { rangeOf } from '../../../src/s3/operations/ranges.ts'
import { parseTaggingHeader } from '../../../src/s3/operations/tags.ts'
import { parseXml } from '../../../src/s3/xml.ts'

const asking = (headers: Record<string, string>, query: Record<string, string> = {}): S3Request =>
  ({ http: { headers: new Map(Object.entries(headers)) }, query: new Map(Object.entries(query)), key: 'k' }) as unknown as S3Request

describe('ranges', () => {
  test('any header gives a part of the object, the whole, or InvalidRange', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.option(fc.nat(2000)), fc.option(fc.nat(2000))).map(([first, last]) => `bytes=${first ?? ''}-${last ?? ''}`),
    )
    fc.assert(
      fc.property(header, fc.nat(1500), (text, bytes) => {
        const range = rangeOf(text, bytes)
        if (!range.ok) expect(range.error.code).toBe('InvalidRange')
        else if (range.value !== undefined) {
          expect(range.value.from).toBeGreaterThanOrEqual(0)
          expect(range.value.to).toBeGreaterThan(range.value.from)
          expect(range.value.to).toBeLessThanOrEqual(bytes)
        }
      }),
    )
  })
})

describe('continuation tokens', () => {
  test('every name comes back from its token, and nothing else is a token', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(name.isWellFormed())
        expect(fromToken(toToken(name))).toBe(name)
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        const name = fromToken(text)
        if (name !== undefined) expect(toToken(name)).toBe(text)
      }),
    )
  })
})

describe('copy sources', () => {
  test('bucket, key and version come back from what a client encodes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }),
        fc.option(fc.uuid()),
        fc.boolean(),
        (key, versionId, slash) => {
          fc.pre(!key.includes('\0') && key.isWellFormed())
          const header = `${slash ? '/' : ''}bucket/${encodeURIComponent(key)}${versionId === null ? '' : `?versionId=${versionId}`}`
          const source = parseCopySource(asking({ 'x-amz-copy-source': header }))
          expect(source).toMatchObject({ ok: true, value: { bucket: 'bucket', key, versionId: versionId ?? undefined } })
        },
      ),
    )
  })

  test('anything else is refused without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (header) => {
        const source = parseCopySource(asking({ 'x-amz-copy-source': header }))
        if (!source.ok) expect(source.error.code).toBe('InvalidArgument')
      }),
    )
  })
})

describe('tags', () => {
  test('a header of percent-encoded pairs is read as it was meant', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9äöü _.:/=+@-]{1,40}$/)
    const tags = fc.uniqueArray(fc.tuple(word, word), { maxLength: 10, selector: ([key]) => key })
    fc.assert(
      fc.property(tags, (pairs) => {
        fc.pre(pairs.every(([key]) => !key.toLowerCase().startsWith('aws:')))
        const header = pairs.map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&')
        expect(parseTaggingHeader(header)).toEqual({ ok: true, value: pairs })
      }),
    )
  })

  test('whatever a header holds, no more than ten valid tags come of it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (header) => {
        const tags = parseTaggingHeader(header)
        if (tags.ok) expect(tags.value.length).toBeLessThanOrEqual(10)
        else expect(['InvalidArgument', 'InvalidTag', 'BadRequest']).toContain(tags.error.code)
      }),
    )
  })
})

describe('lists of parts', () => {
  const listed = (rows: string) => {
    const root = parseXml(Buffer.from(`<CompleteMultipartUpload>${rows}</CompleteMultipartUpload>`))
    return root.ok ? parseParts(root.value, 'upload') : root
  }

  test('numbers ascend, or the list is refused', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -2, max: 12_000 }), { maxLength: 8 }), (numbers) => {
        const result = listed(numbers.map((number) => `<Part><PartNumber>${number}</PartNumber><ETag>"a"</ETag></Part>`).join(''))
        if (result.ok) expect(result.value.map((part) => part.number)).toEqual([...new Set(numbers)].sort((a, b) => a - b))
        else expect(['MalformedXML', 'InvalidArgument', 'InvalidPartOrder']).toContain(result.error.code)
      }),
    )
  })

  test('a part has one checksum, and a well-formed one', () => {
    const part = (checksums: string) => listed(`<Part><PartNumber>1</PartNumber><ETag>a</ETag>${checksums}</Part>`)
    expect(part('<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>')).toMatchObject({ ok: true })
    expect(part('<ChecksumCRC32>short</ChecksumCRC32>')).toMatchObject({ ok: false, error: { code: 'InvalidArgument' } })
    expect(part('<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ChecksumCRC32C>4waSgw==</ChecksumCRC32C>')).toMatchObject({ ok: false })
  })

  test('the checksum of 10,000 parts is joined without stopping the thread for long', () => {
    const checksum = { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'rosUhgp5mIg=' } as const
    const parts = Array.from({ length: 10_000 }, (_, index) => ({ number: index + 1, bytes: 9, etag: '', modifiedMs: 0, checksum }))
    expect(joinedChecksum(parts, 'CRC64NVME', 'FULL_OBJECT')?.value).toMatch(/^[A-Za-z0-9+/]{11}=$/)
  })
})

describe('parameters', () => {
  test('counts are integers from 0, and never more than 1,000', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer().map(String)), (text) => {
        const rows = rowsMax('max-keys', text)
        if (rows.ok) expect(rows.value >= 0 && rows.value <= 1000 && Number.isInteger(rows.value)).toBe(true)
        else expect(rows.error.code).toBe('InvalidArgument')
        const part = partNumber(text)
        if (part.ok) expect(part.value >= 1 && part.value <= 10_000 && Number.isInteger(part.value)).toBe(true)
      }),
    )
  })

  test('an empty version id is refused, an unknown one is looked for', () => {
    expect(namedVersion(asking({}, { versionId: '' }))).toMatchObject({ ok: false, error: { code: 'InvalidArgument' } })
    expect(namedVersion(asking({}, { versionId: 'anything' }))).toEqual({ ok: true, value: 'anything' })
    expect(namedVersion(asking({}))).toEqual({ ok: true, value: undefined })
  })

  test('ETags are the same with and without quotes', () => {
    expect(bareEtag('"abc"')).toBe('abc')
    expect(bareEtag(' abc ')).toBe('abc')
    expect(bareEtag('"')).toBe('"')
  })

  test('url encoding is undone by form decoding, whatever the key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (key) => {
        fc.pre(key.isWellFormed())
        const encoded = urlEncoded(key)
        expect(encoded).toMatch(/^[A-Za-z0-9_.\-*/%+]*$/)
        expect(decodeURIComponent(encoded.replaceAll('+', ' '))).toBe(key)
      }),
    )
  })
})

describe('metadata', () => {
  test('a reply holds printable US-ASCII only, in words of at most 75 characters, and decodes to the text that was sent as UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
        fc.pre(text.isWellFormed() && !text.includes('=?') && !text.includes('\t'))
        const shown = toEncodedWords(Buffer.from(text).toString('latin1'))
        expect(shown).toMatch(/^[\x20-\x7e]*$/)
        if (shown !== text) for (const word of shown.split(' ')) expect(word.length).toBeLessThanOrEqual(75)
        expect(Buffer.from(decodeEncodedWords(shown), 'latin1').toString()).toBe(text)
      }),
    )
  })

  // Recorded from Amazon S3.
  test.each([
    ['test_—_file%E2%80%94_é_2?.pdf', '=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?='],
    ['ÄMÄZÕÑ S3', '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?='],
    ['\u0000\u0001\u0002\u0003', '=?UTF-8?B?AAECAw==?='],
    ['\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd', '=?UTF-8?B?77+977+977+977+977+977+977+9?='],
  ])('%j is told as %s', (text, shown) => {
    expect(toEncodedWords(Buffer.from(text).toString('latin1'))).toBe(shown)
    expect(toEncodedWords(decodeEncodedWords(shown))).toBe(shown)
  })

  test.each([
    ['=?UTF-8?B?YWJj?=', 'abc'],
    ['=?utf-8?q?actually-ascii?=', 'actually-ascii'],
    ['=?UTF-8?Q?a_b?= =?UTF-8?B?Yw==?= d', 'a bc d'],
    ['=?iso-8859-1?Q?=E9?=', '\u00c3\u00a9'],
    ['=?UTF-8?B?=GGG?=', '=?UTF-8?B?=GGG?='],
    ['=?UTF-8?Q?=G?=', '=?UTF-8?Q?=G?='],
    ['=?klingon?Q?a?=', '=?klingon?Q?a?='],
    ['a =? b', 'a =? b'],
  ])('the value %s means %s', (sent, meant) => {
    expect(decodeEncodedWords(sent)).toBe(meant)
  })

  test('whatever is sent as a value is taken', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('=', '?', 'B', 'Q', 'UTF-8', 'A', '4', ' ', '\u00ff', '_') }), (sent) => {
        expect(toEncodedWords(decodeEncodedWords(sent))).toMatch(/^[\x20-\x7e]*$/)
      }),
    )
  })
})

describe('conditions', () => {
  const nowMs = 1_800_000_000_000

  const version = { etag: 'abc', modifiedMs: 1_700_000_000_500 }
  const at = (ms: number) => ({ ifMatch: undefined, ifNoneMatch: undefined, ifModifiedSince: ms, ifUnmodifiedSince: ms })

  test('times are compared to the second', () => {
    expect(failedCondition(at(1_700_000_000_000), version, nowMs)).toBe('If-Modified-Since')
    expect(failedCondition(at(1_699_999_999_000), version, nowMs)).toBe('If-Unmodified-Since')
  })

  test('a date to come is no condition for what was modified since', () => {
    expect(failedCondition({ ...at(nowMs + 1), ifUnmodifiedSince: undefined }, version, nowMs)).toBeUndefined()
  })

  test('weak tags compare as strong ones, and * as any', () => {
    const none = { ifMatch: undefined, ifModifiedSince: undefined, ifUnmodifiedSince: undefined }
    expect(failedCondition({ ...none, ifNoneMatch: 'W/"abc"' }, version, nowMs)).toBe('If-None-Match')
    expect(failedCondition({ ...none, ifNoneMatch: '*' }, version, nowMs)).toBe('If-None-Match')
    expect(failedCondition({ ...none, ifNoneMatch: '"abd", "ab"' }, version, nowMs)).toBeUndefined()
  })
})

test.each([putObject, createMultipartUpload])(
  'a write that would copy metadata from an object is refused, since no object is named',
  (operation) => {
    const begun = operation.prepare(asking({ 'x-amz-metadata-directive': 'COPY' }))
    expect(begun).toMatchObject({ ok: false, error: { code: 'NotImplemented', elements: { Header: 'x-amz-metadata-directive' } } })
  },
)
