/**
 * The main job from end to end, through public interfaces only: a real tree goes into a site, disks are lost and nothing else is, and a bundle carries
 * everything to a second site that never shared a network with the first. The tests go on from one another.
 */
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type CommandRun,
  holdfast,
  holdfastOk,
  holdfastStarted,
  makeSite,
  removeTemporary,
  type ServedSite,
  serveSite,
  temporaryDirectory,
} from '../served-site.ts'
import { clientOf, contents, inParallel, listing, versioningOf } from './site-contents.ts'

const MIB = 1024 * 1024
const LARGE_BYTES = 300 * 1000 * 1000
/** For the sake of the test's time every third file of the tree, and not the largest: what they would show, the 300 MB file shows. */
const FILE_BYTES_MAX = 4 * MIB

let home: string
let directoryA: string
let directoryB: string
let a: ServedSite
let b: ServedSite
let clientA: S3Client
let clientB: S3Client
const files: { key: string; path: string }[] = []

beforeAll(async () => {
  home = temporaryDirectory()
  directoryA = join(home, 'a')
  directoryB = join(home, 'b')
  makeSite(directoryA, '--name', 'alpha')
  makeSite(directoryB, '--name', 'beta')
  const tree = join(import.meta.dirname, '..', '..', 'node_modules')
  const paths = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    // Tools keep what they compiled in hidden folders, and change it.
    .filter((path) => !path.slice(tree.length).includes('/.'))
    .filter((path) => statSync(path).size <= FILE_BYTES_MAX)
    .sort()
  for (const [index, path] of paths.entries()) if (index % 3 === 0) files.push({ key: path.slice(tree.length + 1), path })
  a = await serveSite(directoryA)
  clientA = clientOf(a)
})

afterAll(async () => {
  clientA?.destroy()
  clientB?.destroy()
  await a?.stop()
  await b?.stop()
  removeTemporary(home)
})

const identityFile = (name: string): string => join(home, `${name}.identity`)
const out = (name: string): string => join(home, name)
const diskStates = (directory: string): string[] =>
  (JSON.parse(holdfastOk('disk', 'status', directory, '--json')).disks as { state: string }[]).map((disk) => disk.state)

