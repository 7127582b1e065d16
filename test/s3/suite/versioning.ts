/** Versions, null versions and delete markers. Source: Amazon S3 User Guide, "Using versioning in S3 buckets". */
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function versioningTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('versioning', () => {
    const Bucket = scratchBucket(s3, { versioning: 'Enabled' })
    const plain = scratchBucket(s3)

    test('a bucket never versioned says nothing of a status, and one that was says which', async () => {
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${plain}`, query: 'versioning' })
      expect(reply.status).toBe(200)
      expect(reply.text).not.toContain('<Status>')
      expect((await s3.getBucketVersioning({ Bucket })).Status).toBe('Enabled')
    })

    test('a versioning status that is neither Enabled nor Suspended is refused', async () => {
      const body = '<VersioningConfiguration><Status>Off</Status></VersioningConfiguration>'
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${plain}`, query: 'versioning', body })
      expect(reply.status).toBe(400)
      expect(['MalformedXML', 'IllegalVersioningConfigurationException']).toContain(reply.element('Code'))
    })

    test('a document without a status is refused', async () => {
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${plain}`, query: 'versioning', body: '<VersioningConfiguration/>' })
      expect(reply.status).toBe(400)
      expect(['MalformedXML', 'IllegalVersioningConfigurationException']).toContain(reply.element('Code'))
    })

    test('no version id is told in a bucket that was never versioned, and the version named null is there', async () => {
      const Key = newKey()
      expect((await s3.putObject({ Bucket: plain, Key, Body: 'one' })).VersionId).toBeUndefined()
      expect((await s3.getObject({ Bucket: plain, Key })).VersionId).toBeUndefined()
      expect(await readText(s3, plain, Key, 'null')).toBe('one')
    })

    test('each write is a version of its own, and each is read by its id', async () => {
      const Key = newKey()
      const first = await s3.putObject({ Bucket, Key, Body: 'one' })
      const second = await s3.putObject({ Bucket, Key, Body: 'two' })
      expect(first.VersionId).not.toBe(second.VersionId)
      expect(await readText(s3, Bucket, Key)).toBe('two')
      expect(await readText(s3, Bucket, Key, first.VersionId)).toBe('one')
      expect((await s3.headObject({ Bucket, Key })).VersionId).toBe(second.VersionId)
    })

    test('a delete leaves a marker; removing the marker brings the object back', async () => {
      const Key = newKey()
      const put = await s3.putObject({ Bucket, Key, Body: 'one' })
      const marker = await s3.deleteObject({ Bucket, Key })
      expect(marker.DeleteMarker).toBe(true)
      expect(marker.VersionId).toBeTruthy()
      const hidden = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}` })
      expect(hidden.status).toBe(404)
      expect(hidden.element('Code')).toBe('NoSuchKey')
      expect(hidden.headers['x-amz-delete-marker']).toBe('true')
      expect(hidden.headers['x-amz-version-id']).toBe(marker.VersionId)
      expect(await readText(s3, Bucket, Key, put.VersionId)).toBe('one')
      const removed = await s3.deleteObject({ Bucket, Key, VersionId: marker.VersionId })
      expect(removed.DeleteMarker).toBe(true)
      expect(removed.VersionId).toBe(marker.VersionId)
      expect(await readText(s3, Bucket, Key)).toBe('one')
    })

    test('a marker that is named cannot be read', async () => {
      const Key = newKey()
      const marker = await s3.deleteObject({ Bucket, Key })
      const query = `versionId=${marker.VersionId}`
      const got = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, query })
      expect(got.status).toBe(405)
      expect(got.element('Code')).toBe('MethodNotAllowed')
      expect(got.headers.allow).toBe('DELETE')
      expect(got.headers['x-amz-delete-marker']).toBe('true')
      expect(got.headers['last-modified']).toBeTruthy()
      expect((await sendRaw(endpoint, { method: 'HEAD', path: `/${Bucket}/${Key}`, query })).status).toBe(405)
    })

    test('removing a version that is not there is no error, and removing one is for good', async () => {
      const Key = newKey()
      const first = await s3.putObject({ Bucket, Key, Body: 'one' })
      const second = await s3.putObject({ Bucket, Key, Body: 'two' })
      const removed = await s3.deleteObject({ Bucket, Key, VersionId: second.VersionId })
      expect(removed.VersionId).toBe(second.VersionId)
      expect(removed.DeleteMarker).toBeUndefined()
      expect(await readText(s3, Bucket, Key)).toBe('one')
      await s3.deleteObject({ Bucket, Key, VersionId: second.VersionId })
      expect(await refusal(s3.getObject({ Bucket, Key, VersionId: second.VersionId }))).toMatchObject({
        code: 'NoSuchVersion',
        status: 404,
      })
      expect(await readText(s3, Bucket, Key, first.VersionId)).toBe('one')
    })

    test('a version id that no version has is refused', async () => {
      const Key = newKey()
      const put = await s3.putObject({ Bucket, Key, Body: 'one' })
      const other = await s3.putObject({ Bucket, Key: newKey(), Body: 'two' })
      expect(await refusal(s3.getObject({ Bucket, Key, VersionId: other.VersionId }))).toMatchObject({ code: 'NoSuchVersion', status: 404 })
      const empty = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}/${Key}`, query: 'versionId=' })
      expect(empty.status).toBe(400)
      expect(empty.element('Code')).toBe('InvalidArgument')
      for (const method of ['GET', 'DELETE']) {
        const odd = await sendRaw(endpoint, { method, path: `/${Bucket}/${Key}`, query: 'versionId=a%0D%0Ab' })
        expect([odd.status, odd.element('Message')]).toEqual([400, 'Invalid version id specified'])
      }
      expect(put.VersionId).toBeTruthy()
    })
  })

  describe('suspended versioning', () => {
    const Bucket = scratchBucket(s3, { versioning: 'Enabled' })

    test('writes replace the null version and keep the others', async () => {
      const Key = newKey()
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })
      const kept = await s3.putObject({ Bucket, Key, Body: 'kept' })
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })
      await s3.putObject({ Bucket, Key, Body: 'null one' })
      await s3.putObject({ Bucket, Key, Body: 'null two' })
      const listed = await s3.listObjectVersions({ Bucket, Prefix: Key })
      expect(listed.Versions?.map((each) => [each.VersionId, each.IsLatest])).toEqual([
        ['null', true],
        [kept.VersionId, false],
      ])
      expect(await readText(s3, Bucket, Key, 'null')).toBe('null two')
    })

    test('a delete replaces the null version by a null marker', async () => {
      const Key = newKey()
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })
      await s3.putObject({ Bucket, Key, Body: 'gone' })
      const marker = await s3.deleteObject({ Bucket, Key })
      expect(marker).toMatchObject({ DeleteMarker: true, VersionId: 'null' })
      const listed = await s3.listObjectVersions({ Bucket, Prefix: Key })
      expect(listed.Versions).toBeUndefined()
      expect(listed.DeleteMarkers?.map((each) => each.VersionId)).toEqual(['null'])
    })

    test('a null version from before stays under its name when versioning is switched on', async () => {
      const Key = newKey()
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })
      await s3.putObject({ Bucket, Key, Body: 'from before' })
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })
      await s3.putObject({ Bucket, Key, Body: 'after' })
      expect(await readText(s3, Bucket, Key, 'null')).toBe('from before')
      expect(await readText(s3, Bucket, Key)).toBe('after')
      await s3.deleteObject({ Bucket, Key, VersionId: 'null' })
      expect(await refusal(s3.getObject({ Bucket, Key, VersionId: 'null' }))).toMatchObject({ code: 'NoSuchVersion' })
      expect(await readText(s3, Bucket, Key)).toBe('after')
    })
  })
}
