/** What an import tells: for programs as JSON, for people as sentences. */
import type { OpenBundle } from '../bundles/read-bundle.ts'
import { shortReceipt } from '../bundles/receipt.ts'
import { count } from '../store/ranges.ts'
import { type Destination, type Destinations, nameOf } from './import-policy.ts'
import { neverCompared, type Peer } from './peers.ts'
import { type KindCount, kindText } from './rule-check.ts'
import { counted } from './words.ts'

export type ImportedBucket = {
  /** As the sender calls it. */
  readonly name: string
  readonly here: string
  readonly how: Destination['kind']
  readonly operations: number
}

export type ImportReport = {
  readonly sentence: string
  readonly bundle: string
  readonly from: string
  readonly dryRun: boolean
  /** If it had been applied before, when. */
  readonly firstAppliedMs: number | null
  readonly buckets: readonly ImportedBucket[]
  /** Changes applied now, or that would be. */
  readonly applied: number
  readonly already: number
  /** Of those applied: changes of this site itself that it had lost. */
  readonly returned: number
  /** Of those applied. */
  readonly contentBytes: number
  /** Their kinds; a change may be of two. */
  readonly kinds: readonly KindCount[]
  /** How long what they remove can be brought back. */
  readonly undoDays: number
  /** Versions of which neither site had seen the other: both are kept. At most CONCURRENT_LISTED_MAX of them. */
  readonly concurrent: readonly { readonly bucket: string; readonly key: string }[]
  readonly concurrentCount: number
  /** Rows of the media that were rebuilt from parity. */
  readonly repairedRows: number
  readonly receiptFile: string | null
  /** 56 characters that say "applied whole", for paper and telephone. */
  readonly shortReceipt: string | null
  readonly warnings: readonly string[]
}

export const CONCURRENT_LISTED_MAX = 100
const DAY_MS = 24 * 60 * 60 * 1000
const STALE_DAYS = 30

export type Found = Partial<
  Pick<
    ImportReport,
    | 'applied'
    | 'returned'
    | 'already'
    | 'contentBytes'
    | 'kinds'
    | 'undoDays'
    | 'concurrent'
    | 'concurrentCount'
    | 'firstAppliedMs'
    | 'receiptFile'
    | 'repairedRows'
  >
>

export function importReport(
  bundle: OpenBundle,
  peer: Peer,
  destinations: Destinations,
  mode: { readonly dryRun: boolean; readonly nowMs: number; readonly heardMs: number },
  found: Found,
): ImportReport {
  const report = {
    ...{
      bundle: bundle.bundleId,
      from: peer.name,
      dryRun: mode.dryRun,
      firstAppliedMs: null,
      applied: 0,
      returned: 0,
      already: 0,
      contentBytes: 0,
    },
    ...{ kinds: [], undoDays: 0, concurrent: [], concurrentCount: 0, repairedRows: bundle.repairedRows(), receiptFile: null, ...found },
    buckets: [...destinations].map(([stated, destination]) => ({
      ...{ name: stated.name, here: nameOf(destination), how: destination.kind, operations: count(stated.brings) },
    })),
    shortReceipt: mode.dryRun ? null : shortReceipt(bundle.receiptKey, bundle.bundleId, bundle.manifestDigest),
    warnings: warningsOf(bundle, peer, mode, found.firstAppliedMs === undefined),
  }
  return { sentence: [...sentencesOf(report), ...report.warnings].join('\n'), ...report }
}

function warningsOf(
  bundle: OpenBundle,
  peer: Peer,
  { nowMs, heardMs }: { readonly nowMs: number; readonly heardMs: number },
  isNew: boolean,
): string[] {
  const days = Math.floor((nowMs - bundle.createdMs) / DAY_MS)
  const stale = `This bundle was made ${days} days ago: ask ${peer.name} whether newer ones are missing.`
  const early = `This bundle was made in the future (${new Date(bundle.createdMs).toISOString()}): compare the clocks of both sites.`
  const older = `This bundle was made before the newest word of ${peer.name} that was taken in here (${new Date(heardMs).toISOString()}): nothing that was newer went back.`
  return [
    ...neverCompared(peer),
    ...(isNew && bundle.createdMs < heardMs ? [older] : []),
    ...(days >= STALE_DAYS ? [stale] : []),
    ...(days < -1 ? [early] : []),
  ]
}

function sentencesOf(report: Omit<ImportReport, 'sentence'>): string[] {
  const short =
    report.shortReceipt === null
      ? []
      : [`Short receipt, for paper or telephone, to be typed at ${report.from} after "bundle acknowledge SITE": ${report.shortReceipt}`]
  const { bundle, from, dryRun, firstAppliedMs, buckets, applied, already, concurrent, concurrentCount, repairedRows } = report
  if (firstAppliedMs !== null)
    return [`Bundle ${bundle} was applied here already, first at ${new Date(firstAppliedMs).toISOString()}: nothing was changed.`, ...short]
  const held = already === 0 ? '' : ` ${counted(already, 'change')} ${already === 1 ? 'is' : 'are'} here already.`
  const changes = `${counted(applied, 'change')} of ${counted(buckets.length, 'bucket')} from ${from}`
  const told = dryRun ? `Would apply ${changes}; nothing was changed.${held}` : `Applied bundle ${bundle}: ${changes}.${held}`
  const lost = `${counted(report.returned, 'change')} of this site itself, which it had lost, came back.`
  const moves = buckets.filter(({ how, name, here }) => how !== 'known' && (how === 'merged' || name !== here))
  const deletes = report.kinds.find(({ kind }) => kind === 'deletes')
  const undo =
    report.undoDays === 0
      ? 'what they remove is gone at once'
      : `"holdfast peer undo" brings back what they remove, for ${counted(report.undoDays, 'day')}`
  const repaired = `${counted(repairedRows, 'damaged row')} of the media ${repairedRows === 1 ? 'was' : 'were'} rebuilt from parity.`
  const keys = concurrent.slice(0, 5).map(({ bucket: name, key }) => `${name}/${key}`)
  const both = `${counted(concurrentCount, 'version')} met another of which neither site had known; both are kept: ${keys.join(', ')}${concurrentCount > keys.length ? ', …' : ''}.`
  return [
    told,
    ...(deletes === undefined ? [] : [`Among them: ${kindText(deletes)}; ${undo}.`]),
    ...moves.map(({ name, here, how }) => `Bucket ${name} ${how === 'merged' ? 'is merged with' : 'goes into'} ${here} here.`),
    ...(report.returned === 0 ? [] : [lost]),
    ...(repairedRows === 0 ? [] : [repaired]),
    ...(concurrentCount === 0 ? [] : [both]),
    ...short,
  ]
}
