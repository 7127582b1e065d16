import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACCESS_KEY, makeSite, removeTemporary, SECRET_KEY, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'
import { digests, MIB, makeTree, mustRun, run, sha256 } from './tools.ts'

let home: string
let site: ServedSite
let tree: string
const LARGE_BYTES = 300 * MIB

beforeAll(async () => {
  home = temporaryDirectory()
  makeSite(join(home, 'site'))
  site = await serveSite(join(home, 'site'))
  tree = join(home, 'tree')
  makeTree(tree)
  const large = randomBytes(MIB)
  writeFileSync(
    join(home, 'large.bin'),
    Buffer.concat(Array.from({ length: 300 }, (_, index) => Buffer.concat([Buffer.from([index, index >> 8]), large.subarray(2)]))),
  )
})

afterAll(async () => {
  await site?.stop()
  removeTemporary(home)
})

const tool = (name: string, ...args: string[]): string => mustRun(home, site.endpoint, name, args)

describe('aws-cli', () => {
  const aws = (...args: string[]): string => tool('aws', ...args)

  test('stores a tree, and the second sync moves nothing', () => {
    aws('s3', 'mb', 's3://aws')
    expect(aws('s3', 'sync', tree, 's3://aws/tree')).toContain('upload:')
    expect(aws('s3', 'sync', tree, 's3://aws/tree')).toBe('')
    aws('s3', 'sync', 's3://aws/tree', join(home, 'aws-back'))
    expect(digests(join(home, 'aws-back'))).toEqual(digests(tree))
    expect(aws('s3', 'ls', '--recursive', 's3://aws/tree').trim().split('\n')).toHaveLength(7)
  })

  test('stores 300 MB in parts, copies it at the server, and reads the same bytes', () => {
    aws('s3', 'cp', join(home, 'large.bin'), 's3://aws/large.bin')
    aws('s3', 'cp', 's3://aws/large.bin', 's3://aws/copy.bin')
    aws('s3', 'cp', 's3://aws/copy.bin', join(home, 'aws-large'))
    expect(sha256(readFileSync(join(home, 'aws-large')))).toBe(sha256(readFileSync(join(home, 'large.bin'))))
    const head = JSON.parse(aws('s3api', 'head-object', '--bucket', 'aws', '--key', 'large.bin', '--checksum-mode', 'ENABLED'))
    expect(head.ContentLength).toBe(LARGE_BYTES)
    expect(Object.keys(head).some((name) => name.startsWith('Checksum'))).toBe(true)
  })

  test('reads a range', () => {
    aws('s3api', 'get-object', '--bucket', 'aws', '--key', 'large.bin', '--range', 'bytes=1048570-1048589', join(home, 'range'))
    expect(readFileSync(join(home, 'range'))).toEqual(readFileSync(join(home, 'large.bin')).subarray(1048570, 1048590))
  })

  test('keeps versions, brings an old one back, and deletes for good', () => {
    aws('s3', 'mb', 's3://aws-versions')
    aws('s3api', 'put-bucket-versioning', '--bucket', 'aws-versions', '--versioning-configuration', 'Status=Enabled')
    writeFileSync(join(home, 'v1'), 'one')
    writeFileSync(join(home, 'v2'), 'two')
    const put = (file: string): string =>
      JSON.parse(aws('s3api', 'put-object', '--bucket', 'aws-versions', '--key', 'k', '--body', join(home, file))).VersionId
    const [first, second] = [put('v1'), put('v2')]
    aws('s3', 'rm', 's3://aws-versions/k')
    expect(run(home, site.endpoint, 'aws', ['s3api', 'head-object', '--bucket', 'aws-versions', '--key', 'k']).code).not.toBe(0)
    aws('s3api', 'get-object', '--bucket', 'aws-versions', '--key', 'k', '--version-id', first, join(home, 'v-back'))
    expect(readFileSync(join(home, 'v-back'), 'utf8')).toBe('one')
    const listed = JSON.parse(aws('s3api', 'list-object-versions', '--bucket', 'aws-versions'))
    expect(listed.Versions.map((version: { VersionId: string }) => version.VersionId)).toEqual([second, first])
    expect(listed.DeleteMarkers).toHaveLength(1)
    for (const id of [first, second, listed.DeleteMarkers[0].VersionId])
      aws('s3api', 'delete-object', '--bucket', 'aws-versions', '--key', 'k', '--version-id', id)
    aws('s3', 'rb', 's3://aws-versions')
  })

  test('presigns a URL that anyone can read for a while', async () => {
    aws('configure', 'set', 'default.s3.signature_version', 's3v4')
    const reply = await fetch(aws('s3', 'presign', 's3://aws/tree/plain.txt').trim())
    expect(sha256(Buffer.from(await reply.arrayBuffer()))).toBe(digests(tree)['plain.txt'])
  })

  test('deletes recursively', () => {
    aws('s3', 'rb', '--force', 's3://aws')
    expect(aws('s3', 'ls')).not.toContain(' aws\n')
  })
})

