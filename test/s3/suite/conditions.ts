/** Conditional reads and writes. Source: Amazon S3 User Guide, "Conditional requests"; RFC 9110, section 13. */
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function conditionTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('conditional reads', () => {
    const Bucket = scratchBucket(s3)
    const Key = 'conditional'
    const other = '"00000000000000000000000000000000"'
    const before = 'Sat, 01 Jan 2000 00:00:00 GMT'
    const after = () => new Date(Date.now() + 60_000).toUTCString()
    const get = async (method: 'GET' | 'HEAD', headers: (etag: string) => Record<string, string>) => {
      const { ETag } = await s3.putObject({ Bucket, Key, Body: 'abc' })
      return { ETag, reply: await sendRaw(endpoint, { method, path: `/${Bucket}/${Key}`, headers: headers(ETag ?? '') }) }
    }

    // RFC 9110, 13.2.2: If-Match goes before If-Unmodified-Since and If-None-Match before If-Modified-Since; Amazon's GetObject page says the same.
    const cases: readonly [name: string, status: number, headers: (etag: string) => Record<string, string>][] = [
      ['If-Match with the ETag', 200, (etag) => ({ 'if-match': etag })],
      ['If-Match with the ETag without quotes', 200, (etag) => ({ 'if-match': etag.replaceAll('"', '') })],
      ['If-Match with another', 412, () => ({ 'if-match': other })],
      ['If-Match with *', 200, () => ({ 'if-match': '*' })],
      ['If-None-Match with the ETag', 304, (etag) => ({ 'if-none-match': etag })],
      ['If-None-Match with a list', 304, (etag) => ({ 'if-none-match': `${other}, ${etag}` })],
      ['If-None-Match with another', 200, () => ({ 'if-none-match': other })],
      ['If-Modified-Since before the write', 200, () => ({ 'if-modified-since': before })],
      ['If-Unmodified-Since after the write', 200, () => ({ 'if-unmodified-since': after() })],
      ['If-Unmodified-Since before the write', 412, () => ({ 'if-unmodified-since': before })],
      ['If-Match true, If-Unmodified-Since false', 200, (etag) => ({ 'if-match': etag, 'if-unmodified-since': before })],
      ['If-None-Match false, If-Modified-Since true', 304, (etag) => ({ 'if-none-match': etag, 'if-modified-since': before })],
      ['a date that is none', 200, () => ({ 'if-unmodified-since': 'yesterday' })],
    ]
    test.each(cases)('%s answers %i', async (_name, status, headers) => {
      for (const method of ['GET', 'HEAD'] as const) {
        const { ETag, reply } = await get(method, headers)
        expect(reply.status).toBe(status)
        if (status === 304) {
          expect(reply.text).toBe('')
          expect(reply.headers.etag).toBe(ETag)
          expect(reply.headers['last-modified']).toBeTruthy()
        }
        if (status === 412 && method === 'GET') {
          expect(reply.element('Code')).toBe('PreconditionFailed')
          expect(reply.element('Condition')).toMatch(/^If-(Match|Unmodified-Since)$/)
        }
      }
    })

    test('an object not modified since its own Last-Modified answers 304', async () => {
      await s3.putObject({ Bucket, Key, Body: 'abc' })
      const head = await sendRaw(endpoint, { method: 'HEAD', path: `/${Bucket}/${Key}` })
      const since = { 'if-modified-since': head.headers['last-modified'] ?? '' }
      expect((await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, headers: since })).status).toBe(304)
    })
  })

  describe('conditional writes', () => {
    const Bucket = scratchBucket(s3)
    const versioned = scratchBucket(s3, { versioning: 'Enabled' })

    test('If-None-Match: * writes only where nothing is', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'first', IfNoneMatch: '*' })
      expect(await refusal(s3.putObject({ Bucket, Key, Body: 'second', IfNoneMatch: '*' }))).toMatchObject({
        code: 'PreconditionFailed',
        status: 412,
      })
      expect(await readText(s3, Bucket, Key)).toBe('first')
    })

    test('a delete marker counts as nothing', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket: versioned, Key, Body: 'first' })
      await s3.deleteObject({ Bucket: versioned, Key })
      await s3.putObject({ Bucket: versioned, Key, Body: 'second', IfNoneMatch: '*' })
      expect(await readText(s3, versioned, Key)).toBe('second')
    })

    test('of writers that race for a new key exactly one wins', async () => {
      const Key = newKey()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, writer) => s3.putObject({ Bucket, Key, Body: `writer ${writer}`, IfNoneMatch: '*' })),
      )
      const won = outcomes.flatMap((outcome, writer) => (outcome.status === 'fulfilled' ? [writer] : []))
      expect(won).toHaveLength(1)
      expect(await readText(s3, Bucket, Key)).toBe(`writer ${won[0]}`)
    })

    test('If-Match writes only over the version that was seen', async () => {
      const Key = newKey()
      const first = await s3.putObject({ Bucket, Key, Body: 'first' })
      const second = await s3.putObject({ Bucket, Key, Body: 'second', IfMatch: first.ETag })
      expect(second.ETag).toBeTruthy()
      expect(await refusal(s3.putObject({ Bucket, Key, Body: 'third', IfMatch: first.ETag }))).toMatchObject({
        code: 'PreconditionFailed',
        status: 412,
      })
      expect(await readText(s3, Bucket, Key)).toBe('second')
    })

    test('If-Match where nothing is answers NoSuchKey', async () => {
      const call = s3.putObject({ Bucket, Key: newKey(), Body: 'x', IfMatch: '"abc"' })
      expect(await refusal(call)).toMatchObject({ code: 'NoSuchKey', status: 404 })
    })

    // Amazon: "If-None-Match expects the '*' character". MinIO takes ETags too.
    test('If-None-Match with an ETag is not built at Amazon either', async () => {
      const reply = await sendRaw(endpoint, {
        method: 'PUT',
        path: `/${Bucket}/${newKey()}`,
        body: 'x',
        headers: { 'if-none-match': '"abc"' },
      })
      expect(reply.status).toBe(501)
      expect(reply.element('Code')).toBe('NotImplemented')
    })

    test('a delete goes through only if the ETag is the one named', async () => {
      const Key = newKey()
      const put = await s3.putObject({ Bucket, Key, Body: 'x' })
      expect(await refusal(s3.deleteObject({ Bucket, Key, IfMatch: '"00"' }))).toMatchObject({ code: 'PreconditionFailed', status: 412 })
      expect(await readText(s3, Bucket, Key)).toBe('x')
      await s3.deleteObject({ Bucket, Key, IfMatch: put.ETag })
      expect(await refusal(s3.headObject({ Bucket, Key }))).toMatchObject({ status: 404 })
    })

    // Amazon, of whatever is current: github.com/localstack/localstack/issues/13894, tried in us-east-1 in March 2026.
    test('a delete under a condition is of what is current: not of a version that is named, nor of nothing', async () => {
      const Key = newKey()
      const { ETag, VersionId } = await s3.putObject({ Bucket: versioned, Key, Body: 'x' })
      for (const IfMatch of [ETag, '*']) {
        const named = await refusal(s3.deleteObject({ Bucket: versioned, Key, VersionId, IfMatch }))
        expect(named).toMatchObject({ code: 'NotImplemented', status: 501, error: { Header: 'If-Match' } })
      }
      expect(await readText(s3, versioned, Key)).toBe('x')
      expect((await s3.deleteObject({ Bucket: versioned, Key, IfMatch: '*' })).DeleteMarker).toBe(true)
      for (const IfMatch of [ETag, '*'])
        expect(await refusal(s3.deleteObject({ Bucket: versioned, Key, IfMatch }))).toMatchObject({ code: 'NoSuchKey', status: 404 })
    })

    test('a multipart upload is completed only under its condition', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const part = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' })
      const parts = { Parts: [{ PartNumber: 1, ETag: part.ETag }] }
      const refused = s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: parts, IfNoneMatch: '*' })
      expect(await refusal(refused)).toMatchObject({ code: 'PreconditionFailed', status: 412 })
      expect(await readText(s3, Bucket, Key)).toBe('x')
      await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: parts })
      expect(await readText(s3, Bucket, Key)).toBe('part')
    })

    // Amazon S3 User Guide, "Conditional writes": a 409 asks for a new upload.
    test('a conditional completion conflicts with a write made after the upload began', async () => {
      const Key = newKey()
      const begin = async () => {
        const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
        const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' })
        return { Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }
      }
      const first = await s3.putObject({ Bucket, Key, Body: 'x' })
      const late = await begin()
      const second = await s3.putObject({ Bucket, Key, Body: 'y' })
      expect(await refusal(s3.completeMultipartUpload({ ...late, IfMatch: first.ETag }))).toMatchObject({ code: 'PreconditionFailed' })
      const conflict = await refusal(s3.completeMultipartUpload({ ...late, IfMatch: second.ETag }))
      expect(conflict).toMatchObject({ code: 'ConditionalRequestConflict', status: 409, error: { Condition: 'If-Match', Key } })
      await s3.completeMultipartUpload({ ...(await begin()), IfMatch: second.ETag })
      expect(await readText(s3, Bucket, Key)).toBe('part')
      await s3.completeMultipartUpload(late)
    })

    test('conditions that Amazon does not take are refused by name', async () => {
      const path = `/${Bucket}/${newKey()}`
      const put = (headers: Record<string, string>) => sendRaw(endpoint, { method: 'PUT', path, body: 'x', headers })
      const both = await put({ 'if-match': '"a"', 'if-none-match': '*' })
      expect(both.status).toBe(501)
      expect(both.element('Header')).toBe('If-Match,If-None-Match')
      expect(both.element('additionalMessage')).toBe('Multiple conditional request headers present in the request')
      for (const [name, value] of [
        ['If-Match', '*'],
        ['If-None-Match', '"a"'],
      ] as const) {
        const reply = await put({ [name.toLowerCase()]: value })
        expect([reply.status, reply.element('Header')]).toEqual([501, name])
      }
    })
  })
}
