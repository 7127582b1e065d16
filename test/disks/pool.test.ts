import { describe, expect, test } from 'vitest'
import { readFoundDisk } from '../../src/disks/generation-files.ts'
import { IDENTITY_FILE } from '../../src/disks/identity.ts'
import { Pool } from '../../src/disks/pool.ts'
import type { PoolView } from '../../src/disks/pool-view.ts'
import { WITNESS_FILE } from '../../src/disks/pool-witness.ts'
import { describeReadOnly } from '../../src/disks/read-only.ts'
import { watchDisks } from '../../src/disks/watch-disks.ts'
import { must, PoolFixture, states } from './pool-fixture.ts'

const out = (position: number, reason = 'test'): { set: number; position: number; reason: string } => ({ set: 0, position, reason })
const saidOf = ({ readOnly }: PoolView): string => (readOnly === undefined ? '' : describeReadOnly(readOnly))

describe('what people call the site', () => {
  const namesOn = async (site: PoolFixture): Promise<(string | undefined)[]> => {
    const found = await site.world.run(Promise.all([0, 1, 2].map((i) => readFoundDisk(site.disk(i)))))
    return found.map((each) => (each.ok ? each.value.generation?.siteName : undefined))
  }

  test('is remembered by the disks from the start at which it is first told, and by one that takes a place', async () => {
    const site = new PoolFixture(30, 3)
    await site.create(1)
    expect(await namesOn(site)).toEqual([undefined, undefined, undefined])
    await site.started(undefined, { siteName: 'the ship' })
    expect(await namesOn(site)).toEqual(['the ship', 'the ship', 'the ship'])
    const pool = await site.started()
    site.disk(1).replaceByEmpty()
    site.disk(1).reopen()
    await site.world.run(must(pool.replaceDisk(0, 1, site.disk(1))))
    expect(await namesOn(site)).toEqual(['the ship', 'the ship', 'the ship'])
  })
})

describe('a new pool', () => {
  test('has its disks in the order given, and the same ones after a restart', async () => {
    const site = new PoolFixture(1, 4)
    const pool = await site.create(2)
    expect(pool.view.sets[0]).toMatchObject({ dataShards: 2, parityShards: 2 })
    expect(pool.view.sets[0]!.disks.map((slot) => slot.directory)).toEqual(['/d1', '/d2', '/d3', '/d4'])
    expect(states(pool)).toBe('in in in in')
    expect(pool.journalDisks()).toHaveLength(4)
    const again = await site.started()
    expect(again.view.sets).toEqual(pool.view.sets)
    expect(again.view.generation).toBeGreaterThan(pool.view.generation)
  })

  test.each([
    [0, 0],
    [1, 1],
    [3, 3],
    [33, 2],
    [4, -1],
    [4, 1.5],
  ])('of %i disks with parity %d is refused', async (disks, parity) => {
    const site = new PoolFixture(1, disks)
    await expect(site.create(parity)).rejects.toThrow('bad-geometry')
  })

  test('wants empty disks and a site without one', async () => {
    const site = new PoolFixture(1, 3)
    site.disk(1).setContent('letter.txt', new Uint8Array(3))
    await expect(site.create(1)).rejects.toThrow('/d2 (it is not empty (letter.txt))')
    const other = new PoolFixture(2, 3)
    await other.create(1)
    await expect(other.create(1)).rejects.toThrow('has a pool already')
    other.loseWitness()
    other.reopen()
    await expect(other.create(1)).rejects.toThrow('belongs to a pool already')
  })

  test('can be made after an attempt that the power ended, unless a disk had its identity already', async () => {
    for (let step = 0; step < 60; step++) {
      const site = new PoolFixture(step, 3)
      site.world.dieAfter(step, 'power-cut')
      await site.create(1).catch(() => {})
      site.world.live()
      const begun = [0, 1, 2].some((i) => site.disk(i).files().includes(IDENTITY_FILE))
      site.reopen()
      if (!begun) expect(states(await site.create(1))).toBe('in in in')
    }
  })
})

