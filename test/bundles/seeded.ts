/** Chance from a seed: the same run each time, and the seed is printed when a property fails. */
import { createHash } from 'node:crypto'
import type { Random } from '../../src/environment.ts'

const SEED = Number(process.env.HOLDFAST_TEST_SEED ?? 20261123)

/** Parameters for fast-check; it prints the seed with the counter-example. */
export const seeded = (more: { readonly numRuns?: number } = {}): { readonly seed: number; readonly numRuns?: number } => ({
  seed: SEED,
  ...more,
})

export function seededRandom(name: string): Random {
  let calls = 0
  return {
    bytes(count) {
      const made = createHash('shake256', { outputLength: count }).update(`${SEED}/${name}/${calls++}`).digest()
      return new Uint8Array(made)
    },
  }
}
