import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeReadOnly } from '../../../src/disks/read-only.ts'
import { initSite } from '../../../src/store/local/init-site.ts'
import { type LocalSite, openLocalSite } from '../../../src/store/local/open-site.ts'
import { openReaderParts } from '../../../src/store/local/reader-parts.ts'
import type { Bucket, SiteId } from '../../../src/store/terms.ts'
import { md5, must, pattern, StoreUser } from '../store-contract.ts'
import { realClock, realRandom } from './real-environment.ts'

const environment = { clock: realClock, random: realRandom }
let folder: string
let siteDirectory: string
let diskDirectories: string[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-site-'))
  siteDirectory = join(folder, 'site')
  diskDirectories = [0, 1, 2, 3].map((i) => join(folder, `disk.${i}`))
  must(await initSite({ siteDirectory, diskDirectories, name: 'test', site: 'b'.repeat(32) as SiteId, ...environment }))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = async (): Promise<LocalSite> => must(await openLocalSite({ siteDirectory, ...environment }))
const userOf = (site: LocalSite) => new StoreUser({ store: site.engine.store, run: (promise) => promise, close: () => site.close() })

async function fill(site: LocalSite): Promise<Bucket> {
  const user = userOf(site)
  const bucket = await user.bucket('b', 'enabled')
  for (const bytes of [0, 10, 5000, 200_000]) await user.put(bucket, `k${bytes}`, pattern(bytes, bytes))
  await user.put(bucket, 'k10', 'again')
  return bucket
}

test('what was stored is there after closing and opening, also with the index removed or garbage', async () => {
  const site = await open()
  const bucket = await fill(site)
  const before = await userOf(site).versions(bucket)
  const rmIndex = () => rmSync(join(siteDirectory, 'index'), { recursive: true })
  const dataFile = join(siteDirectory, 'index', 'data.mdb')
  const garbage = () => writeFileSync(dataFile, pattern(20_000))
  const cutShort = () => truncateSync(dataFile, statSync(dataFile).size - 4096)
  let starts = site.start
  await site.close()
  for (const harm of [() => undefined, rmIndex, garbage, cutShort]) {
    harm()
    const again = await open()
    expect(again.start).toBe(++starts)
    const user = userOf(again)
    expect(await user.versions(bucket)).toEqual(before)
    expect(md5(await user.bytesOf(await user.object(bucket, 'k200000')))).toBe(md5(pattern(200_000, 200_000)))
    await again.close()
  }
  expect(JSON.parse(readFileSync(join(siteDirectory, 'site.json'), 'utf8').split('\n')[0]!)).toMatchObject({ unclean: [] })
  expect(readdirSync(join(siteDirectory, 'index'))).not.toContain('opening')
})

test('a start that reads a long journal again says how far it is', async () => {
  const site = await open()
  const user = userOf(site)
  const bucket = await user.bucket('b')
  for (let round = 0; round < 21; round++) {
    await Promise.all(Array.from({ length: 100 }, (_, i) => user.put(bucket, `${round}-${i}`, 'small')))
  }
  await site.close()
  rmSync(join(siteDirectory, 'index'), { recursive: true })
  let minutes = 0
  const told: { change: number; last: number }[] = []
  const again = must(
    await openLocalSite({
      ...{ siteDirectory, ...environment },
      clock: { ...environment.clock, nowMs: () => Date.now() + 60_000 * minutes++ },
      onReplay: (change, last) => told.push({ change, last }),
    }),
  )
  expect(told).toHaveLength(1)
  expect(told[0]?.last).toBe(again.engine.sequence)
  expect(told[0]?.change).toBeGreaterThan(1000)
  expect(told[0]?.change).toBeLessThan(told[0]?.last ?? 0)
  await again.close()
})

test('a copy of a site with its disks below it is a site of its own', async () => {
  const home = join(folder, 'movable')
  const below = [1, 2, 3, 4].map((number) => join(home, `disk${number}`))
  const identity = { name: 'movable', site: '00112233445566778899aabbccddeeff' as SiteId }
  await initSite({ siteDirectory: home, diskDirectories: below, ...identity, ...environment })
  const first = await openLocalSite({ siteDirectory: home, ...environment })
  if (!first.ok) throw new Error(first.error.sentence)
  const bucket = await fill(first.value)
  const before = await userOf(first.value).versions(bucket)
  await first.value.close()
  const copy = join(folder, 'copy')
  cpSync(home, copy, { recursive: true })
  const second = await openLocalSite({ siteDirectory: copy, ...environment })
  if (!second.ok) throw new Error(second.error.sentence)
  await userOf(second.value).put(bucket, 'only in the copy', 'x')
  await second.value.close()
  const secondAgain = await openLocalSite({ siteDirectory: copy, ...environment })
  if (!secondAgain.ok) throw new Error(secondAgain.error.sentence)
  expect(secondAgain.value.engine.pool.view.sets[0]?.disks.map((disk) => disk.directory)).toEqual(
    [1, 2, 3, 4].map((number) => join(copy, `disk${number}`)),
  )
  await secondAgain.value.close()
  const again = await openLocalSite({ siteDirectory: home, ...environment })
  if (!again.ok) throw new Error(again.error.sentence)
  expect(await userOf(again.value).versions(bucket)).toEqual(before)
  expect(again.value.engine.pool.view.sets[0]?.disks.map((disk) => disk.directory)).toEqual(below)
  await again.value.close()
})

test('a disk that another site uses is not opened, whatever path leads to it, until that one lets go of it', async () => {
  const copy = join(folder, 'copy')
  cpSync(siteDirectory, copy, { recursive: true })
  const first = await open()
  const refused = await openLocalSite({ siteDirectory: copy, ...environment })
  expect(refused).toMatchObject({ ok: false, error: { kind: 'unusable' } })
  const words = new RegExp(`^${diskDirectories[0]} is in use by another process \\(process ${process.pid} for ${siteDirectory}\\)`)
  if (!refused.ok) expect(refused.error.sentence).toMatch(words)

  // A disk that was out and is opened again, or that replaces another, is taken too.
  const renewed = join(folder, 'renewed')
  mkdirSync(renewed)
  const { pool } = first.engine
  must(await pool.putOut([{ set: 0, position: 0, reason: 'for a try' }]))
  must(await pool.replaceDisk(0, 0, must(await first.openDisk(renewed))))
  must(await first.engine.healing.healDisk(0, 0))
  const alias = join(folder, 'alias')
  symlinkSync(renewed, alias)
  const other = { siteDirectory: join(folder, 'other'), diskDirectories: [alias], name: 'other', site: 'd'.repeat(32) as SiteId }
  expect(await initSite({ ...other, ...environment })).toMatchObject({ ok: false, error: { kind: 'unusable' } })
  // The one that was replaced is free.
  rmSync(diskDirectories[0]!, { recursive: true })
  must(await initSite({ ...other, diskDirectories: [diskDirectories[0]!], ...environment }))

  await first.close()
  const again = await open()
  await again.close()
})

test('a copy of a site that lacks a disk does not take that of the original', async () => {
  const home = join(folder, 'home')
  const below = [1, 2, 3].map((number) => join(home, `disk${number}`))
  const identity = { name: 'copied', site: '00112233445566778899aabbccddeeff' as SiteId }
  await initSite({ siteDirectory: home, diskDirectories: below, ...identity, ...environment })
  const first = must(await openLocalSite({ siteDirectory: home, ...environment }))
  await fill(first)
  await first.close()
  const copy = join(folder, 'copy')
  cpSync(home, copy, { recursive: true })
  rmSync(join(copy, 'disk2'), { recursive: true })
  for (let i = 0; i < 2; i++) {
    const second = must(await openLocalSite({ siteDirectory: copy, ...environment }))
    await second.engine.healing.idle()
    const { disks } = second.engine.pool.view.sets[0]!
    expect(disks.map(({ directory, state }) => [directory, state])).toEqual([
      [join(copy, 'disk1'), 'in'],
      [join(copy, 'disk2'), 'out'],
      [join(copy, 'disk3'), 'in'],
    ])
    await second.close()
  }
})

test('a copy of a site that lacks too many disks to begin keeps away from those of the original, however often it is started', async () => {
  const home = join(folder, 'home')
  const below = [1, 2, 3].map((number) => join(home, `disk${number}`))
  const identity = { name: 'copied', site: '00112233445566778899aabbccddeeff' as SiteId }
  must(await initSite({ siteDirectory: home, diskDirectories: below, ...identity, ...environment }))
  const first = must(await openLocalSite({ siteDirectory: home, ...environment }))
  await fill(first)
  await first.close()
  const copy = join(folder, 'copy')
  cpSync(home, copy, { recursive: true })
  for (const lost of ['disk1', 'disk2']) rmSync(join(copy, lost), { recursive: true })
  for (let i = 0; i < 3; i++) {
    const second = must(await openLocalSite({ siteDirectory: copy, ...environment }))
    const { sets, readOnly } = second.engine.pool.view
    expect(readOnly === undefined ? 'it began' : describeReadOnly(readOnly)).toContain(`Bring back ${join(copy, 'disk1')}`)
    expect(sets[0]!.disks.map(({ directory, state }) => [directory, state])).toEqual([
      [join(copy, 'disk1'), 'out'],
      [join(copy, 'disk2'), 'out'],
      [join(copy, 'disk3'), 'in'],
    ])
    await second.close()
  }
})

test('a disk below the site moves along with it, by whatever links it was named', async () => {
  const real = join(folder, 'real')
  mkdirSync(real)
  const link = join(folder, 'link')
  symlinkSync(real, link)
  const identity = { name: 'linked', site: '00112233445566778899aabbccddeeff' as SiteId }
  const home = join(link, 'home')
  // One is named past the link, and so is the one that takes the place of another later.
  const below = [join(home, 'disk1'), join(real, 'home', 'disk2'), join(home, 'disk3')]
  must(await initSite({ siteDirectory: home, diskDirectories: below, ...identity, ...environment }))
  const first = must(await openLocalSite({ siteDirectory: home, ...environment }))
  await fill(first)
  mkdirSync(join(real, 'home', 'disk4'))
  const disk = must(await first.openDisk(join(real, 'home', 'disk4')))
  must(await first.engine.pool.replaceDisk(0, 2, disk))
  await first.engine.healing.idle()
  await first.close()

  const copy = join(folder, 'copy')
  cpSync(join(real, 'home'), copy, { recursive: true })
  const second = must(await openLocalSite({ siteDirectory: copy, ...environment }))
  expect(second.engine.pool.view.sets[0]!.disks.map(({ directory, state }) => [directory, state])).toEqual(
    ['disk1', 'disk2', 'disk4'].map((name) => [join(copy, name), 'in']),
  )
  await second.close()
})

test('an index over which the last start died is made anew', async () => {
  const site = await open()
  const bucket = await fill(site)
  const before = await userOf(site).versions(bucket)
  await site.close()
  writeFileSync(join(siteDirectory, 'index', 'opening'), '')
  const again = await open()
  expect(await userOf(again).versions(bucket)).toEqual(before)
  await again.close()
})

test('disks that are older than the index are only read, nothing is changed, and they are taken on the operator’s word', async () => {
  const site = await open()
  const bucket = await fill(site)
  const before = await userOf(site).versions(bucket)
  await site.close()
  for (const directory of diskDirectories) rmSync(join(directory, 'journal'), { recursive: true })
  const listing = (): string[] => diskDirectories.flatMap((directory) => readdirSync(directory, { recursive: true }) as string[]).sort()
  const files = listing()
  for (let i = 0; i < 2; i++) {
    const older = await open()
    expect(describeReadOnly(older.engine.pool.view.readOnly!)).toMatch(/hold changes up to 0, but \d+ were acknowledged.*--accept-older/)
    const user = userOf(older)
    expect(await user.versions(bucket)).toEqual(before)
    expect(md5(await user.bytesOf(await user.object(bucket, 'k200000')))).toBe(md5(pattern(200_000, 200_000)))
    const reader = older.engine.store.read(await user.object(bucket, 'k10'), 0, 5)
    expect(await reader.read()).toEqual({ ok: false, error: 'unavailable' })
    expect(await user.tryPut(bucket, 'k10', 'new')).toMatchObject({ ok: false, error: 'read-only' })
    await older.close()
  }
  expect(listing()).toEqual(files)
  const taken = must(await openLocalSite({ siteDirectory, ...environment, acceptOlder: true }))
  expect(await taken.engine.store.findBucket(bucket.name)).toBeUndefined()
  await userOf(taken).bucket('anew')
  await taken.close()
})

test('a record that is damaged on every disk is not said to be cured by --accept-older, which it is not', async () => {
  const site = await open()
  await fill(site)
  const { sequence } = site.engine
  await site.close()
  for (const disk of diskDirectories) {
    for (const name of readdirSync(join(disk, 'journal'))) {
      const file = join(disk, 'journal', name)
      const bytes = readFileSync(file)
      const second = bytes.indexOf('HFRC', bytes.indexOf('HFRC') + 4)
      if (second < 0) continue
      bytes[second + 50]! ^= 1
      writeFileSync(file, bytes)
    }
  }
  for (const acceptOlder of [false, true]) {
    const held = must(await openLocalSite({ siteDirectory, ...environment, acceptOlder }))
    const { readOnly } = held.engine.pool.view
    const said = readOnly === undefined ? 'it began' : describeReadOnly(readOnly)
    expect(said).toMatch(/Record 2 of the journal is damaged on every disk .*Keep SITE\/index.* copy the objects to a new site/)
    expect(said).not.toContain('--accept-older')
    expect(held.engine.sequence).toBe(sequence)
    await held.close()
  }
  rmSync(join(siteDirectory, 'index'), { recursive: true })
  const refused = await openLocalSite({ siteDirectory, ...environment, acceptOlder: true })
  expect(refused).toMatchObject({ ok: false, error: { kind: 'damaged', sentence: expect.stringContaining('read-disks.py') } })
})

test('disks with content and no journal are not taken for an empty site, unless an operator says so, once', async () => {
  const site = await open()
  await fill(site)
  await site.close()
  for (const place of [siteDirectory, ...diskDirectories]) rmSync(join(place, 'index'), { recursive: true, force: true })
  for (const disk of diskDirectories) rmSync(join(disk, 'journal'), { recursive: true, force: true })
  const before = diskDirectories.map(filesBelow)
  for (let i = 0; i < 2; i++) {
    const refused = await openLocalSite({ siteDirectory, ...environment })
    expect(refused).toMatchObject({
      ok: false,
      error: { kind: 'damaged', sentence: expect.stringMatching(/extents\/.* no journal.*Nothing was changed\..*copy.*--accept-older/) },
    })
    expect(diskDirectories.map(filesBelow)).toEqual(before)
  }
  const empty = must(await openLocalSite({ siteDirectory, ...environment, acceptOlder: true }))
  expect(await empty.engine.store.listBuckets()).toEqual([])
  // What it signed before may still be held by peers, under numbers that it would give again.
  expect(empty.epoch).toBe(2)
  await empty.close()
  const again = await open()
  expect([again.epoch, await again.engine.store.listBuckets()]).toEqual([2, []])
  await again.close()
})

test('the same where an index is left, of which the operator gives up everything', async () => {
  const site = await open()
  await fill(site)
  await site.close()
  for (const disk of diskDirectories) rmSync(join(disk, 'journal'), { recursive: true, force: true })
  const held = await open()
  expect(describeReadOnly(held.engine.pool.view.readOnly!)).toMatch(/hold changes up to 0, but \d+ were acknowledged/)
  await held.close()
  const empty = must(await openLocalSite({ siteDirectory, ...environment, acceptOlder: true }))
  await empty.close()
  const again = await open()
  expect(await again.engine.store.listBuckets()).toEqual([])
  await again.close()
})

test('a site that never had anything, and one of which everything was deleted, open without their index', async () => {
  const rmIndex = () => rmSync(join(siteDirectory, 'index'), { recursive: true })
  await (await open()).close()
  rmIndex()
  const site = await open()
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await user.put(bucket, 'large', pattern(300_000, 1))
  must(await site.engine.store.deleteObject({ bucketId: bucket.id, key: 'large' }))
  must(await site.engine.store.deleteBucket(bucket.id))
  await site.engine.settled()
  await site.close()
  rmIndex()
  const again = await open()
  expect(await again.engine.store.listBuckets()).toEqual([])
  await again.close()
})

/** Every file in a directory and below, with its content. */
function filesBelow(directory: string): [string, string][] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort()
  return paths.map((path) => [path, md5(readFileSync(path))])
}