describe('putting disks out', () => {
  test('survives a restart, and the disk can be healed', async () => {
    const site = new PoolFixture(3, 4)
    const pool = await site.create(2)
    await site.world.run(must(pool.putOut([out(2, 'input/output error')])))
    expect(states(pool)).toBe('in in out in')
    expect(pool.disk(0, 2)).toBeUndefined()
    const again = await site.started()
    expect(again.view.sets[0]!.disks[2]).toMatchObject({ state: 'out', reason: 'input/output error' })
    expect(again.returned()).toEqual([{ set: 0, position: 2 }])
    await site.world.run(must(again.startHealing(0, 2)))
    expect(again.disk(0, 2)).toMatchObject({ writeOnly: true })
    again.reportProgress(0, 2, { doneBytes: 5, totalBytes: 10 })
    expect(again.view.sets[0]!.disks[2]!.healed).toEqual({ doneBytes: 5, totalBytes: 10 })
    expect(states(await site.started())).toBe('in in healing in')
  })

  test('a healed disk counts again, also after a restart', async () => {
    const site = new PoolFixture(4, 3)
    const pool = await site.create(1)
    await site.world.run(must(pool.putOut([out(0)])))
    const again = await site.started()
    await site.world.run(must(again.startHealing(0, 0)))
    await site.world.run(must(again.markIn(0, 0)))
    expect(states(again)).toBe('in in in')
    expect(states(await site.started())).toBe('in in in')
  })

  test('asked at the same time makes one generation', async () => {
    const site = new PoolFixture(5, 6)
    const pool = await site.create(3)
    const before = pool.view.generation
    await site.world.run(Promise.all([0, 2, 4, 2].map((i) => must(pool.putOut([out(i)])))))
    expect(states(pool)).toBe('out in out in out in')
    expect(pool.view.generation).toBe(before + 1)
  })

  test('again changes nothing', async () => {
    const site = new PoolFixture(5, 4)
    const pool = await site.create(2)
    const first = await site.world.run(must(pool.putOut([out(1)])))
    expect(await site.world.run(must(pool.putOut([out(1)])))).toBe(first)
  })

  test('a disk that fails while the generation is written is out too', async () => {
    const site = new PoolFixture(6, 4)
    const pool = await site.create(2)
    site.disk(1).hang()
    await site.world.run(must(pool.putOut([out(0)])))
    expect(states(pool)).toBe('out out in in')
    expect(pool.view.sets[0]!.disks[1]!.reason).toBe('it did not answer within two seconds')
  })

  test('works on full disks', async () => {
    const site = new PoolFixture(7, 4)
    const pool = await site.create(2)
    for (let i = 0; i < 4; i++) site.disk(i).fill()
    await site.world.run(must(pool.putOut([out(3)])))
    expect(states(await site.started())).toBe('in in in out')
  })

  test('beyond what the set can lose makes the pool read-only and says why; after a restart with the disks nothing is lost', async () => {
    const site = new PoolFixture(8, 4)
    const pool = await site.create(2)
    const views: (string | undefined)[] = []
    pool.onChange((view) => views.push(saidOf(view)))
    expect(await site.world.run(pool.putOut([out(0), out(1), out(2, 'unplugged')]))).toEqual({ ok: false, error: 'too-few-disks' })
    expect(states(pool)).toBe('out out out in')
    expect(saidOf(pool.view)).toContain('Set 0 needs 2 disks and has 1')
    expect(saidOf(pool.view)).toContain('/d3 (unplugged)')
    expect(views.at(-1)).toBe(saidOf(pool.view))
    expect(await site.world.run(pool.putOut([]))).toEqual({ ok: false, error: 'too-few-disks' })
    const again = await site.started()
    expect(states(again)).toBe('in in in in')
    expect(again.view.readOnly).toBeUndefined()
  })

  test('is not told before the site has it; when the site cannot be written the pool is read-only until it can', async () => {
    const site = new PoolFixture(9, 4)
    const pool = await site.create(2)
    site.site.fill()
    expect(await site.world.run(pool.putOut([out(0)]))).toEqual({ ok: false, error: 'read-only' })
    expect(saidOf(pool.view)).toContain('site directory cannot be written')
    site.site.setCapacity(1e9)
    expect((await site.world.run(must(pool.putOut([])))).readOnly).toBeUndefined()
    expect(states(pool)).toBe('out in in in')
  })
})

