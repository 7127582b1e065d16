import { expect, test } from 'vitest'
import { type HistoryTotals, liveThrough } from './history.ts'

/** HOLDFAST_SEEDS asks for more than every `npm test` can afford; HOLDFAST_FIRST_SEED chooses others. A failure names its seed. */
const SEEDS = Number(process.env.HOLDFAST_SEEDS ?? 200)
const FIRST_SEED = Number(process.env.HOLDFAST_FIRST_SEED ?? 1)
const GEOMETRIES = [
  { disks: 4, parity: 2 },
  { disks: 3, parity: 1 },
  { disks: 6, parity: 2 },
  { disks: 2, parity: 1 },
  { disks: 1, parity: 0 },
]

test(`in ${SEEDS} histories everything acknowledged is there, whole and in order, also with any m disks lost`, {
  timeout: 600_000,
}, async () => {
  const totals: HistoryTotals = {
    done: 0,
    refused: 0,
    open: 0,
    read: 0,
    unread: 0,
    deaths: 0,
    diedStarting: 0,
    faults: 0,
    losses: 0,
    rebuilt: 0,
    healed: 0,
    scrubbed: 0,
    wentOn: 0,
    planned: 0,
    switched: 0,
  }
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    await liveThrough({ seed, ...GEOMETRIES[seed % GEOMETRIES.length]!, lives: 3 }, totals)
  }
  // The histories try something only if much went well and much went wrong. One or two, asked for by number, need not.
  if (SEEDS < 20) return
  for (const count of ['done', 'open', 'read', 'deaths', 'diedStarting', 'faults', 'losses', 'rebuilt', 'healed', 'scrubbed'] as const)
    expect(totals[count], count).toBeGreaterThan(SEEDS / 8)
  expect(totals.wentOn).toBeGreaterThan(SEEDS / 20)
  expect(totals.planned).toBeGreaterThan(SEEDS / 4)
  expect(totals.switched).toBeGreaterThan(SEEDS / 20)
})
