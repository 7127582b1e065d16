/** Objects: put, get, head, delete, metadata, ranges, overrides. Source: Amazon S3 API Reference, PutObject, GetObject, HeadObject, DeleteObject. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bytesOf, connect, type Endpoint, MiB, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function objectTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('objects', () => {
    const Bucket = scratchBucket(s3)

    test.each([0, 1, 4096, 128 * 1024, 128 * 1024 + 1, MiB, 5 * MiB + 17])(
      'an object of %i bytes is read back as it was written',
      async (size) => {
        const Key = newKey()
        const body = randomBytes(size)
        const put = await s3.putObject({ Bucket, Key, Body: body })
        expect(put.ETag).toBe(`"${createHash('md5').update(body).digest('hex')}"`)
        const got = await s3.getObject({ Bucket, Key })
        expect(got.ContentLength).toBe(size)
        expect(got.ETag).toBe(put.ETag)
        expect(got.AcceptRanges).toBe('bytes')
        expect((await bytesOf(got.Body)).equals(body)).toBe(true)
      },
    )

    // s3fs-fuse says so of what it writes anew.
    test('a write may say that it replaces the metadata, as every write does', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'before', Metadata: { mode: 'old' } })
      const headers = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-mode': 'new' }
      expect((await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, headers, body: Buffer.from('after') })).status).toBe(200)
      expect((await s3.headObject({ Bucket, Key })).Metadata).toEqual({ mode: 'new' })
      expect(await readText(s3, Bucket, Key)).toBe('after')
    })

    test('a write takes the place of the one before', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'one' })
      await s3.putObject({ Bucket, Key, Body: 'three' })
      expect(await readText(s3, Bucket, Key)).toBe('three')
    })

    test.each([
      'a b',
      'a+b',
      'a%2Fb',
      'ä/ö/ü',
      '🦉',
      'a//b',
      '/leading',
      'trailing/',
      '.',
      '..',
      'a/../b',
      './a',
      'a\\b',
      '?&=#',
      'quo\'te"',
      'a\nb',
      '<xml>&amp;',
      'ￄ',
      '*',
      '~tilde',
      'x'.repeat(1024),
      'ü'.repeat(512),
    ])('the key %j is kept as it is', async (Key) => {
      await s3.putObject({ Bucket, Key, Body: Key })
      const got = await s3.getObject({ Bucket, Key })
      expect(await got.Body?.transformToString()).toBe(Key)
      const listed = await s3.listObjectsV2({ Bucket, Prefix: Key, EncodingType: 'url' })
      expect(listed.Contents?.map((each) => decodeURIComponent((each.Key ?? '').replaceAll('+', ' ')))).toContain(Key)
      await s3.deleteObject({ Bucket, Key })
    })

    test('keys are flat: a key may be the beginning of another, with and without a slash', async () => {
      const stem = newKey()
      for (const Key of [stem, `${stem}/`, `${stem}/b`, `${stem}/b/c`]) await s3.putObject({ Bucket, Key, Body: Key })
      for (const Key of [stem, `${stem}/`, `${stem}/b`, `${stem}/b/c`]) expect(await readText(s3, Bucket, Key)).toBe(Key)
      await s3.deleteObject({ Bucket, Key: `${stem}/b` })
      expect(await readText(s3, Bucket, `${stem}/b/c`)).toBe(`${stem}/b/c`)
    })

    test('a key of 1,025 bytes is refused', async () => {
      const long = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${'x'.repeat(1025)}`, body: 'x' })
      expect(long.status).toBe(400)
      expect(long.element('Code')).toBe('KeyTooLongError')
      const wide = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${'%C3%BC'.repeat(513)}`, body: 'x' })
      expect(wide.element('Code')).toBe('KeyTooLongError')
    })

    test('an object that is not there answers NoSuchKey with its name', async () => {
      const Key = newKey()
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}` })
      expect(reply.status).toBe(404)
      expect(reply.element('Code')).toBe('NoSuchKey')
      expect(reply.element('Message')).toBe('The specified key does not exist.')
      expect(reply.element('Key')).toBe(Key)
      const head = await sendRaw(endpoint, { method: 'HEAD', path: `/${Bucket}/${Key}` })
      expect(head).toMatchObject({ status: 404, text: '' })
    })

    test('deleting what is not there is no error', async () => {
      const reply = await sendRaw(endpoint, { method: 'DELETE', path: `/${Bucket}/${newKey()}` })
      expect(reply).toMatchObject({ status: 204, text: '' })
    })

    test('the content headers come back as they were sent', async () => {
      const Key = newKey()
      const headers = {
        CacheControl: 'max-age=60, private',
        ContentDisposition: 'attachment; filename="a b.txt"',
        ContentEncoding: 'gzip',
        ContentLanguage: 'de, en',
        ContentType: 'text/x-suite; charset=utf-8',
      }
      await s3.putObject({ Bucket, Key, Body: 'x', ...headers, Expires: new Date('2031-02-03T04:05:06Z') })
      expect(await s3.headObject({ Bucket, Key })).toMatchObject({ ...headers, ExpiresString: 'Mon, 03 Feb 2031 04:05:06 GMT' })
    })

    test('without a content type it is binary/octet-stream', async () => {
      const Key = newKey()
      await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x' })
      expect((await s3.headObject({ Bucket, Key })).ContentType).toBe('binary/octet-stream')
    })

    test('aws-chunked is framing and is not kept as a content encoding', async () => {
      const Key = newKey()
      await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', headers: { 'content-encoding': 'aws-chunked,gzip' } })
      expect((await s3.headObject({ Bucket, Key })).ContentEncoding).toBe('gzip')
    })

    test('user metadata comes back with its names in lower case', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', Metadata: { Colour: 'dark red', 'with-dash': '1' } })
      expect((await s3.headObject({ Bucket, Key })).Metadata).toEqual({ colour: 'dark red', 'with-dash': '1' })
    })

    test('user metadata of 2 KiB is kept, and more is refused', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', Metadata: { a: 'v'.repeat(2047) } })
      expect((await s3.headObject({ Bucket, Key })).Metadata?.a).toHaveLength(2047)
      const over = s3.putObject({ Bucket, Key, Body: 'x', Metadata: { a: 'v'.repeat(2048) } })
      expect(await refusal(over)).toMatchObject({ code: 'MetadataTooLarge', status: 400 })
    })

    // Amazon User Guide, "Working with object metadata": a value with characters beyond US-ASCII is encoded by RFC 2047 in replies. MinIO returns it raw.
    test('user metadata sent as UTF-8 comes back encoded by RFC 2047', async () => {
      const Key = newKey()
      const value = Buffer.from('ÄMÄZÕÑ S3', 'utf8')
      const told = '=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?='
      await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', headers: { 'x-amz-meta-nonascii': encoded(value) } })
      const head = () => sendRaw(endpoint, { method: 'HEAD', path: `/${Bucket}/${Key}` })
      expect((await head()).headers['x-amz-meta-nonascii']).toBe(told)
      const bytes = { 'x-amz-meta-nonascii': value.toString('latin1') }
      await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', headers: bytes })
      expect((await head()).headers['x-amz-meta-nonascii']).toBe(told)
    })

    test('user metadata sent as encoded words is kept as the text they spell', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', Metadata: { b: '=?UTF-8?B?YWJj?=', q: '=?UTF-8?Q?a_b?= =?UTF-8?Q?c?=' } })
      expect((await s3.headObject({ Bucket, Key })).Metadata).toEqual({ b: 'abc', q: 'a bc' })
    })

    // Amazon names the header that stands in the place of the length. Source: replies quoted in github.com/eclipse-edc/Connector/issues/1643 and many before.
    test('the length of a body must be said', async () => {
      const put = (headers: Record<string, string>, contentSha256: string) =>
        sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, contentSha256, headers, body: 'x' })
      const chunked = await put({ 'transfer-encoding': 'chunked' }, 'UNSIGNED-PAYLOAD')
      expect([chunked.status, chunked.element('Code'), chunked.element('Header')]).toEqual([501, 'NotImplemented', 'Transfer-Encoding'])
      const framed = await put({ 'transfer-encoding': 'chunked' }, 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
      expect([framed.status, framed.element('Code')]).toEqual([411, 'MissingContentLength'])
    })

    // RFC 9110, section 5.6.1: a list of nothing.
    test('an empty expectation expects nothing', async () => {
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, headers: { expect: '' }, body: 'x' })
      expect(reply.status).toBe(200)
    })

    test('a digest that does not fit the body is refused and nothing is stored', async () => {
      const Key = newKey()
      const md5 = createHash('md5').update('other').digest('base64')
      const bad = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', headers: { 'content-md5': md5 } })
      expect(bad.status).toBe(400)
      expect(bad.element('Code')).toBe('BadDigest')
      const short = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', headers: { 'content-md5': 'YWJj' } })
      expect(short.status).toBe(400)
      expect(short.element('Code')).toBe('InvalidDigest')
      const sha = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', contentSha256: '0'.repeat(64) })
      expect(sha.status).toBe(400)
      expect(sha.element('Code')).toBe('XAmzContentSHA256Mismatch')
      expect(await refusal(s3.headObject({ Bucket, Key }))).toMatchObject({ status: 404 })
    })

    test('signed replies take their headers from response-* parameters', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', ContentType: 'text/plain' })
      const got = await s3.getObject({
        Bucket,
        Key,
        ResponseCacheControl: 'no-cache',
        ResponseContentDisposition: 'inline',
        ResponseContentEncoding: 'br',
        ResponseContentLanguage: 'fr',
        ResponseContentType: 'text/html',
        ResponseExpires: new Date('2031-02-03T04:05:06Z'),
      })
      expect(got).toMatchObject({
        CacheControl: 'no-cache',
        ContentDisposition: 'inline',
        ContentEncoding: 'br',
        ContentLanguage: 'fr',
        ContentType: 'text/html',
        ExpiresString: 'Mon, 03 Feb 2031 04:05:06 GMT',
      })
    })

    // A reply quoted in github.com/versity/versitygw/issues/2075.
    test('a header that cannot be overridden is named', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const ask = (method: string) => sendRaw(endpoint, { method, path: `/${Bucket}/${Key}`, query: 'response-x-frame-options=deny' })
      const reply = await ask('GET')
      expect([reply.status, reply.element('Code'), reply.element('ArgumentName'), reply.element('ArgumentValue')]).toEqual([
        400,
        'InvalidArgument',
        'response-x-frame-options',
        'deny',
      ])
      expect(reply.element('Message')).toBe(
        'response-x-frame-options is not in the set of overridable response headers. Please refer to the S3 API documentation for a complete list of overridable response headers.',
      )
      expect((await ask('HEAD')).status).toBe(400)
    })

    test.each([
      ['x-amz-server-side-encryption', 'aws:kms'],
      ['x-amz-server-side-encryption-customer-algorithm', 'AES256'],
      ['x-amz-object-lock-legal-hold', 'ON'],
      ['x-amz-grant-read', 'id="0"'],
      ['x-amz-acl', 'public-read'],
      ['x-amz-storage-class', 'GLACIER'],
    ])('a PUT with %s is refused rather than stored without its effect', async (name, value) => {
      const Key = newKey()
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: 'x', headers: { [name]: value } })
      expect(reply.status).toBeGreaterThanOrEqual(400)
      expect(reply.status).toBeLessThanOrEqual(501)
      expect(await refusal(s3.headObject({ Bucket, Key }))).toMatchObject({ status: 404 })
    })

    test('the storage class STANDARD and the canned ACL private are what everything has, and are taken', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', StorageClass: 'STANDARD', ACL: 'private' })
      expect((await s3.headObject({ Bucket, Key })).StorageClass).toBeUndefined()
      const made = await sendRaw(endpoint, {
        method: 'PUT',
        path: `/${Bucket}/${Key}`,
        body: 'x',
        headers: { 'x-amz-storage-class': 'MADEUP' },
      })
      expect(made.element('Code')).toBe('InvalidStorageClass')
    })

    test('the redirect location of a website is kept', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', WebsiteRedirectLocation: '/elsewhere' })
      expect((await s3.headObject({ Bucket, Key })).WebsiteRedirectLocation).toBe('/elsewhere')
      const bad = s3.putObject({ Bucket, Key, Body: 'x', WebsiteRedirectLocation: 'elsewhere' })
      expect(await refusal(bad)).toMatchObject({ code: 'InvalidRedirectLocation', status: 400 })
    })

    test('GetObjectAttributes tells what was asked for and nothing else', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'abc', ChecksumAlgorithm: 'SHA256' })
      const all = await s3.getObjectAttributes({
        Bucket,
        Key,
        ObjectAttributes: ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'],
      })
      expect(all).toMatchObject({
        ETag: createHash('md5').update('abc').digest('hex'),
        Checksum: { ChecksumSHA256: createHash('sha256').update('abc').digest('base64'), ChecksumType: 'FULL_OBJECT' },
        StorageClass: 'STANDARD',
        ObjectSize: 3,
      })
      expect(all.ObjectParts).toBeUndefined()
      const some = await s3.getObjectAttributes({ Bucket, Key, ObjectAttributes: ['ObjectSize'] })
      expect(some).toMatchObject({ ObjectSize: 3 })
      expect(some.ETag).toBeUndefined()
      const bad = await sendRaw(endpoint, {
        method: 'GET',
        path: `/${Bucket}/${Key}`,
        query: 'attributes',
        headers: { 'x-amz-object-attributes': 'Nonsense' },
      })
      expect(bad.status).toBe(400)
      expect(bad.element('Code')).toBe('InvalidArgument')
      // Amazon does not look at a number of parts that is none: github.com/versity/versitygw/issues/1806.
      const headers = { 'x-amz-object-attributes': 'ObjectSize', 'x-amz-max-parts': 'many' }
      expect((await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, query: 'attributes', headers })).status).toBe(200)
      expect(await refusal(s3.getObjectAttributes({ Bucket, Key: newKey(), ObjectAttributes: ['ETag'] }))).toMatchObject({
        code: 'NoSuchKey',
      })
    })
  })
}

/** RFC 2047, "B" encoding with the charset UTF-8. */
const encoded = (value: Buffer): string => `=?UTF-8?B?${value.toString('base64')}?=`
