/** A site of which only the keys and the disks are left: everything else is made again from these. */
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  ACCESS_KEY,
  holdfast,
  holdfastOk,
  makeSite,
  REGION,
  removeTemporary,
  SECRET_KEY,
  serveSite,
  temporaryDirectory,
} from '../served-site.ts'

const Bucket = 'kept'
const BODIES = { small: randomBytes(3000), large: randomBytes(3_000_000) }
let home: string
beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

/** Does something with the served site, and stops it. */
async function served<T>(directory: string, act: (client: S3Client) => Promise<T>): Promise<T> {
  const site = await serveSite(directory)
  const credentials = { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY }
  const client = new S3Client({ endpoint: site.endpoint, region: REGION, forcePathStyle: true, credentials })
  try {
    return await act(client)
  } finally {
    client.destroy()
    expect(await site.stop()).toBe(0)
  }
}

const fill = (directory: string): Promise<void> =>
  served(directory, async (client) => {
    await client.send(new CreateBucketCommand({ Bucket }))
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    for (const [Key, Body] of Object.entries(BODIES)) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: 'before' }))
      await client.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { about: 'it' } }))
    }
    await client.send(new PutObjectCommand({ Bucket, Key: 'removed', Body: 'once' }))
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'removed' }))
  })

/** All versions as a client sees them; the newest of each key are read, too. */
const show = (directory: string): Promise<unknown> =>
  served(directory, async (client) => {
    const { Versions, DeleteMarkers } = await client.send(new ListObjectVersionsCommand({ Bucket }))
    for (const [Key, body] of Object.entries(BODIES)) {
      const got = await client.send(new GetObjectCommand({ Bucket, Key }))
      expect(Buffer.compare(Buffer.from((await got.Body?.transformToByteArray()) ?? []), body)).toBe(0)
      expect(got.Metadata).toEqual({ about: 'it' })
    }
    return { Versions, DeleteMarkers }
  })

/** Removes all of a site but its keys and its disks. */
function loseSite(directory: string): void {
  for (const name of readdirSync(directory)) if (!/^(keys|disk\d)$/.test(name)) rmSync(join(directory, name), { recursive: true })
}

/** Every file of a site's disks, with its content. */
function bytesOf(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(files.sort().map((file) => [file, createHash('sha256').update(readFileSync(file)).digest('hex')]))
}

const statusOf = (directory: string) => JSON.parse(holdfastOk('status', directory, '--json'))
const pathsOf = (directory: string): string[] => statusOf(directory).disks.map(({ path }: { path: string }) => path)

test('a site is recovered from its keys and disks alone, one of which was given another place: same versions, ids, peers, epoch and bytes', async () => {
  const [directory, elsewhere] = [join(home, 'site'), join(home, 'elsewhere')]
  makeSite(directory, '--name', 'the ship')
  await fill(directory)
  holdfastOk('site', 'new-epoch', directory)
  holdfastOk('disk', 'replace', directory, join(directory, 'disk2'), elsewhere)
  rmSync(join(directory, 'disk2'), { recursive: true, force: true })
  const [peer, identity] = [join(home, 'peer'), join(home, 'peer.identity')]
  makeSite(peer)
  writeFileSync(identity, holdfastOk('site', 'identity', peer))
  holdfastOk('peer', 'add', directory, identity, '--name', 'shore')
  const peers = holdfastOk('peer', 'list', directory, '--json')
  const before = await show(directory)
  const disks = pathsOf(directory)
  loseSite(directory)

  for (const words of [['status'], ['serve'], ['init']])
    expect(holdfast(...words, directory)).toMatchObject({ code: 5, err: expect.stringContaining(`holdfast site recover ${directory}`) })
  const recovered = JSON.parse(holdfastOk('site', 'recover', directory, '--json'))
  expect(recovered).toMatchObject({ name: 'the ship', epoch: 2, buckets: 1, disks: disks.map((path) => ({ path, state: 'in' })) })
  expect(await show(directory)).toEqual(before)
  expect(peers).toContain('shore')
  expect(holdfastOk('peer', 'list', directory, '--json')).toBe(peers)
  expect(statusOf(directory)).toMatchObject({ name: 'the ship', state: 'healthy', epoch: 2 })
  expect(holdfast('site', 'recover', directory)).toMatchObject({ code: 5, err: expect.stringContaining('nothing to recover') })
})

test('disks that lie elsewhere are named, and those lead to the others', async () => {
  const directory = join(home, 'with-disks-elsewhere')
  const disks = [1, 2, 3, 4].map((number) => join(home, `mount${number}`))
  makeSite(directory, ...disks.flatMap((disk) => ['--disk', disk]))
  await fill(directory)
  const before = await show(directory)
  loseSite(directory)
  expect(holdfast('site', 'recover', directory)).toMatchObject({ code: 5, err: expect.stringMatching(/no disk .*--disk/) })
  expect(readdirSync(directory)).toEqual(['keys'])
  expect(holdfastOk('site', 'recover', directory, '--disk', disks[2]!)).toMatch(/healthy/)
  expect(await show(directory)).toEqual(before)
  expect(pathsOf(directory)).toEqual(disks)
})

test('a copy is recovered from the copied disks, and those of the original are left alone', async () => {
  const [original, copy] = [join(home, 'original'), join(home, 'copy')]
  makeSite(original)
  await fill(original)
  const before = await show(original)
  cpSync(original, copy, { recursive: true })
  loseSite(copy)
  rmSync(join(copy, 'disk4'), { recursive: true })
  holdfastOk('site', 'recover', copy)
  expect(await show(copy)).toEqual(before)
  expect(statusOf(copy)).toMatchObject({ state: 'degraded' })
  expect(pathsOf(copy)).toEqual([1, 2, 3, 4].map((number) => join(copy, `disk${number}`)))
})

