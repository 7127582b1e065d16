/** Bundles that are exported and imported at the same moment at one site. */
import { mkdirSync, symlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import { publicIdentityText } from '../../src/bundles/identity.ts'
import { importBundle } from '../../src/federation/import-bundle.ts'
import { addPeer } from '../../src/federation/peers.ts'
import { listing, newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

/** `a` has something for `b` in a bucket that `b` does not know. */
async function withBundle(): Promise<{ readonly a: TestSite; readonly b: TestSite; readonly out: string; readonly operations: number }> {
  const { a, b } = await twoSites()
  await a.make('photos', 'enabled')
  await Promise.all(Array.from({ length: 40 }, (_, index) => a.put('photos', `key ${index}`, Buffer.alloc(40_000, index))))
  const out = newPath('bundle')
  return { a, b, out, operations: value(await a.export(b, out)).operations }
}

const imported = (site: TestSite, dir: string, signal?: AbortSignal) =>
  importBundle(site.federation, { dirs: [dir], dryRun: false, map: {}, merge: [] }, noProgress, signal)

test('of several imports of one bundle at once, one applies it, and the others say when that was', async () => {
  const { a, b, out, operations } = await withBundle()
  const runs = await Promise.all([imported(b, out), imported(b, out), imported(b, out)])
  const reports = runs.map(value)
  expect(reports.map(({ applied }) => applied)).toEqual([operations, 0, 0])
  expect(reports.map(({ firstAppliedMs }) => firstAppliedMs === null)).toEqual([true, false, false])
  expect(await listing(b)).toEqual(await listing(a))
})

test('two bundles that bring the same new bucket are applied one after the other, each change once', async () => {
  const { a, b, out, operations } = await withBundle()
  const second = newPath('bundle')
  value(await a.export(b, second))
  const reports = (await Promise.all([imported(b, out), imported(b, second)])).map(value)
  expect(reports.map(({ applied, already }) => [applied, already])).toEqual([
    [operations, 0],
    [0, operations],
  ])
  expect(await listing(b)).toEqual(await listing(a))
})

test('an import whose asker has gone while it waited for another one is not done', async () => {
  const { a, b, out } = await withBundle()
  await a.put('photos', 'later', 'x')
  const second = newPath('bundle')
  value(await a.export(b, second))
  const gone = new AbortController()
  const first = imported(b, out)
  const waiting = imported(b, second, gone.signal)
  gone.abort()
  value(await first)
  expect(await waiting).toMatchObject({ ok: false, error: { exit: 5, kind: 'given-up' } })
  expect((await listing(b)).some((line) => line.includes('later'))).toBe(false)
})

test('an import goes to its end although its peer is noted otherwise meanwhile, and both hold', async () => {
  const { a, b, out, operations } = await withBundle()
  let noted: ReturnType<typeof addPeer> | undefined
  const fingerprint = a.federation.identity.publicIdentity.fingerprint
  const identityText = publicIdentityText(a.federation.identity.publicIdentity)
  const report = value(
    await b.import(out, {}, () => {
      noted ??= addPeer(b.federation, { identityText, name: a.name, fingerprint })
    }),
  )
  expect(report.applied).toBe(operations)
  expect(value(await noted!)).toMatchObject({ compared: true })
  expect(value(await imported(b, out)).firstAppliedMs).not.toBeNull()
  expect(value(await b.export(a, newPath('back'))).warnings.join()).not.toContain('never compared')
})

test('two exports into one folder, one of them through a link, are refused as under way', async () => {
  const { a, b } = await withBundle()
  const [folder, link] = [newPath('stick'), newPath('link')]
  mkdirSync(folder)
  symlinkSync(folder, link)
  const [first, second] = await Promise.all([a.export(b, folder), a.export(b, link)])
  const refused = first.ok ? second : first
  expect([first.ok, second.ok].sort()).toEqual([false, true])
  expect(refused).toMatchObject({ ok: false, error: { exit: 5, kind: 'under-way' } })
})

test('an export and an import at once, and two exports to one peer, all end well', async () => {
  const { a, b, out } = await withBundle()
  await b.make('back')
  await b.put('back', 'key', 'x')
  const runs = await Promise.all([imported(b, out), b.export(a, newPath('one')), b.export(a, newPath('two')), imported(b, out)])
  expect(runs.map(({ ok }) => ok)).toEqual([true, true, true, true])
})
