/** The same server through the minio client, whose requests differ from the AWS SDK's: signed chunks, MD5s, its own listing and copy calls. */
import { createHash, randomBytes } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { Client } from 'minio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Endpoint, MiB, newBucketName } from './endpoint.ts'

export function minioClientTests(endpoint: Endpoint): void {
  const url = new URL(endpoint.endpoint)
  const client = new Client({
    endPoint: url.hostname,
    port: Number(url.port),
    useSSL: url.protocol === 'https:',
    region: endpoint.region,
    accessKey: endpoint.credentials.accessKeyId,
    secretKey: endpoint.credentials.secretAccessKey,
    partSize: 5 * MiB,
  })

  describe('the minio client', () => {
    const bucket = newBucketName()
    beforeAll(() => client.makeBucket(bucket))
    afterAll(async () => {
      const names: string[] = []
      for await (const item of client.listObjectsV2(bucket, '', true)) names.push((item as { name: string }).name)
      await client.removeObjects(bucket, names)
      await client.removeBucket(bucket)
    })

    test('finds its bucket among the others', async () => {
      expect(await client.bucketExists(bucket)).toBe(true)
      expect((await client.listBuckets()).map((each) => each.name)).toContain(bucket)
      expect(await client.bucketExists(newBucketName())).toBe(false)
    })

    test('puts, stats and gets an object with metadata', async () => {
      const body = randomBytes(70_000)
      await client.putObject(bucket, 'dir/object', body, body.length, { 'Content-Type': 'text/x-minio', 'X-Amz-Meta-Colour': 'red' })
      const stat = await client.statObject(bucket, 'dir/object')
      expect(stat).toMatchObject({ size: body.length, etag: createHash('md5').update(body).digest('hex') })
      expect(stat.metaData).toMatchObject({ 'content-type': 'text/x-minio', colour: 'red' })
      expect((await buffer(await client.getObject(bucket, 'dir/object'))).equals(body)).toBe(true)
      expect((await buffer(await client.getPartialObject(bucket, 'dir/object', 100, 50))).equals(body.subarray(100, 150))).toBe(true)
    })

    test('uploads 11 MiB in parts', async () => {
      const body = randomBytes(11 * MiB)
      await client.putObject(bucket, 'large', body, body.length)
      expect((await buffer(await client.getObject(bucket, 'large'))).equals(body)).toBe(true)
    })

    test('lists with and without folders', async () => {
      for (const name of ['list/a', 'list/b/c', 'list/d e']) await client.putObject(bucket, name, 'x')
      const names = async (recursive: boolean) => {
        const found: string[] = []
        for await (const item of client.listObjectsV2(bucket, 'list/', recursive)) found.push(item.name ?? item.prefix)
        return found
      }
      expect(await names(true)).toEqual(['list/a', 'list/b/c', 'list/d e'])
      expect((await names(false)).sort()).toEqual(['list/a', 'list/b/', 'list/d e'])
    })

    test('reads and writes by presigned addresses', async () => {
      const put = await client.presignedPutObject(bucket, 'presigned', 60)
      expect((await fetch(put, { method: 'PUT', body: 'by address' })).status).toBe(200)
      const get = await client.presignedGetObject(bucket, 'presigned', 60)
      expect(await (await fetch(get)).text()).toBe('by address')
    })

    test('sets and reads tags', async () => {
      await client.putObject(bucket, 'tagged', 'x')
      await client.setObjectTagging(bucket, 'tagged', { team: 'storage' })
      expect(await client.getObjectTagging(bucket, 'tagged')).toEqual([{ Key: 'team', Value: 'storage' }])
    })

    test('hears what is wrong', async () => {
      await expect(client.statObject(bucket, 'nothing')).rejects.toMatchObject({ code: 'NotFound' })
      await expect(client.getObject(bucket, 'nothing')).rejects.toMatchObject({ code: 'NoSuchKey' })
      await expect(client.removeBucket(bucket)).rejects.toMatchObject({ code: 'BucketNotEmpty' })
    })
  })
}
