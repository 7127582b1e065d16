/** The bytes of an object on their way out. */
import type { ReplySource } from '../../http/exchange.ts'
import type { ContentReader } from '../../store/store.ts'

/** A reader that cannot go on ends the reply short of its Content-Length: the status is out already, and a short body is what clients notice. */
export class ContentBroken extends Error {
  override readonly name = 'ContentBroken'
}

export function contentSource(reader: ContentReader): ReplySource {
  reader.lend?.()
  return {
    lent: true,
    async read() {
      const next = await reader.read()
      if (next.ok) return next.value
      throw new ContentBroken(next.error)
    },
    close: () => reader.close(),
  }
}
