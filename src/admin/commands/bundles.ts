import { describeReadOnly } from '../../disks/read-only.ts'
import type { FederationFault } from '../../federation/site.ts'
import { fail, ok, type Result } from '../../result.ts'
import { type AdminCommand, type CommandFailure, stringField } from '../command.ts'

export type ExportRequest = {
  readonly peer: string
  readonly out: string
  readonly buckets?: string[]
  readonly prefix?: string
  readonly volumeBytes: number
  readonly parityVolumes: number
  /** From the start of the export. */
  readonly expiresInMs: number
  readonly full: boolean
}
export type ImportRequest = {
  readonly dirs: string[]
  readonly dryRun: boolean
  /** Remote bucket name → local bucket name. */
  readonly map: Record<string, string>
  readonly merge: string[]
  readonly receiptFile?: string
}

// A server starts without the code of bundles: each command loads what it needs.
// The inputs of these commands are made by our own command line and arrive through a socket that only the site's owner may open: their shape is
// checked where a slip would do harm, not field by field.

export const bundleExport: AdminCommand = {
  name: 'bundle/export',
  async run(site, input, progress) {
    for (const field of ['peer', 'out']) {
      const given = stringField(input, field)
      if (!given.ok) return given
    }
    const { readOnly } = (await site.control.status()).pool
    if (readOnly !== undefined)
      return fail({
        exit: 5,
        sentence: `Nothing is exported while the site may only be read: disks are missing that hold a part of it. ${describeReadOnly(readOnly)}`,
      })
    const { exportBundle } = await import('../../federation/export-bundle.ts')
    return asCommand(await exportBundle(site.federation, input as ExportRequest, progress))
  },
}

export const bundleImport: AdminCommand = {
  name: 'bundle/import',
  async run(site, input, progress, signal) {
    const dirs = directories(input)
    if (!dirs.ok) return dirs
    const { importBundle } = await import('../../federation/import-bundle.ts')
    return asCommand(await importBundle(site.federation, input as ImportRequest, progress, signal))
  },
}

export const bundleVerify: AdminCommand = {
  name: 'bundle/verify',
  async run(site, input, progress) {
    const dirs = directories(input)
    if (!dirs.ok) return dirs
    const { verifyForSite } = await import('../../federation/verify.ts')
    return asCommand(await verifyForSite(site.federation, dirs.value, progress))
  },
}

export const bundleApprove: AdminCommand = {
  name: 'bundle/approve',
  async run(site, input, progress) {
    const dirs = directories(input)
    if (!dirs.ok) return dirs
    const { approveForSite } = await import('../../federation/verify.ts')
    return asCommand(await approveForSite(site.federation, dirs.value, progress))
  },
}

export const bundleInspect: AdminCommand = {
  name: 'bundle/inspect',
  async run(site, input) {
    const dirs = directories(input)
    if (!dirs.ok) return dirs
    const { inspectForSite } = await import('../../federation/verify.ts')
    return asCommand(await inspectForSite(site.federation, dirs.value))
  },
}

/** Answers the page itself: whoever asked for it writes it where he may. */
export const bundlePage: AdminCommand = {
  name: 'bundle/page',
  async run(site, input, progress) {
    const dirs = directories(input)
    if (!dirs.ok) return dirs
    const { pageForSite } = await import('../../federation/verify.ts')
    return asCommand(await pageForSite(site.federation, dirs.value, progress))
  },
}

export const bundleAcknowledge: AdminCommand = {
  name: 'bundle/acknowledge',
  async run(site, input) {
    const receiptText = stringField(input, 'receiptText')
    if (!receiptText.ok) return receiptText
    const { acknowledge } = await import('../../federation/receipts.ts')
    return asCommand(await acknowledge(site.federation, { receiptText: receiptText.value }))
  },
}

function directories(input: unknown): Result<string[], CommandFailure> {
  const dirs = (input as { dirs?: unknown } | null)?.dirs
  if (!Array.isArray(dirs) || dirs.length === 0 || !dirs.every((dir) => typeof dir === 'string')) {
    return fail({ exit: 2, sentence: 'The request lacks "dirs", the folders of the bundle.' })
  }
  return ok(dirs as string[])
}

/** A fault of the federation in the words of the command line. */
export function asCommand<T>(result: Result<T, FederationFault>): Result<T, CommandFailure> {
  if (result.ok) return result
  const { exit, sentence, kind, details } = result.error
  return fail({ exit, sentence, details: { kind, ...(details === undefined ? {} : { report: details }) } })
}
