/** packaging/rescue: stock Python opens bundles and reads the disks of a site on which no Holdfast runs any more. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, listing } from '../e2e/site-contents.ts'
import { holdfastOk, makeSite, removeTemporary, serveSite, temporaryDirectory } from '../served-site.ts'
import { MIB, mustRun, type Ran, run, sha256 } from './tools.ts'

const rescue = join(import.meta.dirname, '..', '..', 'packaging', 'rescue')
const vectors = join(import.meta.dirname, '..', 'vectors', 'bundles', 'hybrid-1')
const DISKS = ['disk1', 'disk2', 'disk3', 'disk4']

/** A version as S3 shows it and as the script should: without `sha256` it is a delete marker. */
type Held = { bucket: string; key: string; version: string; latest: boolean; bytes?: number; sha256?: string }

let home: string
/** What was at each site when it was served for the last time. */
const held = new Map<string, Held[]>()

/** The same bytes for the same name, so that nothing needs to be kept. */
function bytesFor(name: string, count: number): Buffer {
  const content = Buffer.alloc(count)
  for (let at = 0, state = Number.parseInt(sha256(Buffer.from(name)).slice(0, 8), 16); at < count; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    content[at] = state >>> 24
  }
  return content
}

async function fill(client: S3Client): Promise<void> {
  const put = (Bucket: string, Key: string, bytes: number, more: object = {}) =>
    client.send(new PutObjectCommand({ Bucket, Key, Body: bytesFor(`${Key} ${bytes}`, bytes), ...more }))
  for (const Bucket of ['plain', 'kept', 'gone']) await client.send(new CreateBucketCommand({ Bucket }))
  await client.send(new PutBucketVersioningCommand({ Bucket: 'kept', VersioningConfiguration: { Status: 'Enabled' } }))
  for (const bytes of [0, 1, 31, 1000, 131_072, 131_073, 262_144, 262_145, 3 * MIB + 17]) await put('plain', `sizes/${bytes}`, bytes)
  await put('plain', 'a', 10, { Metadata: { colour: 'red' }, ContentType: 'text/x', Tagging: 'x=1' })
  for (const Key of ['a/b', 'a/b/c', '../outside', 'a//b', 'größe', `${'long'.repeat(100)}`]) await put('plain', Key, 200)
  await put('plain', 'replaced', 100)
  await put('plain', 'replaced', MIB)
  await put('plain', 'deleted', MIB)
  await client.send(new DeleteObjectCommand({ Bucket: 'plain', Key: 'deleted' }))
  await put('gone', 'only', 1)
  await client.send(new DeleteObjectCommand({ Bucket: 'gone', Key: 'only' }))

  for (const bytes of [100, 200_000, 300]) await put('kept', 'three', bytes)
  const removed = await put('kept', 'three', 4 * MIB)
  await client.send(new DeleteObjectCommand({ Bucket: 'kept', Key: 'three', VersionId: removed.VersionId }))
  await put('kept', 'hidden', 500_000)
  await client.send(new DeleteObjectCommand({ Bucket: 'kept', Key: 'hidden' }))
  await client.send(new PutBucketVersioningCommand({ Bucket: 'kept', VersioningConfiguration: { Status: 'Suspended' } }))
  await put('kept', 'three', 7)
  await put('kept', 'three', 8)
  const Tagging = { TagSet: [{ Key: 'late', Value: 'yes' }] }
  await client.send(new PutObjectTaggingCommand({ Bucket: 'plain', Key: 'a', Tagging }))

  const upload = { Bucket: 'kept', Key: 'in parts' }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(upload))
  const Parts = []
  for (const [index, bytes] of [5 * MIB, 5 * MIB + 3, 1000].entries()) {
    const part = { ...upload, UploadId, PartNumber: index + 1 }
    if (index === 0) await client.send(new UploadPartCommand({ ...part, Body: bytesFor('replaced part', 6 * MIB) }))
    Parts.push({
      PartNumber: index + 1,
      ETag: (await client.send(new UploadPartCommand({ ...part, Body: bytesFor(`part ${index}`, bytes) }))).ETag,
    })
  }
  await client.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }))

  const CopySource = '/kept/in%20parts'
  await client.send(new CopyObjectCommand({ Bucket: 'plain', Key: 'copied whole', CopySource }))
  await client.send(new CopyObjectCommand({ Bucket: 'plain', Key: 'copied small', CopySource: '/plain/a' }))
  const copy = { Bucket: 'plain', Key: 'copied in parts' }
  const second = await client.send(new CreateMultipartUploadCommand(copy))
  const range = { ...copy, UploadId: second.UploadId, PartNumber: 1, CopySource, CopySourceRange: `bytes=100-${9 * MIB}` }
  const { CopyPartResult } = await client.send(new UploadPartCopyCommand(range))
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: CopyPartResult?.ETag }] }
  await client.send(new CompleteMultipartUploadCommand({ ...copy, UploadId: second.UploadId, MultipartUpload }))
}

