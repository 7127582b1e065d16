import { exportBundle } from '../../federation/export-bundle.ts'
import { importBundle } from '../../federation/import-bundle.ts'
import { acknowledge } from '../../federation/receipts.ts'
import type { FederationFault } from '../../federation/site.ts'
import { inspectForSite, verifyForSite } from '../../federation/verify.ts'
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

// The inputs of these commands are made by our own command line and arrive through a socket that only the site's owner may open: their shape is
// checked where a slip would do harm, not field by field.

export const bundleExport: AdminCommand = {
  name: 'bundle/export',
  async run(site, input, progress) {
    for (const field of ['peer', 'out']) {
      const given = stringField(input, field)
      if (!given.ok) return given
    }
    return asCommand(await exportBundle(site.federation, input as ExportRequest, progress))
  },
}

export const bundleImport: AdminCommand = {
  name: 'bundle/import',
  async run(site, input, progress) {
    const dirs = directories(input)
    return dirs.ok ? asCommand(await importBundle(site.federation, input as ImportRequest, progress)) : dirs
  },
}

export const bundleVerify: AdminCommand = {
  name: 'bundle/verify',
  async run(site, input) {
    const dirs = directories(input)
    return dirs.ok ? asCommand(await verifyForSite(site.federation, dirs.value)) : dirs
  },
}

export const bundleInspect: AdminCommand = {
  name: 'bundle/inspect',
  async run(site, input) {
    const dirs = directories(input)
    return dirs.ok ? asCommand(await inspectForSite(site.federation, dirs.value)) : dirs
  },
}

export const bundleAcknowledge: AdminCommand = {
  name: 'bundle/acknowledge',
  async run(site, input) {
    const receiptText = stringField(input, 'receiptText')
    return receiptText.ok ? asCommand(await acknowledge(site.federation, { receiptText: receiptText.value })) : receiptText
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
  return result.ok ? result : fail({ exit: result.error.exit, sentence: result.error.sentence, details: { kind: result.error.kind } })
}
