import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { initSite } from '../../../src/store/local/init-site.ts'
import { openLocalSite } from '../../../src/store/local/open-site.ts'
import type { SiteId } from '../../../src/store/terms.ts'
import { must, storeContract } from '../store-contract.ts'
import { realClock, realRandom } from './real-environment.ts'
import { SimulatedSite } from './simulated-site.ts'

storeContract('simulated disks, the index in memory', async () => {
  const site = await SimulatedSite.make({ seed: 11, disks: 4, parity: 2 })
  return { store: site.store, run: (promise) => site.run(promise), close: () => site.close() }
})

storeContract('directories, the index in LMDB', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'))
  const siteDirectory = join(folder, 'site')
  const diskDirectories = [0, 1, 2, 3].map((i) => join(folder, `disk.${i}`))
  const environment = { clock: realClock, random: realRandom }
  must(await initSite({ siteDirectory, diskDirectories, name: 'test', site: 'b'.repeat(32) as SiteId, ...environment }))
  const site = must(await openLocalSite({ siteDirectory, ...environment }))
  return {
    store: site.engine.store,
    run: (promise) => promise,
    close: async () => {
      await site.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})

describe('what a store foresees', () => {
  test('it knows that no change that stores something will be taken, and when one will again', async () => {
    let room: 'ample' | 'reserve' = 'ample'
    const site = await SimulatedSite.make({ seed: 12, disks: 3, parity: 1 })
    await site.close()
    await site.restart({ indexRoom: () => room })
    expect(site.store.foreseenFault()).toBe(undefined)
    room = 'reserve'
    await site.run(site.world.sleep(1500))
    expect(site.store.foreseenFault()).toBe('full')
    room = 'ample'
    await site.run(site.world.sleep(1500))
    expect(site.store.foreseenFault()).toBe(undefined)
    await site.close()
  })
})
