/**
 * What the engine may not take from the world by itself: time and chance enter by argument, so that one seed replays one run.
 * `timer` is part of it, since time-outs are decisions too.
 */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. May jump in both directions. */
  nowMs(): number
  /** Calls `then` once, after at least `delayMs`; the returned function takes that back. */
  timer(delayMs: number, then: () => void): () => void
}

export interface Random {
  /** `count` unpredictable bytes (predictable from the seed in a simulation), in an ArrayBuffer of their own. */
  bytes(count: number): Uint8Array<ArrayBuffer>
}
