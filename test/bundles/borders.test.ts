/** Sizes and numbers at their borders: contents that just fit and just do not, every choice of lost volumes, as many volumes of parity as there can be. */
import { cpSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verifyBundle } from '../../src/bundles/read-bundle.ts'
import { chunkBytes, plainCapacity } from '../../src/bundles/volume.ts'
import {
  alpha,
  content,
  filesOf,
  KiB,
  MiB,
  NOW,
  newFolder,
  randomBytes,
  trusting,
  unpacked,
  type Written,
  written,
} from './bundle-fixture.ts'

/** Statement, header of the content, and the end of the archive. */
const AROUND = 512 + 512 + 512 + 1024
const verdictOf = async (...folders: string[]) => verifyBundle(folders, trusting(alpha), { nowMs: NOW })
const volumesOf = ({ folder }: Written): string[] => filesOf(folder).filter((name) => /\.(sealed|rows)$/.test(name))

test('contents that end at the end of a row, a block or a volume, and one byte before and behind, come out as they went in', async () => {
  for (const volumeBytes of [64 * KiB, MiB + 17]) {
    const fits = plainCapacity(volumeBytes) - AROUND
    const row = chunkBytes(0) - AROUND + 1024
    for (const middle of [0, fits - (fits % 512), fits, row]) {
      for (const bytes of [middle - 1, middle, middle + 1].filter((count) => count >= 0)) {
        const body = randomBytes(bytes)
        const bundle = await written([content(body)], { volumeBytes })
        const found = await unpacked(bundle.folder)
        expect(found.fault, `${bytes} bytes in volumes of ${volumeBytes}`).toBeUndefined()
        expect(Buffer.from(found.entries[0] as Uint8Array).equals(body), `${bytes} bytes in volumes of ${volumeBytes}`).toBe(true)
        for (const name of volumesOf(bundle)) expect(statSync(join(bundle.folder, name)).size).toBeLessThanOrEqual(volumeBytes)
      }
    }
  }
}, 60_000)

/** Every choice of `count` of `from`. */
function choices<T>(from: readonly T[], count: number): T[][] {
  if (count === 0) return [[]]
  return from.flatMap((first, at) => choices(from.slice(at + 1), count - 1).map((rest) => [first, ...rest]))
}

test('of four volumes and three of parity any three may be lost; any four are named, and refused where data is among them', async () => {
  const body = randomBytes(230 * KiB)
  const bundle = await written([content(body)], { parityVolumes: 3 })
  const volumes = volumesOf(bundle)
  expect(volumes).toHaveLength(7)
  for (const count of [3, 4])
    for (const lost of choices(volumes, count)) {
      const folder = newFolder()
      cpSync(bundle.folder, folder, { recursive: true })
      for (const name of lost) rmSync(join(folder, name))
      const found = await unpacked(folder)
      if (count === 3) expect(Buffer.from(found.entries[0] as Uint8Array).equals(body), lost.join()).toBe(true)
      else {
        expect(found, lost.join()).toMatchObject({ fault: 'incomplete', entries: [] })
        for (const name of lost) expect(found.sentence).toContain(name)
        expect((await verdictOf(folder)).exit, lost.join()).toBe(6)
      }
    }
}, 60_000)

test('two volumes with fifty of parity come out of any two that are left', async () => {
  const body = randomBytes(100 * KiB)
  const bundle = await written([content(body)], { parityVolumes: 50 })
  const volumes = volumesOf(bundle)
  expect(volumes).toHaveLength(52)
  for (const name of volumes.filter((_, at) => at !== 7 && at !== 51)) rmSync(join(bundle.folder, name))
  const found = await unpacked(bundle.folder)
  expect(Buffer.from(found.entries[0] as Uint8Array).equals(body)).toBe(true)
  expect(await verdictOf(bundle.folder)).toMatchObject({ verdict: 'repairable', exit: 3 })
})
