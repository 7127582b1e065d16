/**
 * XXH64 and XXH3 (64 and 128 bits, seed 0, default secret) for WebAssembly, written in AssemblyScript. Built by `npm run build:kernels` into
 * ../xxhash-kernel.ts.
 *
 * Streams: all that must outlive a call is in `state`, which the host copies in and out, so that one kernel serves any number of hashes under way.
 * Source: xxHash fast digest algorithm, specification version 0.2.0 (Yann Collet), and the description of XXH3 in it.
 */

/** The host copies at most this much into the input buffer for one call. */
const INPUT_BYTES: usize = 64 * 1024

const P32_1: u64 = 0x9e3779b1
const P32_2: u64 = 0x85ebca77
const P32_3: u64 = 0xc2b2ae3d
const P64_1: u64 = 0x9e3779b185ebca87
const P64_2: u64 = 0xc2b2ae3d27d4eb4f
const P64_3: u64 = 0x165667b19e3779f9
const P64_4: u64 = 0x85ebca77c2b2ae63
const P64_5: u64 = 0x27d4eb2f165667c5
const MIX_1: u64 = 0x165667919e3779f9
const MIX_2: u64 = 0x9fb21c651e98df25

const input = memory.data(64 * 1024, 64)
/**
 * The state: accumulators (64 bytes; XXH64 uses half), total bytes (8), bytes in the buffer (4), stripes since the last scramble (4),
 * the buffer (256; XXH64 uses 32).
 */
const STATE_BYTES: usize = 64 + 8 + 4 + 4 + 256
const state = memory.data(64 + 8 + 4 + 4 + 256, 64)
const TOTAL: usize = 64
const BUFFERED: usize = 72
const STRIPES: usize = 76
const BUFFER: usize = 80
/** Low half first, each little-endian. */
const result = memory.data(16, 16)
const scratch = memory.data(64, 64)

const SECRET_BYTES: usize = 192
const secret = memory.data<u8>([
  0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb,
  0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
  0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
  0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8, 0xa8,
  0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8,
  0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17,
  0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f,
  0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
])

export function inputPointer(): usize {
  return input
}
export function statePointer(): usize {
  return state
}
export function resultPointer(): usize {
  return result
}

// ---- XXH64 ----

@inline
function round64(lane: u64, data: u64): u64 {
  return rotl<u64>(lane + data * P64_2, 31) * P64_1
}

export function xxh64Begin(): void {
  memory.fill(state, 0, STATE_BYTES)
  store<u64>(state, P64_1 + P64_2)
  store<u64>(state + 8, P64_2)
  store<u64>(state + 24, 0 - P64_1)
}

function stripes64(from: usize, to: usize): void {
  let a = load<u64>(state)
  let b = load<u64>(state + 8)
  let c = load<u64>(state + 16)
  let d = load<u64>(state + 24)
  for (let at = from; at < to; at += 32) {
    a = round64(a, load<u64>(at))
    b = round64(b, load<u64>(at + 8))
    c = round64(c, load<u64>(at + 16))
    d = round64(d, load<u64>(at + 24))
  }
  store<u64>(state, a)
  store<u64>(state + 8, b)
  store<u64>(state + 16, c)
  store<u64>(state + 24, d)
}

export function xxh64Update(bytes: usize): void {
  store<u64>(state + TOTAL, load<u64>(state + TOTAL) + <u64>bytes)
  const buffered = <usize>load<u32>(state + BUFFERED)
  let at = input
  const end = input + bytes
  if (buffered + bytes < 32) {
    memory.copy(state + BUFFER + buffered, at, bytes)
    store<u32>(state + BUFFERED, <u32>(buffered + bytes))
    return
  }
  if (buffered > 0) {
    const missing = 32 - buffered
    memory.copy(state + BUFFER + buffered, at, missing)
    stripes64(state + BUFFER, state + BUFFER + 32)
    at += missing
  }
  const whole = at + ((end - at) & ~31)
  stripes64(at, whole)
  memory.copy(state + BUFFER, whole, end - whole)
  store<u32>(state + BUFFERED, <u32>(end - whole))
}

@inline
function mergeLane(hash: u64, lane: u64): u64 {
  return (hash ^ round64(0, lane)) * P64_1 + P64_4
}

