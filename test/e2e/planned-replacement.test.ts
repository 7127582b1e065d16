/**
 * A disk that works is replaced, and that is held up in the middle: it serves on, as many other disks may be lost as before, and the new one is filled further when
 * it is back.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SiteStatus } from '../../src/admin/commands/status.ts'
import {
  holdfast,
  holdfastOk,
  holdfastStarted,
  makeSite,
  removeTemporary,
  type ServedSite,
  serveSite,
  temporaryDirectory,
} from '../served-site.ts'
import { clientOf } from './site-contents.ts'

const home = temporaryDirectory()
const directory = join(home, 'site')
const fresh = join(home, 'new')
const away = join(home, 'away')
const disk = (number: number): string => join(directory, `disk${number}`)
const digests = new Map<string, string>()
let site: ServedSite
let client: S3Client

beforeAll(async () => {
  makeSite(directory, '--name', 'square')
  await serve()
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
})

afterAll(async () => {
  client?.destroy()
  await site?.stop('SIGKILL')
  removeTemporary(home)
})

async function serve(): Promise<void> {
  client?.destroy()
  site = await serveSite(directory)
  client = clientOf(site)
}

async function store(key: string, bytes: number): Promise<void> {
  const body = randomBytes(bytes)
  await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: body }))
  digests.set(key, createHash('sha256').update(body).digest('hex'))
}

async function expectEverything(): Promise<void> {
  for (const [key, digest] of digests) {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: key }))
    const bytes = await Body!.transformToByteArray()
    expect(createHash('sha256').update(bytes).digest('hex'), key).toBe(digest)
  }
}

const statusNow = (): SiteStatus => JSON.parse(holdfastOk('status', directory, '--json')) as SiteStatus
const places = (): string[] => statusNow().disks.map(({ path, state }) => `${path} ${state}`)

async function until(what: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Begun, and the new directory taken away while it is filled; answers what the command said. */
async function beginAndHoldUp(old: string, successor: string): Promise<string> {
  const command = holdfastStarted('disk', 'replace', directory, old, successor)
  let said = ''
  command.stderr?.on('data', (text: Buffer) => {
    said += text.toString()
  })
  const ended = new Promise((resolve) => command.once('exit', resolve))
  await until(() => existsSync(join(successor, 'extents')))
  process.kill(site.pid, 'SIGSTOP')
  renameSync(successor, away)
  process.kill(site.pid, 'SIGCONT')
  expect(await ended).toBe(5)
  return said
}

test('held up in the middle, the disk that works serves on, and two others may be lost', { timeout: 120_000 }, async () => {
  for (let i = 0; i < 24; i++) await store(`large-${i}`, 4 * 1024 * 1024)
  for (let i = 0; i < 10; i++) await store(`small-${i}`, 1000)

  const said = await beginAndHoldUp(disk(2), fresh)
  expect(said).toContain('The disk is not filled yet: the new disk failed, or was taken away;')

  expect(statusNow()).toMatchObject({ state: 'healthy', survives: 2 })
  expect(statusNow().disks[1]).toMatchObject({ path: disk(2), state: 'in', successor: { path: fresh, state: 'out' } })
  expect(statusNow().sentence).toContain(`${fresh}, which is to take the place of ${disk(2)}, is out (`)
  expect(holdfastOk('disk', 'status', directory, '--json')).toContain(fresh)
  expect(site.log()).toContain(
    `holdfast: Disk ${fresh} is being filled to take the place of ${disk(2)}, which is in, and serves until that is done.\n`,
  )
  expect(holdfast('disk', 'replace', directory, disk(2), join(home, 'other')).err).toContain(
    `${disk(2)} is being replaced by ${fresh} already.`,
  )
  await store('large-meanwhile', 3 * 1024 * 1024)
  await store('small-meanwhile', 1000)

  for (const lost of [1, 3]) rmSync(disk(lost), { recursive: true })
  await until(() => statusNow().survives === 0)
  expect(places()).toEqual([`${disk(1)} out`, `${disk(2)} in`, `${disk(3)} out`, `${disk(4)} in`])
  await expectEverything()
  await store('large-on-two', 3 * 1024 * 1024)
})

test('killed and started again it is as before; with the new disk back it is filled further, and then the old one is not needed', async () => {
  await site.stop('SIGKILL')
  await serve()
  expect(places()).toEqual([`${disk(1)} out`, `${disk(2)} in`, `${disk(3)} out`, `${disk(4)} in`])
  await expectEverything()
  renameSync(away, fresh)
  await until(() => places()[1] === `${fresh} in`, 60_000)
  expect(statusNow().disks.every(({ successor }) => successor === undefined)).toBe(true)
  rmSync(disk(2), { recursive: true })
  await expectEverything()
  for (const lost of [1, 3]) holdfastOk('disk', 'replace', directory, disk(lost), disk(lost))
  rmSync(disk(4), { recursive: true })
  await until(() => statusNow().survives === 1)
  await expectEverything()
}, 120_000)

test('one that was begun can be called off: the disk that works stays', { timeout: 120_000 }, async () => {
  holdfastOk('disk', 'replace', directory, disk(4), disk(4))
  const other = join(home, 'other')
  rmSync(away, { recursive: true, force: true })
  await beginAndHoldUp(disk(1), other)
  expect(holdfastOk('disk', 'retire', directory, other)).toContain(`Called off: ${other} will take no other disk's place.`)
  expect(places()).toEqual([`${disk(1)} in`, `${fresh} in`, `${disk(3)} in`, `${disk(4)} in`])
  expect(statusNow()).toMatchObject({ state: 'healthy', sentence: 'All disks are in.', survives: 2 })
  expect(holdfast('disk', 'retire', directory, other).err).toContain(`${other} is no disk of this site;`)
  expect(holdfastOk('disk', 'replace', directory, disk(1), join(home, 'third'))).toContain(
    `${join(home, 'third')} is in: every journal segment`,
  )
  await expectEverything()
})
