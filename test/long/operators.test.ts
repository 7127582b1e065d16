/** What an operator meets at 3 a.m.: full disks, media that can't be written, commands given twice, scripts that go by exit codes. */
import { spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientOf } from '../e2e/site-contents.ts'
import { program } from '../program.ts'
import {
  type CommandRun,
  holdfast,
  holdfastOk,
  makeSite,
  removeTemporary,
  type ServedSite,
  serveSite,
  temporaryDirectory,
} from '../served-site.ts'

let home: string
let alpha: ServedSite
const at = (...names: string[]): string => join(home, ...names)
const identity = (): string => at('alpha.identity')
const finished = (): string => at('finished, mit Umlaut ü', 'stick')

beforeAll(async () => {
  home = temporaryDirectory()
  for (const name of ['alpha', 'beta']) {
    makeSite(at(name))
    writeFileSync(at(`${name}.identity`), holdfastOk('site', 'identity', at(name)))
  }
  holdfastOk('peer', 'add', at('alpha'), at('beta.identity'), '--name', 'beta')
  holdfastOk('peer', 'add', at('beta'), at('alpha.identity'), '--name', 'alpha')
  alpha = await serveSite(at('alpha'))
  const client = clientOf(alpha)
  await client.send(new CreateBucketCommand({ Bucket: 'plans' }))
  await client.send(new PutObjectCommand({ Bucket: 'plans', Key: 'a', Body: 'the plan' }))
  client.destroy()
  holdfastOk(...exporting(finished()))
})
afterAll(async () => {
  await alpha.stop()
  removeTemporary(home)
})

const exporting = (out: string, ...flags: string[]): string[] => ['bundle', 'export', at('alpha'), '--to', 'beta', '--out', out, ...flags]

