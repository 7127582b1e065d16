import { RequestAborted, type RequestBody } from './exchange.ts'
import { BODY_AHEAD_BYTES, SMALL_BODY_BYTES } from './limits.ts'

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
  private readonly chunks: Uint8Array[] = []
  /** The next chunk to hand over; those before it were. */
  private next = 0
  private waitingBytes = 0
  private gathered: Uint8Array | undefined
  private receivedBytes = 0
  private state: 'open' | 'ended' | 'aborted' = 'open'
  private begun = false
  private paused = false
  private waiter: { resolve(chunk: Uint8Array | undefined): void; reject(error: RequestAborted): void } | undefined
  private discarding: { leftBytes: number; settle(outcome: DiscardOutcome): void } | undefined

  constructor(declaredBytes: number | undefined, source: BodySource) {
    this.declaredBytes = declaredBytes
    this.source = source
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

  read(): Promise<Uint8Array | undefined> {
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

  private hand(chunk: Uint8Array): void {
    const waiter = this.waiter
    if (waiter !== undefined) {
      this.waiter = undefined
      waiter.resolve(chunk)
      return
    }
    this.chunks.push(chunk)
    this.waitingBytes += chunk.length
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
