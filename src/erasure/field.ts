/**
 * GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), and the coefficients of the code over it.
 *
 * The code is the systematic Vandermonde one of Backblaze, klauspost/reedsolomon and MinIO. They build the Vandermonde matrix (row r holds the powers
 * of r) and multiply it by the inverse of its top square. What comes out has a plain meaning: shard number x holds the value at x of the
 * polynomial that takes the k data shards' values at 0 … k−1. So each shard follows from any k others by Lagrange's interpolation, no
 * matrix is ever inverted, and the coefficients are theirs to the byte.
 * Source: Backblaze, JavaReedSolomon; Plank, "A Tutorial on Reed-Solomon Coding". Format: docs/formats.md#extent, "Code".
 */
const POLYNOMIAL = 0x11d

export const SHARDS_MAX = 256

const { EXP, LOG } = powers()

/** Powers of 2, twice in a row so that sums of two logarithms need no reduction, and their inverse. */
function powers(): { readonly EXP: Uint8Array; readonly LOG: Uint8Array } {
  const exp = new Uint8Array(510)
  const log = new Uint8Array(256)
  let value = 1
  for (let power = 0; power < 255; power++) {
    exp[power] = value
    exp[power + 255] = value
    log[value] = power
    value <<= 1
    if (value > 255) value ^= POLYNOMIAL
  }
  return { EXP: exp, LOG: log }
}

export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : EXP[LOG[a]! + LOG[b]!]!
}

/** What each of the shards `sources` (k distinct numbers) contributes to shard `wanted`, which is none of them. */
export function coefficients(sources: readonly number[], wanted: number): Uint8Array {
  // Over all sources i ≠ j: the product of (wanted − i) / (j − i). Subtraction is XOR; logarithms turn products to sums.
  let all = 0
  for (const i of sources) all += LOG[wanted ^ i]!
  const row = new Uint8Array(sources.length)
  for (const [at, j] of sources.entries()) {
    let power = all - LOG[wanted ^ j]!
    for (const i of sources) if (i !== j) power -= LOG[j ^ i]!
    row[at] = EXP[((power % 255) + 255) % 255]!
  }
  return row
}

/** 32 bytes per coefficient: its products with 0 … 15, then with 0, 16 … 240. The form the kernel wants. */
export function nibbleTables(rows: readonly Uint8Array[]): Uint8Array {
  const row = rows[0]?.length ?? 0
  const tables = new Uint8Array(rows.length * row * 32)
  let at = 0
  for (const coefficientRow of rows) {
    for (const coefficient of coefficientRow) {
      for (let nibble = 0; nibble < 16; nibble++) {
        tables[at + nibble] = multiply(coefficient, nibble)
        tables[at + 16 + nibble] = multiply(coefficient, nibble << 4)
      }
      at += 32
    }
  }
  return tables
}
