/** What is remembered of bundles, and until when. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { newPath, type TestSite, twoSites, value } from './sites.ts'

const DAY_MS = 24 * 3600 * 1000

const remembered = async (site: TestSite, collection: string): Promise<readonly string[]> =>
  (await site.store.federation.listDocuments(collection, '', 1000)).map(({ name }) => name)

function laterBy(days: number, ...sites: TestSite[]): void {
  for (const site of sites) site.aheadMs = days * DAY_MS
}

test('an import is remembered as long as its bundle is not refused as expired', async () => {
  const { a, b } = await twoSites()
  await a.make('files')
  const first = newPath('bundle')
  const { bundle } = value(await a.export(b, first, { expiresInMs: 10 * DAY_MS }))
  value(await b.import(first))
  laterBy(9, a, b)
  await a.put('files', 'one', '1')
  const second = newPath('bundle')
  value(await a.export(b, second, { expiresInMs: 100 * DAY_MS }))
  value(await b.import(second))
  expect(value(await b.import(first)).sentence).toMatch(/applied here already, first at/)
  laterBy(41, a, b)
  await a.put('files', 'two', '2')
  const third = newPath('bundle')
  value(await a.export(b, third, { expiresInMs: 100 * DAY_MS }))
  value(await b.import(third))
  expect(await remembered(b, 'imports')).not.toContain(bundle)
  expect(await b.import(first)).toMatchObject({ ok: false, error: { exit: 5, kind: 'expired' } })
  expect(value(await b.import(second)).sentence).toMatch(/applied here already, first at/)
}, 30_000)

test('a receipt is awaited for a year after its bundle expired; once it came, the export is remembered until its bundle has expired', async () => {
  const { a, b } = await twoSites()
  await a.make('files')
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const { bundle } = value(await a.export(b, out, { expiresInMs: 10 * DAY_MS }))
  value(await b.import(out, { receiptFile }))
  const again = async (): Promise<void> => {
    await a.put('files', `at ${a.federation.clock.nowMs()}`, 'x')
    value(await a.export(b, newPath('bundle')))
  }
  laterBy(370, a)
  await again()
  expect(await remembered(a, 'exports')).toContain(bundle)
  const receipt = readFileSync(receiptFile, 'utf8')
  expect(value(await a.acknowledge(receipt))).toMatchObject({ bundle, firstAcknowledgedMs: null })
  await again()
  expect(await remembered(a, 'exports')).not.toContain(bundle)
  expect(await a.acknowledge(receipt)).toMatchObject({
    ok: false,
    error: { exit: 5, kind: 'unknown-bundle', sentence: expect.stringMatching(/so long ago/) },
  })
}, 30_000)

test('the signature of a batch is kept until its site has signed all of it again', async () => {
  const { a, b } = await twoSites()
  await a.make('files')
  await a.put('files', 'one', '1')
  const carry = async (): Promise<void> => {
    const out = newPath('bundle')
    value(await a.export(b, out, { full: true }))
    value(await b.import(out))
  }
  await carry()
  const kept = await remembered(b, 'batches')
  laterBy(1000, a, b)
  await a.put('files', 'two', '2')
  await carry()
  expect(await remembered(b, 'batches')).toEqual(expect.arrayContaining([...kept]))
  value(await a.newEpoch())
  await carry()
  const now = await remembered(b, 'batches')
  expect(now.length).toBeGreaterThan(0)
  for (const root of kept) expect(now).not.toContain(root)
}, 30_000)