export function xxh64End(): void {
  const total = load<u64>(state + TOTAL)
  let hash: u64
  if (total >= 32) {
    const a = load<u64>(state)
    const b = load<u64>(state + 8)
    const c = load<u64>(state + 16)
    const d = load<u64>(state + 24)
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18)
    hash = mergeLane(mergeLane(mergeLane(mergeLane(hash, a), b), c), d)
  } else hash = P64_5
  hash += total
  let at = state + BUFFER
  const end = at + <usize>load<u32>(state + BUFFERED)
  for (; at + 8 <= end; at += 8) hash = rotl<u64>(hash ^ round64(0, load<u64>(at)), 27) * P64_1 + P64_4
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * P64_1), 23) * P64_2 + P64_3
    at += 4
  }
  for (; at < end; at++) hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * P64_5), 11) * P64_1
  store<u64>(result, avalanche64(hash))
}

function avalanche64(value: u64): u64 {
  let hash = (value ^ (value >> 33)) * P64_2
  hash = (hash ^ (hash >> 29)) * P64_3
  return hash ^ (hash >> 32)
}

// ---- XXH3 ----

/** The high half of a product of 64-bit numbers; the low half is `a * b`. */
function highProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff
  const aHigh = a >> 32
  const bLow = b & 0xffffffff
  const bHigh = b >> 32
  const middle = aHigh * bLow + ((aLow * bLow) >> 32)
  const other = aLow * bHigh + (middle & 0xffffffff)
  return aHigh * bHigh + (middle >> 32) + (other >> 32)
}

@inline
function fold(a: u64, b: u64): u64 {
  return (a * b) ^ highProduct(a, b)
}

function avalanche3(value: u64): u64 {
  const hash = (value ^ (value >> 37)) * MIX_1
  return hash ^ (hash >> 32)
}

@inline
function secret64(at: usize): u64 {
  return load<u64>(secret + at)
}

export function xxh3Begin(): void {
  memory.fill(state, 0, STATE_BYTES)
  store<u64>(state, P32_3)
  store<u64>(state + 8, P64_1)
  store<u64>(state + 16, P64_2)
  store<u64>(state + 24, P64_3)
  store<u64>(state + 32, P64_4)
  store<u64>(state + 40, P32_2)
  store<u64>(state + 48, P64_5)
  store<u64>(state + 56, P32_1)
}

@inline
function accumulateLane(lanes: v128, data: v128, key: v128): v128 {
  const mixed = v128.xor(data, key)
  const product = i64x2.extmul_low_i32x4_u(
    v128.shuffle<i32>(mixed, mixed, 0, 2, 0, 2),
    v128.shuffle<i32>(mixed, mixed, 1, 3, 1, 3),
  )
  return i64x2.add(i64x2.add(lanes, v128.shuffle<i64>(data, data, 1, 0)), product)
}

/** `count` stripes of 64 bytes into the accumulators, with a scramble after each sixteenth. */
function stripes3(from: usize, count: usize): void {
  let a = v128.load(state)
  let b = v128.load(state + 16)
  let c = v128.load(state + 32)
  let d = v128.load(state + 48)
  let done = <usize>load<u32>(state + STRIPES)
  let at = from
  for (let i: usize = 0; i < count; i++) {
    const key = secret + done * 8
    a = accumulateLane(a, v128.load(at), v128.load(key))
    b = accumulateLane(b, v128.load(at + 16), v128.load(key + 16))
    c = accumulateLane(c, v128.load(at + 32), v128.load(key + 32))
    d = accumulateLane(d, v128.load(at + 48), v128.load(key + 48))
    at += 64
    if (++done == 16) {
      a = scramble(a, v128.load(secret + SECRET_BYTES - 64))
      b = scramble(b, v128.load(secret + SECRET_BYTES - 48))
      c = scramble(c, v128.load(secret + SECRET_BYTES - 32))
      d = scramble(d, v128.load(secret + SECRET_BYTES - 16))
      done = 0
    }
  }
  v128.store(state, a)
  v128.store(state + 16, b)
  v128.store(state + 32, c)
  v128.store(state + 48, d)
  store<u32>(state + STRIPES, <u32>done)
}

