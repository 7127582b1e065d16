/**
 * Writes a bundle with what a peer does not hold. It may be stopped anywhere and run again with the same arguments: the plan was frozen before the
 * first byte, finished volumes are kept. Nothing is believed of the peer because a bundle was made. Memory: one batch of operations (at most 4 MiB),
 * small contents up to 16 MiB, and what writing a bundle takes.
 */
import { resolve } from 'node:path'
import { exitCode } from '../bundles/fault.ts'
import { MiB } from '../bundles/format.ts'
import { shortReceiptDigest } from '../bundles/receipt.ts'
import { type BundleProgress, type BundleSummary, writeBundle } from '../bundles/write-bundle.ts'
import type { Result } from '../result.ts'
import { parseOrigin } from '../store/operation.ts'
import { putDocuments } from './documents.ts'
import { ExportBatches } from './export-batches.ts'
import { type ExportArguments, type ExportPlan, makePlan } from './export-plan.ts'
import { loadBundleState, loadPlan, saveBundleState, savePlan } from './export-state.ts'
import { type FinishedExport, findFinished, whyNotTheSame } from './finished-export.ts'
import { exportedDocument, noteExported } from './holdings.ts'
import { renewKeys } from './key-schedule.ts'
import { refuseIfRevoked } from './peer-state.ts'
import { findPeer, listPeers, neverCompared, type Peer } from './peers.ts'
import { pruneDocuments } from './retention.ts'
import { type FederationFault, type FederationProgress, type FederationSite, Refusal, refusable } from './site.ts'
import { isEmptyFolder, placeOf, StateFolder } from './state-files.ts'
import { statementJson } from './statement.ts'
import { refuseIfStopped } from './stopped.ts'
import { counted } from './words.ts'

export type ExportInput = {
  readonly peer: string
  readonly out: string
  /** All of them unless given. */
  readonly buckets?: readonly string[]
  readonly prefix?: string
  readonly volumeBytes: number
  readonly parityVolumes: number
  readonly full: boolean
  readonly expiresInMs: number
}

export type ExportReport = {
  readonly sentence: string
  /** Null: there was nothing to send, and nothing was written. */
  readonly bundle: string | null
  readonly out: string | null
  readonly peer: string
  readonly operations: number
  readonly contentBytes: number
  readonly buckets: readonly string[]
  readonly volumes: number
  readonly parityVolumes: number
  readonly bytes: number
  readonly expiresMs: number
  /** False: more is owed than one bundle holds; export again. */
  readonly complete: boolean
  readonly warnings: readonly string[]
}

export function exportBundle(
  site: FederationSite,
  input: ExportInput,
  progress: FederationProgress,
): Promise<Result<ExportReport, FederationFault>> {
  return refusable(async () => {
    await refuseIfStopped(site)
    await renewKeys(site)
    const peer = await findPeer(site.store.federation, input.peer)
    if (peer === undefined)
      throw new Refusal(
        5,
        'no-such-peer',
        `There is no peer ${input.peer} here: add it with "holdfast peer add" first.${await namesOfPeers(site)}`,
      )
    await refuseIfRevoked(site.store.federation, peer)
    const asked: ExportArguments = {
      peer: peer.site,
      buckets: input.buckets === undefined || input.buckets.length === 0 ? null : [...new Set(input.buckets)].sort(),
      prefix: input.prefix === undefined || input.prefix === '' ? null : input.prefix,
      volumeBytes: input.volumeBytes,
      parityVolumes: input.parityVolumes,
      full: input.full,
      expiresInMs: input.expiresInMs,
    }
    const out = resolve(input.out)
    const place = await placeOf(out)
    if (site.underWay.has(place)) throw new Refusal(5, 'under-way', `An export into ${out} is under way already: wait for it to end.`)
    site.underWay.add(place)
    try {
      return await exportInto(site, peer, out, asked, progress)
    } finally {
      site.underWay.delete(place)
    }
  })
}

const PEERS_NAMED_MAX = 10

/** Those that may have been meant. */
async function namesOfPeers(site: FederationSite): Promise<string> {
  const names = (await listPeers(site)).map(({ name }) => name)
  if (names.length === 0) return ''
  const more = names.length > PEERS_NAMED_MAX ? ', and others' : ''
  return ` Known here: ${names.slice(0, PEERS_NAMED_MAX).join(', ')}${more}.`
}

