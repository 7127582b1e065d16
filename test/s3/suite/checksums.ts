/** Checksums in headers, trailers and parts. Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3". */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import type { UploadPartCommandOutput } from '@aws-sdk/client-s3'
import { describe, expect, test } from 'vitest'
import { connect, type Endpoint, MiB, newKey, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

/** Of '123456789', from the catalogue of CRCs, the FIPS and RFC hashes (computed by Node) and the XXH reference implementation. */
const KNOWN: readonly (readonly [algorithm: string, base64: string])[] = [
  ['CRC32', Buffer.from('cbf43926', 'hex').toString('base64')],
  ['CRC32C', Buffer.from('e3069283', 'hex').toString('base64')],
  ['CRC64NVME', Buffer.from('ae8b14860a799888', 'hex').toString('base64')],
  ['SHA1', createHash('sha1').update('123456789').digest('base64')],
  ['SHA256', createHash('sha256').update('123456789').digest('base64')],
  // Newer than the MinIO that this suite was tried on.
  ['SHA512', createHash('sha512').update('123456789').digest('base64')],
  ['MD5', createHash('md5').update('123456789').digest('base64')],
  ['XXHASH64', Buffer.from('8cb841db40e6ae83', 'hex').toString('base64')],
]

const crc32Of = (bytes: Uint8Array): string => {
  const digest = Buffer.alloc(4)
  digest.writeUInt32BE(crc32(bytes))
  return digest.toString('base64')
}

export function checksumTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('checksums', () => {
    const Bucket = scratchBucket(s3)

    test.each(KNOWN)('%s is verified on the way in, kept, and told on the way out', async (algorithm, value) => {
      const Key = newKey()
      const name = `x-amz-checksum-${algorithm.toLowerCase()}`
      const put = (sent: string) =>
        sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: '123456789', headers: { [name]: sent } })
      const wrong = Buffer.from(value, 'base64').fill(7).toString('base64')
      const bad = await put(wrong)
      expect(bad.status).toBe(400)
      expect(bad.element('Code')).toMatch(/^(BadDigest|XAmzContentChecksumMismatch)$/)
      expect((await put('short')).element('Code')).toBe('InvalidRequest')
      const good = await put(value)
      expect(good.status).toBe(200)
      expect(good.headers[name]).toBe(value)
      const head = await sendRaw(endpoint, { method: 'HEAD', path: `/${Bucket}/${Key}`, headers: { 'x-amz-checksum-mode': 'ENABLED' } })
      expect(head.headers[name]).toBe(value)
      expect(head.headers['x-amz-checksum-type']).toBe('FULL_OBJECT')
      expect((await sendRaw(endpoint, { method: 'HEAD', path: `/${Bucket}/${Key}` })).headers[name]).toBeUndefined()
    })

    test('a client that sends none gets CRC64NVME', async () => {
      const Key = newKey()
      await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${Key}`, body: '123456789' })
      const head = await s3.headObject({ Bucket, Key, ChecksumMode: 'ENABLED' })
      expect(head).toMatchObject({ ChecksumCRC64NVME: 'rosUhgp5mIg=', ChecksumType: 'FULL_OBJECT' })
    })

    // MinIO's clients name an algorithm and leave the computing to the server.
    test('an algorithm that is only named is computed', async () => {
      const headers = { 'x-amz-checksum-algorithm': 'CRC32C' }
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, body: '123456789', headers })
      expect(reply.headers['x-amz-checksum-crc32c']).toBe('4waSgw==')
    })

    test('two checksums in one request are refused', async () => {
      const headers = { 'x-amz-checksum-crc32': 'y/Q5Jg==', 'x-amz-checksum-crc32c': '4waSgw==' }
      const reply = await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${newKey()}`, body: '123456789', headers })
      expect(reply.status).toBe(400)
      expect(reply.element('Code')).toBe('InvalidRequest')
    })

    test('a trailer behind an unsigned chunked body is verified and kept', async () => {
      const Key = newKey()
      const framed = (value: string) => `9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:${value}\r\n\r\n`
      const put = (body: string) =>
        sendRaw(endpoint, {
          method: 'PUT',
          path: `/${Bucket}/${Key}`,
          body,
          contentSha256: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          headers: { 'content-encoding': 'aws-chunked', 'x-amz-decoded-content-length': '9', 'x-amz-trailer': 'x-amz-checksum-crc32' },
        })
      const bad = await put(framed('AAAAAA=='))
      expect(bad.status).toBe(400)
      expect(bad.element('Code')).toMatch(/^(BadDigest|XAmzContentChecksumMismatch)$/)
      expect((await put(framed('y/Q5Jg=='))).status).toBe(200)
      const got = await s3.getObject({ Bucket, Key, ChecksumMode: 'ENABLED' })
      expect(got).toMatchObject({ ChecksumCRC32: 'y/Q5Jg==', ContentLength: 9 })
      expect(got.ContentEncoding).toBeUndefined()
      expect(await got.Body?.transformToString()).toBe('123456789')
    })

    test('uploads that come at once, some given up on the way, each get the ETag and the checksum of their own bytes', async () => {
      const upload = async (bytes: number) => {
        const Key = newKey()
        const Body = randomBytes(bytes)
        const told = await s3.putObject({ Bucket, Key, Body, ChecksumAlgorithm: 'CRC32' })
        expect(told.ETag).toBe(`"${createHash('md5').update(Body).digest('hex')}"`)
        expect(told.ChecksumCRC32).toBe(crc32Of(Body))
      }
      const giveUp = async (bytes: number) => {
        const half = randomBytes(bytes / 2)
        const controller = new AbortController()
        async function* broken() {
          yield half
          controller.abort()
        }
        const input = { Bucket, Key: newKey(), Body: Readable.from(broken()), ContentLength: bytes }
        const put = s3.putObject(input, { abortSignal: controller.signal })
        await expect(put).rejects.toThrow()
      }
      for (const round of [1, 2]) {
        const uploads = Array.from({ length: 28 }, (_, i) => upload(MiB + round * 99_999 + i * 54_321))
        await Promise.all([...uploads, ...Array.from({ length: 4 }, () => giveUp(4 * MiB))])
      }
    })

    test('ranges are sent without the checksum of the whole', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket, Key, Body: '123456789', ChecksumAlgorithm: 'CRC32' })
      const got = await s3.getObject({ Bucket, Key, Range: 'bytes=0-1', ChecksumMode: 'ENABLED' })
      expect(await got.Body?.transformToString()).toBe('12')
      expect(got.ChecksumCRC32).toBeUndefined()
    })

    const parts = [randomBytes(5 * MiB), randomBytes(777)]
    const upload = async (create: object, part: object) => {
      const Key = newKey()
      const { UploadId, ...made } = await s3.createMultipartUpload({ Bucket, Key, ...create })
      const sent: Omit<UploadPartCommandOutput & { PartNumber: number }, '$metadata'>[] = []
      for (const [index, Body] of parts.entries()) {
        const { $metadata: _, ...told } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: index + 1, Body, ...part })
        sent.push({ ...told, PartNumber: index + 1 })
      }
      const complete = (more: object = {}, Parts: object[] = sent) =>
        s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...more })
      return { Key, UploadId, made, sent, complete }
    }

    test('a composite SHA-256 is the digest of the digests of the parts', async () => {
      const { Key, made, sent, complete } = await upload({ ChecksumAlgorithm: 'SHA256' }, { ChecksumAlgorithm: 'SHA256' })
      expect(made).toMatchObject({ ChecksumAlgorithm: 'SHA256', ChecksumType: 'COMPOSITE' })
      const digests = parts.map((part) => createHash('sha256').update(part).digest())
      expect(sent.map((part) => part.ChecksumSHA256)).toEqual(digests.map((digest) => digest.toString('base64')))
      const composite = `${createHash('sha256').update(Buffer.concat(digests)).digest('base64')}-2`
      const done = await complete()
      expect(done).toMatchObject({ ChecksumSHA256: composite, ChecksumType: 'COMPOSITE' })
      expect(await s3.headObject({ Bucket, Key, ChecksumMode: 'ENABLED' })).toMatchObject({
        ChecksumSHA256: composite,
        ChecksumType: 'COMPOSITE',
      })
      const attributes = await s3.getObjectAttributes({ Bucket, Key, ObjectAttributes: ['Checksum', 'ObjectParts'] })
      expect(attributes.Checksum?.ChecksumSHA256).toBe(composite.slice(0, -2))
      expect(attributes.ObjectParts?.Parts?.map((part) => [part.PartNumber, part.Size, part.ChecksumSHA256])).toEqual(
        parts.map((part, index) => [index + 1, part.length, digests[index]?.toString('base64')]),
      )
    })

    test('a full-object CRC-32 is that of the joined bytes', async () => {
      const { Key, complete } = await upload({ ChecksumAlgorithm: 'CRC32', ChecksumType: 'FULL_OBJECT' }, { ChecksumAlgorithm: 'CRC32' })
      const whole = crc32Of(Buffer.concat(parts))
      expect(await refusal(complete({ ChecksumCRC32: crc32Of(Buffer.from('other')) }))).toMatchObject({ code: 'BadDigest', status: 400 })
      const done = await complete({ ChecksumCRC32: whole, ChecksumType: 'FULL_OBJECT' })
      expect(done).toMatchObject({ ChecksumCRC32: whole, ChecksumType: 'FULL_OBJECT' })
      expect((await s3.headObject({ Bucket, Key, ChecksumMode: 'ENABLED' })).ChecksumCRC32).toBe(whole)
    })

    test('an upload made without a checksum ends with CRC64NVME over the whole', async () => {
      const { Key, sent, complete } = await upload({}, {})
      // Amazon finds no part with a checksum that the upload was not made with, although the SDK has sent and heard one.
      expect(await refusal(complete())).toMatchObject({ code: 'InvalidPart', status: 400 })
      await complete(
        {},
        sent.map(({ PartNumber, ETag }) => ({ PartNumber, ETag })),
      )
      const head = await s3.headObject({ Bucket, Key, ChecksumMode: 'ENABLED' })
      expect(head.ChecksumType).toBe('FULL_OBJECT')
      expect(head.ChecksumCRC64NVME).toMatch(/^[A-Za-z0-9+/]{11}=$/)
      const single = newKey()
      await sendRaw(endpoint, { method: 'PUT', path: `/${Bucket}/${single}`, body: Buffer.concat(parts) })
      const same = await s3.headObject({ Bucket, Key: single, ChecksumMode: 'ENABLED' })
      expect(head.ChecksumCRC64NVME).toBe(same.ChecksumCRC64NVME)
    })

    test("a part with another checksum than the upload's is refused", async () => {
      const Key = newKey()
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key, ChecksumAlgorithm: 'SHA1' })
      const call = s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'x', ChecksumAlgorithm: 'CRC32' })
      expect(await refusal(call)).toMatchObject({ code: 'InvalidRequest', status: 400 })
    })

    test('a composite upload is completed only with the checksum of each part', async () => {
      const { sent, complete } = await upload({ ChecksumAlgorithm: 'SHA1' }, { ChecksumAlgorithm: 'SHA1' })
      const bare = sent.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }))
      expect(await refusal(complete({}, bare))).toMatchObject({ code: expect.stringMatching(/^Invalid(Request|Part)$/) })
      const wrong = sent.map((part) => ({ ...part, ChecksumSHA1: createHash('sha1').update('other').digest('base64') }))
      expect(await refusal(complete({}, wrong))).toMatchObject({ code: 'InvalidPart', status: 400 })
      await complete()
    })

    test('a type that does not go with the algorithm, or the upload, is refused', async () => {
      const create = (ChecksumAlgorithm: 'SHA256' | 'CRC64NVME' | 'CRC32', ChecksumType: 'FULL_OBJECT' | 'COMPOSITE') =>
        s3.createMultipartUpload({ Bucket, Key: newKey(), ChecksumAlgorithm, ChecksumType })
      expect(await refusal(create('SHA256', 'FULL_OBJECT'))).toMatchObject({ code: 'InvalidRequest', status: 400 })
      expect(await refusal(create('CRC64NVME', 'COMPOSITE'))).toMatchObject({ code: 'InvalidRequest', status: 400 })
      const { complete } = await upload({ ChecksumAlgorithm: 'CRC32', ChecksumType: 'COMPOSITE' }, { ChecksumAlgorithm: 'CRC32' })
      expect(await refusal(complete({ ChecksumType: 'FULL_OBJECT' }))).toMatchObject({ code: 'InvalidRequest', status: 400 })
    })
  })
}
