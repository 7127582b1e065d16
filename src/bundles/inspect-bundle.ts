/** Looks at a bundle without reading it through: sender, times, volumes, what is missing; with the key of a recipient also the statement. */
import { ok, type Result } from '../result.ts'
import { ArchiveReader } from './archive-reader.ts'
import { type BundleHead, loadHead } from './bundle-head.ts'
import { EntryReader } from './entry-reader.ts'
import { type BundleFault, Stop, stopped } from './fault.ts'
import type { PrivateIdentity } from './identity.ts'
import type { Json } from './json.ts'
import { unwrapBundleKey } from './preamble.ts'
import type { Trust } from './signature.ts'
import { type BundleFacts, summary } from './verify-bundle.ts'

export type InspectReport = BundleFacts & {
  readonly recipients: readonly string[]
  /** Files with another length than signed, or none: how many bytes are there. The content was not looked at. */
  readonly volumeFiles: readonly { readonly name: string; readonly bytes: number; readonly foundBytes: number | null }[]
  /** Only with the key of a recipient. */
  readonly statement?: Json
  /** Why there is no statement. */
  readonly sealed?: string
}

export type InspectOptions = { readonly nowMs: number; readonly identity?: PrivateIdentity; readonly trust?: Trust }

/** What a bundle says of itself, and to its recipient (`options.identity`) what it holds. Contents are not read. */
export function inspectBundle(dirs: readonly string[], options: InspectOptions): Promise<Result<InspectReport, BundleFault>> {
  return stopped(async () => {
    const head = await loadHead(dirs, options.trust ?? (() => undefined), 'named')
    const named = head.groups.flatMap(({ data, parity }) => [...data, ...parity])
    const volumeFiles = named.map(({ name, record }) => ({ name, bytes: record.bytes, foundBytes: foundBytes(head, name) }))
    const opened = options.identity === undefined ? undefined : await statementFor(head, options.identity)
    return {
      ...summary(head, options.nowMs),
      recipients: head.preamble.recipients.map(({ site }) => site),
      volumeFiles,
      ...(opened?.ok === true ? { statement: opened.value } : {}),
      ...(opened?.ok === false ? { sealed: opened.error.sentence } : {}),
    }
  })
}

function foundBytes(head: BundleHead, name: string): number | null {
  const copies = head.files.byName.get(name)
  return copies === undefined ? null : Math.max(...copies.map(({ bytes }) => bytes))
}

async function statementFor(head: BundleHead, identity: PrivateIdentity): Promise<Result<Json, BundleFault>> {
  const unwrapped = unwrapBundleKey(head.preamble, identity)
  if (!unwrapped.ok) return unwrapped
  const archives = new ArchiveReader(head, unwrapped.value.bundleKey)
  try {
    return ok(await new EntryReader(archives).statement())
  } catch (error) {
    if (error instanceof Stop) return { ok: false, error: error.fault }
    throw error
  } finally {
    await archives.close()
  }
}
