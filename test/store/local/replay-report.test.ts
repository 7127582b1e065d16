import { expect, test } from 'vitest'
import { pacedReport } from '../../../src/store/local/replay-report.ts'

function reportedAt(times: readonly number[]): number[] {
  let now = 0
  const told: number[] = []
  const report = pacedReport({ nowMs: () => now, timer: () => () => undefined }, () => told.push(now))
  for (const at of times) {
    now = at
    report(1, 2)
  }
  return told
}

test('a short replay has nothing to tell, a long one does after three seconds and then every five', () => {
  expect(reportedAt([100, 1000, 2900])).toEqual([])
  expect(reportedAt([1000, 3100, 4000, 8000, 8200, 13_000, 13_300])).toEqual([3100, 8200, 13_300])
})

test('a clock that is set back neither silences it nor makes it tell more', () => {
  expect(reportedAt([3100, -90_000, -86_000, -85_000, -80_000])).toEqual([3100, -85_000, -80_000])
})
