/** Two sites that exchange bundles come to hold the same. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { listing, newPath, type TestSite, twoSites, value } from './sites.ts'

/** Exports, imports there, and takes the receipt back. */
async function carry(from: TestSite, to: TestSite, more: Parameters<TestSite['export']>[2] = {}) {
  const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
  const exported = value(await from.export(to, out, more))
  if (exported.bundle === null) return { exported, imported: undefined }
  const imported = value(await to.import(out, { receiptFile }))
  value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
  return { exported, imported, out }
}

describe('two sites', () => {
  let a: TestSite
  let b: TestSite
  beforeAll(async () => {
    ;({ a, b } = await twoSites())
    await a.make('versioned', 'enabled')
    await a.make('plain')
    await a.make('suspended', 'enabled')
    for (let index = 0; index < 40; index++) {
      for (const bucket of ['versioned', 'plain', 'suspended']) await a.put(bucket, `key/${index % 30}`, `${bucket} ${index}`)
      if (index % 9 === 0) await a.remove('versioned', `key/${index}`)
    }
    await a.versioning('suspended', 'suspended')
    for (let index = 0; index < 12; index++) await a.put('suspended', `key/${index}`, `null ${index}`)
    for (let index = 8; index < 16; index++) await a.remove('suspended', `key/${index}`)
    await a.put('versioned', 'large', randomBytes(3_000_000), [['class', 'open']])
    await a.upload('versioned', 'in parts', [randomBytes(200_000), randomBytes(10), randomBytes(700_000)])
    await a.upload('plain', 'in parts', [randomBytes(200_000)])
    await a.put('versioned', 'empty', '')
    await a.put('plain', 'ключ/ü \u{1F600}', 'not only ASCII')
  }, 60_000)

  test('a first bundle makes the other site equal: versions, markers, null versions, metadata, bytes', async () => {
    const { exported, imported } = await carry(a, b)
    expect(exported.volumes).toBeGreaterThan(3)
    expect(imported?.applied).toBe(exported.operations)
    expect(await listing(b)).toEqual(await listing(a))
  }, 60_000)

  test('what was acknowledged is not sent again', async () => {
    const out = newPath('none')
    const again = value(await a.export(b, out))
    expect(again.bundle).toBeNull()
    expect(again.sentence).toMatch(/holds everything already/)
    expect(existsSync(out)).toBe(false)
  })

  test('a hundred changes at each, exported both ways, converge to the same listing', async () => {
    const change = async (site: TestSite): Promise<void> => {
      for (let index = 0; index < 100; index++) {
        const bucket = ['versioned', 'plain', 'suspended'][index % 3]!
        const key = index % 2 === 0 ? `${site.name}/${index}` : `key/${index % 30}`
        if (index % 7 === 6) await site.remove(bucket, key)
        else await site.put(bucket, key, `${site.name} ${index}`)
      }
    }
    await Promise.all([change(a), change(b)])
    const there = await carry(a, b)
    expect(there.exported.operations).toBeLessThanOrEqual(100)
    const back = await carry(b, a)
    expect(back.exported.operations).toBeLessThanOrEqual(100)
    expect(back.imported?.concurrentCount).toBeGreaterThan(0)
    expect(await listing(b)).toEqual(await listing(a))
    expect((await carry(a, b)).exported.bundle).toBeNull()
  }, 60_000)

  test('one prefix exported and acknowledged, then everything: the sites are equal', async () => {
    for (let index = 0; index < 30; index++) await a.put('versioned', `${index % 2 === 0 ? 'only/' : 'other/'}${index}`, `body ${index}`)
    await carry(a, b, { prefix: 'only/' })
    const keys = (await listing(b, ['versioned'])).join('\n')
    expect(keys).toContain('only/28')
    expect(keys).not.toContain('other/')
    const rest = await carry(a, b)
    expect(rest.exported.operations).toBe(15)
    expect(await listing(b)).toEqual(await listing(a))
  }, 60_000)

  test('permanent deletes, tags and versioning reach the other site', async () => {
    const first = await a.put('versioned', 'gone', 'first')
    await a.put('versioned', 'gone', 'second')
    await carry(a, b)
    await a.remove('versioned', 'gone', first)
    const { id } = await a.bucket('versioned')
    value(await a.store.putTags({ bucketId: id, key: 'large', tags: [['class', 'closed']] }))
    await a.versioning('plain', 'enabled')
    value(await a.store.putConfiguration(id, 'tagging', '{"a":"b"}'))
    await carry(a, b)
    expect(await listing(b)).toEqual(await listing(a))
  }, 60_000)

  test('a bundle that was never imported is not believed to be there: the next one brings it all', async () => {
    await a.put('plain', 'lost in the post', 'x')
    value(await a.export(b, newPath('lost')))
    await a.put('plain', 'after', 'y')
    const { exported } = await carry(a, b)
    expect(exported.operations).toBe(2)
    expect(await listing(b)).toEqual(await listing(a))
  })

  test('what a site says to hold in its own bundle acknowledges like a receipt', async () => {
    await a.put('plain', 'without receipt', 'x')
    const out = newPath('bundle')
    value(await a.export(b, out))
    value(await b.import(out))
    await b.put('plain', 'back', 'y')
    await carry(b, a)
    expect(value(await a.export(b, newPath('none'))).bundle).toBeNull()
  })

  test('a bucket deleted and made again under its name', async () => {
    await a.make('again')
    await a.put('again', 'old', 'old')
    await carry(a, b)
    await a.remove('again', 'old')
    value(await a.store.deleteBucket((await a.bucket('again')).id))
    await a.make('again', 'enabled')
    await a.put('again', 'new', 'new')
    await carry(a, b)
    expect(await listing(b)).toEqual(await listing(a))
  })

  test('a bucket deleted at one site while the other one puts into it comes back at both', async () => {
    await a.make('contested')
    await carry(a, b)
    value(await a.store.deleteBucket((await a.bucket('contested')).id))
    await b.put('contested', 'kept', 'x')
    await carry(a, b)
    await carry(b, a)
    expect((await listing(a)).join('\n')).toContain('contested/')
    expect(await listing(b)).toEqual(await listing(a))
  })

  test('a bucket deleted and made again under its name while the other site puts into the first is two buckets, once somebody chose names', async () => {
    const { a, b } = await twoSites()
    await a.make('namesake')
    await carry(a, b)
    value(await a.store.deleteBucket((await a.bucket('namesake')).id))
    await a.make('namesake', 'enabled')
    await a.put('namesake', 'new', 'new')
    await b.put('namesake', 'kept', 'into the first one')
    for (const [from, to, kind] of [
      [a, b, 'name-taken'],
      [b, a, 'no-such-bucket'],
    ] as const) {
      const [out, receiptFile] = [newPath('bundle'), newPath('receipt')]
      value(await from.export(to, out))
      expect(await to.import(out)).toMatchObject({
        error: { exit: 6, kind, sentence: expect.stringContaining('--map namesake=OTHER') },
      })
      value(await to.import(out, { map: { namesake: 'other' }, receiptFile }))
      value(await from.acknowledge(readFileSync(receiptFile, 'utf8')))
    }
    const keys = async (site: TestSite, bucket: string) =>
      (await listing(site, [bucket])).slice(1).map((line) => JSON.parse(line.slice(bucket.length + 1))[0])
    expect([await keys(a, 'namesake'), await keys(a, 'other')]).toEqual([['new'], ['kept']])
    expect([await keys(b, 'namesake'), await keys(b, 'other')]).toEqual([['kept'], ['new']])
    await a.loseIndex()
    expect([await keys(a, 'namesake'), await keys(a, 'other')]).toEqual([['new'], ['kept']])
    await a.put('other', 'from a', 'x')
    await b.put('other', 'from b', 'x')
    await carry(a, b)
    await carry(b, a)
    expect([await keys(b, 'namesake'), await keys(b, 'other')]).toEqual([
      ['from a', 'kept'],
      ['from b', 'new'],
    ])
    for (const site of [a, b]) await site.close()
  }, 60_000)

  test('a bucket that came and went before the other site heard of it leaves nothing there', async () => {
    await a.make('brief')
    await a.put('brief', 'x', 'x')
    await a.export(b, newPath('lost in the post'))
    await a.remove('brief', 'x')
    value(await a.store.deleteBucket((await a.bucket('brief')).id))
    await b.make('brief')
    await b.put('brief', 'y', 'y')
    await carry(a, b)
    expect((await listing(b, ['brief'])).join('\n')).toMatch(/"y"/)
    expect((await b.store.listBuckets()).map(({ name }) => name).filter((name) => name.startsWith('deleted-'))).toEqual([])
    await carry(b, a)
    expect(await listing(b)).toEqual(await listing(a))
  })
})
