/** The scrub: what nobody reads is read, and repaired while it can be. */
import { describe, expect, test } from 'vitest'
import { segmentFile } from '../../src/store/local/journal/segment.ts'
import { Case } from './case.ts'
import type { SimulatedDisk } from './simulated-disk.ts'

const HOUR_MS = 3_600_000
const WHOLE = { repaired: 0, remaining: 0, lost: { named: [], more: 0 }, lostSegments: [] }

const filesIn = (disk: SimulatedDisk, folder: string): string[] => disk.files().filter((file) => file.startsWith(folder))

/** Everything is there without any two disks. */
async function checkWithoutAnyTwo(site: Case, label: string): Promise<void> {
  for (const lost of [
    [0, 1],
    [0, 2],
    [0, 3],
    [1, 2],
    [1, 3],
    [2, 3],
  ]) {
    for (const index of ['with-index', 'without-index'] as const) {
      const copy = site.enclave.copy(lost, index)
      await copy.restart()
      await site.check(`${label}, without ${lost.join(' and ')}, ${index}`, copy)
    }
  }
}

test('bits that flipped in any file of as many disks as may be lost are put right, and then any others may be lost', async () => {
  for (const seed of [60, 61, 62]) {
    const site = await Case.of(seed, 4, 2)
    await site.work(80)
    for (const position of [1, 3]) {
      const disk = site.enclave.disk(position)
      for (const file of disk.files()) disk.flipBit(file)
    }
    const report = await site.enclave.scrub()
    expect(report).toMatchObject({ remaining: 0, lost: { named: [] } })
    expect(report.disks.map(({ state }) => state)).toEqual(['checked', 'checked', 'checked', 'checked'])
    expect(report.disks.map(({ repaired }) => repaired > 0)).toEqual([false, true, false, true])
    expect(await site.enclave.scrub()).toMatchObject(WHOLE)
    await checkWithoutAnyTwo(site, `seed ${seed}`)
  }
})

test('a disk that came back as it was a moment ago, within one generation, gets what it lacks', async () => {
  const site = await Case.of(63, 4, 2)
  await site.work(40)
  const earlier = site.enclave.disk(2).snapshot()
  await site.work(60)
  await site.enclave.stop()
  site.model.release()
  site.enclave.disk(2).restore(earlier)
  await site.enclave.restart()
  expect(site.enclave.states).toBe('in in in in')
  const report = await site.enclave.scrub()
  expect(report.disks[2]!.repaired).toBeGreaterThan(0)
  expect(await site.enclave.scrub()).toMatchObject(WHOLE)
  await checkWithoutAnyTwo(site, 'after the scrub')
})

test('a disk without its extents and journal gets them again', async () => {
  const site = await Case.of(64, 4, 2)
  await site.work(60)
  const disk = site.enclave.disk(0)
  const segments = site.enclave.engine.journal.segments().filter(({ directories }) => directories.includes('/d1'))
  const removed = [...filesIn(disk, 'extents/'), ...segments.map(({ number }) => segmentFile(number))]
  for (const file of removed) await site.enclave.run(disk.remove(file))
  const report = await site.enclave.scrub()
  expect(report.remaining).toBe(0)
  expect(report.disks[0]!).toMatchObject({ state: 'checked', repaired: removed.length })
  expect(await site.enclave.scrub()).toMatchObject(WHOLE)
  await checkWithoutAnyTwo(site, 'after the scrub')
})

test('what earlier starts left and nothing refers to is removed, what is being uploaded is not', async () => {
  const site = await Case.of(69, 4, 2)
  await site.work(80)
  const disk = () => site.enclave.disk(1)
  const [known] = filesIn(disk(), 'extents/')
  await site.endAndStart('kill')
  await site.enclave.run(site.enclave.engine.settled())
  const stray = known!.replace(/[^/]*$/, 'fffff.0')
  disk().setContent(stray, new Uint8Array(5000))
  const writer = site.enclave.store.stage(300_000)
  await site.enclave.run(Promise.resolve(writer.write(new Uint8Array(300_000))))
  const staged = await site.enclave.run(writer.finish())
  const before = filesIn(disk(), 'extents/')
  expect(staged.ok).toBe(true)
  expect(await site.enclave.scrub()).toMatchObject(WHOLE)
  expect(filesIn(disk(), 'extents/')).toEqual(before.filter((file) => file !== stray))
  await site.check('after the scrub')
})