async function until(what: () => boolean, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Reads a sample of the tree and the large file at site A and compares the bytes. */
async function expectReadable(): Promise<void> {
  const sample = files.filter((_, index) => index % 20 === 0)
  await inParallel(sample, 16, async (file) => {
    const got = await clientA.send(new GetObjectCommand({ Bucket: 'versioned', Key: file.key }))
    expect(Buffer.compare(Buffer.from((await got.Body?.transformToByteArray()) ?? []), readFileSync(file.path)), file.key).toBe(0)
  })
  const large = await clientA.send(new GetObjectCommand({ Bucket: 'versioned', Key: 'large.bin' }))
  const hash = createHash('sha256')
  for await (const chunk of large.Body as AsyncIterable<Uint8Array>) hash.update(chunk)
  expect(hash.digest('hex')).toBe(largeDigest)
}

let largeDigest = ''

describe('a site with a lost disk', () => {
  test('takes a real tree into a versioned, an unversioned and a suspended bucket', async () => {
    expect(files.length).toBeGreaterThan(3000)
    for (const bucket of ['versioned', 'unversioned', 'suspended']) await clientA.send(new CreateBucketCommand({ Bucket: bucket }))
    const versioning = (Bucket: string, Status: 'Enabled' | 'Suspended') =>
      clientA.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }))
    await versioning('versioned', 'Enabled')
    await inParallel(files, 16, async (file, index) => {
      const body = readFileSync(file.path)
      await clientA.send(new PutObjectCommand({ Bucket: 'versioned', Key: file.key, Body: body, Metadata: { number: String(index) } }))
      if (index % 10 === 0)
        await clientA.send(new PutObjectCommand({ Bucket: 'unversioned', Key: file.key, Body: body, ContentType: 'text/x-test' }))
    })
    // Suspended: some versions from before, null versions on top of some of them, markers on others.
    await versioning('suspended', 'Enabled')
    const some = files.slice(0, 60)
    await inParallel(
      some,
      8,
      async (file) => void (await clientA.send(new PutObjectCommand({ Bucket: 'suspended', Key: file.key, Body: 'first' }))),
    )
    await versioning('suspended', 'Suspended')
    await inParallel(
      some.slice(0, 40),
      8,
      async (file) => void (await clientA.send(new PutObjectCommand({ Bucket: 'suspended', Key: file.key, Body: 'null' }))),
    )
    await inParallel(
      some.slice(30),
      8,
      async (file) => void (await clientA.send(new DeleteObjectCommand({ Bucket: 'suspended', Key: file.key }))),
    )
    await clientA.send(
      new PutObjectTaggingCommand({
        Bucket: 'versioned',
        Key: files[0]?.key ?? '',
        Tagging: { TagSet: [{ Key: 'class', Value: 'open' }] },
      }),
    )
    const block = randomBytes(MIB)
    const large = Buffer.alloc(LARGE_BYTES)
    for (let at = 0; at < LARGE_BYTES; at += MIB) {
      block.writeUInt32LE(at, 0)
      block.copy(large, at)
    }
    largeDigest = createHash('sha256').update(large).digest('hex')
    await new Upload({
      client: clientA,
      params: { Bucket: 'versioned', Key: 'large.bin', Body: large },
      partSize: 16 * MIB,
      queueSize: 4,
    }).done()
  }, 240_000)

  test('a disk directory deleted while serving shows within 2 s, and reads and writes go on', async () => {
    rmSync(join(directoryA, 'disk2'), { recursive: true })
    await until(() => diskStates(directoryA)[1] === 'out', 2000)
    await clientA.send(new PutObjectCommand({ Bucket: 'versioned', Key: 'written/degraded', Body: randomBytes(1_000_000) }))
    await expectReadable()
    expect(JSON.parse(holdfastOk('status', directoryA, '--json'))).toMatchObject({ state: 'degraded', survives: 1 })
  }, 60_000)

  test('the disk is replaced and healed while serving', async () => {
    holdfastOk('disk', 'replace', directoryA, join(directoryA, 'disk2'), join(directoryA, 'disk2'))
    expect(diskStates(directoryA)).toEqual(['in', 'in', 'in', 'in'])
    expect(JSON.parse(holdfastOk('status', directoryA, '--json'))).toMatchObject({ state: 'healthy', survives: 2 })
  }, 120_000)

  test('then two other disks are deleted, and everything still reads', async () => {
    for (const disk of ['disk1', 'disk3']) rmSync(join(directoryA, disk), { recursive: true })
    await until(() => diskStates(directoryA).filter((state) => state === 'out').length === 2, 4000)
    await expectReadable()
    for (const disk of ['disk1', 'disk3']) holdfastOk('disk', 'replace', directoryA, join(directoryA, disk), join(directoryA, disk))
    expect(diskStates(directoryA)).toEqual(['in', 'in', 'in', 'in'])
  }, 240_000)
})

