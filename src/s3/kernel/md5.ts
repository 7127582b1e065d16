/**
 * MD5 of several streams at once for WebAssembly, written in AssemblyScript. Built by `npm run build:kernels` into ../md5-kernel.ts.
 *
 * Each step of MD5 waits for the one before, so a processor is idle most of the time with one stream. `two` gives it two to choose from; `twelve` has four
 * in each vector and three vectors side by side.
 * Source: RFC 1321.
 */

/** A slot is a stream in a call. Four slots make a group: their words a, then b, c, d. */
const states = memory.data(3 * 64, 64)
/** Where the bytes of each slot are. */
const pointers = memory.data(12 * 4, 64)
/** The 64 additive constants of `twelve`, put there by the host. */
const constants = memory.data(64 * 4, 64)
/** A block of `twelve`: per group 16 vectors, each one word of four slots. */
const words = memory.data(3 * 256, 64)
const order = memory.data(4, 4)

export function statesPointer(): usize {
  return states
}
export function pointersPointer(): usize {
  return pointers
}
export function constantsPointer(): usize {
  return constants
}

/** Compilers move loads over each other, but not over a store: without one they would put the steps of one stream behind all those of another. */
@inline
function inOrder(): void {
  store<u32>(order, 0)
}

@inline
function f(a: u32, b: u32, c: u32, d: u32, m: u32, s: i32): u32 {
  return b + rotl<u32>(a + m + (d ^ (b & (c ^ d))), s)
}
@inline
function g(a: u32, b: u32, c: u32, d: u32, m: u32, s: i32): u32 {
  return b + rotl<u32>(a + m + (c & ~d) + (b & d), s)
}
@inline
function h(a: u32, b: u32, c: u32, d: u32, m: u32, s: i32): u32 {
  return b + rotl<u32>(a + m + (b ^ (c ^ d)), s)
}
@inline
function i(a: u32, b: u32, c: u32, d: u32, m: u32, s: i32): u32 {
  return b + rotl<u32>(a + m + (c ^ (b | ~d)), s)
}

