/**
 * Seals and opens the rows of a volume. Format: docs/formats.md#bundle, "Volume". No key and nonce ever meet twice: each time the writing of a volume begins
 * a new salt makes a new key, and within a volume the nonce counts.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { ROW_BYTES, SALT_BYTES, TAG_BYTES } from './format.ts'
import { rowCount } from './manifest.ts'

/** Bytes of plaintext in row `row` of a volume that goes on behind it. */
export const chunkBytes = (row: number): number => ROW_BYTES - TAG_BYTES - (row === 0 ? SALT_BYTES : 0)

/** Bytes of plaintext that a volume of at most `volumeBytes` bytes can hold. */
export const plainCapacity = (volumeBytes: number): number => volumeBytes - SALT_BYTES - TAG_BYTES * rowCount(volumeBytes)

function volumeKey(bundleKey: Uint8Array, salt: Uint8Array, index: number): Uint8Array {
  const info = Buffer.from('volume....')
  info.writeUInt32LE(index, 6)
  return new Uint8Array(hkdfSync('sha384', bundleKey, salt, info, 32))
}

function additionalData(bundleId: string, index: number): Buffer {
  const data = Buffer.alloc(20)
  data.write(bundleId, 'hex')
  data.writeUInt32LE(index, 16)
  return data
}

function nonceOf(row: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(row, 5, 6)
  nonce[11] = last ? 1 : 0
  return nonce
}

export class VolumeSealer {
  readonly #key: Uint8Array
  readonly #salt: Uint8Array
  readonly #data: Buffer
  #row = 0

  /** `salt`: SALT_BYTES, drawn for this writing of the volume and never used again. `index` from 1. */
  constructor(bundleKey: Uint8Array, bundleId: string, index: number, salt: Uint8Array) {
    this.#salt = salt
    this.#key = volumeKey(bundleKey, salt, index)
    this.#data = additionalData(bundleId, index)
  }

  /** The next row of the file, in pieces. All but the last chunk have `chunkBytes(row)` bytes. */
  seal(chunk: Uint8Array, last: 'last' | 'more'): Uint8Array[] {
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(this.#row, last === 'last')).setAAD(this.#data)
    const first = this.#row === 0 ? [this.#salt] : []
    this.#row += 1
    const sealed = cipher.update(chunk)
    cipher.final()
    return [...first, sealed, cipher.getAuthTag()]
  }
}

/** Opens the rows of one volume, first to last. */
export class VolumeOpener {
  readonly #bundleKey: Uint8Array
  readonly #index: number
  readonly #data: Buffer
  #key: Uint8Array | undefined
  #row = 0

  constructor(bundleKey: Uint8Array, bundleId: string, index: number) {
    this.#bundleKey = bundleKey
    this.#index = index
    this.#data = additionalData(bundleId, index)
  }

  /** The plaintext of the next row, or undefined if it is not authentic. */
  open(row: Uint8Array, last: 'last' | 'more'): Buffer | undefined {
    const from = this.#row === 0 ? SALT_BYTES : 0
    if (row.length <= from + TAG_BYTES) return undefined
    this.#key ??= volumeKey(this.#bundleKey, row.subarray(0, SALT_BYTES), this.#index)
    const options = { authTagLength: TAG_BYTES }
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(this.#row, last === 'last'), options).setAAD(this.#data)
    decipher.setAuthTag(row.subarray(row.length - TAG_BYTES))
    this.#row += 1
    const plaintext = decipher.update(row.subarray(from, row.length - TAG_BYTES))
    try {
      decipher.final()
      return plaintext
    } catch {
      return undefined
    }
  }
}
