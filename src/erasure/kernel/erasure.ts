/**
 * Reed–Solomon over GF(2^8) and XXH64 for WebAssembly, written in AssemblyScript. Built by `npm run build:kernels` into ../erasure-kernel.ts.
 *
 * The host lays blocks of sources into memory at equal distances (`stride`), calls `multiply`, and finds the blocks of the outputs at the same distances
 * behind. It does so in the area below, or in memory that it has added behind what is declared here.
 * A product with a constant is two look-ups, one per nibble, in tables of 16 entries, which a byte shuffle does for 16 bytes at once.
 * Source: Plank, Greenan, Miller, "Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions"; xxHash specification 0.1.1, XXH64.
 */

/** For blocks that lie elsewhere: all slots together, sources and outputs. */
const area = memory.data(1024 * 1024 + 256 * 64, 64)
/** 32 bytes per coefficient (products of the low nibbles, then of the high ones), outputs one behind the other. */
const tables = memory.data(128 * 128 * 32, 64)
/** 32 bytes per slot: the four lanes of an XXH64 under way. `hashEnd` leaves the hash in the first eight. */
const states = memory.data(256 * 32, 64)

const PRIME_1: u64 = 0x9e3779b185ebca87
const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f
const PRIME_3: u64 = 0x165667b19e3779f9
const PRIME_4: u64 = 0x85ebca77c2b2ae63
const PRIME_5: u64 = 0x27d4eb2f165667c5

export function areaPointer(): usize {
  return area
}
export function tablesPointer(): usize {
  return tables
}
export function statesPointer(): usize {
  return states
}

@inline
function product(low: v128, high: v128, lowNibbles: v128, highNibbles: v128): v128 {
  return v128.xor(i8x16.relaxed_swizzle(low, lowNibbles), i8x16.relaxed_swizzle(high, highNibbles))
}

/**
 * Makes `outputs` blocks from `sources` blocks, the first at `first`, each `stride` bytes behind the one before; `bytes` is a multiple of 32.
 * Two outputs at a time, 32 bytes of each, so that a source's nibbles serve twice and a coefficient's tables too.
 */
export function multiply(first: usize, sources: usize, outputs: usize, stride: usize, bytes: usize): void {
  const mask = i8x16.splat(15)
  const row = sources << 5
  let out = first + sources * stride
  let table = tables
  let left = outputs
  while (left >= 2) {
    for (let i: usize = 0; i < bytes; i += 32) {
      let a0 = i8x16.splat(0)
      let a1 = a0
      let b0 = a0
      let b1 = a0
      let at = first + i
      const stop = table + row
      for (let t = table; t < stop; t += 32) {
        const v0 = v128.load(at)
        const v1 = v128.load(at, 16)
        const low0 = v128.and(v0, mask)
        const low1 = v128.and(v1, mask)
        const high0 = v128.and(i16x8.shr_u(v0, 4), mask)
        const high1 = v128.and(i16x8.shr_u(v1, 4), mask)
        const aLow = v128.load(t)
        const aHigh = v128.load(t, 16)
        a0 = v128.xor(a0, product(aLow, aHigh, low0, high0))
        a1 = v128.xor(a1, product(aLow, aHigh, low1, high1))
        const bLow = v128.load(t + row)
        const bHigh = v128.load(t + row, 16)
        b0 = v128.xor(b0, product(bLow, bHigh, low0, high0))
        b1 = v128.xor(b1, product(bLow, bHigh, low1, high1))
        at += stride
      }
      v128.store(out + i, a0)
      v128.store(out + i, a1, 16)
      v128.store(out + stride + i, b0)
      v128.store(out + stride + i, b1, 16)
    }
    out += 2 * stride
    table += 2 * row
    left -= 2
  }
  if (left == 0) return
  for (let i: usize = 0; i < bytes; i += 32) {
    let a0 = i8x16.splat(0)
    let a1 = a0
    let at = first + i
    const stop = table + row
    for (let t = table; t < stop; t += 32) {
      const v0 = v128.load(at)
      const v1 = v128.load(at, 16)
      const low = v128.load(t)
      const high = v128.load(t, 16)
      a0 = v128.xor(a0, product(low, high, v128.and(v0, mask), v128.and(i16x8.shr_u(v0, 4), mask)))
      a1 = v128.xor(a1, product(low, high, v128.and(v1, mask), v128.and(i16x8.shr_u(v1, 4), mask)))
      at += stride
    }
    v128.store(out + i, a0)
    v128.store(out + i, a1, 16)
  }
}

@inline
function round(lane: u64, input: u64): u64 {
  return rotl<u64>(lane + input * PRIME_2, 31) * PRIME_1
}

@inline
function merge(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME_1 + PRIME_4
}

/** The seed comes in halves, so that no BigInt is made. */
export function hashStart(slot: usize, seedLow: u32, seedHigh: u32): void {
  const seed = ((<u64>seedHigh) << 32) | (<u64>seedLow)
  const state = states + (slot << 5)
  store<u64>(state, seed + PRIME_1 + PRIME_2)
  store<u64>(state, seed + PRIME_2, 8)
  store<u64>(state, seed, 16)
  store<u64>(state, seed - PRIME_1, 24)
}

/** Hashes whole groups of 32 bytes from `first`: `bytes` is a multiple of 32. */
export function hashGroups(slot: usize, first: usize, bytes: usize): void {
  const state = states + (slot << 5)
  let a = load<u64>(state)
  let b = load<u64>(state, 8)
  let c = load<u64>(state, 16)
  let d = load<u64>(state, 24)
  let at = first
  const end = at + bytes
  while (at < end) {
    a = round(a, load<u64>(at))
    b = round(b, load<u64>(at, 8))
    c = round(c, load<u64>(at, 16))
    d = round(d, load<u64>(at, 24))
    at += 32
  }
  store<u64>(state, a)
  store<u64>(state, b, 8)
  store<u64>(state, c, 16)
  store<u64>(state, d, 24)
}

/** `hashGroups` for `slots` blocks, each `stride` bytes behind the one before. */
export function hashSlots(first: usize, slots: usize, stride: usize, bytes: usize): void {
  for (let slot: usize = 0; slot < slots; slot++) hashGroups(slot, first + slot * stride, bytes)
}

/** Hashes the last `bytes` of `total` bytes, which begin at `first`. */
export function hashEnd(slot: usize, first: usize, bytes: usize, total: usize): void {
  const groups = bytes & ~31
  hashGroups(slot, first, groups)
  const state = states + (slot << 5)
  const a = load<u64>(state)
  const b = load<u64>(state, 8)
  const c = load<u64>(state, 16)
  const d = load<u64>(state, 24)
  let hash: u64
  if (total >= 32) {
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18)
    hash = merge(merge(merge(merge(hash, a), b), c), d)
  } else {
    hash = c + PRIME_5
  }
  hash += <u64>total
  let at = first + groups
  const end = first + bytes
  while (at + 8 <= end) {
    hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * PRIME_1 + PRIME_4
    at += 8
  }
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ ((<u64>load<u32>(at)) * PRIME_1), 23) * PRIME_2 + PRIME_3
    at += 4
  }
  while (at < end) {
    hash = rotl<u64>(hash ^ ((<u64>load<u8>(at)) * PRIME_5), 11) * PRIME_1
    at++
  }
  hash = (hash ^ (hash >> 33)) * PRIME_2
  hash = (hash ^ (hash >> 29)) * PRIME_3
  store<u64>(state, hash ^ (hash >> 32))
}
