/**
 * CRC-32C and CRC-64/NVME for WebAssembly, written in AssemblyScript. Built by `npm run build:kernels` into ../crc-kernel.ts.
 *
 * Long inputs are folded: a byte is left out, and added to a few later ones instead, at distances for which the sum of the powers of x is a multiple of the
 * CRC's polynomial, so that nothing changes but the length. That takes loads and XORs of vectors alone. What is left at the end, SPAN bytes, and short
 * inputs go through sixteen tables, sixteen bytes at a time.
 * The distances were found by searching sums of powers of x^8 (by pairs of pairs); few terms make folding fast, a short span leaves little to the tables.
 * Sources: Russell, "Chorba: A novel CRC32 implementation", arXiv:2412.16398; Intel, "High Octane CRC Generation with the Intel Slicing-by-8 Algorithm".
 */

const POLYNOMIAL_32C: u32 = 0x82f63b78
const POLYNOMIAL_64NVME: u64 = 0x9a6c9329ac4bc9b5

/** The greatest distance, rounded up to whole vectors. */
const SPAN_32C: usize = 272
const SPAN_64NVME: usize = 1920

/** Zeros, since what is before an input counts for nothing; then what the host copies there for one call, at most 64 KiB, which folding spoils. */
const room = memory.data(1920 + 64 * 1024, 64)
const input = room + 1920
/** The end of a folded input. */
const tail = memory.data(1920, 64)
/** Eight bytes: the state goes in and out here, as a little-endian number, so that no BigInt is made. */
const state = memory.data(8, 8)

const table32 = memory.data(16 * 256 * 4, 64)
const table64 = memory.data(16 * 256 * 8, 64)

export function inputPointer(): usize {
  return input
}
export function statePointer(): usize {
  return state
}

/** Fills the tables. To be called once. */
export function prepare(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let a = byte
    let b: u64 = byte
    for (let bit = 0; bit < 8; bit++) {
      a = (a >> 1) ^ (a & 1 ? POLYNOMIAL_32C : 0)
      b = (b >> 1) ^ (b & 1 ? POLYNOMIAL_64NVME : 0)
    }
    store<u32>(table32 + (byte << 2), a)
    store<u64>(table64 + (byte << 3), b)
  }
  for (let i: usize = 256; i < 16 * 256; i++) {
    const a = load<u32>(table32 + ((i - 256) << 2))
    store<u32>(table32 + (i << 2), (a >> 8) ^ load<u32>(table32 + ((a & 255) << 2)))
    const b = load<u64>(table64 + ((i - 256) << 3))
    store<u64>(table64 + (i << 3), (b >> 8) ^ load<u64>(table64 + ((<usize>b & 255) << 3)))
  }
}

@inline
function at32(table: usize, byte: usize): u32 {
  return load<u32>(table32 + (table << 10) + ((byte & 255) << 2))
}

@inline
function at64(table: usize, byte: u64): u64 {
  return load<u64>(table64 + (table << 11) + ((<usize>byte & 255) << 3))
}

@inline
function sixteen32(crc: u32, at: usize): u32 {
  const a = load<u32>(at) ^ crc
  const b = load<u32>(at, 4)
  const c = load<u32>(at, 8)
  const d = load<u32>(at, 12)
  const rest =
    (at32(11, b) ^ at32(10, b >> 8) ^ (at32(9, b >> 16) ^ at32(8, b >> 24))) ^
    (at32(7, c) ^ at32(6, c >> 8) ^ (at32(5, c >> 16) ^ at32(4, c >> 24))) ^
    (at32(3, d) ^ at32(2, d >> 8) ^ (at32(1, d >> 16) ^ at32(0, d >> 24)))
  return rest ^ (at32(15, a) ^ at32(14, a >> 8) ^ (at32(13, a >> 16) ^ at32(12, a >> 24)))
}

