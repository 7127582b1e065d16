/** The body of a reply, as both adapters see it. */
import type { ReplyBody } from './exchange.ts'

/** The Content-Length to announce; undefined: no such header. */
export function announcedBytes(body: ReplyBody, method: string): number | undefined {
  if (body.kind === 'head' || body.kind === 'stream') return body.bytes
  if (body.kind === 'whole') return typeof body.content === 'string' ? Buffer.byteLength(body.content) : body.content.length
  return method === 'HEAD' ? undefined : 0
}

/** Text as UTF-8. Never sent as text: node:http would join it with the headers, whose values are latin1, and send both as UTF-8. */
export function contentBytes(content: Uint8Array | string): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : content
}

/** Of a reply that is not sent, or not to its end. */
export function closeSource(body: ReplyBody): void {
  if (body.kind === 'stream') body.source.close()
}
