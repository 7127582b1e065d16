/** What somebody meets first: `npm start`, its mistakes in one sentence each, how the server stops, and how commands find a site. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { Agent } from 'node:http'
import { createServer, type LookupFunction } from 'node:net'
import { join } from 'node:path'
import { CreateBucketCommand, ListBucketsCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { program } from '../program.ts'
import { type CommandRun, holdfast, makeSite, removeTemporary, type ServedSite, serveSite, temporaryDirectory } from '../served-site.ts'

const checkout = join(import.meta.dirname, '..', '..')
let home: string

beforeAll(() => {
  home = temporaryDirectory()
})
afterAll(() => removeTemporary(home))

type Started = { readonly text: string; readonly code: Promise<number | null>; readonly child: ChildProcess }

/** Runs what `npm start` runs, until it has said how to stop it, or ended. */
async function npmStart(
  site: string,
  listen = '127.0.0.1:0',
  keys: Readonly<Record<string, string>> = {},
  from = checkout,
): Promise<Started & { readonly err: string }> {
  const { HOLDFAST_ROOT_ACCESS_KEY: _access, HOLDFAST_ROOT_SECRET_KEY: _secret, ...environment } = process.env
  const child = spawn('sh', [join(from, 'packaging', 'start.sh')], {
    env: { ...environment, ...keys, HOLDFAST_SITE: site, HOLDFAST_LISTEN: listen },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('Stop: Ctrl-C')) resolve()
    })
    void code.then(() => resolve())
  })
  return { text, err, code, child }
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

/** Runs a command as somebody who may not do everything: root reads what nobody may. */
function asNobody(words: readonly string[]): CommandRun {
  const isRoot = process.getuid?.() === 0
  const nobody = isRoot ? { uid: 65534, gid: 65534 } : {}
  const mode = statSync(home).mode
  chmodSync(home, 0o755)
  const ran = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8', env: {}, ...nobody })
  chmodSync(home, mode)
  return { code: ran.status, out: ran.stdout, err: ran.stderr }
}

/** One sentence on standard error, the exit code meant for it, and no stack trace. */
function expectSentence(run: CommandRun, code: number, about: RegExp): void {
  expect(run.err).toMatch(/^holdfast: [^\n]+\n$/)
  expect(run.err).not.toMatch(/unforeseen|\bat .*:\d+:\d+/)
  expect(run.err).toMatch(about)
  expect(run.code).toBe(code)
}

