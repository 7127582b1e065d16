/** One number says whether two sites hold the same of a bucket; a file of lines says which keys differ. */
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type CompareReport, compareBucket, digestBucket } from '../../src/federation/bucket-digest.ts'
import { DigestFile } from '../../src/federation/digest-file.ts'
import { Refusal } from '../../src/federation/site.ts'
import { seeded } from '../bundles/seeded.ts'
import { newPath, noProgress, type TestSite, twoSites, value } from './sites.ts'

async function carry(from: TestSite, to: TestSite): Promise<void> {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  if (value(await from.export(to, out)).bundle === null) return
  value(await to.import(out, { receiptFile }))
  value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
}

const digestOf = async (site: TestSite, bucket: string, more: { out?: string; content?: boolean } = {}) =>
  value(await digestBucket(site.federation, { bucket, content: false, ...more }, noProgress))

/** The keys that differ, as a person reads them. */
async function compared(site: TestSite, bucket: string, file: string): Promise<{ lines: string[]; report: CompareReport | undefined }> {
  const result = await compareBucket(site.federation, { bucket, file }, noProgress)
  if (result.ok) return { lines: [], report: result.value }
  expect(result.error).toMatchObject({ exit: 6, kind: 'differs' })
  const report = result.error.details as CompareReport
  return { lines: report.listed.map(({ key, how }) => `${how} ${key}`), report: { ...report, sentence: result.error.sentence } }
}

const KEYS = ['a', 'a/b', 'b', 'ä', '\u{1f600}', '\uffee', 'z"quoted"']

async function sitesWithBucket(): Promise<{ a: TestSite; b: TestSite }> {
  const { a, b } = await twoSites()
  await a.make('photos', 'enabled')
  for (const key of KEYS) await a.put('photos', key, `of ${key}`, [['colour', 'blue']])
  await a.put('photos', 'b', 'again')
  await a.upload('photos', 'parts', [new Uint8Array(300_000), new Uint8Array(7)])
  await a.remove('photos', 'a/b')
  await carry(a, b)
  return { a, b }
}

test('two sites that exchanged everything have the same digest, with and without reading the bytes', async () => {
  const { a, b } = await sitesWithBucket()
  for (const content of [false, true]) {
    const here = await digestOf(a, 'photos', { content })
    expect(here).toMatchObject({ keys: 8, versions: 10, settled: true, content })
    expect((await digestOf(b, 'photos', { content })).digest).toBe(here.digest)
    const out = newPath('digest')
    await digestOf(a, 'photos', { out, content })
    const same = value(await compareBucket(b.federation, { bucket: 'photos', file: out }, noProgress))
    expect(same).toMatchObject({ same: true, digest: here.digest, differences: 0 })
    expect(same.sentence).toMatch(/^Bucket photos holds the same here as at site [0-9a-f]{32} at \d{4}-/)
  }
  expect((await digestOf(a, 'photos', { content: true })).digest).not.toBe((await digestOf(a, 'photos')).digest)
})

test('whatever differs is named: keys, tags, markers, versions, configuration; and why', async () => {
  const { a, b } = await sitesWithBucket()
  const { id } = await a.bucket('photos')
  await a.put('photos', 'new', 'x')
  await a.remove('photos', 'b')
  value(await a.store.putTags({ bucketId: id, key: 'ä', tags: [['colour', 'red']] }))
  await b.put('photos', 'there', 'y')
  await b.remove('photos', '\u{1f600}')
  const out = newPath('digest')
  await digestOf(a, 'photos', { out })
  const { lines, report } = await compared(b, 'photos', out)
  expect(lines).toEqual(['differs b', 'only-there new', 'only-here there', 'differs ä', 'differs \u{1f600}'])
  expect(report).toMatchObject({ same: false, differences: 5, unknownHere: 3, unknownThere: 2 })
  expect(report?.sentence).toContain(
    'Changes that were applied here only: 2; there only: 3. Exchange bundles both ways, then compare again.',
  )
  value(await a.store.putConfiguration(id, 'tagging', '[]'))
  await digestOf(a, 'photos', { out })
  expect((await compared(b, 'photos', out)).lines[0]).toBe('differs ')
  for (let i = 0; i < 2; i++) {
    await carry(a, b)
    await carry(b, a)
  }
  await digestOf(a, 'photos', { out })
  expect((await compared(b, 'photos', out)).lines).toEqual([])
})

test('an empty bucket, a missing one, and one that is another', async () => {
  const { a, b } = await twoSites()
  await a.make('empty')
  await b.make('empty')
  expect(await digestOf(a, 'empty')).toMatchObject({ keys: 0, versions: 0 })
  expect((await digestOf(a, 'empty')).digest).toBe((await digestOf(b, 'empty')).digest)
  await a.put('empty', 'k', 'x')
  const out = newPath('digest')
  await digestOf(a, 'empty', { out })
  expect((await compared(b, 'empty', out)).report?.sentence).toContain(
    'The file is of a bucket empty that is not known here to be the same one.',
  )
  expect(await digestBucket(a.federation, { bucket: 'none', content: false }, noProgress)).toMatchObject({ ok: false, error: { exit: 5 } })
  expect(await compareBucket(a.federation, { bucket: 'empty', file: newPath('none') }, noProgress)).toMatchObject({
    ok: false,
    error: { exit: 5, kind: 'file-unusable' },
  })
})

test('more versions than a page of a listing holds are all counted', async () => {
  const { a } = await twoSites()
  await a.make('many', 'enabled')
  await Promise.all(Array.from({ length: 1200 }, (_, i) => a.put('many', i < 1100 ? 'one' : `k${i}`, `${i}`)))
  expect(await digestOf(a, 'many')).toMatchObject({ keys: 101, versions: 1200 })
})

test('a file that was changed or cut short anywhere, or holds anything else, is refused', async () => {
  const { a } = await sitesWithBucket()
  const out = newPath('digest')
  const { digest } = await digestOf(a, 'photos', { out })
  const file = readFileSync(out)
  const read = async (bytes: Uint8Array, step: number): Promise<string> => {
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
    }
    try {
      const opened = await DigestFile.open(chunks())
      for await (const _ of opened.leaves());
      return opened.digest
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      expect(error.fault).toMatchObject({ exit: 5, kind: 'malformed' })
      return 'refused'
    }
  }
  expect(await read(file, 7)).toBe(digest)
  const leaves = file.indexOf(10)
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), fc.integer({ min: 1, max: 500 }), async (at, xor, step) => {
      const changed = Buffer.from(file)
      changed[at]! ^= xor
      expect(await read(changed, step)).toBe('refused')
      expect(await read(file.subarray(0, at), step)).toBe('refused')
    }),
    seeded({ numRuns: 400 }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.string(), fc.json(), fc.constantFrom('{}', `${'A'.repeat(64)} 1 "k"`, '{"digest":"","keys":0}'))),
      async (lines) => {
        expect(await read(Buffer.from(`${file.subarray(0, leaves)}\n${lines.join('\n')}\n`), 50)).toBe('refused')
        expect(await read(Buffer.from(lines.join('\n')), 50)).toBe('refused')
      },
    ),
    seeded({ numRuns: 200 }),
  )
  expect(await read(Buffer.alloc(3_000_000, 65), 65_536)).toBe('refused')
  const long = newPath('long')
  writeFileSync(long, Buffer.concat([file.subarray(0, leaves + 1), Buffer.alloc(100_000, 65)]))
  expect(await compareBucket(a.federation, { bucket: 'photos', file: long }, noProgress)).toMatchObject({
    ok: false,
    error: { kind: 'malformed' },
  })
})
