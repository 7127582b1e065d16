/** What a caller puts into a bundle, and how it lies in the archives. */
import { Stop } from './fault.ts'
import { CONTENT_BYTES_MAX, OPERATIONS_BYTES_MAX } from './format.ts'
import type { Whole } from './tar.ts'

/** What goes into a bundle, in order. Another attempt must find the same. */
export type BundleEntry =
  /** JSON Lines, at most OPERATIONS_BYTES_MAX bytes. */
  | { readonly kind: 'operations'; readonly lines: Uint8Array }
  /** `digest`: the content digest, 96 hexadecimal digits. `read` begins at the first byte, and may be called anew for each attempt; a throw ends the attempt. */
  | { readonly kind: 'content'; readonly digest: string; readonly bytes: number; read(): AsyncIterable<Uint8Array> }

/** An entry as a member, or members, of the archive. */
export function laidOut(
  entry: BundleEntry,
  number: number,
): { readonly whole: Whole; readonly bytes: number; readonly content: AsyncIterable<Uint8Array> } {
  if (entry.kind === 'operations') {
    const bytes = entry.lines.length
    if (bytes > OPERATIONS_BYTES_MAX) throw new Stop('invalid-input', `Entry ${number} has more than 4 MiB of operations.`)
    return { whole: { kind: 'operations', number }, bytes, content: once(entry.lines) }
  }
  const { digest, bytes } = entry
  const sound = /^[0-9a-f]{96}$/.test(digest) && Number.isSafeInteger(bytes) && bytes >= 0 && bytes <= CONTENT_BYTES_MAX
  if (!sound) throw new Stop('invalid-input', `Entry ${number} has no digest, or no length that a bundle can carry.`)
  return { whole: { kind: 'content', digest }, bytes, content: entry.read() }
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** The entries of the caller; what they throw becomes a fault. */
export async function* guarded(entries: AsyncIterable<BundleEntry>): AsyncGenerator<BundleEntry> {
  const iterator = entries[Symbol.asyncIterator]()
  let ended = false
  try {
    for (;;) {
      const next = await iterator.next().catch((error: unknown) => {
        ended = true
        throw new Stop(
          'source-failed',
          `What was to be exported cannot be listed: ${error instanceof Error ? error.message : String(error)}`,
        )
      })
      if (next.done === true) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    if (!ended) await iterator.return?.().catch(() => undefined)
  }
}
