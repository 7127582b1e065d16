import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ACCESS_KEY, EXAMPLE_MS, exampleSite, type Sent, send, sign } from './road-fixture.ts'

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const CREDENTIAL = `Credential=${ACCESS_KEY}/20130524/us-east-1/s3/aws4_request`
const host = 'examplebucket.s3.amazonaws.com'

/** Amazon S3 API Reference, "Signature Calculations for the Authorization Header", examples. */
const examples: Readonly<Record<string, { readonly sent: Sent; readonly answer: number }>> = {
  'GET object': {
    answer: 404,
    sent: {
      path: '/test.txt',
      headers: {
        host,
        range: 'bytes=0-9',
        'x-amz-content-sha256': EMPTY,
        'x-amz-date': '20130524T000000Z',
        authorization: `AWS4-HMAC-SHA256 ${CREDENTIAL},SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41`,
      },
    },
  },
  'PUT object': {
    answer: 200,
    sent: {
      method: 'PUT',
      path: '/test$file.text',
      body: [Buffer.from('Welcome to Amazon S3.')],
      headers: {
        host,
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-date': '20130524T000000Z',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
        authorization: `AWS4-HMAC-SHA256 ${CREDENTIAL},SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd`,
      },
    },
  },
  'GET bucket lifecycle': {
    answer: 501,
    sent: {
      path: '/',
      query: 'lifecycle',
      headers: {
        host,
        'x-amz-date': '20130524T000000Z',
        'x-amz-content-sha256': EMPTY,
        authorization: `AWS4-HMAC-SHA256 ${CREDENTIAL},SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543`,
      },
    },
  },
  'GET bucket, list objects': {
    answer: 200,
    sent: {
      path: '/',
      query: 'max-keys=2&prefix=J',
      headers: {
        host,
        'x-amz-date': '20130524T000000Z',
        'x-amz-content-sha256': EMPTY,
        authorization: `AWS4-HMAC-SHA256 ${CREDENTIAL},SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7`,
      },
    },
  },
}

test.each(Object.entries(examples))("Amazon's example signature is accepted: %s", async (_name, { sent, answer }) => {
  const site = exampleSite()
  expect((await send(site, sent)).status).toBe(answer)
})

test("Amazon's example of a presigned URL is accepted, on its day", async () => {
  const sent = presignedExample()
  expect((await send(exampleSite(), sent)).code).toBe('NoSuchKey')
  const late = await send(exampleSite({ nowMs: EXAMPLE_MS + 86_401_000 }), sent)
  expect(late.status).toBe(403)
  expect(late.text).toContain(
    '<Message>Request has expired</Message><X-Amz-Expires>86400</X-Amz-Expires><Expires>2013-05-25T00:00:00Z</Expires>',
  )
  expect((await send(exampleSite({ nowMs: EXAMPLE_MS - 1_000_000 }), sent)).text).toContain('Request is not valid yet')
})