/** Takes `bytes` bytes, a multiple of 64, of slots 0 and 1. A step of both in each line; all written out, since a lone stream takes this way too. */
export function two(bytes: usize): void {
  let a0 = load<u32>(states)
  let b0 = load<u32>(states, 16)
  let c0 = load<u32>(states, 32)
  let d0 = load<u32>(states, 48)
  let a1 = load<u32>(states, 4)
  let b1 = load<u32>(states, 20)
  let c1 = load<u32>(states, 36)
  let d1 = load<u32>(states, 52)
  let p0 = load<usize>(pointers)
  let p1 = load<usize>(pointers, 4)
  const end = p0 + bytes
  while (p0 < end) {
    const a0Before = a0
    const b0Before = b0
    const c0Before = c0
    const d0Before = d0
    const a1Before = a1
    const b1Before = b1
    const c1Before = c1
    const d1Before = d1
    a0 = f(a0, b0, c0, d0, load<u32>(p0) + 0xd76aa478, 7); a1 = f(a1, b1, c1, d1, load<u32>(p1) + 0xd76aa478, 7)
    d0 = f(d0, a0, b0, c0, load<u32>(p0, 4) + 0xe8c7b756, 12); d1 = f(d1, a1, b1, c1, load<u32>(p1, 4) + 0xe8c7b756, 12)
    c0 = f(c0, d0, a0, b0, load<u32>(p0, 8) + 0x242070db, 17); c1 = f(c1, d1, a1, b1, load<u32>(p1, 8) + 0x242070db, 17)
    b0 = f(b0, c0, d0, a0, load<u32>(p0, 12) + 0xc1bdceee, 22); b1 = f(b1, c1, d1, a1, load<u32>(p1, 12) + 0xc1bdceee, 22)
    inOrder()
    a0 = f(a0, b0, c0, d0, load<u32>(p0, 16) + 0xf57c0faf, 7); a1 = f(a1, b1, c1, d1, load<u32>(p1, 16) + 0xf57c0faf, 7)
    d0 = f(d0, a0, b0, c0, load<u32>(p0, 20) + 0x4787c62a, 12); d1 = f(d1, a1, b1, c1, load<u32>(p1, 20) + 0x4787c62a, 12)
    c0 = f(c0, d0, a0, b0, load<u32>(p0, 24) + 0xa8304613, 17); c1 = f(c1, d1, a1, b1, load<u32>(p1, 24) + 0xa8304613, 17)
    b0 = f(b0, c0, d0, a0, load<u32>(p0, 28) + 0xfd469501, 22); b1 = f(b1, c1, d1, a1, load<u32>(p1, 28) + 0xfd469501, 22)
    inOrder()
    a0 = f(a0, b0, c0, d0, load<u32>(p0, 32) + 0x698098d8, 7); a1 = f(a1, b1, c1, d1, load<u32>(p1, 32) + 0x698098d8, 7)
    d0 = f(d0, a0, b0, c0, load<u32>(p0, 36) + 0x8b44f7af, 12); d1 = f(d1, a1, b1, c1, load<u32>(p1, 36) + 0x8b44f7af, 12)
    c0 = f(c0, d0, a0, b0, load<u32>(p0, 40) + 0xffff5bb1, 17); c1 = f(c1, d1, a1, b1, load<u32>(p1, 40) + 0xffff5bb1, 17)
    b0 = f(b0, c0, d0, a0, load<u32>(p0, 44) + 0x895cd7be, 22); b1 = f(b1, c1, d1, a1, load<u32>(p1, 44) + 0x895cd7be, 22)
    inOrder()
    a0 = f(a0, b0, c0, d0, load<u32>(p0, 48) + 0x6b901122, 7); a1 = f(a1, b1, c1, d1, load<u32>(p1, 48) + 0x6b901122, 7)
    d0 = f(d0, a0, b0, c0, load<u32>(p0, 52) + 0xfd987193, 12); d1 = f(d1, a1, b1, c1, load<u32>(p1, 52) + 0xfd987193, 12)
    c0 = f(c0, d0, a0, b0, load<u32>(p0, 56) + 0xa679438e, 17); c1 = f(c1, d1, a1, b1, load<u32>(p1, 56) + 0xa679438e, 17)
    b0 = f(b0, c0, d0, a0, load<u32>(p0, 60) + 0x49b40821, 22); b1 = f(b1, c1, d1, a1, load<u32>(p1, 60) + 0x49b40821, 22)
    inOrder()
    a0 = g(a0, b0, c0, d0, load<u32>(p0, 4) + 0xf61e2562, 5); a1 = g(a1, b1, c1, d1, load<u32>(p1, 4) + 0xf61e2562, 5)
    d0 = g(d0, a0, b0, c0, load<u32>(p0, 24) + 0xc040b340, 9); d1 = g(d1, a1, b1, c1, load<u32>(p1, 24) + 0xc040b340, 9)
    c0 = g(c0, d0, a0, b0, load<u32>(p0, 44) + 0x265e5a51, 14); c1 = g(c1, d1, a1, b1, load<u32>(p1, 44) + 0x265e5a51, 14)
    b0 = g(b0, c0, d0, a0, load<u32>(p0) + 0xe9b6c7aa, 20); b1 = g(b1, c1, d1, a1, load<u32>(p1) + 0xe9b6c7aa, 20)
    inOrder()
    a0 = g(a0, b0, c0, d0, load<u32>(p0, 20) + 0xd62f105d, 5); a1 = g(a1, b1, c1, d1, load<u32>(p1, 20) + 0xd62f105d, 5)
    d0 = g(d0, a0, b0, c0, load<u32>(p0, 40) + 0x02441453, 9); d1 = g(d1, a1, b1, c1, load<u32>(p1, 40) + 0x02441453, 9)
    c0 = g(c0, d0, a0, b0, load<u32>(p0, 60) + 0xd8a1e681, 14); c1 = g(c1, d1, a1, b1, load<u32>(p1, 60) + 0xd8a1e681, 14)
    b0 = g(b0, c0, d0, a0, load<u32>(p0, 16) + 0xe7d3fbc8, 20); b1 = g(b1, c1, d1, a1, load<u32>(p1, 16) + 0xe7d3fbc8, 20)
    inOrder()
    a0 = g(a0, b0, c0, d0, load<u32>(p0, 36) + 0x21e1cde6, 5); a1 = g(a1, b1, c1, d1, load<u32>(p1, 36) + 0x21e1cde6, 5)
    d0 = g(d0, a0, b0, c0, load<u32>(p0, 56) + 0xc33707d6, 9); d1 = g(d1, a1, b1, c1, load<u32>(p1, 56) + 0xc33707d6, 9)
    c0 = g(c0, d0, a0, b0, load<u32>(p0, 12) + 0xf4d50d87, 14); c1 = g(c1, d1, a1, b1, load<u32>(p1, 12) + 0xf4d50d87, 14)
    b0 = g(b0, c0, d0, a0, load<u32>(p0, 32) + 0x455a14ed, 20); b1 = g(b1, c1, d1, a1, load<u32>(p1, 32) + 0x455a14ed, 20)
    inOrder()
    a0 = g(a0, b0, c0, d0, load<u32>(p0, 52) + 0xa9e3e905, 5); a1 = g(a1, b1, c1, d1, load<u32>(p1, 52) + 0xa9e3e905, 5)
    d0 = g(d0, a0, b0, c0, load<u32>(p0, 8) + 0xfcefa3f8, 9); d1 = g(d1, a1, b1, c1, load<u32>(p1, 8) + 0xfcefa3f8, 9)
    c0 = g(c0, d0, a0, b0, load<u32>(p0, 28) + 0x676f02d9, 14); c1 = g(c1, d1, a1, b1, load<u32>(p1, 28) + 0x676f02d9, 14)
    b0 = g(b0, c0, d0, a0, load<u32>(p0, 48) + 0x8d2a4c8a, 20); b1 = g(b1, c1, d1, a1, load<u32>(p1, 48) + 0x8d2a4c8a, 20)
    inOrder()
    a0 = h(a0, b0, c0, d0, load<u32>(p0, 20) + 0xfffa3942, 4); a1 = h(a1, b1, c1, d1, load<u32>(p1, 20) + 0xfffa3942, 4)
    d0 = h(d0, a0, b0, c0, load<u32>(p0, 32) + 0x8771f681, 11); d1 = h(d1, a1, b1, c1, load<u32>(p1, 32) + 0x8771f681, 11)
    c0 = h(c0, d0, a0, b0, load<u32>(p0, 44) + 0x6d9d6122, 16); c1 = h(c1, d1, a1, b1, load<u32>(p1, 44) + 0x6d9d6122, 16)
    b0 = h(b0, c0, d0, a0, load<u32>(p0, 56) + 0xfde5380c, 23); b1 = h(b1, c1, d1, a1, load<u32>(p1, 56) + 0xfde5380c, 23)
    inOrder()
    a0 = h(a0, b0, c0, d0, load<u32>(p0, 4) + 0xa4beea44, 4); a1 = h(a1, b1, c1, d1, load<u32>(p1, 4) + 0xa4beea44, 4)
    d0 = h(d0, a0, b0, c0, load<u32>(p0, 16) + 0x4bdecfa9, 11); d1 = h(d1, a1, b1, c1, load<u32>(p1, 16) + 0x4bdecfa9, 11)
    c0 = h(c0, d0, a0, b0, load<u32>(p0, 28) + 0xf6bb4b60, 16); c1 = h(c1, d1, a1, b1, load<u32>(p1, 28) + 0xf6bb4b60, 16)
    b0 = h(b0, c0, d0, a0, load<u32>(p0, 40) + 0xbebfbc70, 23); b1 = h(b1, c1, d1, a1, load<u32>(p1, 40) + 0xbebfbc70, 23)
    inOrder()
    a0 = h(a0, b0, c0, d0, load<u32>(p0, 52) + 0x289b7ec6, 4); a1 = h(a1, b1, c1, d1, load<u32>(p1, 52) + 0x289b7ec6, 4)
    d0 = h(d0, a0, b0, c0, load<u32>(p0) + 0xeaa127fa, 11); d1 = h(d1, a1, b1, c1, load<u32>(p1) + 0xeaa127fa, 11)
    c0 = h(c0, d0, a0, b0, load<u32>(p0, 12) + 0xd4ef3085, 16); c1 = h(c1, d1, a1, b1, load<u32>(p1, 12) + 0xd4ef3085, 16)
    b0 = h(b0, c0, d0, a0, load<u32>(p0, 24) + 0x04881d05, 23); b1 = h(b1, c1, d1, a1, load<u32>(p1, 24) + 0x04881d05, 23)
    inOrder()
    a0 = h(a0, b0, c0, d0, load<u32>(p0, 36) + 0xd9d4d039, 4); a1 = h(a1, b1, c1, d1, load<u32>(p1, 36) + 0xd9d4d039, 4)
    d0 = h(d0, a0, b0, c0, load<u32>(p0, 48) + 0xe6db99e5, 11); d1 = h(d1, a1, b1, c1, load<u32>(p1, 48) + 0xe6db99e5, 11)
    c0 = h(c0, d0, a0, b0, load<u32>(p0, 60) + 0x1fa27cf8, 16); c1 = h(c1, d1, a1, b1, load<u32>(p1, 60) + 0x1fa27cf8, 16)
    b0 = h(b0, c0, d0, a0, load<u32>(p0, 8) + 0xc4ac5665, 23); b1 = h(b1, c1, d1, a1, load<u32>(p1, 8) + 0xc4ac5665, 23)
    inOrder()
    a0 = i(a0, b0, c0, d0, load<u32>(p0) + 0xf4292244, 6); a1 = i(a1, b1, c1, d1, load<u32>(p1) + 0xf4292244, 6)
    d0 = i(d0, a0, b0, c0, load<u32>(p0, 28) + 0x432aff97, 10); d1 = i(d1, a1, b1, c1, load<u32>(p1, 28) + 0x432aff97, 10)
    c0 = i(c0, d0, a0, b0, load<u32>(p0, 56) + 0xab9423a7, 15); c1 = i(c1, d1, a1, b1, load<u32>(p1, 56) + 0xab9423a7, 15)
    b0 = i(b0, c0, d0, a0, load<u32>(p0, 20) + 0xfc93a039, 21); b1 = i(b1, c1, d1, a1, load<u32>(p1, 20) + 0xfc93a039, 21)
    inOrder()
    a0 = i(a0, b0, c0, d0, load<u32>(p0, 48) + 0x655b59c3, 6); a1 = i(a1, b1, c1, d1, load<u32>(p1, 48) + 0x655b59c3, 6)
    d0 = i(d0, a0, b0, c0, load<u32>(p0, 12) + 0x8f0ccc92, 10); d1 = i(d1, a1, b1, c1, load<u32>(p1, 12) + 0x8f0ccc92, 10)
    c0 = i(c0, d0, a0, b0, load<u32>(p0, 40) + 0xffeff47d, 15); c1 = i(c1, d1, a1, b1, load<u32>(p1, 40) + 0xffeff47d, 15)
    b0 = i(b0, c0, d0, a0, load<u32>(p0, 4) + 0x85845dd1, 21); b1 = i(b1, c1, d1, a1, load<u32>(p1, 4) + 0x85845dd1, 21)
    inOrder()
    a0 = i(a0, b0, c0, d0, load<u32>(p0, 32) + 0x6fa87e4f, 6); a1 = i(a1, b1, c1, d1, load<u32>(p1, 32) + 0x6fa87e4f, 6)
    d0 = i(d0, a0, b0, c0, load<u32>(p0, 60) + 0xfe2ce6e0, 10); d1 = i(d1, a1, b1, c1, load<u32>(p1, 60) + 0xfe2ce6e0, 10)
    c0 = i(c0, d0, a0, b0, load<u32>(p0, 24) + 0xa3014314, 15); c1 = i(c1, d1, a1, b1, load<u32>(p1, 24) + 0xa3014314, 15)
    b0 = i(b0, c0, d0, a0, load<u32>(p0, 52) + 0x4e0811a1, 21); b1 = i(b1, c1, d1, a1, load<u32>(p1, 52) + 0x4e0811a1, 21)
    inOrder()
    a0 = i(a0, b0, c0, d0, load<u32>(p0, 16) + 0xf7537e82, 6); a1 = i(a1, b1, c1, d1, load<u32>(p1, 16) + 0xf7537e82, 6)
    d0 = i(d0, a0, b0, c0, load<u32>(p0, 44) + 0xbd3af235, 10); d1 = i(d1, a1, b1, c1, load<u32>(p1, 44) + 0xbd3af235, 10)
    c0 = i(c0, d0, a0, b0, load<u32>(p0, 8) + 0x2ad7d2bb, 15); c1 = i(c1, d1, a1, b1, load<u32>(p1, 8) + 0x2ad7d2bb, 15)
    b0 = i(b0, c0, d0, a0, load<u32>(p0, 36) + 0xeb86d391, 21); b1 = i(b1, c1, d1, a1, load<u32>(p1, 36) + 0xeb86d391, 21)
    inOrder()
    a0 += a0Before
    b0 += b0Before
    c0 += c0Before
    d0 += d0Before
    a1 += a1Before
    b1 += b1Before
    c1 += c1Before
    d1 += d1Before
    p0 += 64
    p1 += 64
  }
  store<u32>(states, a0)
  store<u32>(states, b0, 16)
  store<u32>(states, c0, 32)
  store<u32>(states, d0, 48)
  store<u32>(states, a1, 4)
  store<u32>(states, b1, 20)
  store<u32>(states, c1, 36)
  store<u32>(states, d1, 52)
}

