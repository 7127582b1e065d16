/**
 * CRC-32C and CRC-64/NVME for WebAssembly, written in AssemblyScript. Built by `npm run build:kernels` into ../crc-kernel.ts.
 *
 * Both are reflected CRCs done by slicing: sixteen tables, so that sixteen bytes cost sixteen independent look-ups. Of those only the first
 * four (eight) wait for the look-ups before; to fill that wait, two streams of LANE_BYTES each run side by side and are joined by a
 * further set of tables that says what LANE_BYTES of zeros do to a state.
 * Source: Intel, "High Octane CRC Generation with the Intel Slicing-by-8 Algorithm"; zlib, crc32_combine.
 */

/** The host copies at most this much into the input buffer for one call. */
const INPUT_BYTES: usize = 64 * 1024
const LANE_BYTES: usize = 2 * 1024

const POLYNOMIAL_32C: u32 = 0x82f63b78
const POLYNOMIAL_64NVME: u64 = 0x9a6c9329ac4bc9b5

const input = memory.data(64 * 1024, 64)
/** Eight bytes: the state goes in and out here, as a little-endian number, so that no BigInt is made. */
const state = memory.data(8, 8)

const table32 = memory.data(16 * 256 * 4, 64)
const skip32 = memory.data(4 * 256 * 4, 64)
const table64 = memory.data(16 * 256 * 8, 64)
const skip64 = memory.data(8 * 256 * 8, 64)

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
  // What LANE_BYTES of zeros make of each single bit; the rest follows since a CRC without its complements is linear.
  for (let bit: u32 = 0; bit < 64; bit++) {
    if (bit < 32) {
      let a: u32 = (<u32>1) << bit
      for (let i: usize = 0; i < LANE_BYTES; i++) a = (a >> 8) ^ load<u32>(table32 + ((a & 255) << 2))
      spread32((bit >> 3) << 10, 1 << (bit & 7), a)
    }
    let b: u64 = (<u64>1) << bit
    for (let i: usize = 0; i < LANE_BYTES; i++) b = (b >> 8) ^ load<u64>(table64 + ((<usize>b & 255) << 3))
    spread64((bit >> 3) << 11, 1 << (bit & 7), b)
  }
}

function spread32(table: usize, mask: u32, value: u32): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    const at = skip32 + table + (byte << 2)
    if (byte & mask) store<u32>(at, load<u32>(at) ^ value)
  }
}

function spread64(table: usize, mask: u32, value: u64): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    const at = skip64 + table + (byte << 3)
    if (byte & mask) store<u64>(at, load<u64>(at) ^ value)
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

/** Takes the first `bytes` bytes of the input buffer into the state. */
export function crc32c(bytes: usize): void {
  let crc = load<u32>(state)
  let at = input
  const end = input + bytes
  while (end - at >= 2 * LANE_BYTES) {
    let other: u32 = 0
    const stop = at + LANE_BYTES
    while (at < stop) {
      crc = sixteen32(crc, at)
      other = sixteen32(other, at + LANE_BYTES)
      at += 16
    }
    at += LANE_BYTES
    crc =
      other ^
      load<u32>(skip32 + ((crc & 255) << 2)) ^
      load<u32>(skip32 + 1024 + (((crc >> 8) & 255) << 2)) ^
      load<u32>(skip32 + 2048 + (((crc >> 16) & 255) << 2)) ^
      load<u32>(skip32 + 3072 + ((crc >> 24) << 2))
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
  while (end - at >= 2 * LANE_BYTES) {
    let other: u64 = 0
    const stop = at + LANE_BYTES
    while (at < stop) {
      crc = sixteen64(crc, at)
      other = sixteen64(other, at + LANE_BYTES)
      at += 16
    }
    at += LANE_BYTES
    let joined = other
    for (let i: usize = 0; i < 8; i++) joined ^= load<u64>(skip64 + (i << 11) + ((<usize>(crc >> (i << 3)) & 255) << 3))
    crc = joined
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
