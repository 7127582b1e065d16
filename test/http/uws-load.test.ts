import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { rewriteForOlderGlibc } from '../../src/http/glibc-compatible.ts'
import { correct } from '../../src/http/uws-corrections.ts'

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
  test('are all found in the pinned library, change few bytes, and are not made twice', () => {
    const copy = Buffer.from(original)
    expect(correct(copy).size).toBe(4)
    expect(differences(original, copy)).toBeLessThan(40)
    expect(correct(copy).size).toBe(0)
  })

  test('leave another library alone', () => {
    const other = Buffer.alloc(100_000, 'another library')
    const copy = Buffer.from(other)
    expect(correct(copy).size).toBe(0)
    expect(copy.equals(other)).toBe(true)
  })
})

describe('loading', () => {
  function load(): { status: number | null; corrections: string[] } {
    const module = new URL('../../src/http/uws-load.ts', import.meta.url).href
    const script = `
      import { loadUws } from ${JSON.stringify(module)}
      const loaded = loadUws({ cacheFolder: ${JSON.stringify(folder)} })
      console.log(JSON.stringify(loaded.ok ? [...loaded.value.corrections] : loaded.error))`
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    return { status: ended.status, corrections: JSON.parse(ended.stdout || '[]') as string[] }
  }

  test.skipIf(process.arch !== 'x64')('gives a corrected module, again and again', () => {
    for (const _ of [1, 2]) expect(load()).toMatchObject({ status: 0, corrections: expect.arrayContaining(['continue-when-asked']) })
  })

  test('does without a folder that others may write', () => {
    chmodSync(folder, 0o777)
    expect(load().status).toBe(0)
  })
})
