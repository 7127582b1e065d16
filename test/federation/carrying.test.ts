/** Bundles carried between two sites as badly as can be: HOLDFAST_SEEDS histories from HOLDFAST_FIRST_SEED on. A failure names its seed. */
import { expect, test } from 'vitest'
import { CarriedHistory, type Totals } from './carried-history.ts'

const SEEDS = Number(process.env.HOLDFAST_SEEDS ?? 2)
const FIRST_SEED = Number(process.env.HOLDFAST_FIRST_SEED ?? 1)
const STEPS = 80

test(`in ${SEEDS} histories of bundles lost, damaged, mixed up, cut off and carried twice both sites end with the same`, {
  timeout: 3_600_000,
}, async () => {
  const totals: Totals = {}
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await CarriedHistory.live(seed, STEPS, totals)
  if (process.env.HOLDFAST_SEEDS !== undefined) console.log(totals)
  expect(totals['versions kept']).toBeGreaterThan(SEEDS)
})
