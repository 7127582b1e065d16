import type { HttpReply } from './exchange.ts'

// To import it would load all of it, with an HTTP client and WebSockets: a tenth of the time in which a gateway starts.
const { STATUS_CODES } = process.getBuiltinModule('node:http')

/** Sent when a handler breaks its promise: it rejects, or names a header that cannot be sent. */
export const BROKEN_REPLY: HttpReply = { status: 500, headers: [], body: { kind: 'none' } }

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** A line break in a value would let whoever chose the value write headers of his own. Source: RFC 9110, section 5.5. */
export function areSendable(headers: HttpReply['headers']): boolean {
  for (const [name, value] of headers) if (!NAME.test(name) || !VALUE.test(value)) return false
  return true
}

const STATUS_LINES = new Map<number, string>()

/** "200 OK". */
export function statusLine(status: number): string {
  const known = STATUS_LINES.get(status)
  if (known !== undefined) return known
  const line = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`
  STATUS_LINES.set(status, line)
  return line
}

/** These end with their head and have no Content-Length. Source: RFC 9110, sections 8.6, 15.3.5 and 15.4.5. */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304
}