@inline
function turn(b: v128, sum: v128, s: i32): v128 {
  return i32x4.add(b, v128.or(i32x4.shl(sum, s), i32x4.shr_u(sum, 32 - s)))
}
@inline
function wideF(a: v128, b: v128, c: v128, d: v128, m: v128, s: i32): v128 {
  return turn(b, i32x4.add(i32x4.add(a, m), v128.xor(d, v128.and(b, v128.xor(c, d)))), s)
}
@inline
function wideG(a: v128, b: v128, c: v128, d: v128, m: v128, s: i32): v128 {
  return turn(b, i32x4.add(i32x4.add(i32x4.add(a, m), v128.andnot(c, d)), v128.and(b, d)), s)
}
@inline
function wideH(a: v128, b: v128, c: v128, d: v128, m: v128, s: i32): v128 {
  return turn(b, i32x4.add(i32x4.add(a, m), v128.xor(b, v128.xor(c, d))), s)
}
@inline
function wideI(a: v128, b: v128, c: v128, d: v128, m: v128, s: i32): v128 {
  return turn(b, i32x4.add(i32x4.add(a, m), v128.xor(c, v128.or(b, v128.not(d)))), s)
}

/** Lays the next blocks of the four slots of a group out as 16 vectors. */
function layOut(group: usize, offset: usize): void {
  const at = words + (group << 8)
  const p = pointers + (group << 4)
  const p0 = load<usize>(p) + offset
  const p1 = load<usize>(p, 4) + offset
  const p2 = load<usize>(p, 8) + offset
  const p3 = load<usize>(p, 12) + offset
  for (let i: usize = 0; i < 64; i += 16) {
    const a = v128.load(p0 + i)
    const b = v128.load(p1 + i)
    const c = v128.load(p2 + i)
    const d = v128.load(p3 + i)
    const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
    const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
    const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
    const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
    const to = at + (i << 2)
    v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2))
    v128.store(to, v128.shuffle<i64>(ab, cd, 1, 3), 16)
    v128.store(to, v128.shuffle<i64>(abHigh, cdHigh, 0, 2), 32)
    v128.store(to, v128.shuffle<i64>(abHigh, cdHigh, 1, 3), 48)
  }
}

