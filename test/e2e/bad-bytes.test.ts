import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'
import { clientOf } from './site-contents.ts'

let home: string
let site: ServedSite
let client: S3Client

beforeAll(async () => {
  home = temporaryDirectory()
  makeSite(join(home, 'site'))
  await serve()
  await client.send(new CreateBucketCommand({ Bucket: 'bytes' }))
})
afterAll(async () => {
  client?.destroy()
  await site?.stop()
  removeTemporary(home)
})

async function serve(): Promise<void> {
  site = await serveSite(join(home, 'site'))
  client = clientOf(site)
}

const put = (Key: string, Body: Uint8Array) => client.send(new PutObjectCommand({ Bucket: 'bytes', Key, Body }))
async function get(Key: string): Promise<Buffer> {
  const got = await client.send(new GetObjectCommand({ Bucket: 'bytes', Key }))
  return Buffer.from((await got.Body?.transformToByteArray()) ?? [])
}

/** Files on the disks that hold these bytes, and where in them. */
function holding(bytes: Uint8Array): { file: string; at: number }[] {
  return site.disks.flatMap((disk) =>
    readdirSync(disk, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({ file, at: readFileSync(file).indexOf(bytes) }))
      .filter(({ at }) => at >= 0),
  )
}

function flip({ file, at }: { file: string; at: number }): void {
  const content = readFileSync(file)
  content[at] = (content[at] ?? 0) ^ 0x10
  writeFileSync(file, content)
}

async function until(what: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !what(); ) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('a flipped bit in a large object is never given out, and is mended on the disk', async () => {
  const body = randomBytes(3_000_000)
  await put('large', body)
  const places = holding(body.subarray(1000, 1100))
  expect(places).toHaveLength(1)
  for (const place of places) flip(place)
  expect(holding(body.subarray(1000, 1100))).toEqual([])
  expect((await get('large')).equals(body)).toBe(true)
  await until(() => holding(body.subarray(1000, 1100)).length === 1)
})

test('a small object is read from a copy that is good, and the bad copies are mended at the next start', async () => {
  const body = randomBytes(10_000)
  await put('small', body)
  const places = holding(body)
  expect(places).toHaveLength(3)
  for (const place of places.slice(0, 2)) flip(place)
  // The server keeps what it has just written in memory: only after a restart does it read the disks.
  client.destroy()
  await site.stop()
  await serve()
  expect((await get('small')).equals(body)).toBe(true)
  expect(holding(body)).toHaveLength(3)
})
