/** Disks that fill up (small file systems in memory, which need root as `.ci/run` has it): writes are refused clearly, deletes go on and make room. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf } from '../e2e/site-contents.ts'
import { makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'

const MIB = 1024 * 1024
const DISK_BYTES = 192 * MIB

let home: string
let disks: string[]
let site: ServedSite

beforeAll(async () => {
  home = temporaryDirectory()
  disks = [1, 2, 3, 4].map((number) => join(home, `disk${number}`))
  for (const disk of disks) {
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk])
  }
  makeSite(join(home, 'site'), ...disks.flatMap((disk) => ['--disk', disk]))
  site = await serveSite(join(home, 'site'))
})
afterAll(async () => {
  await site?.stop('SIGKILL')
  for (const disk of disks) execFileSync('umount', ['-l', disk])
  removeTemporary(home)
})

test('full disks refuse writes with an error of their own, keep what they have, and take writes again after deletes', async () => {
  const client = clientOf(site)
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
  const stored: string[] = []
  const body = randomBytes(4 * MIB)
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: body }))
  let refused: unknown
  while (refused === undefined && stored.length < 4 * (DISK_BYTES / body.length)) {
    const key = `object-${stored.length}`
    await put(key).then(
      () => stored.push(key),
      (error: unknown) => {
        refused = error
      },
    )
  }
  expect(refused).toBeInstanceOf(S3ServiceException)
  expect((refused as S3ServiceException).name).toBe('StorageFull')
  expect(stored.length).toBeGreaterThan(10)
  for (const Key of stored) {
    const got = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key }))
    expect(Buffer.compare(Buffer.from((await got.Body?.transformToByteArray()) ?? []), body)).toBe(0)
  }
  for (const Key of stored.splice(0, 10)) await client.send(new DeleteObjectCommand({ Bucket: 'bucket', Key }))
  const deadline = Date.now() + 20_000
  for (;;) {
    const taken = await put('after').catch((error: unknown) => error)
    if (!(taken instanceof Error) || Date.now() > deadline) break
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  expect((await client.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'after' }))).ContentLength).toBe(body.length)
  expect(site.log()).not.toMatch(/unforeseen|\bat .*:\d+:\d+/)
  client.destroy()
  expect(await site.stop()).toBe(0)
})
