import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ExtentPlace, UNIT_BYTES } from '../../src/disks/geometry.ts'
import { Cut } from '../../src/disks/shard-file.ts'
import { ExtentSet, same } from './extent-set.ts'

const ok = { ok: true, value: undefined }
/** In 2+2: two whole stripes and 30,000 bytes. */
const BYTES = 4 * UNIT_BYTES + 30_000

test('a flipped bit anywhere in the units is found, read around, reported and repaired', async () => {
  const set = new ExtentSet(2, 2)
  const content = set.content(BYTES)
  const place = await set.store(content)
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.nat(), async (shard, chance) => {
      const [disk, file] = set.holder(place, shard)
      const before = disk.content(file)!
      set.badShards.clear()
      // What fills the last page means nothing.
      const at = chance % new Cut(2, BYTES).fileBytes(shard)
      disk.flipBit(file, at)
      expect(await set.verify(place, shard)).toEqual({ ok: false, error: 'damaged' })
      expect(same(await set.read(place), content)).toBe(true)
      if (shard < 2 && at >= 64) expect([...set.badShards]).toEqual([shard])
      expect(await set.rebuild(place, shard)).toEqual(ok)
      expect(Buffer.compare(disk.content(file)!, before)).toBe(0)
    }),
    { numRuns: 60 },
  )
  expect(set.faults).toEqual([])
})

test('damage on every shard, but on no more than m in any stripe, is read around and repaired', async () => {
  const set = new ExtentSet(2, 2)
  const content = set.content(BYTES)
  const place = await set.store(content)
  const cut = new Cut(2, BYTES)
  // Shards 0 and 1 in stripe 0, shards 2 and 3 in stripe 1, shard 0 in the last.
  for (const [shard, stripe] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [0, 2],
  ] as const)
    flip(set, place, shard, cut.recordOffset(stripe) + 9)
  expect(same(await set.read(place), content)).toBe(true)
  for (let shard = 0; shard < 4; shard++) expect(await set.rebuild(place, shard)).toEqual(ok)
  for (let shard = 0; shard < 4; shard++) expect(await set.verify(place, shard)).toEqual(ok)
})

test('units that were swapped within a file, between shards or between extents are seen', async () => {
  const set = new ExtentSet(2, 2)
  const [first, second] = [set.content(BYTES), set.content(BYTES)]
  const [place, other] = [await set.store(first), await set.store(second)]
  const cut = new Cut(2, BYTES)
  const record = (stripe: number): [number, number] => [cut.recordOffset(stripe), cut.recordOffset(stripe) + cut.recordBytes(stripe, 0)]
  const swaps: [ExtentPlace, number, number, ExtentPlace, number, number][] = [
    [place, 0, 0, place, 0, 1],
    [place, 0, 0, place, 1, 0],
    [place, 0, 0, other, 0, 0],
  ]
  for (const [placeA, shardA, stripeA, placeB, shardB, stripeB] of swaps) {
    const [diskA, fileA] = set.holder(placeA, shardA)
    const [diskB, fileB] = set.holder(placeB, shardB)
    const a = diskA.content(fileA)!.slice(...record(stripeA))
    const b = diskB.content(fileB)!.slice(...record(stripeB))
    replace(set, placeA, shardA, record(stripeA)[0], b)
    replace(set, placeB, shardB, record(stripeB)[0], a)
    expect(await set.verify(placeA, shardA)).toEqual({ ok: false, error: 'damaged' })
    expect(await set.verify(placeB, shardB)).toEqual({ ok: false, error: 'damaged' })
    expect(same(await set.read(place), first)).toBe(true)
    expect(same(await set.read(other), second)).toBe(true)
    expect(await set.rebuild(placeA, shardA)).toEqual(ok)
    expect(await set.rebuild(placeB, shardB)).toEqual(ok)
  }
})

test('a write that was lost or landed elsewhere is seen and repaired', async () => {
  for (const fault of ['loseNextWrite', 'misdirectNextWrite'] as const) {
    const set = new ExtentSet(2, 1)
    const earlier = set.content(BYTES)
    const earlierPlace = await set.store(earlier)
    const content = set.content(BYTES)
    set.disk(1)[fault]()
    const place = await set.store(content)
    for (const [each, bytes] of [
      [earlierPlace, earlier],
      [place, content],
    ] as const) {
      expect(same(await set.read(each), bytes)).toBe(true)
      for (let shard = 0; shard < 3; shard++) if (!(await set.verify(each, shard)).ok) expect(await set.rebuild(each, shard)).toEqual(ok)
      for (let shard = 0; shard < 3; shard++) expect(await set.verify(each, shard)).toEqual(ok)
    }
  }
})