@inline
function sixteen64(crc: u64, at: usize): u64 {
  const a = load<u64>(at) ^ crc
  const b = load<u64>(at, 8)
  const rest =
    (at64(7, b) ^ at64(6, b >> 8) ^ (at64(5, b >> 16) ^ at64(4, b >> 24))) ^
    (at64(3, b >> 32) ^ at64(2, b >> 40) ^ (at64(1, b >> 48) ^ at64(0, b >> 56)))
  return (
    rest ^
    (at64(15, a) ^ at64(14, a >> 8) ^ (at64(13, a >> 16) ^ at64(12, a >> 24))) ^
    (at64(11, a >> 32) ^ at64(10, a >> 40) ^ (at64(9, a >> 48) ^ at64(8, a >> 56)))
  )
}

/** A vector with what comes to it from those 123, 145, 178, 195 and 266 bytes before. */
@inline
function folded32(at: usize): v128 {
  const first = at - 266
  const own = v128.xor(v128.load(first, 266), v128.load(first))
  const far = v128.xor(v128.load(first, 71), v128.load(first, 88))
  return v128.xor(v128.xor(own, far), v128.xor(v128.load(first, 121), v128.load(first, 143)))
}

/** A vector with what comes to it from those 137, 682, 957, 1077, 1392, 1394, 1487 and 1906 bytes before. */
@inline
function folded64(at: usize): v128 {
  const first = at - 1906
  const own = v128.xor(v128.load(first, 1906), v128.xor(v128.load(first), v128.load(first, 419)))
  const far = v128.xor(v128.xor(v128.load(first, 512), v128.load(first, 514)), v128.load(first, 829))
  return v128.xor(v128.xor(own, far), v128.xor(v128.load(first, 949), v128.xor(v128.load(first, 1224), v128.load(first, 1769))))
}

/** Moves the last bytes of a folded input to the tail and leaves zeros, so that they get what they should, and nothing from each other. */
@inline
function beginTail(at: usize, bytes: usize): void {
  memory.copy(tail, at, bytes)
  memory.fill(at, 0, bytes)
}

/** Takes the first `bytes` bytes of the input buffer into the state. */
export function crc32c(bytes: usize): void {
  let crc = load<u32>(state)
  let at = input
  const end = input + bytes
  if (bytes >= 2 * SPAN_32C) {
    // A state is nothing but a change of the first bytes.
    store<u32>(at, load<u32>(at) ^ crc)
    const stop = input + ((bytes - SPAN_32C) & ~15)
    for (; at < stop; at += 16) v128.store(at, folded32(at))
    beginTail(stop, SPAN_32C)
    for (let i: usize = 0; i < SPAN_32C; i += 16) v128.store(tail + i, v128.xor(v128.load(tail + i), folded32(stop + i)))
    crc = 0
    for (let i: usize = 0; i < SPAN_32C; i += 16) crc = sixteen32(crc, tail + i)
    at = stop + SPAN_32C
  }
  while (end - at >= 16) {
    crc = sixteen32(crc, at)
    at += 16
  }
  while (at < end) {
    crc = (crc >> 8) ^ at32(0, crc ^ load<u8>(at))
    at++
  }
  store<u32>(state, crc)
}

/** Takes the first `bytes` bytes of the input buffer into the state. */
export function crc64nvme(bytes: usize): void {
  let crc = load<u64>(state)
  let at = input
  const end = input + bytes
  if (bytes >= 2 * SPAN_64NVME) {
    store<u64>(at, load<u64>(at) ^ crc)
    const stop = input + ((bytes - SPAN_64NVME) & ~15)
    for (; at < stop; at += 16) v128.store(at, folded64(at))
    beginTail(stop, SPAN_64NVME)
    for (let i: usize = 0; i < SPAN_64NVME; i += 16) v128.store(tail + i, v128.xor(v128.load(tail + i), folded64(stop + i)))
    crc = 0
    for (let i: usize = 0; i < SPAN_64NVME; i += 16) crc = sixteen64(crc, tail + i)
    at = stop + SPAN_64NVME
  }
  while (end - at >= 16) {
    crc = sixteen64(crc, at)
    at += 16
  }
  while (at < end) {
    crc = (crc >> 8) ^ at64(0, crc ^ load<u8>(at))
    at++
  }
  store<u64>(state, crc)
}
