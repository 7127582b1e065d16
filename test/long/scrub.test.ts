/** The scrub of a served site, and disks that two sites would share, as an operator meets them. */
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { cpSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { SiteStatus } from '../../src/admin/commands/status.ts'
import type { ScrubReport } from '../../src/admin/control.ts'
import { clientOf } from '../e2e/site-contents.ts'
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

let home: string
let number = 0
let directory: string
let site: ServedSite
let client: S3Client
let disks: string[]

beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

beforeEach(async () => {
  directory = join(home, `site-${++number}`)
  disks = [1, 2, 3, 4].map((each) => join(home, `disks-${number}`, `d${each}`))
  makeSite(directory, ...disks.flatMap((disk) => ['--disk', disk]))
  site = await serveSite(directory)
  client = clientOf(site)
  await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
})
afterEach(async () => {
  client.destroy()
  await site.stop('SIGKILL')
})

const put = async (key: string, bytes: number): Promise<Buffer> => {
  const body = randomBytes(bytes)
  await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: body }))
  return body
}
const get = async (key: string): Promise<Buffer> => {
  const got = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: key }))
  return Buffer.from((await got.Body?.transformToByteArray()) ?? [])
}

/** All files below a folder of a disk. */
const filesIn = (disk: string, folder: string): string[] =>
  readdirSync(join(disk, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => join(disk, folder, name))
    .filter((path) => statSync(path).isFile())

function flip(file: string, at: number): void {
  const content = readFileSync(file)
  content[at]! ^= 1
  writeFileSync(file, content)
}

const scrub = (...flags: string[]): ScrubReport => JSON.parse(holdfastOk('disk', 'scrub', directory, '--json', ...flags)) as ScrubReport

async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`not within 20 s: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('a scrub while serving finds what nobody read, repairs it, and says on which disk', async () => {
  const small = await put('small', 20_000)
  const large = await put('large', 3_000_000)
  expect(scrub()).toMatchObject({ repaired: 0, remaining: 0 })
  for (const disk of disks.slice(0, 2)) for (const file of filesIn(disk, 'extents')) flip(file, 5000)
  const [copy] = filesIn(disks[3]!, 'journal')
  flip(copy!, 4096 + 100)
  const first = holdfast('disk', 'scrub', directory)
  expect(first.code).toBe(0)
  expect(first.out).toMatch(/d1 +checked +\d+ +1 +\S+ \S+ +1 +0\n.*d2 +checked +\d+ +1 +\S+ \S+ +1 +0\n.*d3 +checked .* 0 +0\n/)
  expect(first.out).toMatch(/Everything is as it should be now\. Repaired \d damaged places?\.\n$/)
  expect(scrub()).toMatchObject({ repaired: 0, remaining: 0 })
  expect(await get('small')).toEqual(small)
  expect(await get('large')).toEqual(large)
  expect(holdfastOk('status', directory)).toMatch(/\nLast scrubbed \d{4}-\S+: nothing was wrong\.\n$/)
})

test('what cannot be repaired is named, and ends with 3, served or not', async () => {
  await put('kept', 300_000)
  const before = new Set(disks.flatMap((disk) => filesIn(disk, 'extents')))
  await put('lost\u001b', 300_000)
  for (const disk of disks.slice(0, 3)) for (const file of filesIn(disk, 'extents')) if (!before.has(file)) flip(file, 5000)
  const served = holdfast('disk', 'scrub', directory)
  expect(served.code).toBe(3)
  expect(served.out).toMatch(/\nlost: "bucket\/lost\\u001b" version null\n$/)
  expect(served.err).toMatch(/^holdfast: 3 damaged places cannot be repaired from the other disks\. 1 version or part is lost: delete/)
  const status = JSON.parse(holdfastOk('status', directory, '--json')) as SiteStatus
  expect(status).toMatchObject({ state: 'degraded', scrub: { last: { remaining: 3 } } })
  expect(await site.stop()).toBe(0)
  const offline = holdfast('disk', 'scrub', directory, '--json')
  expect(offline.code).toBe(3)
  expect(JSON.parse(offline.out)).toMatchObject({
    exit: 3,
    details: { remaining: 3, lost: { named: [{ bucket: 'bucket', versionId: 'null' }] } },
  })
})

test('one scrub at a time: another is refused, its progress is shown, and it stops with its command', async () => {
  // Half a minute's work at the least rate.
  await put('large', 60_000_000)
  const started: ChildProcess = holdfastStarted('disk', 'scrub', directory, '--rate', '1MB')
  const running = () => (JSON.parse(holdfastOk('disk', 'status', directory, '--json')) as SiteStatus).scrub.running
  await until(() => running() !== undefined)
  const second = holdfast('disk', 'scrub', directory)
  expect(second.code).toBe(5)
  expect(second.err).toMatch(/^holdfast: Another scrub is under way: .*\n$/)
  expect(running()).toMatchObject({ by: 'operator' })
  expect(holdfastOk('status', directory)).toMatch(/\nScrub: .* of .* read\.\n/)
  started.kill('SIGINT')
  await until(() => running() === undefined)
  expect(scrub('--rate', '1GiB')).toMatchObject({ repaired: 0, remaining: 0 })
  expect(holdfast('disk', 'scrub', directory, '--rate', 'fast').code).toBe(2)
})

test('a copy of the site does not open disks that the site uses, nor does a new site by another path', async () => {
  const copy = join(home, `copy-${number}`)
  cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') })
  const refused = holdfast('status', copy)
  expect(refused.code).toBe(5)
  expect(refused.err).toContain(`${disks[0]} is in use by another process (process ${site.pid} for ${directory}), maybe under another path`)
  const alias = join(home, `alias-${number}`)
  symlinkSync(disks[1]!, alias)
  const made = holdfast('init', join(home, `new-${number}`), '--disk', alias)
  expect(made.code).toBe(5)
  expect(made.err).toContain(`${alias} is in use by another process`)
  expect(await site.stop()).toBe(0)
  holdfastOk('status', copy)
})