async function exportInto(
  site: FederationSite,
  peer: Peer,
  out: string,
  asked: ExportArguments,
  progress: FederationProgress,
): Promise<ExportReport> {
  const folder = new StateFolder(site.stateDirectory, out)
  const resumed = await resumedPlan(site, folder, out, asked)
  const plan = resumed ?? (await makePlan(site, peer, asked, progress))
  if (plan.statement.operations === 0) return nothing(peer, plan)
  if (resumed === undefined) {
    const finished = await findFinished(site, peer, out)
    if (finished !== undefined) return reportFinished(site, peer, plan, out, finished)
  }
  if (resumed === undefined) await savePlan(folder, plan)
  const buckets = plan.statement.buckets.map(({ bucket }) => bucket)
  const store = site.store.federation
  await putDocuments(store, 'The export could not be noted', await noteExported(store, peer, buckets))
  const summary = await write(site, peer, plan, out, folder, progress)
  await noteDone(site, peer, plan, summary)
  await folder.remove()
  await pruneDocuments(site)
  return report(peer, plan, out, summary)
}

/** Given again although it had ended: if it would be the same once more, that is what was wanted, and done. */
function reportFinished(site: FederationSite, peer: Peer, plan: ExportPlan, out: string, finished: FinishedExport): ExportReport {
  const { bundle, exported } = finished
  const when = `that was exported at ${new Date(exported.createdMs).toISOString()}`
  const other = whyNotTheSame(plan, finished, site.clock.nowMs())
  if (other !== undefined)
    throw new Refusal(
      5,
      'out-finished',
      `${out} holds bundle ${bundle.bundleId} for ${peer.name} ${when}; ${other}. Nothing was written: name another folder with --out, which is empty or not there yet.`,
    )
  const { bundleId, volumes, parityVolumes, bytes } = bundle
  const told = `Bundle ${bundleId} for ${peer.name} ${when} is in ${out} already, and nothing has changed since: nothing was written.`
  const warnings = warningsOf(peer, plan)
  const expiresMs = bundle.expiresMs ?? plan.expiresMs
  return {
    ...report(peer, { ...plan, expiresMs }, out, { bundleId, volumes, parityVolumes, bytes }),
    sentence: [told, ...warnings].join('\n'),
  }
}

/** The plan of an export into this folder that was interrupted. */
async function resumedPlan(
  site: FederationSite,
  folder: StateFolder,
  out: string,
  asked: ExportArguments,
): Promise<ExportPlan | undefined> {
  const plan = await loadPlan(folder)
  if (plan === undefined) return undefined
  if (await isEmptyFolder(out)) {
    // Whoever emptied it does not want to go on.
    await folder.remove()
    return undefined
  }
  if (JSON.stringify(plan.asked) !== JSON.stringify(asked))
    throw new Refusal(
      5,
      'state-mismatch',
      `An export into ${out} was begun with other options: give the same again to go on, or use an empty folder.`,
    )
  if (plan.statement.origin !== site.store.federation.origin)
    throw new Refusal(5, 'earlier-epoch', `This site has begun a new epoch since the export into ${out} was begun: use an empty folder.`)
  if (plan.expiresMs < site.clock.nowMs())
    throw new Refusal(5, 'expired', `The export that was begun in ${out} has expired meanwhile: use an empty folder.`)
  return plan
}

async function write(
  site: FederationSite,
  peer: Peer,
  plan: ExportPlan,
  out: string,
  folder: StateFolder,
  progress: FederationProgress,
): Promise<BundleSummary> {
  const state = await loadBundleState(folder)
  const { statement } = plan
  const batches = new ExportBatches(site, plan, folder)
  const written = await writeBundle({
    out,
    ...(state === undefined ? {} : { state }),
    saveState: (next) => saveBundleState(folder, next),
    random: site.random,
    nowMs: plan.createdMs,
    signer: site.identity,
    epoch: parseOrigin(statement.origin)!.epoch,
    recipients: [peer.identity],
    statement: { sealed: statementJson(statement), needs: { bundles: [...plan.bundles] } },
    expiresMs: plan.expiresMs,
    volumeBytes: plan.asked.volumeBytes,
    parityVolumes: plan.asked.parityVolumes,
    entries: (from) => batches.entries(from),
    progress: nowAndThen(progress, statement.contentBytes),
  })
  if (written.ok) return written.value
  const { kind, sentence } = written.error
  const saved = await loadBundleState(folder)
  // Before there is a state nothing is on the medium: there is nothing to go on with.
  if (saved === undefined || (saved.volumes.length === 0 && (kind === 'out-not-empty' || kind === 'invalid-input'))) await folder.remove()
  const more = kind === 'source-failed' ? ' Run it again to go on; if that fails too, export into an empty folder.' : ''
  throw new Refusal(exitCode(kind), kind, sentence + more)
}

