import { type ChunkPool, LENT_CHUNK_BYTES } from './chunk-pool.ts'
import { RequestAborted, type RequestBody } from './exchange.ts'
import { BODY_AHEAD_BYTES, BODY_BYTES_MIN, SMALL_BODY_BYTES } from './limits.ts'

/** What a body asks of the connection that it comes from. */
export interface BodySource {
  /** The first read: a client that waits for "100 Continue" gets it now. */
  begin(): void
  pause(): void
  resume(): void
}

export type DiscardOutcome = 'ended' | 'too-much' | 'aborted'

const END: Promise<undefined> = Promise.resolve(undefined)

/** The body of a request that has none. */
export const NO_BODY: RequestBody = { declaredBytes: 0, read: () => END }

/**
 * A body between the adapter, which pushes, and the handler, which pulls. It holds at most BODY_AHEAD_BYTES plus the chunk that went over it: then it
 * pauses its source. A small body is gathered and handed over whole.
 */
export class BodyQueue implements RequestBody {
  readonly declaredBytes: number | undefined
  private readonly source: BodySource
  private readonly pool: ChunkPool | undefined
  private readonly chunks: Uint8Array[] = []
  /** The next chunk to hand over; those before it were. */
  private next = 0
  private waitingBytes = 0
  private gathered: Uint8Array | undefined
  private lends = false
  /** The pool's memory that is being filled; what is in it so far is the last chunk that waits. */
  private filling: Uint8Array | undefined
  /** The pool's memory that the reader has. */
  private lent: Uint8Array | undefined
  private receivedBytes = 0
  /** How long the client was watched, and what had come before. */
  private watchedMs = 0
  private watchedFrom = 0
  private state: 'open' | 'ended' | 'aborted' = 'open'
  private begun = false
  private paused = false
  private waiter: { resolve(chunk: Uint8Array | undefined): void; reject(error: RequestAborted): void } | undefined
  private discarding: { leftBytes: number; settle(outcome: DiscardOutcome): void } | undefined

  /** With a pool it can lend. */
  constructor(declaredBytes: number | undefined, source: BodySource, pool?: ChunkPool) {
    this.declaredBytes = declaredBytes
    this.source = source
    this.pool = pool
  }

  get complete(): boolean {
    return this.state === 'ended'
  }

  /** Any byte has come: the client does not wait for "100 Continue". */
  get started(): boolean {
    return this.receivedBytes > 0
  }

  /** Bytes are expected from the client now. */
  get expecting(): boolean {
    return this.state === 'open' && !this.paused
  }

  /** Undefined with chunked transfer encoding. */
  get remainingBytes(): number | undefined {
    return this.declaredBytes === undefined ? undefined : this.declaredBytes - this.receivedBytes
  }

  /** After `elapsedMs` more: the client has sent next to nothing for `slowMs`, while it was expected to send. */
  isTooSlow(elapsedMs: number, slowMs: number): boolean {
    this.watchedMs = this.expecting ? this.watchedMs + elapsedMs : 0
    if (this.watchedMs > 0 && this.watchedMs < slowMs) return false
    const tooSlow = this.watchedMs > 0 && this.receivedBytes - this.watchedFrom < BODY_BYTES_MIN
    this.watchedMs = 0
    this.watchedFrom = this.receivedBytes
    return tooSlow
  }

