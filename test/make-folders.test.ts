import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeNotMade, makeFolders, makeFoldersAtOnce, removeFolders } from '../src/make-folders.ts'
import { describeSystemFailure } from '../src/system-failure.ts'

let home: string
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-folders-'))
  writeFileSync(join(home, 'file'), '')
  symlinkSync(join(home, 'unmounted'), join(home, 'link'))
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

test('what was missing is made, named, and taken away again; what was there stays', async () => {
  const deep = join(home, 'a', 'b', 'c')
  expect(await makeFolders(deep)).toEqual({ ok: true, value: [join(home, 'a'), join(home, 'a', 'b'), deep] })
  expect(statSync(deep).mode & 0o777).toBe(0o700)
  expect(await makeFolders(deep)).toEqual({ ok: true, value: [] })
  const one = await makeFolders(join(home, 'a', 'd'))
  if (one.ok) await removeFolders(one.value)
  expect(readdirSync(join(home, 'a'))).toEqual(['b'])
})

test.each([
  [() => '/proc/holdfast/deeper', /^\/proc\/holdfast can't be made \(ENOENT\): the file system there takes no new directories/],
  [() => join(home, 'file', 'below', 'it'), /\/file is a file, not a directory/],
  [() => join(home, 'link', 'below'), /\/link can't be made \(EEXIST\): it is a link that leads nowhere/],
])('it ends where nothing can be made, with what is in the way: %s', async (path, about) => {
  const made = await makeFolders(path())
  expect(made.ok ? '' : describeNotMade(made.error)).toMatch(about)
  expect(() => makeFoldersAtOnce(path())).toThrow()
})

test('the same at once makes the same', () => {
  makeFoldersAtOnce(join(home, 'x', 'y'))
  makeFoldersAtOnce(join(home, 'x', 'y'))
  expect(statSync(join(home, 'x', 'y')).mode & 0o777).toBe(0o700)
})

test('what the system refuses is said with its reason, and another place named only where there is a choice', () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write '/d/x'"), { code: 'ENOSPC' })
  expect(describeSystemFailure('/d/x', 'written', full)).toBe(
    "/d/x can't be written (ENOSPC): no space is left there; make room, or choose another place.",
  )
  expect(describeSystemFailure('/d/x', 'written', full, { place: 'fixed' })).toBe(
    "/d/x can't be written (ENOSPC): no space is left there; make room.",
  )
  expect(describeSystemFailure('/d/x', 'read', new Error('something\nnew'))).toMatch(/^\/d\/x can't be read \(something new\): [^\n]+\.$/)
})
