/**
 * Imports a bundle: everything is verified before anything is changed, then contents are staged and operations applied in their order. It may be
 * killed anywhere and run again; a second time changes nothing. Memory: one operations entry (at most 4 MiB), contents in flight (at most 16 MiB), and
 * what reading a bundle takes.
 */
import type { Json } from '../bundles/json.ts'
import { type OpenBundle, openBundle, verifyBundle } from '../bundles/read-bundle.ts'
import { writeReceipt } from '../bundles/receipt.ts'
import type { Trust } from '../bundles/signature.ts'
import type { Result } from '../result.ts'
import { count, NO_RANGES, type Ranges, subtract } from '../store/ranges.ts'
import { putDocuments } from './documents.ts'
import { believe, type Said } from './holdings.ts'
import { applyPass, type Outcome } from './import-apply-pass.ts'
import { checkPass } from './import-check-pass.ts'
import { checkNoGap, checkNotAhead, checkStatement, findImported, importedDocument } from './import-checks.ts'
import { type Destinations, decideDestinations } from './import-policy.ts'
import { type ImportReport, importReport } from './import-report.ts'
import { renewKeys } from './key-schedule.ts'
import { findPeerState, heard, refuseTooFewSigners } from './peer-state.ts'
import { findPeerBySite, type Peer, peerDocument, peerSeen, trustOf } from './peers.ts'
import { pruneDocuments } from './retention.ts'
import type { KindCount } from './rule-check.ts'
import { type FederationFault, type FederationProgress, type FederationSite, opened, Refusal, refusable } from './site.ts'
import { checkReceiptFile, writeReceiptFile } from './state-files.ts'
import type { Statement } from './statement.ts'
import { refuseIfStopped, stopping } from './stopped.ts'
import { damageRefusal } from './verify.ts'
import { type BucketOrigin, counted, parsePosition, positionText } from './words.ts'

export type { ImportReport } from './import-report.ts'

export type ImportInput = {
  readonly dirs: readonly string[]
  readonly dryRun: boolean
  /** Remote bucket name → local bucket name. */
  readonly map: Readonly<Record<string, string>>
  readonly merge: readonly string[]
  readonly receiptFile?: string
}

/** Imports take turns. `signal`: whoever asked has gone away; one that had not begun by then is not done. */
export function importBundle(
  site: FederationSite,
  input: ImportInput,
  progress: FederationProgress,
  signal?: AbortSignal,
): Promise<Result<ImportReport, FederationFault>> {
  return refusable(async () => {
    if (input.dryRun) return importNow(site, input, progress)
    if (site.imports.isTaken) progress({ what: 'Waiting for another import to end', done: 0, total: 0, unit: 'items' })
    const release = await site.imports.take()
    try {
      if (signal?.aborted === true)
        throw new Refusal(5, 'given-up', 'The import was given up while it waited for another one: nothing was changed.')
      return await importNow(site, input, progress)
    } finally {
      release()
    }
  })
}

function importNow(site: FederationSite, input: ImportInput, progress: FederationProgress): Promise<ImportReport> {
  return stopping(site, async () => {
    await refuseIfStopped(site)
    if (!input.dryRun && input.receiptFile !== undefined) await checkReceiptFile(input.receiptFile)
    if (!input.dryRun) await renewKeys(site)
    const trust = await trustOf(site)
    return withDamageNamed(site, input.dirs, trust, async () => {
      const checked = await withBundle(site, input.dirs, trust, (bundle) => check(site, input, bundle, progress))
      if (checked.kind === 'report') return checked.report
      return withBundle(site, input.dirs, trust, async (bundle) => {
        // A medium may answer differently the second time: it has to be the very bundle that was checked.
        if (bundle.manifestDigest !== checked.manifestDigest)
          throw new Refusal(5, 'two-bundles', 'The media changed while they were read: nothing was imported. Run it again.')
        const { peer, statement, destinations } = checked
        const outcome = await applyPass(site, peer, bundle, statement, destinations, progress)
        return finish(site, input, bundle, checked, outcome)
      })
    })
  })
}

async function withBundle<T>(
  site: FederationSite,
  dirs: readonly string[],
  trust: Trust,
  work: (bundle: OpenBundle) => Promise<T>,
): Promise<T> {
  const bundle = opened(await openBundle({ dirs, trust, recipient: site.identity, nowMs: site.clock.nowMs(), repair: 'memory' }))
  try {
    return await work(bundle)
  } finally {
    await bundle.close()
  }
}

/** Damage beyond repair is told with all that is missing or damaged, not only with what was met first. */
async function withDamageNamed<T>(site: FederationSite, dirs: readonly string[], trust: Trust, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Refusal) || error.fault.kind !== 'damaged') throw error
    const report = await verifyBundle(dirs, trust, { nowMs: site.clock.nowMs() })
    throw damageRefusal(report) ?? new Refusal(6, 'damaged', `${error.fault.sentence} At another look the media read well: run it again.`)
  }
}

type Ready = {
  readonly kind: 'ready'
  readonly manifestDigest: string
  readonly peer: Peer
  readonly statement: Statement
  readonly destinations: Destinations
  readonly kinds: readonly KindCount[]
  readonly undoDays: number
}
type Checked = Ready | { readonly kind: 'report'; readonly report: ImportReport }