describe('a bundle', () => {
  test('two sites come to trust each other by identity and fingerprint', () => {
    const introduce = (from: string, to: string, name: string): void => {
      writeFileSync(identityFile(name), holdfastOk('site', 'identity', from))
      const { fingerprint } = JSON.parse(holdfastOk('site', 'identity', from, '--json'))
      holdfastOk('peer', 'add', to, identityFile(name), '--name', name, '--fingerprint', fingerprint)
    }
    introduce(directoryA, directoryB, 'alpha')
    introduce(directoryB, directoryA, 'beta')
    for (const [site, name] of [
      [directoryA, 'beta'],
      [directoryB, 'alpha'],
    ] as const) {
      expect(JSON.parse(holdfastOk('peer', 'list', site, '--json'))).toMatchObject({ peers: [{ name, compared: true, state: 'trusted' }] })
    }
  })

  test('with two volumes lost and two damaged at different places, verify names all four and import repairs them', async () => {
    holdfastOk('bundle', 'export', directoryA, '--to', 'beta', '--out', out('first'), '--volume-size', '50MB', '--parity', '3')
    const volumes = volumesOf(out('first'))
    expect(volumes.length).toBeGreaterThan(7)
    const [lost1, lost2, flipped1, flipped2] = [volumes[1], volumes[4], volumes[2], volumes[6]] as [string, string, string, string]
    rmSync(join(out('first'), lost1))
    rmSync(join(out('first'), lost2))
    flip(join(out('first'), flipped1), 5_000_000)
    flip(join(out('first'), flipped2), 31_000_000)
    const verified = holdfast('bundle', 'verify', out('first'), '--signer', identityFile('alpha'))
    expect(verified.code).toBe(3)
    for (const name of [lost1, lost2, flipped1, flipped2]) expect(verified.out + verified.err).toContain(name)
    holdfastOk('bundle', 'import', directoryB, out('first'), '--receipt', out('first.receipt'))
    b = await serveSite(directoryB)
    clientB = clientOf(b)
    await expectEqualSites()
    for (const bucket of ['versioned', 'unversioned', 'suspended'])
      expect(await versioningOf(clientB, bucket)).toBe(await versioningOf(clientA, bucket))
  }, 240_000)

  test('100 changes at A and 100 at B, exported both ways incrementally, converge to the same listing', async () => {
    holdfastOk('bundle', 'acknowledge', directoryA, out('first.receipt'))
    await Promise.all([hundredChanges(clientA, 'a'), hundredChanges(clientB, 'b')])
    carry(directoryA, 'beta', 'a-to-b', directoryB)
    carry(directoryB, 'alpha', 'b-to-a', directoryA)
    carry(directoryA, 'beta', 'a-to-b-2', directoryB)
    expect(folderBytes(out('a-to-b'))).toBeLessThan(20 * MIB)
    await expectEqualSites()
  }, 120_000)

  test('a prefix exported and acknowledged, then everything: the sites are equal', async () => {
    await inParallel(Array.from({ length: 30 }), 8, async (_, index) => {
      await clientA.send(
        new PutObjectCommand({ Bucket: 'versioned', Key: `${index % 2 === 0 ? 'only/' : 'other/'}${index}`, Body: `body ${index}` }),
      )
    })
    carry(directoryA, 'beta', 'prefix', directoryB, '--prefix', 'only/')
    const keys = (await listing(clientB, ['versioned'])).map((version) => version.key)
    expect(keys.filter((key) => key.startsWith('only/'))).toHaveLength(15)
    expect(keys.filter((key) => key.startsWith('other/'))).toHaveLength(0)
    carry(directoryA, 'beta', 'rest', directoryB)
    await expectEqualSites()
  }, 120_000)

  test('an export killed in the middle goes on where it was, and so does an import', async () => {
    await b.stop()
    await clientA.send(new PutObjectCommand({ Bucket: 'versioned', Key: 'again.bin', Body: randomBytes(80 * MIB) }))
    await a.stop()
    await killedWhen(
      ['bundle', 'export', directoryA, '--to', 'beta', '--out', out('killed'), '--volume-size', '20MB', '--parity', '1'],
      () => volumesOf(out('killed')).length >= 2,
    )
    const kept = volumesOf(out('killed'))
      .slice(0, 1)
      .map((name) => readFileSync(join(out('killed'), name)))
    holdfastOk('bundle', 'export', directoryA, '--to', 'beta', '--out', out('killed'), '--volume-size', '20MB', '--parity', '1')
    expect(
      volumesOf(out('killed'))
        .slice(0, 1)
        .map((name) => readFileSync(join(out('killed'), name))),
    ).toEqual(kept)
    const before = folderBytes(directoryB)
    await killedWhen(['bundle', 'import', directoryB, out('killed')], () => folderBytes(directoryB) > before + 20 * MIB)
    holdfastOk('bundle', 'import', directoryB, out('killed'), '--receipt', out('killed.receipt'))
    holdfastOk('bundle', 'acknowledge', directoryA, out('killed.receipt'))
    await serveBoth()
    await expectEqualSites()
  }, 240_000)

  test('importing again changes nothing, and says when it was first applied', async () => {
    const before = await listing(clientB)
    const again = holdfast('bundle', 'import', directoryB, out('killed'))
    expect(again.code).toBe(0)
    expect(again.out).toMatch(/already|first/i)
    expect(again.out).toMatch(/\d{4}-\d{2}-\d{2}T/)
    expect(await listing(clientB)).toEqual(before)
  }, 60_000)
})

