import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UNIT_BYTES } from '../../src/disks/geometry.ts'
import { Cut, extentFile, parseShardName } from '../../src/disks/shard-file.ts'
import { ExtentSet, same } from './extent-set.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GEOMETRIES = [
  [1, 0],
  [1, 1],
  [1, 3],
  [2, 1],
  [2, 2],
  [3, 0],
  [4, 2],
  [7, 3],
  [28, 4],
] as const

describe.each(GEOMETRIES)('%i+%i', (k, m) => {
  const stripe = k * UNIT_BYTES
  const sizes = [0, 1, 63, 64, 65, 64 * k, 64 * k + 1, UNIT_BYTES - 1, UNIT_BYTES, UNIT_BYTES + 1, stripe - 1, stripe, stripe + 1]

  test('content of every awkward length comes back, and each shard verifies and is as long as the format says', async () => {
    const set = new ExtentSet(k, m)
    for (const bytes of [...sizes, Math.min(5 * MiB, 3 * stripe + 1000)]) {
      const content = set.content(bytes)
      const place = await set.store(content)
      expect(place.bytes).toBe(bytes)
      expect(same(await set.read(place), content), `${bytes} bytes`).toBe(true)
      for (let shard = 0; shard < k + m; shard++) {
        const [disk, file] = set.holder(place, shard)
        const means = new Cut(k, bytes).fileBytes(shard)
        const stored = disk.content(file)!
        expect(stored.length).toBe(Math.ceil(means / 4096) * 4096)
        expect(stored.subarray(means).every((byte) => byte === 0)).toBe(true)
        if (shard === 0 || shard === k) expect(await set.verify(place, shard)).toEqual({ ok: true, value: undefined })
      }
    }
    expect(set.faults).toEqual([])
    expect(set.badShards.size).toBe(0)
  })

  test('any m disks may be gone before a read, or go away in the middle of it', async () => {
    const set = new ExtentSet(k, m)
    const content = set.content(Math.min(5 * MiB, 2 * stripe + 777_777))
    const place = await set.store(content)
    const gone = set.world.chance.shuffle(Array.from({ length: k + m }, (_, i) => i)).slice(0, m)
    let failing = [...gone]
    const read = await set.read(place, 0, place.bytes, () => {
      for (const position of failing) set.disk(position).powerCut()
      failing = []
    })
    expect(same(read, content)).toBe(true)
    for (const position of gone) set.takeOut(position)
    expect(same(await set.read(place), content)).toBe(true)
    const tail = await set.read(place, content.length - 70_000, content.length)
    expect(same(tail, content.subarray(-70_000))).toBe(true)
  })
})

