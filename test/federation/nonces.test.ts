/**
 * No key meets a nonce twice with different plaintext, whatever happens to exports: seen in the files themselves, unfinished ones too. The key of a volume comes from bundle key, salt and number, and the nonce
 * counts rows; so whatever begins with the same salt must go on with the same bytes.
 */
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ExportInput } from '../../src/federation/export-bundle.ts'
import type { FederationProgress } from '../../src/federation/site.ts'
import { newPath, noProgress, TestSite, twoSites, value } from './sites.ts'

class PowerCut extends Error {}

const cutAfter = (steps: number): FederationProgress => {
  let left = steps
  return () => {
    if (left-- === 0) throw new PowerCut()
  }
}

/** Every data volume that ever lay on a medium, by the salt that it begins with. */
class Seen {
  readonly #bySalt = new Map<string, Buffer>()
  volumes = 0

  look(folder: string): void {
    if (!existsSync(folder)) return
    for (const name of readdirSync(folder).filter((file) => file.includes('.tar.sealed'))) {
      const bytes = readFileSync(join(folder, name))
      if (bytes.length < 32) continue
      this.volumes += 1
      const salt = bytes.subarray(0, 32).toString('hex')
      const before = this.#bySalt.get(salt)
      const [shorter, longer] = before === undefined || before.length > bytes.length ? [bytes, before ?? bytes] : [before, bytes]
      // Kept as it was, or cut short in the middle of a write; never another one.
      expect(longer.subarray(0, shorter.length).equals(shorter), `${name} has the salt of another volume`).toBe(true)
      this.#bySalt.set(salt, longer)
    }
  }

  get salts(): number {
    return this.#bySalt.size
  }
}

test('interrupted, repeated, full, after the clock was set back, and by a clone: no volume begins with the salt of another one', async () => {
  const { a, b } = await twoSites()
  await a.make('files', 'enabled')
  for (let index = 0; index < 20; index++) await a.put('files', `key/${index}`, randomBytes(60_000))
  const seen = new Seen()
  const options: Partial<ExportInput> = { volumeBytes: 64 * 1024, parityVolumes: 1 }
  const out = newPath('bundle')
  const attempt = async (site: TestSite, steps: number | 'whole', more: Partial<ExportInput> = {}): Promise<void> => {
    try {
      value(await site.export(b, out, { ...options, ...more }, steps === 'whole' ? noProgress : cutAfter(steps)))
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error
    }
    seen.look(out)
  }
  for (const steps of [3, 2, 2]) {
    await attempt(a, steps)
    await a.restarted()
    a.aheadMs = -86_400_000 * steps
  }
  a.aheadMs = 0
  // Two copies of the site go on with the same export, under the same bundle key.
  const half = newPath('half')
  cpSync(out, half, { recursive: true })
  const copy = await a.copied()
  await attempt(a, 'whole')
  const whole = newPath('whole')
  renameSync(out, whole)
  renameSync(half, out)
  const clone = await TestSite.cloned(a, copy)
  await attempt(clone, 4)
  await attempt(clone, 'whole')
  const preambles = [whole, out].map((folder) => readFileSync(join(folder, 'preamble')).subarray(20, 36).toString('hex'))
  expect(preambles[1], 'both are the same bundle').toBe(preambles[0])
  const once = seen.salts
  // The same again into the same folder, whole and in full.
  for (const full of [false, true]) {
    rmSync(out, { recursive: true })
    await attempt(a, 3, { full })
    await attempt(a, 'whole', { full })
  }
  expect(seen.salts).toBeGreaterThan(once)
  expect(seen.volumes).toBeGreaterThan(40)
}, 60_000)