describe('a start', () => {
  const dropTwo = async (site: PoolFixture): Promise<Pool> => {
    const pool = await site.create(2)
    await site.world.run(must(pool.putOut([out(0), out(1)])))
    return pool
  }

  test('puts out a disk that is missing, and goes on', async () => {
    const site = new PoolFixture(20, 4)
    await site.create(2)
    const pool = await site.started([0, 1, 3])
    expect(states(pool)).toBe('in in out in')
    expect(pool.view.readOnly).toBeUndefined()
    expect(states(await site.started())).toBe('in in out in')
  })

  test('with only the two disks that dropped out of 2+2 is read-only and names the two that went on', async () => {
    const site = new PoolFixture(21, 4)
    await dropTwo(site)
    const pool = await site.started([0, 1])
    expect(saidOf(pool.view)).toContain('/d3 and /d4')
    expect(await site.world.run(pool.putOut([]))).toEqual({ ok: false, error: 'read-only' })
    expect((await site.started([2, 3])).view.readOnly).toBeUndefined()
    const all = await site.started()
    expect(states(all)).toBe('out out in in')
    expect(all.view.readOnly).toBeUndefined()
  })

  test('is the same if only the index remembers', async () => {
    const site = new PoolFixture(22, 4)
    const pool = await dropTwo(site)
    const seen = { generation: pool.view.generation }
    site.loseWitness()
    const half = await site.started([0, 1], { seen })
    expect(saidOf(half.view)).toContain('/d3 and /d4')
    expect((await site.started([2, 3], { seen })).view.readOnly).toBeUndefined()
  })

  test('without any witness is read-only when k disks are missing, and goes on when fewer are', async () => {
    const site = new PoolFixture(23, 4)
    await site.create(2)
    site.loseWitness()
    expect(saidOf((await site.started([0, 1])).view)).toContain('/d3 and /d4')
    expect(saidOf((await site.started([1, 2])).view)).toContain('could have gone on alone')
    expect((await site.started([0, 1, 2])).view.readOnly).toBeUndefined()
  })

  test('with a damaged witness is like one without', async () => {
    const site = new PoolFixture(24, 4)
    await site.create(2)
    site.site.flipBit(WITNESS_FILE)
    expect((await site.started([0, 1])).view.readOnly).toBeDefined()
  })

  test('with fewer than k disks is read-only, names the others, and changes nothing', async () => {
    const site = new PoolFixture(25, 4)
    await site.create(2)
    expect(saidOf((await site.started([2])).view)).toContain('Set 0 needs 2 disks and has 1')
    expect(states(await site.started())).toBe('in in in in')
  })

  test('puts out a disk that came back as it was before the last start', async () => {
    const site = new PoolFixture(26, 4)
    await site.create(2)
    const old = site.disk(3).snapshot()
    await site.started()
    site.disk(3).restore(old)
    const pool = await site.started()
    expect(states(pool)).toBe('in in in out')
    expect(pool.view.sets[0]!.disks[3]!.reason).toBe('came back as it was earlier')
    expect(pool.returned()).toEqual([{ set: 0, position: 3 }])
  })

  test('takes a disk whose newer generation was torn by its older one', async () => {
    const site = new PoolFixture(27, 4)
    await site.create(2)
    const pool = await site.started()
    for (const file of ['generation.0', 'generation.1']) site.disk(1).flipBit(file, 20)
    const again = await site.started()
    expect(again.view.generation).toBeGreaterThan(pool.view.generation)
    expect(states(again)).toBe('in out in in')
  })

  test('refuses disks of another pool, copies of one disk, and what a newer software wrote', async () => {
    const site = new PoolFixture(28, 3)
    await site.create(1)
    const other = new PoolFixture(29, 3)
    await other.create(1)
    const mine = site.disk(0).snapshot()
    site.disk(0).restore(other.disk(0).snapshot())
    expect(await site.start()).toMatchObject({
      ok: false,
      error: { kind: 'mixed-pools', sentence: expect.stringContaining('/d1 belongs to another pool') },
    })
    site.disk(0).restore(mine)
    site.disk(1).restore(mine)
    expect(await site.start()).toMatchObject({
      ok: false,
      error: { kind: 'duplicate-disk', sentence: expect.stringContaining('/d1 and /d2') },
    })
  })

  test('without any disk of a pool says so', async () => {
    const site = new PoolFixture(30, 2)
    expect(await site.start()).toMatchObject({ ok: false, error: { kind: 'no-pool' } })
  })

  test('by the operator’s word goes on without the others, which count for nothing afterwards', async () => {
    const site = new PoolFixture(31, 4)
    await dropTwo(site)
    const forced = await site.started([0, 1], { acceptOlder: true })
    expect(forced.view.readOnly).toBeUndefined()
    expect(states(forced)).toBe('in in out out')
    expect(saidOf((await site.started([2, 3])).view)).toContain('/d1 and /d2')
    expect(states(await site.started())).toBe('in in out out')
  })

  test('after all missing disks are retired may be written', async () => {
    const site = new PoolFixture(32, 4)
    await dropTwo(site)
    const [third, fourth] = (await site.started([0, 1])).view.sets[0]!.disks.slice(2).map((slot) => slot.diskId)
    expect((await site.started([0, 1], { retired: new Set([third!]) })).view.readOnly).toBeDefined()
    const pool = await site.started([0, 1], { retired: new Set([third!, fourth!]) })
    expect(pool.view.readOnly).toBeUndefined()
    expect(pool.view.sets[0]!.disks.map((slot) => slot.retired)).toEqual([undefined, undefined, true, true])
    expect(states(pool)).toBe('in in out out')
  })

  test('with retired disks that turned up does not follow them, nor heal them, with the witness and without', async () => {
    const site = new PoolFixture(34, 4)
    await dropTwo(site)
    const retired = new Set((await site.started([0, 1])).view.sets[0]!.disks.slice(2).map((slot) => slot.diskId))
    await site.started([0, 1], { retired })
    for (const witness of ['there', 'lost']) {
      if (witness === 'lost') site.loseWitness()
      const pool = await site.started()
      expect(states(pool)).toBe('in in out out')
      expect(pool.returned()).toEqual([])
      expect((await site.world.run(pool.startHealing(0, 2))).ok).toBe(false)
      expect((await site.world.run(pool.startHealing(0, 3, site.disk(3).reopen()))).ok).toBe(false)
    }
  })

  test('retires a disk that is out, and no other, for good', async () => {
    const site = new PoolFixture(35, 4)
    const pool = await site.create(2)
    await site.world.run(must(pool.putOut([out(2)])))
    expect((await site.world.run(pool.retire([{ set: 0, position: 1 }]))).ok).toBe(false)
    await site.world.run(must(pool.retire([{ set: 0, position: 2 }])))
    const again = await site.started()
    expect(again.view.sets[0]!.disks[2]).toMatchObject({ state: 'out', retired: true, reason: 'retired' })
    expect(again.returned()).toEqual([])
    const spare = site.world.addDisk('/spare')
    await site.world.run(must(again.replaceDisk(0, 2, spare)))
    expect(again.view.sets[0]!.disks[2]!.retired).toBeUndefined()
  })

  test('with two histories, each begun by an operator, is refused', async () => {
    const site = new PoolFixture(33, 4)
    await site.create(2)
    site.loseWitness()
    await site.started([0, 1], { acceptOlder: true })
    site.loseWitness()
    await site.started([2, 3], { acceptOlder: true })
    // The witness tells which one is followed here; without it nobody knows.
    expect(states(await site.started())).toBe('out out in in')
    site.loseWitness()
    expect(await site.start()).toMatchObject({ ok: false, error: { kind: 'forked' } })
  })
})

