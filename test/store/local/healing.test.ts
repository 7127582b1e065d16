/** Disks that fail, come back or are replaced while the store is in use. */
import { describe, expect, test } from 'vitest'
import type { Bucket } from '../../../src/store/terms.ts'
import { ProcessDied } from '../../sim/world.ts'
import { md5, must, pattern, StoreUser } from '../store-contract.ts'
import { SimulatedSite } from './simulated-site.ts'

const userOf = (site: SimulatedSite) => new StoreUser({ store: site.store, run: (promise) => site.run(promise), close: () => site.close() })
const states = (site: SimulatedSite): string[] => site.engine.pool.view.sets[0]!.disks.map((disk) => disk.state)

async function fill(user: StoreUser, bucket: Bucket, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await user.put(bucket, `k${i}`, pattern(i % 2 === 0 ? 150_000 + i : 100 + i, i))
}
async function checkAll(user: StoreUser, bucket: Bucket, to: number): Promise<void> {
  for (let i = 0; i < to; i++) {
    const version = await user.object(bucket, `k${i}`)
    expect(md5(await user.bytesOf(version))).toBe(version.etag)
  }
}
async function healAll(site: SimulatedSite): Promise<void> {
  for (let i = 0; i < 60 && states(site).some((state) => state !== 'in'); i++) await site.run(site.world.sleep(1000))
  expect(states(site)).toEqual(['in', 'in', 'in', 'in'])
}

test('a disk deleted in use is put out within two seconds; reads and writes go on', async () => {
  const site = await SimulatedSite.make({ seed: 21, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await fill(user, bucket, 0, 6)
  site.world.disks[1]!.deleteDirectory()
  await site.run(site.world.sleep(2000))
  expect(states(site)).toEqual(['in', 'out', 'in', 'in'])
  await fill(user, bucket, 6, 12)
  await checkAll(user, bucket, 12)
})

test('a replaced disk is healed while in use, and then two others may be lost', async () => {
  const site = await SimulatedSite.make({ seed: 22, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await fill(user, bucket, 0, 10)
  const disk = site.world.disks[2]!
  disk.deleteDirectory()
  await site.run(site.world.sleep(2000))
  await fill(user, bucket, 10, 14)
  disk.replaceByEmpty()
  must(await site.run(site.engine.pool.replaceDisk(0, 2, disk.reopen())))
  const progress: number[] = []
  const healed = site.engine.healing.healDisk(0, 2, (doneBytes, totalBytes) => progress.push(doneBytes / totalBytes))
  await fill(user, bucket, 14, 18)
  must(await site.run(healed))
  expect(progress.at(-1)).toBe(1)
  expect(states(site)).toEqual(['in', 'in', 'in', 'in'])
  for (const lost of [0, 1]) site.world.disks[lost]!.deleteDirectory()
  await site.run(site.world.sleep(3000))
  expect(states(site)).toEqual(['out', 'out', 'in', 'in'])
  await checkAll(user, bucket, 18)
})

test('a disk that hung comes back by itself and gets what it missed', async () => {
  const site = await SimulatedSite.make({ seed: 23, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await fill(user, bucket, 0, 4)
  site.world.disks[3]!.hang()
  await fill(user, bucket, 4, 8)
  await site.run(site.world.sleep(3000))
  expect(states(site)[3]).toBe('out')
  await fill(user, bucket, 8, 12)
  site.world.disks[3]!.resume()
  await healAll(site)
  for (const lost of [0, 1]) site.world.disks[lost]!.deleteDirectory()
  await site.run(site.world.sleep(3000))
  await checkAll(user, bucket, 12)
})

test('a flipped bit is repaired on the disk after a read met it', async () => {
  const site = await SimulatedSite.make({ seed: 24, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await fill(user, bucket, 0, 1)
  const files = site.world.disks.slice(0, 4).map((disk) => ({ disk, file: disk.files().find((file) => file.startsWith('extents/'))! }))
  const before = files.map(({ disk, file }) => md5(disk.content(file)!))
  for (const { disk, file } of files.slice(0, 2)) disk.flipBit(file)
  await checkAll(user, bucket, 1)
  await site.run(site.engine.healing.idle())
  // What a read does not come by, parity, is for the scrub; here both data shards or one of each may have been hit.
  const mended = files.filter(({ disk, file }, i) => md5(disk.content(file)!) === before[i]).length
  expect(mended).toBeGreaterThanOrEqual(3)
  await checkAll(user, bucket, 1)
})

describe('a disk that heals through kills and power cuts', () => {
  for (let seed = 31; seed < 37; seed++) {
    test(`seed ${seed}: is whole in the end`, async () => {
      const site = await SimulatedSite.make({ seed, disks: 4, parity: 2 })
      const { chance } = site.world
      let user = userOf(site)
      const bucket = await user.bucket('b')
      await fill(user, bucket, 0, 8)
      const disk = site.world.disks[1]!
      disk.deleteDirectory()
      await site.run(site.world.sleep(2000))
      disk.replaceByEmpty()
      must(await site.run(site.engine.pool.replaceDisk(0, 1, disk.reopen())))
      for (let life = 0; life < 4; life++) {
        site.world.dieAfter(5 + chance.below(300), chance.oneIn(2) ? 'kill' : 'power-cut')
        try {
          await site.run(site.world.sleep(1_000_000))
        } catch (error) {
          if (!(error instanceof ProcessDied)) throw error
        }
        await site.restart()
      }
      user = userOf(site)
      await healAll(site)
      for (const lost of [0, 3]) site.world.disks[lost]!.deleteDirectory()
      await site.run(site.world.sleep(3000))
      await checkAll(user, bucket, 8)
    })
  }
})
