/** The arrows of docs/architecture.md: what may import what. They point inward and are all that there is. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '..', 'src')

/** A room (folder) and the rooms that its files may import from, besides what is FOR_EVERYONE. */
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
const FOR_EVERYONE = ['result', 'environment', 'lock', 'make-folders', 'system-failure']

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

/** The first circle that is found from a file: its files in the order of their imports. */
function circleThrough(start: string, needs: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const from = new Map<string, string>()
  const left = [start]
  for (let file = left.pop(); file !== undefined; file = left.pop()) {
    for (const imported of needs.get(file) ?? []) {
      if (imported === start) {
        const way = [start]
        for (let at = file; at !== start; at = from.get(at)!) way.unshift(at)
        return [start, ...way]
      }
      if (from.has(imported)) continue
      from.set(imported, file)
      left.push(imported)
    }
  }
  return undefined
}

test('no file needs itself by way of others, be it for a type', () => {
  const needs = new Map(files.map((file) => [file, importsOf(file)]))
  const circles = files.flatMap(
    (file) =>
      circleThrough(file, needs)
        ?.map((each) => relative(src, each))
        .join(' → ') ?? [],
  )
  expect(circles).toEqual([])
})
