/** What a peer removes is out of sight at once, and can be brought back for a while: a captured peer cannot empty the others. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formerRemovers, setPeer } from '../../src/federation/peer-rules.ts'
import { type UndoInput, undo } from '../../src/federation/undo.ts'
import { contentDigest, listing, newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

async function carry(from: TestSite, to: TestSite): Promise<void> {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const { bundle } = value(await from.export(to, out))
  if (bundle === null) return
  value(await to.import(out, { receiptFile }))
  value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
}

const bringBack = async (site: TestSite, peer: TestSite, more: Partial<UndoInput> = {}) =>
  value(await undo(site.federation, { peer: peer.name, dryRun: false, forget: false, ...more }, noProgress))

const current = async (site: TestSite, bucket: string, key: string): Promise<string | undefined> => {
  const found = await site.store.findVersion((await site.bucket(bucket)).id, key, undefined)
  return found?.kind === 'object' ? contentDigest(site.store, found) : found?.kind
}

const sums = async (site: TestSite) => site.store.federation.hiddenSums()

test('everything that a captured peer deleted is back, at every site, whatever kind of bucket it was in', async () => {
  const { a, b } = await twoSites()
  await b.make('kept', 'enabled')
  await b.make('plain')
  await b.make('paused', 'suspended')
  const large = new Uint8Array(700_000).fill(7)
  for (const bucket of ['kept', 'plain', 'paused']) {
    await b.put(bucket, 'small', `${bucket} small`, [['colour', 'blue']])
    await b.put(bucket, 'large', large)
    await b.upload(bucket, 'parts', [large, new Uint8Array(400_000).fill(9)])
  }
  await carry(b, a)
  const before = (await listing(b)).map(withoutIds)

  for (const bucket of ['kept', 'plain', 'paused']) {
    const { id } = await a.bucket(bucket)
    for (const { key, versionId } of (await a.store.listVersions({ bucketId: id, prefix: '', delimiter: '', after: '', max: 100 })).entries)
      await a.remove(bucket, key, versionId)
    value(await a.store.deleteBucket(id))
  }
  const out = newPath('bundle')
  value(await a.export(b, out))
  const told = value(await b.import(out))
  expect(told.kinds).toEqual([{ kind: 'deletes', count: 12, first: 'kept/large' }])
  expect(told.sentence).toContain(
    'Among them: 12 permanent deletes (first: kept/large); "holdfast peer undo" brings back what they remove, for 30 days.',
  )
  expect(await b.store.listBuckets()).toEqual([])
  expect(await sums(b)).toEqual([{ site: a.federation.identity.publicIdentity.siteId, versions: 9, bytes: 3 * 1_800_000 + 33 }])

  const wouldBe = await bringBack(b, a, { dryRun: true })
  expect(wouldBe).toMatchObject({ dryRun: true, versions: 9, keys: 9 })
  expect(await b.store.listBuckets()).toEqual([])
  const report = await bringBack(b, a)
  expect(report).toMatchObject({ versions: 9, bytes: 3 * 1_800_000 + 33, keys: 9, bucketsBack: ['kept', 'plain', 'paused'] })
  expect((await listing(b)).map(withoutIds)).toEqual(before)
  expect(await sums(b)).toEqual([])

  await carry(b, a)
  expect(await listing(a)).toEqual(await listing(b))
  expect(await bringBack(b, a)).toMatchObject({ versions: 0, sentence: 'There is nothing to bring back.' })
})

/** The id of a version that came back is new; all else is as it was. */
const withoutIds = (line: string): string => line.replace(/"[A-Za-z0-9_-]{43}"/, '"id"')

test('after null versions were overwritten, --since makes keys what they were at that time; without it nothing current changes', async () => {
  const { a, b } = await twoSites()
  await b.make('plain')
  await b.put('plain', 'k', 'good')
  const good = await current(b, 'plain', 'k')
  await carry(b, a)
  await a.put('plain', 'k', 'spoilt')
  await carry(a, b)
  await a.put('plain', 'k', 'spoilt again')
  await a.put('plain', 'new', 'of the peer')
  await carry(a, b)
  const spoilt = await current(b, 'plain', 'k')
  expect(spoilt).not.toBe(good)

  b.aheadMs = 1000
  expect(await bringBack(b, a, { sinceMs: b.federation.clock.nowMs() })).toMatchObject({ versions: 0 })
  expect(await bringBack(b, a, { sinceMs: 0, dryRun: true })).toMatchObject({ versions: 1, passedOver: 1 })
  await bringBack(b, a, { sinceMs: 0 })
  expect(await current(b, 'plain', 'k')).toBe(good)
  expect((await listing(b)).filter((line) => line.includes('"k"')).length).toBe(2)
  await carry(b, a)
  expect(await listing(a)).toEqual(await listing(b))

  await bringBack(b, a)
  expect(await current(b, 'plain', 'k')).toBe(good)
  expect((await listing(b)).filter((line) => line.includes('"k"')).length).toBe(3)
})

test('a version that came back to its old place is not taken for one that was written at the same time as others of its site', async () => {
  const { a, b } = await twoSites()
  await b.make('kept', 'enabled')
  const first = await b.put('kept', 'k', 'first')
  await b.put('kept', 'k', 'second')
  await carry(b, a)
  await a.remove('kept', 'k', first)
  await carry(a, b)
  expect(await bringBack(b, a)).toMatchObject({ versions: 1 })
  const out = newPath('bundle')
  value(await b.export(a, out))
  expect(value(await a.import(out))).toMatchObject({ applied: 1, concurrentCount: 0 })
  expect(await listing(a)).toEqual(await listing(b))
})

