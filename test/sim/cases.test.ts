/** Cases worth a name of their own; histories.test.ts finds the others. */
import { describe, expect, test, vi } from 'vitest'
import { fail } from '../../src/result.ts'
import type { BucketId, SiteId, StagedContent } from '../../src/store/terms.ts'
import { Case } from './case.ts'
import type { DiskSnapshot } from './simulated-disk.ts'
import type { SimulatedEnclave } from './simulated-enclave.ts'
import { readAll } from './store-clients.ts'

test('a disk deleted under open descriptors is out within two seconds, and nothing that was acknowledged needs it', async () => {
  const site = await Case.of(10, 4, 2)
  await site.work()
  site.enclave.disk(2).deleteDirectory()
  const working = site.work(60)
  expect(await working).toBeGreaterThan(20)
  await site.enclave.world.sleep(2000)
  expect(site.enclave.states).toBe('in in out in')
  await site.endAndStart('kill', [0, 1, 3])
  await site.check('without the deleted disk')
})

test('a disk that works is replaced while clients work, and then two others may be lost', async () => {
  const site = await Case.of(19, 4, 2)
  const { enclave } = site
  await site.work(60)
  const replacement = enclave.world.addDisk('/new')
  const working = site.work(120)
  const replaced = await enclave.run(enclave.engine.pool.replaceDisk(0, 1, replacement))
  expect(replaced.ok).toBe(true)
  await working
  enclave.engine.healing.look()
  await enclave.until(() => enclave.engine.pool.view.sets[0]!.disks[1]!.directory === '/new', 'the new disk filled')
  expect(enclave.states).toBe('in in in in')
  for (const position of [0, 2]) enclave.disk(position).deleteDirectory()
  await enclave.until(() => enclave.states === 'out in out in', 'two deleted')
  await site.check('on the new disk and one other')
})

test('a clock set back a day lets no version go before an earlier one', async () => {
  const site = await Case.of(11, 3, 1)
  await site.work()
  for (const days of [-1, 3, -5]) {
    site.enclave.world.moveWallClock(days * 86_400_000)
    await site.work()
    await site.check(`moved by ${days} days`)
    site.enclave.setIndexBack('empty')
    site.enclave.world.moveWallClock(-86_400_000)
    await site.endAndStart('power-cut')
    await site.work()
  }
  await site.check('at the end')
})

test('an index at any earlier commit, an empty one and garbage come to the same as before', async () => {
  const site = await Case.of(12, 4, 2)
  await site.work(15)
  const states = [...site.enclave.index.states]
  for (const [i, state] of states.entries()) {
    if (i % 4 !== 0) continue
    site.enclave.setIndexTo(state)
    await site.endAndStart('kill')
    await site.check(`from commit ${i}`)
    if (i % 12 === 0) await site.work(2)
  }
  for (const how of ['empty', 'garbage'] as const) {
    site.enclave.setIndexBack(how)
    await site.endAndStart('power-cut')
    await site.check(how)
  }
})

test('an index of another site is not believed, however far that site is: it is made anew from the journal', async () => {
  for (const [seed, operations] of [
    [90, 2],
    [91, 60],
  ] as const) {
    const site = await Case.of(seed, 4, 2)
    await site.work(20)
    const other = await Case.of(seed + 10, 4, 2, 'b'.repeat(32) as SiteId)
    for (let start = 0; start < 3; start++) {
      await other.work(operations)
      await other.endAndStart('kill')
    }
    site.enclave.setIndexTo(other.enclave.index.states.at(-1)!)
    await site.endAndStart('kill')
    expect(site.readOnly).toBeUndefined()
    await site.check('with the index of another site')
    site.enclave.setIndexTo(other.enclave.index.states.at(-1)!)
    site.enclave.die('kill')
    const refused = await site.enclave.start({ present: [0] })
    expect(refused.ok ? '' : refused.error).toMatch(/no index/)
  }
})

test('a bad unit is rebuilt on the fly, rewritten, and good when others are lost later', async () => {
  const site = await Case.of(13, 4, 2)
  await site.work(60)
  const [file] = site.enclave
    .disk(1)
    .files()
    .filter((path) => path.startsWith('extents/'))
  if (file === undefined) throw new Error('no extent was written')
  for (const path of site.enclave.disk(1).files()) if (path.startsWith('extents/')) site.enclave.disk(1).flipBit(path)
  await site.check('with a flipped bit in each shard of a disk')
  await site.enclave.world.sleep(10_000)
  // Only what was read was found; reading from the other shards finds the rest.
  const copy = site.enclave.copy([0], 'with-index')
  await copy.restart()
  await site.check('with one more lost', copy)
})

