import fc from 'fast-check'
import { expect, test } from 'vitest'
import xxhash from 'xxhash-wasm'
import { Codec } from '../../src/erasure/codec.ts'
import { threadCoder } from '../../src/erasure/coder.ts'

const { h64Raw } = await xxhash()
const little = (hash: bigint) => Buffer.from(hash.toString(16).padStart(16, '0'), 'hex').reverse().toString('hex')
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const seed = (value: bigint) => ({ low: Number(value & 0xffff_ffffn), high: Number(value >> 32n) })

test('hashes are XXH64, with any seed and length', () => {
  fc.assert(
    fc.property(fc.integer({ max: 140_000, min: 0 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(255), (bytes, value, salt) => {
      const content = new Uint8Array(bytes).map((_, i) => (i * 7 + salt + (i >> 8)) & 255)
      expect(hex(threadCoder().hash(content, seed(value)))).toBe(little(h64Raw(content, value)))
    }),
    { numRuns: 60 },
  )
  for (const bytes of [0, 1, 4, 8, 31, 32, 33, 32_768, 32_769, 65_536]) {
    const content = new Uint8Array(bytes).fill(7)
    expect(hex(threadCoder().hash(content, seed(9n)))).toBe(little(h64Raw(content, 9n)))
  }
})

test('hashing on the way of coding gives each unit, as long as it is, with its tail', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(lengths, fc.integer({ min: 0, max: 3 }), (bytes, m) => {
      const data = bytes.map((length, i) => new Uint8Array(length).map((_, j) => (j * (i + 5) + (j >> 8)) & 255))
      const units = Math.max(...bytes)
      const parity = Array.from({ length: m }, () => new Uint8Array(units))
      const all = data.length + m
      const tails = Array.from({ length: all }, (_, i) => new Uint8Array(24).fill(i))
      const hashes = Array.from({ length: all }, () => new Uint8Array(8))
      const seeds = Array.from({ length: all }, (_, i) => seed(BigInt(i) << 40n))
      Codec.for(data.length, m).encode(
        data.map((unit) => [unit.subarray(0, 100), unit.subarray(100)]),
        parity,
        { seeds, tails, hashes },
      )
      for (const [i, unit] of [...data, ...parity].entries()) {
        expect(hex(hashes[i]!)).toBe(little(h64Raw(Buffer.concat([unit, tails[i]!]), BigInt(i) << 40n)))
      }
    }),
    { numRuns: 60 },
  )
})