describe('replacing a disk', () => {
  test('gives its place to an empty one, which heals and then counts', async () => {
    const site = new PoolFixture(40, 4)
    const pool = await site.create(2)
    const spare = site.world.addDisk('/spare')
    await site.world.run(must(pool.putOut([out(1)])))
    await site.world.run(must(pool.replaceDisk(0, 1, spare)))
    expect(pool.view.sets[0]!.disks[1]).toMatchObject({ state: 'healing', directory: '/spare', reason: 'replaced' })
    await site.world.run(must(pool.markIn(0, 1)))
    expect(pool.view.sets[0]!.disks[1]!.reason).toBeUndefined()
    const disks = [site.disk(0), spare, site.disk(2), site.disk(3)].map((disk) => disk.reopen())
    const again = await site.world.run(
      must(Pool.open({ disks, witness: site.witness, seen: { generation: 0 }, random: site.world.random })),
    )
    expect(again.view.sets[0]!.disks.map((slot) => slot.directory)).toEqual(['/d1', '/spare', '/d3', '/d4'])
    expect(states(again)).toBe('in in in in')
  })

  test('refuses a directory that is not empty, or already a disk', async () => {
    const site = new PoolFixture(41, 4)
    const pool = await site.create(2)
    const spare = site.world.addDisk('/spare')
    spare.setContent('letter.txt', new Uint8Array(1))
    expect(await site.world.run(pool.replaceDisk(0, 1, spare))).toMatchObject({ ok: false, error: { kind: 'not-empty' } })
    expect(await site.world.run(pool.replaceDisk(0, 1, site.disk(2)))).toMatchObject({ ok: false, error: { kind: 'not-empty' } })
    expect(states(pool)).toBe('in in in in')
  })

  test('can be repeated after it was interrupted anywhere', async () => {
    for (let step = 0; step < 40; step++) {
      const site = new PoolFixture(step, 3)
      const pool = await site.create(1)
      await site.world.run(must(pool.putOut([out(1)])))
      site.world.addDisk('/spare')
      site.world.dieAfter(step, 'power-cut')
      await site.world.run(pool.replaceDisk(0, 1, site.disk(4))).catch(() => {})
      site.world.live()
      const again = await site.started()
      if (again.view.sets[0]!.disks[1]!.directory === '/spare') continue
      await site.world.run(must(again.replaceDisk(0, 1, site.disk(4))))
      expect(states(again)).toBe('in healing in')
    }
  })
})