test('a start that is refused leaves the index as it was, also one that was found damaged', async () => {
  const site = await open()
  await fill(site)
  await site.close()
  const away = (directory: string) => `${directory}.away`
  for (const directory of diskDirectories) renameSync(directory, away(directory))
  const dataFile = join(siteDirectory, 'index', 'data.mdb')
  const index = readFileSync(dataFile)
  for (let i = 0; i < 2; i++) {
    expect((await openLocalSite({ siteDirectory, ...environment })).ok).toBe(false)
    expect(Buffer.compare(readFileSync(dataFile), index)).toBe(0)
  }
  renameSync(away(diskDirectories[0]!), diskDirectories[0]!)
  writeFileSync(join(siteDirectory, 'index', 'opening'), '')
  expect(await openLocalSite({ siteDirectory, ...environment })).toMatchObject({
    ok: false,
    error: { sentence: expect.stringMatching(/no index.*needs 2 disks/) },
  })
  expect(Buffer.compare(readFileSync(dataFile), index)).toBe(0)
})

test('a making that fails at its last step leaves no file on disks, and works when it is tried again', async () => {
  const [home, disk, newDisk] = [join(folder, 'tried'), join(folder, 'old-folder'), join(folder, 'new', 'folder')]
  mkdirSync(disk)
  const input = { siteDirectory: home, diskDirectories: [disk, newDisk], name: 'x', site: 'c'.repeat(32) as SiteId, ...environment }
  const failed = await initSite({ ...input, keep: { act: () => ({ ok: false, error: 'No room.' }), undo: () => undefined } })
  expect(failed).toMatchObject({ ok: false, error: { sentence: 'No room.' } })
  expect(readdirSync(disk)).toEqual([])
  for (const made of [home, join(folder, 'new')]) expect(existsSync(made)).toBe(false)
  must(await initSite(input))
})

