/** A disk that works is replaced: what clients and operators see of that, whatever happens on the way. */
import { expect, test } from 'vitest'
import { slotAt } from '../../src/disks/pool-view.ts'
import { Case } from './case.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedEnclave } from './simulated-enclave.ts'
import { readAll } from './store-clients.ts'

const ATTRIBUTES = { etag: 'e', headers: {}, userMetadata: [], tags: [] }
/** Of the disk that is replaced. */
const PLACE = 1

async function put(site: Case, key: string, bytes: number) {
  const { enclave, buckets } = site
  const writer = enclave.store.stage(bytes)
  await enclave.run(Promise.resolve(writer.write(enclave.world.random.bytes(bytes))))
  const staged = await enclave.run(writer.finish())
  if (!staged.ok) return staged
  const content = { kind: 'staged', staged: staged.value } as const
  return enclave.run(enclave.store.putObject({ bucketId: buckets.get('plain')!.id, key, attributes: ATTRIBUTES, content }))
}

async function reads({ enclave, buckets }: Case, key: string): Promise<boolean> {
  const version = await enclave.store.findVersion(buckets.get('plain')!.id, key, undefined)
  return version?.kind === 'object' && (await enclave.run(readAll(enclave.store, version, 0, version.bytes))).ok
}

/** It is filled as soon as healing looks. */
async function begin({ enclave }: Case, place = PLACE): Promise<SimulatedDisk> {
  const disk = enclave.spare.reopen()
  expect((await enclave.run(enclave.engine.pool.replaceDisk(0, place, disk))).ok).toBe(true)
  return disk
}

const directoryAt = ({ engine }: SimulatedEnclave, place = PLACE): string => engine.pool.view.sets[0]!.disks[place]!.directory
const filled = (enclave: SimulatedEnclave, place = PLACE) =>
  enclave.until(() => directoryAt(enclave, place) === '/spare', 'the new disk has the place')

test('while it is filled two others may be lost, and with the old disk and one other everything is read and written', async () => {
  const site = await Case.of(140, 4, 2)
  const { enclave } = site
  await site.work(60)
  const disk = await begin(site)
  disk.slowDown(1500)
  await site.work(10)
  for (const lost of [0, 2]) enclave.disk(lost).deleteDirectory()
  await enclave.until(() => enclave.states === 'out in out in', 'two deleted')
  expect(directoryAt(enclave)).toBe('/d2')
  await site.check('on the old disk and one other')
  expect(await site.work(20)).toBeGreaterThan(5)
  disk.resume()
  await filled(enclave)
  // Now the new one does not need the old one any more.
  enclave.spare.deleteDirectory()
  await enclave.world.sleep(5000)
  expect(enclave.states).toBe('out in out in')
  await site.check('on the new disk and one other')
  await site.endAndStart('power-cut', [1, 3])
  await site.check('after a power cut')
})

test('a new disk that is full is given up, and nobody waits for it', async () => {
  const site = await Case.of(141, 4, 2)
  const { enclave } = site
  await site.work(40)
  enclave.spare.setCapacity(1_500_000)
  await begin(site)
  for (let i = 0; i < 12; i++) expect((await put(site, `large${i}`, 900_000)).ok).toBe(true)
  for (let i = 0; i < 12; i++) expect((await put(site, `small${i}`, 100_000)).ok).toBe(true)
  enclave.engine.healing.look()
  await enclave.until(() => enclave.successor?.state === 'out', 'out')
  expect(enclave.successor).toMatchObject({ directory: '/spare', reason: 'it is full' })
  expect(enclave.states).toBe('in in in in')
  // It is not tried again by itself.
  const { generation } = enclave.engine.pool.view
  await enclave.world.sleep(60_000)
  expect(enclave.engine.pool.view.generation).toBe(generation)
  await site.endAndStart('kill')
  expect(enclave.successor).toMatchObject({ state: 'out', reason: 'it is full' })
  for (let i = 0; i < 12; i++) for (const kind of ['large', 'small']) expect(await reads(site, `${kind}${i}`)).toBe(true)
})

test('the old disk fails on the way: the new one is filled further, and has the place when it is whole', async () => {
  const site = await Case.of(142, 4, 2)
  const { enclave } = site
  await site.work(60)
  const disk = await begin(site)
  disk.slowDown(300)
  await enclave.world.sleep(3000)
  enclave.disk(PLACE).deleteDirectory()
  await enclave.until(() => enclave.states === 'in out in in', 'the old one is out')
  expect(enclave.successor?.state).toBe('healing')
  await site.work(20)
  disk.resume()
  await filled(enclave)
  expect(enclave.states).toBe('in in in in')
  for (const lost of [0, 2]) enclave.disk(lost).deleteDirectory()
  await enclave.until(() => enclave.states === 'out in out in', 'two deleted')
  await site.check('on the new disk and one other')
})

