/** The arrows of docs/architecture.md: what may import what. They point inward and are all that there is. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '..', 'src')

/** A room (folder) and the rooms that its files may import from. Every room may use `result.ts` and `environment.ts`. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  http: [],
  store: [],
  erasure: [],
  disks: ['erasure'],
  'store/local': ['store', 'disks'],
  iam: ['store'],
  s3: ['http', 'iam', 'store'],
  bundles: ['store', 'erasure'],
  federation: ['bundles', 'store'],
  admin: ['store', 'iam', 'bundles', 'disks', 'federation'],
  cli: ['admin', 'federation', 'disks', 'server'],
  threads: ['http', 's3', 'iam', 'store', 'store/local', 'disks', 'admin', 'server'],
  server: ['threads', 'http', 's3', 'iam', 'store', 'store/local', 'disks', 'bundles', 'federation', 'admin'],
  main: ['cli', 'threads', 'admin', 'server', 'http'],
}
const FOR_EVERYONE = ['result', 'environment']

/** The room of a file: the longest folder of ARROWS that holds it, or the name of a file directly in src. */
function roomOf(file: string): string {
  const name = relative(src, file)
  const folders = Object.keys(ARROWS).filter((room) => name.startsWith(`${room}/`))
  return folders.sort((one, other) => other.length - one.length)[0] ?? name.replace(/\.ts$/, '')
}

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') && !entry.parentPath.includes('/kernel'))
  .map((entry) => join(entry.parentPath, entry.name))

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map((match) => resolve(dirname(file), match[1] ?? ''))
}

test('every file lies in a room that the picture knows', () => {
  const unknown = files
    .map((file) => [relative(src, file), roomOf(file)])
    .filter(([, room]) => ARROWS[room ?? ''] === undefined && !FOR_EVERYONE.includes(room ?? ''))
  expect(unknown).toEqual([])
})

test('imports follow the arrows', () => {
  const wrong: string[] = []
  for (const file of files) {
    const from = roomOf(file)
    for (const imported of importsOf(file)) {
      const to = roomOf(imported)
      if (to !== from && !FOR_EVERYONE.includes(to) && !ARROWS[from]?.includes(to))
        wrong.push(`${relative(src, file)} → ${relative(src, imported)}`)
    }
  }
  expect(wrong).toEqual([])
})

test('the environment and the way out are read at the entry alone', () => {
  const elsewhere = files.filter(
    (file) =>
      relative(src, file) !== 'main.ts' &&
      /process\.(env|argv|exit)\b/.test(readFileSync(file, 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')),
  )
  expect(elsewhere.map((file) => relative(src, file))).toEqual([])
})

test('within bundles and federation no file needs itself by way of others', () => {
  const inside = files.filter((file) => ['bundles', 'federation'].includes(roomOf(file)))
  const needs = new Map(inside.map((file) => [file, importsOf(file).filter((imported) => inside.includes(imported))]))
  const reaches = (from: string): ReadonlySet<string> => {
    const seen = new Set<string>()
    const left = [...(needs.get(from) ?? [])]
    for (let file = left.pop(); file !== undefined; file = left.pop()) {
      if (seen.has(file)) continue
      seen.add(file)
      left.push(...(needs.get(file) ?? []))
    }
    return seen
  }
  expect(inside.filter((file) => reaches(file).has(file)).map((file) => relative(src, file))).toEqual([])
})
