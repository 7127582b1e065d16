/** What every Store does, whatever is below. `run` lets the store's world go on until a promise settles. */
import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Result } from '../../src/result.ts'
import type { ContentSource, ListInput, Store } from '../../src/store/store.ts'
import type { Bucket, BucketName, ObjectAttributes, ObjectVersion, Upload, Version } from '../../src/store/terms.ts'

export type StoreFixture = {
  readonly store: Store
  run<T>(promise: Promise<T>): Promise<T>
  close(): Promise<void>
}

export function must<T>(result: Result<T, unknown>): T {
  if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.error)}`)
  return result.value
}
export const errorOf = (result: Result<unknown, unknown>): unknown => (result.ok ? 'ok' : result.error)

export const md5 = (bytes: Uint8Array): string => hash('md5', bytes)
export const pattern = (bytes: number, seed = 1): Uint8Array => {
  const made = new Uint8Array(bytes)
  for (let at = 0, x = seed * 2654435761 + 1; at < bytes; at++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0
    made[at] = x >>> 24
  }
  return made
}
export const plain = (body: Uint8Array, more: Partial<ObjectAttributes> = {}): ObjectAttributes => ({
  etag: md5(body),
  headers: { contentType: 'text/plain' },
  userMetadata: [],
  tags: [],
  ...more,
})

/** Short ways to use a store in tests. */
export class StoreUser {
  readonly fixture: StoreFixture
  readonly store: Store
  readonly run: <T>(promise: Promise<T>) => Promise<T>

  constructor(fixture: StoreFixture) {
    this.fixture = fixture
    this.store = fixture.store
    this.run = (promise) => fixture.run(promise)
  }

  async bucket(name: string, versioning?: 'enabled' | 'suspended'): Promise<Bucket> {
    const bucket = must(await this.run(this.store.createBucket({ name: name as BucketName, owner: 'f'.repeat(64) })))
    if (versioning !== undefined) must(await this.run(this.store.putVersioning(bucket.id, versioning)))
    return bucket
  }

  async stage(body: Uint8Array, expectedBytes?: number): Promise<ContentSource> {
    return this.run(
      (async () => {
        const writer = this.store.stage(expectedBytes)
        for (let at = 0; at < body.length; at += 60_000) await writer.write(body.slice(at, at + 60_000))
        return { kind: 'staged', staged: must(await writer.finish()) } as const
      })(),
    )
  }

  async tryPut(bucket: Bucket, key: string, body: Uint8Array | string, more: Partial<Parameters<Store['putObject']>[0]> = {}) {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const content = more.content ?? (await this.stage(bytes))
    return this.run(this.store.putObject({ bucketId: bucket.id, key, attributes: plain(bytes), ...more, content }))
  }

  async put(bucket: Bucket, key: string, body: Uint8Array | string, more: Partial<Parameters<Store['putObject']>[0]> = {}) {
    return must(await this.tryPut(bucket, key, body, more))
  }

  find(bucket: Bucket, key: string, versionId?: string): Promise<Version | undefined> {
    return this.run(this.store.findVersion(bucket.id, key, versionId))
  }

  async object(bucket: Bucket, key: string, versionId?: string): Promise<ObjectVersion> {
    const version = await this.find(bucket, key, versionId)
    if (version?.kind !== 'object') throw new Error(`no object ${key}`)
    return version
  }

  async bytesOf(version: ObjectVersion, from = 0, to = version.bytes): Promise<Uint8Array> {
    return this.run(
      (async () => {
        const reader = this.store.read(version, from, to)
        const chunks: Uint8Array[] = []
        for (;;) {
          const chunk = must(await reader.read())
          if (chunk === undefined) break
          chunks.push(new Uint8Array(chunk))
        }
        reader.close()
        return Buffer.concat(chunks)
      })(),
    )
  }

  async text(bucket: Bucket, key: string, versionId?: string): Promise<string | undefined> {
    const version = await this.find(bucket, key, versionId)
    return version?.kind === 'object' ? Buffer.from(await this.bytesOf(version)).toString() : version?.kind
  }

  delete(bucket: Bucket, key: string, versionId?: string) {
    return this.run(this.store.deleteObject({ bucketId: bucket.id, key, ...(versionId && { versionId }) }))
  }

  list(bucket: Bucket, more: Partial<ListInput> = {}) {
    return this.run(this.store.listObjects({ bucketId: bucket.id, prefix: '', delimiter: '', after: '', max: 1000, ...more }))
  }

  versions(bucket: Bucket, more: Partial<ListInput> & { afterVersionId?: string } = {}) {
    return this.run(this.store.listVersions({ bucketId: bucket.id, prefix: '', delimiter: '', after: '', max: 1000, ...more }))
  }

  /** "key" or "key!" of a marker, "*" behind the latest, newest first. */
  async history(bucket: Bucket): Promise<string[]> {
    const { entries } = await this.versions(bucket)
    return entries.map(
      (entry) =>
        `${entry.key}${entry.kind === 'delete-marker' ? '!' : ''}${entry.isLatest ? '*' : ''}${entry.versionId === 'null' ? '@null' : ''}`,
    )
  }
}

export function storeContract(name: string, open: () => Promise<StoreFixture>): void {
  describe(`the store on ${name}`, () => {
    let fixture: StoreFixture
    let user: StoreUser
    beforeAll(async () => {
      fixture = await open()
      user = new StoreUser(fixture)
    })
    afterAll(() => fixture.close())

    test('buckets are made once, found, listed by name, and deleted when empty', async () => {
      const { store, run } = user
      const made = await user.bucket('b-two')
      await user.bucket('b-one')
      const again = await run(store.createBucket({ name: 'b-two' as BucketName, owner: 'e'.repeat(64) }))
      expect(errorOf(again)).toMatchObject({ kind: 'exists', bucket: { id: made.id, owner: 'f'.repeat(64) } })
      expect(await run(store.findBucket('b-two' as BucketName))).toEqual(made)
      expect((await run(store.listBuckets())).map((bucket) => bucket.name).filter((each) => each.startsWith('b-'))).toEqual([
        'b-one',
        'b-two',
      ])
      await user.put(made, 'x', 'x')
      expect(errorOf(await run(store.deleteBucket(made.id)))).toBe('not-empty')
      must(await user.delete(made, 'x'))
      must(await run(store.deleteBucket(made.id)))
      expect(await run(store.findBucket('b-two' as BucketName))).toBeUndefined()
      expect(errorOf(await run(store.deleteBucket(made.id)))).toBe('no-such-bucket')
      expect(errorOf(await user.tryPut(made, 'x', 'x'))).toBe('no-such-bucket')
      const anew = await user.bucket('b-two')
      expect(anew.id).not.toBe(made.id)
    })

    test('configurations are kept with their bucket, and each change is seen at once', async () => {
      const { store, run } = user
      const bucket = await user.bucket('configured')
      must(await run(store.putConfiguration(bucket.id, 'tagging', '[["a","b"]]')))
      expect((await run(store.findBucket(bucket.name)))?.configuration).toEqual({ tagging: '[["a","b"]]' })
      must(await run(store.putConfiguration(bucket.id, 'tagging', undefined)))
      must(await run(store.putVersioning(bucket.id, 'enabled')))
      expect(await run(store.findBucket(bucket.name))).toMatchObject({ configuration: {}, versioning: 'enabled' })
    })

    test('what was put is what is read, for sizes small and large, whole and in ranges', async () => {
      const bucket = await user.bucket('contents')
      for (const bytes of [0, 1, 4096, 128 * 1024, 128 * 1024 + 1, 700_001]) {
        const body = pattern(bytes, bytes)
        await user.put(bucket, `size-${bytes}`, body)
        const version = await user.object(bucket, `size-${bytes}`)
        expect(version).toMatchObject({ bytes, etag: md5(body), versionId: 'null', isLatest: true, partCount: 0 })
        expect(md5(await user.bytesOf(version))).toBe(md5(body))
        const [from, to] = [Math.floor(bytes / 3), Math.ceil((2 * bytes) / 3)]
        expect(md5(await user.bytesOf(version, from, to))).toBe(md5(body.subarray(from, to)))
      }
    })

    test('attributes come back as they were given', async () => {
      const bucket = await user.bucket('attributes')
      const attributes: ObjectAttributes = {
        etag: md5(Buffer.from('x')),
        headers: { contentType: 'text/html; charset=utf-8', cacheControl: 'no-store', expires: 'soon' },
        userMetadata: [
          ['colour', 'blåbær'],
          ['empty', ''],
        ],
        tags: [
          ['k', 'v'],
          ['ключ', ''],
        ],
        checksum: { algorithm: 'CRC64NVME', type: 'FULL_OBJECT', value: 'AAAAAAAAAAA=' },
      }
      await user.put(bucket, 'naïve/ключ 🔑', 'x', { attributes })
      expect(await user.object(bucket, 'naïve/ключ 🔑')).toMatchObject(attributes)
      const { entries } = await user.list(bucket)
      expect(entries).toMatchObject([
        { key: 'naïve/ключ 🔑', bytes: 1, etag: attributes.etag, checksumAlgorithm: 'CRC64NVME', checksumType: 'FULL_OBJECT' },
      ])
    })

    test('in an unversioned bucket a put replaces and a delete removes', async () => {
      const bucket = await user.bucket('unversioned')
      await user.put(bucket, 'a', 'one')
      const written = await user.put(bucket, 'a', 'two')
      expect(written).toMatchObject({ versionId: 'null', versioning: 'unversioned' })
      expect(await user.text(bucket, 'a')).toBe('two')
      expect(await user.history(bucket)).toEqual(['a*@null'])
      expect(must(await user.delete(bucket, 'a'))).toMatchObject({ kind: 'removed', versionId: 'null', removedMarker: false })
      expect(must(await user.delete(bucket, 'a'))).toMatchObject({ kind: 'nothing', versionId: undefined })
      expect(await user.history(bucket)).toEqual([])
    })

    test('in a versioned bucket nothing is lost, markers hide, and removing one uncovers what was below', async () => {
      const bucket = await user.bucket('versioned', 'enabled')
      const first = await user.put(bucket, 'a', 'one')
      const second = await user.put(bucket, 'a', 'two')
      expect(first.versionId).not.toBe(second.versionId)
      const marker = must(await user.delete(bucket, 'a'))
      expect(marker).toMatchObject({ kind: 'marker-made', versioning: 'enabled' })
      expect(await user.find(bucket, 'a')).toMatchObject({ kind: 'delete-marker', versionId: marker.versionId, isLatest: true })
      expect((await user.list(bucket)).entries).toEqual([])
      expect(await user.history(bucket)).toEqual(['a!*', 'a', 'a'])
      expect(await user.text(bucket, 'a', first.versionId)).toBe('one')
      expect(await user.find(bucket, 'a', second.versionId)).toMatchObject({ isLatest: false })
      expect(must(await user.delete(bucket, 'a', marker.versionId))).toMatchObject({ kind: 'removed', removedMarker: true })
      expect(await user.text(bucket, 'a')).toBe('two')
      must(await user.delete(bucket, 'a', second.versionId))
      expect(await user.text(bucket, 'a')).toBe('one')
      expect(await user.history(bucket)).toEqual(['a*'])
      expect(must(await user.delete(bucket, 'a', second.versionId))).toMatchObject({ kind: 'nothing' })
      expect(must(await user.delete(bucket, 'b', 'nonsense'))).toMatchObject({ kind: 'nothing' })
    })

    test('a suspended bucket has one null version for each key, wherever it is', async () => {
      const { store, run } = user
      const bucket = await user.bucket('suspended')
      await user.put(bucket, 'a', 'null one')
      must(await run(store.putVersioning(bucket.id, 'enabled')))
      await user.put(bucket, 'a', 'named')
      expect(await user.history(bucket)).toEqual(['a*', 'a@null'])
      expect(await user.text(bucket, 'a', 'null')).toBe('null one')
      must(await run(store.putVersioning(bucket.id, 'suspended')))
      await user.put(bucket, 'a', 'null two')
      expect(await user.history(bucket)).toEqual(['a*@null', 'a'])
      expect(must(await user.delete(bucket, 'a'))).toMatchObject({ kind: 'marker-made', versionId: 'null', versioning: 'suspended' })
      expect(await user.history(bucket)).toEqual(['a!*@null', 'a'])
      await user.put(bucket, 'a', 'null three')
      expect(await user.history(bucket)).toEqual(['a*@null', 'a'])
      must(await user.delete(bucket, 'a', 'null'))
      expect(await user.text(bucket, 'a')).toBe('named')
      expect(await user.find(bucket, 'a', 'null')).toBeUndefined()
    })

    test('conditions are decided with the change', async () => {
      const bucket = await user.bucket('conditions', 'enabled')
      const absent = { condition: { kind: 'absent' } } as const
      const etag = (of: string) => ({ condition: { kind: 'etag', etag: of } }) as const
      expect(errorOf(await user.tryPut(bucket, 'a', 'x', etag('*')))).toBe('no-such-key')
      await user.put(bucket, 'a', 'one', absent)
      expect(errorOf(await user.tryPut(bucket, 'a', 'two', absent))).toBe('precondition-failed')
      expect(errorOf(await user.tryPut(bucket, 'a', 'two', etag(md5(Buffer.from('other')))))).toBe('precondition-failed')
      await user.put(bucket, 'a', 'two', etag(md5(Buffer.from('one'))))
      const stale = { bucketId: bucket.id, key: 'a', ...etag(md5(Buffer.from('one'))) }
      expect(errorOf(await user.run(user.store.deleteObject(stale)))).toBe('precondition-failed')
      must(await user.delete(bucket, 'a'))
      await user.put(bucket, 'a', 'three', absent)
    })

    test('of racing writers that want the key absent exactly one wins', async () => {
      const bucket = await user.bucket('races')
      const contents = await Promise.all(
        Array.from({ length: 20 }, (_, i) => Buffer.from(`writer ${i}`)).map((body) =>
          user.stage(body).then((content) => ({ body, content })),
        ),
      )
      const results = await user.run(
        Promise.all(
          contents.map(({ body, content }) =>
            user.store.putObject({ bucketId: bucket.id, key: 'k', attributes: plain(body), content, condition: { kind: 'absent' } }),
          ),
        ),
      )
      const winners = results.flatMap((result, i) => (result.ok ? [`writer ${i}`] : []))
      expect(winners).toHaveLength(1)
      expect(await user.text(bucket, 'k')).toBe(winners[0])
    })

    test('listings page by keys and common prefixes, in the order of UTF-8', async () => {
      const bucket = await user.bucket('listings')
      const keys = ['a', 'a/1', 'a/2', 'a/b/3', 'a0', 'b/', 'b/x', 'z', '\u{ff5e}', '\u{1f511}']
      for (const key of keys) await user.put(bucket, key, key)
      const shown = async (more: Partial<ListInput>) => {
        const found: string[] = []
        let after = more.after ?? ''
        for (;;) {
          const page = await user.list(bucket, { ...more, after })
          const both = [...page.entries.map(({ key }) => key), ...page.commonPrefixes.map((prefix) => `${prefix}…`)]
          found.push(...both.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
          if (!page.truncated) return found
          after = page.last
        }
      }
      for (const max of [1, 2, 3, 1000]) {
        expect(await shown({ max })).toEqual(keys)
        expect(await shown({ max, delimiter: '/' })).toEqual(['a', 'a/…', 'a0', 'b/…', 'z', '\u{ff5e}', '\u{1f511}'])
        expect(await shown({ max, prefix: 'a/', delimiter: '/' })).toEqual(['a/1', 'a/2', 'a/b/…'])
        expect(await shown({ max, prefix: 'a' })).toEqual(['a', 'a/1', 'a/2', 'a/b/3', 'a0'])
        expect(await shown({ max, after: 'a/1' })).toEqual(keys.slice(2))
        expect(await shown({ max, after: 'a/1', delimiter: '/' })).toEqual(['a0', 'b/…', 'z', '\u{ff5e}', '\u{1f511}'])
        expect(await shown({ max, prefix: 'nothing' })).toEqual([])
      }
    })

    test('versions page within a key, also behind a version that is gone', async () => {
      const bucket = await user.bucket('version-pages', 'enabled')
      const ids: string[] = []
      for (const key of ['k', 'k', 'k', 'k-2', 'm/1', 'm/2']) ids.push((await user.put(bucket, key, key)).versionId)
      must(await user.delete(bucket, 'k-2'))
      for (const max of [1, 2, 5]) {
        const seen: string[] = []
        let after = ''
        let afterVersionId: string | undefined
        for (;;) {
          const page = await user.versions(bucket, { max, delimiter: '/', after, ...(afterVersionId && { afterVersionId }) })
          seen.push(
            ...page.entries.map((entry) => `${entry.key} ${ids.indexOf(entry.versionId)}${entry.isLatest ? '*' : ''}`),
            ...page.commonPrefixes,
          )
          if (!page.truncated) break
          after = page.last
          afterVersionId = page.lastVersionId || undefined
        }
        expect(seen).toEqual(['k 2*', 'k 1', 'k 0', 'k-2 -1*', 'k-2 3', 'm/'])
      }
      must(await user.delete(bucket, 'k', ids[1]))
      const page = await user.versions(bucket, { after: 'k', afterVersionId: ids[1]!, max: 1 })
      expect(page.entries).toMatchObject([{ key: 'k', versionId: ids[0], isLatest: false }])
    })

    test('tags are replaced on the version named, and nothing else changes', async () => {
      const { store, run } = user
      const bucket = await user.bucket('tags', 'enabled')
      const first = await user.put(bucket, 'a', 'one')
      const second = await user.put(bucket, 'a', 'two')
      const put = (versionId?: string) =>
        run(store.putTags({ bucketId: bucket.id, key: 'a', tags: [['t', '1']], ...(versionId && { versionId }) }))
      expect(must(await put(first.versionId))).toEqual({ versionId: first.versionId })
      expect(await user.object(bucket, 'a', first.versionId)).toMatchObject({
        tags: [['t', '1']],
        etag: md5(Buffer.from('one')),
        position: first.position,
      })
      expect((await user.object(bucket, 'a')).tags).toEqual([])
      expect(must(await put())).toEqual({ versionId: second.versionId })
      expect(errorOf(await put('null'))).toBe('no-such-version')
      const marker = must(await user.delete(bucket, 'a'))
      expect(errorOf(await put())).toBe('no-such-key')
      expect(errorOf(await put(marker.versionId))).toBe('is-delete-marker')
    })

    test('a copy shares bytes and outlives its source', async () => {
      const bucket = await user.bucket('copies')
      for (const bytes of [0, 100, 300_000]) {
        const body = pattern(bytes, 7)
        await user.put(bucket, 'source', body)
        const of = await user.object(bucket, 'source')
        await user.put(bucket, 'copy', body, { content: { kind: 'shared', of, from: 0, to: bytes } })
        await user.put(bucket, 'middle', body.subarray(bytes / 4, bytes / 2), {
          content: { kind: 'shared', of, from: bytes / 4, to: bytes / 2 },
        })
        await user.put(bucket, 'source', body, {
          content: { kind: 'shared', of, from: 0, to: bytes },
          attributes: plain(body, { tags: [['self', '']] }),
        })
        must(await user.delete(bucket, 'source'))
        expect(md5(await user.bytesOf(await user.object(bucket, 'copy')))).toBe(md5(body))
        expect(md5(await user.bytesOf(await user.object(bucket, 'middle')))).toBe(md5(body.subarray(bytes / 4, bytes / 2)))
      }
      const of = await user.object(bucket, 'copy')
      must(await user.delete(bucket, 'copy'))
      expect(errorOf(await user.tryPut(bucket, 'late', 'x', { content: { kind: 'shared', of, from: 0, to: of.bytes } }))).toBe(
        'source-gone',
      )
    })

    test('what a lease protects stays readable after its deletion', async () => {
      const bucket = await user.bucket('leases')
      const body = pattern(400_000, 3)
      await user.put(bucket, 'a', body)
      const lease = user.store.lease()
      const version = await user.object(bucket, 'a')
      const reader = user.store.read(version, 0, version.bytes)
      must(await user.delete(bucket, 'a'))
      expect(await user.find(bucket, 'a')).toBeUndefined()
      const chunks: Uint8Array[] = []
      for (let chunk = must(await user.run(reader.read())); chunk !== undefined; chunk = must(await user.run(reader.read()))) {
        chunks.push(new Uint8Array(chunk))
      }
      reader.close()
      lease.release()
      expect(md5(Buffer.concat(chunks))).toBe(md5(body))
    })

    multipartContract(() => user)
    documentsContract(() => user)
  })
}

function multipartContract(user: () => StoreUser): void {
  const begin = async (bucket: Bucket, key: string) =>
    must(
      await user().run(
        user().store.createUpload({
          bucketId: bucket.id,
          key,
          headers: { contentType: 'video/mp4' },
          userMetadata: [['m', '1']],
          tags: [['t', '']],
          checksumAlgorithm: 'CRC32',
        }),
      ),
    )
  const part = async (bucket: Bucket, key: string, uploadId: string, number: number, body: Uint8Array, content?: ContentSource) => {
    const source = content ?? (await user().stage(body))
    return user().run(user().store.putPart({ bucketId: bucket.id, key, uploadId, number, etag: md5(body), content: source }))
  }

  test('an upload becomes the version of exactly the parts listed, and completing it again answers the same', async () => {
    const { store, run } = user()
    const bucket = await user().bucket('uploads')
    const { uploadId } = await begin(bucket, 'big')
    const bodies = [pattern(200_000, 1), pattern(1000, 2), pattern(150_000, 3)]
    must(await part(bucket, 'big', uploadId, 2, pattern(5, 9)))
    const parts = []
    for (const [i, body] of bodies.entries()) parts.push(must(await part(bucket, 'big', uploadId, 2 * (i + 1), body)))
    must(await part(bucket, 'big', uploadId, 9, pattern(140_000, 4)))
    expect((await run(store.listParts(bucket.id, 'big', uploadId, 2, 2))).parts.map(({ number }) => number)).toEqual([4, 6])
    expect((await run(store.listParts(bucket.id, 'big', uploadId, 0, 2))).truncated).toBe(true)
    expect(await run(store.findUpload(bucket.id, 'big', uploadId))).toMatchObject({
      key: 'big',
      headers: { contentType: 'video/mp4' },
      checksumAlgorithm: 'CRC32',
    })
    const etag = `${md5(Buffer.concat(parts.map((each) => Buffer.from(each.etag, 'hex'))))}-3`
    const input = { bucketId: bucket.id, key: 'big', uploadId, parts, etag }
    expect(errorOf(await run(store.completeUpload({ ...input, parts: [...parts].reverse() })))).toBe('invalid-part')
    expect(errorOf(await run(store.completeUpload({ ...input, parts: [{ ...parts[0]!, etag: md5(Buffer.from('no')) }] })))).toBe(
      'invalid-part',
    )
    const written = must(await run(store.completeUpload(input)))
    expect(must(await run(store.completeUpload(input)))).toEqual(written)
    const version = await user().object(bucket, 'big')
    const whole = Buffer.concat(bodies)
    expect(version).toMatchObject({
      etag,
      partCount: 3,
      bytes: whole.length,
      userMetadata: [['m', '1']],
      tags: [['t', '']],
      headers: { contentType: 'video/mp4' },
    })
    expect(md5(await user().bytesOf(version))).toBe(md5(whole))
    expect(md5(await user().bytesOf(version, 199_990, 201_010))).toBe(md5(whole.subarray(199_990, 201_010)))
    expect((await run(store.parts(version, 2, 1))).map(({ number, bytes }) => [number, bytes])).toEqual([[4, 1000]])
    expect((await run(store.findUpload(bucket.id, 'big', uploadId)))?.completed).toMatchObject({ versionId: 'null', etag })
    expect((await run(store.listUploads({ bucketId: bucket.id, prefix: '', delimiter: '', after: '', max: 10 })))!.entries).toEqual([])
    expect(errorOf(await part(bucket, 'big', uploadId, 1, pattern(1)))).toBe('no-such-upload')
    expect(errorOf(await run(store.abortUpload(bucket.id, 'big', uploadId)))).toBe('no-such-upload')
    expect(await user().list(bucket)).toMatchObject({ entries: [{ key: 'big', etag }] })
  })

  test('parts copied from a multipart object keep their bytes when it is gone', async () => {
    const { store, run } = user()
    const bucket = await user().bucket('part-copies')
    const first = await begin(bucket, 'source')
    const bodies = [pattern(150_000, 5), pattern(150_000, 6)]
    const parts = [
      must(await part(bucket, 'source', first.uploadId, 1, bodies[0]!)),
      must(await part(bucket, 'source', first.uploadId, 2, bodies[1]!)),
    ]
    must(
      await run(
        store.completeUpload({ bucketId: bucket.id, key: 'source', uploadId: first.uploadId, parts, etag: `${md5(Buffer.from('s'))}-2` }),
      ),
    )
    const of = await user().object(bucket, 'source')
    const cut = Buffer.concat(bodies).subarray(100_000, 250_000)
    const second = await begin(bucket, 'target')
    const copied = must(await part(bucket, 'target', second.uploadId, 1, cut, { kind: 'shared', of, from: 100_000, to: 250_000 }))
    await user().put(bucket, 'whole', Buffer.concat(bodies), { content: { kind: 'shared', of, from: 0, to: of.bytes } })
    must(await user().delete(bucket, 'source'))
    must(
      await run(
        store.completeUpload({
          bucketId: bucket.id,
          key: 'target',
          uploadId: second.uploadId,
          parts: [copied],
          etag: `${md5(Buffer.from('t'))}-1`,
        }),
      ),
    )
    expect(md5(await user().bytesOf(await user().object(bucket, 'target')))).toBe(md5(cut))
    const whole = await user().object(bucket, 'whole')
    expect(whole.partCount).toBe(0)
    expect(md5(await user().bytesOf(whole))).toBe(md5(Buffer.concat(bodies)))
  })

  test('open uploads are listed by key and time, and go with abort or their bucket', async () => {
    const { store, run } = user()
    const bucket = await user().bucket('open-uploads')
    const made: Upload[] = []
    for (const key of ['a', 'b/1', 'b/2', 'c', 'a']) made.push(await begin(bucket, key))
    const ask = (more: object) => run(store.listUploads({ bucketId: bucket.id, prefix: '', delimiter: '', after: '', max: 10, ...more }))
    const list = async (more: object = {}) => (await ask(more))!
    expect((await list()).entries.map(({ uploadId }) => made.findIndex((each) => each.uploadId === uploadId))).toEqual([0, 4, 1, 2, 3])
    expect(await ask({ after: 'a', afterUploadId: 'no upload' })).toBeUndefined()
    const first = await list({ max: 1 })
    expect(first).toMatchObject({ truncated: true, last: 'a', lastUploadId: made[0]!.uploadId })
    expect(
      (await list({ after: 'a', afterUploadId: first.lastUploadId })).entries.map(({ uploadId }) =>
        made.findIndex((each) => each.uploadId === uploadId),
      ),
    ).toEqual([4, 1, 2, 3])
    expect((await list({ after: 'a' })).entries.map(({ key }) => key)).toEqual(['b/1', 'b/2', 'c'])
    expect(await list({ delimiter: '/' })).toMatchObject({ commonPrefixes: ['b/'] })
    must(await part(bucket, 'a', made[0]!.uploadId, 1, pattern(150_000)))
    must(await run(store.abortUpload(bucket.id, 'a', made[0]!.uploadId)))
    expect(await run(store.findUpload(bucket.id, 'a', made[0]!.uploadId))).toBeUndefined()
    must(await part(bucket, 'a', made[4]!.uploadId, 1, pattern(150_000)))
    must(await run(store.deleteBucket(bucket.id)))
    expect(await run(store.findUpload(bucket.id, 'a', made[4]!.uploadId))).toBeUndefined()
  })
}

function documentsContract(user: () => StoreUser): void {
  test('documents change all together or not at all', async () => {
    const { store, run } = user()
    const { federation } = store
    const text = (of: Uint8Array | undefined) => of && Buffer.from(of).toString()
    const put = (name: string, content: string | null, expect?: string | null) => ({
      collection: 'peers',
      name,
      content: content === null ? null : Buffer.from(content),
      ...(expect === undefined ? {} : { expect: expect === null ? null : Buffer.from(expect) }),
    })
    must(await run(federation.putDocuments([put('a', '1', null), put('b', '2')])))
    expect(errorOf(await run(federation.putDocuments([put('b', '3'), put('a', '9', null)])))).toBe('conflict')
    expect(text(await run(federation.getDocument('peers', 'b')))).toBe('2')
    must(await run(federation.putDocuments([put('b', null, '2'), put('c', '4')])))
    expect((await run(federation.listDocuments('peers', '', 9))).map(({ name, content }) => [name, text(content)])).toEqual([
      ['a', '1'],
      ['c', '4'],
    ])
    expect((await run(federation.listDocuments('peers', 'a', 9))).map(({ name }) => name)).toEqual(['c'])
  })

  test('operations of a bucket come in order, as they were made', async () => {
    const { store, run } = user()
    const bucket = await user().bucket('operations', 'enabled')
    const { versionId, position } = await user().put(bucket, 'a', 'one')
    must(await user().delete(bucket, 'a'))
    must(await user().delete(bucket, 'a', versionId))
    const last = await run(store.federation.lastOperation(bucket.id))
    const collect = async () => {
      const found = []
      for await (const operation of store.federation.operations(bucket.id, 1, last)) found.push(operation)
      return found
    }
    const operations = await run(collect())
    expect(operations.map(({ number, change }) => [number, change.kind])).toEqual([
      [1, 'create-bucket'],
      [2, 'put-versioning'],
      [3, 'put-object'],
      [4, 'put-marker'],
      [5, 'delete-version'],
    ])
    expect(operations[2]).toMatchObject({ position, frontier: {}, change: { key: 'a', versionId, replaces: null, bytes: 3, parts: [] } })
    expect(operations[4]).toMatchObject({ change: { target: position } })
  })
}
