import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RequestAborted } from '../../src/http/exchange.ts'
import { checksumOf } from '../../src/s3/checksum-algorithms.ts'
import { deriveSigningKey } from '../../src/s3/signing-keys.ts'
import type { ChecksumAlgorithm } from '../../src/store/terms.ts'
import { ACCESS_KEY, exampleSite, httpRequest, SECRET_KEY, type Sent, type Site, send, sign } from './road-fixture.ts'

const body = Buffer.from('The quick brown fox jumps over the lazy dog')
const base64 = (algorithm: string, bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest('base64')
const crc32Of = (bytes: Uint8Array): string => {
  const value = Buffer.alloc(4)
  value.writeUInt32BE(crc32(bytes))
  return value.toString('base64')
}

function put(site: Site, headers: Readonly<Record<string, string>>, content: readonly Uint8Array[] = [body], contentSha256?: string) {
  const sent = { method: 'PUT', path: '/examplebucket/key', headers, body: content }
  return send(site, sign(sent, contentSha256 === undefined ? {} : { contentSha256 }))
}

test('a body is stored with its MD5 as ETag and a CRC-64/NVME when the client states nothing', async () => {
  const site = exampleSite()
  const answer = await put(site, {})
  expect(answer.headers.get('etag')).toBe('"9e107d9d372bb6826bd81d3542a419d6"')
  expect(site.stored.get('examplebucket/key')).toEqual({ body, checksum: `CRC64NVME:${checksumOf('CRC64NVME', body).toString('base64')}` })
  expect((await put(site, {}, [Buffer.alloc(0)])).headers.get('etag')).toBe('"d41d8cd98f00b204e9800998ecf8427e"')
  expect(site.leases.open).toBe(0)
})

/** Check values of "The quick brown fox…" from other implementations (xxHash's own command line tool, Python's hashlib and zlib). */
const checksums: Readonly<Record<ChecksumAlgorithm, string>> = {
  CRC32: '414fa339',
  CRC32C: '22620404',
  CRC64NVME: '',
  SHA1: '2fd4e1c67a2d28fced849ee1bb76e7391b93eb12',
  SHA256: 'd7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592',
  SHA512:
    '07e547d9586f6a73f73fbac0435ed76951218fb7d0c8d788a309d785436bbb642e93a252a954f23912547d1e8a3b5ed6e1bfd7097821233fa0538f3db854fee6',
  MD5: '9e107d9d372bb6826bd81d3542a419d6',
  XXHASH64: '0b242d361fda71bc',
  XXHASH3: 'ce7d19a5418fb365',
  XXHASH128: 'ddd650205ca3e7fa24a1cc2e3a8a7651',
}

test.each(Object.entries(checksums) as [ChecksumAlgorithm, string][])('%s in a header is verified and kept', async (algorithm, hex) => {
  if (hex !== '') expect(checksumOf(algorithm, body).toString('hex')).toBe(hex)
  const site = exampleSite()
  const name = `x-amz-checksum-${algorithm.toLowerCase()}`
  const value = checksumOf(algorithm, body).toString('base64')
  // In one piece and in three: hashed at once and as a stream.
  for (const pieces of [[body], [body.subarray(0, 5), body.subarray(5, 20), body.subarray(20)]]) {
    expect((await put(site, { [name]: value }, pieces)).status).toBe(200)
    expect(site.stored.get('examplebucket/key')?.checksum).toBe(`${algorithm}:${value}`)
  }
  site.stored.clear()
  const wrong = await put(site, { [name]: checksumOf(algorithm, Buffer.from('other')).toString('base64') })
  expect(wrong).toMatchObject({ status: 400, code: 'BadDigest' })
  expect(wrong.text).toContain(`The ${algorithm} you specified did not match the calculated checksum.`)
  const invalid = await put(site, { [name]: 'AAA=' })
  expect(invalid.text).toContain(`<Code>InvalidRequest</Code><Message>Value for ${name} header is invalid.</Message>`)
  expect(site.stored.size).toBe(0)
  expect(site.aborted.count).toBe(1)
})

test('Content-MD5 is verified: InvalidDigest if it is none, BadDigest if it is of something else', async () => {
  const site = exampleSite()
  expect((await put(site, { 'content-md5': base64('md5', body) })).status).toBe(200)
  expect((await put(site, { 'content-md5': 'nonsense' })).code).toBe('InvalidDigest')
  const other = await put(site, { 'content-md5': base64('md5', Buffer.from('other')) })
  expect(other.text).toContain(
    `<Code>BadDigest</Code><Message>The Content-MD5 you specified did not match what we received.</Message><ExpectedDigest>`,
  )
})

test.each([
  [{ 'x-amz-checksum-crc32': crc32Of(body), 'x-amz-checksum-sha1': base64('sha1', body) }, 'Expecting a single x-amz-checksum- header.'],
  [{ 'x-amz-checksum-crc7': 'AAAA' }, 'The algorithm type you specified in x-amz-checksum- header is invalid.'],
  [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-*'],
  [{ 'x-amz-sdk-checksum-algorithm': 'CRC7' }, 'Value for x-amz-sdk-checksum-algorithm header is invalid.'],
  [
    { 'x-amz-sdk-checksum-algorithm': 'SHA1', 'x-amz-checksum-crc32': crc32Of(body) },
    'Value for x-amz-sdk-checksum-algorithm header is invalid.',
  ],
])('a contradictory or unknown checksum is InvalidRequest: %j', async (headers, sentence) => {
  const answer = await put(exampleSite(), headers as Record<string, string>)
  expect(answer.code).toBe('InvalidRequest')
  expect(answer.text).toContain(sentence)
})

test('a body shorter or longer than promised, too large, or without length stores nothing', async () => {
  const site = exampleSite()
  expect(await put(site, { 'content-length': '44' })).toMatchObject({ status: 400, code: 'IncompleteBody' })
  const large = await put(site, { 'content-length': '1048577' })
  expect(large.text).toContain('<Code>EntityTooLarge</Code>')
  expect(large.text).toContain('<ProposedSize>1048577</ProposedSize><MaxSizeAllowed>1048576</MaxSizeAllowed>')
  const unknown = await send(site, sign({ method: 'PUT', path: '/examplebucket/key' }))
  expect(unknown).toMatchObject({ status: 411, code: 'MissingContentLength' })
  expect(site.stored.size).toBe(0)
  expect(site.aborted.count).toBe(1)
})

test('a full store and a client that goes silent are told so, and nothing stays behind', async () => {
  const site = exampleSite()
  expect(await put(site, {}, [Buffer.from('too much')])).toMatchObject({ status: 507, code: 'StorageFull' })
  const sent = sign({ method: 'PUT', path: '/examplebucket/key', body: [body] })
  const request = httpRequest(sent)
  const silent = { ...request, body: { ...request.body, read: () => Promise.reject(new RequestAborted('silent')) } }
  expect((await site.handler(silent)).status).toBe(400)
  expect(site.aborted.count).toBe(1)
  expect(site.unforeseen).toEqual([])
})

test('documents in bodies are parsed, bounded and verified', async () => {
  const site = exampleSite()
  const putVersioning = (text: string, headers = {}) =>
    send(site, sign({ method: 'PUT', path: '/examplebucket', query: 'versioning=', headers, body: [Buffer.from(text)] }))
  const document =
    '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
  expect((await putVersioning(document)).headers.get('x-status')).toBe('Enabled')
  expect((await putVersioning('')).code).toBe('MissingRequestBodyError')
  expect((await putVersioning('<a>')).code).toBe('MalformedXML')
  expect((await putVersioning(document, { 'content-md5': base64('md5', Buffer.from('other')) })).code).toBe('BadDigest')
  expect((await putVersioning(`<a>${'x'.repeat(1 << 20)}</a>`)).code).toBe('MaxMessageLengthExceeded')
})

// ---- aws-chunked ----

const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
const credential = `Credential=${ACCESS_KEY}/20130524/us-east-1/s3/aws4_request`

/** Amazon S3 API Reference, "Transferring Payload in Multiple Chunks", example. */
function amazonsChunkedExample(): Sent {
  const chunk = (bytes: number, signature: string) =>
    Buffer.concat([Buffer.from(`${bytes.toString(16)};chunk-signature=${signature}\r\n`), Buffer.alloc(bytes, 'a'), Buffer.from('\r\n')])
  return {
    method: 'PUT',
    path: '/examplebucket/chunkObject.txt',
    headers: {
      host: 's3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': SIGNED,
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      'content-length': '66824',
      authorization: `AWS4-HMAC-SHA256 ${credential},SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9`,
    },
    body: [
      chunk(65536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'),
      chunk(1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'),
      chunk(0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'),
    ],
  }
}

test("Amazon's example of a chunked upload is accepted, wherever the network cuts it", async () => {
  const site = exampleSite()
  const example = amazonsChunkedExample()
  const whole = Buffer.concat(example.body!)
  for (const step of [whole.length, 65536, 1000, 7]) {
    const pieces = []
    for (let from = 0; from < whole.length; from += step) pieces.push(whole.subarray(from, from + step))
    expect((await send(site, { ...example, body: pieces })).status, `pieces of ${step}`).toBe(200)
    expect(site.stored.get('examplebucket/chunkObject.txt')?.body.equals(Buffer.alloc(66560, 'a'))).toBe(true)
  }
})

test("Amazon's example of a chunked upload with a trailer is accepted", async () => {
  const site = exampleSite()
  const example = amazonsChunkedExample()
  const [first, second, last] = example.body!.map((chunk) => Buffer.from(chunk).toString('latin1')) as [string, string, string]
  const resign = (chunk: string, signature: string) => chunk.replace(/signature=[0-9a-f]{64}/, `signature=${signature}`)
  const trailer =
    'x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n'
  const pieces = [
    resign(first, 'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2'),
    resign(second, '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7'),
    resign(last, '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992').slice(0, -2) + trailer,
  ]
  const { 'content-length': _, ...headers } = example.headers!
  const sent = {
    ...example,
    headers: {
      ...headers,
      'x-amz-content-sha256': `${SIGNED}-TRAILER`,
      'x-amz-trailer': 'x-amz-checksum-crc32c',
      authorization: `AWS4-HMAC-SHA256 ${credential},SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e`,
    },
    body: pieces.map((piece) => Buffer.from(piece, 'latin1')),
  }
  expect((await send(site, sent)).text).toBe('')
  expect(site.stored.get('examplebucket/chunkObject.txt')?.checksum).toBe('CRC32C:sOO8/Q==')
})

test('a chunk whose bytes or signature were changed is refused, and so is a missing or swapped one', async () => {
  const site = exampleSite()
  const example = amazonsChunkedExample()
  const [first, second, last] = example.body as [Buffer, Buffer, Buffer]
  const flipped = Buffer.from(second)
  flipped[500]! ^= 1
  const wrong = [
    [first, flipped, last],
    [first, Buffer.from(second.toString('latin1').replace('=0055', '=0056'), 'latin1'), last],
    [second, first, last],
  ]
  for (const pieces of wrong) expect((await send(site, { ...example, body: pieces })).status).not.toBe(200)
  for (const pieces of [[first, last], [first, second], [first], [second, last], []]) {
    expect(['IncompleteBody', 'SignatureDoesNotMatch']).toContain((await send(site, { ...example, body: pieces })).code)
  }
  expect(site.stored.size).toBe(0)
})

type ChunkedOptions = {
  readonly signed: boolean
  readonly content: readonly Uint8Array[]
  readonly trailers?: Readonly<Record<string, string>>
  readonly trailerHeader?: string
  readonly decodedBytes?: number
  readonly lineEnd?: string
}

/** A chunked upload as a client makes it. */
function chunked(options: ChunkedOptions): Sent {
  const { signed, content, trailers } = options
  const contentSha256 = signed ? `${SIGNED}${trailers === undefined ? '' : '-TRAILER'}` : 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'
  const trailerHeader = options.trailerHeader ?? (trailers === undefined ? undefined : Object.keys(trailers).join(','))
  const headers: Record<string, string> = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(options.decodedBytes ?? content.reduce((sum, chunk) => sum + chunk.length, 0)),
    ...(trailerHeader === undefined ? {} : { 'x-amz-trailer': trailerHeader }),
  }
  const request = sign({ method: 'PUT', path: '/examplebucket/key', headers }, { contentSha256 })
  const key = deriveSigningKey(SECRET_KEY, '20130524', 'us-east-1')
  const scope = '20130524T000000Z\n20130524/us-east-1/s3/aws4_request'
  const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
  let previous = request.headers!.authorization!.slice(-64)
  const pieces: Buffer[] = []
  for (const chunk of [...content, Buffer.alloc(0)]) {
    previous = key.sign(`AWS4-HMAC-SHA256-PAYLOAD\n${scope}\n${previous}\n${sha256('')}\n${sha256(chunk)}`, 'hex')
    pieces.push(Buffer.from(`${chunk.length.toString(16)}${signed ? `;chunk-signature=${previous}` : ''}\r\n`), Buffer.from(chunk))
    if (chunk.length > 0) pieces.push(Buffer.from('\r\n'))
  }
  const lineEnd = options.lineEnd ?? '\r\n'
  for (const [name, value] of Object.entries(trailers ?? {})) pieces.push(Buffer.from(`${name}:${value}${lineEnd}`))
  if (signed && trailers !== undefined) {
    const lines = Object.entries(trailers).map(([name, value]) => `${name}:${value}\n`)
    const signature = key.sign(`AWS4-HMAC-SHA256-TRAILER\n${scope}\n${previous}\n${sha256(lines.join(''))}`, 'hex')
    pieces.push(Buffer.from(`x-amz-trailer-signature:${signature}\r\n`))
  }
  pieces.push(Buffer.from('\r\n'))
  return { ...request, body: [Buffer.concat(pieces)] }
}

test.each([true, false])('a checksum in a trailer is verified and kept (chunks signed: %s)', async (signed) => {
  const site = exampleSite()
  const content = [Buffer.alloc(8192, 1), Buffer.alloc(70_000, 2), Buffer.from('rest')]
  const checksum = checksumOf('CRC32C', Buffer.concat(content)).toString('base64')
  const trailers = { 'x-amz-checksum-crc32c': checksum }
  // minio-go ends the line of a trailer with LF and CRLF.
  for (const lineEnd of ['\r\n', '\n\r\n', '\n']) {
    expect((await send(site, chunked({ signed, content, trailers, lineEnd }))).text).toBe('')
    expect(site.stored.get('examplebucket/key')?.body.equals(Buffer.concat(content))).toBe(true)
    expect(site.stored.get('examplebucket/key')?.checksum).toBe(`CRC32C:${checksum}`)
  }
  const wrong = chunked({ signed, content: [body], trailers })
  expect((await send(site, wrong)).code).toBe('BadDigest')
  const empty = chunked({ signed, content: [], trailers: { 'x-amz-checksum-crc32': 'AAAAAA==' } })
  expect((await send(site, empty)).status).toBe(200)
})

test('trailers must be those announced, well-formed, known and signed', async () => {
  const site = exampleSite()
  const trailers = { 'x-amz-checksum-crc32': crc32Of(body) }
  const attempt = async (options: Partial<ChunkedOptions>) => send(site, chunked({ signed: false, content: [body], ...options }))
  expect((await attempt({ trailers: {}, trailerHeader: 'x-amz-checksum-crc32' })).code).toBe('MalformedTrailerError')
  expect((await attempt({ trailers: { ...trailers, 'x-amz-meta-a': '1' }, trailerHeader: 'x-amz-checksum-crc32' })).code).toBe(
    'MalformedTrailerError',
  )
  expect((await attempt({ trailers: { 'x-amz-checksum-crc32': 'AAA' } })).text).toContain(
    'Value for x-amz-checksum-crc32 trailing header is invalid.',
  )
  expect((await attempt({ trailers: { 'x-amz-meta-a': '1' } })).text).toContain(
    'The value specified in the x-amz-trailer header is not supported',
  )
  const sent = chunked({ signed: true, content: [body], trailers })
  const replaced = async (from: string | RegExp, to: string) =>
    (await send(site, { ...sent, body: [Buffer.from(sent.body![0]!.toString().replace(from, to))] })).code
  expect(await replaced(/x-amz-trailer-signature:.*\r\n/, '')).toBe('IncompleteBody')
  expect(await replaced('trailer-signature:', 'trailer-signature:0')).toBe('IncompleteBody')
  expect(await replaced(/trailer-signature:.*\r\n/, `trailer-signature:${'0'.repeat(64)}\r\n`)).toBe('SignatureDoesNotMatch')
  expect(await replaced(/\r\n\r\n$/, '\r\n')).toBe('IncompleteBody')
  expect(site.stored.size).toBe(0)
})

test('only the last chunk may be small, and all together make the promised length', async () => {
  const site = exampleSite()
  for (const signed of [true, false]) {
    const trailers = signed ? {} : { trailers: { 'x-amz-checksum-crc32': crc32Of(body) } }
    const small = await send(site, chunked({ signed, content: [Buffer.alloc(100), Buffer.alloc(9000)], ...trailers }))
    expect(small.code).toBe('InvalidChunkSizeError')
    expect(small.text).toContain('<Chunk>1</Chunk><BadChunkSize>100</BadChunkSize>')
    for (const decodedBytes of [body.length - 1, body.length + 1]) {
      expect((await send(site, chunked({ signed, content: [body], decodedBytes, ...trailers }))).code).toBe('IncompleteBody')
    }
  }
  const { 'x-amz-decoded-content-length': _, ...headers } = chunked({ signed: true, content: [body] }).headers!
  const unknown = sign(
    { method: 'PUT', path: '/examplebucket/key', headers: { 'content-encoding': 'aws-chunked' } },
    { contentSha256: SIGNED },
  )
  expect(headers).not.toHaveProperty('x-amz-decoded-content-length')
  expect((await send(site, unknown)).code).toBe('MissingContentLength')
})

test('no damage to the framing gets through or makes the road stumble', async () => {
  const site = exampleSite()
  const content = [Buffer.alloc(8200, 'b'), Buffer.from('end')]
  const trailers = { 'x-amz-checksum-crc32': crc32Of(Buffer.concat(content)) }
  for (const sent of [
    chunked({ signed: true, content }),
    chunked({ signed: true, content, trailers }),
    chunked({ signed: false, content, trailers }),
  ]) {
    const whole = sent.body![0]!
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat({ max: whole.length }), fc.nat({ max: 120 }), fc.integer({ min: 8190, max: whole.length })),
        fc.nat({ max: 40 }),
        fc.oneof(
          fc.uint8Array({ maxLength: 20 }),
          fc.constantFrom(...['\r\n', '0\r\n', 'ffffffffffff', ':', ';chunk-signature=']).map((text) => Buffer.from(text)),
        ),
        fc.nat({ max: whole.length }),
        async (at, cut, insert, split) => {
          const damaged = Buffer.concat([whole.subarray(0, at), insert, whole.subarray(at + cut)])
          site.stored.clear()
          const answer = await send(site, { ...sent, body: [damaged.subarray(0, split), damaged.subarray(split)] })
          if (answer.status === 200) expect(site.stored.get('examplebucket/key')?.body.equals(Buffer.concat(content))).toBe(true)
          else
            expect([
              'IncompleteBody',
              'SignatureDoesNotMatch',
              'MalformedTrailerError',
              'InvalidChunkSizeError',
              'InvalidRequest',
              'BadDigest',
            ]).toContain(answer.code)
        },
      ),
      { numRuns: 300 },
    )
  }
  expect(site.unforeseen).toEqual([])
  expect(site.leases.open).toBe(0)
})

test.each([
  ['read-only', 503, 'ServiceUnavailable'],
  ['full', 507, 'StorageFull'],
] as const)('a store that is %s refuses a body before it is asked for', async (foreseen, status, code) => {
  const site = exampleSite({ foreseen })
  const request = httpRequest(sign({ method: 'PUT', path: '/examplebucket/key', body: [body] }))
  let reads = 0
  const read = (): Promise<Uint8Array | undefined> => {
    reads += 1
    return request.body.read()
  }
  const reply = await site.handler({ ...request, body: { declaredBytes: body.length, read } })
  expect(reply.status).toBe(status)
  expect(reply.body.kind === 'whole' && String(reply.body.content)).toContain(`<Code>${code}</Code>`)
  expect(reads).toBe(0)
})

test('an upload that cannot be stored any more is not read to its end', async () => {
  const site = exampleSite()
  const pieces = [Buffer.from('a first piece'), Buffer.from('the disk is full now'), Buffer.from('never read')]
  const request = httpRequest(sign({ method: 'PUT', path: '/examplebucket/key', body: pieces }, { contentSha256: 'UNSIGNED-PAYLOAD' }))
  const reply = await site.handler(request)
  expect(reply.status).toBe(507)
  expect(site.aborted.count).toBe(1)
  expect(String(await request.body.read())).toBe('never read')
})
