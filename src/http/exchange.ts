/**
 * One HTTP request and its reply as plain values: all that the rest of Holdfast knows of HTTP. Two adapters (uWebSockets.js, node:http)
 * make them; back-pressure, corking, keep-alive, pipelining and aborts end there.
 */

export type HttpRequest = {
  /** In capitals, as sent. */
  readonly method: string
  /** The path exactly as sent: percent-encoded, never normalised, without the query. Begins with '/'. */
  readonly rawPath: string
  /** What follows the first '?', exactly as sent; '' if there is none. */
  readonly rawQuery: string
  /** By lower-case name. A header sent twice has its values joined by ',' in the order sent. Values as latin1 text, outer blanks removed. */
  readonly headers: ReadonlyMap<string, string>
  readonly remoteAddress: string
  /** Over TLS. */
  readonly secure: boolean
  readonly body: RequestBody
  /** Aborted when the client has gone away before the reply was complete. */
  readonly signal: AbortSignal
}

/**
 * The bytes of the request, as framed by HTTP (transfer encoding removed, nothing else). Pulled: the adapter stops reading the socket when
 * BODY_AHEAD_BYTES wait unread. A client that waits for "100 Continue" gets it at the first read. A body never read is discarded
 * (up to a bound) or the connection is closed after the reply.
 */
export interface RequestBody {
  /** The Content-Length; undefined with chunked transfer encoding. A request with neither has 0. */
  readonly declaredBytes: number | undefined
  /**
   * The next bytes, at least one, owned by the caller from then on; undefined at the end. One call at a time.
   * Rejects with RequestAborted when the client goes away or goes silent for too long.
   */
  read(): Promise<Uint8Array | undefined>
  /**
   * Before the first read: what is read from now on is only lent, until the next read, so that its memory can serve again. Worth it for great bodies:
   * memory made anew for each chunk costs more than reading it.
   */
  lend?(): void
}

export class RequestAborted extends Error {
  override readonly name = 'RequestAborted'
}

export type HttpReply = {
  readonly status: number
  /** Sent in this order. No Content-Length, Date, Connection or Transfer-Encoding: those are the adapter's. Values are latin1 text. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: ReplyBody
}

export type ReplyBody =
  | { readonly kind: 'none' }
  /** A reply to HEAD: the Content-Length that a GET would have; undefined leaves the header out. */
  | { readonly kind: 'head'; readonly bytes: number | undefined }
  | { readonly kind: 'whole'; readonly content: Uint8Array | string }
  /**
   * Pulled with back-pressure. With `bytes` known, Content-Length is sent, and a source that ends or fails early closes the connection short of it;
   * undefined: chunked transfer encoding. `close` is called exactly once, also when the client goes away.
   */
  | { readonly kind: 'stream'; readonly bytes: number | undefined; readonly source: ReplySource }

export interface ReplySource {
  /** Chunks are only lent, until the next read or `close`, so that their memory can serve again: who needs them longer copies them. */
  readonly lent?: boolean
  /** The next bytes, or undefined at the end. Not called again before the promise settles. A rejection closes the connection. */
  read(): Promise<Uint8Array | undefined>
  close(): void
}

/** Answers one request. Never rejects: the unforeseen has become a reply before. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpReply>

export interface HttpServer {
  /** The port that it listens on. */
  readonly port: number
  /** Stops accepting, lets requests in flight finish for at most `graceMs`, then closes what is left. */
  stop(graceMs: number): Promise<void>
}
