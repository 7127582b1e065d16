/** Multipart uploads. Sources: Amazon S3 API Reference, the pages of the operations; User Guide, "Amazon S3 multipart upload limits". */
import { createHash, randomBytes } from 'node:crypto'
import { Upload } from '@aws-sdk/lib-storage'
import { describe, expect, test } from 'vitest'
import { bytesOf, connect, type Endpoint, MiB, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

const etagOfParts = (parts: readonly Buffer[]): string => {
  const md5s = Buffer.concat(parts.map((part) => createHash('md5').update(part).digest()))
  return `"${createHash('md5').update(md5s).digest('hex')}-${parts.length}"`
}

export function multipartTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('multipart uploads', () => {
    const Bucket = scratchBucket(s3)
    const versioned = scratchBucket(s3, { versioning: 'Enabled' })
    const big = [randomBytes(5 * MiB), randomBytes(5 * MiB), randomBytes(1234)]

    const begin = async (Key: string, more: object = {}) => (await s3.createMultipartUpload({ Bucket, Key, ...more })).UploadId ?? ''
    const send = async (Key: string, UploadId: string, PartNumber: number, Body: Buffer | string) => {
      const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber, Body })
      return { PartNumber, ETag }
    }
    const finish = (Key: string, UploadId: string, Parts: { PartNumber: number; ETag: string | undefined }[]) =>
      s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } })

    test('the parts become one object, in their order, with what the upload was begun with', async () => {
      const Key = newKey()
      const UploadId = await begin(Key, { ContentType: 'text/parts', Metadata: { a: '1' }, Tagging: 'x=y' })
      const parts = []
      for (const [index, body] of [...big.entries()].reverse()) parts.unshift(await send(Key, UploadId, index + 1, body))
      const done = await finish(Key, UploadId, parts)
      expect(done).toMatchObject({ Bucket, Key, ETag: etagOfParts(big) })
      expect(done.Location).toContain(Key)
      const got = await s3.getObject({ Bucket, Key })
      expect(got).toMatchObject({ ContentType: 'text/parts', Metadata: { a: '1' }, TagCount: 1, ETag: etagOfParts(big) })
      expect((await bytesOf(got.Body)).equals(Buffer.concat(big))).toBe(true)
      const across = await s3.getObject({ Bucket, Key, Range: `bytes=${5 * MiB - 10}-${5 * MiB + 9}` })
      expect((await bytesOf(across.Body)).equals(Buffer.concat(big).subarray(5 * MiB - 10, 5 * MiB + 10))).toBe(true)

      const second = await s3.getObject({ Bucket, Key, PartNumber: 2 })
      expect(second).toMatchObject({
        PartsCount: 3,
        ContentLength: 5 * MiB,
        ContentRange: `bytes ${5 * MiB}-${10 * MiB - 1}/${10 * MiB + 1234}`,
      })
      expect((await bytesOf(second.Body)).equals(big[1] ?? Buffer.alloc(0))).toBe(true)
      expect(await s3.headObject({ Bucket, Key, PartNumber: 3 })).toMatchObject({ PartsCount: 3, ContentLength: 1234 })
      expect(await refusal(s3.getObject({ Bucket, Key, PartNumber: 4 }))).toMatchObject({ code: 'InvalidPartNumber', status: 416 })
      const attributes = await s3.getObjectAttributes({ Bucket, Key, ObjectAttributes: ['ObjectParts', 'ObjectSize'] })
      expect(attributes).toMatchObject({ ObjectSize: 10 * MiB + 1234, ObjectParts: { TotalPartsCount: 3 } })

      const copy = newKey()
      await s3.copyObject({ Bucket, Key: copy, CopySource: `${Bucket}/${Key}` })
      await s3.deleteObject({ Bucket, Key })
      expect((await bytesOf((await s3.getObject({ Bucket, Key: copy })).Body)).equals(Buffer.concat(big))).toBe(true)
    })

    test('an upload that was completed answers the same when it is completed again', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      const parts = [await send(Key, UploadId, 1, 'small')]
      const first = await finish(Key, UploadId, parts)
      const second = await finish(Key, UploadId, parts)
      expect(second.ETag).toBe(first.ETag)
      expect(await readText(s3, Bucket, Key)).toBe('small')
    })

    test('a part uploaded anew takes the place of the one before', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      const stale = await send(Key, UploadId, 1, 'stale')
      const fresh = await send(Key, UploadId, 1, 'fresh')
      expect(await refusal(finish(Key, UploadId, [stale]))).toMatchObject({ code: 'InvalidPart', status: 400 })
      await finish(Key, UploadId, [fresh])
      expect(await readText(s3, Bucket, Key)).toBe('fresh')
    })

    test('parts that were uploaded and are not listed are left out', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      await send(Key, UploadId, 1, 'left out')
      const kept = await send(Key, UploadId, 7, 'kept')
      await finish(Key, UploadId, [kept])
      expect(await readText(s3, Bucket, Key)).toBe('kept')
    })

    test('what cannot be completed is refused and can still be completed rightly', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      const one = await send(Key, UploadId, 1, 'too small')
      const two = await send(Key, UploadId, 2, 'last')
      expect(await refusal(finish(Key, UploadId, [one, two]))).toMatchObject({ code: 'EntityTooSmall', status: 400 })
      expect(await refusal(finish(Key, UploadId, [two, one]))).toMatchObject({ code: 'InvalidPartOrder', status: 400 })
      expect(await refusal(finish(Key, UploadId, [one, { PartNumber: 3, ETag: one.ETag }]))).toMatchObject({ code: 'InvalidPart' })
      expect(await refusal(finish(Key, UploadId, [{ PartNumber: 1, ETag: two.ETag }]))).toMatchObject({ code: 'InvalidPart' })
      expect(await refusal(finish(Key, UploadId, []))).toMatchObject({ code: 'MalformedXML', status: 400 })
      await finish(Key, UploadId, [one])
      expect(await readText(s3, Bucket, Key)).toBe('too small')
    })

    test('an aborted upload is gone with its parts', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      const one = await send(Key, UploadId, 1, 'x')
      await s3.abortMultipartUpload({ Bucket, Key, UploadId })
      const calls = [
        () => finish(Key, UploadId, [one]),
        () => send(Key, UploadId, 1, 'x'),
        () => s3.listParts({ Bucket, Key, UploadId }),
        () => s3.abortMultipartUpload({ Bucket, Key, UploadId }),
      ]
      for (const call of calls) expect(await refusal(call())).toMatchObject({ code: 'NoSuchUpload', status: 404 })
      expect(await refusal(s3.headObject({ Bucket, Key }))).toMatchObject({ status: 404 })
    })

    test('an upload belongs to its key', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      expect(await refusal(send(newKey(), UploadId, 1, 'x'))).toMatchObject({ code: 'NoSuchUpload' })
      expect(await refusal(send(Key, 'never-given-out', 1, 'x'))).toMatchObject({ code: 'NoSuchUpload' })
    })

    test.each(['0', '10001', '-1', 'one'])('the part number %s is refused', async (number) => {
      const Key = newKey()
      const UploadId = await begin(Key)
      const reply = await sendRaw(endpoint, {
        method: 'PUT',
        path: `/${Bucket}/${Key}`,
        query: `partNumber=${number}&uploadId=${UploadId}`,
        body: 'x',
      })
      expect(reply.status).toBe(400)
      expect(reply.element('Code')).toBe('InvalidArgument')
    })

    test('parts are listed in pages', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      for (const number of [1, 2, 5]) await send(Key, UploadId, number, `part ${number}`)
      const all = await s3.listParts({ Bucket, Key, UploadId })
      expect(all).toMatchObject({ Bucket, Key, UploadId, IsTruncated: false, MaxParts: 1000, StorageClass: 'STANDARD' })
      expect(all.Parts?.map((part) => [part.PartNumber, part.Size])).toEqual([
        [1, 6],
        [2, 6],
        [5, 6],
      ])
      expect(all.Parts?.[0]?.ETag).toBe(`"${createHash('md5').update('part 1').digest('hex')}"`)
      const page = await s3.listParts({ Bucket, Key, UploadId, MaxParts: 2 })
      expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '2' })
      const next = await s3.listParts({ Bucket, Key, UploadId, MaxParts: 2, PartNumberMarker: page.NextPartNumberMarker })
      expect(next.Parts?.map((part) => part.PartNumber)).toEqual([5])
    })

    test('a part is copied from an object, or from a range of it', async () => {
      const source = newKey()
      const body = Buffer.concat([big[0] ?? Buffer.alloc(0), Buffer.from('the end')])
      const put = await s3.putObject({ Bucket, Key: source, Body: body })
      const Key = newKey()
      const UploadId = await begin(Key)
      const CopySource = `${Bucket}/${source}`
      const whole = await s3.uploadPartCopy({ Bucket, Key, UploadId, PartNumber: 1, CopySource })
      expect(whole.CopyPartResult?.ETag).toBe(put.ETag)
      const CopySourceRange = `bytes=${5 * MiB}-${5 * MiB + 6}`
      const range = await s3.uploadPartCopy({ Bucket, Key, UploadId, PartNumber: 2, CopySource, CopySourceRange })
      expect(range.CopyPartResult?.ETag).toBe(`"${createHash('md5').update('the end').digest('hex')}"`)
      await s3.deleteObject({ Bucket, Key: source })
      await finish(Key, UploadId, [
        { PartNumber: 1, ETag: whole.CopyPartResult?.ETag },
        { PartNumber: 2, ETag: range.CopyPartResult?.ETag },
      ])
      const got = await bytesOf((await s3.getObject({ Bucket, Key })).Body)
      expect(got.equals(Buffer.concat([body, Buffer.from('the end')]))).toBe(true)
    })

    // s3fs-fuse renames a large file so: the upload that takes the copied parts says that its metadata is its own, which is so of every upload.
    test('an upload may say that it replaces the metadata of what will be copied into it', async () => {
      const [source, Key] = [newKey(), newKey()]
      await s3.putObject({ Bucket, Key: source, Body: 'copied', Metadata: { mode: 'old' } })
      const headers = { 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-mode': 'new' }
      const begun = await sendRaw(endpoint, { method: 'POST', path: `/${Bucket}/${Key}`, query: 'uploads=', headers })
      expect(begun.status).toBe(200)
      const UploadId = begun.element('UploadId') ?? ''
      const part = await s3.uploadPartCopy({ Bucket, Key, UploadId, PartNumber: 1, CopySource: `${Bucket}/${source}` })
      await finish(Key, UploadId, [{ PartNumber: 1, ETag: part.CopyPartResult?.ETag }])
      const got = await s3.headObject({ Bucket, Key })
      expect(got.Metadata).toEqual({ mode: 'new' })
      expect(await readText(s3, Bucket, Key)).toBe('copied')
    })

    test.each(['bytes=0-999', 'bytes=5-', 'bytes=-5', 'bytes=3-1', '0-1'])(
      'the copy range %s of an object of 5 bytes is refused',
      async (range) => {
        const [source, Key] = [newKey(), newKey()]
        await s3.putObject({ Bucket, Key: source, Body: 'small' })
        const UploadId = await begin(Key)
        const call = s3.uploadPartCopy({ Bucket, Key, UploadId, PartNumber: 1, CopySource: `${Bucket}/${source}`, CopySourceRange: range })
        const { code, status } = await refusal(call)
        expect(['InvalidArgument', 'InvalidRange']).toContain(code)
        expect([400, 416]).toContain(status)
      },
    )

    test('uploads are listed by key, in pages, with prefix and delimiter', async () => {
      const stem = newKey()
      const ids = new Map<string, string>()
      for (const key of [`${stem}/a`, `${stem}/b/1`, `${stem}/b/2`, `${stem}/c`]) ids.set(key, await begin(key))
      const all = await s3.listMultipartUploads({ Bucket, Prefix: stem })
      expect(all.Uploads?.map((each) => [each.Key, each.UploadId])).toEqual([...ids])
      expect(all.Uploads?.[0]?.Initiated).toBeInstanceOf(Date)
      const folded = await s3.listMultipartUploads({ Bucket, Prefix: `${stem}/`, Delimiter: '/' })
      expect(folded.Uploads?.map((each) => each.Key)).toEqual([`${stem}/a`, `${stem}/c`])
      expect(folded.CommonPrefixes).toEqual([{ Prefix: `${stem}/b/` }])
      const page = await s3.listMultipartUploads({ Bucket, Prefix: stem, MaxUploads: 2 })
      expect(page).toMatchObject({ IsTruncated: true, NextKeyMarker: `${stem}/b/1` })
      const next = await s3.listMultipartUploads({
        Bucket,
        Prefix: stem,
        KeyMarker: page.NextKeyMarker,
        UploadIdMarker: page.NextUploadIdMarker,
      })
      expect(next.Uploads?.map((each) => each.Key)).toEqual([`${stem}/b/2`, `${stem}/c`])
    })

    test('several uploads of one key live side by side', async () => {
      const Key = newKey()
      const [one, two] = [await begin(Key), await begin(Key)]
      expect(one).not.toBe(two)
      const parts = [await send(Key, two, 1, 'two')]
      await finish(Key, two, parts)
      const left = await s3.listMultipartUploads({ Bucket, Prefix: Key })
      expect(left.Uploads?.map((each) => each.UploadId)).toEqual([one])
    })

    test('in a versioned bucket the object gets a version of its own', async () => {
      const Key = newKey()
      const before = await s3.putObject({ Bucket: versioned, Key, Body: 'before' })
      const { UploadId } = await s3.createMultipartUpload({ Bucket: versioned, Key })
      const part = await s3.uploadPart({ Bucket: versioned, Key, UploadId, PartNumber: 1, Body: 'after' })
      const done = await s3.completeMultipartUpload({
        Bucket: versioned,
        Key,
        UploadId,
        MultipartUpload: { Parts: [{ PartNumber: 1, ETag: part.ETag }] },
      })
      expect(done.VersionId).toBeTruthy()
      expect(await readText(s3, versioned, Key)).toBe('after')
      expect(await readText(s3, versioned, Key, before.VersionId)).toBe('before')
    })

    test('the size of the whole, if stated, must be right', async () => {
      const Key = newKey()
      const UploadId = await begin(Key)
      const Parts = [await send(Key, UploadId, 1, 'five.')]
      const call = (MpuObjectSize: number) =>
        s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts }, MpuObjectSize })
      expect(await refusal(call(6))).toMatchObject({ code: 'InvalidRequest', status: 400 })
      await call(5)
      expect(await readText(s3, Bucket, Key)).toBe('five.')
    })

    test("the SDK's managed upload of 12 MiB arrives whole", async () => {
      const Key = newKey()
      const body = randomBytes(12 * MiB)
      await new Upload({ client: s3, params: { Bucket, Key, Body: body }, partSize: 5 * MiB, queueSize: 3 }).done()
      expect((await bytesOf((await s3.getObject({ Bucket, Key })).Body)).equals(body)).toBe(true)
    })
  })
}
