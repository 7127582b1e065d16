/** Exports and imports that are stopped anywhere and run again. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { importBundle } from '../../src/federation/import-bundle.ts'
import type { FederationProgress } from '../../src/federation/site.ts'
import { documents, listing, newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

let a: TestSite
let b: TestSite
beforeAll(async () => {
  ;({ a, b } = await twoSites())
  await a.make('files', 'enabled')
  for (let index = 0; index < 30; index++) await a.put('files', `key/${index}`, randomBytes(1000 + index * 20_000))
}, 60_000)

class PowerCut extends Error {}

/** Progress that ends in a power cut as soon as `when` holds. */
const cutWhen =
  (when: (what: string) => boolean): FederationProgress =>
  ({ what }) => {
    if (when(what)) throw new PowerCut()
  }

const volumesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => /^volume-\d+\.tar\.sealed$/.test(name)) : []

test('an interrupted export keeps its finished volumes and its plan, whatever changes meanwhile', async () => {
  const out = newPath('bundle')
  const salts = new Set<string>()
  for (let volumes = 1; volumes <= 5; volumes++) {
    await expect(
      a.export(
        b,
        out,
        { parityVolumes: 1 },
        cutWhen(() => volumesIn(out).length >= volumes),
      ),
    ).rejects.toThrow(PowerCut)
    expect(volumesIn(out)).toHaveLength(volumes)
    const partial = join(out, `volume-0000${volumes + 1}.tar.sealed.partial`)
    if (existsSync(partial) && statSync(partial).size >= 32) salts.add(readFileSync(partial).subarray(0, 32).toString('hex'))
    // What comes later is not in this bundle; what goes is not in it any more, unless it was written already.
    await a.put('files', `later/${volumes}`, 'later')
  }
  const kept = volumesIn(out).map((name) => readFileSync(join(out, name)))
  for (const bytes of kept) salts.add(bytes.subarray(0, 32).toString('hex'))
  const exported = value(await a.export(b, out, { parityVolumes: 1 }))
  expect(exported.operations).toBe(32)
  expect(
    volumesIn(out)
      .slice(0, 5)
      .map((name) => readFileSync(join(out, name))),
  ).toEqual(kept)
  expect(readdirSync(join(a.directory, 'exports'))).toEqual([])
  const receiptFile = newPath('receipt')
  expect(value(await b.import(out, { receiptFile })).applied).toBe(32)
  expect((await listing(b)).filter((line) => line.includes('later/'))).toEqual([])
  value(await a.acknowledge(readFileSync(receiptFile, 'utf8')))
  const rest = newPath('bundle')
  expect(value(await a.export(b, rest)).operations).toBe(5)
  value(await b.import(rest))
  expect(await listing(b)).toEqual(await listing(a))
}, 60_000)

test('what was deleted for good while an export waited does not come, and nothing else is missing', async () => {
  const versionId = await a.put('files', 'doomed', randomBytes(900_000))
  const small = await a.put('files', 'doomed too', 'small')
  const out = newPath('bundle')
  await expect(
    a.export(
      b,
      out,
      {},
      cutWhen((what) => what === 'Writing'),
    ),
  ).rejects.toThrow(PowerCut)
  await a.remove('files', 'doomed', versionId)
  await a.remove('files', 'doomed too', small)
  value(await a.export(b, out))
  value(await b.import(out))
  const rest = newPath('bundle')
  value(await a.export(b, rest))
  value(await b.import(rest))
  expect(await listing(b)).toEqual(await listing(a))
}, 60_000)

test('an export begun with other options is not gone on with', async () => {
  await a.put('files', 'again', randomBytes(3_000_000))
  const out = newPath('bundle')
  await expect(
    a.export(
      b,
      out,
      {},
      cutWhen(() => volumesIn(out).length >= 1),
    ),
  ).rejects.toThrow(PowerCut)
  const other = await a.export(b, out, { prefix: 'x' })
  expect(other).toMatchObject({ ok: false, error: { exit: 5, kind: 'state-mismatch' } })
  value(await a.export(b, out))
})

test('an interrupted import goes on where it was, and is then applied once', async () => {
  for (let index = 0; index < 300; index++) await a.put('files', `many/${index}`, `body ${index}`)
  await a.put('files', 'many/large', randomBytes(2_500_000))
  const out = newPath('bundle')
  value(await a.export(b, out))
  for (const steps of [1, 101, 201, 301]) {
    const cut: FederationProgress = ({ what, done }) => {
      if (what === 'Importing' && done >= steps) throw new PowerCut()
    }
    await expect(b.import(out, {}, cut)).rejects.toThrow(PowerCut)
  }
  expect((await documents(b)).filter((line) => line.startsWith('imports/'))).toHaveLength(4)
  const imported = value(await b.import(out))
  expect(imported.already).toBeGreaterThanOrEqual(300)
  expect(imported.applied).toBeGreaterThanOrEqual(1)
  expect(await listing(b)).toEqual(await listing(a))
}, 60_000)

test('an import does not believe the media twice', async () => {
  const before = await listing(b)
  await a.put('files', 'twice', randomBytes(2_500_000))
  const [out, other] = [newPath('bundle'), newPath('bundle')]
  value(await a.export(b, out))
  value(await a.export(b, other))
  // Between checking and importing somebody changes the stick.
  const freeBytes = async (): Promise<number> => {
    renameSync(out, `${out}-away`)
    renameSync(other, out)
    return Number.MAX_SAFE_INTEGER
  }
  const input = { dirs: [out], dryRun: false, map: {}, merge: [] }
  const refused = await importBundle({ ...b.federation, freeBytes }, input, noProgress)
  expect(refused).toMatchObject({ ok: false, error: { exit: 5, kind: 'two-bundles' } })
  expect(await listing(b)).toEqual(before)
})

test('an import that has no room says so before it begins', async () => {
  const before = await listing(b)
  const out = newPath('bundle')
  value(await a.export(b, out))
  const input = { dirs: [out], dryRun: false, map: {}, merge: [] }
  const refused = await importBundle({ ...b.federation, freeBytes: async () => 1000 }, input, noProgress)
  expect(refused).toMatchObject({ ok: false, error: { exit: 6, kind: 'full' } })
  expect(await listing(b)).toEqual(before)
})
