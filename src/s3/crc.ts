/**
 * CRC-32C and CRC-64/NVME as streams, and the joining of the CRCs of parts into that of the whole. CRC-32 is `crc32` of node:zlib.
 * Source: RFC 3720 section 12.1 (CRC-32C); NVM Express NVM Command Set Specification, "64b CRC"; both reflected, with all ones first and last.
 */
import { CRC_KERNEL } from './crc-kernel.ts'

/** What the kernel takes in one call. */
const INPUT_BYTES = 64 * 1024

type Kernel = {
  readonly input: Uint8Array
  /** The CRC's register, low half first. */
  readonly state: Uint32Array
  readonly crc32c: (bytes: number) => void
  readonly crc64nvme: (bytes: number) => void
}

/** One per thread, made at first use. It keeps nothing between calls: each `Crc` carries its own register. */
let kernel: Kernel | undefined

function loadKernel(): Kernel {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(CRC_KERNEL, 'base64')))
  const exported = instance.exports as {
    memory: WebAssembly.Memory
    prepare(): void
    inputPointer(): number
    statePointer(): number
    crc32c(bytes: number): void
    crc64nvme(bytes: number): void
  }
  exported.prepare()
  const { buffer } = exported.memory
  return {
    input: new Uint8Array(buffer, exported.inputPointer(), INPUT_BYTES),
    state: new Uint32Array(buffer, exported.statePointer(), 2),
    crc32c: exported.crc32c,
    crc64nvme: exported.crc64nvme,
  }
}

export class Crc {
  readonly #kind: 'CRC32C' | 'CRC64NVME'
  #low = 0xffff_ffff
  #high = 0xffff_ffff

  constructor(kind: 'CRC32C' | 'CRC64NVME') {
    this.#kind = kind
  }

  update(bytes: Uint8Array): void {
    kernel ??= loadKernel()
    const { input, state } = kernel
    const run = this.#kind === 'CRC32C' ? kernel.crc32c : kernel.crc64nvme
    state[0] = this.#low
    state[1] = this.#high
    if (bytes.length <= INPUT_BYTES) {
      input.set(bytes)
      run(bytes.length)
    } else {
      for (let from = 0; from < bytes.length; from += INPUT_BYTES) {
        const piece = bytes.subarray(from, from + INPUT_BYTES)
        input.set(piece)
        run(piece.length)
      }
    }
    this.#low = state[0]!
    this.#high = state[1]!
  }

  /** Of all bytes so far, big-endian, as S3 puts it in base64: 4 or 8 bytes. More may follow. */
  digest(): Uint8Array {
    const low = ~this.#low >>> 0
    if (this.#kind === 'CRC32C') return bigEndian(BigInt(low), 4)
    return bigEndian((BigInt(~this.#high >>> 0) << 32n) | BigInt(low), 8)
  }
}

export type CombinableCrc = 'CRC32' | 'CRC32C' | 'CRC64NVME'

const FIELDS: Readonly<Record<CombinableCrc, { readonly bytes: number; readonly polynomial: bigint }>> = {
  CRC32: { bytes: 4, polynomial: 0xedb88320n },
  CRC32C: { bytes: 4, polynomial: 0x82f63b78n },
  CRC64NVME: { bytes: 8, polynomial: 0x9a6c9329ac4bc9b5n },
}

/**
 * The CRC of A ‖ B, from big-endian CRCs of A and of B and the length of B: A's is moved past `bytesB` zero bytes (multiplied by x to the power
 * of 8 × bytesB modulo the polynomial) and added. Source: zlib, crc32_combine.
 */
export function combineCrc(kind: CombinableCrc, crcA: Uint8Array, crcB: Uint8Array, bytesB: number): Uint8Array {
  return combineCrcs(kind, crcA, [{ crc: crcB, bytes: bytesB }])
}

/** The CRC of many pieces one behind the other, from that of the first. Pieces of one length cost little: 10,000 parts take tens of milliseconds. */
export function combineCrcs(
  kind: CombinableCrc,
  first: Uint8Array,
  others: readonly { readonly crc: Uint8Array; readonly bytes: number }[],
): Uint8Array {
  const { bytes, polynomial } = FIELDS[kind]
  const top = BigInt(bytes * 8 - 1)
  const shifts = new Map<number, bigint>()
  let joined = numberOf(kind, first)
  for (const other of others) {
    let shift = shifts.get(other.bytes)
    if (shift === undefined) {
      shift = pastZeros(other.bytes, polynomial, top)
      shifts.set(other.bytes, shift)
    }
    joined = multiply(joined, shift, polynomial, top) ^ numberOf(kind, other.crc)
  }
  return bigEndian(joined, bytes)
}

/** x to the power of 8 × bytes. */
function pastZeros(bytes: number, polynomial: bigint, top: bigint): bigint {
  // Reflected: the highest bit is x^0, so the bit below is x^1, and x^8 is eight below.
  let power = 1n << (top - 8n)
  let shift = 1n << top
  for (let rest = BigInt(bytes); rest > 0n; rest >>= 1n) {
    if (rest & 1n) shift = multiply(shift, power, polynomial, top)
    power = multiply(power, power, polynomial, top)
  }
  return shift
}

function numberOf(kind: CombinableCrc, crc: Uint8Array): bigint {
  if (crc.length !== FIELDS[kind].bytes) throw new RangeError(`A ${kind} has ${FIELDS[kind].bytes} bytes.`)
  return number(crc)
}

/** Product of two reflected polynomials modulo a third. */
function multiply(a: bigint, b: bigint, polynomial: bigint, top: bigint): bigint {
  let product = 0n
  let shifted = b
  for (let bit = 1n << top; bit > 0n; bit >>= 1n) {
    if (a & bit) product ^= shifted
    shifted = shifted & 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n
  }
  return product
}

function number(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return value
}

function bigEndian(value: bigint, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes)
  let rest = value
  for (let i = bytes - 1; i >= 0; i--) {
    out[i] = Number(rest & 255n)
    rest >>= 8n
  }
  return out
}
