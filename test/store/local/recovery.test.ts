/** What stays after a process or the power ended at any moment: everything acknowledged, nothing torn. */
import { describe, expect, test } from 'vitest'
import { MemoryMap } from '../../../src/store/local/index/memory-map.ts'
import type { Entry, OrderedMap } from '../../../src/store/local/index/ordered-map.ts'
import type { Bucket } from '../../../src/store/terms.ts'
import { ProcessDied } from '../../sim/world.ts'
import { md5, must, pattern, plain, StoreUser } from '../store-contract.ts'
import { SimulatedSite } from './simulated-site.ts'

const userOf = (site: SimulatedSite) => new StoreUser({ store: site.store, run: (promise) => site.run(promise), close: () => site.close() })

const rowsOf = (index: OrderedMap): string[] => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const all: readonly Entry[] = index.reader().range(Uint8Array.of(0), Uint8Array.of(0xff), 1_000_000)
  // The first row says, beside how far the index is, which generation of the pool was seen: each start begins a new one.
  return all
    .map(({ key, value }, i) => (i === 0 ? { key, value: Buffer.from(value).fill(0, 32, 40) } : { key, value }))
    .map(({ key, value }) => `${hex(key)} ${hex(value)}`)
}

/** A little of everything, a few at a time. */
async function busyDay(user: StoreUser): Promise<void> {
  const plainBucket = await user.bucket('plain')
  const versioned = await user.bucket('versioned', 'enabled')
  for (let i = 0; i < 6; i++) {
    await user.put(plainBucket, `k${i % 3}`, pattern(i * 500, i))
    await user.put(versioned, `k${i % 2}`, pattern(150_000 + i, i))
  }
  must(await user.delete(plainBucket, 'k1'))
  must(await user.delete(versioned, 'k0'))
  const of = await user.object(versioned, 'k1')
  await user.put(plainBucket, 'copy', pattern(of.bytes, 5), { content: { kind: 'shared', of, from: 0, to: of.bytes } })
  must(await user.delete(versioned, 'k1', of.versionId))
  const input = { bucketId: plainBucket.id, key: 'parts', headers: {}, userMetadata: [], tags: [] }
  const { uploadId } = must(await user.run(user.store.createUpload(input)))
  const parts = []
  for (const number of [1, 2, 3]) {
    const body = pattern(140_000, number)
    const content = await user.stage(body)
    parts.push(must(await user.run(user.store.putPart({ ...input, uploadId, number, etag: md5(body), content }))))
  }
  must(await user.run(user.store.completeUpload({ ...input, uploadId, parts: parts.slice(0, 2), etag: `${md5(Buffer.from('x'))}-2` })))
  await user.put(plainBucket, 'parts', 'over it')
  must(await user.run(user.store.putTags({ bucketId: plainBucket.id, key: 'copy', tags: [['a', 'b']] })))
  must(await user.run(user.store.putConfiguration(plainBucket.id, 'tagging', '[]')))
  must(await user.run(user.store.federation.putDocuments([{ collection: 'c', name: 'n', content: Buffer.from('document') }])))
}

test('an index made anew from the journal is the index that was', async () => {
  const site = await SimulatedSite.make({ seed: 5, disks: 4, parity: 2 })
  await busyDay(userOf(site))
  await site.run(site.engine.settled())
  const before = rowsOf(site.index)
  await site.close()
  site.index = new MemoryMap()
  await site.restart()
  await site.run(site.engine.settled())
  expect(rowsOf(site.index)).toEqual(before)
  await site.close()
})

test('replaying onto any earlier index gives the same index', async () => {
  const site = await SimulatedSite.make({ seed: 6, disks: 3, parity: 1 })
  await busyDay(userOf(site))
  await site.run(site.engine.settled())
  const before = rowsOf(site.index)
  const states = site.index.states.slice()
  await site.close()
  const earlier = states.filter((_, i) => i % 5 === 0)
  expect(earlier.length).toBeGreaterThan(3)
  for (const state of earlier) {
    site.index = new MemoryMap({ state })
    await site.restart()
    await site.run(site.engine.settled())
    expect(rowsOf(site.index)).toEqual(before)
    await site.close()
  }
})

test('garbage in place of the index is thrown away', async () => {
  const site = await SimulatedSite.make({ seed: 7, disks: 4, parity: 2 })
  await busyDay(userOf(site))
  await site.run(site.engine.settled())
  const before = rowsOf(site.index)
  await site.close()
  site.index = new MemoryMap()
  const write = site.index.begin()
  for (let i = 0; i < 100; i++) write.put(pattern(1 + (i % 30), i), pattern(i, i))
  write.commit()
  await site.restart()
  await site.run(site.engine.settled())
  expect(rowsOf(site.index)).toEqual(before)
})