/** All that S3 shows, read through it. */
async function readAll(client: S3Client): Promise<Held[]> {
  const found: Held[] = []
  for (const { bucket, key, versionId, latest, marker } of await listing(client)) {
    const version = { bucket, key, version: versionId, latest }
    if (marker) {
      found.push(version)
      continue
    }
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, VersionId: versionId }))
    const content = (await Body?.transformToByteArray()) ?? new Uint8Array(0)
    found.push({ ...version, bytes: content.length, sha256: sha256(content) })
  }
  return found
}

beforeAll(async () => {
  home = temporaryDirectory()
  for (const name of ['alpha', 'bravo']) {
    makeSite(join(home, name), '--name', name)
    writeFileSync(join(home, `${name}.identity`), holdfastOk('site', 'identity', join(home, name)))
  }
  const before = await serveSite(join(home, 'alpha'))
  await fill(clientOf(before))
  expect(await before.stop()).toBe(0)
  cpSync(join(home, 'alpha', 'disk2'), join(home, 'earlier'), { recursive: true })

  const alpha = await serveSite(join(home, 'alpha'))
  for (const [Key, bytes] of [
    ['later', 200],
    ['later and large', MIB],
  ] as const)
    await clientOf(alpha).send(new PutObjectCommand({ Bucket: 'plain', Key, Body: bytesFor(Key, bytes) }))
  await clientOf(alpha).send(new DeleteObjectCommand({ Bucket: 'plain', Key: 'replaced' }))
  held.set('alpha', await readAll(clientOf(alpha)))
  expect(await alpha.stop()).toBe(0)

  holdfastOk('peer', 'add', join(home, 'alpha'), join(home, 'bravo.identity'), '--name', 'bravo')
  holdfastOk('peer', 'add', join(home, 'bravo'), join(home, 'alpha.identity'), '--name', 'alpha')
  holdfastOk('bundle', 'export', join(home, 'alpha'), '--to', 'bravo', '--out', join(home, 'stick'))
  holdfastOk('bundle', 'import', join(home, 'bravo'), join(home, 'stick'), '--map', 'plain=imported')
  // What alpha removes from now on is brought back at bravo.
  const harm = await serveSite(join(home, 'alpha'))
  const { Versions = [] } = await clientOf(harm).send(new ListObjectVersionsCommand({ Bucket: 'kept' }))
  const doomed = Versions.filter(({ Key }) => Key !== 'three')
  for (const { Key, VersionId } of doomed) await clientOf(harm).send(new DeleteObjectCommand({ Bucket: 'kept', Key, VersionId }))
  await clientOf(harm).send(new PutObjectCommand({ Bucket: 'plain', Key: 'a/b', Body: 'spoilt' }))
  await clientOf(harm).send(new DeleteObjectCommand({ Bucket: 'plain', Key: 'copied whole' }))
  held.set('alpha', await readAll(clientOf(harm)))
  expect(await harm.stop()).toBe(0)
  holdfastOk('bundle', 'export', join(home, 'alpha'), '--to', 'bravo', '--out', join(home, 'second stick'))
  holdfastOk('bundle', 'import', join(home, 'bravo'), join(home, 'second stick'))
  expect(holdfastOk('peer', 'undo', join(home, 'bravo'), 'alpha', '--since', '1h')).toContain(`Brought back ${doomed.length + 2} versions`)
  const bravo = await serveSite(join(home, 'bravo'))
  const client = clientOf(bravo)
  await client.send(new PutObjectCommand({ Bucket: 'imported', Key: 'added here', Body: bytesFor('added here', 400_000) }))
  await client.send(new DeleteObjectCommand({ Bucket: 'kept', Key: 'three' }))
  held.set('bravo', await readAll(client))
  expect(await bravo.stop()).toBe(0)
})