test('the new disk goes away and comes back: it is filled further', async () => {
  const site = await Case.of(143, 4, 2)
  const { enclave } = site
  await site.work(40)
  const disk = await begin(site)
  disk.slowDown(300)
  await enclave.world.sleep(3000)
  enclave.spare.unplug()
  await enclave.until(() => enclave.successor?.state === 'out', 'out')
  expect(enclave.states).toBe('in in in in')
  await site.work(40)
  enclave.spare.plug()
  enclave.spare.resume()
  await filled(enclave)
  for (const lost of [0, 2]) enclave.disk(lost).deleteDirectory()
  await enclave.until(() => enclave.states === 'out in out in', 'two deleted')
  await site.check('on the new disk and one other')
})

test('a single disk without parity is replaced under clients, and what was being read from the old one is read to its end', async () => {
  const site = await Case.of(144, 1, 0)
  const { enclave, buckets } = site
  const old = enclave.engine.pool.view.sets[0]!.disks[0]!
  await site.work(40)
  expect((await put(site, 'long', 6_000_000)).ok).toBe(true)
  const version = await enclave.store.findVersion(buckets.get('plain')!.id, 'long', undefined)
  if (version?.kind !== 'object') throw new Error('it is not there')
  let chunks = 0
  const lease = enclave.store.lease()
  const reading = readAll(enclave.store, version, 0, version.bytes, async () => {
    // It goes on when the new disk has had the place for a while.
    if (++chunks === 2) await new Promise<void>((resolve) => void enclave.world.clock.timer(30_000, resolve))
  })
  await enclave.world.sleep(1000)
  await begin(site, 0)
  const working = site.work(60)
  enclave.engine.healing.look()
  await filled(enclave, 0)
  await working
  expect(enclave.engine.pool.opened(old.diskId)).toBeDefined()
  expect(await enclave.run(reading)).toMatchObject({ ok: true })
  lease.release()
  await enclave.world.sleep(3000)
  // Nobody has it open any more.
  expect(enclave.engine.pool.opened(old.diskId)).toBeUndefined()
  expect((await enclave.run(enclave.store.deleteObject({ bucketId: version.bucketId, key: 'long' }))).ok).toBe(true)
  enclave.spare.deleteDirectory()
  await enclave.world.sleep(5000)
  expect(enclave.states).toBe('in')
  await site.check('on the new disk alone')
  await site.endAndStart('power-cut')
  await site.check('after a power cut')
})

test('killed on the way, again and again, it is filled in the end, and nothing is lost', async () => {
  const site = await Case.of(145, 4, 2)
  const { enclave } = site
  await site.work(60)
  await begin(site)
  for (let turn = 0; turn < 12 && enclave.switches === 0; turn++) {
    await enclave.world.sleep(20 * turn)
    await site.endAndStart(turn % 2 === 0 ? 'kill' : 'power-cut')
    expect(enclave.states).toBe('in in in in')
    await site.work(5)
  }
  await filled(enclave)
  await site.check('in the end')
  expect(slotAt(enclave.engine.pool.view, 0, 4 + PLACE)).toBeUndefined()
})

test('nothing is acknowledged without the new disk: an upload that had ended before it came is on it, too', async () => {
  const site = await Case.of(146, 4, 2)
  const { enclave, buckets } = site
  const bytes = 900_000
  const writer = enclave.store.stage(bytes)
  await enclave.run(Promise.resolve(writer.write(enclave.world.random.bytes(bytes))))
  const staged = await enclave.run(writer.finish())
  if (!staged.ok) throw new Error(staged.error)
  const disk = await begin(site)
  const content = { kind: 'staged', staged: staged.value } as const
  const shards = () => disk.files().filter((file) => file.startsWith('extents/')).length
  expect(shards()).toBe(0)
  const put = enclave.store.putObject({ bucketId: buckets.get('plain')!.id, key: 'early', attributes: ATTRIBUTES, content })
  expect((await enclave.run(put)).ok).toBe(true)
  expect(shards()).toBe(1)
  expect(directoryAt(enclave)).toBe('/d2')
})

test('what an upload began to write before the new disk had the place is given to it before it counts', async () => {
  const site = await Case.of(147, 4, 2)
  const { enclave, buckets } = site
  const bytes = 900_000
  const writer = enclave.store.stage(bytes)
  await enclave.run(Promise.resolve(writer.write(enclave.world.random.bytes(bytes))))
  await begin(site)
  enclave.engine.healing.look()
  await filled(enclave)
  const staged = await enclave.run(writer.finish())
  if (!staged.ok) throw new Error(staged.error)
  const content = { kind: 'staged', staged: staged.value } as const
  const put = enclave.store.putObject({ bucketId: buckets.get('plain')!.id, key: 'late', attributes: ATTRIBUTES, content })
  expect((await enclave.run(put)).ok).toBe(true)
  for (const lost of [0, 2]) enclave.disk(lost).deleteDirectory()
  enclave.spare.deleteDirectory()
  await enclave.until(() => enclave.states === 'out in out in', 'two deleted')
  expect(await reads(site, 'late')).toBe(true)
})
