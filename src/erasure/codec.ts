/** Reed–Solomon codes: k data shards, m parity shards, any k of which give back all. Arithmetic: field.ts. */
import { strict as assert } from 'node:assert'
import { type Hashing, type Pieces, type Seed, type Tables, threadCoder } from './coder.ts'
import { coefficients, nibbleTables, SHARDS_MAX } from './field.ts'
import type { Slab } from './slabs.ts'

/** Tables to rebuild with, kept per code: as many as there are ways to lose two disks of eight. */
const REBUILDS_KEPT_MAX = 32

export class Codec {
  readonly dataShards: number
  readonly parityShards: number
  readonly #parity: Tables
  /** By "sources>wanted", the least recently used first. */
  readonly #rebuilds = new Map<string, Tables>()

  /** 1 ≤ k, k + m ≤ 256, and k × m ≤ 16,384. */
  constructor(dataShards: number, parityShards: number) {
    assert(dataShards >= 1 && parityShards >= 0 && dataShards + parityShards <= SHARDS_MAX)
    this.dataShards = dataShards
    this.parityShards = parityShards
    const data = Array.from({ length: dataShards }, (_, shard) => shard)
    const parity = Array.from({ length: parityShards }, (_, shard) => dataShards + shard)
    this.#parity = tables(data, parity)
  }

  /** The code of this geometry; one per thread. */
  static for(dataShards: number, parityShards: number): Codec {
    const key = dataShards * (SHARDS_MAX + 1) + parityShards
    let codec = codecs.get(key)
    if (codec === undefined) {
      codec = new Codec(dataShards, parityShards)
      codecs.set(key, codec)
    }
    return codec
  }

  /**
   * Fills `parity` (m arrays of one length) from the k data units. Each of those may come in pieces and may be shorter: zeros are implied.
   * With `hashing` the units are hashed on the way, data first.
   */
  encode(data: readonly Pieces[], parity: readonly Uint8Array[], hashing?: Hashing): void {
    threadCoder().code(this.#parity, data, parity, hashing)
  }

  /**
   * Codes a stripe in place: unit 0 from `at` of the slab's first slot, the others at the same place of theirs. `bytes`: of each of the n units, none
   * longer than the first, parity units as long as that. Behind each unit that has a byte come its trailer of `zeroBytes` zeros and the
   * XXH64, eight bytes, little-endian, of unit and zeros.
   */
  encodeInPlace(
    slab: Slab,
    stripe: { readonly at: number; readonly bytes: readonly number[]; readonly zeroBytes: number },
    seed: (unit: number) => Seed,
  ): void {
    const { bytes, zeroBytes } = stripe
    slab.coder.codeInPlace(this.#parity, { at: slab.at + stripe.at, stride: slab.slotBytes, bytes, zeroBytes }, seed)
  }

  /**
   * Fills `out` (arrays of one length) with the shards numbered `wanted`, from the first k of `shards` (by number) that are there. Shards present may be
   * shorter than `out`: zeros are implied. At least k must be there, and none that is wanted.
   */
  reconstruct(shards: readonly (Uint8Array | undefined)[], wanted: readonly number[], out: readonly Uint8Array[], hashing?: Hashing): void {
    const sources: number[] = []
    const pieces: Pieces[] = []
    for (const [shard, content] of shards.entries()) {
      if (content === undefined || sources.length === this.dataShards) continue
      sources.push(shard)
      pieces.push([content])
    }
    assert(sources.length === this.dataShards && !wanted.some((shard) => sources.includes(shard)))
    threadCoder().code(this.#rebuild(sources, wanted), pieces, out, hashing)
  }

  #rebuild(sources: readonly number[], wanted: readonly number[]): Tables {
    const key = `${sources.join()}>${wanted.join()}`
    const made = this.#rebuilds.get(key) ?? tables(sources, wanted)
    this.#rebuilds.delete(key)
    this.#rebuilds.set(key, made)
    if (this.#rebuilds.size > REBUILDS_KEPT_MAX)
      for (const oldest of this.#rebuilds.keys()) {
        this.#rebuilds.delete(oldest)
        break
      }
    return made
  }
}

/** Codes are few (one per geometry in use) and hold tables only. */
const codecs = new Map<number, Codec>()

function tables(sources: readonly number[], wanted: readonly number[]): Tables {
  const bytes = nibbleTables(wanted.map((shard) => coefficients(sources, shard)))
  return { sources: sources.length, outputs: wanted.length, bytes }
}