describe('npm start', () => {
  test('makes a site of four disks, shows its keys once, and what it says to paste holds the right values', async () => {
    const site = join(home, 'fresh')
    const first = await npmStart(site)
    const value = (pattern: RegExp): string => pattern.exec(first.text)?.[1] ?? ''
    const endpoint = value(/Holdfast serves S3 at (\S+)/)
    const accessKeyId = value(/access key {2}(\S+)/)
    const secretAccessKey = value(/secret key {2}(\S+)/)
    expect(first.text).toContain(
      `export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=${endpoint}\n`,
    )
    expect(first.text).toContain(
      `--s3-endpoint ${endpoint} --s3-access-key-id ${accessKeyId} --s3-secret-access-key ${secretAccessKey} :s3:first`,
    )
    expect(first.text).toContain(
      `boto3.client('s3', endpoint_url='${endpoint}', region_name='us-east-1', aws_access_key_id='${accessKeyId}', aws_secret_access_key='${secretAccessKey}')`,
    )
    const client = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    })
    await client.send(new CreateBucketCommand({ Bucket: 'first' }))
    const status = JSON.parse(holdfast('status', site, '--json').out)
    expect(status).toMatchObject({ state: 'healthy', dataShards: 2, parityShards: 2, buckets: 1 })
    expect(status.disks.map((disk: { path: string }) => disk.path)).toEqual([1, 2, 3, 4].map((number) => join(site, `disk${number}`)))
    expect(modeOf(join(site, 'keys'))).toBe('700')
    expect(modeOf(join(site, 'keys', 'root.json'))).toBe('600')
    expect(modeOf(join(site, 'keys', 'identity.json'))).toBe('600')
    expect(modeOf(join(site, 'admin.sock'))).toBe('600')
    first.child.kill('SIGTERM')
    expect(await first.code).toBe(0)
    expect(existsSync(join(site, 'admin.sock'))).toBe(false)

    const second = await npmStart(site, new URL(endpoint).host)
    expect(second.text).toContain(`Holdfast serves S3 at ${endpoint}\n`)
    expect(second.text).toContain('\nHTTP is served by uWebSockets.js.')
    expect(second.text).toContain(accessKeyId)
    expect(second.text + second.err).not.toContain(secretAccessKey)
    expect((await client.send(new ListBucketsCommand({}))).Buckets?.map((bucket) => bucket.Name)).toEqual(['first'])
    client.destroy()
    second.child.kill('SIGINT')
    expect(await second.code).toBe(0)
  })

  test('answers clients that put the bucket into the host name, also where that is localhost', async () => {
    const started = await npmStart(`${home}/hosted`, '127.0.0.1:0', {
      HOLDFAST_ROOT_ACCESS_KEY: 'hostedadmin',
      HOLDFAST_ROOT_SECRET_KEY: 'hostedsecret',
    })
    const port = /127\.0\.0\.1:(\d+)/.exec(started.text)?.[1]
    const hosts: (string | undefined)[] = []
    // Not every machine resolves names below localhost.
    const lookup: LookupFunction = (host, _options, found) => {
      hosts.push(host)
      found(null, [{ address: '127.0.0.1', family: 4 }])
    }
    const client = new S3Client({
      endpoint: `http://localhost:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'hostedadmin', secretAccessKey: 'hostedsecret' },
      requestHandler: { httpAgent: new Agent({ lookup }) },
    })
    await client.send(new CreateBucketCommand({ Bucket: 'in-the-name' }))
    await client.send(new PutObjectCommand({ Bucket: 'in-the-name', Key: 'a/b', Body: 'hosted' }))
    expect((await client.send(new ListObjectsV2Command({ Bucket: 'in-the-name' }))).Contents).toMatchObject([{ Key: 'a/b', Size: 6 }])
    expect((await client.send(new ListBucketsCommand())).Buckets).toMatchObject([{ Name: 'in-the-name' }])
    expect(new Set(hosts)).toEqual(new Set(['in-the-name.localhost', 'localhost']))
    client.destroy()
    started.child.kill('SIGTERM')
    expect(await started.code).toBe(0)
  })

  test('takes root keys from the environment for a new site, refuses bad ones, and says so where a site has its own', async () => {
    const site = join(home, 'given-keys')
    const both = { HOLDFAST_ROOT_ACCESS_KEY: 'ourown', HOLDFAST_ROOT_SECRET_KEY: 'our own secret' }
    const bad = [
      { keys: { ...both, HOLDFAST_ROOT_ACCESS_KEY: 'a b' }, about: /HOLDFAST_ROOT_ACCESS_KEY must have/ },
      { keys: { ...both, HOLDFAST_ROOT_SECRET_KEY: 'short' }, about: /HOLDFAST_ROOT_SECRET_KEY must have/ },
      { keys: { HOLDFAST_ROOT_ACCESS_KEY: 'ourown' }, about: /HOLDFAST_ROOT_SECRET_KEY must have/ },
      { keys: { HOLDFAST_ROOT_SECRET_KEY: 'our own secret' }, about: /HOLDFAST_ROOT_ACCESS_KEY must have/ },
    ]
    for (const { keys, about } of bad) {
      const ended = await npmStart(site, '127.0.0.1:0', keys)
      expectSentence({ code: await ended.code, out: ended.text, err: ended.err }, 2, about)
      expect(existsSync(site)).toBe(false)
    }
    const starts = [
      { keys: both, err: '' },
      { keys: both, err: '' },
      { keys: { ...both, HOLDFAST_ROOT_SECRET_KEY: 'another secret' }, err: /are not used: .*given-keys has its own root keys/ },
    ]
    for (const { keys, err } of starts) {
      const started = await npmStart(site, '127.0.0.1:0', keys)
      expect(started.text).toContain('access key  ourown')
      // Whoever gave the secret knows it, and what is printed may be kept in a log.
      expect(started.text + started.err).not.toContain('our own secret')
      if (err === '') expect(started.text).toContain('AWS_SECRET_ACCESS_KEY=$HOLDFAST_ROOT_SECRET_KEY ')
      if (typeof err === 'string') expect(started.err).toBe(err)
      else expect(started.err).toMatch(err)
      started.child.kill('SIGTERM')
      expect(await started.code).toBe(0)
    }
  })

  test('runs what the files say now, also when one was put in place with an older time', async () => {
    const copy = join(home, 'a checkout')
    for (const part of ['packaging', 'src', 'package.json', 'package-lock.json']) {
      cpSync(join(checkout, part), join(copy, part), { recursive: true, preserveTimestamps: true })
    }
    mkdirSync(join(copy, 'node_modules'))
    for (const part of readdirSync(join(checkout, 'node_modules'))) {
      const [installed, here] = [checkout, copy].map((root) => join(root, 'node_modules', part)) as [string, string]
      if (part === '.holdfast-installed') copyFileSync(installed, here)
      else if (!part.startsWith('.holdfast')) symlinkSync(installed, here)
    }
    const file = join(copy, 'src', 'cli', 'start.ts')
    const time = new Date('2026-01-01T00:00:00Z')
    utimesSync(file, time, time)
    const said = async (): Promise<string> => {
      const started = await npmStart(join(home, 'of-the-copy'), '127.0.0.1:0', {}, copy)
      started.child.kill('SIGTERM')
      expect(await started.code).toBe(0)
      return /^.* serves S3/m.exec(started.text)?.[0] ?? started.text + started.err
    }
    expect(await said()).toBe('Holdfast serves S3')
    expect(await said()).toBe('Holdfast serves S3')
    writeFileSync(file, readFileSync(file, 'utf8').replace('Holdfast serves S3', 'Changed! serves S3'))
    utimesSync(file, time, time)
    expect(await said()).toBe('Changed! serves S3')
  })

  test('is the server itself: whoever kills it has killed that, and the site can be opened again', async () => {
    const site = join(home, 'killed')
    const { child, code } = await npmStart(site)
    expect(holdfast('serve', site).err).toMatch(new RegExp(`by process ${child.pid}\\b`))
    child.kill('SIGKILL')
    await code
    expect(holdfast('status', site).code).toBe(0)
  })

  test('says in one sentence what stops it, and ends with the code for it', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const file = join(home, 'a-file')
    writeFileSync(file, '')
    const half = join(home, 'half-made')
    mkdirSync(join(half, 'keys'), { recursive: true })
    const stranger = join(home, 'somebody-elses')
    mkdirSync(stranger)
    writeFileSync(join(stranger, 'thesis.txt'), 'mine')
    const cases = [
      { site: join(home, 'other'), listen: `127.0.0.1:${port}`, code: 5, about: new RegExp(`Port ${port} .*taken.*HOLDFAST_LISTEN`) },
      { site: join(file, 'below'), code: 5, about: /not a directory, or is below a file/ },
      { site: file, code: 5, about: /not a directory/ },
      { site: '/sys/holdfast/site', code: 5, about: /can't be made \((EPERM|EROFS|EACCES)\).*HOLDFAST_SITE/ },
      { site: '/proc/holdfast', code: 5, about: /can't be made \(E[A-Z]+\).*HOLDFAST_SITE/ },
      { site: half, code: 5, about: /not a whole site.*interrupted/ },
      { site: stranger, code: 5, about: /not a whole site/ },
      { site: join(home, 'unused'), listen: 'nonsense', code: 2, about: /HOLDFAST_LISTEN takes HOST:PORT/ },
      { site: join(home, 'unused'), listen: '127.0.0.1:99999', code: 2, about: /HOLDFAST_LISTEN takes HOST:PORT/ },
    ]
    for (const { site, listen, code, about } of cases) {
      const ended = await npmStart(site, listen)
      expectSentence({ code: await ended.code, out: ended.text, err: ended.err }, code, about)
    }
    expect(existsSync(join(home, 'unused'))).toBe(false)
    expect(readFileSync(join(stranger, 'thesis.txt'), 'utf8')).toBe('mine')
    await new Promise((resolve) => taken.close(resolve))
  })
})

describe('one site', () => {
  let site: ServedSite
  let directory: string
  beforeAll(async () => {
    directory = join(home, 'site')
    makeSite(directory)
    site = await serveSite(directory)
  })
  afterAll(() => site.stop())

  test('is served by one process at a time, and a second one says where', async () => {
    const about = new RegExp(`being served already, at ${site.endpoint} by process ${site.pid}: use that one`)
    expectSentence(holdfast('serve', directory, '--listen', '127.0.0.1:0'), 5, about)
    const second = await npmStart(directory)
    expectSentence({ code: await second.code, out: '', err: second.err }, 5, about)
  })

  test('answers commands in the same words whether it is served or not', async () => {
    const commands = [['status'], ['disk', 'status'], ['site', 'identity'], ['peer', 'list']]
    // Each opening of a site begins a generation of its disks.
    const run = (): string[] =>
      commands.map((words) => JSON.stringify(holdfast(...words, directory, '--json')).replace(/generation[^,]*,/, ''))
    const served = run()
    expect(await site.stop()).toBe(0)
    const unserved = run()
    site = await serveSite(directory)
    expect(unserved).toEqual(served)
  })

  test('prints the disks as JSON also where it is not asked to, since only programs read them there', () => {
    const { disks } = JSON.parse(holdfast('disk', 'status', directory).out)
    expect(disks).toMatchObject([1, 2, 3, 4].map((number) => ({ path: join(directory, `disk${number}`), state: 'in' })))
  })

  test('prints JSON for each command that is asked to, failures included', () => {
    const missing = join(home, 'missing')
    const identity = join(home, 'own.identity')
    writeFileSync(identity, holdfast('site', 'identity', directory).out)
    const commands = [
      ['init', join(home, 'made-for-json'), '--json'],
      ['init', directory, '--json'],
      ['serve', directory, '--listen', '127.0.0.1:0', '--json'],
      ['status', missing, '--json'],
      ['disk', 'replace', directory, missing, missing, '--json'],
      ['site', 'identity', directory, '--json'],
      ['peer', 'add', directory, identity, '--name', 'self', '--json'],
      ['bundle', 'export', directory, '--to', 'nobody', '--out', missing, '--json'],
      ['bundle', 'verify', missing, '--json'],
      ['bundle', 'inspect', missing, '--site', directory, '--json'],
      ['bundle', 'import', directory, missing, '--json'],
      ['bundle', 'acknowledge', directory, missing, '--json'],
    ]
    for (const command of commands) {
      const run = holdfast(...command)
      expect(run.out, command.join(' ')).toMatch(/^\{/)
      const said = JSON.parse(run.out) as Record<string, unknown>
      if (run.code === 0) continue
      expect(said, command.join(' ')).toMatchObject({ exit: run.code, error: expect.stringMatching(/\S/) })
      expectSentence(run, run.code ?? -1, /./)
    }
  })

  test.each([
    { words: ['frobnicate'], about: /unknown command/ },
    { words: ['status'], about: /missing required argument/ },
    { words: ['status', 'SITE', '--loud'], about: /unknown option/ },
    { words: ['serve', 'SITE', '--listen', 'nowhere'], about: /HOST:PORT/ },
    { words: ['serve', 'SITE', '--http', 'apache'], about: /"uws" or "node"/ },
    { words: ['serve', 'SITE', '--threads', '0'], about: /whole number/ },
    { words: ['serve', 'SITE', '--region', 'Mars!'], about: /region/ },
    { words: ['serve', 'SITE', '--tls-cert', 'x.pem'], about: /both/ },
    { words: ['serve', 'SITE', '--domain', 'http://x'], about: /--domain takes a DNS name/ },
    { words: ['serve', 'SITE', '--domain', ''], about: /--domain takes a DNS name/ },
    { words: ['serve', 'SITE', '--domain', 's3.example.org', '--domain', '127.0.0.1'], about: /"127.0.0.1" is none/ },
    { words: ['init', 'NEW', '--parity', '4'], about: /--parity/ },
    { words: ['init', 'NEW', '--disk', 'd', '--parity', '1'], about: /With one disk, --parity can only be 0/ },
    { words: ['init', 'NEW', '--disk', 'd', '--disk', 'd'], about: /twice/ },
    { words: ['init', 'NEW', '--name', ''], about: /--name takes/ },
    { words: ['init', 'NEW', '--name', 'red\x1b[31m'], about: /--name takes/ },
    { words: ['init', 'NEW', '--name', 'x'.repeat(101)], about: /--name takes/ },
    { words: ['bundle', 'export', 'SITE', '--to', 'x', '--out', 'y', '--volume-size', 'big'], about: /--volume-size/ },
    { words: ['bundle', 'import', 'SITE', 'y', '--map', 'a'], about: /REMOTE=LOCAL/ },
    { words: ['status', '/nowhere/at/all'], about: /There is no directory/ },
    { words: ['status', ''], about: /An empty path was given/ },
    { words: ['init', ''], about: /An empty path was given/ },
    { words: ['bundle', 'export', 'SITE', '--to', 'x', '--out', ''], about: /An empty path was given/ },
    { words: ['peer', 'add', 'SITE', '/nowhere/x.identity', '--name', 'x'], about: /can't be read/ },
    { words: ['bundle', 'acknowledge', 'SITE', '/nowhere/receipt'], about: /can't be read/ },
  ])('ends with 2 where it was not understood: $words', ({ words, about }) => {
    const run = holdfast(...words.map((word) => (word === 'SITE' ? directory : word === 'NEW' ? join(home, 'never') : word)))
    expect(run.err).toMatch(about)
    expect(run.err).not.toMatch(/\bat .*:\d+:\d+/)
    expect(run.code).toBe(2)
    expect(existsSync(join(home, 'never'))).toBe(false)
  })

  test('says how to recover a site that has lost its file, and not to make a new one', async () => {
    const place = join(home, 'without-its-file')
    makeSite(place)
    for (const lost of ['site.json', 'keys', 'pool.json']) {
      rmSync(join(place, lost), { recursive: true })
      for (const words of [
        ['status', place],
        ['serve', place],
        ['init', place],
      ])
        expectSentence(holdfast(...words), 5, /not a whole site: it has .*but no site\.json\. Run "holdfast site recover \S+"/)
      const started = await npmStart(place)
      expectSentence({ code: await started.code, out: '', err: started.err }, 5, /holdfast site recover/)
    }
  })

  test('does not take the keys of another site for its own', () => {
    const [place, other] = [join(home, 'with-wrong-keys'), join(home, 'whose-keys')]
    makeSite(place)
    makeSite(other)
    for (const name of ['identity.json', 'root.json']) copyFileSync(join(other, 'keys', name), join(place, 'keys', name))
    for (const words of [['status'], ['serve'], ['site', 'identity']])
      expectSentence(
        holdfast(...words, place),
        5,
        /keys\/identity\.json is the identity of another site, .*: copy its own keys folder back/,
      )
    expect(holdfast('status', other)).toMatchObject({ code: 0, err: '' })
  })

  test('says whom to be where a site may not be read', () => {
    const place = join(home, 'closed')
    makeSite(place)
    const closed = [place, join(place, 'keys'), join(place, 'keys', 'root.json'), join(place, 'site.json')]
    for (const path of closed) {
      const mode = statSync(path).mode
      chmodSync(path, 0)
      const runs = ['status', 'serve'].map((command) => asNobody([command, place]))
      chmodSync(path, mode)
      for (const run of runs) expectSentence(run, 5, /closed[^ ]* may not be read by this user: run as .*belongs to user \d+/)
    }
  })

  test('is not opened by root where it belongs to another user, who could not open it any more', () => {
    // Only root can make somebody else the owner; anybody else is refused by the system.
    if (process.getuid?.() !== 0) return
    const place = join(home, 'of-somebody')
    makeSite(place)
    const files = (): string[] => [place, ...readdirSync(place, { recursive: true, encoding: 'utf8' }).map((name) => join(place, name))]
    for (const file of files()) chownSync(file, 65534, 65534)
    const before = files()
    for (const words of [['status'], ['serve'], ['site', 'identity']])
      expectSentence(holdfast(...words, place), 5, /of-somebody belongs to user 65534, and this is user 0.*sudo -u '#65534'/)
    expect(files()).toEqual(before)
    expect(files().filter((file) => statSync(file).uid !== 65534)).toEqual([])
    expect(asNobody(['status', place])).toMatchObject({ code: 0, err: '' })
  })

  test('says of a directory that may not be written, or cannot be, that it is that', () => {
    const closed = join(home, 'roots-disk')
    mkdirSync(closed, { mode: 0o755 })
    const open = join(home, 'for-all')
    mkdirSync(open)
    chmodSync(open, 0o777)
    expectSentence(asNobody(['init', join(open, 'site'), '--disk', closed]), 5, /roots-disk can't be written \(EACCES\): this user may not/)
    expect(existsSync(join(open, 'site'))).toBe(false)
  })

  test('refuses disks that overlap, by whatever links, before anything is made', () => {
    const at = (...names: string[]): string => join(home, 'overlap', ...names)
    mkdirSync(at('d1'), { recursive: true })
    symlinkSync(at('d1'), at('d1link'))
    mkdirSync(at('e1'))
    symlinkSync(at('e1'), at('e1link'))
    mkdirSync(at('around'))
    symlinkSync(at('around'), at('aroundlink'))
    const cases: [site: string, disks: string[], about: RegExp][] = [
      [at('site'), [at('d1'), at('d1link')], /given twice.*d1link/],
      [at('site'), [at('new'), `${at('new')}/`], /given twice/],
      [at('site'), [at('e1'), at('e1', 'sub')], /e1\/sub lies inside the disk/],
      [at('site'), [at('e1link', 'sub'), at('e1')], /e1link\/sub lies inside the disk/],
      [at('site'), [at('site')], /the site's own directory/],
      [at('aroundlink', 'site'), [at('around')], /lies inside the disk .*around/],
      [at('site'), [at('site', 'keys', 'd')], /keeps its own files \(keys\)/],
    ]
    const before = readdirSync(at())
    for (const [site, disks, about] of cases) {
      expectSentence(holdfast('init', site, ...disks.flatMap((disk) => ['--disk', disk])), 2, about)
      expect(readdirSync(at())).toEqual(before)
    }
    expect(readdirSync(at('e1'))).toEqual([])
    expect(holdfast('init', at('site'), '--disk', at('site', 'a'), '--disk', at('d1link'))).toMatchObject({ code: 0, err: '' })
  })

  test('helps without showing what is of the program and not of its user', () => {
    for (const words of [['init'], ['serve'], ['bundle', 'export'], ['bundle', 'import'], ['peer', 'set']]) {
      const help = holdfast(...words, '--help')
      expect(help.code).toBe(0)
      expect(help.out).not.toMatch(/default: \[|corrected/)
    }
  })

  test('ends at once where the system makes no directories', () => {
    for (const words of [
      ['init', '/proc/holdfast'],
      ['init', '/proc/holdfast/deeper'],
      ['init', join(home, 'beside-proc'), '--disk', '/proc/holdfast'],
    ]) {
      expectSentence(holdfast(...words), 5, /^holdfast: \/proc\/holdfast can't be made \(E[A-Z]+\)/)
    }
    expect(existsSync(join(home, 'beside-proc'))).toBe(false)
  })

  test('a site that could not be made leaves everything as it was, so that the next try works', () => {
    const place = join(home, 'second-try')
    const [empty, crowded] = [join(home, 'an-empty-disk'), join(home, 'a-crowded-disk')]
    mkdirSync(empty)
    mkdirSync(crowded)
    writeFileSync(join(crowded, 'thesis.txt'), 'mine')
    const refused = holdfast('init', join(place, 'site'), '--disk', empty, '--disk', join(home, 'a-new-disk', 'below'), '--disk', crowded)
    expectSentence(refused, 5, /a-crowded-disk.*not empty \(thesis\.txt\)/)
    for (const made of [place, join(home, 'a-new-disk')]) expect(existsSync(made), made).toBe(false)
    expect(readdirSync(empty)).toEqual([])
    expect(readdirSync(crowded)).toEqual(['thesis.txt'])
    const again = ['init', join(place, 'site'), '--disk', empty, '--disk', join(home, 'a-new-disk', 'below')]
    expect(holdfast(...again)).toMatchObject({ code: 0, err: '' })
  })

  test('needs no more addresses than its operator allows, or says how many it needs', () => {
    const site = join(home, 'few-addresses')
    makeSite(site)
    const withAddresses = (gib: number): { code: number | null; said: string } => {
      const script = `ulimit -v ${gib * 1024 * 1024}; exec "$@"`
      const ran = spawnSync('sh', ['-c', script, 'sh', process.execPath, program, 'status', site], { encoding: 'utf8' })
      return { code: ran.status, said: ran.stderr }
    }
    expect(withAddresses(200)).toEqual({ code: 0, said: '' })
    const { code, said } = withAddresses(100)
    expect(code).toBe(5)
    expect(said).toBe(
      'holdfast: This process may use 100 GiB of addresses, and the index needs 128 GiB (of addresses, not of memory): raise the limit (ulimit -v, LimitAS= of systemd).\n',
    )
    expect(withAddresses(200)).toEqual({ code: 0, said: '' })
  })

  test('refuses in one sentence what cannot be done', () => {
    const notASite = join(home, 'not-a-site')
    mkdirSync(notASite, { recursive: true })
    const nonsense = join(home, 'nonsense.identity')
    writeFileSync(nonsense, 'hello')
    const crowded = join(home, 'crowded')
    mkdirSync(crowded)
    writeFileSync(join(crowded, 'file'), '')
    const [disk = ''] = site.disks
    const cases: [string[], RegExp][] = [
      [['status', notASite], /not a whole site/],
      [['status', nonsense], /nonsense.identity is not a directory, or is below a file: a site is the directory/],
      [['init', directory], /not empty/],
      [['init', join(nonsense, 'below')], /not a directory, or is below a file/],
      [['init', nonsense], /not a directory|can't be written/],
      [['init', join(home, 'on-a-file'), '--disk', nonsense], /not a directory/],
      [['init', join(home, 'on-a-crowd'), '--disk', crowded], /not empty|other files/],
      [['peer', 'add', directory, nonsense, '--name', 'x'], /./],
      [['bundle', 'export', directory, '--to', 'nobody', '--out', join(home, 'out')], /nobody/],
      [['bundle', 'import', directory, join(home, 'missing')], /missing/],
      [['bundle', 'verify', join(home, 'missing')], /missing/],
      [['disk', 'replace', directory, '/nowhere', join(home, 'new')], /\/nowhere is no disk of this site/],
      [['disk', 'replace', directory, disk, crowded], /./],
      [
        ['disk', 'replace', directory, disk, join(directory, 'disk3', 'sub')],
        /disk3\/sub lies inside the disk .*disk3: disks must lie side by side/,
      ],
      [['disk', 'replace', directory, disk, join(directory, 'disk3')], /disk3 is a disk of this site already/],
      [['disk', 'replace', directory, disk, join(directory, 'keys', 'sub')], /keeps its own files \(keys\)/],
      [['disk', 'replace', directory, disk, '/proc/holdfast'], /\/proc\/holdfast can't be made/],
    ]
    for (const [words, about] of cases) {
      const run = holdfast(...words)
      expect(run.code, words.join(' ')).not.toBe(0)
      expectSentence(run, run.code ?? -1, about)
      expect(run.code, words.join(' ')).not.toBe(1)
    }
  })
})
