/** Whatever two sites do, whichever bundles and receipts get lost: once both have heard of all, they hold the same. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { digestBucket } from '../../src/federation/bucket-digest.ts'
import { undo } from '../../src/federation/undo.ts'
import { Chance } from '../sim/chance.ts'
import { listing, newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

const SEEDS = process.env.HOLDFAST_TEST_SEED === undefined ? [1, 2, 3] : [Number(process.env.HOLDFAST_TEST_SEED)]

const BUCKETS = ['first', 'second', 'third'] as const
const KEYS = ['a', 'b', 'dir/c', 'dir/d', 'ä']

async function randomChange(chance: Chance, site: TestSite): Promise<void> {
  const bucket = chance.pick(BUCKETS)
  const key = chance.pick(KEYS)
  const { id } = await site.bucket(bucket)
  const listed = (await site.store.listVersions({ bucketId: id, prefix: key, delimiter: '', after: '', max: 100 })).entries
  switch (chance.below(10)) {
    case 0:
      return site.versioning(bucket, chance.pick(['enabled', 'suspended']))
    case 1:
    case 2:
      return site.remove(bucket, key)
    case 3:
    case 4: {
      const version = listed.length === 0 ? undefined : chance.pick(listed)
      return version === undefined ? undefined : site.remove(bucket, version.key, version.versionId)
    }
    case 5: {
      const version = listed.find((one) => one.kind === 'object')
      const tags = [['by', `${site.name} ${chance.below(1000)}`]] as const
      if (version !== undefined) value(await site.store.putTags({ bucketId: id, key: version.key, versionId: version.versionId, tags }))
      return
    }
    case 6:
      value(await site.store.putConfiguration(id, 'tagging', JSON.stringify(chance.below(1000))))
      return
    default:
      await site.put(bucket, key, `${site.name} ${chance.below(1_000_000)}`)
  }
}

/** A bundle that may get lost, or be for one prefix only, and whose receipt may. */
async function carry(chance: Chance, from: TestSite, to: TestSite, lossless: boolean): Promise<void> {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const prefix = !lossless && chance.below(4) === 0 ? { prefix: 'dir/' } : {}
  const full = !lossless && chance.below(6) === 0
  const exported = value(await from.export(to, out, { ...prefix, full }))
  if (exported.bundle === null || (!lossless && chance.below(4) === 0)) return
  value(await to.import(out, { receiptFile }))
  if (lossless || chance.below(3) > 0) value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
}

test.each(SEEDS)(
  'two sites converge (seed %i)',
  async (seed) => {
    const chance = new Chance(seed)
    const { a, b } = await twoSites()
    for (const bucket of BUCKETS) await a.make(bucket, chance.pick(['unversioned', 'enabled', 'suspended']))
    await carry(chance, a, b, true)
    for (let round = 0; round < 5; round++) {
      for (let change = 0; change < 15; change++) await randomChange(chance, chance.below(2) === 0 ? a : b)
      if (chance.below(3) > 0) await carry(chance, a, b, false)
      if (chance.below(3) > 0) await carry(chance, b, a, false)
      const [site, peer] = chance.below(2) === 0 ? [a, b] : [b, a]
      const since = chance.below(2) === 0 ? { sinceMs: 0 } : {}
      if (chance.below(2) === 0) value(await undo(site.federation, { peer: peer.name, dryRun: false, forget: false, ...since }, noProgress))
    }
    await carry(chance, a, b, true)
    await carry(chance, b, a, true)
    expect(await listing(b), `seed ${seed}`).toEqual(await listing(a))
    for (const bucket of BUCKETS) {
      const digest = async (site: TestSite) => value(await digestBucket(site.federation, { bucket, content: true }, noProgress)).digest
      expect(await digest(b), `seed ${seed}`).toBe(await digest(a))
    }
    expect(value(await a.export(b, newPath('none'))).bundle).toBeNull()
    expect(value(await b.export(a, newPath('none'))).bundle).toBeNull()
  },
  60_000,
)