  lend(): void {
    this.lends = this.pool !== undefined && (this.declaredBytes === undefined || this.declaredBytes > SMALL_BODY_BYTES)
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.lent !== undefined) {
      this.pool?.give(this.lent)
      this.lent = undefined
    }
    if (!this.begun) {
      this.begun = true
      if (this.state === 'open') this.source.begin()
    }
    const chunk = this.chunks[this.next]
    if (chunk !== undefined) {
      this.next += 1
      if (this.next === this.chunks.length) {
        this.chunks.length = 0
        this.next = 0
      }
      this.waitingBytes -= chunk.length
      this.lentOut(chunk)
      if (this.paused && this.waitingBytes < BODY_AHEAD_BYTES / 2) this.resume()
      return Promise.resolve(chunk)
    }
    if (this.state === 'ended') return END
    if (this.state === 'aborted') return Promise.reject(new RequestAborted('the client has gone away'))
    return new Promise((resolve, reject) => {
      this.waiter = { resolve, reject }
    })
  }

  /** More of the body; `bytes` is the queue's from now on. */
  push(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length
    if (this.discarding !== undefined) {
      this.discarding.leftBytes -= bytes.length
      if (this.discarding.leftBytes < 0) this.settleDiscard('too-much')
      return
    }
    const declared = this.declaredBytes
    if (declared !== undefined && declared <= SMALL_BODY_BYTES && bytes.length < declared) {
      this.gathered ??= new Uint8Array(declared)
      this.gathered.set(bytes, this.receivedBytes - bytes.length)
      if (this.receivedBytes === declared) this.hand(this.gathered)
      return
    }
    if (bytes.length === 0) return
    // A small part of a buffer shared with others would keep all of it alive, and cross to another thread with all of it.
    const alone = bytes.length > SMALL_BODY_BYTES || bytes.buffer.byteLength === bytes.length
    this.hand(alone ? bytes : new Uint8Array(bytes))
  }

  /** The same with bytes that are the adapter's own again when this returns. */
  pushCopied(bytes: Uint8Array): void {
    if (!this.lends || this.discarding !== undefined) {
      // What is gathered or dropped need not be copied here.
      const declared = this.declaredBytes
      const isGathered = declared !== undefined && declared <= SMALL_BODY_BYTES && bytes.length < declared
      this.push(isGathered || this.discarding !== undefined ? bytes : new Uint8Array(bytes))
      return
    }
    this.receivedBytes += bytes.length
    let at = 0
    while (at < bytes.length) {
      const room = this.filling
      const last = this.chunks[this.chunks.length - 1]
      if (room !== undefined && last !== undefined && last.buffer === room.buffer && last.length < room.length) {
        const count = Math.min(bytes.length - at, room.length - last.length)
        room.set(bytes.subarray(at, at + count), last.length)
        this.chunks[this.chunks.length - 1] = room.subarray(0, last.length + count)
        this.waits(count)
        at += count
      } else {
        const fresh = this.pool!.take()
        const count = Math.min(bytes.length - at, fresh.length)
        fresh.set(count === bytes.length ? bytes : bytes.subarray(at, at + count))
        this.filling = fresh
        at += count
        this.hand(fresh.subarray(0, count))
      }
    }
  }

  /** The reader has the chunk now. Whatever chunk of the right size it is, the pool gets it in the end. */
  private lentOut(chunk: Uint8Array): void {
    if (!this.lends || chunk.buffer.byteLength !== LENT_CHUNK_BYTES) return
    this.lent = new Uint8Array(chunk.buffer as ArrayBuffer)
    if (this.filling?.buffer === chunk.buffer) this.filling = undefined
  }

  private hand(chunk: Uint8Array): void {
    const waiter = this.waiter
    if (waiter !== undefined) {
      this.lentOut(chunk)
      this.waiter = undefined
      waiter.resolve(chunk)
      return
    }
    this.chunks.push(chunk)
    this.waits(chunk.length)
  }

  private waits(bytes: number): void {
    this.waitingBytes += bytes
    if (!this.paused && this.waitingBytes >= BODY_AHEAD_BYTES && this.state === 'open' && this.remainingBytes !== 0) {
      this.paused = true
      this.source.pause()
    }
  }

  private resume(): void {
    if (!this.paused) return
    this.paused = false
    if (this.state === 'open') this.source.resume()
  }

  end(): void {
    if (this.state !== 'open') return
    this.state = 'ended'
    const waiter = this.waiter
    this.waiter = undefined
    waiter?.resolve(undefined)
    this.settleDiscard('ended')
  }

  abort(reason: string): void {
    if (this.state !== 'open') return
    this.state = 'aborted'
    // What has come is of no use without the rest.
    this.drop()
    const waiter = this.waiter
    this.waiter = undefined
    waiter?.reject(new RequestAborted(reason))
    this.settleDiscard('aborted')
  }

  /** Nobody will read on: drops what waits and what comes, up to `boundBytes`, then calls `settle` once. */
  discard(boundBytes: number, settle: (outcome: DiscardOutcome) => void): void {
    this.drop()
    this.discarding = { leftBytes: boundBytes, settle }
    if (this.state === 'open') this.resume()
    else this.settleDiscard(this.state)
  }

  private drop(): void {
    for (const chunk of this.chunks.slice(this.next)) {
      if (this.lends && chunk.buffer.byteLength === LENT_CHUNK_BYTES) this.pool?.give(new Uint8Array(chunk.buffer as ArrayBuffer))
    }
    this.filling = undefined
    this.chunks.length = 0
    this.next = 0
    this.waitingBytes = 0
    this.gathered = undefined
  }

  private settleDiscard(outcome: DiscardOutcome): void {
    const settle = this.discarding?.settle
    // It stays in place, so that later bytes are dropped too.
    if (this.discarding !== undefined) this.discarding = { leftBytes: Number.POSITIVE_INFINITY, settle: () => undefined }
    settle?.(outcome)
  }
}