afterAll(() => removeTemporary(home))

/** Disks of a site as they are found somewhere, `present` ones only. */
function found(site: string, present: readonly string[]): string[] {
  const folder = join(home, `${site} with ${present.join(' ')}`)
  rmSync(folder, { recursive: true, force: true })
  return present.map((disk) => {
    cpSync(join(home, site, disk), join(folder, disk), { recursive: true })
    return join(folder, disk)
  })
}

const readDisks = (disks: readonly string[], ...more: string[]): Ran =>
  run(home, '', 'python3', [join(rescue, 'read-disks.py'), ...disks, ...more])

type Listed = {
  bucket: string
  key: string
  version: string
  latest: boolean
  bytes?: number
  file?: string | null
  [other: string]: unknown
}
const lines = (out: string): Listed[] =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Listed)

const sorted = (versions: readonly Held[]): Held[] => {
  const name = ({ bucket, key, version }: Held) => JSON.stringify([bucket, key, version])
  return versions.toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
}

const asHeld = (into: string, { bucket, key, version, latest, bytes, file }: Listed): Held => ({
  bucket,
  key,
  version,
  latest,
  ...(bytes !== undefined && { bytes }),
  ...(typeof file === 'string' && { sha256: sha256(readFileSync(join(into, file))) }),
})

test.each([
  ['alpha', ['disk3', 'disk4']],
  ['alpha', ['disk1', 'disk2']],
  ['alpha', ['disk4', 'disk1']],
  ['alpha', ['disk2', 'disk3']],
  ['alpha', DISKS],
  ['bravo', ['disk2', 'disk4']],
] as const)('with only these disks of %s, %j, every version is read as S3 gave it', (site, present) => {
  const into = join(home, `${site}-${present.join('')}`)
  const ran = readDisks(found(site, present), '--into', into)
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: '' })
  const listed = lines(ran.out)
  expect(sorted(listed.map((line) => asHeld(into, line)))).toEqual(sorted(held.get(site) ?? []))
  expect(readFileSync(join(into, site === 'bravo' ? 'imported' : 'plain', 'größe')).length).toBe(200)
  expect(readdirSync(home)).not.toContain('outside')
  expect(listed.find(({ key }) => key === 'a')).toMatchObject({
    tags: [['late', 'yes']],
    metadata: [['colour', 'red']],
    headers: { contentType: 'text/x' },
  })
})

test('it lists without reading content, and takes out only what is asked for', () => {
  const disks = found('alpha', ['disk1', 'disk3'])
  const listed = readDisks(disks, '--only', 'kept/three')
  expect(listed.code).toBe(0)
  expect(lines(listed.out).map(({ latest, bytes, version }) => [bytes, latest, version === 'null'])).toEqual([
    [8, true, true],
    [300, false, false],
    [200_000, false, false],
    [100, false, false],
  ])
  const into = join(home, 'some')
  expect(readDisks(disks, '--only', 'kept/three', '--into', into).code).toBe(0)
  expect(readdirSync(join(into, '_others'))).toHaveLength(3)
  expect(readdirSync(into).sort()).toEqual(['_others', 'kept'])
})

/** The largest shard on a disk. */
function largestShard(disk: string): string {
  const files = readdirSync(join(disk, 'extents'), { recursive: true, encoding: 'utf8' }).map((name) => join(disk, 'extents', name))
  return files.sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? ''
}

