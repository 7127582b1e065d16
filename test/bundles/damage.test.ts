import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { approveBundle } from '../../src/bundles/approve-bundle.ts'
import { verifyBundle } from '../../src/bundles/read-bundle.ts'
import {
  alpha,
  bravo,
  content,
  filesOf,
  flip,
  KiB,
  MiB,
  NOW,
  newFolder,
  operations,
  randomBytes,
  trusting,
  unpacked,
  type Written,
  written,
} from './bundle-fixture.ts'
import { seeded } from './seeded.ts'

const verify = (folder: string) => verifyBundle([folder], trusting(alpha), { nowMs: NOW })
const volume = (index: number): string => `volume-${String(index).padStart(5, '0')}.tar.sealed`

function copyOf(folder: string): string {
  const copy = newFolder()
  cpSync(folder, copy, { recursive: true })
  return copy
}

describe('twenty volumes with three of parity', () => {
  const bytes = Buffer.from(randomBytes(19.5 * 63 * KiB))
  let bundle: Written
  beforeAll(async () => {
    bundle = await written([operations('ops'), content(bytes)], { parityVolumes: 3 })
    expect(bundle.summary).toMatchObject({ volumes: 20, parityVolumes: 3 })
  })
  const whole = (found: Awaited<ReturnType<typeof unpacked>>): boolean =>
    found.fault === undefined && found.entries[0] === 'ops' && Buffer.compare(found.entries[1] as Buffer, bytes) === 0

  test('three lost volumes are named and rebuilt', async () => {
    const folder = copyOf(bundle.folder)
    for (const index of [1, 11, 20]) rmSync(join(folder, volume(index)))
    rmSync(join(folder, 'volume-00011.trailer'))
    const report = await verify(folder)
    expect(report).toMatchObject({ verdict: 'repairable', exit: 3 })
    expect(report.damage.map(({ name, kind, repairable }) => [name, kind, repairable])).toEqual(
      [1, 11, 20].map((index) => [volume(index), 'missing', true]),
    )
    const found = await unpacked(folder)
    expect(whole(found)).toBe(true)
    expect(found.repaired).toBe(3)
    expect(existsSync(join(folder, volume(1)))).toBe(false)
  })

  test('a fourth lost volume is too many: said before anything is read, with the names', async () => {
    const folder = copyOf(bundle.folder)
    for (const index of [1, 2, 3, 4]) rmSync(join(folder, volume(index)))
    expect(await verify(folder)).toMatchObject({
      verdict: 'damaged',
      exit: 6,
      damage: [1, 2, 3, 4].map(() => ({ kind: 'missing', repairable: false })),
    })
    const found = await unpacked(folder)
    expect(found).toMatchObject({ fault: 'incomplete', entries: [], bundle: undefined })
    for (const index of [1, 2, 3, 4]) expect(found.sentence).toContain(volume(index))
  })

  test('lost parity volumes are named, and are no loss while the data is whole', async () => {
    const folder = copyOf(bundle.folder)
    for (const number of [1, 2, 3]) rmSync(join(folder, `parity-001-0${number}.rows`))
    expect((await verify(folder)).damage.map(({ name }) => name)).toEqual([1, 2, 3].map((number) => `parity-001-0${number}.rows`))
    expect(whole(await unpacked(folder))).toBe(true)
  })

  test('lost trailers cost nothing: the volumes vouch for themselves', async () => {
    const folder = copyOf(bundle.folder)
    for (const name of filesOf(folder)) if (name.endsWith('.trailer')) rmSync(join(folder, name))
    rmSync(join(folder, volume(7)))
    flip(join(folder, volume(9)), 4000)
    const report = await verify(folder)
    expect(report).toMatchObject({ verdict: 'repairable', exit: 3 })
    expect(report.damage.filter(({ kind }) => kind !== 'trailer').map(({ name, kind }) => [name, kind])).toEqual([
      [volume(7), 'missing'],
      [volume(9), 'changed'],
    ])
    expect(whole(await unpacked(folder))).toBe(true)
  })

  test('a volume that is cut short is rebuilt', async () => {
    const folder = copyOf(bundle.folder)
    truncateSync(join(folder, volume(5)), 1000)
    const report = await verify(folder)
    expect(report.damage).toMatchObject([{ name: volume(5), kind: 'truncated', repairable: true }])
    expect(report.damage[0]!.sentence).toContain('1000 of its')
    expect(whole(await unpacked(folder))).toBe(true)
  })

  test('two volumes with their names swapped are named, and read all the same', async () => {
    const folder = copyOf(bundle.folder)
    renameSync(join(folder, volume(2)), join(folder, 'spare'))
    renameSync(join(folder, volume(3)), join(folder, volume(2)))
    renameSync(join(folder, 'spare'), join(folder, volume(3)))
    const report = await verify(folder)
    expect(report.damage.map(({ name, sentence }) => [name, sentence.includes('swapped')])).toEqual([
      [volume(2), true],
      [volume(3), true],
    ])
    expect(report.damage[0]!.sentence).toContain(volume(3))
    expect(whole(await unpacked(folder))).toBe(true)
  })
})

