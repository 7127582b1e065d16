import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rewriteForOlderGlibc } from '../../src/http/glibc-compatible.ts'
import { correct } from '../../src/http/uws-corrections.ts'
import { KNOWN_COPIES, type UwsLoadOptions } from '../../src/http/uws-load.ts'

const library = join(dirname(createRequire(import.meta.url).resolve('uWebSockets.js')), `uws_linux_x64_${process.versions.modules}.node`)
const original = readFileSync(library)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-uws-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const differences = (a: Uint8Array, b: Uint8Array): number => a.reduce((count, byte, index) => count + (byte === b[index] ? 0 : 1), 0)

describe('the copy for an older glibc', () => {
  test('needs nothing newer than 2.36, and differs in a few bytes only', () => {
    const rewritten = rewriteForOlderGlibc(original)
    expect(rewritten.ok).toBe(true)
    if (!rewritten.ok) return
    expect(rewritten.value.length).toBe(original.length)
    // Three names, three versions, one flag.
    expect(differences(original, rewritten.value)).toBeLessThanOrEqual(3 * 4 + 3 * 2 + 2)
  })

  test('is the same when it is made of itself', () => {
    const once = rewriteForOlderGlibc(original)
    const twice = once.ok ? rewriteForOlderGlibc(once.value) : once
    expect(once.ok && twice.ok && once.value.equals(twice.value)).toBe(true)
  })

  test('is not made of something else', () => {
    expect(rewriteForOlderGlibc(Buffer.from('#!/bin/sh'))).toEqual({ ok: false, error: 'not-elf64-little-endian' })
    expect(rewriteForOlderGlibc(original.subarray(0, 100_000))).toEqual({ ok: false, error: 'malformed' })
  })

  test('damaged libraries are refused or rewritten, and never crash the process', () => {
    const head = original.subarray(0, 64)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), (rest) => {
        rewriteForOlderGlibc(Buffer.concat([head, rest]))
      }),
    )
  })
})

describe('the corrections', () => {
  // On whatever machine this runs: a copy of an older Holdfast, with fewer corrections, must not count as known on any other.
  test('are those that the known copies have, for an older glibc and for any other', () => {
    const copy = Buffer.from(original)
    correct(copy)
    const older = rewriteForOlderGlibc(copy)
    expect(older.ok && [hash('sha256', older.value), hash('sha256', copy)]).toEqual(KNOWN_COPIES)
  })

  test('are made in the pinned library, change few bytes, and are not made twice', () => {
    const copy = Buffer.from(original)
    expect(correct(copy)).toBe('corrected')
    expect(differences(original, copy)).toBeLessThan(640)
    expect(correct(copy)).toBe('unknown')
  })

  test('leave any other library alone', () => {
    const other = Buffer.from(original)
    other[other.length - 1] = 1
    for (const library of [Buffer.alloc(100_000, 'another library'), other, original.subarray(0, 1000)]) {
      const copy = Buffer.from(library)
      expect(correct(copy)).toBe('unknown')
      expect(copy.equals(library)).toBe(true)
    }
  })
})

describe('choosing the adapter', () => {
  type Chosen = { readonly kind: string; readonly warning?: string; readonly corrected?: boolean; readonly reason?: string }

  /** In a process of its own, which loads at most one library. */
  function choose(wanted: string, options: UwsLoadOptions, program = join(import.meta.dirname, '..', '..')): Chosen {
    const module = pathToFileURL(join(program, 'src', 'http', 'choose-adapter.ts')).href
    const script = `
      import { chooseAdapter } from ${JSON.stringify(module)}
      const chosen = chooseAdapter(${JSON.stringify(wanted)}, ${JSON.stringify(options)})
      const { library, ...rest } = chosen.ok ? chosen.value : chosen.error
      console.log(JSON.stringify({ ...rest, ...(library && { corrected: library.corrected }) }))`
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(ended).toMatchObject({ status: 0, stderr: '' })
    return JSON.parse(ended.stdout) as Chosen
  }

  /** Works as the pinned one does, and is not known. */
  function otherLibrary(): string {
    const path = join(folder, 'other.node')
    writeFileSync(path, Buffer.concat([original, Buffer.from('another build')]), { mode: 0o755 })
    return path
  }

  test('the corrected uWebSockets.js serves, again and again, and nothing is said', () => {
    for (const wanted of ['fastest', 'uws', 'fastest'])
      expect(choose(wanted, { cacheFolder: folder })).toEqual({ kind: 'uws', corrected: true })
  })

  test('a kept copy that somebody has changed is not loaded but made again', () => {
    const root = join(import.meta.dirname, '..', '..')
    const copied = join(folder, 'copied')
    for (const path of ['package.json', 'src', 'node_modules/uWebSockets.js/package.json', 'node_modules/uWebSockets.js/uws.js'])
      cpSync(join(root, path), join(copied, path), { recursive: true })
    const installed = join(copied, 'node_modules', 'uWebSockets.js')
    cpSync(library, join(installed, basename(library)))
    const choosing = (): Chosen => choose('fastest', {}, copied)
    const kept = (): Record<string, string> =>
      Object.fromEntries(
        readdirSync(join(installed, '.holdfast')).map((name) => [name, hash('sha256', readFileSync(join(installed, '.holdfast', name)))]),
      )

    expect(choosing()).toEqual({ kind: 'uws', corrected: true })
    const made = kept()
    const [name, digest] = Object.entries(made)[0] ?? ['', '']
    expect(name).toBe(`uws-${digest.slice(0, 16)}.node`)
    writeFileSync(join(installed, '.holdfast', name), original)
    expect(choosing()).toEqual({ kind: 'uws', corrected: true })
    expect(kept()).toEqual(made)
    // A known copy needs no original.
    rmSync(join(installed, basename(library)))
    expect(choosing()).toEqual({ kind: 'uws', corrected: true })
  })

  test('a folder that others may write is not used, and not needed', () => {
    chmodSync(folder, 0o777)
    expect(choose('fastest', { cacheFolder: folder })).toEqual({ kind: 'uws', corrected: true })
    expect(readdirSync(folder)).toEqual([])
  })

  test('node:http serves where the library is not the known one, and the operator hears why', () => {
    const chosen = choose('fastest', { library: otherLibrary() })
    expect(chosen).toEqual({ kind: 'node', warning: expect.stringContaining('could not be corrected on this machine') })
  })

  test('who asks for uWebSockets.js gets it uncorrected, and hears what is weaker', () => {
    const chosen = choose('uws', { library: otherLibrary() })
    expect(chosen).toEqual({ kind: 'uws', corrected: false, warning: expect.stringContaining('without the corrections') })
  })

  test('node:http serves where the library does not load; who asks for uWebSockets.js is refused', () => {
    const library = join(folder, 'missing.node')
    expect(choose('fastest', { library })).toEqual({ kind: 'node', warning: expect.stringContaining('does not load') })
    expect(choose('uws', { library })).toMatchObject({ kind: 'uws-unavailable', reason: expect.stringContaining('missing.node') })
  })

  test('node:http is asked for', () => {
    expect(choose('node', {})).toEqual({ kind: 'node' })
  })
})
