import createXxhash from 'xxhash-wasm'

/** XXH64 of the bytes. The seed defaults to 0. */
export type Xxh64 = (bytes: Uint8Array, seed?: bigint) => bigint

/** One instance per owner: it works in a memory of its own. */
export async function loadXxh64(): Promise<Xxh64> {
  const { h64Raw } = await createXxhash()
  return h64Raw
}

export const highOf = (checksum: bigint): number => Number(checksum >> 32n)
export const lowOf = (checksum: bigint): number => Number(checksum & 0xffff_ffffn)
/** 16 hexadecimal digits. */
export const hexOf = (checksum: bigint): string => checksum.toString(16).padStart(16, '0')

/** A 64-bit number that the format keeps below 2^53; undefined if it is not. */
export function readNumber(view: DataView, at: number): number | undefined {
  const high = view.getUint32(at + 4, true)
  return high < 2 ** 21 ? high * 2 ** 32 + view.getUint32(at, true) : undefined
}

export function writeNumber(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}