describe('damage that is more than parity can repair', () => {
  test('is named by bucket, key and version, and nothing else is', async () => {
    const site = await Case.of(65, 4, 2)
    const { enclave } = site
    const put = async (key: string, bytes: number) => {
      const writer = enclave.store.stage(bytes)
      await enclave.run(Promise.resolve(writer.write(enclave.world.random.bytes(bytes))))
      const staged = await enclave.run(writer.finish())
      if (!staged.ok) throw new Error(staged.error)
      const attributes = { etag: 'e', headers: {}, userMetadata: [], tags: [] }
      const content = { kind: 'staged', staged: staged.value } as const
      const made = await enclave.run(enclave.store.putObject({ bucketId: site.buckets.get('plain')!.id, key, attributes, content }))
      if (!made.ok) throw new Error(String(made.error))
      return made.value.versionId
    }
    await put('before', 300_000)
    const known = new Set(enclave.world.disks.flatMap((disk) => disk.files().map((file) => `${disk.directory}/${file}`)))
    const versionId = await put('lost', 300_000)
    const isNew = (disk: SimulatedDisk) => (file: string) => file.startsWith('extents/') && !known.has(`${disk.directory}/${file}`)
    for (const position of [0, 1, 2]) {
      const disk = enclave.disk(position)
      for (const file of disk.files().filter(isNew(disk))) disk.flipBit(file, 1000)
    }
    await put('after', 300_000)
    const report = await enclave.scrub()
    expect(report.remaining).toBe(3)
    expect(report.lost).toMatchObject({ named: [{ bucket: 'plain', key: 'lost', versionId }], more: 0 })
    expect(report.lostSegments).toEqual([])
    expect(enclave.engine.scrub.status.last).toMatchObject({ remaining: 3 })
  })

  test('of the journal too', async () => {
    const site = await Case.of(66, 4, 2)
    const { enclave } = site
    await site.work(10)
    const writer = enclave.store.stage(50_000)
    await enclave.run(Promise.resolve(writer.write(new Uint8Array(50_000).fill(7))))
    const staged = await enclave.run(writer.finish())
    if (!staged.ok) throw new Error(staged.error)
    const attributes = { etag: 'e', headers: {}, userMetadata: [], tags: [] }
    const content = { kind: 'staged', staged: staged.value } as const
    await enclave.run(enclave.store.putObject({ bucketId: site.buckets.get('plain')!.id, key: 'inline', attributes, content }))
    for (const disk of enclave.world.disks.slice(0, 4)) {
      for (const file of filesIn(disk, 'journal/')) {
        const at = Buffer.from(disk.content(file)!).indexOf(Buffer.alloc(50_000, 7))
        if (at >= 0) disk.flipBit(file, at + 100)
      }
    }
    const report = await enclave.scrub()
    expect(report.lost.named).toEqual([expect.objectContaining({ bucket: 'plain', key: 'inline' })])
    expect(report.lostSegments).toHaveLength(1)
  })
})

test('a second scrub is refused while one is under way, and one that is stopped ends soon', async () => {
  const site = await Case.of(67, 4, 2)
  await site.work(40)
  const { scrub } = site.enclave.engine
  const stop = new AbortController()
  const first = scrub.run({ signal: stop.signal, bytesPerSecond: 1000 })
  expect(await scrub.run({ signal: new AbortController().signal })).toEqual({ ok: false, error: 'under-way' })
  await site.enclave.world.sleep(20_000)
  expect(scrub.status.running).toMatchObject({ by: 'operator' })
  const { doneBytes, totalBytes } = scrub.status.running!
  expect(doneBytes).toBeGreaterThan(0)
  expect(doneBytes).toBeLessThan(totalBytes)
  stop.abort()
  expect(await site.enclave.run(first)).toEqual({ ok: false, error: 'stopped' })
  expect(await site.enclave.scrub()).toMatchObject(WHOLE)
})

test('by itself it goes through everything, over restarts, and tells what it repaired', async () => {
  const site = await Case.of(68, 4, 2)
  await site.work(160)
  const { enclave } = site
  const disk = enclave.disk(3)
  expect(filesIn(disk, 'extents/').length).toBeGreaterThan(2)
  for (const file of filesIn(disk, 'extents/')) disk.flipBit(file, 1000)
  const isOver = () => enclave.engine.scrub.status.last !== undefined
  // Each time a part of it.
  let restarts = 0
  for (; !isOver() && restarts < 100; restarts++) {
    while (enclave.engine.scrub.status.running === undefined) await enclave.world.sleep(100)
    await enclave.world.sleep(3200)
    if (isOver()) break
    await enclave.stop()
    await enclave.restart()
  }
  expect(restarts).toBeGreaterThan(0)
  expect(enclave.troubles).toContainEqual(expect.stringMatching(/^The scrub repaired .* on \/d4/))
  expect(enclave.engine.scrub.status.last).toMatchObject({ remaining: 0 })
  expect(await enclave.scrub()).toMatchObject(WHOLE)
  await checkWithoutAnyTwo(site, 'after it')
  // And once more only after weeks.
  const { endedMs } = enclave.engine.scrub.status.last!
  for (const [days, again] of [
    [20, false],
    [9, true],
  ] as const) {
    enclave.world.moveWallClock(days * 24 * HOUR_MS)
    await enclave.world.sleep(HOUR_MS / 2)
    expect(enclave.engine.scrub.status.last!.endedMs > endedMs).toBe(again)
  }
})
