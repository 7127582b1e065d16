import type { HttpResponse as UwsResponse } from 'uWebSockets.js'
import type { HttpReply } from './exchange.ts'
import { contentBytes } from './reply-body.ts'
import { isBodiless, statusLine } from './reply-head.ts'

const LINE_BREAK_BYTES = 2
const ASCII = /^[\0-\x7f]*$/

/**
 * Status line and headers in one call: each call into the library costs more than joining the text. writeStatus(text) sends `HTTP/1.1 ${text}\r\n`. After
 * "100 Continue", which was sent with it, the library takes no second status; then all goes as the name of a header, sent `${name}: ${value}\r\n`.
 * Text goes out as UTF-8, so that header values, which are latin1, go as bytes unless they are ASCII.
 */
export function writeHead(res: UwsResponse, reply: HttpReply, { continued }: { readonly continued: boolean }): void {
  const text = headText(reply)
  if (continued) res.writeHeader(encode(`HTTP/1.1 ${text}\r\nServer`), 'Holdfast')
  else res.writeStatus(encode(`${text}\r\nServer: Holdfast`))
}

/**
 * A whole reply that announces the end of the connection and leaves the library believing that the reply has just begun, so that `res` remains valid to
 * read on and to close. The library adds a line break after it: it is announced as the end of the content, where there is any.
 */
export function writeClosingReply(
  res: UwsResponse,
  reply: HttpReply,
  { method, continued }: { readonly method: string; readonly continued: boolean },
): void {
  const { body, status } = reply
  const content = body.kind === 'whole' ? contentBytes(body.content) : new Uint8Array(0)
  const known = body.kind === 'head' || body.kind === 'stream' ? body.bytes : content.length
  const isSent = content.length > 0 && !isBodiless(status) && method !== 'HEAD'
  const length = isBodiless(status) || known === undefined ? '' : `Content-Length: ${isSent ? known + LINE_BREAK_BYTES : known}\r\n`
  const head = `${headText(reply)}\r\nDate: ${new Date().toUTCString()}\r\nConnection: close\r\n${length}Server`
  const rest = Buffer.concat([Buffer.from('Holdfast\r\n\r\n'), isSent ? content : new Uint8Array(0)])
  if (continued) res.writeHeader(encode(`HTTP/1.1 ${head}`), rest)
  else res.writeStatus(Buffer.concat([Buffer.from(`${head}: `, 'latin1'), rest]))
}

function headText(reply: HttpReply): string {
  let text = statusLine(reply.status)
  for (const [name, value] of reply.headers) text += `\r\n${name}: ${value}`
  return text
}

function encode(text: string): string | Uint8Array {
  return ASCII.test(text) ? text : Buffer.from(text, 'latin1')
}