test('a shard that is missing or cut short is reported, read around and made anew', async () => {
  const set = new ExtentSet(4, 2)
  const content = set.content(3_000_000)
  const place = await set.store(content)
  const [disk, file] = set.holder(place, 1)
  // Without what fills the last page.
  const whole = disk.content(file)!.slice(0, new Cut(4, place.bytes).fileBytes(1))
  for (const bytes of [0, 63, 64, 100, whole.length - 1]) {
    disk.setContent(file, whole.slice(0, bytes))
    set.badShards.clear()
    expect(same(await set.read(place), content)).toBe(true)
    expect([...set.badShards]).toEqual([1])
    expect(await set.rebuild(place, 1)).toEqual(ok)
    expect(Buffer.compare(disk.content(file)!, whole)).toBe(0)
  }
  await set.world.run(disk.remove(file))
  set.badShards.clear()
  expect(await set.verify(place, 1)).toEqual({ ok: false, error: 'not-found' })
  expect(same(await set.read(place), content)).toBe(true)
  expect([...set.badShards]).toEqual([1])
  expect(await set.rebuild(place, 1)).toEqual(ok)
  expect(Buffer.compare(disk.content(file)!, whole)).toBe(0)
})

test('with more damage than parity a read ends with a fault, and says whether disks are missing or bytes are bad', async () => {
  const set = new ExtentSet(2, 1)
  const place = await set.store(set.content(BYTES))
  for (const shard of [0, 1]) flip(set, place, shard, 1000)
  expect(await set.read(place)).toEqual({ ok: false, error: 'damaged' })
  expect(await set.rebuild(place, 0)).toEqual({ ok: false, error: 'damaged' })
  const intact = await set.read(place, 2 * UNIT_BYTES)
  expect(intact.ok).toBe(true)
  const other = await set.store(set.content(BYTES))
  set.takeOut(0)
  set.takeOut(1)
  expect(await set.read(other)).toEqual({ ok: false, error: 'too-few-disks' })
  expect(await set.rebuild(other, 0)).toMatchObject({ ok: false })
})

test('a disk that fails in the middle of a write is reported and left out; the extent is whole without it', async () => {
  const set = new ExtentSet(4, 2)
  const content = set.content(4_000_000)
  const written = await set.write(content, 100_000, (sent) => {
    if (sent === 1_000_000) set.disk(3).powerCut()
    if (sent === 2_000_000) set.disk(0).failNextOperation()
  })
  if (!written.ok) throw new Error(written.error)
  expect(written.value.durable).toBe(0b110110)
  expect(set.faults.map((fault) => fault[0]).sort()).toEqual(['0', '3'])
  for (const position of [0, 3]) set.takeOut(position)
  expect(same(await set.read(written.value.place), content)).toBe(true)
})

test('a disk whose directory is gone, or another one in its place, is reported and nothing is written there', async () => {
  for (const lose of ['deleteDirectory', 'replaceByEmpty'] as const) {
    const set = new ExtentSet(2, 1)
    await set.store(set.content(BYTES))
    set.disk(1)[lose]()
    const content = set.content(BYTES)
    const written = await set.write(content)
    if (!written.ok) throw new Error(written.error)
    expect(set.faults).toEqual(['1 gone'])
    expect(set.disk(1).files()).toEqual([])
    expect(same(await set.read(written.value.place), content)).toBe(true)
  }
})

test('a folder that was removed while it was empty is made again', async () => {
  const set = new ExtentSet(2, 1)
  const place = await set.store(set.content(10))
  await set.world.run(set.extents.remove(place))
  for (const { disk } of set.slots.flatMap((slot) => slot ?? [])) await set.world.run(disk.removeFolder('extents/3/0'))
  const content = set.content(20)
  expect(same(await set.read(await set.store(content)), content)).toBe(true)
  expect(set.faults).toEqual([])
})

test('a disk that hangs costs one time-out, and the write and the read go on without it', async () => {
  const set = new ExtentSet(2, 1)
  const content = set.content(2_000_000)
  const place = await set.store(content)
  set.disk(2).hang()
  const begunUs = set.world.nowUs
  const written = await set.write(content)
  expect(written).toMatchObject({ ok: true })
  expect(same(await set.read(place), content)).toBe(true)
  expect(set.world.nowUs - begunUs).toBeLessThan(3_000_000)
  expect(set.faults).toEqual(['2 timeout'])
})

