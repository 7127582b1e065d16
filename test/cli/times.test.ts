import { expect, test } from 'vitest'
import { parseSince } from '../../src/cli/peer-rules.ts'

const NOW = Date.UTC(2026, 10, 23, 12)

test.each([
  ['3d', NOW - 3 * 86_400_000],
  ['12h', NOW - 12 * 3_600_000],
  ['2026-11-23T10:30:00Z', Date.UTC(2026, 10, 23, 10, 30)],
  ['2026-11-23T10:30', Date.UTC(2026, 10, 23, 10, 30)],
  ['2026-11-23 10:30:00.5', Date.UTC(2026, 10, 23, 10, 30, 0, 500)],
  ['2026-11-23T12:30+02:00', Date.UTC(2026, 10, 23, 10, 30)],
  ['2026-11-23', Date.UTC(2026, 10, 23)],
])('"%s" is a time since when', (text, ms) => {
  expect(parseSince(text, NOW)).toBe(ms)
})

test.each(['yesterday', '', '3', '2026-13-01', '2026-11-23T25:00', '11/23/2026', '2026-11-23T10:30:00 CET'])('"%s" is none', (text) => {
  expect(parseSince(text, NOW)).toBeUndefined()
})
