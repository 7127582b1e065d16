/** Buckets named by the host. Source: Amazon S3 User Guide, "Virtual hosting of buckets". */
import { afterAll, expect, test } from 'vitest'
import { startServer } from './start-server.ts'
import { connect, newBucketName } from './suite/endpoint.ts'
import { sendRaw } from './suite/raw.ts'

const { endpoint, stop } = await startServer()
const s3 = connect(endpoint)
afterAll(stop)

test('a bucket is reached by its own host name, and by its path', async () => {
  const bucket = newBucketName()
  await s3.createBucket({ Bucket: bucket })
  const host = `${bucket}.localhost:${new URL(endpoint.endpoint).port}`
  expect((await sendRaw(endpoint, { method: 'PUT', path: '/a/key', body: 'hosted', headers: { host } })).status).toBe(200)
  expect((await sendRaw(endpoint, { method: 'GET', path: '/a/key', headers: { host } })).text).toBe('hosted')
  expect((await sendRaw(endpoint, { method: 'GET', path: `/${bucket}/a/key` })).text).toBe('hosted')
  const listed = await sendRaw(endpoint, { method: 'GET', path: '/', query: 'list-type=2', headers: { host } })
  expect(listed.element('Key')).toBe('a/key')
})

test('an uploaded object is told by the address it was uploaded to', async () => {
  const Bucket = newBucketName()
  await s3.createBucket({ Bucket })
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: 'a b' })
  const { ETag } = await s3.uploadPart({ Bucket, Key: 'a b', UploadId, PartNumber: 1, Body: 'x' })
  const done = await s3.completeMultipartUpload({ Bucket, Key: 'a b', UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } })
  expect(done.Location).toBe(`${endpoint.endpoint}/${Bucket}/a%20b`)
})
