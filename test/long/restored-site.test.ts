/**
 * A site is restored from an older copy of its directory, disks and all, and goes on: through the program and S3 alone. What its peer has of the time
 * between is not lost, nor is what was written after the restore. The tests go on from one another.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, listing } from '../e2e/site-contents.ts'
import { holdfast, holdfastOk, makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'

let home: string
let alpha: string
let beta: string
let copy: string
let served: ServedSite
const out = (name: string): string => join(home, name)

async function serve(directory: string): Promise<void> {
  served = await serveSite(directory)
}

const stop = (): Promise<unknown> => served.stop()

/** Each request on a connection of its own: between two of them commands may run for longer than a server keeps an idle one. */
async function asked<T>(ask: (client: S3Client) => Promise<T>): Promise<T> {
  const client = clientOf(served)
  try {
    return await ask(client)
  } finally {
    client.destroy()
  }
}

const put = async (key: string, body: string | Buffer): Promise<string> =>
  (await asked((client) => client.send(new PutObjectCommand({ Bucket: 'reports', Key: key, Body: body })))).VersionId ?? ''
const text = (key: string, VersionId?: string): Promise<string | undefined> =>
  asked(async (client) => (await client.send(new GetObjectCommand({ Bucket: 'reports', Key: key, VersionId }))).Body?.transformToString())

/** Carries what one has for the other; `from` or `to` may be the one that is served. */
function carry(name: string, from: string, to: string): string {
  const [bundle, receipt] = [out(name), out(`${name}.receipt`)]
  holdfastOk('bundle', 'export', from, '--to', to === beta ? 'beta' : 'alpha', '--out', bundle)
  const told = holdfastOk('bundle', 'import', to, bundle, '--receipt', receipt)
  holdfastOk('bundle', 'acknowledge', from, receipt)
  return told
}

async function listingOf(directory: string) {
  const isServed = served.directory === directory
  const site = isServed ? served : await serveSite(directory)
  const reader = clientOf(site)
  const found = await listing(reader)
  reader.destroy()
  if (!isServed) await site.stop()
  return found
}

beforeAll(async () => {
  home = temporaryDirectory()
  ;[alpha, beta, copy] = [out('alpha-site'), out('beta-site'), out('alpha-copy')]
  for (const [directory, name] of [
    [alpha, 'alpha'],
    [beta, 'beta'],
  ] as const) {
    makeSite(directory, '--name', name)
    writeFileSync(out(`${name}.identity`), holdfastOk('site', 'identity', directory))
  }
  holdfastOk('peer', 'add', alpha, out('beta.identity'), '--name', 'beta')
  holdfastOk('peer', 'add', beta, out('alpha.identity'), '--name', 'alpha')
  await serve(alpha)
  await asked((client) => client.send(new CreateBucketCommand({ Bucket: 'reports' })))
  await asked((client) =>
    client.send(new PutBucketVersioningCommand({ Bucket: 'reports', VersioningConfiguration: { Status: 'Enabled' } })),
  )
  await put('q1', 'as it was copied')
  await put('doomed', 'deleted later')
  carry('before', alpha, beta)
  await stop()
  await serve(beta)
  await put('of beta', 'by the peer')
  await stop()
  cpSync(alpha, copy, { recursive: true })
  await serve(alpha)
}, 120_000)

afterAll(async () => {
  await stop()
  removeTemporary(home)
})

let lostVersion: string
const lostBytes = Buffer.alloc(700_000, 'lost')
let earlier: string

test('the peer refuses what contradicts what it has', async () => {
  lostVersion = await put('q1', 'written after the copy')
  await put('large', lostBytes)
  await asked((client) => client.send(new DeleteObjectCommand({ Bucket: 'reports', Key: 'doomed' })))
  carry('between', alpha, beta)
  await stop()
  rmSync(alpha, { recursive: true })
  cpSync(copy, alpha, { recursive: true })
  await serve(alpha)
  await put('q2', 'after the restore')
  expect(await text('q1')).toBe('as it was copied')
  earlier = out('conflicting')
  holdfastOk('bundle', 'export', alpha, '--to', 'beta', '--out', earlier)
  const refused = holdfast('bundle', 'import', beta, earlier)
  expect(refused.code).toBe(5)
  expect(refused.err).toMatch(
    /came from alpha before, with another content: that site was restored from an older copy or cloned.*holdfast site new-epoch/,
  )
}, 120_000)

test('the restored site stops when its peer shows it, and S3 goes on', async () => {
  holdfastOk('bundle', 'export', beta, '--to', 'alpha', '--out', out('back'), '--full')
  const met = holdfast('bundle', 'import', alpha, out('back'))
  expect(met.code).toBe(5)
  expect(met.err).toMatch(/beta knows change \d+ of bucket reports made here, but this site has made only \d+.*holdfast site new-epoch/)
  const exported = holdfast('bundle', 'export', alpha, '--to', 'beta', '--out', out('none'), '--json')
  expect(exported.code).toBe(5)
  expect(JSON.parse(exported.out)).toMatchObject({ exit: 5, details: { kind: 'stopped' } })
  expect(holdfastOk('status', alpha)).toMatch(/Stopped since .*S3 goes on meanwhile/)
  await put('q3', 'while stopped')
  expect(await text('q3')).toBe('while stopped')
}, 120_000)