describe('s3cmd', () => {
  const s3cmd = (...args: string[]): string =>
    tool(
      's3cmd',
      `--host=127.0.0.1:${site.port}`,
      `--host-bucket=127.0.0.1:${site.port}`,
      '--no-ssl',
      `--access_key=${ACCESS_KEY}`,
      `--secret_key=${SECRET_KEY}`,
      '--region=us-east-1',
      ...args,
    )

  test('stores a tree, and the second sync moves nothing', () => {
    s3cmd('mb', 's3://s3cmd')
    s3cmd('sync', `${tree}/`, 's3://s3cmd/tree/')
    expect(s3cmd('sync', `${tree}/`, 's3://s3cmd/tree/')).not.toContain('upload:')
    mkdirSync(join(home, 's3cmd-back'))
    s3cmd('sync', 's3://s3cmd/tree/', join(home, 's3cmd-back/'))
    expect(digests(join(home, 's3cmd-back'))).toEqual(digests(tree))
  })

  test('stores 300 MB in parts, tells about it, copies and removes it', () => {
    s3cmd('put', join(home, 'large.bin'), 's3://s3cmd/large.bin')
    expect(s3cmd('info', 's3://s3cmd/large.bin')).toContain(String(LARGE_BYTES))
    s3cmd('cp', 's3://s3cmd/large.bin', 's3://s3cmd/copy.bin')
    s3cmd('get', 's3://s3cmd/copy.bin', join(home, 's3cmd-large'))
    expect(sha256(readFileSync(join(home, 's3cmd-large')))).toBe(sha256(readFileSync(join(home, 'large.bin'))))
    s3cmd('rb', '--force', '--recursive', 's3://s3cmd')
  })
})

describe('rclone', () => {
  const connection = (): string[] => [
    '--config',
    join(home, 'rclone.conf'),
    ...['--s3-provider', 'Other', '--s3-endpoint', site.endpoint],
    ...['--s3-access-key-id', ACCESS_KEY, '--s3-secret-access-key', SECRET_KEY],
  ]
  const rclone = (...args: string[]): string => tool('rclone', ...connection(), ...args)

  test('stores a tree, checks it, and the second sync moves nothing', () => {
    rclone('mkdir', ':s3:rclone')
    rclone('sync', tree, ':s3:rclone/tree')
    rclone('check', '--download', tree, ':s3:rclone/tree')
    const again = run(home, site.endpoint, 'rclone', [...connection(), 'sync', '--stats-one-line', '-v', tree, ':s3:rclone/tree'])
    expect(again.code).toBe(0)
    expect(again.err).toContain('There was nothing to transfer')
  })

  test('stores 300 MB in parts, copies at the server, reads a range, deletes', () => {
    rclone('copyto', join(home, 'large.bin'), ':s3:rclone/large.bin')
    rclone('copyto', ':s3:rclone/large.bin', ':s3:rclone/copy.bin')
    rclone('check', '--one-way', '--max-depth', '1', '--download', '--include', 'large.bin', home, ':s3:rclone')
    writeFileSync(join(home, 'letters'), 'abcdefghijklmnopqrstuvwxyz'.repeat(20_000))
    rclone('copyto', join(home, 'letters'), ':s3:rclone/letters')
    expect(rclone('cat', '--offset', '260002', '--count', '5', ':s3:rclone/letters')).toBe('cdefg')
    rclone('purge', ':s3:rclone')
  })
})