@inline
function scramble(lanes: v128, key: v128): v128 {
  return i64x2.mul(v128.xor(v128.xor(lanes, i64x2.shr_u(lanes, 47)), key), i64x2.splat(P32_1))
}

export function xxh3Update(bytes: usize): void {
  store<u64>(state + TOTAL, load<u64>(state + TOTAL) + <u64>bytes)
  const buffered = <usize>load<u32>(state + BUFFERED)
  const buffer = state + BUFFER
  let at = input
  const end = input + bytes
  if (buffered + bytes <= 256) {
    memory.copy(buffer + buffered, at, bytes)
    store<u32>(state + BUFFERED, <u32>(buffered + bytes))
    return
  }
  if (buffered > 0) {
    const missing = 256 - buffered
    memory.copy(buffer + buffered, at, missing)
    stripes3(buffer, 4)
    at += missing
  }
  // At least one byte stays behind: the last stripe is treated apart.
  if (end - at > 256) {
    const count = (end - at - 1) >> 8
    stripes3(at, count << 2)
    at += count << 8
    // The end may need the 64 bytes before what is buffered.
    memory.copy(buffer + 192, at - 64, 64)
  }
  memory.copy(buffer, at, end - at)
  store<u32>(state + BUFFERED, <u32>(end - at))
}

/** Ends a hash of more than 240 bytes: the accumulators are final afterwards. */
function finishStripes(): void {
  const buffered = <usize>load<u32>(state + BUFFERED)
  const buffer = state + BUFFER
  let last = buffer + buffered - 64
  if (buffered >= 64) stripes3(buffer, (buffered - 1) >> 6)
  else {
    memory.copy(scratch, buffer + 192 + buffered, 64 - buffered)
    memory.copy(scratch + 64 - buffered, buffer, buffered)
    last = scratch
  }
  const key = secret + SECRET_BYTES - 64 - 7
  for (let i: usize = 0; i < 64; i += 16) {
    v128.store(state + i, accumulateLane(v128.load(state + i), v128.load(last + i), v128.load(key + i)))
  }
}

function mergeLanes(secretAt: usize, start: u64): u64 {
  let hash = start
  for (let i: usize = 0; i < 64; i += 16) {
    hash += fold(load<u64>(state + i) ^ secret64(secretAt + i), load<u64>(state + i + 8) ^ secret64(secretAt + i + 8))
  }
  return avalanche3(hash)
}

@inline
function mix16(at: usize, secretAt: usize): u64 {
  return fold(load<u64>(at) ^ secret64(secretAt), load<u64>(at + 8) ^ secret64(secretAt + 8))
}

export function xxh3End64(): void {
  const total = load<u64>(state + TOTAL)
  if (total > 240) {
    finishStripes()
    store<u64>(result, mergeLanes(11, total * P64_1))
  } else store<u64>(result, short64(state + BUFFER, <usize>total))
}

function combine1to3(at: usize, bytes: usize): u32 {
  return ((<u32>load<u8>(at)) << 16) | ((<u32>load<u8>(at + (bytes >> 1))) << 24) | <u32>load<u8>(at + bytes - 1) | ((<u32>bytes) << 8)
}

function short64(at: usize, bytes: usize): u64 {
  const length = <u64>bytes
  const end = at + bytes
  if (bytes == 0) return avalanche64(secret64(56) ^ secret64(64))
  if (bytes <= 3) return avalanche64(<u64>combine1to3(at, bytes) ^ <u64>(load<u32>(secret) ^ load<u32>(secret + 4)))
  if (bytes <= 8) {
    let hash = (<u64>load<u32>(end - 4) + (<u64>load<u32>(at) << 32)) ^ (secret64(8) ^ secret64(16))
    hash = (hash ^ rotl<u64>(hash, 49) ^ rotl<u64>(hash, 24)) * MIX_2
    hash = (hash ^ ((hash >> 35) + length)) * MIX_2
    return hash ^ (hash >> 28)
  }
  if (bytes <= 16) {
    const low = load<u64>(at) ^ (secret64(24) ^ secret64(32))
    const high = load<u64>(end - 8) ^ (secret64(40) ^ secret64(48))
    return avalanche3(length + bswap<u64>(low) + high + fold(low, high))
  }
  let hash = length * P64_1
  if (bytes <= 128) {
    // From the outside to the middle, as many pairs as there are.
    for (let i = (bytes - 1) >> 5; ; i--) {
      hash += mix16(at + i * 16, i * 32) + mix16(end - 16 - i * 16, i * 32 + 16)
      if (i == 0) break
    }
    return avalanche3(hash)
  }
  for (let i: usize = 0; i < 8; i++) hash += mix16(at + i * 16, i * 16)
  hash = avalanche3(hash)
  for (let i: usize = 8; i < bytes >> 4; i++) hash += mix16(at + i * 16, (i - 8) * 16 + 3)
  return avalanche3(hash + mix16(end - 16, 136 - 17))
}

