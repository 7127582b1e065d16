/** The bytes of an object on their way out. */
import type { ReplySource } from '../../http/exchange.ts'
import { ok, type Result } from '../../result.ts'
import type { ContentReader } from '../../store/store.ts'
import type { StoreFault } from '../../store/terms.ts'

/** A reader that cannot go on ends the reply short of its Content-Length: the status is out already, and a short body is what clients notice. */
export class ContentBroken extends Error {
  override readonly name = 'ContentBroken'
}

/** A content of which the first bytes are there already. */
export type BegunContent = { readonly reader: ContentReader; readonly first: Uint8Array | undefined }

/** Reads the first bytes while an error can still be said in words. */
export async function beginContent(reader: ContentReader): Promise<Result<BegunContent, StoreFault>> {
  reader.lend?.()
  const first = await reader.read()
  if (first.ok) return ok({ reader, first: first.value })
  reader.close()
  return first
}

export function contentSource({ reader, first }: BegunContent): ReplySource {
  let begun = first
  return {
    lent: true,
    async read() {
      if (begun !== undefined) {
        const bytes = begun
        begun = undefined
        return bytes
      }
      const next = await reader.read()
      if (next.ok) return next.value
      throw new ContentBroken(next.error)
    },
    close: () => reader.close(),
  }
}