test('with fewer than k disks a write fails and leaves nothing on those that are there', async () => {
  const set = new ExtentSet(2, 1)
  set.takeOut(0)
  const written = await set.write(set.content(2_000_000), 100_000, (sent) => {
    if (sent === 1_000_000) set.disk(1).failNextOperation()
  })
  expect(written).toEqual({ ok: false, error: 'too-few-disks' })
  expect(set.disk(2).files()).toEqual([])
  set.takeOut(1)
  expect(await set.write(set.content(10))).toEqual({ ok: false, error: 'too-few-disks' })
})

test('a full disk fails the write and nothing of it remains', async () => {
  const set = new ExtentSet(2, 2)
  const kept = set.content(1_000_000)
  const place = await set.store(kept)
  const before = set.files()
  for (const room of [0, 10, 500_000]) {
    set.disk(2).setCapacity(600_000 + room)
    expect(await set.write(set.content(3_000_000))).toEqual({ ok: false, error: 'full' })
    expect(set.files()).toEqual(before)
  }
  expect(set.faults).toEqual([])
  expect(same(await set.read(place), kept)).toBe(true)
})

test('an aborted write leaves nothing, whenever it is aborted', async () => {
  const set = new ExtentSet(2, 2)
  for (const chunks of [0, 1, 5, 12]) {
    const writer = set.extents.create(0, 9, chunks)
    const sending = (async () => {
      for (let i = 0; i < chunks; i++) {
        const wait = writer.write(set.content(300_000))
        if (i < chunks - 1) await wait
      }
      await writer.abort()
    })()
    await set.world.run(sending)
    expect(set.files()).toEqual([])
  }
})

test('removing an extent removes all of its shards and no others', async () => {
  const set = new ExtentSet(2, 2)
  const kept = await set.store(set.content(BYTES))
  const before = set.files()
  const place = await set.store(set.content(BYTES))
  await set.world.run(set.extents.remove(place))
  expect(set.files()).toEqual(before)
  expect(await set.verify(kept, 0)).toEqual(ok)
  await set.world.run(set.extents.remove(place))
})

test('a replaced disk gets new writes, is not read from, and holds everything when it is rebuilt', async () => {
  const set = new ExtentSet(4, 2)
  const contents = [set.content(3_000_000), set.content(1), set.content(0), set.content(UNIT_BYTES * 4 + 70)]
  const places: ExtentPlace[] = []
  for (const content of contents) places.push(await set.store(content))
  set.replace(1)
  const late = set.content(900_000)
  const written = await set.write(late)
  if (!written.ok) throw new Error(written.error)
  expect(written.value.durable).toBe(0b111111)
  for (const [i, place] of places.entries()) {
    expect(same(await set.read(place), contents[i]!)).toBe(true)
    const shard = Array.from({ length: 6 }, (_, s) => s).find((s) => set.holder(place, s)[0] === set.disk(1))!
    expect(await set.rebuild(place, shard)).toEqual(ok)
  }
  expect(set.badShards.size).toBe(0)
  set.healed(1)
  set.takeOut(4)
  set.takeOut(5)
  for (const [i, place] of [...places, written.value.place].entries()) {
    expect(same(await set.read(place), [...contents, late][i]!)).toBe(true)
  }
})

test('a healing disk is read from when nothing else is left', async () => {
  const set = new ExtentSet(2, 1)
  set.replace(0)
  const content = set.content(1_000_000)
  const place = await set.store(content)
  set.takeOut(1)
  expect(same(await set.read(place), content)).toBe(true)
})

test('what was acknowledged survives a power cut on all disks', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const set = new ExtentSet(2, 1, seed)
    const content = set.content(700_000)
    const place = await set.store(content)
    const lost = set.extents.create(0, 4, 1)
    lost.write(set.content(700_000))
    await set.world.sleep(1)
    set.world.powerCut()
    for (let position = 0; position < 3; position++) set.slots[position] = { disk: set.disk(position).reopen(), writeOnly: false }
    for (let shard = 0; shard < 3; shard++) expect(await set.verify(place, shard), `seed ${seed}`).toEqual(ok)
    expect(same(await set.read(place), content), `seed ${seed}`).toBe(true)
  }
})

test('whatever happens to m disks while extents are written and read, each extent reads back, and all is whole after healing', async () => {
  for (let seed = 1; seed <= 40; seed++) await liveThroughFaults(seed)
})

