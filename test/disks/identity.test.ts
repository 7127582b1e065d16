import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DiskIdentity,
  decodeGeneration,
  decodeIdentity,
  decodeWitness,
  encodeGeneration,
  encodeIdentity,
  encodeWitness,
  GENERATION_BYTES,
  type Generation,
  type Successor,
} from '../../src/disks/identity.ts'
import { seal } from '../../src/disks/sealed-json.ts'
import { isSiteName } from '../../src/disks/site-name.ts'

const SEED = Number(process.env.HOLDFAST_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
const RUNS = { seed: SEED, numRuns: 300 }
const vector = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../vectors/disks/${name}`, import.meta.url)))

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 0, max: 15 }), { minLength: digits, maxLength: digits }).map((all) => all.map((d) => d.toString(16)).join(''))
const identities: fc.Arbitrary<DiskIdentity> = fc
  .record({ poolId: hex(32), diskId: hex(32), set: fc.nat(15), dataShards: fc.integer({ min: 1, max: 28 }), parityShards: fc.nat(4) })
  .map((all) => ({ ...all, position: all.dataShards - 1 }))
/** Other disks than those of the set. */
const successorsOf = (places: number): fc.Arbitrary<Successor[]> =>
  fc
    .uniqueArray(fc.record({ place: fc.nat(places - 1), diskId: hex(32) }), { minLength: 1, maxLength: 4, selector: ({ place }) => place })
    .map((taken) => taken.map((each) => ({ ...each, state: 'healing' as const, directory: `/new${each.place}` })))
const generations: fc.Arbitrary<Generation> = fc
  .record({
    poolId: hex(32),
    branches: fc.array(hex(16), { minLength: 1, maxLength: 64 }),
    number: fc.integer({ min: 100, max: Number.MAX_SAFE_INTEGER }),
    name: hex(16),
    siteName: fc.option(fc.string({ maxLength: 100, unit: 'grapheme' }).filter(isSiteName), { nil: undefined }),
    ancestors: fc.array(hex(16), { maxLength: 64 }),
    sets: fc.array(
      fc
        .uniqueArray(hex(32), { minLength: 1, maxLength: 20 })
        .chain((ids) =>
          fc.tuple(
            ...ids.map((diskId) =>
              fc.record(
                {
                  diskId: fc.constant(diskId),
                  state: fc.constantFrom('in' as const, 'healing' as const, 'out' as const),
                  reason: fc.string({ maxLength: 200, unit: 'binary' }),
                  directory: fc.string({ maxLength: 300 }),
                  retired: fc.constant(true as const),
                },
                { requiredKeys: ['diskId', 'state'] },
              ),
            ),
          ),
        )
        .map((disks) => disks.map(({ retired, ...disk }) => (retired && disk.state === 'out' ? { ...disk, retired } : disk)))
        .chain((disks) =>
          fc.record(
            {
              dataShards: fc.constant(disks.length),
              parityShards: fc.constant(0),
              disks: fc.constant(disks),
              successors: successorsOf(disks.length),
            },
            { requiredKeys: ['dataShards', 'parityShards', 'disks'] },
          ),
        ),
      { minLength: 1, maxLength: 2 },
    ),
  })
  .map(({ ancestors, siteName, ...all }) => ({
    ...all,
    ...(siteName === undefined ? {} : { siteName }),
    past: ancestors.map((name, i) => ({ number: all.number - 1 - i, name })),
    settled: all.number - 1,
  }))
  .filter(
    (all) => new Set(all.sets.flatMap((set) => set.disks.map((disk) => disk.diskId))).size === all.sets.flatMap((set) => set.disks).length,
  )

describe(`identity and generation (fuzz seed ${SEED})`, () => {
  test('are read back as they were written', () => {
    fc.assert(
      fc.property(identities, (identity) => {
        expect(decodeIdentity(encodeIdentity(identity))).toEqual({ ok: true, value: identity })
      }),
      RUNS,
    )
    fc.assert(
      fc.property(generations, (generation) => {
        expect(decodeWitness(encodeWitness(generation))).toEqual({ ok: true, value: generation })
        const onDisk = decodeGeneration(encodeGeneration(generation))
        expect(onDisk.ok && onDisk.value.sets.map((set) => set.disks.map((disk) => disk.diskId + disk.state))).toEqual(
          generation.sets.map((set) => set.disks.map((disk) => disk.diskId + disk.state)),
        )
      }),
      { ...RUNS, numRuns: 100 },
    )
  })

  test('arbitrary bytes are refused without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        for (const decode of [decodeIdentity, decodeGeneration, decodeWitness]) expect(decode(bytes).ok).toBe(false)
      }),
      RUNS,
    )
  })

  test('any JSON under a right digest is refused or is well-formed', () => {
    const member = fc.constantFrom(
      'pool',
      'disk',
      'set',
      'place',
      'data',
      'parity',
      'branches',
      'number',
      'name',
      'past',
      'settled',
      'sets',
    )
    fc.assert(
      fc.property(fc.dictionary(member, fc.jsonValue()), (body) => {
        expect(decodeIdentity(seal('holdfast-disk', 1, body as Record<string, unknown>)!).ok).toBe(false)
        expect(decodeGeneration(seal('holdfast-generation', 1, body as Record<string, unknown>)!).ok).toBe(false)
      }),
      RUNS,
    )
  })

  test('a flipped bit before the padding is found', () => {
    const identity = vector('identity.json')
    const textBytes = identity.indexOf(0x0a, identity.indexOf(0x0a) + 1) + 1
    for (let at = 0; at < textBytes; at++) {
      const harmed = identity.slice()
      harmed[at]! ^= 1 << (at % 8)
      expect(decodeIdentity(harmed).ok).toBe(false)
    }
  })

  test('a generation has its fixed size and keeps states where what is for people does not fit', () => {
    const disks = Array.from({ length: 32 }, (_, i) => ({
      diskId: i.toString(16).padStart(32, '0'),
      state: 'in' as const,
      reason: 'r'.repeat(200),
      directory: `/${'d'.repeat(4000)}`,
    }))
    const generation: Generation = {
      poolId: 'a'.repeat(32),
      branches: ['b'.repeat(16)],
      number: 7,
      name: 'c'.repeat(16),
      past: [],
      settled: 6,
      sets: [{ dataShards: 28, parityShards: 4, disks }],
    }
    const bytes = encodeGeneration(generation)
    expect(bytes.length).toBe(GENERATION_BYTES)
    const read = decodeGeneration(bytes)
    expect(read.ok && read.value.sets[0]!.disks[31]).toEqual({ diskId: disks[31]!.diskId, state: 'in' })
  })
})

test('the largest pool fits, with all the successors that it may have, and those that they followed', () => {
  const hexOf = (number: number, digits: number): string => number.toString(16).padStart(digits, 'f')
  const sets = Array.from({ length: 16 }, (_, set) => ({
    dataShards: 28,
    parityShards: 4,
    disks: Array.from({ length: 32 }, (_, i) => ({ diskId: hexOf(set * 100 + i, 32), state: 'healing' as const })),
    successors: Array.from({ length: 8 }, (_, place) => {
      const former = { state: 'out' as const, leaving: true as const, retired: true as const }
      return { place, diskId: hexOf(set * 100 + 32 + place, 32), ...(place < 4 ? { state: 'healing' as const } : former) }
    }),
  }))
  const number = Number.MAX_SAFE_INTEGER
  const generation: Generation = {
    poolId: 'a'.repeat(32),
    branches: Array.from({ length: 64 }, (_, i) => hexOf(i, 16)),
    number,
    name: 'c'.repeat(16),
    past: Array.from({ length: 64 }, (_, i) => ({ number: number - 1 - i, name: hexOf(i, 16) })),
    settled: number - 1,
    sets,
  }
  expect(decodeGeneration(encodeGeneration(generation))).toEqual({ ok: true, value: generation })
})

describe('the golden files', () => {
  test('of version 1 are read as ever', () => {
    const common = { poolId: '00112233445566778899aabbccddeeff', dataShards: 2, parityShards: 1 }
    expect(decodeIdentity(vector('identity.json'))).toEqual({
      ok: true,
      value: { ...common, diskId: 'ffeeddccbbaa99887766554433221100', set: 0, position: 2 },
    })
    const generation = decodeGeneration(vector('generation.0'))
    expect(generation).toMatchObject({
      ok: true,
      value: {
        poolId: common.poolId,
        branches: ['0123456789abcdef', '1122334455667788'],
        number: 12,
        name: 'fedcba9876543210',
        past: [
          { number: 11, name: '00000000000000bb' },
          { number: 9, name: '0000000000000099' },
        ],
        settled: 9,
      },
    })
    expect(generation.ok && generation.value.sets[0]!.disks.map((disk) => disk.state)).toEqual(['in', 'out', 'healing'])
  })

  test('a retired disk is read as one, and only a disk that is out can be', () => {
    const generation = decodeGeneration(vector('generation-retired.0'))
    expect(generation.ok && generation.value.sets[0]!.disks.map((disk) => [disk.state, disk.retired])).toEqual([
      ['in', undefined],
      ['out', true],
      ['out', undefined],
    ])
    expect(decodeGeneration(vector('generation-retired-in.0'))).toEqual({ ok: false, error: 'damaged' })
  })

  test('successors are read with their places, each of which has one at most, and none of them is in', () => {
    const generation = decodeGeneration(vector('generation-successors.0'))
    expect(generation.ok && generation.value.sets[0]!.successors).toEqual([
      { place: 1, diskId: '4'.repeat(32), state: 'healing', reason: 'replaced', directory: '/new2' },
      { place: 2, diskId: '5'.repeat(32), state: 'out', leaving: true, retired: true, reason: 'replaced', directory: '/d3' },
    ])
    for (const name of ['generation-successor-in.0', 'generation-successors-one-place.0'])
      expect(decodeGeneration(vector(name))).toEqual({ ok: false, error: 'damaged' })
  })

  test('the name of the site is read where there is one that can be shown', () => {
    const { value: unnamed } = decodeGeneration(vector('generation.0')) as { value: Generation }
    expect(unnamed).not.toHaveProperty('siteName')
    expect(decodeGeneration(vector('generation-named.0'))).toEqual({ ok: true, value: { ...unnamed, siteName: 'das Schiff ⚓' } })
    expect(decodeGeneration(vector('generation-named-badly.0'))).toEqual({ ok: true, value: unnamed })
  })

  test.each([
    ['identity-newer.json', 'newer-version'],
    ['identity-other-format.json', 'other-format'],
    ['identity-bad-digest.json', 'damaged'],
    ['identity-cut.json', 'damaged'],
    ['identity-place-outside-set.json', 'damaged'],
  ])('%s is refused as %s', (name, fault) => {
    expect(decodeIdentity(vector(name))).toEqual({ ok: false, error: fault })
  })
})
