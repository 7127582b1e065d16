/** What can be refused before the body is refused before the body: a client that asks first (RFC 9110, section 10.1.1) is never asked for it in vain. */
import { connect as connectSocket, type Socket } from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, scratchBucket } from './endpoint.ts'
import { type RawRequest, signedHeaders } from './raw.ts'

const MiB = 1024 * 1024
const LARGE = 24 * MiB
const TOO_LARGE = 5 * 1024 ** 3 + 1

type Refused = { readonly code: string; readonly request: RawRequest; readonly bytes?: number }

export function earlyRefusalTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)
  const url = new URL(endpoint.endpoint)
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  /** Sends the head alone, then `body`; gives what came when `done` says so, or when the server closed. */
  function exchange(sent: RawRequest, bytes: number, body: Uint8Array | undefined, done: (received: string) => boolean): Promise<string> {
    const headers = { 'content-length': String(bytes), ...(body === undefined && { expect: '100-continue' }), ...sent.headers }
    const signed = signedHeaders(endpoint, { ...sent, headers, contentSha256: sent.contentSha256 ?? 'UNSIGNED-PAYLOAD' }, url.host)
    const path = sent.query === undefined ? sent.path : `${sent.path}?${sent.query}`
    const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`)
    return new Promise((resolve) => {
      let received = ''
      const socket = connectSocket(Number(url.port), url.hostname)
      sockets.push(socket)
      socket.on('error', () => resolve(received))
      socket.on('close', () => resolve(received))
      socket.on('data', (data) => {
        received += data.toString('latin1')
        if (done(received)) resolve(received)
      })
      socket.write(`${sent.method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
      if (body !== undefined) socket.write(body)
    })
  }
  const isWhole = (received: string): boolean => received.includes('</Error>')

  describe('refused before the body', () => {
    const Bucket = scratchBucket(s3)
    const key = newKey()
    const path = `/${Bucket}/${key}`
    let uploadId = ''
    let etag = ''
    beforeAll(async () => {
      etag = (await s3.putObject({ Bucket, Key: key, Body: 'there' })).ETag ?? ''
      uploadId = (await s3.createMultipartUpload({ Bucket, Key: key })).UploadId ?? ''
    })

    const put = (headers: Record<string, string>, more: Partial<RawRequest> = {}): RawRequest => ({ method: 'PUT', path, headers, ...more })
    const cases: readonly [name: string, refused: () => Refused][] = [
      ['If-None-Match: * over an object', () => ({ code: 'PreconditionFailed', request: put({ 'if-none-match': '*' }) })],
      ['If-Match with another ETag', () => ({ code: 'PreconditionFailed', request: put({ 'if-match': '"00"' }) })],
      ['If-Match where nothing is', () => ({ code: 'NoSuchKey', request: put({ 'if-match': '"00"' }, { path: `/${Bucket}/none` }) })],
      ['a bucket that is not there', () => ({ code: 'NoSuchBucket', request: put({}, { path: '/no-such-bucket-at-all/key' }) })],
      ['a signature that is wrong', () => ({ code: 'SignatureDoesNotMatch', request: put({}, { tamper: true }) })],
      ['more than 5 GiB', () => ({ code: 'EntityTooLarge', request: put({}), bytes: TOO_LARGE })],
      ['a Content-MD5 that is none', () => ({ code: 'InvalidDigest', request: put({ 'content-md5': 'no digest' }) })],
      ['a checksum that is none', () => ({ code: 'InvalidRequest', request: put({ 'x-amz-checksum-crc32': 'no checksum' }) })],
      ['metadata that is too large', () => ({ code: 'MetadataTooLarge', request: put({ 'x-amz-meta-a': 'a'.repeat(2048) }) })],
      ['a storage class that is not there', () => ({ code: 'InvalidStorageClass', request: put({ 'x-amz-storage-class': 'SHED' }) })],
      ['a part of no upload', () => ({ code: 'NoSuchUpload', request: put({}, { query: 'partNumber=1&uploadId=none' }) })],
      ['a part with number 0', () => ({ code: 'InvalidArgument', request: put({}, { query: `partNumber=0&uploadId=${uploadId}` }) })],
      [
        'a part of more than 5 GiB',
        () => ({ code: 'EntityTooLarge', request: put({}, { query: `partNumber=1&uploadId=${uploadId}` }), bytes: TOO_LARGE }),
      ],
      [
        'the completion of no upload',
        () => ({ code: 'NoSuchUpload', request: put({}, { method: 'POST', query: 'uploadId=none' }), bytes: MiB }),
      ],
      [
        'a completion under a condition that fails',
        () => ({
          code: 'PreconditionFailed',
          request: put({ 'if-none-match': '*' }, { method: 'POST', query: `uploadId=${uploadId}` }),
          bytes: MiB,
        }),
      ],
    ]

    test.each(cases)('%s: who asks first is not asked for the body', async (_name, refused) => {
      const { code, request, bytes } = refused()
      const received = await exchange(request, bytes ?? LARGE, undefined, (all) => isWhole(all) || all.includes('100 Continue'))
      expect(received).toMatch(/^HTTP\/1\.1 4\d\d /)
      expect(received).toContain(`<Code>${code}</Code>`)
      // The body that the client may still send would be read as a request.
      expect(received.toLowerCase()).toContain('\r\nconnection: close\r\n')
      const content = received.slice(received.indexOf('\r\n\r\n') + 4)
      expect(Number(/content-length: (\d+)/i.exec(received)?.[1])).toBe(content.length)
    })

    test.each(cases)('%s: who sends without asking can read why', async (_name, refused) => {
      const { code, request, bytes } = refused()
      const body = new Uint8Array(Math.min(bytes ?? LARGE, 8 * MiB))
      expect(await exchange(request, bytes ?? LARGE, body, isWhole)).toContain(`<Code>${code}</Code>`)
    })

    test('a write that may go on is asked for', async () => {
      const goesOn = (all: string): boolean => all.includes('\r\n\r\n')
      for (const request of [put({ 'if-match': etag }), put({ 'if-none-match': '*' }, { path: `/${Bucket}/new` }), put({})]) {
        expect(await exchange(request, LARGE, undefined, goesOn)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
      }
      // None of them was finished.
      expect((await s3.listObjectsV2({ Bucket })).Contents?.map((object) => object.Key)).toEqual([key])
    })
  })
}
