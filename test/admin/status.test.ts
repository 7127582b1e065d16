import { expect, test } from 'vitest'
import type { AdminSite } from '../../src/admin/command.ts'
import { status } from '../../src/admin/commands/status.ts'

/** A site of one disk that answers what a status asks for. */
const siteThat = (foreseen: 'full' | undefined): AdminSite => {
  const disk = { directory: '/d', state: 'in', set: 0, position: 0, diskId: 'd' }
  const store = {
    federation: { siteId: 'a', epoch: 1, hiddenSums: async () => [] },
    listBuckets: async () => [],
    foreseenFault: () => foreseen,
  }
  return {
    name: 'one',
    control: {
      status: async () => ({
        pool: { generation: 1, sets: [{ dataShards: 1, parityShards: 0, disks: [disk] }] },
        sequence: 0,
        shardsToRepair: 0,
        scrub: {},
      }),
    },
    store,
    federation: { store },
    clock: { nowMs: () => 0 },
  } as unknown as AdminSite
}

const warningsOf = async (site: AdminSite): Promise<readonly string[]> => {
  const shown = await status.run(site, {}, () => undefined, new AbortController().signal)
  return shown.ok ? shown.value.warnings : []
}

test('a site that refuses new content since its disks are full says so', async () => {
  expect(await warningsOf(siteThat('full'))).toContainEqual(expect.stringMatching(/^FULL: .* new content is refused\. Deletes still work/))
  expect((await warningsOf(siteThat(undefined))).filter((warning) => warning.startsWith('FULL'))).toEqual([])
})