test('two volumes deleted and a byte flipped in two others: all four are named with places, and everything is repaired', async () => {
  const bytes = Buffer.from(randomBytes(11 * MiB))
  const { folder, summary } = await written([content(bytes, MiB)], { volumeBytes: 2 * MiB, parityVolumes: 3 })
  expect(summary.volumes).toBe(6)
  for (const index of [2, 5]) {
    rmSync(join(folder, volume(index)))
    rmSync(join(folder, `volume-0000${index}.trailer`))
  }
  flip(join(folder, volume(1)), 100)
  flip(join(folder, volume(4)), MiB + 5)
  const bytesOf = statSync(join(folder, volume(1))).size
  const report = await verify(folder)
  expect(report).toMatchObject({ verdict: 'repairable', exit: 3 })
  expect(report.damage.map(({ name, kind, ranges }) => ({ name, kind, ranges }))).toEqual([
    { name: volume(1), kind: 'changed', ranges: [{ from: 0, to: MiB }] },
    { name: volume(2), kind: 'missing', ranges: [{ from: 0, to: bytesOf }] },
    { name: volume(4), kind: 'changed', ranges: [{ from: MiB, to: bytesOf }] },
    { name: volume(5), kind: 'missing', ranges: [{ from: 0, to: bytesOf }] },
  ])
  const found = await unpacked(folder)
  expect(found.fault).toBeUndefined()
  expect(Buffer.compare(found.entries[0] as Buffer, bytes)).toBe(0)
  expect(found.repaired).toBe(6)
})

test('groups are repaired each on its own', async () => {
  const bytes = Buffer.from(randomBytes(9.5 * 63 * KiB))
  const { folder, summary } = await written([content(bytes)], { groupVolumes: 4, parityVolumes: 1 })
  expect(summary).toMatchObject({ volumes: 10, parityVolumes: 3 })
  for (const index of [4, 5, 10]) rmSync(join(folder, volume(index)))
  const found = await unpacked(folder)
  expect(found.fault).toBeUndefined()
  expect(Buffer.compare(found.entries[0] as Buffer, bytes)).toBe(0)
  rmSync(join(folder, volume(6)))
  expect(await verify(folder)).toMatchObject({ verdict: 'damaged' })
  expect((await verify(folder)).damage.map(({ repairable }) => repairable)).toEqual([true, false, false, true])
})

describe('one byte changed anywhere', () => {
  const bytes = Buffer.from(randomBytes(150 * KiB))
  const entries = [operations('{"op":1}\n'), content(bytes)]
  const regions = (folder: string): [string, number][] =>
    filesOf(folder)
      .filter((name) => name !== 'README.txt' && name !== 'SHA512SUMS')
      .map((name) => [name, statSync(join(folder, name)).size])

  test('is found by verify, and without parity nothing wrong ever comes out', async () => {
    const { folder } = await written(entries)
    const places = fc
      .constantFrom(...regions(folder))
      .chain(([name, size]) => fc.tuple(fc.constant(name), fc.nat(size - 1), fc.integer({ min: 1, max: 255 })))
    await fc.assert(
      fc.asyncProperty(places, async ([name, at, mask]) => {
        flip(join(folder, name), at, mask)
        try {
          const report = await verify(folder)
          expect(report.verdict).not.toBe('intact')
          const found = await unpacked(folder)
          if (name.endsWith('.trailer')) expect(found).toMatchObject({ fault: undefined, entries: ['{"op":1}\n', bytes] })
          else expect(found.fault).toBeDefined()
        } finally {
          flip(join(folder, name), at, mask)
        }
      }),
      seeded({ numRuns: 40 }),
    )
  })

  test('is repaired where there is parity, and the documents stay refused', async () => {
    const { folder } = await written(entries, { parityVolumes: 1 })
    const places = fc.constantFrom(...regions(folder)).chain(([name, size]) => fc.tuple(fc.constant(name), fc.nat(size - 1)))
    await fc.assert(
      fc.asyncProperty(places, async ([name, at]) => {
        flip(join(folder, name), at)
        try {
          const [report, found] = [await verify(folder), await unpacked(folder)]
          if (name === 'preamble' || name === 'manifest') {
            expect(report.verdict).toBe('refused')
            expect(found.fault).toBeDefined()
          } else {
            expect(report).toMatchObject({ verdict: 'repairable', exit: 3, damage: [{ repairable: true }] })
            expect(found.fault).toBeUndefined()
            expect(found.entries[0]).toBe('{"op":1}\n')
            expect(Buffer.compare(found.entries[1] as Buffer, bytes)).toBe(0)
          }
        } finally {
          flip(join(folder, name), at)
        }
      }),
      seeded({ numRuns: 20 }),
    )
  })
})