/** Takes `bytes` bytes, a multiple of 64, of all twelve slots. */
export function twelve(bytes: usize): void {
  let a0 = v128.load(states)
  let b0 = v128.load(states, 16)
  let c0 = v128.load(states, 32)
  let d0 = v128.load(states, 48)
  let a1 = v128.load(states, 64)
  let b1 = v128.load(states, 80)
  let c1 = v128.load(states, 96)
  let d1 = v128.load(states, 112)
  let a2 = v128.load(states, 128)
  let b2 = v128.load(states, 144)
  let c2 = v128.load(states, 160)
  let d2 = v128.load(states, 176)
  for (let at: usize = 0; at < bytes; at += 64) {
    for (let group: usize = 0; group < 3; group++) layOut(group, at)
    let k = constants
    for (let word: usize = 0; word < 256; word += 64) {
      const m0 = words + (word & 240)
      const m1 = words + ((word + 16) & 240)
      const m2 = words + ((word + 32) & 240)
      const m3 = words + ((word + 48) & 240)
      const k0 = v128.load32_splat(k)
      const k1 = v128.load32_splat(k, 4)
      const k2 = v128.load32_splat(k, 8)
      const k3 = v128.load32_splat(k, 12)
      a0 = wideF(a0, b0, c0, d0, i32x4.add(v128.load(m0), k0), 7)
      a1 = wideF(a1, b1, c1, d1, i32x4.add(v128.load(m0, 256), k0), 7)
      a2 = wideF(a2, b2, c2, d2, i32x4.add(v128.load(m0, 512), k0), 7)
      inOrder()
      d0 = wideF(d0, a0, b0, c0, i32x4.add(v128.load(m1), k1), 12)
      d1 = wideF(d1, a1, b1, c1, i32x4.add(v128.load(m1, 256), k1), 12)
      d2 = wideF(d2, a2, b2, c2, i32x4.add(v128.load(m1, 512), k1), 12)
      inOrder()
      c0 = wideF(c0, d0, a0, b0, i32x4.add(v128.load(m2), k2), 17)
      c1 = wideF(c1, d1, a1, b1, i32x4.add(v128.load(m2, 256), k2), 17)
      c2 = wideF(c2, d2, a2, b2, i32x4.add(v128.load(m2, 512), k2), 17)
      inOrder()
      b0 = wideF(b0, c0, d0, a0, i32x4.add(v128.load(m3), k3), 22)
      b1 = wideF(b1, c1, d1, a1, i32x4.add(v128.load(m3, 256), k3), 22)
      b2 = wideF(b2, c2, d2, a2, i32x4.add(v128.load(m3, 512), k3), 22)
      k += 16
    }
    for (let word: usize = 0; word < 1280; word += 320) {
      const m0 = words + ((word + 16) & 240)
      const m1 = words + ((word + 96) & 240)
      const m2 = words + ((word + 176) & 240)
      const m3 = words + ((word + 256) & 240)
      const k0 = v128.load32_splat(k)
      const k1 = v128.load32_splat(k, 4)
      const k2 = v128.load32_splat(k, 8)
      const k3 = v128.load32_splat(k, 12)
      a0 = wideG(a0, b0, c0, d0, i32x4.add(v128.load(m0), k0), 5)
      a1 = wideG(a1, b1, c1, d1, i32x4.add(v128.load(m0, 256), k0), 5)
      a2 = wideG(a2, b2, c2, d2, i32x4.add(v128.load(m0, 512), k0), 5)
      inOrder()
      d0 = wideG(d0, a0, b0, c0, i32x4.add(v128.load(m1), k1), 9)
      d1 = wideG(d1, a1, b1, c1, i32x4.add(v128.load(m1, 256), k1), 9)
      d2 = wideG(d2, a2, b2, c2, i32x4.add(v128.load(m1, 512), k1), 9)
      inOrder()
      c0 = wideG(c0, d0, a0, b0, i32x4.add(v128.load(m2), k2), 14)
      c1 = wideG(c1, d1, a1, b1, i32x4.add(v128.load(m2, 256), k2), 14)
      c2 = wideG(c2, d2, a2, b2, i32x4.add(v128.load(m2, 512), k2), 14)
      inOrder()
      b0 = wideG(b0, c0, d0, a0, i32x4.add(v128.load(m3), k3), 20)
      b1 = wideG(b1, c1, d1, a1, i32x4.add(v128.load(m3, 256), k3), 20)
      b2 = wideG(b2, c2, d2, a2, i32x4.add(v128.load(m3, 512), k3), 20)
      k += 16
    }
    for (let word: usize = 0; word < 768; word += 192) {
      const m0 = words + ((word + 80) & 240)
      const m1 = words + ((word + 128) & 240)
      const m2 = words + ((word + 176) & 240)
      const m3 = words + ((word + 224) & 240)
      const k0 = v128.load32_splat(k)
      const k1 = v128.load32_splat(k, 4)
      const k2 = v128.load32_splat(k, 8)
      const k3 = v128.load32_splat(k, 12)
      a0 = wideH(a0, b0, c0, d0, i32x4.add(v128.load(m0), k0), 4)
      a1 = wideH(a1, b1, c1, d1, i32x4.add(v128.load(m0, 256), k0), 4)
      a2 = wideH(a2, b2, c2, d2, i32x4.add(v128.load(m0, 512), k0), 4)
      inOrder()
      d0 = wideH(d0, a0, b0, c0, i32x4.add(v128.load(m1), k1), 11)
      d1 = wideH(d1, a1, b1, c1, i32x4.add(v128.load(m1, 256), k1), 11)
      d2 = wideH(d2, a2, b2, c2, i32x4.add(v128.load(m1, 512), k1), 11)
      inOrder()
      c0 = wideH(c0, d0, a0, b0, i32x4.add(v128.load(m2), k2), 16)
      c1 = wideH(c1, d1, a1, b1, i32x4.add(v128.load(m2, 256), k2), 16)
      c2 = wideH(c2, d2, a2, b2, i32x4.add(v128.load(m2, 512), k2), 16)
      inOrder()
      b0 = wideH(b0, c0, d0, a0, i32x4.add(v128.load(m3), k3), 23)
      b1 = wideH(b1, c1, d1, a1, i32x4.add(v128.load(m3, 256), k3), 23)
      b2 = wideH(b2, c2, d2, a2, i32x4.add(v128.load(m3, 512), k3), 23)
      k += 16
    }
    for (let word: usize = 0; word < 1792; word += 448) {
      const m0 = words + (word & 240)
      const m1 = words + ((word + 112) & 240)
      const m2 = words + ((word + 224) & 240)
      const m3 = words + ((word + 336) & 240)
      const k0 = v128.load32_splat(k)
      const k1 = v128.load32_splat(k, 4)
      const k2 = v128.load32_splat(k, 8)
      const k3 = v128.load32_splat(k, 12)
      a0 = wideI(a0, b0, c0, d0, i32x4.add(v128.load(m0), k0), 6)
      a1 = wideI(a1, b1, c1, d1, i32x4.add(v128.load(m0, 256), k0), 6)
      a2 = wideI(a2, b2, c2, d2, i32x4.add(v128.load(m0, 512), k0), 6)
      inOrder()
      d0 = wideI(d0, a0, b0, c0, i32x4.add(v128.load(m1), k1), 10)
      d1 = wideI(d1, a1, b1, c1, i32x4.add(v128.load(m1, 256), k1), 10)
      d2 = wideI(d2, a2, b2, c2, i32x4.add(v128.load(m1, 512), k1), 10)
      inOrder()
      c0 = wideI(c0, d0, a0, b0, i32x4.add(v128.load(m2), k2), 15)
      c1 = wideI(c1, d1, a1, b1, i32x4.add(v128.load(m2, 256), k2), 15)
      c2 = wideI(c2, d2, a2, b2, i32x4.add(v128.load(m2, 512), k2), 15)
      inOrder()
      b0 = wideI(b0, c0, d0, a0, i32x4.add(v128.load(m3), k3), 21)
      b1 = wideI(b1, c1, d1, a1, i32x4.add(v128.load(m3, 256), k3), 21)
      b2 = wideI(b2, c2, d2, a2, i32x4.add(v128.load(m3, 512), k3), 21)
      k += 16
    }
    a0 = i32x4.add(a0, v128.load(states))
    b0 = i32x4.add(b0, v128.load(states, 16))
    c0 = i32x4.add(c0, v128.load(states, 32))
    d0 = i32x4.add(d0, v128.load(states, 48))
    a1 = i32x4.add(a1, v128.load(states, 64))
    b1 = i32x4.add(b1, v128.load(states, 80))
    c1 = i32x4.add(c1, v128.load(states, 96))
    d1 = i32x4.add(d1, v128.load(states, 112))
    a2 = i32x4.add(a2, v128.load(states, 128))
    b2 = i32x4.add(b2, v128.load(states, 144))
    c2 = i32x4.add(c2, v128.load(states, 160))
    d2 = i32x4.add(d2, v128.load(states, 176))
    v128.store(states, a0)
    v128.store(states, b0, 16)
    v128.store(states, c0, 32)
    v128.store(states, d0, 48)
    v128.store(states, a1, 64)
    v128.store(states, b1, 80)
    v128.store(states, c1, 96)
    v128.store(states, d1, 112)
    v128.store(states, a2, 128)
    v128.store(states, b2, 144)
    v128.store(states, c2, 160)
    v128.store(states, d2, 176)
  }
}