function presignedExample(changes: Readonly<Record<string, string | undefined>> = {}): Sent {
  const parameters = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${ACCESS_KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request`,
    'X-Amz-Date': '20130524T000000Z',
    'X-Amz-Expires': '86400',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    ...changes,
  }
  const pairs = Object.entries(parameters).filter(([, value]) => value !== undefined)
  return { path: '/test.txt', query: pairs.map(([name, value]) => `${name}=${value}`).join('&'), headers: { host } }
}

test.each([
  [{ 'X-Amz-Expires': '604801' }, 'must be less than a week'],
  [{ 'X-Amz-Expires': '-1' }, 'X-Amz-Expires must be non-negative'],
  [{ 'X-Amz-Expires': 'soon' }, 'X-Amz-Expires should be a number'],
  [{ 'X-Amz-Date': '2013-05-24' }, 'X-Amz-Date must be in the ISO8601 Long Format'],
  [{ 'X-Amz-Date': '20130525T000000Z' }, 'This date is not the same as X-Amz-Date'],
  [{ 'X-Amz-Algorithm': 'AWS4-HMAC-SHA1' }, 'X-Amz-Algorithm only supports'],
  [{ 'X-Amz-Credential': 'nobody' }, 'the Credential is mal-formed'],
  [
    { 'X-Amz-Credential': `${ACCESS_KEY}%2F20130524%2Feu-west-1%2Fs3%2Faws4_request` },
    "the region 'eu-west-1' is wrong; expecting 'us-east-1'",
  ],
  [{ 'X-Amz-Signature': undefined }, 'Query-string authentication version 4 requires'],
])('a presigned request is told what is wrong with it: %j', async (changes, sentence) => {
  const answer = await send(exampleSite(), presignedExample(changes as Record<string, string | undefined>))
  expect(answer.code).toBe('AuthorizationQueryParametersError')
  expect(answer.text.replaceAll('&apos;', "'").replaceAll('&quot;', '"')).toContain(sentence)
})

test('a signature that does not match is answered with what was signed, as Amazon does', async () => {
  const answer = await send(exampleSite(), sign({ path: '/examplebucket/key' }, { secretKey: 'wrong' }))
  expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' })
  expect(answer.text).toContain(`<AWSAccessKeyId>${ACCESS_KEY}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256\n20130524T000000Z\n`)
  expect(answer.text).toContain('<StringToSignBytes>41 57 53 34 ')
  expect(answer.text).toContain('<CanonicalRequest>GET\n/examplebucket/key\n\nhost:localhost\n')
})

test('every part of the request is covered by the signature', async () => {
  const site = exampleSite()
  const signed = sign({ method: 'PUT', path: '/examplebucket/key', headers: { 'x-amz-meta-a': '1' }, body: [Buffer.from('x')] })
  const changes: Partial<Sent>[] = [
    { method: 'GET' },
    { path: '/examplebucket/kez' },
    { query: 'versionId=1' },
    { headers: { ...signed.headers, host: 'localhos' } },
    { headers: { ...signed.headers, 'x-amz-meta-a': '2' } },
    { headers: { ...signed.headers, 'x-amz-date': '20130524T000001Z' } },
    { headers: { ...signed.headers, 'x-amz-content-sha256': EMPTY } },
  ]
  for (const change of changes) expect((await send(site, { ...signed, ...change })).code).toBe('SignatureDoesNotMatch')
  const unsigned = await send(site, { ...signed, headers: { ...signed.headers, 'x-amz-meta-b': '2' } })
  expect(unsigned.code).toBe('AccessDenied')
  expect(unsigned.text).toContain('<HeadersNotSigned>x-amz-meta-b</HeadersNotSigned>')
  const otherBody = await send(site, { ...signed, body: [Buffer.from('y')] })
  expect(otherBody).toMatchObject({ status: 400, code: 'XAmzContentSHA256Mismatch' })
  expect(site.stored.size).toBe(0)
})

test.each([
  [
    'another region',
    sign({ path: '/examplebucket/k' }, { region: 'eu-west-1' }),
    400,
    'AuthorizationHeaderMalformed',
    '<Region>us-east-1</Region>',
  ],
  ['an unknown key', sign({ path: '/examplebucket/k' }, { accessKey: 'NOBODY' }), 403, 'InvalidAccessKeyId', '<AWSAccessKeyId>NOBODY<'],
  [
    'an hour too late',
    sign({ path: '/examplebucket/k' }, { amzDate: '20130524T010000Z' }),
    403,
    'RequestTimeTooSkewed',
    '<MaxAllowedSkewMilliseconds>900000<',
  ],
  ['no signature', { path: '/examplebucket/k' }, 403, 'AccessDenied', '<Message>Access Denied</Message>'],
  [
    'signature version 2',
    { path: '/examplebucket', headers: { authorization: 'AWS AKID:c2ln' } },
    400,
    'InvalidRequest',
    'Please use AWS4-HMAC-SHA256.',
  ],
  [
    'signature version 2 in the query',
    { path: '/examplebucket', query: 'AWSAccessKeyId=A&Signature=B&Expires=1' },
    400,
    'InvalidRequest',
    'Please use AWS4',
  ],
  [
    'another scheme',
    { path: '/examplebucket', headers: { authorization: 'Basic Og==' } },
    400,
    'InvalidArgument',
    'Unsupported Authorization Type',
  ],
  [
    'both ways',
    { path: '/examplebucket', query: 'X-Amz-Signature=1', headers: { authorization: 'AWS4-HMAC-SHA256 x' } },
    400,
    'InvalidArgument',
    'Only one auth',
  ],
  [
    'a session token of nobody',
    sign({ path: '/examplebucket/k', headers: { 'x-amz-security-token': 't' } }),
    400,
    'InvalidToken',
    '<Token-0>t<',
  ],
] as const)('%s is refused with the code and words of Amazon', async (_name, sent, status, code, words) => {
  const answer = await send(exampleSite(), sent)
  expect(answer).toMatchObject({ status, code })
  expect(answer.text).toContain(words)
})

test('a header request without date, content hash or all three components says so', async () => {
  const site = exampleSite()
  const { authorization, ...others } = sign({ path: '/examplebucket/k' }).headers ?? {}
  const attempt = async (headers: Record<string, string>) => (await send(site, { path: '/examplebucket/k', headers })).text
  expect(await attempt({ authorization: authorization! })).toContain('AWS authentication requires a valid Date or x-amz-date header')
  expect(await attempt({ authorization: authorization!, 'x-amz-date': '20130524T000000Z' })).toContain(
    'Missing required header for this request: x-amz-content-sha256',
  )
  const without = (pattern: RegExp) => ({ ...others, authorization: authorization!.replace(pattern, '') })
  expect(await attempt(without(/, Signature=.*/))).toContain('requires three components: Credential, SignedHeaders, and Signature.')
  expect(await attempt({ ...others, authorization: authorization!.replace('SignedHeaders=', 'Signed=') })).toContain(
    'missing SignedHeaders.',
  )
  expect(await attempt({ ...others, authorization: authorization!.replace('SignedHeaders=', 'SignedHeaders-') })).toContain('is malformed.')
  expect(await attempt({ ...others, authorization: authorization!.replace('/s3/', '/ec2/') })).toContain(
    'This endpoint belongs to &quot;s3&quot;.',
  )
  expect(await attempt({ ...others, authorization: authorization!.replace('20130524', '20130523') })).toContain('This date is not the same')
})

test('keys are signed as sent: blanks, slashes, dots and other scripts, encoded once and never normalised', async () => {
  const site = exampleSite()
  for (const key of ['a b', 'a//b/../c', 'ü/漢字', "it's(1)!*", 'a+b=c&d', '100%', '~._-']) {
    const canonical = `/examplebucket/${encodeURIComponent(key).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)}`
    const path = canonical.replaceAll('%2F', '/')
    const answer = await send(site, sign({ method: 'PUT', path, body: [Buffer.from(key)] }))
    expect(answer.status, key).toBe(200)
    expect(site.stored.get(`examplebucket/${key}`)?.body.toString()).toBe(key)
    expect((await send(site, sign({ path: canonical }))).text, key).toBe(key)
    // What a browser leaves unescaped is signed escaped all the same.
    const loose = `/examplebucket/${encodeURI(key).replaceAll('?', '%3F').replaceAll('#', '%23')}`
    expect((await send(site, sign({ path: loose }, { canonicalPath: path }))).text, key).toBe(key)
  }
})

test('a request without body is held to the digest it states of it, and to forms of it that there are', async () => {
  const site = exampleSite()
  const wrong = await send(site, sign({ path: '/examplebucket/k' }, { contentSha256: '1'.repeat(64) }))
  expect(wrong.code).toBe('XAmzContentSHA256Mismatch')
  expect(wrong.text).toContain(`<S3ComputedContentSHA256>${EMPTY}</S3ComputedContentSHA256>`)
  const unknown = await send(site, sign({ path: '/examplebucket/k' }, { contentSha256: 'invalid_sha256' }))
  expect(unknown.text).toContain('<ArgumentName>x-amz-content-sha256</ArgumentName><ArgumentValue>invalid_sha256</ArgumentValue>')
  const chunked = await send(site, sign({ path: '/examplebucket/k' }, { contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' }))
  expect(chunked.text).toContain('The value of x-amz-content-sha256 header is invalid.')
})

test('no Authorization header makes the road stumble', async () => {
  const site = exampleSite()
  /** White space around the components means nothing. */
  const withoutBlanks = (header: string): string =>
    header
      .replace(/ \s*/, ' ')
      .split(',')
      .map((component) => component.trim())
      .join(',')
  const good = sign({ path: '/examplebucket/k' }).headers?.authorization ?? ''
  const mutated = fc
    .tuple(fc.nat({ max: good.length }), fc.nat({ max: 20 }), fc.string({ unit: 'binary-ascii', maxLength: 12 }))
    .map(([at, cut, text]) => good.slice(0, at) + text + good.slice(at + cut))
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, fc.string({ unit: 'binary-ascii' })), async (authorization) => {
      const headers = { host: 'localhost', 'x-amz-date': '20130524T000000Z', 'x-amz-content-sha256': EMPTY, authorization }
      const answer = await send(site, { path: '/examplebucket/k', headers })
      if (answer.code === 'NoSuchKey') expect(withoutBlanks(authorization)).toBe(withoutBlanks(good))
      expect([400, 403, 404]).toContain(answer.status)
    }),
    { numRuns: 500 },
  )
  expect(site.unforeseen).toEqual([])
})
