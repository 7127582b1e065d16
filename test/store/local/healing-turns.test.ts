/** What a disk that is filled should hold is summed before anything else; of an index with many extents that takes long. */
import { expect, test } from 'vitest'
import type { Pool } from '../../../src/disks/pool.ts'
import type { DiskSlot } from '../../../src/disks/pool-view.ts'
import { DiskHealing, type DiskHealingInput } from '../../../src/store/local/disk-healing.ts'
import { MemoryMap } from '../../../src/store/local/index/memory-map.ts'
import type { ExtentRow } from '../../../src/store/local/index/rows.ts'
import type { Shards } from '../../../src/store/local/shards.ts'

test('requests come in while it is summed what a disk should hold, and the sum is that of all its shards', async () => {
  let now = 0
  const slot = { set: 0, position: 1, diskId: 'd', state: 'healing' } as DiskSlot
  const pool = { disk: () => ({ disk: {} }), view: { sets: [{ disks: [slot, slot] }] }, reportProgress: () => undefined } as unknown as Pool
  const page = Array.from({ length: 200 }, (_, i) => ({ place: { set: i % 2, bytes: 30, dataShards: 2 } }) as ExtentRow)
  const shards = {
    *pages() {
      for (let i = 0; i < 10; i++) yield page
    },
  } as unknown as Shards
  const events: string[] = []
  const journal = {
    copySegments: async (_to: unknown, progress: (done: number, total: number) => void) => {
      events.push('filling begins')
      progress(0, 0)
      return { ok: false, error: { kind: 'damaged' } }
    },
  } as unknown as DiskHealingInput['journal']
  const input = { pool, journal, index: new MemoryMap(), clock: { nowMs: () => (now += 10), timer: () => () => undefined } }
  const healing = new DiskHealing({ ...(input as unknown as DiskHealingInput), shards, arriving: new Set(), isStopped: () => false }, slot)
  const totals: number[] = []
  setImmediate(() => events.push('a request'))
  await healing.run((_done, total) => totals.push(total))
  expect(events).toEqual(['a request', 'filling begins'])
  expect(totals).toEqual([10 * 100 * 15])
})
