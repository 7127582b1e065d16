/** Looking at bundles: with a site's peers as trust, with one identity file, or without any. Nothing is changed. */
import { approveBundle } from '../bundles/approve-bundle.ts'
import { parsePublicIdentityText } from '../bundles/identity.ts'
import { type InspectOptions, type InspectReport, inspectBundle } from '../bundles/inspect-bundle.ts'
import type { Trust } from '../bundles/signature.ts'
import { type VerifyOptions, type VerifyReport, verifyBundle } from '../bundles/verify-bundle.ts'
import type { Clock } from '../environment.ts'
import type { Result } from '../result.ts'
import { count } from '../store/ranges.ts'
import type { SiteId } from '../store/terms.ts'
import { bundlePage } from './bundle-page.ts'
import { printable } from './html.ts'
import { findPeerState, refuseTooFewSigners } from './peer-state.ts'
import { findPeerBySite, trustOf } from './peers.ts'
import { type FederationFault, type FederationProgress, type FederationSite, opened, Refusal, refusable } from './site.ts'
import { parseStatement } from './statement.ts'
import { counted } from './words.ts'

export type VerifyView = VerifyReport & { readonly sentence: string }
/** `exit` 4: all that is shown is only known to be signed by whoever has these keys; `untrusted` says so. */
export type InspectView = InspectReport & { readonly sentence: string; readonly exit: 0 | 4; readonly untrusted?: string }

/** Reads every byte. Faults: what is wrong with it, or that fewer have signed than the site asks for. */
export function verifyForSite(
  site: FederationSite,
  dirs: readonly string[],
  progress: FederationProgress,
): Promise<Result<VerifyView, FederationFault>> {
  return refusable(async () => {
    const view = verified(await verifyBundle(dirs, await trustOf(site), { nowMs: site.clock.nowMs(), progress: checking(progress) }))
    const peer = view.sender === undefined ? undefined : await findPeerBySite(site.store.federation, view.sender.site as SiteId)
    if (peer !== undefined) refuseTooFewSigners(peer, await findPeerState(site.store.federation, peer.site), view.signers ?? [])
    return view
  })
}

export type ApproveView = { readonly sentence: string; readonly bundle: string; readonly signers: number }

/** Adds this site's signature to a bundle that was verified whole: of a peer, or of this site itself. */
export function approveForSite(
  site: FederationSite,
  dirs: readonly string[],
  progress: FederationProgress,
): Promise<Result<ApproveView, FederationFault>> {
  return refusable(async () => {
    const report = await verifyBundle(dirs, await trustOf(site), { nowMs: site.clock.nowMs(), progress: checking(progress) })
    const { bundleId = '', signers = [] } = verified({ ...report, sentences: [...report.sentences, 'It was not approved.'] })
    const own = site.identity.publicIdentity.siteId
    if (opened(await approveBundle(dirs, site.identity)) === 0)
      throw new Refusal(6, 'incomplete', 'The manifest is in none of these folders.')
    const count = new Set([...signers, own]).size
    const sentence = signers.includes(own)
      ? `Bundle ${bundleId} was signed by this site before.`
      : `Bundle ${bundleId} is approved: this site has signed it too.`
    return { sentence, bundle: bundleId, signers: count }
  })
}

/** `identityText`: the one identity to trust; without it a bundle is at best intact, by an unknown signer. */
export function verifyWithSigner(
  dirs: readonly string[],
  identityText: string | undefined,
  clock: Clock,
  progress: FederationProgress,
): Promise<Result<VerifyView, FederationFault>> {
  const options = { nowMs: clock.nowMs(), progress: checking(progress) }
  return refusable(async () => verified(await verifyBundle(dirs, trustIn(identityText), options)))
}

/** What a bundle says of itself; to its recipient also what is sealed. */
export function inspectForSite(site: FederationSite, dirs: readonly string[]): Promise<Result<InspectView, FederationFault>> {
  return refusable(async () => {
    const options = { nowMs: site.clock.nowMs(), trust: await trustOf(site), identity: site.identity }
    return inspected(opened(await inspectBundle(dirs, options)))
  })
}

/** As inspectForSite, but for what is sealed; `identityText`: of the signer, if it is known. */
export function inspectWithoutSite(
  dirs: readonly string[],
  identityText: string | undefined,
  clock: Clock,
): Promise<Result<InspectView, FederationFault>> {
  return refusable(async () => {
    return inspected(opened(await inspectBundle(dirs, { nowMs: clock.nowMs(), trust: trustIn(identityText) })))
  })
}

/** `exit`: as `verify` would end. */
export type PageView = {
  readonly sentence: string
  readonly html: string
  readonly verdict: VerifyReport['verdict']
  readonly exit: VerifyReport['exit']
}