test('any range of an extent reads as that range of the content, whole or with disks out', async () => {
  const set = new ExtentSet(3, 2)
  const bytes = 3 * 3 * UNIT_BYTES + 100_001
  const content = set.content(bytes)
  const place = await set.store(content)
  const range = fc.tuple(fc.nat(bytes), fc.nat(bytes)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  for (const out of [[], [1, 3]]) {
    for (const position of out) set.takeOut(position)
    await fc.assert(
      fc.asyncProperty(range, async ([from, to]) => {
        expect(same(await set.read(place, from, to), content.subarray(from, to))).toBe(true)
        expect(same(await set.readLent(place, from, to), content.subarray(from, to))).toBe(true)
      }),
      { numRuns: 60 },
    )
  }
})

test('readers that share memory which serves again each read their own content, directly and through the cache', async () => {
  const set = new ExtentSet(2, 2)
  const contents = [5 * MiB, 300_000, 5 * MiB - 1, 4 * MiB, 70].map((bytes) => set.content(bytes))
  const places: Awaited<ReturnType<typeof set.store>>[] = []
  for (const content of contents) places.push(await set.store(content))
  const reads = places.flatMap((place) => [set.readLent(place), set.readLent(place, 0, Math.ceil(place.bytes / 2))])
  for (const [i, read] of (await Promise.all(reads)).entries()) {
    const content = contents[i >> 1]!
    expect(same(read, i % 2 === 0 ? content : content.subarray(0, Math.ceil(content.length / 2))), `read ${i}`).toBe(true)
  }
  expect(set.badShards.size).toBe(0)
})

test('a lent read goes on when disks fail or hang in the middle of it, or units are bad', async () => {
  for (const fail of ['powerCut', 'hang', 'flip'] as const) {
    const set = new ExtentSet(3, 2)
    const content = set.content(6 * MiB)
    const place = await set.store(content)
    const failOnce = (): void => {
      for (const shard of [0, 2]) {
        const [disk, file] = set.holder(place, shard)
        if (fail === 'flip') disk.flipBit(file, 1_500_000)
        else disk[fail]()
      }
    }
    let failed = false
    const read = await set.readLent(place, 0, place.bytes, () => {
      if (!failed) failOnce()
      failed = true
    })
    expect(same(read, content), fail).toBe(true)
    expect(set.faults.length, fail).toBe(fail === 'flip' ? 0 : 2)
    expect([...set.badShards], fail).toEqual(fail === 'flip' ? [0, 2] : [])
  }
})

test('a lent reader that is closed while it reads says nothing against disks or shards', async () => {
  const set = new ExtentSet(2, 1)
  const content = set.content(5 * MiB)
  const place = await set.store(content)
  const readers = [1, 2, 3].map(() => set.extents.open(place, 0, place.bytes))
  const reading = readers.map((reader) => {
    reader.lend()
    return reader.read()
  })
  for (const reader of readers) reader.close()
  const after = set.readLent(place)
  await set.world.run(Promise.all(reading))
  expect(same(await after, content)).toBe(true)
  expect([set.faults, [...set.badShards]]).toEqual([[], []])
})

test('it does not matter how the bytes come', async () => {
  const set = new ExtentSet(2, 2)
  for (const chunkBytes of [1, 999, 8191, 8192, 65_536, 300_000, 2 * MiB]) {
    const content = set.content(chunkBytes === 1 ? 70_000 : 1_300_000)
    expect(same(await set.read(await set.store(content, chunkBytes)), content), `chunks of ${chunkBytes}`).toBe(true)
  }
})

test('a 64 KiB range reads from one disk, or from two where it spans units', async () => {
  const set = new ExtentSet(4, 2)
  const place = await set.store(set.content(2 * MiB))
  const before = set.world.events
  await set.read(place, 200_000, 200_000 + 50_000)
  expect(set.world.events - before).toBe(2) // One file opened, one read.
  await set.read(place, UNIT_BYTES - 1000, UNIT_BYTES + 1000)
  expect(set.world.events - before).toBe(6)
})

type Vector = { dataShards: number; parityShards: number; start: number; counter: number; bytes: number; shards: VectorShard[] }
type VectorShard = { file: string; bytes: number; head: string; sha256: string }
const vectors: Vector[] = JSON.parse(readFileSync(new URL('../vectors/extent/shards.json', import.meta.url), 'utf8'))

test.each(vectors)('$bytes bytes on $dataShards+$parityShards are on the disks as format version 1 says, to the byte', async (vector) => {
  const set = new ExtentSet(vector.dataShards, vector.parityShards)
  const content = new Uint8Array(vector.bytes).map((_, i) => (i * 7 + (i >> 8) * 13) & 255)
  const writer = set.extents.create(0, vector.start, vector.counter)
  writer.write(content)
  const written = await set.world.run(writer.finish())
  if (!written.ok) throw new Error(written.error)
  expect(written.value.durable).toBe(2 ** (vector.dataShards + vector.parityShards) - 1)
  for (const [shard, { file, bytes, head, sha256 }] of vector.shards.entries()) {
    const [disk, name] = set.holder(written.value.place, shard)
    expect(name).toBe(file)
    const stored = disk.content(file)!
    expect(stored.length).toBe(Math.ceil(bytes / 4096) * 4096)
    expect(Buffer.from(stored.subarray(0, 64)).toString('hex')).toBe(head)
    expect(createHash('sha256').update(stored.subarray(0, bytes)).digest('hex')).toBe(sha256)
  }
})

test('names of shards read back as what they were made of, and nothing else does', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), fc.maxSafeNat(), fc.nat(31), (start, counter, shard) => {
      const name = extentFile({ start, counter }, shard).split('/').at(-1)!
      expect(parseShardName(name)).toEqual({ counter, shard })
    }),
  )
  for (const name of ['', '0', '.0', '01.0', 'a.00', 'A.1', 'a.1.new', 'a.100', 'fffffffffffffff.1', 'a.-1', '20000000000000.0']) {
    expect(parseShardName(name), name).toBeUndefined()
  }
  expect(extentFile({ start: 26, counter: 0x12345 }, 3)).toBe('extents/1a/12/12345.3')
})