describe('a bundle that must not go in is refused with a sentence of its own, and nothing changes', () => {
  const sentences = new Set<string>()

  async function expectRefused(run: () => CommandRun, code: number, words: RegExp): Promise<void> {
    const before = await listing(clientB)
    const refused = run()
    expect(refused.err).toMatch(words)
    expect(refused.code).toBe(code)
    expect(sentences.has(refused.err), `a sentence of its own: ${refused.err}`).toBe(false)
    sentences.add(refused.err)
    expect(await listing(clientB)).toEqual(before)
  }
  const exported = (to: string, name: string, ...flags: string[]): string => {
    holdfastOk('bundle', 'export', directoryA, '--to', to, '--out', out(name), ...flags)
    return out(name)
  }
  const importB = (...dirs: string[]): CommandRun => holdfast('bundle', 'import', directoryB, ...dirs)

  beforeAll(async () => {
    await clientA.send(new PutObjectCommand({ Bucket: 'versioned', Key: 'refusals', Body: randomBytes(3 * MIB) }))
  })

  test('tampered', async () => {
    const dir = exported('beta', 'tampered')
    flip(join(dir, volumesOf(dir)[0] ?? ''), 1_000_000)
    await expectRefused(() => importB(dir), 6, /damage/i)
  })

  test('truncated', async () => {
    const dir = exported('beta', 'truncated')
    const volume = join(dir, volumesOf(dir)[0] ?? '')
    truncateSync(volume, statSync(volume).size - 100)
    await expectRefused(() => importB(dir), 6, /short|truncated|length/i)
  })

  test('signed by a stranger', async () => {
    const directoryC = join(home, 'c')
    makeSite(directoryC, '--name', 'gamma')
    holdfastOk('peer', 'add', directoryC, identityFile('beta'), '--name', 'beta')
    writeFileSync(identityFile('gamma'), holdfastOk('site', 'identity', directoryC))
    const served = await serveSite(directoryC)
    const client = clientOf(served)
    await client.send(new CreateBucketCommand({ Bucket: 'gammas' }))
    await client.send(new PutObjectCommand({ Bucket: 'gammas', Key: 'k', Body: 'v' }))
    holdfastOk('bundle', 'export', directoryC, '--to', 'beta', '--out', out('foreign'))
    client.destroy()
    await served.stop()
    await expectRefused(() => importB(out('foreign')), 4, /fingerprint|not trusted|no peer/i)
  })

  test('made for another site', async () => {
    holdfastOk('peer', 'add', directoryA, identityFile('gamma'), '--name', 'gamma')
    const dir = exported('gamma', 'for-gamma', '--bucket', 'suspended')
    await expectRefused(() => importB(dir), 5, /not to this site/i)
  })

  test('with a gap before it', async () => {
    const directoryC = join(home, 'c')
    holdfastOk('peer', 'add', directoryC, identityFile('alpha'), '--name', 'alpha')
    cpSync(directoryC, join(home, 'c-before'), { recursive: true })
    holdfastOk('bundle', 'import', directoryC, out('for-gamma'), '--receipt', out('gamma.receipt'))
    holdfastOk('bundle', 'acknowledge', directoryA, out('gamma.receipt'))
    await clientA.send(new PutObjectCommand({ Bucket: 'suspended', Key: 'after-the-gap', Body: 'x' }))
    const dir = exported('gamma', 'gapped', '--bucket', 'suspended')
    await expectRefused(() => holdfast('bundle', 'import', join(home, 'c-before'), dir), 6, /missing|gap/i)
    expect(holdfast('bundle', 'import', directoryC, dir).code).toBe(0)
  })

  test('expired', async () => {
    const dir = exported('beta', 'expired', '--expires', '1s')
    const made = Date.now()
    await until(() => Date.now() > made + 1500, 5000)
    await expectRefused(() => importB(dir), 5, /expired/i)
  })

  test('mixed from two bundles', async () => {
    const one = exported('beta', 'mixed-one')
    const two = exported('beta', 'mixed-two')
    const name = volumesOf(one)[0] ?? ''
    cpSync(join(two, volumesOf(two)[0] ?? ''), join(one, name))
    await expectRefused(() => importB(one), 6, /another bundle|belongs/i)
  })

  test('a known id with other content', async () => {
    await clientA.send(new PutObjectCommand({ Bucket: 'versioned', Key: 'twice', Body: randomBytes(50 * MIB) }))
    await a.stop()
    const flags = ['--to', 'beta', '--volume-size', '10MB']
    await killedWhen(['bundle', 'export', directoryA, ...flags, '--out', out('twice')], () => volumesOf(out('twice')).length >= 2)
    const clone = join(home, 'a-clone')
    cpSync(directoryA, clone, { recursive: true })
    cpSync(out('twice'), out('twice-kept'), { recursive: true })
    holdfastOk('bundle', 'export', directoryA, ...flags, '--out', out('twice'))
    // The clone's disks are named by absolute paths: it is moved to where the first one was.
    const aside = join(home, 'a-aside')
    moveDirectory(directoryA, aside)
    moveDirectory(out('twice'), out('twice-done'))
    moveDirectory(clone, directoryA)
    moveDirectory(out('twice-kept'), out('twice'))
    holdfastOk('bundle', 'export', directoryA, ...flags, '--out', out('twice'))
    moveDirectory(directoryA, clone)
    moveDirectory(aside, directoryA)
    a = await serveSite(directoryA)
    clientA = clientOf(a)
    expect(importB(out('twice-done')).code).toBe(0)
    await expectRefused(() => importB(out('twice')), 5, /other content|same id/i)
  }, 120_000)
})

