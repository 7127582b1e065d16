/** Sites of several shapes, and one whose disks go away and come back, seen from outside: what goes on, what is refused, and what `status` says. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { SiteStatus } from '../../src/admin/commands/status.ts'
import { clientOf } from '../e2e/site-contents.ts'
import { holdfast, holdfastOk, makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'

const LARGE_BYTES = 3 * 1024 * 1024

let home: string
beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

const statusOf = (directory: string): SiteStatus => JSON.parse(holdfastOk('status', directory, '--json')) as SiteStatus

async function until(what: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('a site is made', () => {
  test.each([
    { disks: 1, flags: [], shape: [1, 0], says: /one disk, 1 for data \+ 0 for parity\.\nWARNING: there is no parity/ },
    { disks: 3, flags: [], shape: [2, 1], says: /2 for data \+ 1 for parity\.\nAny one of the disks may be lost/ },
    { disks: 6, flags: [], shape: [4, 2], says: /4 for data \+ 2 for parity\.\nAny 2 of the disks may be lost/ },
    { disks: 6, flags: ['--parity', '4'], shape: [2, 4], says: /2 for data \+ 4 for parity\.\nAny 4 of the disks may be lost/ },
  ])('of $disks disks, with $flags', ({ disks, flags, shape, says }) => {
    const directory = join(home, `shape-${disks}-${flags.length}`)
    const paths = Array.from({ length: disks }, (_, index) => join(home, `disks-${disks}-${flags.length}`, `d${index}`))
    const said = holdfastOk('init', directory, ...paths.flatMap((path) => ['--disk', path]), ...flags, '--name', 'shaped')
    expect(said).toMatch(says)
    const status = statusOf(directory)
    expect([status.dataShards, status.parityShards, status.survives]).toEqual([shape[0], shape[1], shape[1]])
    expect(status.disks.map((disk) => [disk.path, disk.state])).toEqual(paths.map((path) => [path, 'in']))
    const text = holdfastOk('status', directory)
    expect(text).toMatch(
      shape[1] === 0 ? /^shaped: healthy\. .*no parity: the loss of any disk loses data/ : /^shaped: healthy\. All disks are in\./,
    )
  })

  test('of six disks with a parity of four, and still reads and writes when four are gone', async () => {
    const directory = join(home, 'six')
    makeSite(directory, ...[1, 2, 3, 4, 5, 6].flatMap((number) => ['--disk', join(directory, `disk${number}`)]), '--parity', '4')
    const site = await serveSite(directory)
    const client = clientOf(site)
    const body = randomBytes(LARGE_BYTES)
    await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'before', Body: body }))
    for (const number of [1, 3, 4, 6]) renameSync(join(directory, `disk${number}`), join(home, `six-away-${number}`))
    expect(await read(client, 'before')).toEqual(body)
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'after', Body: body }))
    expect(await read(client, 'after')).toEqual(body)
    expect(statusOf(directory)).toMatchObject({ state: 'degraded', survives: 0 })
    client.destroy()
    expect(await site.stop()).toBe(0)
  })
})

async function read(client: S3Client, key: string): Promise<Buffer> {
  const got = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key: key }))
  return Buffer.from((await got.Body?.transformToByteArray()) ?? [])
}

describe('a site of 2 + 2', () => {
  let directory: string
  let site: ServedSite
  let client: S3Client
  const stored = new Map<string, Buffer>()
  let number = 0

  const disk = (position: number): string => join(directory, `disk${position}`)
  const away = (position: number): string => join(directory, '..', `away-${number}-${position}`)
  const takeAway = (...positions: number[]): void => {
    for (const position of positions) renameSync(disk(position), away(position))
  }
  const bringBack = (...positions: number[]): void => {
    for (const position of positions) renameSync(away(position), disk(position))
  }
  /** All disks are in, and the site may be written. */
  const isWhole = (): boolean => states() === 'in in in in' && statusOf(directory).state !== 'read-only'
  const states = (): string =>
    statusOf(directory)
      .disks.map((each) => each.state)
      .join(' ')

  async function serve(...flags: string[]): Promise<void> {
    client?.destroy()
    site = await serveSite(directory, ...flags)
    client = clientOf(site)
  }

  async function store(key: string, bytes: number): Promise<void> {
    const body = randomBytes(bytes)
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: key, Body: body }))
    stored.set(key, body)
  }

  async function expectEverythingRead(): Promise<void> {
    for (const [key, body] of stored) expect(Buffer.compare(await read(client, key), body), key).toBe(0)
  }

  async function expectEverything(): Promise<void> {
    await expectEverythingRead()
    const listed = await client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))
    expect(listed.Contents?.map((entry) => entry.Key)).toEqual([...stored.keys()].sort())
  }

  const expectUnavailable = async (work: Promise<unknown>): Promise<void> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(S3ServiceException)
    expect((error as S3ServiceException).$metadata.httpStatusCode).toBe(503)
  }

  async function expectReadOnly(): Promise<void> {
    for (const bytes of [1, LARGE_BYTES])
      await expectUnavailable(client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'refused', Body: randomBytes(bytes) })))
    await expectUnavailable(client.send(new DeleteObjectCommand({ Bucket: 'bucket', Key: 'small-before' })))
  }

  async function begin(): Promise<void> {
    number++
    directory = join(home, `two-and-two-${number}`, 'site')
    stored.clear()
    mkdirSync(join(directory, '..'))
    makeSite(directory, '--name', 'square')
    await serve()
    await client.send(new CreateBucketCommand({ Bucket: 'bucket' }))
    await store('small-before', 1000)
    await store('large-before', LARGE_BYTES)
  }
  afterEach(async () => {
    client?.destroy()
    await site?.stop('SIGKILL')
  })

  test('goes on without two disks; one that comes back is filled by itself and can stand in for another', async () => {
    await begin()
    takeAway(1, 2)
    await until(() => states() === 'out out in in', 4000)
    await store('small-without', 1000)
    await store('large-without', LARGE_BYTES)
    await expectEverything()
    const text = holdfastOk('status', directory)
    expect(text).toContain(`square: degraded. Out: ${disk(1)}, ${disk(2)}. Replace with: holdfast disk replace`)
    expect(text).toContain('0 more disks may be lost without losing anything.')
    expect(holdfastOk('status', directory)).toMatch(/disk1 +out +\S.*\n.*disk2 +out +\S.*\n.*disk3 +in *\n.*disk4 +in *\n/)
    expect(site.log()).toContain(`holdfast: Disk ${disk(1)} is out (`)
    expect(site.log()).toContain('); 0 more disks may be lost without losing anything.\n')

    bringBack(2)
    await until(() => states() === 'out in in in')
    await until(() => site.log().includes(`holdfast: Disk ${disk(2)} is in: everything that it should hold was read back.\n`))
    expect(statusOf(directory)).toMatchObject({ state: 'degraded', survives: 1 })
    takeAway(4)
    await store('small-with-the-healed', 1000)
    await store('large-with-the-healed', LARGE_BYTES)
    await expectEverything()
    bringBack(1, 4)
    await until(() => isWhole())
    expect(holdfastOk('status', directory)).toMatch(/^square: healthy\. All disks are in\.\nCoding 2 \+ 2; 2 more disks may be lost/)
    takeAway(2, 3)
    await expectEverything()
  })

  test('replaces a disk that works, but not the wrong one while another is out', async () => {
    await begin()
    const renewed = (position: number): string => join(directory, '..', `new-${number}-${position}`)
    expect(holdfastOk('disk', 'replace', directory, disk(2), renewed(2))).toContain(`${renewed(2)} is in: every journal segment and shard`)
    expect(states()).toBe('in in in in')
    takeAway(1)
    const wrong = holdfast('disk', 'replace', directory, disk(3), renewed(3))
    expect([wrong.code, wrong.err]).toEqual([
      5,
      expect.stringContaining(`${disk(3)} is in and works; what needs care is ${disk(1)} (out).`),
    ])
    expect(states()).toBe('out in in in')
    holdfastOk('disk', 'replace', directory, disk(3), renewed(3), '--force')
    holdfastOk('disk', 'replace', directory, disk(1), renewed(1))
    expect(states()).toBe('in in in in')
    await store('large-after', LARGE_BYTES)
    takeAway(4)
    renameSync(renewed(2), away(2))
    await until(() => states() === 'in out in out')
    await expectEverything()
  })

  test('refuses clearly what it cannot do without three disks, and goes on by itself when they return', async () => {
    await begin()
    takeAway(1, 2, 3)
    await until(() => states() !== 'in in in in', 4000)
    await expectReadOnly()
    await expectUnavailable(read(client, 'large-before'))
    expect((await client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))).KeyCount).toBe(2)
    const { state, sentence, survives } = statusOf(directory)
    expect([state, survives]).toEqual(['read-only', 0])
    for (const position of [1, 2, 3]) expect(sentence).toContain(disk(position))
    expect(sentence).toContain('goes on by itself')
    expect(holdfastOk('status', directory)).toContain(`read-only. ${sentence}\n`)
    expect(JSON.parse(holdfastOk('disk', 'status', directory, '--json'))).toMatchObject({ readOnly: sentence })
    bringBack(1, 2, 3)
    await until(() => isWhole(), 10_000)
    await expectEverything()
    await store('small-after', 1000)
    await store('large-after', LARGE_BYTES)
    await expectEverything()
    expect(await site.stop()).toBe(0)
    await serve()
    expect(states()).toBe('in in in in')
    await expectEverything()
  })

  test('starts without three disks to say what is missing, and goes on by itself when they are back', async () => {
    await begin()
    expect(await site.stop()).toBe(0)
    takeAway(1, 2, 3)
    await serve()
    const { state, sentence } = statusOf(directory)
    expect(state).toBe('read-only')
    for (const position of [1, 2, 3]) expect(sentence).toContain(disk(position))
    expect(site.log()).toContain(sentence)
    await expectReadOnly()
    await expectUnavailable(read(client, 'large-before'))
    const exported = holdfast('bundle', 'export', directory, '--to', 'anybody', '--out', join(directory, '..', 'stick'))
    expect(exported).toMatchObject({ code: 5, err: expect.stringContaining(sentence) })
    bringBack(1, 2, 3)
    await until(() => isWhole(), 10_000)
    await store('after', LARGE_BYTES)
    await expectEverything()
  })

  test('does not begin a second history where the half that went on is missing, but reads only, and goes on when that half is back', async () => {
    await begin()
    takeAway(1, 2)
    await until(() => states() === 'out out in in', 4000)
    await store('small-of-the-half', 1000)
    await store('large-of-the-half', LARGE_BYTES)
    expect(await site.stop()).toBe(0)
    takeAway(3, 4)
    bringBack(1, 2)
    await serve()
    const { state, sentence, sequence } = statusOf(directory)
    expect(state).toBe('read-only')
    for (const position of [3, 4]) expect(sentence).toContain(disk(position))
    expect(site.log()).toContain(sentence)
    await expectReadOnly()
    // What the index knows is shown; what only the other half holds is not there to be read, and never shown as something else.
    const listed = await client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))
    expect(listed.Contents?.map((entry) => entry.Key)).toEqual([...stored.keys()].sort())
    for (const key of ['small-of-the-half', 'large-of-the-half']) {
      const head = await client.send(new HeadObjectCommand({ Bucket: 'bucket', Key: key }))
      expect(head.ContentLength).toBe(stored.get(key)?.length)
      await expectUnavailable(read(client, key))
    }
    for (const key of ['small-before', 'large-before']) expect(await read(client, key)).toEqual(stored.get(key))
    bringBack(3, 4)
    await until(() => isWhole())
    expect(statusOf(directory).sequence).toBeGreaterThanOrEqual(sequence)
    await expectEverything()
    await store('after-the-halves-met', LARGE_BYTES)
    await expectEverything()
  })

  /** The first half alone, while the other held `given-up`. */
  async function firstHalfAlone(): Promise<void> {
    await begin()
    takeAway(1, 2)
    await until(() => states() === 'out out in in', 4000)
    await store('given-up', 1000)
    stored.delete('given-up')
    expect(await site.stop()).toBe(0)
    takeAway(3, 4)
    bringBack(1, 2)
  }

  test('gives up the newer changes of the half that is lost for good when the operator says so, having been told how many', async () => {
    await firstHalfAlone()
    await serve()
    const lost = [disk(3), disk(4)]
    expect(holdfast('disk', 'retire', directory, disk(3))).toMatchObject({ code: 5, err: expect.stringContaining(lost.join(' ')) })
    expect(holdfast('disk', 'retire', directory, disk(1))).toMatchObject({ code: 5, err: expect.stringContaining('is in') })
    const asked = holdfast('disk', 'retire', directory, ...lost)
    expect(asked.code).toBe(5)
    expect(asked.err).toMatch(/^holdfast: That loses 1 acknowledged change\. .*Nothing was changed\. .* --give-up 1\.\n$/)
    const retired = JSON.parse(holdfastOk('disk', 'retire', directory, ...lost, '--give-up', '1', '--json')) as Record<string, unknown>
    expect(retired).toMatchObject({ retired: lost, when: 'at-next-start', givenUp: 1, sentence: expect.stringContaining('restart') })
    expect(statusOf(directory)).toMatchObject({ state: 'read-only', sentence: retired.sentence })
    expect(await site.stop()).toBe(0)
    await serve()
    await store('after-the-loss', LARGE_BYTES)
    await expectEverything()
    expect(statusOf(directory)).toMatchObject({ state: 'degraded', survives: 0 })
    bringBack(3, 4)
    expect(await site.stop()).toBe(0)
    await serve()
    await store('after-they-turned-up', 1000)
    expect(states()).toBe('in in out out')
    expect(statusOf(directory).disks.map((each) => each.retired)).toEqual([undefined, undefined, true, true])
    expect(holdfastOk('status', directory)).toContain(`${disk(3)} (retired), ${disk(4)} (retired)`)
    await expectEverything()
  })

  test('retires disks of a site that nobody serves, too, and starts without what only they held', async () => {
    await firstHalfAlone()
    expect(holdfastOk('status', directory)).toContain('read-only')
    expect(holdfast('disk', 'retire', directory, disk(3), disk(4)).code).toBe(5)
    expect(holdfastOk('disk', 'retire', directory, disk(3), disk(4), '--give-up', '1')).toContain('next start')
    await serve()
    await store('after-the-loss', 1000)
    await expectEverything()
  })

  test('goes on at once where the disks that are retired held nothing more', async () => {
    await begin()
    takeAway(1, 2)
    await until(() => states() === 'out out in in', 4000)
    expect(await site.stop()).toBe(0)
    takeAway(3, 4)
    bringBack(1, 2)
    await serve()
    expect(statusOf(directory).state).toBe('read-only')
    expect(holdfastOk('disk', 'retire', directory, disk(3), disk(4))).toContain('may be written again')
    await store('after', LARGE_BYTES)
    await expectEverything()
    expect(states()).toBe('in in out out')
  })

  test('goes on with what is there by --accept-older', async () => {
    await firstHalfAlone()
    await serve('--accept-older')
    await store('after-the-loss', LARGE_BYTES)
    await expectEverything()
    expect(statusOf(directory)).toMatchObject({ state: 'degraded', survives: 0 })
  })

  test('does not start without its index while disks are missing that may hold more, and starts whole when they are back', async () => {
    await firstHalfAlone()
    rmSync(join(directory, 'index'), { recursive: true })
    for (let i = 0; i < 2; i++) {
      const run = holdfast('serve', directory, '--listen', '127.0.0.1:0')
      expect(run.code).toBe(5)
      expect(run.err).toMatch(/^holdfast: There is no index[^\n]*\n$/)
      for (const position of [3, 4]) expect(run.err).toContain(disk(position))
    }
    bringBack(3, 4)
    await serve()
    expect((await client.send(new ListObjectsV2Command({ Bucket: 'bucket' }))).KeyCount).toBe(stored.size + 1)
    await expectEverythingRead()
  })
})