describe('mc', () => {
  const mc = (...args: string[]): string => tool('mc', '--config-dir', join(home, 'mc'), '--json', ...args)

  test('stores a tree, mirrors it twice, the second time moving nothing', () => {
    mc('alias', 'set', 'h', site.endpoint, ACCESS_KEY, SECRET_KEY)
    mc('mb', 'h/mc-tool')
    mc('mirror', tree, 'h/mc-tool/tree')
    expect(mc('mirror', tree, 'h/mc-tool/tree')).not.toContain('"source"')
    mc('mirror', 'h/mc-tool/tree', join(home, 'mc-back'))
    expect(digests(join(home, 'mc-back'))).toEqual(digests(tree))
  })

  test('keeps versions, tags, stat and 300 MB', () => {
    mc('version', 'enable', 'h/mc-tool')
    mc('cp', join(home, 'large.bin'), 'h/mc-tool/large.bin')
    mc('cp', join(home, 'large.bin'), 'h/mc-tool/large.bin')
    expect(mc('ls', '--versions', 'h/mc-tool/large.bin').trim().split('\n')).toHaveLength(2)
    mc('tag', 'set', 'h/mc-tool/large.bin', 'class=secret')
    expect(mc('tag', 'list', 'h/mc-tool/large.bin')).toContain('secret')
    expect(JSON.parse(mc('stat', 'h/mc-tool/large.bin')).size).toBe(LARGE_BYTES)
    mc('cp', 'h/mc-tool/large.bin', join(home, 'mc-large'))
    expect(sha256(readFileSync(join(home, 'mc-large')))).toBe(sha256(readFileSync(join(home, 'large.bin'))))
    mc('rb', '--force', 'h/mc-tool')
  })
})

describe('s5cmd', () => {
  const s5cmd = (...args: string[]): string => tool('s5cmd', '--endpoint-url', site.endpoint, ...args)

  test('stores a tree, and the second sync moves nothing', () => {
    s5cmd('mb', 's3://s5cmd')
    s5cmd('sync', `${tree}/`, 's3://s5cmd/tree/')
    expect(s5cmd('sync', `${tree}/`, 's3://s5cmd/tree/')).toBe('')
    s5cmd('cp', 's3://s5cmd/tree/*', join(home, 's5cmd-back/'))
    expect(digests(join(home, 's5cmd-back'))).toEqual(digests(tree))
  })

  test('stores 300 MB in parts, copies it at the server, and deletes', () => {
    s5cmd('cp', join(home, 'large.bin'), 's3://s5cmd/large.bin')
    s5cmd('cp', 's3://s5cmd/large.bin', 's3://s5cmd/copy.bin')
    s5cmd('cp', 's3://s5cmd/copy.bin', join(home, 's5cmd-large'))
    expect(sha256(readFileSync(join(home, 's5cmd-large')))).toBe(sha256(readFileSync(join(home, 'large.bin'))))
    s5cmd('rm', 's3://s5cmd/*')
    s5cmd('rb', 's3://s5cmd')
  })
})

describe('restic', () => {
  const restic = (...args: string[]): string =>
    mustRun(home, site.endpoint, 'restic', ['-r', `s3:${site.endpoint}/restic/repo`, '--no-cache', ...args], {
      RESTIC_PASSWORD: 'correct horse',
    })

  test('backs up twice, the second time adding nothing, checks every byte, restores, forgets and prunes', () => {
    restic('init')
    restic('backup', tree, join(home, 'large.bin'))
    const second = restic('backup', '--json', tree, join(home, 'large.bin')).trim().split('\n')
    expect(JSON.parse(second.at(-1) ?? '{}').files_new).toBe(0)
    restic('check', '--read-data')
    restic('restore', 'latest', '--target', join(home, 'restic-back'))
    expect(digests(join(home, 'restic-back', tree))).toEqual(digests(tree))
    restic('forget', '--keep-last', '1', '--prune')
    restic('check')
  })
})