/** One step for each MiB and each volume: a bundle may have millions of entries. */
function nowAndThen(progress: FederationProgress, total: number): (step: BundleProgress) => void {
  let told: BundleProgress | undefined
  return (step) => {
    if (told?.phase === step.phase && told.volumes === step.volumes && step.doneBytes - told.doneBytes < MiB) return
    told = step
    progress({ what: step.phase === 'parity' ? 'Writing parity' : 'Writing', done: step.doneBytes, total, unit: 'bytes' })
  }
}

async function noteDone(site: FederationSite, peer: Peer, plan: ExportPlan, summary: BundleSummary): Promise<void> {
  const { bundleId, manifestDigest } = summary
  const receiptKey = summary.receiptKeys.find((key) => key.site === peer.site)!.key
  const done = exportedDocument(bundleId, {
    peer: peer.site,
    createdMs: plan.createdMs,
    origin: plan.statement.origin,
    manifest: manifestDigest,
    receiptCode: shortReceiptDigest(Buffer.from(receiptKey, 'hex'), bundleId, manifestDigest),
    buckets: plan.statement.buckets.map(({ bucket, brings }) => ({ bucket, ranges: brings })),
    acknowledgedMs: undefined,
    expiresMs: plan.expiresMs,
    peerEpoch: peer.epoch,
  })
  await putDocuments(site.store.federation, 'The finished export could not be noted', [done])
}

function warningsOf(peer: Peer, plan: ExportPlan): string[] {
  const { leftOut } = plan
  return [
    ...neverCompared(peer),
    ...(leftOut.length === 0
      ? []
      : [
          `Left out, since another site than ${peer.name} or this one made ${leftOut.length === 1 ? 'it' : 'them'}: ${leftOut.join(', ')}. Name ${leftOut.length === 1 ? 'it' : 'them'} with --bucket to send all the same.`,
        ]),
    ...(plan.complete ? [] : ['More is owed than one bundle can describe: export again once this one is acknowledged.']),
  ]
}

function nothing(peer: Peer, plan: ExportPlan): ExportReport {
  const warnings = warningsOf(peer, plan)
  const why = plan.asked.full ? 'There is nothing to send' : `${peer.name} holds everything already, by its own word`
  return {
    sentence: [`${why}: nothing was written.`, ...warnings].join('\n'),
    ...{ bundle: null, out: null, peer: peer.name, operations: 0, contentBytes: 0, buckets: [], volumes: 0, parityVolumes: 0, bytes: 0 },
    ...{ expiresMs: plan.expiresMs, complete: true, warnings },
  }
}

type Counts = Pick<BundleSummary, 'bundleId' | 'volumes' | 'parityVolumes' | 'bytes'>

function report(peer: Peer, plan: ExportPlan, out: string, summary: Counts): ExportReport {
  const { operations, contentBytes, buckets } = plan.statement
  const { bundleId, volumes, parityVolumes, bytes } = summary
  const warnings = warningsOf(peer, plan)
  const files = `${counted(volumes, 'volume')}${parityVolumes === 0 ? '' : ` and ${counted(parityVolumes, 'parity volume')}`}`
  const told = `Bundle ${bundleId} for ${peer.name} is in ${out}: ${counted(operations, 'change')} of ${counted(buckets.length, 'bucket')} in ${files}, ${bytes} bytes.`
  return {
    sentence: [told, `It can be imported until ${new Date(plan.expiresMs).toISOString()}.`, ...warnings].join('\n'),
    ...{ bundle: bundleId, out, peer: peer.name, operations, contentBytes, volumes, parityVolumes, bytes },
    ...{ buckets: buckets.map(({ name }) => name), expiresMs: plan.expiresMs, complete: plan.complete, warnings },
  }
}
