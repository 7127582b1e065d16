/** The newest settled generation, kept apart from the disks. Format: docs/formats.md#pool-witness, version 1. */
import { done, fail, ok, type Result } from '../result.ts'
import type { Disk } from './disk.ts'
import { decodeWitness, encodeWitness, type Generation } from './identity.ts'

export type Witness = Generation
export type WitnessFault =
  /** It cannot be read or written now. */
  'unreachable' | 'damaged' | 'newer-version'

export interface PoolWitness {
  /** Undefined if there is none (yet, or any more). */
  read(): Promise<Result<Witness | undefined, WitnessFault>>
  /** Durable when it answers. */
  write(witness: Witness): Promise<Result<void, WitnessFault>>
}

export const WITNESS_FILE = 'pool.json'

/** Kept in a folder like SITE, reached as a disk is (time limits, atomic and durable replacement). */
export function witnessIn(folder: Disk): PoolWitness {
  return {
    async read() {
      const content = await folder.readFile(WITNESS_FILE)
      if (!content.ok) return content.error === 'not-found' ? ok(undefined) : fail('unreachable')
      const witness = decodeWitness(content.value)
      if (witness.ok) return witness
      return fail(witness.error === 'newer-version' ? 'newer-version' : 'damaged')
    },
    async write(witness) {
      const written = await folder.writeFile(WITNESS_FILE, encodeWitness(witness))
      return written.ok ? done : fail('unreachable')
    },
  }
}
