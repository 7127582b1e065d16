import { fail, ok, type Result } from '../result.ts'

export type Framing = {
  /** Undefined with chunked transfer encoding; 0 if there is no body. */
  readonly bodyBytes: number | undefined
  /** The client waits for "100 Continue" before it sends the body. */
  readonly expectsContinue: boolean
}

const NO_BODY_FRAMING: Result<Framing, never> = ok({ bodyBytes: 0, expectsContinue: false })

/**
 * How the body of a request is delimited, from its headers by lower-case name; or the status of the refusal. Everything that two readers of
 * one request could understand differently is refused, and the connection closed, since whoever stands before us may have done the other.
 * Sources: RFC 9112, sections 3.2, 6.1 to 6.3 and 11.2; RFC 9110, sections 8.6 and 10.1.1.
 */
export function readFraming(headers: ReadonlyMap<string, string>): Result<Framing, 400 | 417 | 501> {
  const length = headers.get('content-length')
  const coding = headers.get('transfer-encoding')
  // A list of nothing is none: RFC 9110, section 5.6.1.
  const expect = headers.get('expect') || undefined
  // Sent twice: RFC 9112, section 3.2.
  if (headers.get('host')?.includes(',')) return fail(400)
  if (length === undefined && coding === undefined && expect === undefined) return NO_BODY_FRAMING

  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return fail(417)
  const expectsContinue = expect !== undefined
  if (coding !== undefined) {
    if (length !== undefined) return fail(400)
    return coding.toLowerCase() === 'chunked' ? ok({ bodyBytes: undefined, expectsContinue }) : fail(501)
  }
  if (length === undefined) return NO_BODY_FRAMING
  // A header sent twice has become "5,5": refused as well.
  if (!/^[0-9]{1,15}$/.test(length)) return fail(400)
  const bodyBytes = Number(length)
  return ok({ bodyBytes, expectsContinue: expectsContinue && bodyBytes > 0 })
}