function moveDirectory(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  renameSync(from, to)
}

/** Exports from one site to the other, imports there, and acknowledges the receipt. */
function carry(from: string, peer: string, name: string, to: string, ...flags: string[]): void {
  holdfastOk('bundle', 'export', from, '--to', peer, '--out', out(name), ...flags)
  if (!existsSync(out(name)) || readdirSync(out(name)).length === 0) return
  holdfastOk('bundle', 'import', to, out(name), '--receipt', out(`${name}.receipt`))
  holdfastOk('bundle', 'acknowledge', from, out(`${name}.receipt`))
}

async function hundredChanges(client: S3Client, who: string): Promise<void> {
  for (let index = 0; index < 100; index++) {
    const Bucket = ['versioned', 'unversioned', 'suspended'][index % 3] ?? ''
    // Half of the keys are the site's own, half are changed by both.
    const Key = index % 2 === 0 ? `${who}/${index}` : `both/${index % 30}`
    if (index % 7 === 6) await client.send(new DeleteObjectCommand({ Bucket, Key }))
    else await client.send(new PutObjectCommand({ Bucket, Key, Body: `${who} ${index}`, Metadata: { by: who } }))
  }
}

async function expectEqualSites(): Promise<void> {
  const [listedA, listedB] = await Promise.all([listing(clientA), listing(clientB)])
  expect(listedB).toEqual(listedA)
  // What was compared before is immutable; it is not read again.
  const fresh = listedA.filter((version) => !compared.has(`${version.bucket}/${version.key}@${version.versionId} ${version.modified}`))
  const [contentsA, contentsB] = await Promise.all([contents(clientA, fresh), contents(clientB, fresh)])
  expect(contentsB).toEqual(contentsA)
  for (const version of fresh) compared.add(`${version.bucket}/${version.key}@${version.versionId} ${version.modified}`)
}

const compared = new Set<string>()

async function serveBoth(): Promise<void> {
  a = await serveSite(directoryA)
  b = await serveSite(directoryB)
  clientA = clientOf(a)
  clientB = clientOf(b)
}

/** Starts a command and kills it as soon as `when` holds. */
async function killedWhen(args: string[], when: () => boolean): Promise<void> {
  const child = holdfastStarted(...args)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  await until(when, 60_000)
  child.kill('SIGKILL')
  await ended
}

/** The finished data volumes of a bundle, by name in order. */
function volumesOf(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((name) => /volume.*\d/i.test(name) && !/trailer|parity|tmp|partial/i.test(name))
    .sort()
}

function folderBytes(directory: string): number {
  let bytes = 0
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

function flip(file: string, offset: number): void {
  const content = readFileSync(file)
  content[offset] = (content[offset] ?? 0) ^ 1
  writeFileSync(file, content)
}
