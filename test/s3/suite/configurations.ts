/** What tools ask of a bucket that was never configured, and ACLs. Source: Amazon S3 API Reference, the operations. */
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function configurationTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('configurations that are not set', () => {
    const Bucket = scratchBucket(s3)

    test.each([
      ['policy', 'NoSuchBucketPolicy'],
      ['policyStatus', 'NoSuchBucketPolicy'],
      ['cors', 'NoSuchCORSConfiguration'],
      ['lifecycle', 'NoSuchLifecycleConfiguration'],
      ['replication', 'ReplicationConfigurationNotFoundError'],
      ['encryption', 'ServerSideEncryptionConfigurationNotFoundError'],
      ['website', 'NoSuchWebsiteConfiguration'],
      ['object-lock', 'ObjectLockConfigurationNotFoundError'],
      ['publicAccessBlock', 'NoSuchPublicAccessBlockConfiguration'],
      ['tagging', 'NoSuchTagSet'],
      ['inventory&id=x', 'NoSuchConfiguration'],
    ])('GET ?%s answers %s', async (query, code) => {
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}`, query })
      expect(reply.status).toBe(404)
      expect(reply.element('Code')).toBe(code)
    })

    test('logging, notifications, acceleration and listings of configurations are empty documents, and the owner pays', async () => {
      expect((await s3.getBucketLogging({ Bucket })).LoggingEnabled).toBeUndefined()
      expect((await s3.getBucketNotificationConfiguration({ Bucket })).QueueConfigurations).toBeUndefined()
      expect((await s3.getBucketAccelerateConfiguration({ Bucket })).Status).toBeUndefined()
      expect((await s3.getBucketRequestPayment({ Bucket })).Payer).toBe('BucketOwner')
      expect((await s3.listBucketInventoryConfigurations({ Bucket })).IsTruncated).toBe(false)
    })

    test('removing what was never set goes well', async () => {
      await s3.deleteBucketPolicy({ Bucket })
      await s3.deleteBucketCors({ Bucket })
      await s3.deleteBucketLifecycle({ Bucket })
      await s3.deletePublicAccessBlock({ Bucket })
    })

    test('a policy that cannot be obeyed is refused, not swallowed', async () => {
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}`, query: 'website', body: '<WebsiteConfiguration/>' })
      expect(reply.status).toBeGreaterThanOrEqual(400)
      expect(reply.element('Code')).toMatch(/^(NotImplemented|MalformedXML)$/)
    })
  })

  describe('access control lists', () => {
    const Bucket = scratchBucket(s3)

    test('the owner has full control of bucket and object', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      for (const acl of [await s3.getBucketAcl({ Bucket }), await s3.getObjectAcl({ Bucket, Key })]) {
        expect(acl.Grants).toHaveLength(1)
        expect(acl.Grants?.[0]).toMatchObject({ Permission: 'FULL_CONTROL', Grantee: { Type: 'CanonicalUser' } })
        expect(acl.Grants?.[0]?.Grantee?.ID).toBe(acl.Owner?.ID)
      }
    })

    test("a bucket says that everything is its owner's, until that is taken away", async () => {
      const told = async () =>
        (await s3.getBucketOwnershipControls({ Bucket })).OwnershipControls?.Rules?.map((rule) => rule.ObjectOwnership)
      const put = (ObjectOwnership: 'BucketOwnerEnforced' | 'ObjectWriter') =>
        s3.putBucketOwnershipControls({ Bucket, OwnershipControls: { Rules: [{ ObjectOwnership }] } })
      expect(await told()).toEqual(['BucketOwnerEnforced'])
      await s3.deleteBucketOwnershipControls({ Bucket })
      expect(await refusal(told())).toMatchObject({ code: 'OwnershipControlsNotFoundError', status: 404 })
      await put('BucketOwnerEnforced')
      expect(await told()).toEqual(['BucketOwnerEnforced'])
      expect(await refusal(put('ObjectWriter'))).toMatchObject({ code: 'NotImplemented', status: 501 })
      const two = '<OwnershipControls><Rule/><Rule/></OwnershipControls>'
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}`, query: 'ownershipControls', body: two })
      expect(reply.element('Code')).toBe('MalformedXML')
    })

    test('an ACL that says the same is taken, and any other refused', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x', ACL: 'bucket-owner-full-control' })
      await s3.putBucketAcl({ Bucket, ACL: 'private' })
      await s3.putObjectAcl({ Bucket, Key, ACL: 'private' })
      const { Owner, Grants } = await s3.getObjectAcl({ Bucket, Key })
      await s3.putObjectAcl({ Bucket, Key, AccessControlPolicy: { Owner, Grants } })
      expect(await refusal(s3.putBucketAcl({ Bucket, ACL: 'public-read' }))).toMatchObject({ code: 'NotImplemented', status: 501 })
      expect(await refusal(s3.putObjectAcl({ Bucket, Key, ACL: 'public-read' }))).toMatchObject({ code: 'NotImplemented', status: 501 })
      const unknown = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}`, query: 'acl', headers: { 'x-amz-acl': 'everybody' } })
      expect(unknown.status).toBe(400)
    })
  })
}
