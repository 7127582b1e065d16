/** Buckets. Source: Amazon S3 API Reference, CreateBucket, HeadBucket, DeleteBucket, ListBuckets, GetBucketLocation. */
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newBucketName, refusal, removeBucket, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function bucketTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('buckets', () => {
    const bucket = scratchBucket(s3)

    test('a new bucket is listed with its creation date and owner', async () => {
      const listed = await s3.listBuckets({})
      expect(listed.Buckets?.find((each) => each.Name === bucket)?.CreationDate).toBeInstanceOf(Date)
      expect(listed.Owner?.ID).toMatch(/^[0-9a-f]{64}$/)
    })

    test('buckets are listed in pages and by prefix', async () => {
      const stem = newBucketName()
      const names = ['a', 'b', 'c'].map((suffix) => `${stem}-${suffix}`)
      for (const name of names) await s3.createBucket({ Bucket: name })
      const first = await s3.listBuckets({ Prefix: stem, MaxBuckets: 2 })
      expect(first.Buckets?.map((each) => each.Name)).toEqual(names.slice(0, 2))
      expect(first.ContinuationToken).toBeTruthy()
      const second = await s3.listBuckets({ Prefix: stem, MaxBuckets: 2, ContinuationToken: first.ContinuationToken })
      expect(second.Buckets?.map((each) => each.Name)).toEqual(names.slice(2))
      expect(second.ContinuationToken).toBeUndefined()
      for (const name of names) await s3.deleteBucket({ Bucket: name })
    })

    test('the reply to creation names the location', async () => {
      const name = newBucketName()
      expect((await s3.createBucket({ Bucket: name })).Location).toBe(`/${name}`)
      await s3.deleteBucket({ Bucket: name })
    })

    test('HEAD answers 200 with the region, and 404 for a bucket that is not there', async () => {
      const head = await s3.headBucket({ Bucket: bucket })
      expect(head.BucketRegion).toBe(endpoint.region)
      expect(await refusal(s3.headBucket({ Bucket: newBucketName() }))).toMatchObject({ status: 404 })
    })

    // Amazon: 200 in us-east-1 only, for compatibility. MinIO answers 409 everywhere.
    test("creating one's own bucket again is harmless in us-east-1, refused elsewhere", async () => {
      const again = s3.createBucket({ Bucket: bucket })
      if (endpoint.region === 'us-east-1') await again
      else expect(await refusal(again)).toMatchObject({ code: 'BucketAlreadyOwnedByYou', status: 409 })
    })

    test.each(['ab', 'UPPER', 'under_score', 'dot..dot', '192.168.0.1', 'xn--punycode', '-dash', 'a'.repeat(64), 'name-s3alias'])(
      'the bucket name %s is refused',
      async (name) => {
        const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${name}` })
        expect(reply).toMatchObject({ status: 400 })
        expect(reply.element('Code')).toBe('InvalidBucketName')
      },
    )

    test('the location of a bucket in us-east-1 is empty', async () => {
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${bucket}`, query: 'location' })
      expect(reply.status).toBe(200)
      expect(reply.text).toContain('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"')
      expect(reply.element('LocationConstraint')).toBe(endpoint.region === 'us-east-1' ? '' : endpoint.region)
    })

    test('a location constraint that is not the region is refused', async () => {
      const body = '<CreateBucketConfiguration><LocationConstraint>mars-north-1</LocationConstraint></CreateBucketConfiguration>'
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${newBucketName()}`, body })
      expect(reply.status).toBe(400)
      expect(['InvalidLocationConstraint', 'IllegalLocationConstraintException']).toContain(reply.element('Code'))
    })

    // A reply quoted in github.com/versity/versitygw/issues/1644.
    test('a location constraint of nothing is none that there is', async () => {
      const body = '<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>'
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${newBucketName()}`, body })
      expect([reply.status, reply.element('Code')]).toEqual([400, 'InvalidLocationConstraint'])
    })

    test('a configuration that is not XML is refused', async () => {
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${newBucketName()}`, body: '<CreateBucketConf' })
      expect(reply.status).toBe(400)
      expect(reply.element('Code')).toBe('MalformedXML')
    })

    test('a bucket with an object in it is not deleted', async () => {
      const name = newBucketName()
      await s3.createBucket({ Bucket: name })
      await s3.putObject({ Bucket: name, Key: 'one', Body: 'x' })
      expect(await refusal(s3.deleteBucket({ Bucket: name }))).toMatchObject({ code: 'BucketNotEmpty', status: 409 })
      await removeBucket(s3, name)
      expect(await refusal(s3.listObjectsV2({ Bucket: name }))).toMatchObject({ code: 'NoSuchBucket', status: 404 })
    })

    test('a bucket that holds only a delete marker is not deleted', async () => {
      const name = newBucketName()
      await s3.createBucket({ Bucket: name })
      await s3.putBucketVersioning({ Bucket: name, VersioningConfiguration: { Status: 'Enabled' } })
      await s3.deleteObject({ Bucket: name, Key: 'nothing' })
      expect(await refusal(s3.deleteBucket({ Bucket: name }))).toMatchObject({ code: 'BucketNotEmpty' })
      await removeBucket(s3, name)
    })

    // Amazon lets uploads under way go with the bucket; MinIO too.
    test('a bucket with an upload under way is deleted', async () => {
      const name = newBucketName()
      await s3.createBucket({ Bucket: name })
      await s3.createMultipartUpload({ Bucket: name, Key: 'big' })
      await s3.deleteBucket({ Bucket: name })
      expect(await refusal(s3.headBucket({ Bucket: name }))).toMatchObject({ status: 404 })
    })

    test('every operation on a bucket that is not there answers NoSuchBucket', async () => {
      const Bucket = newBucketName()
      const calls = [
        () => s3.listObjects({ Bucket }),
        () => s3.listObjectVersions({ Bucket }),
        () => s3.listMultipartUploads({ Bucket }),
        () => s3.getBucketLocation({ Bucket }),
        () => s3.getBucketVersioning({ Bucket }),
        () => s3.getBucketTagging({ Bucket }),
        () => s3.deleteBucket({ Bucket }),
        () => s3.getObject({ Bucket, Key: 'k' }),
        () => s3.putObject({ Bucket, Key: 'k', Body: 'x' }),
        () => s3.deleteObject({ Bucket, Key: 'k' }),
        () => s3.createMultipartUpload({ Bucket, Key: 'k' }),
      ]
      for (const call of calls) expect(await refusal(call())).toMatchObject({ code: 'NoSuchBucket', status: 404 })
    })

    test('an error names the code, resource and request id, and the reply carries both ids', async () => {
      const name = newBucketName()
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${name}` })
      expect(reply.headers['content-type']).toBe('application/xml')
      expect(reply.text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>/)
      expect(reply.element('Code')).toBe('NoSuchBucket')
      expect(reply.element('BucketName')).toBe(name)
      expect(reply.element('Message')).toBe('The specified bucket does not exist')
      expect(reply.element('RequestId')).toBe(reply.headers['x-amz-request-id'])
      expect(reply.headers['x-amz-id-2']).toBeTruthy()
    })
  })
}
