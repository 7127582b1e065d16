/**
 * The bounds of both adapters. Memory for N connections, whatever they do, stays below
 *   N × (BODY_AHEAD_BYTES + one receive buffer, 512 KiB + one chunk of the reply's source + the headers) + a constant;
 * test/http/memory.test.ts holds them to it.
 */

/** Request line and headers together. Amazon allows 8 KiB of headers, of which 2 KiB user metadata, and keys of 1,024 bytes (each up to 3 characters in a URL). */
export const HEADER_BYTES_MAX = 16 * 1024

/** The adapter stops reading the socket when this much of a body waits unread. */
export const BODY_AHEAD_BYTES = 256 * 1024

/** A body declared to be at most this long is handed over in one piece. */
export const SMALL_BODY_BYTES = 128 * 1024

/** When a reply comes before the end of the body, this much of the rest is read and dropped to keep the connection. */
export const DISCARD_BYTES_MAX = 1024 * 1024

/**
 * When there is more, the reply says "Connection: close", and this much is still read and dropped before the connection is closed: closing at once would
 * reset it, and the reset destroys the reply on its way to a client that is still sending. Source: RFC 9112, section 9.6.
 */
export const LINGER_BYTES_MAX = 16 * 1024 * 1024

/** A whole reply longer than this is sent piece by piece as the client takes it, not copied to the socket's queue. */
export const WHOLE_AT_ONCE_BYTES = 64 * 1024

/** node:http: with this many pipelined requests behind the one in hand the connection is not read on. uWebSockets.js leaves them all in the kernel. */
export const PIPELINED_PAUSE = 16

/** node:http hands out all requests of a piece of 64 KiB. Signed ones are so long that they are never as many; who sends more is cut off. */
export const PIPELINED_MAX = 512

export type HttpLimits = {
  /** A client that has sent nothing of its body for so long, while it was expected to, is cut off. */
  readonly bodyIdleMs: number
  /** A client that has taken nothing of its reply for so long is cut off. What the kernel has buffered counts as taken. */
  readonly sendIdleMs: number
  /** How long the connection of a refused upload is kept to let the client read the refusal. */
  readonly lingerMs: number
  /** From the opening of a connection, or its first byte of a request, to the end of the headers. uWebSockets.js: at least 8 s, and up to 4 s later. */
  readonly headersMs: number
  /** Between two requests on a connection. uWebSockets.js: at least 8 s, and up to 4 s later. */
  readonly keepAliveMs: number
  /** A client that sends less than BODY_BYTES_MIN in so long, while it was expected to, is cut off. */
  readonly bodySlowMs: number
  /** One more is closed as soon as it is opened. */
  readonly connectionsMax: number
}

/** In DEFAULT_LIMITS.bodySlowMs: 512 bytes a second, less than any link that carries objects. */
export const BODY_BYTES_MIN = 32 * 1024

export const DEFAULT_LIMITS: HttpLimits = {
  bodyIdleMs: 60_000,
  sendIdleMs: 120_000,
  lingerMs: 8_000,
  headersMs: 10_000,
  keepAliveMs: 20_000,
  bodySlowMs: 64_000,
  connectionsMax: 10_000,
}