test('a directory that is no site, or is one already, is said so', async () => {
  const none = await openLocalSite({ siteDirectory: folder, ...environment })
  expect(none).toMatchObject({ ok: false, error: { kind: 'not-a-site' } })
  const twice = await initSite({ siteDirectory, diskDirectories, name: 'x', site: 'c'.repeat(32) as SiteId, ...environment })
  expect(twice).toMatchObject({ ok: false, error: { kind: 'exists' } })
})

test('another thread’s store reads what is committed, writes through the committer, and sees buckets change', async () => {
  const site = await open()
  const bucket = await fill(site)
  const { engine } = site
  const parts = must(
    await openReaderParts({
      siteDirectory,
      thread: 1,
      board: engine.board.memory,
      commits: engine.addLane(),
      clock: realClock,
      site: site.site,
      epoch: site.epoch,
      start: site.start,
    }),
  )
  const user = new StoreUser({ store: parts.store, run: (promise) => promise, close: parts.close })
  expect(await user.text(bucket, 'k10')).toBe('again')
  await user.put(bucket, 'big', pattern(300_000, 9))
  expect(md5(await userOf(site).bytesOf(await userOf(site).object(bucket, 'big')))).toBe(md5(pattern(300_000, 9)))
  expect(await parts.store.findBucket(bucket.name)).toMatchObject({ versioning: 'enabled' })
  must(await engine.store.putVersioning(bucket.id, 'suspended'))
  expect(await parts.store.findBucket(bucket.name)).toMatchObject({ versioning: 'suspended' })
  const lease = parts.store.lease()
  const version = await user.object(bucket, 'big')
  must(await engine.store.deleteObject({ bucketId: bucket.id, key: 'big', versionId: version.versionId }))
  expect(md5(await user.bytesOf(version))).toBe(md5(pattern(300_000, 9)))
  lease.release()
  await parts.close()
  await site.close()
})