async function liveThroughFaults(seed: number): Promise<void> {
  const [k, m] = [
    [1, 1],
    [2, 1],
    [2, 2],
    [4, 2],
    [5, 3],
  ][seed % 5] as [number, number]
  const set = new ExtentSet(k, m, seed)
  const { chance } = set.world
  const faulty = chance.shuffle(Array.from({ length: k + m }, (_, i) => i)).slice(0, m)
  const strike = (): void => {
    if (!chance.oneIn(6)) return
    const disk = set.disk(chance.pick(faulty))
    const file = disk.files().length > 0 ? chance.pick(disk.files()) : undefined
    const strikes = [
      () => disk.powerCut(),
      () => disk.hang(),
      () => disk.failNextOperation(),
      () => disk.failNextRead(),
      () => disk.failNextSync(),
      () => disk.deleteDirectory(),
      () => disk.loseNextWrite(),
      () => disk.misdirectNextWrite(),
      () => file !== undefined && disk.flipBit(file),
      () => file !== undefined && disk.loseFile(file),
      () => file !== undefined && disk.spoil(file, chance.below(disk.content(file)!.length)),
      () => file !== undefined && disk.setContent(file, disk.content(file)!.slice(0, chance.below(1000))),
    ]
    chance.pick(strikes)()
  }
  const stored: [place: ExtentPlace, content: Uint8Array][] = []
  for (let i = 0; i < 8; i++) {
    const content = set.content(chance.below(chance.oneIn(2) ? 200_000 : 2_000_000))
    const written = await set.write(content, 1 + chance.below(400_000), strike)
    if (!written.ok) throw new Error(`${written.error} (seed ${seed})`)
    stored.push([written.value.place, content])
    const [place, expected] = chance.pick(stored)
    const from = chance.below(place.bytes + 1)
    expect(same(await set.read(place, from, place.bytes, strike), expected.subarray(from)), `seed ${seed}`).toBe(true)
  }
  for (const position of faulty) {
    await letFaultsHappen(set, position)
    set.replace(position)
  }
  for (const [place, content] of stored) {
    expect(same(await set.read(place), content), `seed ${seed}`).toBe(true)
    for (let shard = 0; shard < k + m; shard++) expect(await set.rebuild(place, shard), `seed ${seed}`).toEqual(ok)
  }
  for (const position of faulty) set.healed(position)
  for (const position of set.world.chance.shuffle([...set.slots.keys()]).slice(0, m)) set.takeOut(position)
  for (const [place, content] of stored) expect(same(await set.read(place), content), `seed ${seed}`).toBe(true)
}

/** So that none that was ordered is left for the new disk. */
async function letFaultsHappen(set: ExtentSet, position: number): Promise<void> {
  set.disk(position).resume()
  set.disk(position).replaceByEmpty()
  await set.world.run(set.disk(position).reopen().space())
  const file = await set.world.run(set.disk(position).reopen().open('last', { mode: 'create', lane: 'data' }))
  if (file.ok) await set.world.run(file.value.write(0, [new Uint8Array(1)]))
}

test('a rebuilt shard survives a power cut', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const set = new ExtentSet(2, 1, seed)
    const place = await set.store(set.content(1_500_000))
    set.replace(1)
    const shard = [0, 1, 2].find((each) => set.holder(place, each)[0] === set.disk(1))!
    expect(await set.rebuild(place, shard)).toEqual(ok)
    set.world.powerCut()
    set.slots[1] = { disk: set.disk(1).reopen(), writeOnly: false }
    expect(await set.verify(place, shard), `seed ${seed}`).toEqual(ok)
  }
})

test('a rebuild that is cut off by a power cut has made nothing worse, and a second one completes it', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const set = new ExtentSet(2, 1, seed)
    const content = set.content(1_500_000)
    const place = await set.store(content)
    const cut = new Cut(2, content.length)
    // Two shards are bad in different stripes: each is needed to save the other.
    flip(set, place, 0, cut.recordOffset(1))
    flip(set, place, 0, cut.recordOffset(3))
    flip(set, place, 1, cut.recordOffset(2))
    set.world.dieAfter(1 + set.world.chance.below(25), 'power-cut')
    await set.rebuild(place, 0).catch(() => {})
    set.world.live()
    for (let position = 0; position < 3; position++) set.slots[position] = { disk: set.disk(position).reopen(), writeOnly: false }
    expect(same(await set.read(place), content), `seed ${seed}`).toBe(true)
    for (const shard of [0, 1]) expect(await set.rebuild(place, shard), `seed ${seed}`).toEqual(ok)
  }
})

function flip(set: ExtentSet, place: ExtentPlace, shard: number, offset: number): void {
  const [disk, file] = set.holder(place, shard)
  disk.flipBit(file, offset)
}

function replace(set: ExtentSet, place: ExtentPlace, shard: number, offset: number, bytes: Uint8Array): void {
  const [disk, file] = set.holder(place, shard)
  const content = disk.content(file)!.slice()
  content.set(bytes, offset)
  disk.setContent(file, content)
}