test('an index that cannot be written refuses writes until it has caught up; reads go on', async () => {
  const site = await SimulatedSite.make({ seed: 8, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await user.put(bucket, 'a', 'one')
  site.index.failing = true
  expect(await user.tryPut(bucket, 'a', 'two')).toMatchObject({ ok: false, error: 'unavailable' })
  expect(await user.text(bucket, 'a')).toBe('one')
  expect(await user.tryPut(bucket, 'a', 'three')).toMatchObject({ ok: false, error: 'unavailable' })
  site.index.failing = false
  await site.run(site.world.sleep(2000))
  // It had reached the journal.
  expect(await user.text(bucket, 'a')).toBe('two')
  await user.put(bucket, 'a', 'four')
  expect(site.troubles).toHaveLength(1)
})

test('space of what was deleted, replaced or given up comes back', async () => {
  const site = await SimulatedSite.make({ seed: 9, disks: 4, parity: 2 })
  const user = userOf(site)
  await busyDay(user)
  for (const bucket of await user.run(user.store.listBuckets())) {
    const { entries } = await user.versions(bucket)
    for (const { key, versionId } of entries) must(await user.delete(bucket, key, versionId))
    must(await user.run(user.store.deleteBucket(bucket.id)))
  }
  const content = await user.stage(pattern(200_000))
  if (content.kind === 'staged') user.store.discard(content.staged)
  await site.run(site.engine.settled())
  await site.run(site.world.sleep(1000))
  await site.run(site.engine.settled())
  expect(site.index.reader().range(Uint8Array.of(0x40), Uint8Array.of(0x60), 10)).toEqual([])
  expect(site.shardFiles()).toEqual([])
})

test('what an unclean end left on the disks is removed after the next start', async () => {
  const site = await SimulatedSite.make({ seed: 10, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('b')
  await user.put(bucket, 'kept', pattern(200_000))
  await user.stage(pattern(200_000, 2))
  expect(site.shardFiles()).toHaveLength(8)
  site.world.kill()
  await site.restart()
  await site.run(site.engine.settled())
  expect(site.shardFiles()).toHaveLength(4)
  const again = userOf(site)
  expect(md5(await again.bytesOf(await again.object(bucket, 'kept')))).toBe(md5(pattern(200_000)))
})

describe('ends at any moment', () => {
  const SEEDS = Number(process.env.HOLDFAST_SEEDS ?? 20)
  const first = Number(process.env.HOLDFAST_SEED ?? 1)
  for (let seed = first; seed < first + SEEDS; seed++) {
    test(`seed ${seed}: everything acknowledged is there, nothing is torn`, async () => {
      const site = await SimulatedSite.make({ seed, disks: 4, parity: 2 })
      const { chance } = site.world
      const acknowledged = new Map<string, string>()
      const possible = new Map<string, Set<string>>()
      let bucket: Bucket | undefined
      for (let life = 0; life < 3; life++) {
        const user = userOf(site)
        bucket ??= await user.bucket('b')
        site.world.dieAfter(20 + chance.below(1500), chance.oneIn(2) ? 'power-cut' : 'kill')
        try {
          for (let round = 0; ; round++) await site.run(someWrites(user, bucket, `${life}.${round}`, acknowledged, possible))
        } catch (error) {
          if (!(error instanceof ProcessDied)) throw error
        }
        if (chance.oneIn(3)) site.index = new MemoryMap({ state: chance.pick(site.index.states), statesKept: 50 })
        await site.restart()
        const after = userOf(site)
        for (const [key, values] of possible) {
          const version = await after.find(bucket, key)
          const found = version?.kind === 'object' ? md5(await after.bytesOf(version)) : 'nothing'
          if (version?.kind === 'object') expect(found).toBe(version.etag)
          const expected = acknowledged.get(key)
          expect([...values, expected ?? 'nothing']).toContain(found)
          acknowledged.set(key, found)
          values.clear()
        }
      }
    })
  }
})

/** Writes and deletes on a few keys at once; `acknowledged` holds what was answered, `possible` what was asked since. */
async function someWrites(
  { store }: StoreUser,
  bucket: Bucket,
  round: string,
  acknowledged: Map<string, string>,
  possible: Map<string, Set<string>>,
): Promise<void> {
  const note = (key: string, value: string) => {
    if (!possible.has(key)) possible.set(key, new Set())
    possible.get(key)!.add(value)
  }
  const one = async (key: string, bytes: number): Promise<void> => {
    const body = pattern(bytes, bytes)
    const etag = md5(body)
    const writer = store.stage(undefined)
    await writer.write(body)
    const staged = must(await writer.finish())
    note(key, etag)
    const put = await store.putObject({ bucketId: bucket.id, key, attributes: plain(body), content: { kind: 'staged', staged } })
    if (put.ok) acknowledged.set(key, etag)
    if (bytes % 5 !== 0) return
    note(key, 'nothing')
    const deleted = await store.deleteObject({ bucketId: bucket.id, key })
    if (deleted.ok) acknowledged.set(key, 'nothing')
  }
  const salt = [...round].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7)
  await Promise.all([0, 1, 2, 3, 4].map((i) => one(`key-${i}`, i === 4 ? 131_072 + (salt % 99_999) : (salt + i * 137) % 5000)))
}