describe('an upload whose bytes lie on the disks counts no shard that went with a disk', () => {
  class SlowUpload {
    readonly enclave: SimulatedEnclave
    /** The first disk, before any bytes came. */
    readonly earlier: DiskSnapshot
    readonly #bucketId: BucketId
    readonly #bytes: Uint8Array
    readonly #staged: StagedContent

    private constructor(enclave: SimulatedEnclave, bucketId: BucketId, bytes: Uint8Array, staged: StagedContent, earlier: DiskSnapshot) {
      this.enclave = enclave
      this.#bucketId = bucketId
      this.#bytes = bytes
      this.#staged = staged
      this.earlier = earlier
    }

    static async of(seed: number): Promise<SlowUpload> {
      const { enclave, buckets } = await Case.of(seed, 4, 2)
      const earlier = enclave.disk(0).snapshot()
      const bytes = enclave.world.random.bytes(300_000)
      const writer = enclave.store.stage(bytes.length)
      await enclave.run(Promise.resolve(writer.write(bytes)))
      const staged = await enclave.run(writer.finish())
      if (!staged.ok) throw new Error(staged.error)
      return new SlowUpload(enclave, buckets.get('plain')!.id, bytes, staged.value, earlier)
    }

    async loseFirstDisk(): Promise<void> {
      this.enclave.disk(0).deleteDirectory()
      await this.enclave.until(() => this.enclave.states === 'out in in in', 'deleted')
    }

    /** Deleted, replaced and healed. */
    async renew(position: number): Promise<void> {
      const { enclave } = this
      enclave.disk(position).deleteDirectory()
      await enclave.until(() => enclave.states.includes('out'), 'deleted')
      enclave.disk(position).replaceByEmpty()
      const replaced = await enclave.run(enclave.engine.pool.replaceDisk(0, position, enclave.disk(position).reopen()))
      expect(replaced.ok).toBe(true)
      await this.healed()
    }

    async replaceFirstDisk(): Promise<void> {
      const { enclave } = this
      enclave.disk(0).replaceByEmpty()
      const replaced = await enclave.run(enclave.engine.pool.replaceDisk(0, 0, enclave.disk(0).reopen()))
      expect(replaced.ok).toBe(true)
    }

    async healed(): Promise<void> {
      this.enclave.engine.healing.look()
      await this.enclave.until(() => this.enclave.states === 'in in in in', 'healed')
    }

    /** Every state that the disks come to from now on. */
    watchStates(): Set<string> {
      const { pool } = this.enclave.engine
      const seen = new Set<string>()
      pool.onChange(() => seen.add(this.enclave.states))
      return seen
    }

    async end(): Promise<boolean> {
      return (await this.outcome()).ok
    }

    async outcome() {
      const attributes = { etag: 'e', headers: {}, userMetadata: [], tags: [] }
      const content = { kind: 'staged', staged: this.#staged } as const
      return this.enclave.store.putObject({ bucketId: this.#bucketId, key: 'slow', attributes, content })
    }

    /** The client sends the same again. */
    async again(): Promise<SlowUpload> {
      const { enclave } = this
      const writer = enclave.store.stage(this.#bytes.length)
      await enclave.run(Promise.resolve(writer.write(this.#bytes)))
      const staged = await enclave.run(writer.finish())
      if (!staged.ok) throw new Error(staged.error)
      return new SlowUpload(enclave, this.#bucketId, this.#bytes, staged.value, this.earlier)
    }

    /** Whether the object is whole on the first two disks alone. */
    async isWhole(): Promise<boolean> {
      const copy = this.enclave.copy([2, 3], 'with-index')
      await copy.restart()
      const version = await copy.store.findVersion(this.#bucketId, 'slow', undefined)
      if (version?.kind !== 'object') return false
      const read = await copy.run(readAll(copy.store, version, 0, version.bytes))
      return read.ok && Buffer.compare(read.value, this.#bytes) === 0
    }
  }

  test('that was replaced and healed before the upload ended', async () => {
    const upload = await SlowUpload.of(14)
    await upload.loseFirstDisk()
    await upload.replaceFirstDisk()
    await upload.healed()
    expect(await upload.enclave.run(upload.end())).toBe(true)
    await upload.healed()
    expect(await upload.isWhole()).toBe(true)
  })

  test('that came back as it was earlier, and was healed', async () => {
    const upload = await SlowUpload.of(15)
    await upload.loseFirstDisk()
    upload.enclave.disk(0).restore(upload.earlier)
    await upload.healed()
    expect(await upload.enclave.run(upload.end())).toBe(true)
    await upload.healed()
    expect(await upload.isWhole()).toBe(true)
  })

  test('and what the disks lack is given to them before it counts, if as many were replaced as may be lost', async () => {
    const upload = await SlowUpload.of(17)
    await upload.renew(0)
    await upload.renew(1)
    const states = upload.watchStates()
    expect(await upload.enclave.run(upload.end())).toBe(true)
    expect([...states]).toEqual([])
    expect(await upload.isWhole()).toBe(true)
  })

  test('and it alone is refused if more disks were replaced than may be lost; sent again it is kept', async () => {
    const upload = await SlowUpload.of(18)
    for (const position of [0, 1, 2]) await upload.renew(position)
    const states = upload.watchStates()
    expect(await upload.enclave.run(upload.outcome())).toEqual({ ok: false, error: 'unavailable' })
    const { enclave } = upload
    await enclave.world.sleep(10_000)
    expect([...states]).toEqual([])
    expect(enclave.engine.pool.view.readOnly).toBeUndefined()
    const again = await upload.again()
    expect(await enclave.run(again.end())).toBe(true)
    expect(await again.isWhole()).toBe(true)
  })

  test('that was replaced while the record had to move to another segment', async () => {
    const upload = await SlowUpload.of(16)
    const { enclave } = upload
    vi.spyOn(enclave.engine.journal, 'append').mockImplementationOnce(async (batch) => {
      batch.cancel()
      await new Promise<void>((resolve) => void enclave.world.clock.timer(500, resolve))
      return fail('moved')
    })
    const ended = upload.end()
    enclave.disk(0).deleteDirectory()
    await upload.replaceFirstDisk()
    await upload.healed()
    expect(await enclave.run(ended)).toBe(true)
    await upload.healed()
    expect(await upload.isWhole()).toBe(true)
  })
})
