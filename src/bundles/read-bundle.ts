/**
 * Opens a bundle for its recipient. Everything is checked before it is handed out: signer, recipient, time, then each byte as it is read. Damage is repaired in
 * memory from parity; the media are never written. Memory: three rows of 1 MiB, and while a row is repaired one row of each volume of its group.
 */
import { ok, type Result } from '../result.ts'
import type { SiteId } from '../store/terms.ts'
import { ArchiveReader } from './archive-reader.ts'
import { type BundleHead, loadHead } from './bundle-head.ts'
import { EntryReader, type ReadEntry } from './entry-reader.ts'
import { type BundleFault, Stop, stopped } from './fault.ts'
import type { PrivateIdentity, PublicIdentity } from './identity.ts'
import type { Json } from './json.ts'
import { locateVolume } from './located-volume.ts'
import { unwrapBundleKey } from './preamble.ts'
import type { Trust } from './signature.ts'

export { inspectBundle } from './inspect-bundle.ts'
export { verifyBundle } from './verify-bundle.ts'

export type OpenBundleInput = {
  readonly dirs: readonly string[]
  readonly trust: Trust
  readonly recipient: PrivateIdentity
  readonly nowMs: number
  /** Lost rows are rebuilt in memory; nothing is written to the media. */
  readonly repair: 'memory'
  /** How many distinct trusted sites must have signed the manifest, the sender included. 1 unless given. */
  readonly signersNeeded?: number
}

export type OpenBundle = {
  readonly bundleId: string
  /** Stands for the whole content: the same id with another one is another bundle. */
  readonly manifestDigest: string
  /** As it is known here. */
  readonly sender: PublicIdentity
  /** As it stands in the bundle: may have newer encryption keys. */
  readonly senderIdentity: PublicIdentity
  readonly senderEpoch: number
  /** Who signed the manifest, of those that are trusted. */
  readonly signers: readonly SiteId[]
  readonly createdMs: number
  readonly expiresMs: number | undefined
  readonly marking: string | undefined
  readonly needs: Json
  readonly statement: Json
  /** Of all data volumes: at most so much content is in it. */
  readonly totalBytes: number
  /** The secret for the short receipt. */
  readonly receiptKey: Uint8Array
  /** Rows rebuilt from parity so far. */
  repairedRows(): number
  /** Once, in order. A fault is the last item. */
  entries(): AsyncIterable<Result<ReadEntry, BundleFault>>
  close(): Promise<void>
}

/** A bundle for its recipient: its documents are verified and its key is unwrapped; contents come with `entries`. To be closed. */
export function openBundle(input: OpenBundleInput): Promise<Result<OpenBundle, BundleFault>> {
  return stopped(async () => {
    const head = await loadHead(input.dirs, input.trust, 'refused')
    const { preamble, manifest, sender, signers } = head
    const needed = input.signersNeeded ?? 1
    if (signers.trusted.length < needed)
      throw new Stop(
        'too-few-signers',
        `${needed} sites must have signed this bundle; ${signers.trusted.length} that are trusted here did.`,
      )
    if (preamble.expiresMs !== undefined && preamble.expiresMs < input.nowMs)
      throw new Stop('expired', `This bundle expired at ${new Date(preamble.expiresMs).toISOString()}: ask for a new one.`)
    const unwrapped = unwrapBundleKey(preamble, input.recipient)
    if (!unwrapped.ok) throw new Stop(unwrapped.error.kind, unwrapped.error.sentence)
    await preflight(head)
    const archives = new ArchiveReader(head, unwrapped.value.bundleKey)
    const reader = new EntryReader(archives)
    try {
      const statement = await reader.statement()
      return {
        bundleId: preamble.bundleId,
        manifestDigest: manifest.digest,
        sender,
        senderIdentity: preamble.sender.identity,
        senderEpoch: preamble.sender.epoch,
        signers: signers.trusted,
        createdMs: preamble.createdMs,
        expiresMs: preamble.expiresMs,
        marking: preamble.marking,
        needs: preamble.needs,
        statement,
        totalBytes: manifest.groups.flatMap((group) => group.volumes).reduce((sum, { bytes }) => sum + bytes, 0),
        receiptKey: unwrapped.value.receiptKey,
        repairedRows: () => archives.repairedRows,
        entries: () => entriesOf(reader),
        close: () => archives.close(),
      }
    } catch (error) {
      await archives.close()
      throw error
    }
  })
}

async function* entriesOf(reader: EntryReader): AsyncGenerator<Result<ReadEntry, BundleFault>> {
  for (;;) {
    const next = await reader.next()
    if (!next.ok) {
      yield next
      return
    }
    if (next.value === undefined) return
    yield ok(next.value)
  }
}

/** What can be seen without reading the volumes: lengths, trailers of other volumes, more volumes missing than there is parity. */
async function preflight(head: BundleHead): Promise<void> {
  for (const { data, parity } of head.groups) {
    const missing: string[] = []
    for (const volume of [...data, ...parity]) {
      const located = await locateVolume(head, volume)
      if (located.copies.length === 0) missing.push(volume.name)
    }
    if (missing.length > parity.length && missing.some((name) => data.some((volume) => volume.name === name)))
      throw new Stop(
        'incomplete',
        `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing, and ${parityInWords(parity.length)}: ask for them again.`,
      )
  }
}

const parityInWords = (count: number): string =>
  count === 0 ? 'this bundle has no parity volumes' : `parity can make up for ${count} only`
