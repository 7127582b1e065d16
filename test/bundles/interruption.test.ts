import { cpSync, existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type BundleState, parseBundleState, serializeBundleState } from '../../src/bundles/bundle-state.ts'
import { Stop } from '../../src/bundles/fault.ts'
import { type OutputFolder, outputFolder } from '../../src/bundles/media.ts'
import { verifyBundle } from '../../src/bundles/read-bundle.ts'
import { type WriteBundleInput, writeBundle } from '../../src/bundles/write-bundle.ts'
import {
  alpha,
  bravo,
  content,
  flip,
  inputFor,
  KiB,
  mallory,
  NOW,
  newFolder,
  operations,
  randomBytes,
  trusting,
  unpacked,
} from './bundle-fixture.ts'
import { seededRandom } from './seeded.ts'

const long = Buffer.from(randomBytes(100 * KiB))
const entries = [operations('one'), content(long), operations('two'), content(randomBytes(10)), operations('three')]

/** Counts what is done to the medium and the state, and fails at one step: before it is done, or after. */
class Interruption {
  steps = 0
  readonly #at: number
  readonly #when: 'before' | 'after'
  constructor(at: number, when: 'before' | 'after') {
    this.#at = at
    this.#when = when
  }
  /** `undo`: what is done by itself when the process dies. */
  async step<T>(work: () => Promise<T>, undo?: (value: T) => Promise<void>): Promise<T> {
    const mine = this.steps++
    if (mine === this.#at && this.#when === 'before') throw new Stop('medium-failed', 'pulled out')
    const value = await work()
    if (mine !== this.#at) return value
    await undo?.(value)
    throw new Stop('medium-failed', 'pulled out')
  }
}

/** What was ever written under which name: the salt that each writing of a data volume began with. */
type Record_ = { readonly salts: Map<string, string[]>; state: BundleState | undefined }

function watched(path: string, interruption: Interruption, record: Record_): OutputFolder {
  const folder = outputFolder(path)
  return {
    ...folder,
    async create(name) {
      const kept = record.state?.volumes.findIndex((_, at) => name === `volume-${String(at + 1).padStart(5, '0')}.tar.sealed`)
      expect(kept ?? -1, `${name} is finished and kept`).toBe(-1)
      const file = await interruption.step(
        () => folder.create(name),
        (file) => file.abandon(),
      )
      let begun = false
      return {
        append: (pieces) =>
          interruption.step(() => {
            if (!begun && name.endsWith('.tar.sealed')) {
              expect(pieces[0]).toHaveLength(32)
              record.salts.set(name, [...(record.salts.get(name) ?? []), Buffer.from(pieces[0]!).toString('hex')])
            }
            begun = true
            return file.append(pieces)
          }),
        finish: () => interruption.step(() => file.finish()),
        abandon: () => file.abandon(),
      }
    },
    writeFile: (name, bytes) => interruption.step(() => folder.writeFile(name, bytes)),
    readFile: (name, max) => interruption.step(() => folder.readFile(name, max)),
    open: (name) =>
      interruption.step(
        () => folder.open(name),
        async (file) => file?.close(),
      ),
    remove: (name) => interruption.step(() => folder.remove(name)),
  }
}

const random = seededRandom('interruptions')

function attempt(path: string, interruption: Interruption, record: Record_) {
  const { state } = record
  return writeBundle(
    inputFor(entries, {
      ...(state === undefined ? {} : { state }),
      out: watched(path, interruption, record),
      saveState: (saved) =>
        interruption.step(async () => {
          const read = parseBundleState(serializeBundleState(saved))
          if (!read.ok) throw new Error(read.error.sentence)
          record.state = read.value
        }),
      random,
      parityVolumes: 1,
      groupVolumes: 1,
    }),
  )
}

const expected = ['one', long, 'two', Buffer.from((await collected(entries[3]!)) ?? []), 'three']
async function collected(entry: (typeof entries)[number]): Promise<Uint8Array | undefined> {
  if (entry.kind !== 'content') return undefined
  const parts: Uint8Array[] = []
  for await (const part of entry.read()) parts.push(part)
  return Buffer.concat(parts)
}

async function expectWhole(path: string, record: Record_, verified = true): Promise<void> {
  if (verified) expect(await verifyBundle([path], trusting(alpha), { nowMs: NOW })).toMatchObject({ verdict: 'intact', exit: 0 })
  const found = await unpacked(path)
  expect(found.fault).toBeUndefined()
  expect(found.entries).toEqual(expected)
  const salts = [...record.salts.values()].flat()
  expect(new Set(salts).size, 'no salt was used twice, so no key met a nonce twice').toBe(salts.length)
}

describe.each(['before', 'after'] as const)('stopped %s any step', (when) => {
  test('an export goes on when it is run again, and no two writings share key and nonce', { timeout: 120_000 }, async () => {
    const whole = new Interruption(-1, when)
    expect((await attempt(newFolder(), whole, { salts: new Map(), state: undefined })).ok).toBe(true)
    expect(whole.steps).toBeGreaterThan(20)
    for (let at = 0; at < whole.steps; at++) {
      const path = newFolder()
      const record: Record_ = { salts: new Map(), state: undefined }
      expect(await attempt(path, new Interruption(at, when), record), `step ${at}`).toMatchObject({
        ok: false,
        error: { kind: 'medium-failed' },
      })
      // Before the state was saved for the first time nothing is on the medium, so that a new export can begin.
      const again = await attempt(path, new Interruption(-1, when), record)
      expect(again, `step ${at}`).toMatchObject({ ok: true })
      await expectWhole(path, record, at % 8 === 0)
    }
  })

  test('an export that is stopped again and again still ends', async () => {
    const path = newFolder()
    const record: Record_ = { salts: new Map(), state: undefined }
    let attempts = 0
    for (let done = false; !done; attempts++) {
      expect(attempts).toBeLessThan(60)
      // Enough steps to get one volume further each time.
      done = (await attempt(path, new Interruption(16, when), record)).ok
    }
    expect(attempts).toBeGreaterThan(2)
    await expectWhole(path, record)
  })
})

test('an export run again after it was finished changes nothing that counts', async () => {
  const path = newFolder()
  const record: Record_ = { salts: new Map(), state: undefined }
  const first = await attempt(path, new Interruption(-1, 'before'), record)
  const second = await attempt(path, new Interruption(-1, 'before'), record)
  expect(second).toEqual(first)
  await expectWhole(path, record)
})

test('finished volumes that were lost or cut short meanwhile are written anew, under new salts', async () => {
  const path = newFolder()
  const record: Record_ = { salts: new Map(), state: undefined }
  const states: BundleState[] = []
  const input = (state: BundleState | undefined): WriteBundleInput =>
    inputFor(entries, {
      ...(state === undefined ? {} : { state }),
      out: path,
      saveState: async (saved) => void states.push(saved),
      random,
      parityVolumes: 1,
    })
  expect((await writeBundle(input(undefined))).ok).toBe(true)
  const before = states.at(-1)!
  truncateSync(join(path, 'volume-00002.tar.sealed'), 10)
  expect((await writeBundle(input(before))).ok).toBe(true)
  const after = states.at(-1)!
  expect(after.volumes[0]).toEqual(before.volumes[0])
  expect(after.volumes[1]!.root).not.toBe(before.volumes[1]!.root)
  await expectWhole(path, record)
  rmSync(join(path, 'parity-001-01.rows'))
  expect((await writeBundle(input(after))).ok).toBe(true)
  await expectWhole(path, record)
})

/** An export without parity, to which something happens behind the second volume; then the same again. */
function disturbed(disturb: (path: string) => void) {
  const path = newFolder()
  const states: BundleState[] = []
  const run = () => {
    const state = states.at(-1)
    return writeBundle(
      inputFor(entries, {
        ...{ out: path, random, ...(state === undefined ? {} : { state }) },
        saveState: async (saved) => {
          states.push(saved)
          if (states.filter(({ volumes }) => volumes.length === 2).length === 1 && saved.volumes.length === 2) disturb(path)
        },
      }),
    )
  }
  return { path, run }
}

test.each(['volume-00001.tar.sealed', 'volume-00001.trailer'])(
  'an export from under which %s is taken does not claim to be whole, and is when it is run again',
  async (name) => {
    const { path, run } = disturbed((folder) => rmSync(join(folder, name)))
    expect(await run()).toMatchObject({
      ok: false,
      error: { kind: 'medium-failed', sentence: expect.stringContaining('volume-00001.tar.sealed is not in') },
    })
    expect(existsSync(join(path, 'manifest'))).toBe(false)
    expect(await run()).toMatchObject({ ok: true })
    await expectWhole(path, { salts: new Map(), state: undefined })
  },
)

test('a medium that vanishes in the middle is said, and written anew when it is back', async () => {
  const { path, run } = disturbed((folder) => rmSync(folder, { recursive: true }))
  expect(await run()).toMatchObject({ ok: false, error: { kind: 'medium-failed', sentence: expect.stringContaining(path) } })
  expect(existsSync(path)).toBe(false)
  expect(await run()).toMatchObject({ ok: true })
  await expectWhole(path, { salts: new Map(), state: undefined })
})

test('what somebody else puts into the folder of an export is not removed, and the export not finished until he does', async () => {
  const { path, run } = disturbed((folder) => {
    writeFileSync(join(folder, 'letter.txt'), 'mine')
    mkdirSync(join(folder, 'photos'))
  })
  for (const name of ['letter.txt', 'photos']) {
    expect(await run()).toMatchObject({ ok: false, error: { kind: 'out-not-empty', sentence: expect.stringContaining(name) } })
    expect(existsSync(join(path, name))).toBe(true)
    expect(existsSync(join(path, 'manifest'))).toBe(false)
    rmSync(join(path, name), { recursive: true })
  }
  expect(await run()).toMatchObject({ ok: true })
  await expectWhole(path, { salts: new Map(), state: undefined })
})

describe('what is asked for', () => {
  test('a folder that holds something else is left alone', async () => {
    const path = newFolder()
    cpSync('/etc/hostname', join(path, 'letter.txt'))
    expect(await writeBundle(inputFor(entries, { out: path }))).toMatchObject({ ok: false, error: { kind: 'out-not-empty' } })
  })

  test('folders above it are made; one that cannot be made is said', async () => {
    const made = join(newFolder(), 'a', 'b', 'c')
    expect(await writeBundle(inputFor(entries, { out: made }))).toMatchObject({ ok: true })
    const file = join(newFolder(), 'file')
    writeFileSync(file, '')
    for (const out of [file, join(file, 'below'), '/proc/nothing', '/proc/nothing/below'])
      expect(await writeBundle(inputFor(entries, { out })), out).toMatchObject({
        ok: false,
        error: {
          kind: 'medium-failed',
          sentence: expect.stringMatching(/(\/file is a file, not a directory|^\/proc\/nothing can't be made).*another place/),
        },
      })
  })

  test('a saved export goes on for the same peer and sizes only', async () => {
    const states: BundleState[] = []
    const out = newFolder()
    expect((await writeBundle(inputFor(entries, { out, saveState: async (state) => void states.push(state) }))).ok).toBe(true)
    const state = states[0]!
    for (const change of [
      { recipients: [mallory.publicIdentity] },
      { signer: bravo },
      { volumeBytes: 128 * KiB },
      { parityVolumes: 2 },
      { epoch: 2 },
    ])
      expect(await writeBundle(inputFor(entries, { out, state, ...change }))).toMatchObject({
        ok: false,
        error: { kind: 'state-mismatch' },
      })
  })

  test('entries that end early, go on too long or fail stop the export with a reason', async () => {
    const bytes = randomBytes(1000)
    const of = (total: number, fails = false) => ({
      ...content(bytes),
      bytes: total,
      async *read() {
        yield bytes
        if (fails) throw new Error('the disk is gone')
      },
    })
    for (const [entry, words] of [
      [of(1001), 'ends after 1000 of its 1001'],
      [of(999), 'goes on behind its 999'],
      [of(2000, true), 'the disk is gone'],
    ] as const)
      expect(await writeBundle(inputFor([entry as never]))).toMatchObject({
        ok: false,
        error: { kind: 'source-failed', sentence: expect.stringContaining(words) },
      })
    async function* broken() {
      yield operations('one')
      throw new Error('no list')
    }
    expect(await writeBundle(inputFor([], { entries: broken }))).toMatchObject({
      ok: false,
      error: { sentence: expect.stringContaining('no list') },
    })
  })

  test('a medium that returns other bytes than were written is found while parity is made', async () => {
    const path = newFolder()
    let ended = 0
    const folder = outputFolder(path)
    const faulty: OutputFolder = {
      ...folder,
      async open(name) {
        if (ended++ === 0) flip(join(path, name), 50)
        return folder.open(name)
      },
    }
    expect(await writeBundle(inputFor(entries, { out: faulty, parityVolumes: 1 }))).toMatchObject({
      ok: false,
      error: { kind: 'medium-failed', sentence: expect.stringContaining('volume-00001.tar.sealed') },
    })
  })

  test('a signal stops it', async () => {
    const signal = AbortSignal.abort()
    expect(await writeBundle(inputFor(entries, { signal }))).toMatchObject({ ok: false, error: { kind: 'aborted' } })
  })

  test('sizes and numbers out of their limits are refused', async () => {
    for (const change of [
      { volumeBytes: 1000 },
      { volumeBytes: 2 ** 50 },
      { parityVolumes: 51 },
      { parityVolumes: -1 },
      { groupVolumes: 201 },
      { recipients: [] },
    ])
      expect(await writeBundle(inputFor(entries, change))).toMatchObject({ ok: false, error: { kind: 'invalid-input' } })
  })
})