describe('watching', () => {
  test.each([
    [
      'a deleted directory',
      'its directory is gone, or is another one than at the start',
      (site: PoolFixture) => site.disk(2).deleteDirectory(),
    ],
    [
      'a directory with another one in its place',
      'its directory is gone, or is another one than at the start',
      (site: PoolFixture) => site.disk(2).replaceByEmpty(),
    ],
  ])('finds %s within two seconds', async (_, reason, harm) => {
    const site = new PoolFixture(50, 4)
    const pool = await site.create(2)
    const stop = watchDisks(pool, site.world.clock)
    await site.world.sleep(5_300)
    harm(site)
    await site.world.sleep(2_000)
    expect(pool.view.sets[0]!.disks[2]).toMatchObject({ state: 'out', reason })
    expect(states(pool)).toBe('in in out in')
    stop()
  })

  test('makes a pool writable again when the site can be written again', async () => {
    const site = new PoolFixture(53, 4)
    const pool = await site.create(2)
    const stop = watchDisks(pool, site.world.clock)
    site.site.fill()
    site.disk(1).deleteDirectory()
    await site.world.sleep(3_000)
    expect(pool.view.readOnly).toBeDefined()
    site.site.setCapacity(1e9)
    await site.world.sleep(3_000)
    expect(pool.view.readOnly).toBeUndefined()
    expect(states(pool)).toBe('in out in in')
    stop()
  })

  test('finds a hung disk, and a failed one that nobody reported', async () => {
    const site = new PoolFixture(51, 4)
    const pool = await site.create(2)
    const stop = watchDisks(pool, site.world.clock)
    site.disk(0).hang()
    site.disk(1).failNextOperation()
    await site.world.sleep(6_000)
    expect(states(pool)).toBe('out out in in')
    stop()
  })

  test('leaves healthy disks alone', async () => {
    const site = new PoolFixture(52, 4)
    const pool = await site.create(2)
    const before = pool.view
    const stop = watchDisks(pool, site.world.clock)
    await site.world.sleep(600_000)
    expect(pool.view).toBe(before)
    stop()
  })
})
