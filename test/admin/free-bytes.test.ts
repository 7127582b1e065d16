import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { freeBytes } from '../../src/admin/free-bytes.ts'
import type { DiskSlot, PoolView } from '../../src/disks/pool-view.ts'

const slot = (position: number, directory: string, state: DiskSlot['state'] = 'in'): DiskSlot => ({
  ...{ set: 0, position, diskId: 'd'.repeat(32), directory, state },
})
const pool = (disks: readonly DiskSlot[]): PoolView => ({
  ...{ poolId: 'a'.repeat(32), generation: 1 },
  sets: [{ dataShards: 2, parityShards: 2, disks }],
})

test('disks on one file system share what is free there, and parity takes its part', async () => {
  const { bavail, bsize } = statfsSync(tmpdir())
  const free = await freeBytes(pool([0, 1, 2, 3].map((position) => slot(position, tmpdir()))))
  // Half of it goes to parity; a little is kept back, and others may write meanwhile.
  expect(free).toBeLessThanOrEqual((bavail * bsize) / 2 + 64 * 1024 * 1024)
  expect(free).toBeGreaterThan(0)
})

test('a disk that is out, or tells nothing, does not make the site full', async () => {
  const disks = [slot(0, tmpdir()), slot(1, tmpdir()), slot(2, '/nowhere', 'out'), slot(3, '/nowhere')]
  expect(await freeBytes(pool(disks))).toBeGreaterThan(0)
})
