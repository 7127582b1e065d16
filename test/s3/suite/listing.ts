/** Listings. Sources: Amazon S3 API Reference, ListObjects, ListObjectsV2, ListObjectVersions; User Guide, "Listing object keys programmatically". */
import { beforeAll, describe, expect, test } from 'vitest'
import { connect, type Endpoint, newKey, refusal, scratchBucket } from './endpoint.ts'
import { sendRaw } from './raw.ts'

const KEYS = ['a', 'asdf', 'b/1', 'b/2', 'b/c/3', 'boo/bar', 'boo/baz/xyzzy', 'cquux/thud', 'cquux/bla', 'z', 'ü', 'ﬀ', '🦉']
/** Keys are ordered by their UTF-8 bytes: the owl (four bytes) after the ligature (three), unlike in UTF-16. */
const inOrder = [...KEYS].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))

export function listingTests(endpoint: Endpoint): void {
  const s3 = connect(endpoint)

  describe('listings of objects', () => {
    const Bucket = scratchBucket(s3)
    const odd = scratchBucket(s3)
    beforeAll(async () => {
      await Promise.all(KEYS.map((Key) => s3.putObject({ Bucket, Key, Body: Key })))
    })
    const keysOf = (page: { Contents?: { Key?: string | undefined }[] | undefined }) => (page.Contents ?? []).map((each) => each.Key)
    const prefixesOf = (page: { CommonPrefixes?: { Prefix?: string | undefined }[] | undefined }) =>
      (page.CommonPrefixes ?? []).map((each) => each.Prefix)

    test('keys come in the order of their UTF-8 bytes, with size, ETag, time and class', async () => {
      const page = await s3.listObjectsV2({ Bucket })
      expect(keysOf(page)).toEqual(inOrder)
      expect(page).toMatchObject({ KeyCount: KEYS.length, MaxKeys: 1000, IsTruncated: false, Name: Bucket })
      expect(page.Contents?.[0]).toMatchObject({ Size: 1, StorageClass: 'STANDARD', ETag: '"0cc175b9c0f1b6a831c399e269772661"' })
      expect(page.Contents?.[0]?.LastModified).toBeInstanceOf(Date)
      expect(keysOf(await s3.listObjects({ Bucket }))).toEqual(inOrder)
    })

    // No page of Amazon's says so: replies quoted in github.com/versity/versitygw/issues/1814.
    test('a listing names the region of its bucket', async () => {
      for (const query of ['list-type=2', 'prefix=none']) {
        const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}`, query })
        expect([reply.status, reply.headers['x-amz-bucket-region']]).toEqual([200, endpoint.region])
      }
    })

    test('V1 names owners always, V2 when asked', async () => {
      expect((await s3.listObjects({ Bucket })).Contents?.[0]?.Owner?.ID).toMatch(/^[0-9a-f]{64}$/)
      expect((await s3.listObjectsV2({ Bucket })).Contents?.[0]?.Owner).toBeUndefined()
      expect((await s3.listObjectsV2({ Bucket, FetchOwner: true })).Contents?.[0]?.Owner?.ID).toMatch(/^[0-9a-f]{64}$/)
    })

    test.each([
      ['b/', '', ['b/1', 'b/2', 'b/c/3'], []],
      ['b/', '/', ['b/1', 'b/2'], ['b/c/']],
      ['', '/', ['a', 'asdf', 'z', 'ü', 'ﬀ', '🦉'], ['b/', 'boo/', 'cquux/']],
      ['b', '/', [], ['b/', 'boo/']],
      ['boo/ba', '/', ['boo/bar'], ['boo/baz/']],
      ['', 'o', ['a', 'asdf', 'b/1', 'b/2', 'b/c/3', 'cquux/bla', 'cquux/thud', 'z', 'ü', 'ﬀ', '🦉'], ['bo']],
      ['', 'qu', ['a', 'asdf', 'b/1', 'b/2', 'b/c/3', 'boo/bar', 'boo/baz/xyzzy', 'z', 'ü', 'ﬀ', '🦉'], ['cqu']],
      ['nothing', '/', [], []],
    ])('prefix %j and delimiter %j', async (Prefix, Delimiter, keys, prefixes) => {
      const page = await s3.listObjectsV2({ Bucket, Prefix, Delimiter })
      expect(keysOf(page)).toEqual(keys)
      expect(prefixesOf(page)).toEqual(prefixes)
      const first = await s3.listObjects({ Bucket, Prefix, Delimiter })
      expect(keysOf(first)).toEqual(keys)
      expect(prefixesOf(first)).toEqual(prefixes)
    })

    test.each(['', '/'])('pages of every size join to the whole with delimiter %j', async (Delimiter) => {
      const whole = await s3.listObjectsV2({ Bucket, Delimiter })
      for (const MaxKeys of [1, 2, 3, 5]) {
        const keys: unknown[] = []
        const prefixes: unknown[] = []
        let ContinuationToken: string | undefined
        do {
          const page = await s3.listObjectsV2({ Bucket, Delimiter, MaxKeys, ContinuationToken })
          expect(page.KeyCount).toBe(keysOf(page).length + prefixesOf(page).length)
          expect(page.KeyCount).toBeLessThanOrEqual(MaxKeys)
          expect(page.IsTruncated).toBe(page.NextContinuationToken !== undefined)
          keys.push(...keysOf(page))
          prefixes.push(...prefixesOf(page))
          ContinuationToken = page.NextContinuationToken
        } while (ContinuationToken !== undefined)
        expect(keys).toEqual(keysOf(whole))
        expect(prefixes).toEqual(prefixesOf(whole))
      }
    })

    test('V1 goes on after its marker, and names the next one with a delimiter', async () => {
      const page = await s3.listObjects({ Bucket, Delimiter: '/', MaxKeys: 3 })
      expect([...keysOf(page), ...prefixesOf(page)]).toEqual(['a', 'asdf', 'b/'])
      expect(page).toMatchObject({ IsTruncated: true, NextMarker: 'b/' })
      const next = await s3.listObjects({ Bucket, Delimiter: '/', MaxKeys: 2, Marker: page.NextMarker })
      expect(prefixesOf(next)).toEqual(['boo/', 'cquux/'])
      expect(next.Marker).toBe('b/')
    })

    test('start-after need not be a key, and a token goes before it', async () => {
      expect(keysOf(await s3.listObjectsV2({ Bucket, StartAfter: 'cquux/c' }))).toEqual(inOrder.slice(inOrder.indexOf('cquux/thud')))
      const page = await s3.listObjectsV2({ Bucket, MaxKeys: 2 })
      const next = await s3.listObjectsV2({ Bucket, StartAfter: 'z', ContinuationToken: page.NextContinuationToken, MaxKeys: 1 })
      expect(keysOf(next)).toEqual(['b/1'])
      expect(next.StartAfter).toBeUndefined()
    })

    test('no row is asked for, none comes, and nothing more is promised', async () => {
      const page = await s3.listObjectsV2({ Bucket, MaxKeys: 0 })
      expect(page).toMatchObject({ KeyCount: 0, MaxKeys: 0, IsTruncated: false })
      expect(keysOf(page)).toEqual([])
    })

    test('more than 1,000 rows are never sent, whatever is asked', async () => {
      expect((await s3.listObjectsV2({ Bucket, MaxKeys: 2000 })).MaxKeys).toBe(1000)
    })

    test.each(['max-keys=abc', 'max-keys=-1', 'max-keys=2147483648', 'encoding-type=base64', 'continuation-token=no-token-of-ours'])(
      'the parameter %s is refused',
      async (parameter) => {
        const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}`, query: `list-type=2&${parameter}` })
        expect(reply.status).toBe(400)
        expect(reply.element('Code')).toBe('InvalidArgument')
      },
    )

    test('encoding-type=url encodes keys, prefixes and delimiter, and leaves slashes', async () => {
      const Key = 'odd/ +%&é(1).txt'
      await s3.putObject({ Bucket: odd, Key, Body: 'x' })
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${odd}`, query: 'encoding-type=url&list-type=2&prefix=odd%2F%20' })
      expect(reply.element('Key')).toBe('odd/+%2B%25%26%C3%A9%281%29.txt')
      expect(reply.element('Prefix')).toBe('odd/+')
      expect(reply.element('EncodingType')).toBe('url')
      const plain = await s3.listObjectsV2({ Bucket: odd, Prefix: 'odd/ ' })
      expect(keysOf(plain)).toEqual([Key])
      expect(plain.EncodingType).toBeUndefined()
    })

    test('XML markup and control characters in keys survive', async () => {
      const Key = `<a href="x">&amp;'\u0001\n`
      await s3.putObject({ Bucket: odd, Key, Body: 'x' })
      const page = await s3.listObjectsV2({ Bucket: odd, Prefix: '<', EncodingType: 'url' })
      expect(keysOf(page).map((key) => decodeURIComponent((key ?? '').replaceAll('+', ' ')))).toEqual([Key])
      const raw = await sendRaw(endpoint, { method: 'GET', path: `/${odd}`, query: 'list-type=2&prefix=%3C' })
      expect(raw.text).toContain('&lt;a href=&quot;x&quot;&gt;&amp;amp;')
    })

    test('rows tell which checksum the object has', async () => {
      const Key = newKey()
      await s3.putObject({ Bucket: odd, Key, Body: 'x', ChecksumAlgorithm: 'CRC32C' })
      const page = await s3.listObjectsV2({ Bucket: odd, Prefix: Key })
      expect(page.Contents?.[0]).toMatchObject({ ChecksumAlgorithm: ['CRC32C'], ChecksumType: 'FULL_OBJECT' })
    })
  })

  describe('listings of versions', () => {
    const Bucket = scratchBucket(s3, { versioning: 'Enabled' })
    const written: { key: string; version: string | undefined }[] = []
    beforeAll(async () => {
      for (const key of ['a', 'b/1', 'b/2', 'c']) {
        for (const Body of ['one', 'two']) written.push({ key, version: (await s3.putObject({ Bucket, Key: key, Body })).VersionId })
      }
      written.push({ key: 'c', version: (await s3.deleteObject({ Bucket, Key: 'c' })).VersionId })
    })
    /** Newest first within a key. */
    const expected = () =>
      ['a', 'b/1', 'b/2', 'c'].flatMap((key) => written.flatMap((each) => (each.key === key ? [`${key} ${each.version}`] : [])).reverse())

    test('each version and marker is listed, newest first within a key', async () => {
      const reply = await sendRaw(endpoint, { method: 'GET', path: `/${Bucket}`, query: 'versions' })
      const rows = [...reply.text.matchAll(/<(Version|DeleteMarker)>.*?<\/\1>/gs)].map(([row]) => row)
      const named = rows.map((row) => `${/<Key>(.*?)<\/Key>/.exec(row)?.[1]} ${/<VersionId>(.*?)<\/VersionId>/.exec(row)?.[1]}`)
      expect(named).toEqual(expected())
      const page = await s3.listObjectVersions({ Bucket })
      expect(page.DeleteMarkers?.[0]).toMatchObject({ Key: 'c', IsLatest: true })
      expect(page.Versions?.filter((each) => each.Key === 'c').map((each) => each.IsLatest)).toEqual([false, false])
      expect(page.Versions?.[0]).toMatchObject({ Key: 'a', IsLatest: true, Size: 3, StorageClass: 'STANDARD' })
      expect(page.Versions?.[0]?.Owner?.ID).toMatch(/^[0-9a-f]{64}$/)
    })

    test.each([1, 2, 3, 4])('pages of %i join to the whole', async (MaxKeys) => {
      const seen: string[] = []
      let markers: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {}
      for (;;) {
        const page = await s3.listObjectVersions({ Bucket, MaxKeys, ...markers })
        const rows = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
        expect(rows.length).toBeLessThanOrEqual(MaxKeys)
        seen.push(...rows.map((row) => `${row.Key} ${row.VersionId}`))
        if (page.IsTruncated !== true) break
        expect(page.NextKeyMarker).toBeTruthy()
        markers = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
      }
      expect(seen.sort()).toEqual(expected().sort())
    })

    test('versions fold into common prefixes', async () => {
      const page = await s3.listObjectVersions({ Bucket, Delimiter: '/' })
      expect(page.CommonPrefixes).toEqual([{ Prefix: 'b/' }])
      expect(new Set(page.Versions?.map((each) => each.Key))).toEqual(new Set(['a', 'c']))
      const below = await s3.listObjectVersions({ Bucket, Prefix: 'b/2' })
      expect(below.Versions).toHaveLength(2)
    })

    test('a key marker without a version goes on behind all versions of that key', async () => {
      const page = await s3.listObjectVersions({ Bucket, KeyMarker: 'b/2' })
      expect(new Set(page.Versions?.map((each) => each.Key))).toEqual(new Set(['c']))
    })

    test('a version marker without a key marker is refused', async () => {
      const marker = written[0]?.version
      expect(await refusal(s3.listObjectVersions({ Bucket, VersionIdMarker: marker }))).toMatchObject({
        code: 'InvalidArgument',
        status: 400,
      })
    })

    test.each([1, 2, 3])('pages of %i versions, each removed before the next is asked for, leave nothing behind', async (MaxKeys) => {
      const Prefix = newKey()
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })
      for (const Body of ['1', '2', '3']) await s3.putObject({ Bucket, Key: Prefix, Body })
      await s3.deleteObject({ Bucket, Key: Prefix })
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Suspended' } })
      await s3.putObject({ Bucket, Key: Prefix, Body: 'null' })
      let found = 0
      for (let markers = {}; ; ) {
        const page = await s3.listObjectVersions({ Bucket, Prefix, MaxKeys, ...markers })
        const rows = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
        expect(rows.filter((row) => row.IsLatest)).toHaveLength(1)
        found += rows.length
        for (const { VersionId } of rows) await s3.deleteObject({ Bucket, Key: Prefix, VersionId })
        if (page.IsTruncated !== true) break
        markers = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
      }
      expect(found).toBe(5)
      expect((await s3.listObjectVersions({ Bucket, Prefix })).Versions).toBeUndefined()
      await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } })
    })

    test('objects behind a delete marker are not listed as objects', async () => {
      expect((await s3.listObjectsV2({ Bucket })).Contents?.map((each) => each.Key)).toEqual(['a', 'b/1', 'b/2'])
    })
  })
}
