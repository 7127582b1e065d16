/** Parts of objects. Sources: Amazon S3 API Reference, GetObject, "Range" and "partNumber"; RFC 9110, section 14. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bytesOf, connect, type Endpoint, newKey, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function rangeTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('ranges', () => {
    const Bucket = scratchBucket(s3)
    const body = randomBytes(300_000)

    test.each([
      ['bytes=0-0', 0, 1],
      ['bytes=5-9', 5, 10],
      ['bytes=131070-131075', 131_070, 131_076],
      ['bytes=299999-', 299_999, 300_000],
      ['bytes=100-999999', 100, 300_000],
      ['bytes=-10', 299_990, 300_000],
      ['bytes=-999999', 0, 300_000],
    ])('%s answers that part', async (Range, from, to) => {
      const Key = `range-${Range}`
      await s3.putObject({ Bucket, Key, Body: body })
      const got = await s3.getObject({ Bucket, Key, Range })
      expect(got.$metadata.httpStatusCode).toBe(206)
      expect(got.ContentRange).toBe(`bytes ${from}-${to - 1}/300000`)
      expect(got.ContentLength).toBe(to - from)
      expect((await bytesOf(got.Body)).equals(body.subarray(from, to))).toBe(true)
      const head = await s3.headObject({ Bucket, Key, Range })
      expect(head.$metadata.httpStatusCode).toBe(206)
      expect(head.ContentLength).toBe(to - from)
    })

    test.each(['bytes=300000-', 'bytes=999999-1000000', 'bytes=-0'])('%s cannot be satisfied', async (Range) => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: body })
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, headers: { range: Range } })
      expect(reply.status).toBe(416)
      expect(reply.element('Code')).toBe('InvalidRange')
      expect(reply.element('ActualObjectSize')).toBe('300000')
    })

    test.each(['bytes=9-5', 'bytes=a-b', 'lines=1-2', 'bytes=', 'bytes=0-1,5-6'])(
      '%s is no single range and the whole is sent',
      async (Range) => {
        const Key = newKey()
        await s3.putObject({ Bucket, Key, Body: 'the whole' })
        const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, headers: { range: Range } })
        expect(reply.status).toBe(200)
        expect(reply.text).toBe('the whole')
      },
    )

    test('a range is sent only of the object that If-Range names', async () => {
      const Key = newKey()
      const { ETag } = await s3.putObject({ Bucket, Key, Body: 'the whole' })
      const modified = (await s3.headObject({ Bucket, Key })).LastModified?.toUTCString()
      for (const [ifRange, text] of [
        [ETag, 'the'],
        [modified, 'the'],
        ['"another"', 'the whole'],
        [`W/${ETag}`, 'the whole'],
        ['Sat, 01 Jan 2000 00:00:00 GMT', 'the whole'],
      ] as const) {
        const headers = { range: 'bytes=0-2', 'if-range': ifRange ?? '' }
        const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, headers })
        expect([reply.status, reply.text]).toEqual([text === 'the' ? 206 : 200, text])
      }
    })

    test('the last bytes of an empty object are the whole of it', async () => {
      await s3.putObject({ Bucket, Key: 'empty', Body: '' })
      expect(await s3.getObject({ Bucket, Key: 'empty', Range: 'bytes=-5' })).toMatchObject({ ContentLength: 0 })
    })

    test('an empty object has no first byte', async () => {
      await s3.putObject({ Bucket, Key: 'empty', Body: '' })
      expect(await refusal(s3.getObject({ Bucket, Key: 'empty', Range: 'bytes=0-0' }))).toMatchObject({ code: 'InvalidRange', status: 416 })
    })

    test('part 1 of an object that was not uploaded in parts is the whole of it; there is no part 2', async () => {
      await s3.putObject({ Bucket, Key: 'one-part', Body: 'abc' })
      const got = await s3.getObject({ Bucket, Key: 'one-part', PartNumber: 1 })
      expect(got).toMatchObject({ ContentRange: 'bytes 0-2/3', ContentLength: 3 })
      expect(got.$metadata.httpStatusCode).toBe(206)
      expect(await refusal(s3.getObject({ Bucket, Key: 'one-part', PartNumber: 2 }))).toMatchObject({ status: 416 })
      expect(await refusal(s3.getObject({ Bucket, Key: 'one-part', PartNumber: 1, Range: 'bytes=0-1' }))).toMatchObject({
        code: 'InvalidRequest',
        status: 400,
      })
    })
  })
}
