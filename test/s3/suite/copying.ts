/** CopyObject. Source: Amazon S3 API Reference, CopyObject. */
import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bytesOf, connect, type Endpoint, MiB, newBucketName, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function copyTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('copying', () => {
    const Bucket = scratchBucket(s3)
    const other = scratchBucket(s3)
    const versioned = scratchBucket(s3, { versioning: 'Enabled' })

    test('a copy has the content, headers, metadata and tags of its source', async () => {
      const [from, to] = [newKey(), newKey()]
      const body = randomBytes(MiB + 3)
      const put = await s3.putObject({
        Bucket,
        Key: from,
        Body: body,
        ContentType: 'text/x-copy',
        CacheControl: 'no-store',
        Metadata: { colour: 'red' },
        Tagging: 'a=1&b=2',
      })
      const copied = await s3.copyObject({ Bucket: other, Key: to, CopySource: `${Bucket}/${from}` })
      expect(copied.CopyObjectResult?.ETag).toBe(put.ETag)
      expect(copied.CopyObjectResult?.LastModified).toBeInstanceOf(Date)
      const got = await s3.getObject({ Bucket: other, Key: to })
      expect(got).toMatchObject({ ContentType: 'text/x-copy', CacheControl: 'no-store', Metadata: { colour: 'red' }, TagCount: 2 })
      expect((await bytesOf(got.Body)).equals(body)).toBe(true)
    })

    test('a copy outlives its source', async () => {
      const [from, to] = [newKey(), newKey()]
      const body = randomBytes(300_000)
      await s3.putObject({ Bucket, Key: from, Body: body })
      await s3.copyObject({ Bucket, Key: to, CopySource: `/${Bucket}/${from}` })
      await s3.deleteObject({ Bucket, Key: from })
      expect((await bytesOf((await s3.getObject({ Bucket, Key: to })).Body)).equals(body)).toBe(true)
    })

    test('metadata and tags are replaced where the directives say so', async () => {
      const [from, to] = [newKey(), newKey()]
      await s3.putObject({ Bucket, Key: from, Body: 'x', ContentType: 'text/a', Metadata: { old: '1' }, Tagging: 'old=1' })
      await s3.copyObject({
        Bucket,
        Key: to,
        CopySource: `${Bucket}/${from}`,
        MetadataDirective: 'REPLACE',
        ContentType: 'text/b',
        Metadata: { new: '2' },
        TaggingDirective: 'REPLACE',
        Tagging: 'new=2',
      })
      expect(await s3.headObject({ Bucket, Key: to })).toMatchObject({ ContentType: 'text/b', Metadata: { new: '2' } })
      expect((await s3.getObjectTagging({ Bucket, Key: to })).TagSet).toEqual([{ Key: 'new', Value: '2' }])
    })

    test('an object is copied onto itself only when something changes', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', Metadata: { a: '1' } })
      const same = s3.copyObject({ Bucket, Key, CopySource: `${Bucket}/${Key}` })
      expect(await refusal(same)).toMatchObject({ code: 'InvalidRequest', status: 400 })
      await s3.copyObject({ Bucket, Key, CopySource: `${Bucket}/${Key}`, MetadataDirective: 'REPLACE', Metadata: { b: '2' } })
      expect((await s3.headObject({ Bucket, Key })).Metadata).toEqual({ b: '2' })
      expect(await readText(s3, Bucket, Key)).toBe('x')
    })

    test('keys of every sort can be the source, percent-encoded', async () => {
      for (const from of ['a b+c', 'ü/🦉', 'x?versionId=y', '100%']) {
        await s3.putObject({ Bucket, Key: from, Body: from })
        const to = newKey()
        const source = encodeURIComponent(from).replaceAll('%2F', '/')
        await s3.copyObject({ Bucket, Key: to, CopySource: `${Bucket}/${source}` })
        expect(await readText(s3, Bucket, to)).toBe(from)
      }
    })

    test('an older version is copied to the front', async () => {
      const Key = newKey()
      const first = await s3.putObject({ Bucket: versioned, Key, Body: 'one' })
      await s3.putObject({ Bucket: versioned, Key, Body: 'two' })
      const copied = await s3.copyObject({ Bucket: versioned, Key, CopySource: `${versioned}/${Key}?versionId=${first.VersionId}` })
      expect(copied.CopySourceVersionId).toBe(first.VersionId)
      expect(copied.VersionId).toBeTruthy()
      expect(await readText(s3, versioned, Key)).toBe('one')
    })

    test('a source that is not there, or deleted, is refused', async () => {
      const Key = newKey()
      expect(await refusal(s3.copyObject({ Bucket, Key, CopySource: `${Bucket}/${newKey()}` }))).toMatchObject({
        code: 'NoSuchKey',
        status: 404,
      })
      expect(await refusal(s3.copyObject({ Bucket, Key, CopySource: `${newBucketName()}/k` }))).toMatchObject({
        code: 'NoSuchBucket',
        status: 404,
      })
      const gone = newKey()
      const put = await s3.putObject({ Bucket: versioned, Key: gone, Body: 'x' })
      const marker = await s3.deleteObject({ Bucket: versioned, Key: gone })
      expect(await refusal(s3.copyObject({ Bucket, Key, CopySource: `${versioned}/${gone}` }))).toMatchObject({ code: 'NoSuchKey' })
      const named = s3.copyObject({ Bucket, Key, CopySource: `${versioned}/${gone}?versionId=${marker.VersionId}` })
      expect(await refusal(named)).toMatchObject({ code: 'InvalidRequest', status: 400 })
      await s3.copyObject({ Bucket, Key, CopySource: `${versioned}/${gone}?versionId=${put.VersionId}` })
      expect(await readText(s3, Bucket, Key)).toBe('x')
    })

    test.each(['no-slash-at-all', '/', 'UPPER/key', '%zz/key'])('the copy source %j is refused', async (source) => {
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, headers: { 'x-amz-copy-source': source } })
      expect(reply.status).toBe(400)
      expect(reply.element('Code')).toBe('InvalidArgument')
    })

    test('a source of another owner than expected is refused', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const headers = { 'x-amz-copy-source': `${Bucket}/${Key}`, 'x-amz-source-expected-bucket-owner': '000000000000' }
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, headers })
      expect([reply.status, reply.element('Code')]).toEqual([403, 'AccessDenied'])
    })

    test('a directive that is neither COPY nor REPLACE is refused', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      for (const name of ['x-amz-metadata-directive', 'x-amz-tagging-directive']) {
        const headers = { 'x-amz-copy-source': `${Bucket}/${Key}`, [name]: 'MERGE' }
        const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, headers })
        expect(reply.status).toBe(400)
        expect(reply.element('Code')).toBe('InvalidArgument')
      }
    })

    const past = new Date(Date.now() - 3_600_000)
    const soon = () => new Date(Date.now() + 60_000)
    test('the conditions on the source hold or refuse the copy', async () => {
      const Key = newKey()
      const { ETag } = await s3.putObject({ Bucket, Key, Body: 'x' })
      const CopySource = `${Bucket}/${Key}`
      const copy = (conditions: object) => s3.copyObject({ Bucket, Key: newKey(), CopySource, ...conditions })
      await copy({ CopySourceIfMatch: ETag })
      await copy({ CopySourceIfNoneMatch: '"00"' })
      await copy({ CopySourceIfModifiedSince: past })
      await copy({ CopySourceIfUnmodifiedSince: soon() })
      await copy({ CopySourceIfMatch: ETag, CopySourceIfUnmodifiedSince: past })
      const failing = [
        { CopySourceIfMatch: '"00"' },
        { CopySourceIfNoneMatch: ETag },
        { CopySourceIfUnmodifiedSince: past },
        { CopySourceIfNoneMatch: ETag, CopySourceIfModifiedSince: past },
      ]
      for (const conditions of failing) expect(await refusal(copy(conditions))).toMatchObject({ code: 'PreconditionFailed', status: 412 })
    })

    test('the copy carries the checksum of its source, or another that was asked for', async () => {
      const [from, to] = [newKey(), newKey()]
      const body = randomBytes(5000)
      await s3.putObject({ Bucket, Key: from, Body: body, ChecksumAlgorithm: 'SHA1' })
      await s3.copyObject({ Bucket, Key: to, CopySource: `${Bucket}/${from}` })
      const kept = await s3.headObject({ Bucket, Key: to, ChecksumMode: 'ENABLED' })
      expect(kept.ChecksumSHA1).toBe(createHash('sha1').update(body).digest('base64'))
      const asked = await s3.copyObject({ Bucket, Key: to, CopySource: `${Bucket}/${from}`, ChecksumAlgorithm: 'SHA256' })
      const sha256 = createHash('sha256').update(body).digest('base64')
      expect(asked.CopyObjectResult?.ChecksumSHA256).toBe(sha256)
      expect((await s3.headObject({ Bucket, Key: to, ChecksumMode: 'ENABLED' })).ChecksumSHA256).toBe(sha256)
    })
  })
}
