import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Md5Lanes } from '../../src/s3/md5-lanes.ts'

const KIB = 1024

/** Bytes that look like chance, the same for the same seed. */
function bytesOf(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let x = (seed * 2_654_435_761 + 1) >>> 0
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex')

test('around every boundary of blocks and halves the digest is that of OpenSSL', () => {
  const lanes = new Md5Lanes()
  const bytes = bytesOf(1, 2100 * KIB)
  const edges = [0, 64, 512, 1024, 1536, 2048].flatMap((edge) => [
    edge * KIB - 65,
    edge * KIB - 9,
    edge * KIB - 8,
    edge * KIB - 1,
    edge * KIB,
  ])
  for (const length of [1, 55, 56, 63, 64, 65, ...edges, 1024 * KIB + 1]) {
    if (length < 0) continue
    const lane = lanes.take()!
    lane.update(bytes.subarray(0, length))
    expect(lane.digest().toString('hex'), `${length} bytes`).toBe(md5(bytes.subarray(0, length)))
    lane.close()
  }
})

test('many streams at once do not mix, whenever they begin and end and however their bytes are cut', () => {
  const content = Array.from({ length: 16 }, (_, i) => bytesOf(i + 2, 2600 * KIB))
  const stream = fc.record({
    bytes: fc.nat(2600 * KIB),
    cut: fc.integer({ min: 1, max: 600 * KIB }),
    from: fc.nat(6),
    isGivenUp: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(stream, { minLength: 1, maxLength: 16 }), (streams) => {
      const lanes = new Md5Lanes()
      const open = streams.map((plan, i) => ({ ...plan, content: content[i]!.subarray(0, plan.bytes), at: 0, lane: lanes.take()! }))
      for (let round = 0; open.length > 0; round++) {
        for (const one of [...open]) {
          if (round < one.from) continue
          one.lane.update(one.content.subarray(one.at, one.at + one.cut))
          one.at += one.cut
          if (one.at < one.content.length && !(one.isGivenUp && round > 8)) continue
          if (one.at >= one.content.length) expect(one.lane.digest().toString('hex')).toBe(md5(one.content))
          one.lane.close()
          open.splice(open.indexOf(one), 1)
        }
      }
    }),
    { numRuns: 25 },
  )
})

test('lanes are bounded, and one that is closed, however often, serves one other stream', () => {
  const lanes = new Md5Lanes()
  const taken = []
  for (let lane = lanes.take(); lane !== undefined; lane = lanes.take()) taken.push(lane)
  expect(taken.length).toBeGreaterThanOrEqual(12)
  taken[0]!.update(bytesOf(3, 1300 * KIB))
  taken[0]!.close()
  taken[0]!.close()
  const again = lanes.take()!
  expect(lanes.take()).toBeUndefined()
  again.update(bytesOf(4, 1200 * KIB))
  expect(again.digest().toString('hex')).toBe(md5(bytesOf(4, 1200 * KIB)))
})

test('lengths beyond 2^32 bits are counted', () => {
  const lanes = new Md5Lanes()
  const piece = bytesOf(5, 256 * KIB)
  const running = createHash('md5')
  const twins = [lanes.take()!, lanes.take()!]
  for (let i = 0; i < 2056; i++) {
    running.update(piece)
    for (const lane of twins) lane.update(piece)
  }
  const expected = running.digest('hex')
  for (const lane of twins) expect(lane.digest().toString('hex')).toBe(expected)
})
