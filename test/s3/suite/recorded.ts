/**
 * Corners that no page of Amazon's describes, or not in full. Source: replies of Amazon S3 as recorded (and kept current) by LocalStack's tests,
 * tests/aws/services/s3/*.snapshot.json of github.com/localstack/localstack.
 */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newBucketName, newKey, readText, refusal, removeBucket, scratchBucket } from './endpoint.ts'
import { type RawRequest, sendRaw } from './raw.ts'

export function recordedTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)
  const raw = (method: string, path: string, more: Partial<RawRequest> = {}) => sendRaw(endpoint, { method, path, ...more })

  describe('null versions', () => {
    const Bucket = scratchBucket(s3, { versioning: 'Suspended' })

    test('a write while versioning is suspended names no version, a read and a copy say null', async () => {
      const Key = newKey()
      expect((await s3.putObject({ Bucket, Key, Body: 'x' })).VersionId).toBeUndefined()
      expect((await s3.headObject({ Bucket, Key })).VersionId).toBe('null')
      const copy = await s3.copyObject({ Bucket, Key: newKey(), CopySource: `${Bucket}/${Key}` })
      expect([copy.VersionId, copy.CopySourceVersionId]).toEqual(['null', undefined])
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const part = await s3.uploadPartCopy({ Bucket, Key, UploadId, PartNumber: 1, CopySource: `${Bucket}/${Key}` })
      expect(part.CopySourceVersionId).toBeUndefined()
      const parts = { Parts: [{ PartNumber: 1, ETag: part.CopyPartResult?.ETag }] }
      for (const _ of [1, 2]) {
        const completed = await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: parts })
        expect(completed.VersionId).toBeUndefined()
      }
    })
  })

  describe('buckets', () => {
    const Bucket = scratchBucket(s3)

    test('replies name the bucket as a resource', async () => {
      const arn = `arn:aws:s3:::${Bucket}`
      expect((await s3.headBucket({ Bucket })).BucketArn).toBe(arn)
      expect((await s3.listBuckets()).Buckets?.find((each) => each.Name === Bucket)?.BucketArn).toBe(arn)
      const created = newBucketName()
      expect((await s3.createBucket({ Bucket: created })).BucketArn).toBe(`arn:aws:s3:::${created}`)
      await removeBucket(s3, created)
    })

    test('a bucket made again with tags is not made again', async () => {
      const again = { Bucket, CreateBucketConfiguration: { Tags: [{ Key: 'a', Value: '1' }] } }
      expect(await refusal(s3.createBucket(again))).toMatchObject({ code: 'BucketAlreadyOwnedByYou', status: 409 })
      expect(await refusal(s3.getBucketTagging({ Bucket }))).toMatchObject({ code: 'NoSuchTagSet' })
    })

    test('the region us-east-1 is an element of nothing', async () => {
      if (endpoint.region !== 'us-east-1') return
      const reply = await raw('GET', `/${Bucket}`, { query: 'location' })
      expect(reply.text).toContain('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>')
    })

    test('an owner that is no account number is told back', async () => {
      const reply = await raw('GET', `/${Bucket}`, { query: 'location', headers: { 'x-amz-expected-bucket-owner': 'abcd' } })
      expect(reply.status).toBe(400)
      expect(reply.element('Code')).toBe('InvalidBucketOwnerAWSAccountID')
      expect(reply.element('Message')).toBe('The value of the expected bucket owner parameter must be an AWS Account ID... [abcd]')
    })

    test('an encoding type of nothing is none that there is', async () => {
      for (const query of ['encoding-type=', 'encoding-type=&list-type=2', 'encoding-type=&versions', 'encoding-type=&uploads']) {
        const reply = await raw('GET', `/${Bucket}`, { query })
        expect([reply.status, reply.element('Code'), reply.element('ArgumentName')]).toEqual([400, 'InvalidArgument', 'encoding-type'])
      }
    })

    test('an ACL that does not leave the owner full control is refused, not swallowed', async () => {
      const { Owner } = await s3.getBucketAcl({ Bucket })
      const bare = { Owner, Grants: [] }
      expect(await refusal(s3.putBucketAcl({ Bucket, AccessControlPolicy: bare }))).toMatchObject({ code: 'NotImplemented', status: 501 })
    })
  })

  describe('tags', () => {
    const Bucket = scratchBucket(s3, { versioning: 'Enabled' })

    test('an empty set of tags on a bucket is none', async () => {
      await s3.putBucketTagging({ Bucket, Tagging: { TagSet: [{ Key: 'a', Value: '' }] } })
      const body = '<Tagging/>'
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
      await raw('PUT', `/${Bucket}`, { query: 'tagging', body, headers })
      expect(await refusal(s3.getBucketTagging({ Bucket }))).toMatchObject({ code: 'NoSuchTagSet' })
    })

    test('what is reserved is said in other words of objects and buckets', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const Tagging = { TagSet: [{ Key: 'aws:a', Value: 'x' }] }
      expect((await refusal(s3.putObjectTagging({ Bucket, Key, Tagging }))).message).toBe('Your TagKey cannot be prefixed with aws:')
      expect((await refusal(s3.putBucketTagging({ Bucket, Tagging }))).message).toBe('System tags cannot be added/updated by requester')
    })

    test('a header of tags with a second equals sign is malformed', async () => {
      expect(await refusal(s3.putObject({ Bucket, Key: newKey(), Tagging: 'key1=val1,key2=val2' }))).toMatchObject({
        code: 'InvalidArgument',
      })
    })

    test('a current delete marker has no tags', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const { VersionId } = await s3.deleteObject({ Bucket, Key })
      const body = '<Tagging><TagSet/></Tagging>'
      for (const query of ['tagging', `tagging&versionId=${VersionId}`]) {
        for (const method of ['GET', 'PUT', 'DELETE']) {
          const reply = await raw(method, `/${Bucket}/${Key}`, { query, ...(method === 'PUT' && { body }) })
          expect(reply.status).toBe(405)
          expect([reply.element('Method'), reply.element('ResourceType')]).toEqual([method, 'DeleteMarker'])
        }
      }
    })
  })

  describe('reading', () => {
    const Bucket = scratchBucket(s3)

    test('a plus sign in the source of a copy is a blank', async () => {
      const [blank, plus, Key] = [`${newKey()} +`, `${newKey()}+`, newKey()]
      await s3.putObject({ Bucket, Key: blank, Body: 'blank' })
      await s3.putObject({ Bucket, Key: plus, Body: 'plus' })
      const copy = async (source: string) => {
        const headers = { 'x-amz-copy-source': `${Bucket}/${source}` }
        expect((await raw('PUT', `/${Bucket}/${Key}`, { headers })).status).toBe(200)
        return readText(s3, Bucket, Key)
      }
      expect(await copy(blank.replace(' ', '+').replace(/\+$/, '%2B'))).toBe('blank')
      expect(await copy(blank.replace(' ', '%20').replace('+', '%2B'))).toBe('blank')
      expect(await copy(plus.replace('+', '%2B'))).toBe('plus')
    })

    test.each(['%E2%82%AC', 'a%0D%0Ab'])('the value %s for a header of the reply is refused', async (value) => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const reply = await raw('GET', `/${Bucket}/${Key}`, { query: `response-cache-control=${value}` })
      expect([reply.status, reply.element('Code')]).toEqual([400, 'InvalidArgument'])
      expect(reply.element('Message')).toBe('Header value cannot be represented using ISO-8859-1.')
    })

    test('a date to come is no condition, also for copies', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const tomorrow = new Date(Date.now() + 86_400_000)
      expect((await s3.headObject({ Bucket, Key, IfModifiedSince: tomorrow })).ContentLength).toBe(1)
      await s3.copyObject({ Bucket, Key: newKey(), CopySource: `${Bucket}/${Key}`, CopySourceIfModifiedSince: tomorrow })
    })

    test('a range that is the whole comes with the checksum of the whole', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: '0123456789', ChecksumAlgorithm: 'CRC32' })
      for (const Range of ['bytes=0-100', 'bytes=-15', 'bytes=0-9']) {
        const reply = await s3.getObject({ Bucket, Key, Range, ChecksumMode: 'ENABLED' })
        expect([reply.ContentRange, reply.ChecksumCRC32]).toEqual(['bytes 0-9/10', 'poTHxg=='])
      }
      expect((await s3.getObject({ Bucket, Key, Range: 'bytes=0-8', ChecksumMode: 'ENABLED' })).ChecksumCRC32).toBeUndefined()
    })
  })

  describe('multipart', () => {
    const Bucket = scratchBucket(s3)

    async function completed(ChecksumType: 'COMPOSITE' | 'FULL_OBJECT', bodies: readonly string[]): Promise<string> {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key, ChecksumAlgorithm: 'CRC32', ChecksumType })
      const Parts = []
      for (const [i, Body] of bodies.entries()) {
        const part = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: i + 1, Body, ChecksumAlgorithm: 'CRC32' })
        Parts.push({ PartNumber: i + 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 })
      }
      await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } })
      return Key
    }
    const large = 'x'.repeat(5 * 1024 * 1024)

    test('a part comes with its checksum where the whole is made of those', async () => {
      const composite = await completed('COMPOSITE', [large, 'y'])
      const part = { Bucket, Key: composite, PartNumber: 2, ChecksumMode: 'ENABLED' } as const
      expect(await s3.headObject(part)).toMatchObject({ ChecksumType: 'COMPOSITE', ChecksumCRC32: '+9smFQ==' })
      const whole = await completed('FULL_OBJECT', [large, 'y'])
      const bare = await s3.headObject({ ...part, Key: whole })
      expect([bare.ChecksumType, bare.ChecksumCRC32]).toEqual([undefined, undefined])
      const only = await completed('FULL_OBJECT', ['y'])
      expect(await s3.headObject({ ...part, Key: only, PartNumber: 1 })).toMatchObject({
        ChecksumType: 'FULL_OBJECT',
        ChecksumCRC32: '+9smFQ==',
      })
      const parts = async (Key: string) => (await s3.getObjectAttributes({ Bucket, Key, ObjectAttributes: ['ObjectParts'] })).ObjectParts
      expect(await parts(composite)).toMatchObject({
        TotalPartsCount: 2,
        IsTruncated: false,
        Parts: [{ PartNumber: 1 }, { PartNumber: 2 }],
      })
      expect(await parts(whole)).toEqual({ TotalPartsCount: 2 })
    })

    test('a part is told the checksum that it stated, also in a trailer and in an upload made without one', async () => {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const reply = await raw('PUT', `/${Bucket}/${Key}`, {
        query: `partNumber=1&uploadId=${UploadId}`,
        contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        headers: { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '3', 'x-amz-trailer': 'x-amz-checksum-crc32c' },
        body: '3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:45fn2Q==\r\n\r\n',
      })
      expect([reply.status, reply.headers['x-amz-checksum-crc32c']]).toEqual([200, '45fn2Q=='])
    })

    test('completions at the same time all hear the same', async () => {
      for (let round = 0; round < 10; round++) {
        const Key = newKey()
        const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
        const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x' })
        const complete = () => s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } })
        const replies = await Promise.all(Array.from({ length: 8 }, complete))
        expect(new Set(replies.map((reply) => `${reply.ETag} ${reply.ChecksumCRC64NVME}`)).size).toBe(1)
      }
    })

    test('a completion without a document has no parts, if there is such an upload', async () => {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      expect(await refusal(s3.completeMultipartUpload({ Bucket, Key, UploadId }))).toMatchObject({
        code: 'InvalidRequest',
        message: 'You must specify at least one part',
      })
      expect(await refusal(s3.completeMultipartUpload({ Bucket, Key, UploadId: 'none' }))).toMatchObject({
        code: 'NoSuchUpload',
        status: 404,
      })
    })

    test('a checksum of the whole of another algorithm does not match', async () => {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key, ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' })
      const { ETag, ChecksumCRC32C } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x', ChecksumAlgorithm: 'CRC32C' })
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag, ChecksumCRC32C }] }
      const stated = s3.completeMultipartUpload({
        Bucket,
        Key,
        UploadId,
        MultipartUpload,
        ChecksumCRC32: 'AAAAAA==',
        ChecksumType: 'FULL_OBJECT',
      })
      expect(await refusal(stated)).toMatchObject({
        code: 'BadDigest',
        message: 'The crc32c you specified did not match the calculated checksum.',
      })
    })

    test('the mode of checksum is looked at before the parts', async () => {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x' })
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
      const stated = s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload, ChecksumType: 'FULL_OBJECT' })
      expect((await refusal(stated)).message).toBe(
        'The upload was created using the null checksum mode. The complete request must use the same checksum mode.',
      )
    })

    test('parts out of order are refused by the name of their upload', async () => {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const part = (number: number) => `<Part><PartNumber>${number}</PartNumber><ETag>"a"</ETag></Part>`
      const body = `<CompleteMultipartUpload>${part(2)}${part(1)}</CompleteMultipartUpload>`
      const reply = await raw('POST', `/${Bucket}/${Key}`, { query: `uploadId=${UploadId}`, body })
      expect([reply.element('Code'), reply.element('UploadId')]).toEqual(['InvalidPartOrder', UploadId])
    })

    test('a part cannot be copied from behind the end', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: '0123456789' })
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const copy = (CopySourceRange: string) =>
        s3.uploadPartCopy({ Bucket, Key, UploadId, PartNumber: 1, CopySource: `${Bucket}/${Key}`, CopySourceRange })
      expect(await refusal(copy('bytes=100-200'))).toMatchObject({
        code: 'InvalidRequest',
        message: 'The specified copy range is invalid for the source object size',
      })
      expect(await refusal(copy('bytes=0-100'))).toMatchObject({
        code: 'InvalidArgument',
        message: 'Range specified is not valid for source object of size: 10',
      })
    })

    test('a listing of uploads names its last one, and a marker must be an upload', async () => {
      const Prefix = newKey()
      const empty = await raw('GET', `/${Bucket}`, { query: `prefix=${Prefix}&uploads=` })
      expect(empty.text).toContain('<NextKeyMarker></NextKeyMarker><NextUploadIdMarker></NextUploadIdMarker>')
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: Prefix })
      expect(await s3.listMultipartUploads({ Bucket, Prefix })).toMatchObject({
        IsTruncated: false,
        NextKeyMarker: Prefix,
        NextUploadIdMarker: UploadId,
      })
      expect(await refusal(s3.listMultipartUploads({ Bucket, KeyMarker: Prefix, UploadIdMarker: 'none' }))).toMatchObject({
        code: 'InvalidArgument',
        message: 'Invalid uploadId marker',
      })
    })
  })

  describe('digests', () => {
    const Bucket = scratchBucket(s3)

    test('two checksums are one too many, whatever they are', async () => {
      const headers = { 'x-amz-checksum-crc32': 'nonsense', 'x-amz-checksum-sha1': 'nonsense' }
      const reply = await raw('PUT', `/${Bucket}/${newKey()}`, { headers, body: 'x' })
      expect([reply.status, reply.element('Message')]).toEqual([
        400,
        'Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.',
      ])
    })

    test('PutObject tells the expected MD5 in hexadecimal, UploadPart as it was sent', async () => {
      const md5 = createHash('md5').update('other').digest()
      const headers = { 'content-md5': md5.toString('base64') }
      const Key = newKey()
      const put = await raw('PUT', `/${Bucket}/${Key}`, { headers, body: 'x' })
      expect([put.element('Code'), put.element('ExpectedDigest')]).toEqual(['BadDigest', md5.toString('hex')])
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key })
      const part = await raw('PUT', `/${Bucket}/${Key}`, { query: `partNumber=1&uploadId=${UploadId}`, headers, body: 'x' })
      expect([part.element('Code'), part.element('ExpectedDigest')]).toEqual(['BadDigest', md5.toString('base64')])
    })
  })
}