/** The page of a bundle as this site sees it. Every byte is read. */
export function pageForSite(
  site: FederationSite,
  dirs: readonly string[],
  progress: FederationProgress,
): Promise<Result<PageView, FederationFault>> {
  return refusable(async () => {
    const trust = await trustOf(site)
    return page(dirs, { nowMs: site.clock.nowMs(), trust, identity: site.identity }, progress)
  })
}

/** The page about a bundle, without what is sealed. */
export function pageWithoutSite(
  dirs: readonly string[],
  identityText: string | undefined,
  clock: Clock,
  progress: FederationProgress,
): Promise<Result<PageView, FederationFault>> {
  return refusable(() => page(dirs, { nowMs: clock.nowMs(), trust: trustIn(identityText) }, progress))
}

async function page(
  dirs: readonly string[],
  options: InspectOptions & { readonly trust: Trust },
  progress: FederationProgress,
): Promise<PageView> {
  const report = opened(await inspectBundle(dirs, options))
  const { nowMs, trust } = options
  const verified = await verifyBundle(dirs, trust, { nowMs, progress: checking(progress) })
  if (verified.verdict === 'refused')
    throw new Refusal(verified.exit || 5, verified.fault ?? 'damaged', verified.sentences.join('\n'), verified)
  return {
    sentence: verified.sentences.join('\n'),
    html: bundlePage({ report, verified, nowMs }),
    verdict: verified.verdict,
    exit: verified.exit,
  }
}

const checking =
  (progress: FederationProgress): NonNullable<VerifyOptions['progress']> =>
  ({ doneBytes, totalBytes }) =>
    progress({ what: 'Checking', done: doneBytes, total: totalBytes, unit: 'bytes' })

function trustIn(identityText: string | undefined): Trust {
  if (identityText === undefined) return () => undefined
  const identity = opened(parsePublicIdentityText(identityText))
  return (site) => (site === identity.siteId ? identity : undefined)
}

function verified(report: VerifyReport): VerifyView {
  const { sender } = report
  const strange = report.exit === 4 && sender?.known === false ? [untrustedSentence(sender.fingerprint)] : []
  const sentence = [...report.sentences, ...strange].join('\n')
  if (report.exit === 0) return { ...report, sentence }
  throw new Refusal(report.exit, report.fault ?? (report.exit === 4 ? 'unknown-signer' : report.verdict), sentence, report)
}

/** Why a damaged bundle cannot be imported; undefined if it reads well now. */
export function damageRefusal(report: VerifyReport): Refusal | undefined {
  const beyond = report.damage.filter(({ repairable }) => !repairable)
  if (beyond.length === 0) return undefined
  const sentence = ['This bundle is damaged beyond repair, and nothing was imported.', ...beyond.map((one) => one.sentence)].join(' ')
  return new Refusal(6, 'damaged', sentence, report)
}

function inspected(report: InspectReport): InspectView {
  const { sender, createdMs, expiresMs, volumes, parityVolumes, bytes, volumeFiles, recipients } = report
  const time = (ms: number): string => new Date(ms).toISOString()
  const off = volumeFiles.filter((file) => file.foundBytes !== file.bytes)
  const statement = report.statement === undefined ? undefined : parseStatement(report.statement)
  const lines = [
    `Bundle ${report.bundleId} of site ${sender.site}, fingerprint ${sender.fingerprint}, ${sender.known ? 'which is known here' : 'which is not known here'}.`,
    ...(report.marking === undefined ? [] : [`Marked: ${report.marking}`]),
    `Made ${time(createdMs)}${expiresMs === undefined ? '' : `, ${report.expired === true ? 'expired' : 'expires'} ${time(expiresMs)}`}, for ${recipients.join(', ')}.`,
    `${counted(volumes, 'volume')} and ${counted(parityVolumes, 'parity volume')}, ${bytes} bytes.`,
    ...off.map(({ name, bytes: due, foundBytes }) =>
      foundBytes === null ? `${name} is missing.` : `${name} has ${foundBytes} of its ${due} bytes.`,
    ),
    ...(report.sealed === undefined ? [] : [report.sealed]),
    ...(statement?.buckets ?? []).map(
      ({ name, brings, deleted }) => `${counted(count(brings), 'change')} of bucket ${name}${deleted ? ', which is deleted' : ''}.`,
    ),
  ]
  const view = { ...report, sentence: lines.map(printable).join('\n') }
  return sender.known ? { ...view, exit: 0 } : { ...view, exit: 4, untrusted: untrustedSentence(sender.fingerprint) }
}

const untrustedSentence = (fingerprint: string): string =>
  `The signer is not trusted here: compare the fingerprint ${fingerprint} with somebody at that site, then give --signer, or --site of a site that has it as a peer.`
