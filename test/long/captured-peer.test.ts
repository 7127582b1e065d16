/** The command line's side of a peer that went bad: it removes everything, is stopped, and what it removed is brought back; with both sites served, through S3. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf } from '../e2e/site-contents.ts'
import { holdfast, holdfastOk, makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'

const home = temporaryDirectory()
const path = (name: string): string => join(home, name)
const [alpha, beta] = [path('alpha'), path('beta')]
let sites: ServedSite[] = []
let a: S3Client
let b: S3Client

beforeAll(async () => {
  for (const directory of [alpha, beta]) makeSite(directory)
  sites = [await serveSite(alpha), await serveSite(beta)]
  ;[a, b] = sites.map(clientOf) as [S3Client, S3Client]
  for (const [from, to, name] of [
    [alpha, beta, 'alpha'],
    [beta, alpha, 'beta'],
  ] as const) {
    writeFileSync(path(`${name}.identity`), holdfastOk('site', 'identity', from))
    const { fingerprint } = JSON.parse(holdfastOk('site', 'identity', from, '--json'))
    holdfastOk('peer', 'add', to, path(`${name}.identity`), '--name', name, '--fingerprint', fingerprint)
  }
}, 60_000)
afterAll(async () => {
  for (const site of sites) await site.stop()
  removeTemporary(home)
})

let bundles = 0
const exported = (from: string, to: string): string => {
  const out = path(`bundle-${++bundles}`)
  holdfastOk('bundle', 'export', from, '--to', to, '--out', out)
  return out
}

const text = async (client: S3Client, Bucket: string, Key: string): Promise<string | undefined> => {
  try {
    return await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString()
  } catch {
    return undefined
  }
}

test('what a peer removed comes back, its later removals are refused, and both sites can tell that they hold the same', async () => {
  await b.send(new CreateBucketCommand({ Bucket: 'plain' }))
  await b.send(new CreateBucketCommand({ Bucket: 'kept' }))
  await b.send(new PutBucketVersioningCommand({ Bucket: 'kept', VersioningConfiguration: { Status: 'Enabled' } }))
  for (const Bucket of ['plain', 'kept'])
    for (let i = 0; i < 5; i++)
      await b.send(new PutObjectCommand({ Bucket, Key: `dir/${i}`, Body: `${Bucket} ${i}`, Metadata: { n: `${i}` } }))
  const first = exported(beta, 'alpha')
  const imported = JSON.parse(holdfastOk('bundle', 'import', alpha, first, '--json'))

  // No file goes back: somebody types what the screen showed, with all the slips that do not matter.
  const typed = imported.shortReceipt.toLowerCase().replaceAll('0', 'o').split('-') as string[]
  expect(holdfastOk('bundle', 'import', alpha, first)).toContain(imported.shortReceipt)
  const slip = holdfast('bundle', 'acknowledge', beta, ...typed.slice(0, 13), 'zzzz')
  expect(slip).toMatchObject({ code: 5, err: 'holdfast: This short receipt is mistyped: compare it once more, group by group.\n' })
  expect(holdfastOk('bundle', 'acknowledge', beta, ...typed)).toMatch(/^alpha holds 13 changes of bundle /)
  expect(holdfastOk('bundle', 'export', beta, '--to', 'alpha', '--out', path('none'))).toContain('nothing was written')

  // Captured: the one bucket is emptied for good and deleted, in the other all is overwritten.
  const { Versions = [] } = await a.send(new ListObjectVersionsCommand({ Bucket: 'kept' }))
  for (const { Key, VersionId } of Versions) await a.send(new DeleteObjectCommand({ Bucket: 'kept', Key, VersionId }))
  await a.send(new DeleteBucketCommand({ Bucket: 'kept' }))
  for (let i = 0; i < 5; i++) await a.send(new PutObjectCommand({ Bucket: 'plain', Key: `dir/${i}`, Body: 'send money' }))
  const harm = exported(alpha, 'beta')
  holdfastOk('bundle', 'import', beta, harm)
  expect(await text(b, 'plain', 'dir/1')).toBe('send money')
  expect(await text(b, 'kept', 'dir/1')).toBeUndefined()
  expect(JSON.parse(holdfastOk('status', beta, '--json'))).toMatchObject({ hidden: { versions: 10, bytes: 65 } })
  expect(holdfastOk('status', beta)).toContain('Removed by peers, and kept for "holdfast peer undo": 10 versions, 65 B')

  expect(holdfastOk('peer', 'set', beta, 'alpha', '--deny', 'deletes')).toBe(
    'alpha may bring versions, markers, configuration, not deletes, in buckets that it made or was sent; what it removes can be brought back for 30 days.\n',
  )
  expect(holdfastOk('peer', 'list', beta)).toContain(
    'not deletes, in buckets that it made or was sent; what it removes can be brought back for 30 days (10 versions, 65 B now).',
  )
  expect(holdfastOk('peer', 'undo', beta, 'alpha', '--since', '1h', '--dry-run')).toBe(
    'Would bring back 10 versions (65 bytes) that alpha had removed; nothing was changed.\nWould be back, with what was in it: bucket kept.\n',
  )
  expect(holdfastOk('peer', 'undo', beta, 'alpha', '--since', '1h')).toContain(
    'Brought back 10 versions (65 bytes) that alpha had removed.',
  )
  for (let i = 0; i < 5; i++) {
    expect(await text(b, 'plain', `dir/${i}`)).toBe(`plain ${i}`)
    expect(await text(b, 'kept', `dir/${i}`)).toBe(`kept ${i}`)
  }
  const head = await b.send(new GetObjectCommand({ Bucket: 'kept', Key: 'dir/3' }))
  expect(head.Metadata).toEqual({ n: '3' })

  await a.send(new DeleteObjectCommand({ Bucket: 'plain', Key: 'dir/1' }))
  const refused = holdfast('bundle', 'import', beta, exported(alpha, 'beta'))
  expect(refused.code).toBe(5)
  expect(refused.err).toContain('alpha sends what it may not do here: 1 permanent delete (first: plain/dir/1). Nothing was changed.')

  // Cured, and told what was undone.
  holdfastOk('peer', 'set', beta, 'alpha', '--allow', 'deletes')
  holdfastOk('bundle', 'import', beta, exported(alpha, 'beta'))
  const file = path('plain.digest')
  holdfastOk('bucket', 'digest', beta, 'plain', '--out', file)
  const differs = holdfast('bucket', 'compare', alpha, 'plain', file)
  expect(differs.code).toBe(6)
  expect(differs.err).toContain('differs:     dir/0')
  expect(differs.err).toContain('Exchange bundles both ways, then compare again.')
  holdfastOk('bundle', 'import', alpha, exported(beta, 'alpha'))
  for (const bucket of ['plain', 'kept']) {
    const digest = (site: string): string => JSON.parse(holdfastOk('bucket', 'digest', site, bucket, '--content', '--json')).digest
    expect(digest(alpha)).toBe(digest(beta))
  }
  expect(holdfastOk('bucket', 'compare', alpha, 'plain', file)).toContain('holds the same here')

  holdfastOk('bundle', 'inspect', harm, '--site', beta, '--html', path('page.html'))
  expect(readFileSync(path('page.html'), 'utf8')).toContain('Whole, and signed by a known site')
  expect(holdfast('bundle', 'inspect', harm, '--html', path('no/such/folder/page.html'))).toMatchObject({ code: 6 })
  expect(holdfast('peer', 'undo', beta, 'alpha', '--since', 'yesterday').code).toBe(2)
}, 120_000)