test('a damaged shard is made up for; with one too few, the objects lost are named and nothing wrong is given out', () => {
  const disks = found('alpha', ['disk1', 'disk2', 'disk3'])
  for (const disk of disks.slice(0, 1)) {
    const shard = largestShard(disk)
    const content = readFileSync(shard)
    content[70_000] = (content[70_000] ?? 0) ^ 1
    writeFileSync(shard, content)
  }
  const into = join(home, 'mended')
  expect(readDisks(disks, '--into', into)).toMatchObject({ code: 0, err: '' })

  truncateSync(largestShard(disks[0] ?? ''), 200)
  const less = join(home, 'less')
  const ran = readDisks(disks.slice(0, 2), '--into', less)
  expect(ran.code).toBe(3)
  expect(ran.err).toContain('cannot be read from these disks')
  const listed = lines(ran.out)
  const lost = listed.filter(({ file }) => file === null)
  expect(lost.length).toBeGreaterThan(0)
  expect(ran.err.trim().split('\n')).toHaveLength(lost.length)
  const known = new Map(held.get('alpha')?.map((version) => [`${version.bucket}/${version.key} ${version.version}`, version]))
  for (const line of listed) {
    if (typeof line.file !== 'string') continue
    expect(asHeld(less, line)).toEqual(known.get(`${line.bucket}/${line.key} ${line.version}`))
  }
  for (const { bucket, key, latest } of lost) if (latest) expect(existsSync(join(less, bucket, key))).toBe(false)
})

test('a disk as it was earlier takes nothing back: what it missed comes from the others', () => {
  const into = join(home, 'with an earlier one')
  const ran = readDisks([join(home, 'earlier'), ...found('alpha', ['disk3', 'disk4'])], '--into', into)
  expect({ code: ran.code, err: ran.err }).toEqual({ code: 0, err: '' })
  expect(sorted(lines(ran.out).map((line) => asHeld(into, line)))).toEqual(sorted(held.get('alpha') ?? []))
})

test('with more disks missing than there is parity it says that it cannot know all', () => {
  const ran = readDisks(found('alpha', ['disk2']))
  expect(ran.code).toBe(3)
  expect(ran.err).toContain('3 disks of set 0 are missing, which has parity for 2: the newest changes may be missing too.')
})

test('disks of two sites are refused', () => {
  const ran = readDisks([join(home, 'alpha', 'disk1'), join(home, 'bravo', 'disk1')])
  expect(ran).toMatchObject({ code: 1, out: '' })
  expect(ran.err.trim()).toBe('These are not the disks of one site.')
})

test('a bundle opens, signatures checked', () => {
  type Expected = { fingerprint: string; statement: object; entries: ({ operations: string } | { content: string; sha256: string })[] }
  const expected = JSON.parse(readFileSync(join(vectors, 'expected.json'), 'utf8')) as Expected
  const out = join(home, 'opened')
  mkdirSync(home, { recursive: true })
  const script = join(rescue, 'open-bundle.py')
  const said = mustRun(home, '', 'python3', [script, join(vectors, 'bravo.keys.json'), out, join(vectors, 'bundle')])
  expect(said).toContain(expected.fingerprint)
  for (const entry of expected.entries)
    if ('content' in entry) expect(sha256(readFileSync(join(out, 'content', entry.content)))).toBe(entry.sha256)
  expect(readFileSync(join(out, 'operations', '000000000001'), 'utf8')).toBe((expected.entries[0] as { operations: string }).operations)
  expect(JSON.parse(readFileSync(join(out, 'statement'), 'utf8'))).toEqual(expected.statement)
  expect(readdirSync(join(out, 'content'))).toHaveLength(3)
})

test('each script is short enough to be read before it is trusted', () => {
  for (const name of readdirSync(rescue).filter((name) => name.endsWith('.py'))) {
    expect(readFileSync(join(rescue, name), 'utf8').split('\n').length, name).toBeLessThanOrEqual(151)
  }
})
