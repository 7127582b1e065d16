/**
 * The hashes of a body, each computed once whoever asked for it. A body that comes in one piece is hashed at its end with one-shot calls,
 * which cost a tenth of a hash object.
 */
import type { ChecksumAlgorithm } from '../store/terms.ts'
import { checksumOf, type Hasher, makeHasher } from './checksum-algorithms.ts'
import { LANE_BODY_BYTES_MIN, type Md5Lane, threadMd5Lanes } from './md5-lanes.ts'

/** Everything that S3 hashes a body with is one of its checksum algorithms. */
export class ContentDigests {
  readonly #wanted = new Set<ChecksumAlgorithm>()
  readonly #values = new Map<ChecksumAlgorithm, Buffer>()
  #running: readonly (readonly [ChecksumAlgorithm, Hasher])[] | undefined
  #only: Uint8Array | undefined
  readonly #bytes: number | undefined
  #lane: Md5Lane | undefined

  /** `bytes`: how long the body is said to be. To be closed in the end. */
  constructor(bytes: number | undefined) {
    this.#bytes = bytes
  }

  /** Before the first update. */
  want(algorithm: ChecksumAlgorithm): void {
    this.#wanted.add(algorithm)
  }

  /** `isWhole`: this is likely all there is, so hashing waits for what comes next. The bytes must not change until the end. */
  update(bytes: Uint8Array, isWhole: boolean): void {
    if (this.#running === undefined) {
      if (isWhole && this.#only === undefined) {
        this.#only = bytes
        return
      }
      this.#running = [...this.#wanted].map((algorithm) => [algorithm, this.#hasher(algorithm)] as const)
      if (this.#only !== undefined) for (const [, hasher] of this.#running) hasher.update(this.#only)
    }
    for (const [, hasher] of this.#running) hasher.update(bytes)
  }

  /** After the last update: of all bytes, most significant byte first. The algorithm must have been wanted. */
  value(algorithm: ChecksumAlgorithm): Buffer {
    let value = this.#values.get(algorithm)
    if (value === undefined) {
      const hasher = this.#running?.find(([name]) => name === algorithm)?.[1]
      value = hasher === undefined ? checksumOf(algorithm, this.#only ?? NOTHING) : hasher.digest()
      this.#values.set(algorithm, value)
    }
    return value
  }

  /** When no value will be asked for that was not yet. */
  close(): void {
    this.#lane?.close()
  }

  #hasher(algorithm: ChecksumAlgorithm): Hasher {
    if (algorithm !== 'MD5' || (this.#bytes ?? 0) < LANE_BODY_BYTES_MIN) return makeHasher(algorithm)
    this.#lane = threadMd5Lanes().take()
    return this.#lane ?? makeHasher(algorithm)
  }
}

const NOTHING = new Uint8Array(0)
