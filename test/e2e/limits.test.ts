/** Sizes and shapes at the edge of what Amazon allows, through the whole server. */
import { request } from 'node:http'
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { sendRaw } from '../s3/suite/raw.ts'
import { oneSite } from './one-site.ts'
import { endpointOf, inParallel } from './site-contents.ts'

const MIB = 1024 * 1024
/** Each copy reads five mebibytes for its MD5: more would only take longer. */
const PARTS = 200

describe.each(['uws', 'node'])('the %s adapter', (adapter) => {
  const served = oneSite('--http', adapter)

  /** The status of a request with a header of so many bytes. */
  const statusWithHeader = (bytes: number): Promise<number | 'closed'> =>
    new Promise((resolve) => {
      const asked = request(`${served.site.endpoint}/bucket`, { agent: false, headers: { 'x-long': 'h'.repeat(bytes) } }, (reply) => {
        reply.resume()
        resolve(reply.statusCode ?? 0)
      })
      asked.on('error', () => resolve('closed'))
      asked.end()
    })

  test('reads the eight kibibytes of headers that Amazon allows, and refuses more and endless ones', async () => {
    expect(await statusWithHeader(7 * 1024)).toBe(403)
    expect(await statusWithHeader(12 * 1024)).toBe(400)
    expect(await statusWithHeader(16 * 1024)).toBe(431)
    expect([431, 'closed']).toContain(await statusWithHeader(MIB))
  })

  test('keeps metadata of two kibibytes, and refuses more', async () => {
    const put = (bytes: number) =>
      served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'metadata', Body: 'x', Metadata: { note: 'm'.repeat(bytes - 4) } }))
    await put(2048)
    expect((await served.client.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'metadata' }))).Metadata?.note?.length).toBe(2044)
    await expect(put(2049)).rejects.toMatchObject({ name: 'MetadataTooLarge' })
  })

  test('takes keys of 1,024 bytes in characters of one to four bytes, and refuses longer ones', async () => {
    const keys = ['k'.repeat(1024), 'é'.repeat(512), `${'語'.repeat(341)}x`, '😀'.repeat(256)]
    for (const key of keys) {
      expect(Buffer.byteLength(key)).toBe(1024)
      await served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: key }))
      const got = await served.client.send(new GetObjectCommand({ Bucket: 'bucket', Key: key }))
      expect(await got.Body?.transformToString()).toBe(key)
      await expect(served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: `${key}x`, Body: 'x' }))).rejects.toMatchObject({
        name: 'KeyTooLongError',
      })
    }
    const listed = await served.client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))
    expect(listed.Contents?.map((entry) => entry.Key ?? '').filter((key) => keys.includes(key))).toEqual(
      [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
    )
  })

  test('reads a URL of a key of which every byte is percent-encoded, with a query of four kibibytes', async () => {
    const Key = 'é'.repeat(512)
    await served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: 'far' }))
    const type = `text/${'x'.repeat(4096)}`
    const got = await sendRaw(endpointOf(served.site), {
      method: 'GET',
      path: `/bucket/${'%C3%A9'.repeat(512)}`,
      query: `response-content-type=${encodeURIComponent(type)}`,
    })
    expect([got.status, got.text, got.headers['content-type']]).toEqual([200, 'far', type])
  })

  test('lists keys with control characters when asked to encode them', async () => {
    await served.client.send(new CreateBucketCommand({ Bucket: 'control' }))
    const keys = ['a\u0001b', 'a\nb', 'a\tb', 'a\r\nb', 'a\u001fb', 'a&<>"\'b', 'a b+c%20d', 'a\u007fb']
    for (const key of keys) await served.client.send(new PutObjectCommand({ Bucket: 'control', Key: key, Body: key }))
    const listed = await served.client.send(new ListObjectsV2Command({ Bucket: 'control', EncodingType: 'url' }))
    const decoded = listed.Contents?.map((entry) => decodeURIComponent((entry.Key ?? '').replace(/\+/g, ' ')))
    expect(decoded).toEqual([...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))))
    for (const key of keys) {
      const got = await served.client.send(new GetObjectCommand({ Bucket: 'control', Key: key }))
      expect(await got.Body?.transformToString()).toBe(key)
    }
  })

  test('deletes a thousand keys at once, and refuses a thousand and one', async () => {
    await served.client.send(new CreateBucketCommand({ Bucket: 'many' }))
    const keys = Array.from({ length: 1000 }, (_, index) => `key-${String(index).padStart(4, '0')}-${'long'.repeat(20)}`)
    await inParallel(keys, 32, async (Key) => void (await served.client.send(new PutObjectCommand({ Bucket: 'many', Key, Body: Key }))))
    expect((await served.client.send(new ListObjectsV2Command({ Bucket: 'many' }))).KeyCount).toBe(1000)
    const remove = (names: readonly string[]) =>
      served.client.send(new DeleteObjectsCommand({ Bucket: 'many', Delete: { Objects: names.map((Key) => ({ Key })) } }))
    await expect(remove([...keys, 'one-more'])).rejects.toMatchObject({ name: 'MalformedXML' })
    const removed = await remove(keys)
    expect(removed.Deleted?.map((entry) => entry.Key)).toEqual(keys)
    expect(removed.Errors).toBeUndefined()
    expect((await served.client.send(new ListObjectsV2Command({ Bucket: 'many' }))).KeyCount).toBe(0)
  })

  // The adapter makes no difference to this one, which takes seconds.
  if (adapter !== 'uws') return
  test(`joins ${PARTS} parts, the last with the number 10,000, and refuses part 10,001 and small parts in the middle`, async () => {
    const body = Buffer.alloc(5 * MIB, 'p')
    await served.client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'part', Body: body }))
    const at = { Bucket: 'bucket', Key: 'joined' }
    const { UploadId } = await served.client.send(new CreateMultipartUploadCommand(at))
    const numbers = Array.from({ length: PARTS }, (_, index) => 10_000 - PARTS + 1 + index)
    const etags = new Map<number, string | undefined>()
    const last = numbers.at(-1) ?? 0
    await inParallel(numbers.slice(0, -1), 8, async (PartNumber) => {
      const copied = await served.client.send(new UploadPartCopyCommand({ ...at, UploadId, PartNumber, CopySource: 'bucket/part' }))
      etags.set(PartNumber, copied.CopyPartResult?.ETag)
    })
    etags.set(last, (await served.client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: last, Body: 'end' }))).ETag)
    await expect(served.client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 10_001, Body: 'x' }))).rejects.toMatchObject({
      name: 'InvalidArgument',
    })
    const page = await served.client.send(new ListPartsCommand({ ...at, UploadId, PartNumberMarker: '9998' }))
    expect(page.Parts?.map((part) => part.PartNumber)).toEqual([9999, 10_000])
    const complete = (chosen: readonly number[]) =>
      served.client.send(
        new CompleteMultipartUploadCommand({
          ...at,
          UploadId,
          MultipartUpload: { Parts: chosen.map((PartNumber) => ({ PartNumber, ETag: etags.get(PartNumber) })) },
        }),
      )
    await complete(numbers)
    const bytes = (PARTS - 1) * body.length + 3
    expect((await served.client.send(new HeadObjectCommand(at))).ContentLength).toBe(bytes)
    const tail = await served.client.send(new GetObjectCommand({ ...at, Range: 'bytes=-5' }))
    expect(await tail.Body?.transformToString()).toBe('ppend')

    const small = await served.client.send(new CreateMultipartUploadCommand({ ...at, Key: 'small' }))
    const Parts = []
    for (const PartNumber of [1, 2]) {
      const { ETag } = await served.client.send(
        new UploadPartCommand({ ...at, Key: 'small', UploadId: small.UploadId, PartNumber, Body: 'x' }),
      )
      Parts.push({ PartNumber, ETag })
    }
    await expect(
      served.client.send(new CompleteMultipartUploadCommand({ ...at, Key: 'small', UploadId: small.UploadId, MultipartUpload: { Parts } })),
    ).rejects.toMatchObject({ name: 'EntityTooSmall' })
  })
})
