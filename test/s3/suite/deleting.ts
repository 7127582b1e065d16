/** DeleteObjects. Source: Amazon S3 API Reference, DeleteObjects. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, readText, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

export function deletingTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('deleting many', () => {
    const Bucket = scratchBucket(s3)
    const versioned = scratchBucket(s3, { versioning: 'Enabled' })
    const post = (body: string, headers: Record<string, string> = { 'content-md5': createHash('md5').update(body).digest('base64') }) =>
      sendRaw(endpoint, { method: 'POST', path: `/${Bucket}`, query: 'delete', body, headers })

    test('all that are named are gone, also those that were not there', async () => {
      const keys = [newKey(), newKey(), newKey()]
      for (const Key of keys.slice(1)) await s3.putObject({ Bucket, Key, Body: 'x' })
      const reply = await s3.deleteObjects({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } })
      expect(reply.Deleted?.map((each) => each.Key).sort()).toEqual([...keys].sort())
      expect(reply.Errors).toBeUndefined()
      for (const Key of keys) expect(await refusal(s3.headObject({ Bucket, Key }))).toMatchObject({ status: 404 })
    })

    test('a quiet delete tells only errors', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: 'x' })
      const reply = await s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key }], Quiet: true } })
      expect(reply.Deleted).toBeUndefined()
      expect(await refusal(s3.headObject({ Bucket, Key }))).toMatchObject({ status: 404 })
    })

    test('markers are made and named, and versions removed', async () => {
      const Key = newKey()
      const put = await s3.putObject({ Bucket: versioned, Key, Body: 'x' })
      const hidden = await s3.deleteObjects({ Bucket: versioned, Delete: { Objects: [{ Key }] } })
      expect(hidden.Deleted?.[0]).toMatchObject({ Key, DeleteMarker: true })
      const marker = hidden.Deleted?.[0]?.DeleteMarkerVersionId
      expect(marker).toBeTruthy()
      const removed = await s3.deleteObjects({ Bucket: versioned, Delete: { Objects: [{ Key, VersionId: marker }] } })
      expect(removed.Deleted?.[0]).toEqual({ Key, VersionId: marker, DeleteMarker: true, DeleteMarkerVersionId: marker })
      expect(await readText(s3, versioned, Key)).toBe('x')
      await s3.deleteObjects({ Bucket: versioned, Delete: { Objects: [{ Key, VersionId: put.VersionId }] } })
      expect((await s3.listObjectVersions({ Bucket: versioned, Prefix: Key })).Versions).toBeUndefined()
    })

    test('markup and odd characters in keys go through', async () => {
      const keys = ['<&>"\'', 'a b', 'ü', '🦉', 'a//b']
      for (const Key of keys) await s3.putObject({ Bucket, Key, Body: 'x' })
      await s3.deleteObjects({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } })
      expect((await s3.listObjectsV2({ Bucket })).KeyCount).toBe(0)
    })

    test('a thousand go at once, and one more is refused', async () => {
      const rows = Array.from({ length: 1000 }, (_, row) => ({ Key: `row-${row}` }))
      expect((await s3.deleteObjects({ Bucket, Delete: { Objects: rows } })).Deleted).toHaveLength(1000)
      const more = s3.deleteObjects({ Bucket, Delete: { Objects: [...rows, { Key: 'one-more' }] } })
      expect(await refusal(more)).toMatchObject({ code: 'MalformedXML', status: 400 })
    })

    // Amazon asks for Content-MD5 or a checksum. MinIO has given that up.
    test('a request without a digest is refused', async () => {
      const reply = await post('<Delete><Object><Key>k</Key></Object></Delete>', {})
      expect(reply.status).toBe(400)
      expect(reply.element('Code')).toBe('InvalidRequest')
    })

    test('a digest that does not fit is refused', async () => {
      const headers = { 'content-md5': createHash('md5').update('other').digest('base64') }
      const reply = await post('<Delete><Object><Key>k</Key></Object></Delete>', headers)
      expect(reply.element('Code')).toBe('BadDigest')
    })

    test.each(['', '<Delete></Delete>', '<Delete><Object></Object></Delete>', '<Remove/>', '<Delete><Object><Key>k</Key>'])(
      'the document %j is refused',
      async (body) => {
        const reply = await post(body)
        expect(reply.status).toBe(400)
        expect(['MalformedXML', 'MissingRequestBodyError']).toContain(reply.element('Code'))
      },
    )

    // Amazon S3 API Reference, ObjectIdentifier: ETag makes the deletion of that object conditional. MinIO does not look at it.
    test('an object with another ETag than the one named stays', async () => {
      const [kept, gone] = [newKey(), newKey()]
      await s3.putObject({ Bucket, Key: kept, Body: 'x' })
      const put = await s3.putObject({ Bucket, Key: gone, Body: 'y' })
      const Objects = [
        { Key: kept, ETag: '"00"' },
        { Key: gone, ETag: put.ETag },
      ]
      const reply = await s3.deleteObjects({ Bucket, Delete: { Objects } })
      expect(reply.Errors).toMatchObject([{ Key: kept, Code: 'PreconditionFailed' }])
      expect(reply.Deleted?.map((each) => each.Key)).toEqual([gone])
      expect(await readText(s3, Bucket, kept)).toBe('x')
    })
  })
}
