import { mkdtemp, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDirectoryDisk } from '../../src/disks/directory-disk.ts'
import type { SetDisk, SetDisks } from '../../src/disks/extents.ts'
import { type ExtentPlace, shardPosition } from '../../src/disks/geometry.ts'
import { extentFile } from '../../src/disks/shard-file.ts'
import { ShardedExtents } from '../../src/disks/sharded-extents.ts'
import { Chance } from '../sim/chance.ts'

const clock = {
  nowMs: () => Date.now(),
  timer: (delayMs: number, then: () => void) => {
    const timer = setTimeout(then, delayMs)
    return () => clearTimeout(timer)
  },
}
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-extents-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function openDisk(): Promise<SetDisk> {
  const directory = await mkdtemp(join(root, 'disk-'))
  const disk = await openDirectoryDisk({ directory, identityFile: 'identity', clock, timeLimitMs: 60_000 })
  if (!disk.ok) throw new Error(disk.error)
  return { disk: disk.value, writeOnly: false }
}

test('on real directories extents live through two that are deleted, and through damage, many at once', async () => {
  const slots = await Promise.all([openDisk(), openDisk(), openDisk(), openDisk()])
  const bad = new Set<string>()
  const disks: SetDisks = {
    disks: () => slots,
    reportFault: (_set, position, fault) => bad.add(`disk ${position} ${fault}`),
    reportBadShard: (place, shard) => bad.add(`extent ${place.counter} shard ${shard}`),
  }
  const extents = new ShardedExtents({ poolId: 'ab'.repeat(16), geometry: () => ({ dataShards: 2, parityShards: 2 }), disks, clock })
  const contents = [0, 1, 200_000, 1_000_000, 5_000_001, 3 * 2 ** 20].map((bytes, i) => new Chance(i).bytes(bytes))

  const store = async (content: Uint8Array, counter: number): Promise<ExtentPlace> => {
    const writer = extents.create(0, 1, counter)
    for (let from = 0; from < content.length; from += 65_536) await writer.write(content.subarray(from, from + 65_536))
    const written = await writer.finish()
    if (!written.ok) throw new Error(written.error)
    return written.value.place
  }
  const readsBack = async (place: ExtentPlace, content: Uint8Array): Promise<boolean> =>
    (await readsTo(place, content, false)) && (await readsTo(place, content, true))
  const readsTo = async (place: ExtentPlace, content: Uint8Array, lent: boolean): Promise<boolean> => {
    const reader = extents.open(place, 0, place.bytes)
    if (lent) reader.lend()
    const pieces: Uint8Array[] = []
    for (;;) {
      const piece = await reader.read()
      if (!piece.ok) throw new Error(piece.error)
      if (piece.value === undefined) break
      pieces.push(lent ? new Uint8Array(piece.value) : piece.value)
    }
    reader.close()
    return Buffer.compare(Buffer.concat(pieces), content) === 0
  }
  const allReadBack = async (): Promise<boolean[]> => Promise.all(places.map((place, i) => readsBack(place, contents[i]!)))

  const places = await Promise.all(contents.map(store))
  expect(await allReadBack()).toEqual(contents.map(() => true))
  expect([...bad]).toEqual([])

  const damaged = places[4]!
  await truncate(join(slots[shardPosition(damaged, 1)]!.disk.directory, extentFile(damaged, 1)), 300_000)
  expect(await readsBack(damaged, contents[4]!)).toBe(true)
  expect([...bad]).toEqual(['extent 4 shard 1'])
  expect(await extents.rebuild(damaged, 1)).toEqual({ ok: true, value: undefined })

  for (const lost of [0, 1]) await rm(slots[lost]!.disk.directory, { recursive: true })
  expect(await allReadBack()).toEqual(contents.map(() => true))

  for (const lost of [0, 1]) slots[lost] = { ...(await openDisk()), writeOnly: true }
  for (const place of places) {
    for (let shard = 0; shard < 4; shard++) expect(await extents.rebuild(place, shard)).toEqual({ ok: true, value: undefined })
  }
  for (const lost of [2, 3]) await rm(slots[lost]!.disk.directory, { recursive: true })
  expect(await allReadBack()).toEqual(contents.map(() => true))
  for (const { disk } of slots) disk.close()
})