test('only one bucket, or keys with a prefix', async () => {
  const { a, b } = await twoSites()
  for (const bucket of ['one', 'two']) {
    await b.make(bucket)
    for (const key of ['x/1', 'x/2', 'y/1']) await b.put(bucket, key, key)
  }
  await carry(b, a)
  for (const bucket of ['one', 'two']) for (const key of ['x/1', 'x/2', 'y/1']) await a.remove(bucket, key)
  await carry(a, b)
  expect(await bringBack(b, a, { bucket: 'one', prefix: 'x/' })).toMatchObject({
    versions: 2,
    buckets: [{ name: 'one', versions: 2, bytes: 6 }],
  })
  expect((await sums(b))[0]?.versions).toBe(4)
  expect(await undo(b.federation, { peer: 'alpha', bucket: 'none', dryRun: false, forget: false }, noProgress)).toMatchObject({
    ok: false,
    error: { exit: 5, kind: 'no-such-bucket' },
  })
})

test('hidden bytes are given up when an operator says so, or their time has passed', async () => {
  const { a, b } = await twoSites()
  await b.make('plain')
  for (const key of ['one', 'two']) await b.put('plain', key, new Uint8Array(500_000))
  await carry(b, a)
  await a.remove('plain', 'one')
  await carry(a, b)
  expect(await bringBack(b, a, { forget: true })).toMatchObject({ versions: 1, bytes: 500_000 })
  expect(await bringBack(b, a)).toMatchObject({ versions: 0 })
  expect(value(await setPeer(b.federation, { peer: 'alpha', undoDays: 0 })).sentence).toBe(
    'alpha may bring versions, markers, configuration, deletes in buckets that it made or was sent; what it removes is gone at once.',
  )
  await a.remove('plain', 'two')
  await carry(a, b)
  expect(await sums(b)).toEqual([])
})

test('a bucket whose name went to another one meanwhile stays away, and is named', async () => {
  const { a, b } = await twoSites()
  await b.make('plain')
  await b.put('plain', 'k', 'bytes')
  await carry(b, a)
  await a.remove('plain', 'k')
  value(await a.store.deleteBucket((await a.bucket('plain')).id))
  await carry(a, b)
  await b.make('plain')
  const report = await bringBack(b, a)
  expect(report).toMatchObject({ versions: 0, bucketsBack: [] })
  expect(report.warnings).toEqual([
    'Bucket plain was deleted, and another one has its name: what was in it stays hidden. Delete or empty the other one first.',
  ])
  value(await b.store.deleteBucket((await b.bucket('plain')).id))
  expect(await bringBack(b, a)).toMatchObject({ versions: 1, bucketsBack: ['plain'] })
})

test('hidden versions outlive a lost index', async () => {
  const { a, b } = await twoSites()
  await b.make('plain')
  await b.put('plain', 'k', new Uint8Array(300_000).fill(3))
  const whole = await listing(b)
  await carry(b, a)
  await a.remove('plain', 'k')
  await carry(a, b)
  await b.loseIndex()
  expect((await sums(b))[0]).toMatchObject({ versions: 1, bytes: 300_000 })
  await bringBack(b, a)
  await b.loseIndex()
  expect(await listing(b)).toEqual(whole)
  expect(await sums(b)).toEqual([])
})

test('a site that is no peer any more is named by its id', async () => {
  const { a, b } = await twoSites()
  await b.make('plain')
  await b.put('plain', 'k', 'bytes')
  await carry(b, a)
  await a.remove('plain', 'k')
  await carry(a, b)
  const { siteId } = a.federation.identity.publicIdentity
  const gone = ['peers/alpha', `peer-sites/${siteId}`].map((name) => name.split('/') as [string, string])
  value(await b.store.federation.putDocuments(gone.map(([collection, name]) => ({ collection, name, content: null }))))
  expect(await formerRemovers(b.federation, [])).toEqual([{ site: siteId, versions: 1, bytes: 5 }])
  expect(await undo(b.federation, { peer: 'alpha', dryRun: false, forget: false }, noProgress)).toMatchObject({
    ok: false,
    error: { exit: 5, sentence: expect.stringContaining(`are no peers any more: ${siteId}; name one of these instead.`) as string },
  })
  expect(value(await undo(b.federation, { peer: siteId, dryRun: false, forget: false }, noProgress)).sentence).toBe(
    `Brought back 1 version (5 bytes) that site ${siteId} had removed.`,
  )
})

test('a captured peer that stamps its writes as it likes fools nobody', async () => {
  const { a, b } = await twoSites()
  await b.make('plain')
  await b.put('plain', 'k', 'good')
  const good = await current(b, 'plain', 'k')
  await carry(b, a)
  // Its clock runs far ahead while it removes, and is right again while it writes.
  a.aheadMs = 12 * 3600 * 1000
  await a.remove('plain', 'k')
  await carry(a, b)
  await a.put('plain', 'k', 'spoilt')
  await carry(a, b)
  expect(await current(b, 'plain', 'k')).not.toBe(good)
  await bringBack(b, a, { sinceMs: 0 })
  expect(await current(b, 'plain', 'k')).toBe(good)
})
