/**
 * A hundred clients that take a 1 GiB object slowly and a hundred that send one slowly, at once: the server's memory stays within the bound that
 * docs/operations.md states. Measured is what the process has for itself (RssAnon); pages of the index that the kernel may take back do not count.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf } from '../e2e/site-contents.ts'
import { makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB
const CLIENTS = 100
/** As stated in docs/operations.md#memory: 2 MiB for each connection, and 512 MiB for the rest. */
const BOUND_BYTES = (2 * 2 * CLIENTS + 512) * MIB
const TURNS = 60
const TURN_MS = 100

let home: string
let site: ServedSite

beforeAll(async () => {
  home = temporaryDirectory()
  makeSite(join(home, 'site'))
  site = await serveSite(join(home, 'site'))
})
afterAll(async () => {
  await site?.stop('SIGKILL')
  removeTemporary(home)
})

const privateBytes = (): number => {
  const found = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${site.pid}/status`, 'utf8'))
  return Number(found?.[1]) * 1024
}

async function* gibibyte(): AsyncIterable<Buffer> {
  const block = randomBytes(8 * MIB)
  for (let sent = 0; sent < GIB; sent += block.length) yield block
}

test('a hundred slow downloads and a hundred slow uploads of 1 GiB cost bounded memory', async () => {
  const client = clientOf(site)
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  const { Readable } = await import('node:stream')
  await new Upload({
    client,
    params: { Bucket: 'bucket', Key: 'large', Body: Readable.from(gibibyte()) },
    partSize: 64 * MIB,
    queueSize: 1,
  }).done()
  const downloadUrl = await getSignedUrl(client, new GetObjectCommand({ Bucket: 'bucket', Key: 'large' }))
  const uploadUrls = await Promise.all(
    Array.from({ length: CLIENTS }, (_, index) =>
      getSignedUrl(client as never, new PutObjectCommand({ Bucket: 'bucket', Key: `slow-${index}` }) as never),
    ),
  )

  const downloads = await Promise.all(
    Array.from(
      { length: CLIENTS },
      () =>
        new Promise<IncomingMessage>((resolve, reject) =>
          request(downloadUrl, { agent: false }, (reply) => {
            reply.pause()
            resolve(reply)
          })
            .once('error', reject)
            .end(),
        ),
    ),
  )
  expect(downloads.map((reply) => reply.statusCode)).toEqual(Array(CLIENTS).fill(200))
  const uploads: ClientRequest[] = uploadUrls.map((url) => {
    const upload = request(url, { method: 'PUT', agent: false, headers: { 'content-length': GIB } })
    upload.on('error', () => undefined)
    return upload
  })

  let peak = 0
  let taken = 0
  const block = randomBytes(64 * 1024)
  for (let turn = 0; turn < TURNS; turn++) {
    for (const reply of downloads) taken += (reply.read() as Buffer | null)?.length ?? 0
    for (const upload of uploads) upload.write(block)
    await new Promise((resolve) => setTimeout(resolve, TURN_MS))
    peak = Math.max(peak, privateBytes())
  }
  console.log(`peak ${Math.round(peak / MIB)} MiB for ${2 * CLIENTS} slow clients; bound ${BOUND_BYTES / MIB} MiB`)
  expect(taken).toBeGreaterThan(CLIENTS * MIB)
  expect(peak).toBeLessThan(BOUND_BYTES)
  for (const reply of downloads) reply.destroy()
  for (const upload of uploads) upload.destroy()
  // It goes on to serve.
  expect((await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: 'large', Range: 'bytes=0-9' }))).ContentLength).toBe(10)
  client.destroy()
})
