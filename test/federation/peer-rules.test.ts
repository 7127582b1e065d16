/** What a peer may do here is in its entry; a bundle with anything else is refused whole. */
import { expect, test } from 'vitest'
import { rulesOf, type SetPeerInput, setPeer, withRules } from '../../src/federation/peer-rules.ts'
import { listPeers } from '../../src/federation/peers.ts'
import { kindsOf } from '../../src/federation/rule-check.ts'
import type { Position } from '../../src/store/terms.ts'
import { documents, listing, newPath, type TestSite, twoSites, value } from './sites.ts'

const set = (site: TestSite, more: Partial<SetPeerInput>) => setPeer(site.federation, { peer: 'alpha', ...more })

async function bundleOf(from: TestSite, to: TestSite): Promise<string> {
  const out = newPath('bundle')
  value(await from.export(to, out))
  return out
}

test('a bundle with permanent deletes is refused where they are denied, and taken once they are allowed', async () => {
  const { a, b } = await twoSites()
  await a.make('photos', 'enabled')
  const ids = [await a.put('photos', 'one', '1'), await a.put('photos', 'two', '2')]
  value(await b.import(await bundleOf(a, b)))
  await a.put('photos', 'three', '3')
  await a.remove('photos', 'one', ids[0])
  await a.remove('photos', 'two', ids[1])
  const out = await bundleOf(a, b)
  value(await set(b, { deny: ['deletes'] }))
  const before = [...(await listing(b)), ...(await documents(b))]
  for (const dryRun of [true, false]) {
    expect(await b.import(out, { dryRun })).toEqual({
      ok: false,
      error: {
        exit: 5,
        kind: 'not-allowed',
        sentence:
          'alpha sends what it may not do here: 2 permanent deletes (first: photos/one). Nothing was changed. If it is wanted: holdfast peer set SITE alpha --allow deletes; then import again.',
        details: { denied: [{ kind: 'deletes', count: 2, first: 'photos/one' }] },
      },
    })
  }
  expect([...(await listing(b)), ...(await documents(b))]).toEqual(before)
  value(await set(b, { allow: ['deletes'] }))
  value(await b.import(out))
  expect(await listing(b)).toEqual(await listing(a))
})

test('changes that were applied before they were denied do not stand in the way of later ones', async () => {
  const { a, b } = await twoSites()
  await a.make('photos', 'enabled')
  await a.remove('photos', 'nothing')
  value(await b.import(await bundleOf(a, b)))
  value(await set(b, { deny: ['markers', 'configuration'] }))
  await a.put('photos', 'k', '1')
  value(await b.import(await bundleOf(a, b)))
  value(await a.store.putConfiguration((await a.bucket('photos')).id, 'tagging', '[]'))
  await a.remove('photos', 'k')
  expect(await b.import(await bundleOf(a, b))).toMatchObject({
    error: {
      sentence: expect.stringContaining('1 delete marker (first: photos/k), 1 change of configuration (first: bucket photos)') as string,
    },
  })
})

test('a peer may be kept to some buckets', async () => {
  const { a, b } = await twoSites()
  for (const bucket of ['one', 'two']) {
    await a.make(bucket)
    await a.put(bucket, 'k', bucket)
  }
  value(await set(b, { buckets: ['one'] }))
  const both = await bundleOf(a, b)
  expect(await b.import(both)).toMatchObject({
    ok: false,
    error: {
      kind: 'not-allowed',
      sentence: expect.stringContaining('alpha sends changes of bucket two, and may change only one here. Nothing was changed.') as string,
    },
  })
  expect(await b.import(both, { map: { two: 'three' } })).toMatchObject({
    error: { sentence: expect.stringContaining('two (three here)') as string },
  })
  expect(await b.store.listBuckets()).toEqual([])
  value(await set(b, { buckets: ['one', 'three'] }))
  value(await b.import(both, { map: { two: 'three' } }))
  expect((await b.store.listBuckets()).map(({ name }) => name)).toEqual(['one', 'three'])
  value(await set(b, { buckets: null }))
  expect((await rulesOf(b.store.federation, { site: a.federation.identity.publicIdentity.siteId })).buckets).toBeNull()
})

test('the list of peers says what each may do', async () => {
  const { b } = await twoSites()
  const may = async () => (await withRules(b.federation, await listPeers(b.federation)))[0]?.may
  expect(await may()).toBe(
    'may bring versions, markers, configuration, deletes in buckets that it made or was sent; what it removes can be brought back for 30 days',
  )
  value(await set(b, { deny: ['deletes', 'configuration'], buckets: ['photos'], undoDays: 1 }))
  expect(await may()).toBe(
    'may bring versions, markers, not configuration, deletes, in photos; what it removes can be brought back for 1 day',
  )
  value(await set(b, { deny: ['versions', 'markers'] }))
  expect(await may()).toContain('may change nothing')
})

test('what makes no sense is said to', async () => {
  const { b } = await twoSites()
  const refused = async (more: Partial<SetPeerInput>) => {
    const result = await set(b, more)
    return result.ok ? undefined : [result.error.exit, result.error.sentence]
  }
  expect(await refused({ peer: 'gamma' })).toEqual([5, 'There is no peer gamma here; "holdfast peer list" names those that are.'])
  expect(await refused({ deny: ['all'] })).toEqual([2, '"all" is no kind of change: there are versions, markers, configuration, deletes.'])
  expect(await refused({ allow: ['markers'], deny: ['markers'] })).toEqual([2, '--allow and --deny both name markers: say one of them.'])
  expect(await refused({ undoDays: 4000 })).toEqual([2, '--undo-days is a whole number of days from 0 (gone at once) to 3650.'])
})

test('a write that takes the place of a null version counts as a permanent delete too', () => {
  const target = { clock: 1, site: 'a'.repeat(32), sequence: 1 } as Position
  const marker = { kind: 'put-marker', key: 'k', versionId: 'null' } as const
  expect(kindsOf({ ...marker, replaces: null })).toEqual(['markers'])
  expect(kindsOf({ ...marker, replaces: target })).toEqual(['markers', 'deletes'])
  expect(kindsOf({ kind: 'delete-bucket' })).toEqual(['deletes'])
  expect(kindsOf({ kind: 'create-bucket', name: 'b' as never })).toEqual([])
})