test('a damaged site.json is made again, too', async () => {
  const directory = join(home, 'damaged')
  makeSite(directory)
  await fill(directory)
  const before = await show(directory)
  writeFileSync(join(directory, 'site.json'), 'x')
  expect(holdfast('status', directory)).toMatchObject({ code: 5, err: expect.stringContaining('holdfast site recover') })
  holdfastOk('site', 'recover', directory, '--name', 'another name')
  expect(await show(directory)).toEqual(before)
  expect(statusOf(directory)).toMatchObject({ name: 'another name' })
  // Which the disks remember from now on.
  rmSync(join(directory, 'site.json'))
  holdfastOk('site', 'recover', directory)
  expect(statusOf(directory)).toMatchObject({ name: 'another name' })
})

test('a site that is served is left alone', async () => {
  const directory = join(home, 'served')
  makeSite(directory)
  await served(directory, async () => {
    rmSync(join(directory, 'site.json'))
    expect(holdfast('site', 'recover', directory)).toMatchObject({ code: 5, err: expect.stringContaining('open in another process') })
    expect(existsSync(join(directory, 'site.json'))).toBe(false)
  })
})

test('the keys of another site are refused beside an index that is whole, which is kept: it may be all that knows how much is missing', () => {
  const [directory, other] = [join(home, 'with-its-index'), join(home, 'whose-keys')]
  makeSite(directory)
  makeSite(other)
  const own = readFileSync(join(directory, 'keys', 'identity.json'))
  expect(holdfast('status', directory).code).toBe(0)
  rmSync(join(directory, 'site.json'))
  cpSync(join(other, 'keys', 'identity.json'), join(directory, 'keys', 'identity.json'))
  const index = join(directory, 'index', 'data.mdb')
  const before = [statSync(index).ino, readFileSync(index)]
  expect(holdfast('site', 'recover', directory)).toMatchObject({ code: 5, err: expect.stringContaining('index of another site') })
  expect([statSync(index).ino, readFileSync(index)]).toEqual(before)
  writeFileSync(join(directory, 'keys', 'identity.json'), own, { mode: 0o600 })
  expect(holdfastOk('site', 'recover', directory)).toMatch(/healthy/)
})

test('disks of which every journal is lost are not recovered as an empty site, unless an operator says so', async () => {
  const directory = join(home, 'without-journal')
  makeSite(directory)
  await fill(directory)
  loseSite(directory)
  for (const disk of [1, 2, 3, 4]) rmSync(join(directory, `disk${disk}`, 'journal'), { recursive: true, force: true })
  const before = bytesOf(directory)
  const refused = holdfast('site', 'recover', directory)
  expect(refused).toMatchObject({ code: 5, err: expect.stringMatching(/hold content \(.*extents.*\) but no journal.*--accept-older/) })
  expect(bytesOf(directory)).toEqual(before)
  holdfastOk('site', 'recover', directory, '--accept-older')
  expect(statusOf(directory)).toMatchObject({ state: 'healthy', buckets: 0, epoch: 2 })
  await served(directory, async (client) => {
    await client.send(new CreateBucketCommand({ Bucket }))
    await client.send(new PutObjectCommand({ Bucket, Key: 'new', Body: BODIES.large }))
  })
  expect(statusOf(directory)).toMatchObject({ state: 'healthy', buckets: 1 })
})

test('what does not belong together is refused, and nothing is left behind', async () => {
  const [directory, other] = [join(home, 'ours'), join(home, 'theirs')]
  makeSite(directory)
  makeSite(other)
  await fill(directory)
  loseSite(directory)
  const refused = (about: RegExp, ...words: string[]): void => {
    const before = [bytesOf(directory), bytesOf(other)]
    expect(holdfast('site', 'recover', directory, ...words)).toMatchObject({ code: 5, err: expect.stringMatching(about) })
    expect([bytesOf(directory), bytesOf(other)]).toEqual(before)
  }
  refused(/disks of different sites: .*--disk/, '--disk', join(directory, 'disk1'), '--disk', join(other, 'disk1'))
  refused(/is no disk/, '--disk', join(other, 'keys'))
  const own = readFileSync(join(directory, 'keys', 'identity.json'))
  cpSync(join(other, 'keys', 'identity.json'), join(directory, 'keys', 'identity.json'))
  refused(/written by site [0-9a-f]{32}, .*: put that site's keys there/)
  rmSync(join(directory, 'keys', 'identity.json'))
  refused(/keys\/identity\.json/)
  writeFileSync(join(directory, 'keys', 'identity.json'), own, { mode: 0o600 })
  // Two of the four might hold something newer: nobody can know without the index.
  const lost = ['disk3', 'disk4'].map((name) => join(directory, name))
  for (const disk of lost) cpSync(disk, `${disk}-away`, { recursive: true })
  for (const disk of lost) rmSync(disk, { recursive: true })
  for (const disk of lost) cpSync(`${disk}-away`, join(home, `away-${disk.slice(-1)}`), { recursive: true })
  for (const disk of lost) rmSync(`${disk}-away`, { recursive: true })
  refused(/--accept-older/)
  expect(existsSync(join(directory, 'site.json'))).toBe(false)
  holdfastOk('site', 'recover', directory, '--accept-older')
  expect(statusOf(directory)).toMatchObject({ state: 'degraded', buckets: 1 })
})