/** One sentence (or more, none of them the system's own words), and the exit code. */
function expectTold(run: CommandRun, code: number, about: RegExp): void {
  expect(run.err).toMatch(about)
  expect(run.err).toMatch(/^holdfast: /)
  expect(run.err).not.toMatch(/unforeseen|\n +at |, (open|mkdir|read|scandir|opendir|access) '/)
  expect(run.code).toBe(code)
}

describe('a bundle that is to be written where it cannot be', () => {
  const cases: [what: string, prepare: () => string, about: RegExp][] = [
    ['below /proc', () => '/proc/x/y', /\/proc\/x can't be made \(ENOENT\): the file system there takes no new directories/],
    ['below a file', () => join(identity(), 'below', 'it'), /alpha\.identity is a file, not a directory: choose another place/],
    ['onto a file', () => identity(), /alpha\.identity is a file, not a directory/],
    [
      'through a link that leads nowhere',
      () => {
        symlinkSync(at('unmounted', 'stick'), at('link'))
        return at('link')
      },
      /link can't be made \(EEXIST\): it is a link that leads nowhere; mount what it leads to/,
    ],
    [
      'on a file system that is read-only',
      () => '/sys/holdfast',
      /\/sys\/holdfast can't be made \(E[A-Z]+\): [a-z].*; .*choose another place/,
    ],
  ]
  test.each(cases)('is refused in words: %s', (_what, prepare, about) => {
    expectTold(holdfast(...exporting(prepare())), 6, about)
  })

  test('leaves nothing behind that a later export could trip over', () => {
    expect(existsSync(at('alpha', 'exports')) ? readdirSync(at('alpha', 'exports')) : []).toEqual([])
  })
})

describe('an export that had ended, given again', () => {
  test('says that it is there, and ends with 0, as often as it is given', () => {
    for (let time = 0; time < 2; time++) {
      const again = holdfast(...exporting(finished()))
      expect(again).toMatchObject({ code: 0, err: '' })
      expect(again.out).toMatch(
        /^Bundle [0-9a-f]{32} for beta that was exported at .* is in .*stick already, and nothing has changed since: nothing was written\.\n/,
      )
    }
    const { bundle, out, volumes } = JSON.parse(holdfastOk(...exporting(finished(), '--json')))
    expect({ out, volumes }).toEqual({ out: finished(), volumes: 1 })
    expect(holdfastOk('bundle', 'verify', finished(), '--signer', identity())).toContain('intact')
    expect(bundle).toBe(JSON.parse(holdfastOk('bundle', 'inspect', finished(), '--signer', identity(), '--json')).bundleId)
  })

  test('says what is different, and where to go, if it would not be the same', async () => {
    expectTold(
      holdfast(...exporting(finished(), '--parity', '1')),
      5,
      /it has other volumes than are asked for.* name another folder with --out/,
    )
    const client = clientOf(alpha)
    await client.send(new PutObjectCommand({ Bucket: 'plans', Key: 'b', Body: 'another plan' }))
    client.destroy()
    expectTold(holdfast(...exporting(finished())), 5, /what would be sent now is something else.* name another folder with --out/)
    holdfastOk(...exporting(at('next')))
    rmSync(join(at('next'), 'volume-00001.tar.sealed'))
    expectTold(holdfast(...exporting(at('next'))), 5, /volume-00001\.tar\.sealed is missing from it.* name another folder with --out/)
    mkdirSync(at('photos'))
    writeFileSync(at('photos', 'cat.jpg'), '')
    expectTold(holdfast(...exporting(at('photos'))), 5, /already holds "cat\.jpg".* Name another one/)
  })
})

describe('inspect', () => {
  test('shows what could be read in any case, and ends with 4 for those who named whom they trust', () => {
    const trusted = [
      ['--signer', identity()],
      ['--site', at('beta')],
    ]
    for (const flags of trusted) expect(holdfast('bundle', 'inspect', finished(), ...flags)).toMatchObject({ code: 0, err: '' })
    const unnamed = holdfast('bundle', 'inspect', finished())
    expectTold(unnamed, 0, /The signer is not trusted here.*compare the fingerprint/)
    expect(unnamed.out).toMatch(/^Bundle [0-9a-f]{32} of site [0-9a-f]{32}, fingerprint .* which is not known here\.\n/)
    expect(JSON.parse(holdfast('bundle', 'inspect', finished(), '--json').out)).toMatchObject({ volumes: 1, sender: { known: false } })
    makeSite(at('gamma'))
    const strangers = [
      ['--signer', at('beta.identity')],
      ['--site', at('gamma')],
    ]
    for (const flags of strangers) {
      const shown = holdfast('bundle', 'inspect', finished(), ...flags)
      expectTold(shown, 4, /The signer is not trusted here.*compare the fingerprint/)
      expect(shown.out).toMatch(/^Bundle [0-9a-f]{32} of site [0-9a-f]{32}, fingerprint .* which is not known here\.\n/)
      const json = JSON.parse(holdfast('bundle', 'inspect', finished(), ...flags, '--json').out)
      expect(json).toMatchObject({
        exit: 4,
        error: expect.stringContaining('not trusted'),
        details: { kind: 'unknown-signer', report: { volumes: 1 } },
      })
    }
  })

  test('writes its page whoever signed, and ends as verify does', () => {
    const page = at('page.html')
    expect(holdfast('bundle', 'inspect', finished(), '--signer', identity(), '--html', page)).toMatchObject({ code: 0, err: '' })
    rmSync(page)
    expectTold(holdfast('bundle', 'inspect', finished(), '--html', page), 4, /intact, signed by an unknown site/)
    expect(existsSync(page)).toBe(true)
    expectTold(
      holdfast('bundle', 'inspect', finished(), '--html', join(identity(), 'page.html')),
      6,
      /can't be written \(ENOTDIR\): something in its path/,
    )
  })
})

test('a README.txt that was changed on the way is told with 3, hinders no import, and is not approved', () => {
  appendFileSync(join(finished(), 'README.txt'), 'In case of trouble call 555-0100.\n')
  expectTold(
    holdfast('bundle', 'verify', finished(), '--site', at('beta')),
    3,
    /content of the bundle is intact.*\n.*README\.txt is not as it was written: do not do what it says/,
  )
  expectTold(holdfast('bundle', 'approve', at('beta'), finished()), 3, /It was not approved/)
  expect(holdfast('bundle', 'import', at('beta'), finished())).toMatchObject({ code: 0 })
  const receipt = ['bundle', 'import', at('beta'), finished(), '--receipt']
  expectTold(
    holdfast(...receipt, at('no', 'such', 'folder', 'receipt')),
    5,
    /The receipt could not be written, so nothing was imported: .*ENOENT/,
  )
  expect(holdfast(...receipt, at('receipt'))).toMatchObject({ code: 0 })
})

test('what cannot be read is said in words, whatever it is', () => {
  const cases: [string[], number, RegExp][] = [
    [['peer', 'add', at('alpha'), home, '--name', 'x'], 2, /can't be read \(EISDIR\): it is a directory, not a file; name a file/],
    [['peer', 'add', at('alpha'), join(identity(), 'x'), '--name', 'x'], 2, /can't be read \(ENOTDIR\): something in its path is a file/],
    [['bundle', 'verify', at('nowhere')], 5, /nowhere can't be read \(ENOENT\): there is no such file or directory/],
    [['bundle', 'verify', identity()], 5, /alpha\.identity is not a directory: name the folder that the files of the bundle lie in/],
    [['bundle', 'verify', finished(), '--signer', at('receipt')], 5, /This is no identity of a site: give the file that/],
    [['bucket', 'digest', at('alpha'), 'plans', '--out', home], 6, /can't be written \(E[A-Z]+\): [a-z]/],
  ]
  for (const [words, code, about] of cases) expectTold(holdfast(...words), code, about)
})

test.each([
  { words: ['frobnicate', '--json'], about: /Unknown command 'frobnicate'/ },
  { words: ['status', '--json'], about: /Missing required argument 'SITE'/ },
  { words: ['status', 'SITE', '--json', '--loud'], about: /Unknown option '--loud'/ },
  { words: ['bundle', 'export', 'SITE', '--json', '--out', 'x'], about: /Required option '--to <PEER>' not specified/ },
  { words: ['bundle', 'export', 'SITE', '--to', 'x', '--out', 'y', '--parity', 'x', '--json'], about: /--parity/ },
])('what was not understood is told in JSON where that was asked for: $words', ({ words, about }) => {
  const run = holdfast(...words)
  expect(JSON.parse(run.out)).toMatchObject({ exit: 2, error: expect.stringMatching(about) })
  expect(run.err).toMatch(/^holdfast: [^\n]+\n$/)
  expect(run.code).toBe(2)
})

test('help asked for with --json is help', () => {
  expect(holdfast('status', '--json', '--help')).toMatchObject({ code: 0, err: '', out: expect.stringContaining('Usage:') })
})

/** Runs the program with its standard output going elsewhere. */
function into(file: string, ...words: string[]): { readonly code: number | null; readonly err: string } {
  const ran = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8', stdio: ['ignore', openSync(file, 'w'), 'pipe'] })
  return { code: ran.status, err: ran.stderr }
}

test('what could not be printed, since the disk is full, is not taken for done', () => {
  const told = { code: 6, err: expect.stringMatching(/^holdfast: Standard output can't be written \(ENOSPC\): no space is left there/) }
  expect(into('/dev/full', 'site', 'identity', at('alpha'))).toEqual(told)
  expect(into('/dev/full', 'status', at('alpha'), '--json')).toEqual(told)
})

test('a state folder that may not be written stops an export in words, and it goes on later', () => {
  const exports = at('alpha', 'exports')
  rmSync(exports, { recursive: true, force: true })
  writeFileSync(exports, '')
  expectTold(
    holdfast(...exporting(at('later'))),
    6,
    /The state of the export cannot be kept.*exports.* can't be read \(ENOTDIR\): something in its path is a file.*Then run it again/,
  )
  rmSync(exports)
  chmodSync(home, 0o755)
  expect(holdfast(...exporting(at('later')))).toMatchObject({ code: 0 })
})