describe('what lies in the folder', () => {
  let bundle: Written
  beforeAll(async () => {
    bundle = await written([content(randomBytes(100 * KiB))])
  })
  const broken = async (change: (folder: string) => void) => {
    const folder = copyOf(bundle.folder)
    change(folder)
    const [report, found] = [await verify(folder), await unpacked(folder)]
    expect(report).toMatchObject({ verdict: 'refused', fault: found.fault })
    return found
  }

  test('a file that the bundle does not list is refused by name', async () => {
    const found = await broken((folder) => writeFileSync(join(folder, 'autorun.inf'), ''))
    expect(found).toMatchObject({ fault: 'unlisted-file', sentence: expect.stringContaining('autorun.inf') })
    expect((await broken((folder) => writeFileSync(join(folder, 'volume-00099.tar.sealed'), ''))).fault).toBe('unlisted-file')
  })

  test('of several files that do not belong there, each is named', async () => {
    const strange = ['Thumbs.db', 'autorun.inf', 'notes.txt']
    const found = await broken((folder) => {
      for (const name of strange) writeFileSync(join(folder, name), '')
    })
    for (const name of strange) expect(found.sentence).toContain(name)
    const folders = ['.Trash-1000', 'System Volume Information']
    const refused = await broken((folder) => {
      for (const name of folders) mkdirSync(join(folder, name))
    })
    expect(refused.fault).toBe('not-a-plain-file')
    for (const name of folders) expect(refused.sentence).toContain(name)
  })

  test('links, folders and pipes are refused', async () => {
    expect((await broken((folder) => symlinkSync('/etc/passwd', join(folder, 'volume-00099.tar.sealed')))).sentence).toContain(
      'symbolic link',
    )
    expect((await broken((folder) => mkdirSync(join(folder, 'volume-00099.tar.sealed')))).fault).toBe('not-a-plain-file')
    const swapped = await broken((folder) => {
      renameSync(join(folder, volume(1)), join(newFolder(), 'elsewhere'))
      symlinkSync('/dev/zero', join(folder, volume(1)))
    })
    expect(swapped.fault).toBe('not-a-plain-file')
  })

  test('files that go on behind their signed end are refused', async () => {
    expect((await broken((folder) => appendFileSync(join(folder, volume(1)), 'x'))).fault).toBe('oversized')
    expect((await broken((folder) => appendFileSync(join(folder, 'preamble'), 'x'))).fault).toBe('malformed')
    const endless = await broken((folder) => truncateSync(join(folder, 'manifest'), 2 ** 40))
    expect(endless.fault).toBe('oversized')
  })

  test('a bundle without manifest, preamble or volumes says what is missing', async () => {
    expect(await broken((folder) => rmSync(join(folder, 'manifest')))).toMatchObject({
      fault: 'incomplete',
      sentence: expect.stringContaining('manifest'),
    })
    expect(await broken((folder) => rmSync(join(folder, 'preamble')))).toMatchObject({
      fault: 'incomplete',
      sentence: expect.stringContaining('preamble'),
    })
    expect((await unpacked(newFolder())).fault).toBe('not-a-bundle')
    expect((await unpacked('/nonexistent/folder')).fault).toBe('not-a-bundle')
    const folder = copyOf(bundle.folder)
    rmSync(join(folder, volume(1)))
    expect(await unpacked(folder)).toMatchObject({ fault: 'incomplete', sentence: expect.stringContaining('no parity') })
  })

  test.each<[what: string, change: (folder: string) => void, names: string[], about: RegExp]>([
    [
      'a README.txt with other advice',
      (folder) => appendFileSync(join(folder, 'README.txt'), 'Call 555-0100.\n'),
      ['README.txt'],
      /do not do what it says/,
    ],
    ['no README.txt', (folder) => rmSync(join(folder, 'README.txt')), ['README.txt'], /missing/],
    ['no SHA512SUMS', (folder) => rmSync(join(folder, 'SHA512SUMS')), ['SHA512SUMS'], /missing/],
    ['a flipped bit in a sum', (folder) => flip(join(folder, 'SHA512SUMS'), 3 * (128 + 2) + 40), ['SHA512SUMS'], /do not judge/],
    ['a list that is cut short', (folder) => truncateSync(join(folder, 'SHA512SUMS'), 500), ['SHA512SUMS'], /do not judge/],
    [
      'both made of nonsense',
      (folder) => {
        for (const name of ['README.txt', 'SHA512SUMS'])
          writeFileSync(join(folder, name), readFileSync(join(folder, 'README.txt')).reverse())
      },
      ['README.txt', 'SHA512SUMS'],
      /not as it was written/,
    ],
  ])('README and checksum list are signed by nobody, and yet said to be changed: %s', async (_what, change, names, about) => {
    const folder = copyOf(bundle.folder)
    change(folder)
    const report = await verify(folder)
    expect(report).toMatchObject({ verdict: 'repairable', exit: 3 })
    expect(report.sentences[0]).toMatch(/^The content of the bundle is intact, signed by site .* known here/)
    expect(report.damage).toMatchObject(names.map((name) => ({ name, kind: 'unsigned', repairable: true, ranges: [] })))
    for (const { sentence } of report.damage) expect(sentence).toMatch(about)
    expect(report.damage.every(({ sentence }) => sentence.endsWith('The content is not affected.'))).toBe(true)
    expect((await unpacked(folder)).fault).toBeUndefined()
  })

  test('the line of the checksum list that is wrong is named, of whatever file', async () => {
    const names = readFileSync(join(bundle.folder, 'SHA512SUMS'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.slice(130))
    expect(names).toEqual(expect.arrayContaining(['README.txt', 'preamble', 'manifest', volume(1), 'volume-00001.trailer']))
    for (const name of names) {
      const folder = copyOf(bundle.folder)
      const sums = readFileSync(join(folder, 'SHA512SUMS'), 'utf8')
      const changed = sums.replace(new RegExp(`[0-9a-f]  ${name}\n`), (line) => `${line.startsWith('0') ? '1' : '0'}${line.slice(1)}`)
      writeFileSync(join(folder, 'SHA512SUMS'), changed)
      expect((await verify(folder)).damage.map(({ sentence }) => sentence)).toEqual([
        expect.stringContaining(`where it speaks of ${name})`),
      ])
    }
  })

  test('an approval keeps the checksum list true, in whichever folder it lies', async () => {
    const [one, other] = [copyOf(bundle.folder), newFolder()]
    renameSync(join(one, 'SHA512SUMS'), join(other, 'SHA512SUMS'))
    expect(await approveBundle([one, other], bravo)).toEqual({ ok: true, value: 1 })
    const report = await verifyBundle([one, other], trusting(alpha, bravo), { nowMs: NOW })
    expect(report).toMatchObject({ verdict: 'intact', exit: 0, signers: [alpha, bravo].map(({ publicIdentity }) => publicIdentity.siteId) })
  })

  test('a damaged volume is not counted against the checksum list, nor is a list in another folder than the volumes', async () => {
    const folder = copyOf(bundle.folder)
    flip(join(folder, volume(1)), 4000)
    flip(join(folder, 'volume-00001.trailer'), 10)
    expect((await verify(folder)).damage.map(({ name }) => name)).toEqual([volume(1)])
    const [one, other] = [copyOf(bundle.folder), newFolder()]
    for (const name of ['SHA512SUMS', 'README.txt', volume(1)]) renameSync(join(one, name), join(other, name))
    expect(await verifyBundle([one, other], trusting(alpha), { nowMs: NOW })).toMatchObject({ verdict: 'intact', exit: 0 })
  })
})
