import { expect, test } from 'vitest'
import type { DiskFile } from '../../src/disks/disk.ts'
import type { Result } from '../../src/result.ts'
import { ProcessDied, SimulatedWorld } from './world.ts'

function must<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`failed: ${String(result.error)}`)
  return result.value
}
const filled = (bytes: number, value: number): Uint8Array => new Uint8Array(bytes).fill(value)
const create = async (world: SimulatedWorld, file: string, dsync = false): Promise<DiskFile> =>
  must(await world.run(world.disks[0]!.open(file, { mode: 'create', lane: 'data', dsync })))

test('one seed replays one run', async () => {
  const trace = async (seed: number): Promise<string> => {
    const world = new SimulatedWorld(seed)
    const disk = world.addDisk('a')
    const order: number[] = []
    const writes = Array.from({ length: 50 }, (_, i) => disk.writeFile(`f${i}`, filled(i, i)).then(() => order.push(i)))
    await world.run(Promise.all(writes))
    return `${order.join()} at ${world.nowUs}`
  }
  expect(await trace(7)).toBe(await trace(7))
  expect(await trace(7)).not.toBe(await trace(8))
})

test('over many power cuts an unsynced write is kept, lost and torn, and a synced one stays', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const world = new SimulatedWorld(seed)
    const disk = world.addDisk('a')
    const file = await create(world, 'file')
    must(await world.run(disk.syncFolder('')))
    must(await world.run(file.write(0, [filled(8192, 1)])))
    must(await world.run(file.sync()))
    must(await world.run(file.write(4096, [filled(4096, 2)])))
    world.powerCut()
    const content = disk.content('file')!
    expect(content.subarray(0, 4096)).toEqual(filled(4096, 1))
    for (let at = 4096; at < 8192; at += 512) expect(new Set(content.subarray(at, at + 512)).size).toBe(1)
    seen.add([...new Set(content.subarray(4096))].sort().join())
  }
  expect(seen).toEqual(new Set(['1', '2', '1,2']))
})

test('a write of an O_DSYNC file is durable when it answers, also over an older unsynced one', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const world = new SimulatedWorld(seed)
    const disk = world.addDisk('a')
    const plain = await create(world, 'file')
    must(await world.run(disk.syncFolder('')))
    const synced = must(await world.run(disk.open('file', { mode: 'write', lane: 'journal', dsync: true })))
    must(await world.run(plain.write(0, [filled(2000, 1)])))
    must(await world.run(synced.write(100, [filled(50, 2), filled(50, 3)])))
    world.powerCut()
    expect(disk.content('file')!.subarray(100, 200)).toEqual(new Uint8Array([...filled(50, 2), ...filled(50, 3)]))
  }
})

test('over many power cuts a new name without syncFolder is kept and lost, and a removed one comes back', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 60; seed++) {
    const world = new SimulatedWorld(seed)
    const disk = world.addDisk('a')
    must(await world.run(disk.writeFile('old', filled(10, 1))))
    await create(world, 'new')
    must(await world.run(disk.remove('old')))
    world.powerCut()
    seen.add(disk.files().sort().join())
  }
  expect(seen).toEqual(new Set(['', 'new', 'new,old', 'old']))
})

test('a replacement by writeFile is the old or the new content after a power cut at any moment', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const world = new SimulatedWorld(seed)
    const disk = world.addDisk('a')
    must(await world.run(disk.writeFile('file', filled(3000, 1))))
    const replaced = disk.writeFile('file', filled(3000, 2))
    world.dieAfter(seed % 2, 'power-cut')
    const answered = await world.run(replaced).then(
      () => true,
      () => false,
    )
    if (answered) world.powerCut()
    const first = disk.content('file')![0]
    expect(disk.content('file')).toEqual(filled(3000, first!))
    if (answered) expect(first).toBe(2)
    const again = disk.reopen()
    expect(must(await world.run(again.list('')))).toEqual(['file'])
  }
})

test('after the process died nothing that it waited for completes, and its disks answer gone', async () => {
  const world = new SimulatedWorld(3)
  const disk = world.addDisk('a')
  world.dieAfter(0, 'kill')
  await expect(world.run(disk.writeFile('file', filled(1, 1)))).rejects.toThrow(ProcessDied)
  expect(await world.run(disk.readFile('file'))).toEqual({ ok: false, error: 'gone' })
  expect((await world.run(disk.reopen().list(''))).ok).toBe(true)
})

test('a deleted directory takes writes into the void and is found by check', async () => {
  const world = new SimulatedWorld(4)
  const disk = world.addDisk('a')
  const file = await create(world, 'file')
  disk.deleteDirectory()
  must(await world.run(file.write(0, [filled(10, 1)])))
  must(await world.run(file.sync()))
  expect(await world.run(disk.check())).toEqual({ ok: false, error: 'gone' })
  expect(await world.run(file.sync())).toEqual({ ok: false, error: 'gone' })
})

test('a hung disk answers timeout after two seconds and gone from then on', async () => {
  const world = new SimulatedWorld(5)
  const disk = world.addDisk('a')
  disk.hang()
  expect(await world.run(disk.list(''))).toEqual({ ok: false, error: 'timeout' })
  expect(world.nowUs).toBe(2_000_000)
  expect(await world.run(disk.list(''))).toEqual({ ok: false, error: 'gone' })
})

test('a full disk refuses bytes that need room, and takes them where room was made before', async () => {
  const world = new SimulatedWorld(6)
  const disk = world.addDisk('a')
  const file = await create(world, 'file')
  must(await world.run(file.write(0, [filled(1000, 0)])))
  disk.fill()
  expect(await world.run(file.write(1000, [filled(1, 1)]))).toEqual({ ok: false, error: 'full' })
  must(await world.run(file.write(0, [filled(1000, 1)])))
  expect(disk.failed).toBeUndefined()
})

test('a disk can come back as it was', async () => {
  const world = new SimulatedWorld(8)
  const disk = world.addDisk('a')
  must(await world.run(disk.writeFile('file', filled(1, 1))))
  const then = disk.snapshot()
  must(await world.run(disk.writeFile('file', filled(1, 2))))
  disk.restore(then)
  expect(await world.run(disk.check())).toEqual({ ok: false, error: 'gone' })
  expect(must(await world.run(disk.reopen().readFile('file')))).toEqual(filled(1, 1))
})

test('timers and the wall clock follow virtual time', async () => {
  const world = new SimulatedWorld(9)
  const begin = world.clock.nowMs()
  await world.sleep(60_000)
  expect(world.clock.nowMs() - begin).toBe(60_000)
  world.moveWallClock(-3_600_000)
  await world.sleep(10)
  expect(world.clock.nowMs() - begin).toBe(60_010 - 3_600_000)
})
