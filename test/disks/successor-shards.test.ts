/** What a disk gets that is to follow another one: all that is written, and copies of what was before. */
import { expect, test } from 'vitest'
import type { SetDisk } from '../../src/disks/extents.ts'
import { type ExtentPlace, shardPosition, UNIT_BYTES } from '../../src/disks/geometry.ts'
import { extentFile } from '../../src/disks/shard-file.ts'
import { ExtentSet } from './extent-set.ts'

const ok = { ok: true, value: undefined }
const FOLLOWED = 1
const shardOf = (place: ExtentPlace): number =>
  Array.from({ length: place.dataShards + place.parityShards }, (_, shard) => shard).find(
    (shard) => shardPosition(place, shard) === FOLLOWED,
  )!
const diskAt = (set: ExtentSet, at: number) => (set.slots[at] as SetDisk).disk as ReturnType<ExtentSet['disk']>

test('what is written is on both, and what is removed on neither', async () => {
  const set = new ExtentSet(4, 2)
  const at = set.follow(FOLLOWED)
  const written = await set.write(set.content(900_000))
  if (!written.ok) throw new Error(written.error)
  const { place, durable, mirrored } = written.value
  expect(durable).toBe(0b111111)
  expect(mirrored).toBe(2 ** shardOf(place))
  expect(await set.verify(place, shardOf(place), at)).toEqual(ok)
  await set.world.run(set.extents.remove(place))
  expect(set.files()).toEqual([])
})

test('what was written before is copied from the disk that has it, though no other can be read', async () => {
  const set = new ExtentSet(4, 2)
  const places: ExtentPlace[] = []
  for (const bytes of [3_000_000, 1, 0, UNIT_BYTES * 4 + 70]) places.push(await set.store(set.content(bytes)))
  const at = set.follow(FOLLOWED)
  for (const position of [0, 2, 3, 4, 5]) set.takeOut(position)
  for (const place of places) {
    const shard = shardOf(place)
    expect(await set.verify(place, shard, at)).toMatchObject({ ok: false })
    expect(await set.rebuild(place, shard, at)).toEqual(ok)
    const [old, file] = set.holder(place, shard)
    expect(Buffer.compare(diskAt(set, at).content(file)!, old.content(file)!.subarray(0, diskAt(set, at).content(file)!.length))).toBe(0)
  }
  expect(set.faults).toEqual([])
  expect(set.badShards.size).toBe(0)
})

test('what that disk has not got whole is rebuilt from the others, and reported', async () => {
  const set = new ExtentSet(4, 2)
  const [bad, missing, out] = [
    await set.store(set.content(3_000_000)),
    await set.store(set.content(700_000)),
    await set.store(set.content(5000)),
  ]
  const at = set.follow(FOLLOWED)
  set.disk(FOLLOWED).flipBit(extentFile(bad, shardOf(bad)), 5000)
  set.disk(FOLLOWED).loseFile(extentFile(missing, shardOf(missing)))
  for (const place of [bad, missing]) {
    expect(await set.rebuild(place, shardOf(place), at)).toEqual(ok)
    expect(set.badShards).toContain(shardOf(place))
    set.badShards.clear()
  }
  set.takeOut(FOLLOWED)
  expect(await set.rebuild(out, shardOf(out), at)).toEqual(ok)
})

test('one that fails, or is full, is no reason to refuse what is written', async () => {
  for (const harm of ['fill', 'failWrites', 'deleteDirectory'] as const) {
    const set = new ExtentSet(2, 1)
    const at = set.follow(FOLLOWED)
    diskAt(set, at)[harm]()
    const written = await set.write(set.content(2_000_000))
    expect(written).toMatchObject({ ok: true, value: { durable: 0b111, mirrored: 0 } })
    expect(set.faults.every((fault) => fault.startsWith(`${at} `))).toBe(true)
  }
})
