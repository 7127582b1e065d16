/** What a peer removed keeps its bytes until it is given up; brought back, it shares them; given up, the space is free. */
import { expect, test } from 'vitest'
import { MemoryMap } from '../../../src/store/local/index/memory-map.ts'
import type { Origin } from '../../../src/store/operation.ts'
import type { Bucket, Position, SiteId } from '../../../src/store/terms.ts'
import { must, pattern, StoreUser } from '../store-contract.ts'
import { SimulatedSite } from './simulated-site.ts'

const PEER = 'e'.repeat(32) as SiteId
const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

const userOf = (site: SimulatedSite) => new StoreUser({ store: site.store, run: (promise) => site.run(promise), close: () => site.close() })

async function siteWithObject(seed: number) {
  const site = await SimulatedSite.make({ seed, disks: 4, parity: 2 })
  const user = userOf(site)
  const bucket = await user.bucket('plain')
  const body = pattern(900_000, 1)
  await user.put(bucket, 'k', body)
  return { site, bucket, body }
}

async function peerRemoves(site: SimulatedSite, bucket: Bucket, key: string, number: number, keepRemovedMs?: number): Promise<void> {
  const { position: target, versionId } = await userOf(site).object(bucket, key)
  const position: Position = { clock: number, site: PEER, sequence: number }
  const applied = await site.run(
    site.store.federation.applyForeign({
      bucketId: bucket.id,
      from: `${PEER}/1` as Origin,
      operation: { number, position, frontier: {}, change: { kind: 'delete-version', key, versionId, target } },
      digest: new Uint8Array(48),
      evidence: new Uint8Array(0),
      ...(keepRemovedMs === undefined ? {} : { keepRemovedMs }),
    }),
  )
  must(applied)
}

const hiddenAt = async (site: SimulatedSite) => (await site.run(site.store.federation.listHidden(undefined, 10)))[0]!

async function readBack(site: SimulatedSite, bucket: Bucket): Promise<Uint8Array> {
  const object = await userOf(site).object(bucket, 'k')
  const reader = site.store.read(object, 0, object.bytes)
  const chunks: Uint8Array[] = []
  for (;;) {
    const chunk = must(await site.run(reader.read()))
    if (chunk === undefined) return Buffer.concat(chunks)
    chunks.push(chunk)
  }
}

test('what came back reads as before, also without an index and with two disks lost', async () => {
  const { site, bucket, body } = await siteWithObject(1)
  await peerRemoves(site, bucket, 'k', 1)
  expect(await site.run(site.store.findVersion(bucket.id, 'k', undefined))).toBeUndefined()
  await site.run(site.engine.settled())
  expect(site.shardFiles().length).toBe(4)
  expect(must(await site.run(site.store.federation.returnVersion(await hiddenAt(site), 'in-old-place')))).toBe(true)
  await site.run(site.engine.settled())
  expect(site.shardFiles().length).toBe(4)
  await site.close()
  site.index = new MemoryMap()
  for (const disk of site.world.disks.slice(0, 2)) disk.deleteDirectory()
  await site.restart({ acceptOlder: true })
  expect(Buffer.compare(await readBack(site, bucket), body)).toBe(0)
})

test('given up, its space is free; the bytes of one that came back go with it', async () => {
  const { site, bucket } = await siteWithObject(2)
  await peerRemoves(site, bucket, 'k', 1)
  const hidden = await hiddenAt(site)
  must(await site.run(site.store.federation.returnVersion(hidden, 'in-old-place')))
  expect(must(await site.run(site.store.federation.returnVersion(hidden, 'in-old-place')))).toBe(false)
  await peerRemoves(site, bucket, 'k', 2)
  await site.run(site.engine.settled())
  expect(site.shardFiles().length).toBe(4)
  expect(must(await site.run(site.store.federation.dropHidden([await hiddenAt(site)])))).toBe(1)
  await site.run(site.engine.settled())
  expect(site.shardFiles()).toEqual([])
  expect(await site.run(site.store.federation.hiddenSums())).toEqual([])
  await site.close()
})

test('after its days it is given up within the hour, and not before', async () => {
  const { site, bucket } = await siteWithObject(3)
  await peerRemoves(site, bucket, 'k', 1, 2 * DAY_MS)
  // Expiry runs every hour by its own pace; the wall clock says what is due.
  const hours = async (count: number): Promise<void> => {
    for (let half = 0; half < 2 * count; half++) await site.world.sleep(HOUR_MS / 2)
  }
  site.world.moveWallClock(2 * DAY_MS - 2 * HOUR_MS)
  await hours(1.5)
  expect((await site.run(site.store.federation.hiddenSums()))[0]?.versions).toBe(1)
  await hours(1.5)
  await site.run(site.engine.settled())
  expect(site.shardFiles()).toEqual([])
  await site.close()
})

test('on a full disk an operator can give it up', async () => {
  const { site, bucket } = await siteWithObject(4)
  await peerRemoves(site, bucket, 'k', 1)
  await site.close()
  await site.restart({ indexRoom: () => 'reserve' })
  const user = userOf(site)
  expect(await site.run(site.store.putObject({ ...(await fullPut(user, bucket)) }))).toEqual({ ok: false, error: 'full' })
  expect(must(await site.run(site.store.federation.dropHidden([await hiddenAt(site)])))).toBe(1)
  await site.run(site.engine.settled())
  expect(site.shardFiles()).toEqual([])
})

async function fullPut(user: StoreUser, bucket: Bucket) {
  const body = pattern(1000, 9)
  const content = await user.stage(body)
  const attributes = { etag: '0'.repeat(32), headers: {}, userMetadata: [], tags: [] }
  return { bucketId: bucket.id, key: 'more', attributes, content }
}
