/** Sites, entries and folders for tests of bundles. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { BundleState } from '../../src/bundles/bundle-state.ts'
import { createIdentity, type PrivateIdentity } from '../../src/bundles/identity.ts'
import { ContentDigest } from '../../src/bundles/merkle.ts'
import { type OpenBundle, type OpenBundleInput, openBundle } from '../../src/bundles/read-bundle.ts'
import type { Trust } from '../../src/bundles/signature.ts'
import { type BundleEntry, type BundleSummary, type WriteBundleInput, writeBundle } from '../../src/bundles/write-bundle.ts'
import { seededRandom } from './seeded.ts'

export const NOW = Date.UTC(2026, 10, 23, 12)
export const KiB = 1024
export const MiB = 1024 * 1024

export const alpha = createIdentity(seededRandom('alpha'), NOW - 1000)
export const bravo = createIdentity(seededRandom('bravo'), NOW - 1000)
export const mallory = createIdentity(seededRandom('mallory'), NOW - 1000)

export const trusting =
  (...sites: readonly PrivateIdentity[]): Trust =>
  (site) =>
    sites.find(({ publicIdentity }) => publicIdentity.siteId === site)?.publicIdentity

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'))
  folders.push(folder)
  return folder
}

const random = seededRandom('content')
export const randomBytes = (count: number): Uint8Array => random.bytes(count)

export function digestOf(content: Uint8Array): string {
  const digest = new ContentDigest()
  digest.update(content)
  return digest.digest()
}

export const operations = (text: string): BundleEntry => ({ kind: 'operations', lines: Buffer.from(text) })
export const content = (bytes: Uint8Array, step = 100_000): BundleEntry => ({
  kind: 'content',
  digest: digestOf(bytes),
  bytes: bytes.length,
  async *read() {
    for (let from = 0; from < bytes.length; from += step) yield bytes.subarray(from, from + step)
  },
})

export async function* from(entries: readonly BundleEntry[], first: number): AsyncGenerator<BundleEntry> {
  yield* entries.slice(first)
}

export type Written = { readonly folder: string; readonly summary: BundleSummary; readonly states: readonly BundleState[] }

export function inputFor(entries: readonly BundleEntry[], more: Partial<WriteBundleInput> = {}): WriteBundleInput {
  return {
    out: newFolder(),
    saveState: async () => undefined,
    random: seededRandom(`bundle ${folders.length}`),
    nowMs: NOW,
    signer: alpha,
    epoch: 1,
    recipients: [bravo.publicIdentity],
    statement: { sealed: { brings: 'everything' }, needs: { bundles: [] } },
    volumeBytes: 64 * KiB,
    parityVolumes: 0,
    entries: (first) => from(entries, first),
    ...more,
  }
}

export async function written(entries: readonly BundleEntry[], more: Partial<WriteBundleInput> = {}): Promise<Written> {
  const states: BundleState[] = []
  const input = inputFor(entries, { saveState: async (state) => void states.push(state), ...more })
  const summary = await writeBundle(input)
  if (!summary.ok) throw new Error(summary.error.sentence)
  return { folder: input.out as string, summary: summary.value, states }
}

export const opening = (dirs: string | readonly string[], more: Partial<OpenBundleInput> = {}) =>
  openBundle({
    dirs: typeof dirs === 'string' ? [dirs] : dirs,
    trust: trusting(alpha),
    recipient: bravo,
    nowMs: NOW,
    repair: 'memory',
    ...more,
  })

/** What came out of a bundle: operations as text, content as its bytes; the fault that ended it, if any. */
export type Unpacked = {
  readonly entries: readonly (string | Uint8Array)[]
  readonly fault: string | undefined
  readonly sentence: string | undefined
  readonly repaired: number
  readonly bundle: OpenBundle | undefined
}

export async function unpacked(dirs: string | readonly string[], more: Partial<OpenBundleInput> = {}): Promise<Unpacked> {
  const opened = await opening(dirs, more)
  if (!opened.ok) return { entries: [], fault: opened.error.kind, sentence: opened.error.sentence, repaired: 0, bundle: undefined }
  const bundle = opened.value
  const entries: (string | Uint8Array)[] = []
  const ended = (error?: { kind: string; sentence: string }): Unpacked => ({
    entries,
    fault: error?.kind,
    sentence: error?.sentence,
    repaired: bundle.repairedRows(),
    bundle,
  })
  try {
    for await (const entry of bundle.entries()) {
      if (!entry.ok) return ended(entry.error)
      if (entry.value.kind === 'operations') {
        entries.push(Buffer.from(entry.value.lines).toString())
        continue
      }
      const parts: Uint8Array[] = []
      for await (const part of entry.value.read()) {
        if (!part.ok) return ended(part.error)
        parts.push(part.value)
      }
      entries.push(Buffer.concat(parts))
    }
    return ended()
  } finally {
    await bundle.close()
  }
}

export const filesOf = (folder: string): string[] => readdirSync(folder).sort()

export function flip(path: string, at: number, mask = 1): void {
  const bytes = readFileSync(path)
  bytes[at < 0 ? bytes.length + at : at]! ^= mask
  writeFileSync(path, bytes)
}
