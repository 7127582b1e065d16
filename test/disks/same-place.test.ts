import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { knownAs } from '../../src/disks/same-place.ts'

let home: string
beforeAll(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-place-')))
  mkdirSync(join(home, 'site', 'disk1'), { recursive: true })
  symlinkSync(join(home, 'site'), join(home, 'link'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

test.each([
  ['link/disk1', 'disk1', 'through a link'],
  ['link/disk2', 'disk2', 'through a link, where the disk itself is gone'],
  ['site/disk1', 'disk1', 'by the very name'],
  ['link/../site/disk2', 'disk2', 'by a way round'],
])('%s is %s, %s', (given, disk) => {
  const known = ['disk1', 'disk2', 'disk3'].map((name) => join(home, 'site', name))
  expect(knownAs(join(home, given), known)).toBe(join(home, 'site', disk))
  expect(
    knownAs(
      join(home, 'site', disk),
      known.map((path) => path.replace('/site/', '/link/')),
    ),
  ).toBe(join(home, 'link', disk))
})

test('what is no disk stays what it is', () => {
  expect(knownAs('/nowhere', [join(home, 'site', 'disk1')])).toBe('/nowhere')
  expect(knownAs(join(home, 'link'), [join(home, 'site', 'disk1')])).toBe(join(home, 'link'))
})
