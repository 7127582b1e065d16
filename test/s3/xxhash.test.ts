import fc from 'fast-check'
import { expect, test } from 'vitest'
import { XxHash } from '../../src/s3/xxhash.ts'

/** Byte i is i² + 7i + ⌊i/256⌋ modulo 256. */
const example = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => i * i + 7 * i + (i >> 8))

/** Length, XXH64, XXH3, XXH128 as the reference implementation gives them (libxxhash through Python's xxhash 4.1.0). */
const vectors: readonly (readonly [number, string, string, string])[] = [
  [0, 'ef46db3751d8e999', '2d06800538d394c2', '99aa06d3014798d86001c324468d497f'],
  [1, 'e934a84adb052768', 'c44bdff4074eecdb', 'a6cd5e9392000f6ac44bdff4074eecdb'],
  [2, '1117bcf629953d7f', '708e874bcefdc9be', '55afa0a5591c9067708e874bcefdc9be'],
  [3, 'bb3a592908a981a8', 'f4f33fa3678ce51e', '381b806921e6d9abf4f33fa3678ce51e'],
  [4, '798a8b758de10b9c', 'e8dbf7d35c51ddee', '1f501741202bc1496820093dbb6d1ed9'],
  [8, '628b254fd17d4862', 'e45c3d81190e7604', '6fff8d190f215342dde7ac32c0b383a6'],
  [9, '283918576a10e104', 'f4b76668596c2950', 'c1bab7d7e84cb08438079185530315e5'],
  [16, '7283caaf83ce3398', '1568bb66fcc8bd6d', 'e8eca5a325c8ba3f089f18f7116edfa5'],
  [17, 'ab01d0292b61af7f', '0eb03e0421a17545', '59344d0453359049efa082dbd1b5072b'],
  [31, 'ff266226c2de2379', '723d4d32dce089a4', '7a4bac1ca48a812c25fb4e69156ac92e'],
  [32, 'ad211363e6d6be0f', 'ac3f3038cfd50e03', '719c5b7baf6c30224d44d571c4f20ef4'],
  [33, 'a8489fde2b7ec3ae', '7fb40a71850e5e35', 'e785b25664d14731911cdfab1abff5e2'],
  [64, '81c939fdb6a47468', '376cb2d6e84f1832', '7a17dc68d1461d3ec659c13efc55a7a5'],
  [65, '536aef3c02ce033f', 'b05391f37e26dd7b', 'b346d457cfac8b33e7a60e5aa615bb9f'],
  [96, 'df16f50bcabc8251', '367559a896c77009', '3930c576e97fefad09733d4874fbb55a'],
  [97, '5ca7642b68cb86fd', '0291bb9851854a56', '49cf463d3454276ec3df4148f6a1d17c'],
  [128, 'e11197c8b9c4c11b', '15c96a4269ee17dd', '22bf3371acccf158db0b44936abce351'],
  [129, '8f3bdd517d450f4f', '165567fcb3fa4eab', '41617b5b2d01940d7b0fe814730f5835'],
  [160, '06ea3d7e5f285d29', 'bfe41d1cbc2f8d1c', '0873ed703e4106ab05a6526c7840e363'],
  [240, '4f3f9f8a59529dc6', '8e126d39279542b5', '790028186011dfbdc75f5f217aeab9c9'],
  [241, '0532935c47aaa5ac', '2d6873b128d3f478', '644d48e8ee0bf9bb2d6873b128d3f478'],
  [256, 'c6e5affb947734ca', '4fbbf0042a727538', '85ac21e2da8588364fbbf0042a727538'],
  [257, '3fd75e0d923a281e', 'a12218d8593f42b6', '4b17a38f23224c3ca12218d8593f42b6'],
  [319, '1f79e1067cf931e7', '1911c0b7765ea504', '58c4337b6eb687411911c0b7765ea504'],
  [320, '36044aa65e1b2762', 'b1a8174f6ee8f2f3', '52681665c2622c26b1a8174f6ee8f2f3'],
  [1024, 'f1643a15c19e52fe', '9769bcccf904a209', '3a2665b9798f8a969769bcccf904a209'],
  [1025, '808d48e730bc0a98', '5b8e18b97aeddddf', '3361b8e96de22eb55b8e18b97aeddddf'],
  [1088, '8362cc86014409d8', 'f1f133ad1f07457a', '99f1fdb56348c2e1f1f133ad1f07457a'],
  [65536, 'b0f07940a109471e', '692c32e388b54055', 'b051158b1c662990692c32e388b54055'],
  [65537, '4e28f1a2fbca7bab', '9d19bbec2c2c2d8b', 'fcc833d091971dbd9d19bbec2c2c2d8b'],
  [200000, '265cee1db55c3836', 'e643e4361256fd14', '7211e99b6f4bb309e643e4361256fd14'],
]

test.each(vectors)('%d bytes have the hashes of the reference implementation', (bytes, xxh64, xxh3, xxh128) => {
  const content = example(bytes)
  for (const [kind, expected] of [
    ['XXHASH64', xxh64],
    ['XXHASH3', xxh3],
    ['XXHASH128', xxh128],
  ] as const) {
    const hash = new XxHash(kind)
    hash.update(content)
    expect(hash.digest().toString('hex')).toBe(expected)
  }
})

test('the pieces in which bytes come change nothing, nor do other hashes under way', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 700 }), { maxLength: 12 }), fc.constantFrom('XXHASH64', 'XXHASH3', 'XXHASH128'), (sizes, kind) => {
      const content = example(sizes.reduce((sum, size) => sum + size, 0))
      const whole = new XxHash(kind)
      whole.update(content)
      const pieces = new XxHash(kind)
      const other = new XxHash('XXHASH3')
      let from = 0
      for (const size of sizes) {
        pieces.update(content.subarray(from, from + size))
        other.update(content)
        from += size
      }
      expect(pieces.digest()).toEqual(whole.digest())
    }),
    { numRuns: 300 },
  )
})
