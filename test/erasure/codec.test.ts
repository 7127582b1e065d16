import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Codec } from '../../src/erasure/codec.ts'
import { coefficients } from '../../src/erasure/field.ts'

type Vector = { dataShards: number; parityShards: number; matrix: string[]; shards: string[] }
const vectors: Vector[] = JSON.parse(readFileSync(new URL('../vectors/erasure/vandermonde.json', import.meta.url), 'utf8'))
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function encoded(codec: Codec, data: readonly Uint8Array[], bytes = data[0]?.length ?? 0): Uint8Array[] {
  const parity = Array.from({ length: codec.parityShards }, () => new Uint8Array(bytes))
  codec.encode(
    data.map((unit) => [unit]),
    parity,
  )
  return [...data, ...parity]
}

/** Distinct bytes that depend on every argument. */
const pattern = (bytes: number, salt: number) =>
  new Uint8Array(bytes).map((_, i) => (i * (2 * salt + 3) + (i >> 8) * 11 + salt * 101) & 255)

test.each(vectors)('$dataShards+$parityShards gives the matrix and the shards of the Vandermonde construction', (vector) => {
  const { dataShards: k, parityShards: m } = vector
  const numbers = Array.from({ length: k }, (_, i) => i)
  expect(vector.matrix.map((_, row) => hex(coefficients(numbers, k + row)))).toEqual(vector.matrix)
  const data = vector.shards.slice(0, k).map((shard) => new Uint8Array(Buffer.from(shard, 'hex')))
  expect(encoded(Codec.for(k, m), data).map(hex)).toEqual(vector.shards)
})

test('the example of klauspost/reedsolomon (TestOneEncode) comes out', () => {
  const data = ['0001', '0405', '0203', '0607', '0809'].map((shard) => new Uint8Array(Buffer.from(shard, 'hex')))
  expect(encoded(Codec.for(5, 5), data).slice(5).map(hex)).toEqual(['0c0d', '0a0b', '0e0f', '5a5b', '5e5f'])
})

test('any m lost shards come back from the others, whatever the geometry and length', () => {
  const geometry = fc.record({ k: fc.integer({ min: 1, max: 32 }), m: fc.integer({ min: 0, max: 8 }) }).filter(({ k, m }) => k + m <= 32)
  fc.assert(
    fc.property(geometry, fc.integer({ min: 1, max: 40_000 }), fc.infiniteStream(fc.nat()), ({ k, m }, bytes, chance) => {
      const codec = Codec.for(k, m)
      const shards = encoded(
        codec,
        Array.from({ length: k }, (_, i) => pattern(bytes, i)),
      )
      const lost = new Set<number>()
      while (lost.size < m) lost.add(chance.next().value % (k + m))
      const wanted = [...lost]
      const out = wanted.map(() => new Uint8Array(bytes))
      codec.reconstruct(
        shards.map((shard, i) => (lost.has(i) ? undefined : shard)),
        wanted,
        out,
      )
      for (const [i, shard] of wanted.entries()) expect(hex(out[i]!) === hex(shards[shard]!), `shard ${shard}`).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('a group of 200 volumes and 56 parity volumes loses any 56', () => {
  const codec = Codec.for(200, 56)
  const shards = encoded(
    codec,
    Array.from({ length: 200 }, (_, i) => pattern(5000, i)),
  )
  const wanted = Array.from({ length: 56 }, (_, i) => (i * 37) % 256)
  const out = wanted.map(() => new Uint8Array(5000))
  codec.reconstruct(
    shards.map((shard, i) => (wanted.includes(i) ? undefined : shard)),
    wanted,
    out,
  )
  expect(out.every((bytes, i) => hex(bytes) === hex(shards[wanted[i]!]!))).toBe(true)
})

test('units that end early count as followed by zeros, and may come in pieces', () => {
  const codec = Codec.for(3, 2)
  const full = [pattern(70_000, 1), pattern(70_000, 2), new Uint8Array(70_000)]
  full[1]!.fill(0, 33_333)
  const expected = encoded(codec, full).map(hex)
  const parity = [new Uint8Array(70_000), new Uint8Array(70_000)]
  const pieces = [full[0]!.subarray(0, 1), full[0]!.subarray(1, 1), full[0]!.subarray(1, 40_001), full[0]!.subarray(40_001)]
  codec.encode([pieces, [full[1]!.subarray(0, 33_333)], []], parity)
  expect(parity.map(hex)).toEqual(expected.slice(3))
})
