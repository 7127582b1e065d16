import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { GetObjectCommand, HeadObjectCommand, PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { expect, test } from 'vitest'
import type { HttpReply } from '../../src/http/exchange.ts'
import { ACCESS_KEY, exampleSite, httpRequest, SECRET_KEY, type Site, send } from './road-fixture.ts'

/** What the SDK hands to its HTTP client, as far as it is read here. */
type Outgoing = {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** The SDK, its requests going into the road by a function call instead of a socket. */
function sdkClient(site: Site, settings: { readonly forcePathStyle?: boolean } = {}): S3Client {
  const handle = async (outgoing: Outgoing) => {
    const query = Object.entries(outgoing.query).flatMap(([name, values]) =>
      [values]
        .flat()
        .map((value) => (value === null ? encodeURIComponent(name) : `${encodeURIComponent(name)}=${encodeURIComponent(value as string)}`)),
    )
    const body =
      outgoing.body === undefined
        ? undefined
        : [await buffer(outgoing.body instanceof Readable ? outgoing.body : Readable.from([outgoing.body]))]
    const headers = Object.fromEntries(Object.entries(outgoing.headers).map(([name, value]) => [name.toLowerCase(), String(value)]))
    const reply = await site.handler(
      httpRequest({
        method: outgoing.method,
        path: outgoing.path,
        query: query.join('&'),
        headers,
        ...(body === undefined ? {} : { body }),
      }),
    )
    return { response: { statusCode: reply.status, headers: Object.fromEntries(reply.headers), body: Readable.from(replyPieces(reply)) } }
  }
  return new S3Client({
    endpoint: 'http://localhost:9000',
    region: 'us-east-1',
    forcePathStyle: settings.forcePathStyle ?? true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    maxAttempts: 1,
    requestHandler: { handle } as never,
  })
}

async function* replyPieces(reply: HttpReply): AsyncGenerator<Uint8Array> {
  if (reply.body.kind === 'whole') yield Buffer.from(reply.body.content)
  if (reply.body.kind !== 'stream') return
  for (let next = await reply.body.source.read(); next !== undefined; next = await reply.body.source.read()) yield next
  reply.body.source.close()
}

const keys = ['plain.txt', 'a b+c&d=e?f', "it's (1)!*~", 'ü/漢字/😀', 'a//b', '100% %20', '@:,;$']

test.each([true, false])('what the SDK signs is accepted (path style: %s)', async (forcePathStyle) => {
  const site = exampleSite({ nowMs: Date.now() })
  const client = sdkClient(site, { forcePathStyle })
  for (const Key of keys) {
    const Metadata = { note: 'two  blanks' }
    await client.send(new PutObjectCommand({ Bucket: 'examplebucket', Key, Body: `content of ${Key}`, Metadata }))
    const got = await client.send(new GetObjectCommand({ Bucket: 'examplebucket', Key }))
    expect(await got.Body?.transformToString()).toBe(`content of ${Key}`)
    expect(site.stored.get(`examplebucket/${Key}`)?.checksum).toMatch(/^CRC32:/)
  }
  await client.send(new PutBucketVersioningCommand({ Bucket: 'examplebucket', VersioningConfiguration: { Status: 'Enabled' } }))
  await expect(client.send(new HeadObjectCommand({ Bucket: 'examplebucket', Key: 'none' }))).rejects.toMatchObject({ name: 'NotFound' })
})

test('what the SDK streams, with its checksum in a trailer, is accepted', async () => {
  const site = exampleSite({ nowMs: Date.now() })
  const pieces = [Buffer.alloc(70_000, 1), Buffer.alloc(9_000, 2), Buffer.from('end')]
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA256'] as const) {
    const Body = Readable.from(pieces)
    await sdkClient(site).send(new PutObjectCommand({ Bucket: 'examplebucket', Key: 'k', Body, ContentLength: 79_003, ChecksumAlgorithm }))
    expect(site.stored.get('examplebucket/k')?.body.equals(Buffer.concat(pieces))).toBe(true)
    expect(site.stored.get('examplebucket/k')?.checksum).toMatch(new RegExp(`^${ChecksumAlgorithm}:`))
  }
})

test('URLs that the SDK presigns work, for reading and for a body that it did not know', async () => {
  const site = exampleSite({ nowMs: Date.now() })
  const client = sdkClient(site)
  for (const Key of keys) {
    const upload = new URL(await getSignedUrl(client, new PutObjectCommand({ Bucket: 'examplebucket', Key, Metadata: { a: 'ü' } })))
    const headers = { host: 'localhost:9000' }
    const put = await send(site, { method: 'PUT', path: upload.pathname, query: upload.search.slice(1), headers, body: [Buffer.from(Key)] })
    expect(put.text).toBe('')
    const command = new GetObjectCommand({ Bucket: 'examplebucket', Key, ResponseContentType: 'text/plain; charset=utf-8' })
    const download = new URL(await getSignedUrl(client, command, { expiresIn: 60 }))
    expect((await send(site, { path: download.pathname, query: download.search.slice(1), headers })).text).toBe(Key)
  }
})