export function xxh3End128(): void {
  const total = load<u64>(state + TOTAL)
  if (total > 240) {
    finishStripes()
    // The second reads the lanes too, so neither may change them.
    store<u64>(result, mergeLanes(11, total * P64_1))
    store<u64>(result + 8, mergeLanes(SECRET_BYTES - 64 - 11, ~(total * P64_2)))
  } else short128(state + BUFFER, <usize>total)
}

function mix32(first: usize, second: usize, secretAt: usize): void {
  const low = load<u64>(result) + mix16(first, secretAt)
  store<u64>(result, low ^ (load<u64>(second) + load<u64>(second + 8)))
  const high = load<u64>(result + 8) + mix16(second, secretAt + 16)
  store<u64>(result + 8, high ^ (load<u64>(first) + load<u64>(first + 8)))
}

function short128(at: usize, bytes: usize): void {
  const length = <u64>bytes
  const end = at + bytes
  let low: u64
  let high: u64
  if (bytes == 0) {
    low = avalanche64(secret64(64) ^ secret64(72))
    high = avalanche64(secret64(80) ^ secret64(88))
  } else if (bytes <= 3) {
    const combined = combine1to3(at, bytes)
    low = avalanche64(<u64>combined ^ <u64>(load<u32>(secret) ^ load<u32>(secret + 4)))
    high = avalanche64(<u64>rotl<u32>(bswap<u32>(combined), 13) ^ <u64>(load<u32>(secret + 8) ^ load<u32>(secret + 12)))
  } else if (bytes <= 8) {
    const keyed = (<u64>load<u32>(at) + (<u64>load<u32>(end - 4) << 32)) ^ (secret64(16) ^ secret64(24))
    const factor = P64_1 + (length << 2)
    low = keyed * factor
    high = highProduct(keyed, factor) + (low << 1)
    low ^= high >> 3
    low = (low ^ (low >> 35)) * MIX_2
    low ^= low >> 28
    high = avalanche3(high)
  } else if (bytes <= 16) {
    const first = load<u64>(at)
    let last = load<u64>(end - 8)
    const keyed = first ^ last ^ (secret64(32) ^ secret64(40))
    low = keyed * P64_1 + ((length - 1) << 54)
    last ^= secret64(48) ^ secret64(56)
    high = highProduct(keyed, P64_1) + last + (last & 0xffffffff) * (P32_2 - 1)
    low ^= bswap<u64>(high)
    high = avalanche3(highProduct(low, P64_2) + high * P64_2)
    low = avalanche3(low * P64_2)
  } else {
    store<u64>(result, length * P64_1)
    store<u64>(result + 8, 0)
    if (bytes <= 128) {
      for (let i = (bytes - 1) >> 5; ; i--) {
        mix32(at + i * 16, end - 16 - i * 16, i * 32)
        if (i == 0) break
      }
    } else {
      for (let i: usize = 0; i < 128; i += 32) mix32(at + i, at + i + 16, i)
      store<u64>(result, avalanche3(load<u64>(result)))
      store<u64>(result + 8, avalanche3(load<u64>(result + 8)))
      for (let i: usize = 160; i <= bytes; i += 32) mix32(at + i - 32, at + i - 16, 3 + i - 160)
      mix32(end - 16, end - 32, 136 - 17 - 16)
    }
    const a = load<u64>(result)
    const b = load<u64>(result + 8)
    low = avalanche3(a + b)
    high = 0 - avalanche3(a * P64_1 + b * P64_4 + length * P64_2)
  }
  store<u64>(result, low)
  store<u64>(result + 8, high)
}
