import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CombinableCrc, Crc, combineCrc } from '../../src/s3/crc.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function crcOf(kind: CombinableCrc, bytes: Uint8Array): Uint8Array {
  if (kind === 'CRC32') {
    const out = Buffer.alloc(4)
    out.writeUInt32BE(crc32(bytes))
    return out
  }
  const crc = new Crc(kind)
  crc.update(bytes)
  return crc.digest()
}

/** Bit by bit, from the definition. */
function slowCrc(kind: 'CRC32C' | 'CRC64NVME', bytes: Uint8Array): string {
  const [width, polynomial] = kind === 'CRC32C' ? [32n, 0x82f63b78n] : [64n, 0x9a6c9329ac4bc9b5n]
  const ones = (1n << width) - 1n
  let crc = ones
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ polynomial : crc >> 1n
  }
  return (crc ^ ones).toString(16).padStart(Number(width / 4n), '0')
}

test('the check values of the catalogues come out', () => {
  const digits = Buffer.from('123456789')
  expect(hex(crcOf('CRC32C', digits))).toBe('e3069283')
  expect(hex(crcOf('CRC64NVME', digits))).toBe('ae8b14860a799888')
  // RFC 3720, appendix B.4: 32 bytes of zeros, of ones.
  expect(hex(crcOf('CRC32C', new Uint8Array(32)))).toBe('8a9136aa')
  expect(hex(crcOf('CRC32C', new Uint8Array(32).fill(255)))).toBe('62a8ab43')
  // NVM Command Set Specification 1.0, "64b CRC test cases": 4,096 bytes of zeros, of ones.
  expect(hex(crcOf('CRC64NVME', new Uint8Array(4096)))).toBe('6482d367eb22b64e')
  expect(hex(crcOf('CRC64NVME', new Uint8Array(4096).fill(255)))).toBe('c0ddba7302eca3ac')
  expect(hex(crcOf('CRC64NVME', new Uint8Array(0)))).toBe('0000000000000000')
})

test('around every boundary of the kernel the CRC is that of the definition', () => {
  const bytes = new Uint8Array(70_000).map((_, i) => (i * 31 + (i >> 8) * 7) & 255)
  for (const kind of ['CRC32C', 'CRC64NVME'] as const) {
    for (const length of [0, 1, 15, 16, 17, 543, 544, 545, 559, 560, 3839, 3840, 3841, 3855, 3856, 8192, 65_535, 65_536, 65_537, 70_000]) {
      const part = bytes.subarray(0, length)
      expect(hex(crcOf(kind, part)), `${kind} of ${length} bytes`).toBe(slowCrc(kind, part))
    }
  }
})

test('many streams at once do not mix, however their bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ kind: fc.constantFrom('CRC32C', 'CRC64NVME'), bytes: fc.uint8Array({ maxLength: 9000 }), cut: fc.nat(9000) }), {
        maxLength: 5,
      }),
      (streams) => {
        const crcs = streams.map(({ kind }) => new Crc(kind))
        for (const [i, { bytes, cut }] of streams.entries()) crcs[i]?.update(bytes.subarray(0, cut))
        for (const [i, { bytes, cut }] of streams.entries()) crcs[i]?.update(bytes.subarray(cut))
        for (const [i, { kind, bytes }] of streams.entries()) expect(crcs[i]?.digest()).toEqual(crcOf(kind, bytes))
      },
    ),
    { numRuns: 50 },
  )
})

test('the CRC of the whole comes from the CRCs of its parts', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('CRC32', 'CRC32C', 'CRC64NVME'),
      fc.uint8Array({ maxLength: 3000 }),
      fc.uint8Array({ maxLength: 3000 }),
      (kind, a, b) => {
        expect(hex(combineCrc(kind, crcOf(kind, a), crcOf(kind, b), b.length))).toBe(hex(crcOf(kind, Buffer.concat([a, b]))))
      },
    ),
  )
})

test('parts of 5 GiB combine as well', () => {
  // 5 GiB of zeros behind 'a', by doubling: never more than one join of equal halves.
  const GiB = 2 ** 30
  for (const kind of ['CRC32', 'CRC32C', 'CRC64NVME'] as const) {
    let zeros = crcOf(kind, new Uint8Array(1))
    for (let bytes = 1; bytes < GiB; bytes *= 2) zeros = combineCrc(kind, zeros, zeros, bytes)
    const a = crcOf(kind, Buffer.from('a'))
    let stepwise = a
    let five = zeros
    for (let i = 0; i < 5; i++) stepwise = combineCrc(kind, stepwise, zeros, GiB)
    for (let i = 1; i < 5; i++) five = combineCrc(kind, five, zeros, GiB)
    expect(hex(combineCrc(kind, a, five, 5 * GiB))).toBe(hex(stepwise))
  }
})