/** Whatever can be refused is refused here, where nothing is changed. */
async function check(site: FederationSite, input: ImportInput, bundle: OpenBundle, progress: FederationProgress): Promise<Checked> {
  const store = site.store.federation
  const peer = await findPeerBySite(store, bundle.sender.siteId)
  if (peer === undefined) throw new Refusal(5, 'own-bundle', 'This bundle was made here: it is for a peer to import.')
  const state = await findPeerState(store, peer.site)
  refuseTooFewSigners(peer, state, bundle.signers)
  const { heardMs } = state
  const mode = { dryRun: input.dryRun, nowMs: site.clock.nowMs(), heardMs }
  const before = await findImported(store, bundle)
  const statement = checkStatement(site, peer, bundle)
  if (before !== undefined) {
    const receiptFile = input.dryRun ? null : await giveReceipt(site, input, bundle, statement, new Map())
    const found = { firstAppliedMs: before.firstMs, already: statement.operations, receiptFile }
    return { kind: 'report', report: importReport(bundle, peer, new Map(), mode, found) }
  }
  await checkNotAhead(site, peer, statement)
  await checkNoGap(site, bundle, statement)
  const destinations = await decideDestinations(site, peer, statement, input)
  const { fresh, known, contentBytes, kinds, undoDays } = await checkPass(site, peer, bundle, statement, destinations, progress)
  const free = await site.freeBytes?.()
  if (free !== undefined && contentBytes > free)
    throw new Refusal(
      6,
      'full',
      `This bundle brings ${contentBytes} bytes of content, and there is room for ${free}: make room, then run it again.`,
    )
  if (input.dryRun)
    return {
      kind: 'report',
      report: importReport(bundle, peer, destinations, mode, { applied: fresh, already: known, contentBytes, kinds, undoDays }),
    }
  return { kind: 'ready', manifestDigest: bundle.manifestDigest, peer, statement, destinations, kinds, undoDays }
}

/** Notes that the bundle was applied and what its sender holds of us, and gives the receipt. */
async function finish(
  site: FederationSite,
  input: ImportInput,
  bundle: OpenBundle,
  { peer, statement, destinations, kinds, undoDays }: Ready,
  outcome: Outcome,
): Promise<ImportReport> {
  const store = site.store.federation
  const nowMs = site.clock.nowMs()
  const { heardMs } = await findPeerState(store, peer.site)
  // An operator, or a receipt, may have changed what is noted of it while this went on. One that was removed makes the noting fail.
  const latest = (await findPeerBySite(store, peer.site)) ?? peer
  const seen = peerSeen(latest, bundle.senderEpoch, bundle.senderIdentity)
  const keptOut = new Map([...outcome.keptOut].map(([bucket, numbers]) => [bucket, numbers.ranges]))
  const keptOutCount = [...keptOut.values()].reduce((sum, ranges) => sum + count(ranges), 0)
  const imported = {
    from: peer.site,
    manifest: bundle.manifestDigest,
    createdMs: bundle.createdMs,
    firstMs: nowMs,
    expiresMs: bundle.expiresMs ?? null,
  }
  await putDocuments(store, 'The finished import could not be noted', [
    await heard(store, peer.site, { madeMs: bundle.createdMs, nowMs, applied: true }),
    ...(await believe(store, seen, await saidOfUs(site, statement))),
    ...(seen.epoch === latest.epoch && seen.identity === latest.identity ? [] : [peerDocument(seen)]),
    // What was kept out may be let in later: until then the bundle is not done.
    ...(keptOutCount === 0 ? [importedDocument(bundle.bundleId, imported)] : []),
  ])
  const receiptFile = await giveReceipt(site, input, bundle, statement, keptOut)
  await pruneDocuments(site)
  if (keptOutCount > 0)
    throw new Refusal(
      6,
      'from-the-future',
      `${counted(keptOutCount, 'change')} of ${peer.name} stamped more than a day ahead of the clock here ${keptOutCount === 1 ? 'was' : 'were'} kept out; all others were applied. ` +
        'Compare the clocks of both sites. If the one here is right, import this bundle again when the time of those stamps has come.',
      { keptOut: keptOutCount, receiptFile },
    )
  const { applied, returned, already, contentBytes, concurrent, concurrentCount } = outcome
  const found = { applied, returned, already, contentBytes, concurrent, concurrentCount, receiptFile, kinds, undoDays }
  return importReport(bundle, peer, destinations, { dryRun: false, nowMs, heardMs }, found)
}

/** What the sender holds of our operations, by the bucket as it is known here. */
async function saidOfUs(site: FederationSite, { holds }: Statement): Promise<Said[]> {
  const store = site.store.federation
  const said: Said[] = []
  for (const { bucket, origin, ranges } of holds) {
    const here = origin === store.origin ? await store.findBucketByOrigin(parsePosition(bucket)!) : undefined
    if (here !== undefined) said.push({ bucket: positionText(here.origin), ranges })
  }
  return said
}

/** Signs what is applied now, and writes it where it was asked for. */
async function giveReceipt(
  site: FederationSite,
  { receiptFile }: ImportInput,
  bundle: OpenBundle,
  { origin, buckets }: Statement,
  keptOut: ReadonlyMap<BucketOrigin, Ranges>,
): Promise<string | null> {
  if (receiptFile === undefined) return null
  const acknowledged = buckets.map(({ bucket, brings }) => ({ bucket, ranges: subtract(brings, keptOut.get(bucket) ?? NO_RANGES) }))
  const text = writeReceipt(site.identity, {
    bundleId: bundle.bundleId,
    manifestDigest: bundle.manifestDigest,
    epoch: site.store.federation.epoch,
    to: bundle.sender.siteId,
    issuedMs: site.clock.nowMs(),
    acknowledges: { origin, buckets: acknowledged } as unknown as Json,
  })
  await writeReceiptFile(receiptFile, text)
  return receiptFile
}
