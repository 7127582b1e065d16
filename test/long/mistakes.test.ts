/** What is easily typed wrong at night: each slip changes nothing, and has one sentence that says what was meant to be there. */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { holdfast, holdfastOk, makeSite, removeTemporary, temporaryDirectory } from '../served-site.ts'

let home: string
const at = (...names: string[]): string => join(home, ...names)

beforeAll(() => {
  home = temporaryDirectory()
  for (const name of ['alpha', 'beta']) makeSite(at(name))
  for (const name of ['alpha', 'beta']) writeFileSync(at(`${name}.identity`), holdfastOk('site', 'identity', at(name)))
  holdfastOk('peer', 'add', at('alpha'), at('beta.identity'), '--name', 'beta')
})
afterAll(() => removeTemporary(home))

/** The sentence of a command that is refused with `code`, the same in plain and with --json. */
function refused(code: number, ...args: string[]): string {
  const [plain, json] = [holdfast(...args), holdfast(...args, '--json')]
  expect([plain.code, json.code]).toEqual([code, code])
  expect(plain.out).toBe('')
  expect(plain.err).toMatch(/^holdfast: [^\n]+\.\)?\n$/)
  const sentence = plain.err.slice('holdfast: '.length, -1)
  expect(JSON.parse(json.out)).toMatchObject({ error: sentence, exit: code })
  return sentence
}

test('a disk, the keys or a bundle in the place of the site are told apart, and none is to be made a site', () => {
  const disk = refused(5, 'status', at('alpha', 'disk1'))
  expect(disk).toContain(`${at('alpha', 'disk1')} is a disk of a site, not a site, of the site ${at('alpha')}: name that one.`)
  expect(refused(5, 'status', at('alpha', 'keys'))).toContain(`is a folder of keys, not a site, of the site ${at('alpha')}: name that one.`)
  mkdirSync(at('stick'))
  for (const name of ['preamble', 'manifest', 'volume-00001.tar.sealed']) writeFileSync(at('stick', name), '')
  const swapped = refused(5, 'bundle', 'import', at('stick'), at('alpha'))
  expect(swapped).toContain('is the folder of a bundle, not a site: the site comes first')
  for (const sentence of [disk, swapped]) expect(sentence).not.toContain('make one')
})

test('a link to a site that leads nowhere is said to be one: what it leads to is not mounted', () => {
  symlinkSync(at('nowhere'), at('link'))
  expect(refused(5, 'status', at('link'))).toContain(`${at('link')} is a link that leads nowhere: mount what it leads to`)
})

test('nothing is made inside a site or on a disk of one: no other site, no disk, no bundle', () => {
  symlinkSync(at('beta', 'disk2'), at('innocent'))
  const before = [readdirSync(at('alpha')), readdirSync(at('beta', 'disk2'))]
  expect(refused(5, 'init', at('alpha', 'new'))).toContain(`lies inside the site ${at('alpha')}`)
  expect(refused(5, 'init', at('new'), '--disk', at('innocent', 'new'))).toContain(`lies inside the disk ${at('beta', 'disk2')} of a site`)
  const replaced = refused(5, 'disk', 'replace', at('alpha'), at('alpha', 'disk1'), at('innocent', 'new'))
  expect(replaced).toContain(`lies inside the disk ${at('beta', 'disk2')}`)
  const exported = (out: string): string => refused(5, 'bundle', 'export', at('alpha'), '--to', 'beta', '--out', out)
  expect(exported(at('alpha', 'stick'))).toContain(`lies inside the site ${at('alpha')}`)
  expect(exported(at('alpha', 'disk1', 'stick'))).toContain(`lies inside the disk ${at('alpha', 'disk1')}`)
  expect(exported(at('innocent', 'stick'))).toContain(`lies inside the disk ${at('beta', 'disk2')}`)
  expect([readdirSync(at('alpha')), readdirSync(at('beta', 'disk2'))]).toEqual(before)
  expect(existsSync(at('new'))).toBe(false)
})

test('a new disk below the directory of its own site is taken, as those that init makes', () => {
  holdfastOk('disk', 'replace', at('beta'), at('beta', 'disk1'), at('beta', 'disk9'))
})

test('an unknown peer is answered with those that are known', () => {
  expect(refused(5, 'bundle', 'export', at('alpha'), '--to', 'Beta', '--out', at('out'))).toContain('Known here: beta.')
})

test('a folder without any bundle is said to have none, and a file to be no folder; nothing is to be moved away', () => {
  expect(refused(5, 'bundle', 'import', at('alpha'), at('beta'))).toMatch(/^There is no bundle in .*beta: name the folder/)
  expect(refused(5, 'bundle', 'verify', at('stick', 'manifest'))).toContain('is not a directory: name the folder')
})

test('a receipt that could not be written is told before anything is imported', () => {
  expect(refused(5, 'bundle', 'import', at('alpha'), at('stick'), '--receipt', at('beta'))).toContain('nothing was imported')
  expect(refused(5, 'bundle', 'import', at('alpha'), at('stick'), '--receipt', at('nowhere', 'receipt'))).toContain('nothing was imported')
})

test('a digest that is not there is refused, not taken for one that differs', () => {
  expect(refused(5, 'bucket', 'compare', at('alpha'), 'photos', at('nowhere.digest'))).toMatch(/nowhere\.digest|no bucket photos/)
})

test('an address that is none of this machine is said to be that, without the words of the system', () => {
  expect(refused(5, 'serve', at('alpha'), '--listen', '192.0.2.1:9000')).toBe(
    '192.0.2.1 is no address of this machine: choose another with --listen, or 0.0.0.0 for all of them.',
  )
})

test.each([
  [['disk', 'SITE', 'status'], 'holdfast disk status SITE'],
  [['SITE', 'status'], 'holdfast status SITE'],
  [['bundle', 'SITE', 'import', 'DIR'], 'holdfast bundle import SITE DIR'],
])('a command that comes behind what it is for is put in its place: %s', (args, meant) => {
  const plain = holdfast(...args)
  expect([plain.code, plain.out]).toEqual([2, ''])
  expect(plain.err).toContain(`the command comes first: ${meant}`)
  expect(JSON.parse(holdfast(...args, '--json').out)).toMatchObject({ error: expect.stringContaining(meant), exit: 2 })
})

test('the line to serve a new site with can be pasted whatever its path is called', () => {
  expect(holdfastOk('init', at("it's new"))).toContain(`holdfast serve '${at("it'\\''s new")}'`)
})