test('after a new epoch both have everything that either acknowledged', async () => {
  expect(JSON.parse(holdfastOk('site', 'new-epoch', alpha, '--json'))).toMatchObject({ before: 1, epoch: 2 })
  expect(JSON.parse(holdfastOk('status', alpha, '--json'))).toMatchObject({ epoch: 2, warnings: [] })
  await put('q4', 'in epoch 2')
  carry('epoch-2', alpha, beta)
  expect(carry('given-back', beta, alpha)).toMatch(/changes of this site itself, which it had lost, came back/)
  carry('settled', alpha, beta)
  expect(await text('q1')).toBe('written after the copy')
  expect(await text('q1', lostVersion)).toBe('written after the copy')
  expect(await text('large')).toBe(lostBytes.toString())
  for (const [key, body] of [
    ['q2', 'after the restore'],
    ['q3', 'while stopped'],
    ['q4', 'in epoch 2'],
  ] as const)
    expect(await text(key)).toBe(body)
  await expect(text('doomed')).rejects.toMatchObject({ name: 'NoSuchKey' })
  expect(await listingOf(beta)).toEqual(await listingOf(alpha))
  expect(holdfastOk('bundle', 'export', alpha, '--to', 'beta', '--out', out('nothing'))).toMatch(/holds everything already/)
}, 120_000)

test('what the earlier epoch signed is refused, and the copy that it came from too', async () => {
  const refused = holdfast('bundle', 'import', beta, earlier)
  expect(refused.code).toBe(5)
  expect(refused.err).toMatch(/epoch 1 of alpha, which has begun epoch 2 since/)
  // The copy goes on as a clone of its own, and is told so.
  holdfastOk('bundle', 'export', copy, '--to', 'beta', '--out', out('of-clone'), '--full')
  expect(holdfast('bundle', 'import', beta, out('of-clone')).err).toMatch(/this is a clone of it/)
  holdfastOk('bundle', 'export', beta, '--to', 'alpha', '--out', out('to-clone'), '--full')
  expect(holdfast('bundle', 'import', copy, out('to-clone')).err).toMatch(/there is a clone of it/)
}, 120_000)

test('the epoch is still there after restarts, offline too, and without the index', async () => {
  await stop()
  expect(JSON.parse(readFileSync(join(alpha, 'site.json'), 'utf8').split('\n')[0] ?? '')).toMatchObject({ epoch: 2 })
  rmSync(join(alpha, 'index'), { recursive: true })
  expect(JSON.parse(holdfastOk('status', alpha, '--json'))).toMatchObject({ epoch: 2 })
  expect(JSON.parse(holdfastOk('site', 'new-epoch', alpha, '--json'))).toMatchObject({ before: 2, epoch: 3 })
  await serve(alpha)
  await put('q5', 'in epoch 3')
  carry('epoch-3', alpha, beta)
  expect(await listingOf(beta)).toEqual(await listingOf(alpha))
}, 120_000)

test('keys are shown and renewed, and a peer is listed, revoked and taken back, at the command line', async () => {
  expect(holdfastOk('site', 'keys', alpha)).toMatch(/in use\.\nA new key every 90 days; private parts are destroyed 365 days after/)
  const rotated = JSON.parse(holdfastOk('site', 'rotate-key', alpha, '--destroy-superseded', '--json'))
  expect(rotated.keys.map(({ state }: { state: string }) => state)).toEqual(['destroyed', 'in use'])
  holdfastOk('bundle', 'export', beta, '--to', 'alpha', '--out', out('old-key'), '--full')
  expect(holdfast('bundle', 'import', alpha, out('old-key')).err).toMatch(
    /sealed to an encryption key that this site does not have any more/,
  )
  await put('q6', 'with a new key')
  carry('new-key', alpha, beta)
  holdfastOk('bundle', 'export', beta, '--to', 'alpha', '--out', out('sealed-anew'), '--full')
  holdfastOk('bundle', 'import', alpha, out('sealed-anew'))
  expect(holdfastOk('peer', 'list', beta)).toMatch(/alpha +[0-9A-Z-]{39} +NEVER COMPARED +\d{4}-\d\d-\d\dT/)
  expect(holdfastOk('peer', 'revoke', beta, 'alpha')).toMatch(/are revoked since/)
  const verified = holdfast('bundle', 'verify', out('new-key'), '--site', beta)
  expect(verified.code).toBe(4)
  expect(verified.err).toMatch(/whose keys were revoked here/)
  expect(holdfastOk('peer', 'list', beta)).toMatch(/REVOKED/)
  const { identity, fingerprint } = JSON.parse(holdfastOk('site', 'identity', alpha, '--json'))
  writeFileSync(out('alpha.identity'), identity)
  expect(holdfast('peer', 'add', beta, out('alpha.identity'), '--name', 'alpha').code).toBe(5)
  holdfastOk('peer', 'add', beta, out('alpha.identity'), '--name', 'alpha', '--fingerprint', fingerprint)
  holdfastOk('bundle', 'verify', out('new-key'), '--site', beta)
  expect(holdfastOk('peer', 'remove', beta, 'alpha')).toMatch(/refused as that of an unknown site/)
  expect(holdfast('bundle', 'verify', out('new-key'), '--site', beta).code).toBe(4)
}, 120_000)
