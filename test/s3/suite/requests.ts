/** Requests as such: signatures, presigned addresses, virtual hosts, keep-alive, what is refused. Source: Amazon S3 API Reference, "Authenticating Requests". */
import { createHash } from 'node:crypto'
import { GetObjectCommand, PutObjectCommand, S3 } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function requestTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('requests', () => {
    const Bucket = scratchBucket(s3)

    test('who does not sign is refused', async () => {
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}`, unsigned: true })
      expect(reply.status).toBe(403)
      expect(reply.element('Code')).toBe('AccessDenied')
    })

    test('an unknown key, a wrong secret and a wrong region are told apart', async () => {
      const as = (change: Partial<Endpoint>) => sendRaw({ ...endpoint, ...change }, { method: 'GET', path: `/${Bucket}` })
      const { accessKeyId, secretAccessKey } = endpoint.credentials
      const unknown = await as({ credentials: { accessKeyId: 'AKIAUNKNOWNUNKNOWN12', secretAccessKey } })
      expect([unknown.status, unknown.element('Code')]).toEqual([403, 'InvalidAccessKeyId'])
      const wrong = await as({ credentials: { accessKeyId, secretAccessKey: `${secretAccessKey}x` } })
      expect([wrong.status, wrong.element('Code')]).toEqual([403, 'SignatureDoesNotMatch'])
      const elsewhere = await as({ region: 'mars-north-1' })
      expect([elsewhere.status, elsewhere.element('Code'), elsewhere.element('Region')]).toEqual([
        400,
        'AuthorizationHeaderMalformed',
        endpoint.region,
      ])
    })

    test('a presigned address reads and writes without other credentials, until it expires', async () => {
      const Key = newKey()
      const putUrl = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key }), { expiresIn: 60 })
      expect((await fetch(putUrl, { method: 'PUT', body: 'presigned' })).status).toBe(200)
      const getUrl = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key, ResponseContentType: 'text/x-signed' }), { expiresIn: 60 })
      const got = await fetch(getUrl)
      expect(got.headers.get('content-type')).toBe('text/x-signed')
      expect(await got.text()).toBe('presigned')
      const forged = await fetch(getUrl.replace('text%2Fx-signed', 'text%2Fhtml'))
      expect(forged.status).toBe(403)
      const old = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }), {
        expiresIn: 60,
        signingDate: new Date(Date.now() - 3_600_000),
      })
      const expired = await fetch(old)
      expect(expired.status).toBe(403)
      expect(await expired.text()).toContain('Request has expired')
    })

    test('metadata in a presigned address whose name would begin a header of its own is refused', async () => {
      const Key = newKey()
      const write = new PutObjectCommand({ Bucket, Key })
      const metadata = (next: (args: never) => Promise<never>) => (args: { readonly request?: unknown }) => {
        ;(args.request as { query: Record<string, string> }).query['x-amz-meta-a\r\nset-cookie: a=b'] = 'x'
        return next(args as never)
      }
      write.middlewareStack.add(metadata as never, { step: 'build', name: 'metadata' })
      const refused = await fetch(await getSignedUrl(s3, write, { expiresIn: 60 }), { method: 'PUT', body: 'x' })
      expect([refused.status, /<Code>(\w+)/.exec(await refused.text())?.[1]]).toEqual([400, 'InvalidArgument'])
    })

    test('a condition in a presigned address is obeyed', async () => {
      const write = new PutObjectCommand({ Bucket, Key: newKey() })
      const condition = (next: (args: never) => Promise<never>) => (args: { readonly request?: unknown }) => {
        ;(args.request as { query: Record<string, string> }).query['If-None-Match'] = '*'
        return next(args as never)
      }
      write.middlewareStack.add(condition as never, { step: 'build', name: 'condition' })
      const url = await getSignedUrl(s3, write)
      expect(url).toContain('If-None-Match=%2A')
      expect((await fetch(url, { method: 'PUT', body: 'first' })).status).toBe(200)
      expect((await fetch(url, { method: 'PUT', body: 'second' })).status).toBe(412)
    })

    // As minio/mint and github.com/aws/aws-sdk-js/issues/3708 have it.
    test('with a presigned address no digest of the body may be stated but the one that was signed', async () => {
      const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: newKey() }))
      for (const digest of [createHash('sha256').update('x').digest('hex'), '0'.repeat(64), 'no digest']) {
        const reply = await fetch(url, { method: 'PUT', body: 'x', headers: { 'x-amz-content-sha256': digest } })
        expect([reply.status, await reply.text()]).toEqual([403, expect.stringContaining('<Code>SignatureDoesNotMatch</Code>')])
      }
    })

    test('with a presigned address it may be stated that the body is not signed, other headers than those signed may not be sent', async () => {
      const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: newKey() }))
      const put = (headers: Record<string, string>) => fetch(url, { method: 'PUT', body: 'x', headers })
      expect((await put({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' })).status).toBe(200)
      expect(await (await put({ 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD', 'x-amz-user-agent': 'x' })).text()).toContain(
        '<HeadersNotSigned>x-amz-user-agent</HeadersNotSigned>',
      )
      expect((await put({ 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' })).status).toBe(403)
    })

    test('a request signed a quarter of an hour off is refused', async () => {
      const skewed = new S3({
        endpoint: endpoint.endpoint,
        region: endpoint.region,
        credentials: endpoint.credentials,
        forcePathStyle: true,
        maxAttempts: 1,
        systemClockOffset: -20 * 60_000,
      })
      expect(await refusal(skewed.listObjectsV2({ Bucket }))).toMatchObject({ code: 'RequestTimeTooSkewed', status: 403 })
      skewed.destroy()
    })

    test('a body that is not signed goes with UNSIGNED-PAYLOAD', async () => {
      const Key = newKey()
      const reply = await sendRaw(endpoint, {
        method: 'PUT',
        path: `/${Bucket}/${Key}`,
        body: 'unsigned',
        contentSha256: 'UNSIGNED-PAYLOAD',
      })
      expect(reply.status).toBe(200)
      expect(await readText(s3, Bucket, Key)).toBe('unsigned')
    })

    test('paths are taken as they are: dots and double slashes are part of keys', async () => {
      for (const path of ['/a/../b', '//double', '/./dot']) {
        expect((await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}${path}`, body: path })).status).toBe(200)
        expect((await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}${path}` })).text).toBe(path)
      }
    })

    test('a method that a resource does not have is not allowed', async () => {
      const reply = await sendRaw(endpoint, { method: 'POST', path: `/${Bucket}/${newKey()}` })
      expect([405, 400]).toContain(reply.status)
    })

    test('who expects another owner than the bucket has is refused', async () => {
      const reply = await sendRaw(endpoint, {
        method: 'GET',
        path: `/${Bucket}`,
        headers: { 'x-amz-expected-bucket-owner': '000000000000' },
      })
      expect(reply.status).toBe(403)
      expect(reply.element('Code')).toBe('AccessDenied')
    })
  })
}
