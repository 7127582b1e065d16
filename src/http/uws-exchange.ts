import type { HttpResponse as UwsResponse } from 'uWebSockets.js'
import { SocketAddress } from 'node:net'
import { BodyQueue, type BodySource, NO_BODY } from './body-queue.ts'
import type { ChunkPool } from './chunk-pool.ts'
import type { HttpReply, HttpRequest, ReplySource, RequestBody } from './exchange.ts'
import type { Framing } from './framing.ts'
import { DISCARD_BYTES_MAX, type HttpLimits, LINGER_BYTES_MAX, WHOLE_AT_ONCE_BYTES } from './limits.ts'
import { announcedBytes, closeSource, contentBytes } from './reply-body.ts'
import { areSendable, BROKEN_REPLY, isBodiless } from './reply-head.ts'
import { UwsStream } from './uws-stream.ts'
import { writeClosingReply, writeHead } from './uws-write.ts'

/** The server as its exchanges see it. */
export interface UwsHost {
  readonly limits: HttpLimits
  /** Replies now ask the client to close. */
  readonly stopping: boolean
  /** The library is (uws-corrections.ts). If not, it answers "Expect: 100-continue" by itself. */
  readonly corrected: boolean
  /** Exchanges that wait for their client: each gets a tick() about every TICK_MS. */
  readonly waiting: Set<UwsExchange>
  readonly chunks: ChunkPool
  /** Once per exchange. */
  finished(): void
}

/** Below the library's own limits, of 8 s or more, which each tick restarts. */
export const TICK_MS = 3_000

export type UwsRequestLine = { readonly method: string; readonly rawPath: string; readonly rawQuery: string }

/**
 * One request and its reply on uWebSockets.js. `res` may not be touched once it is `gone` (aborted, closed, or answered), everything is written inside
 * cork(), and the library's own limits, which count from the last call and not from the last byte, are kept off by tick(), which applies ours.
 */
export class UwsExchange implements HttpRequest, BodySource {
  readonly method: string
  readonly rawPath: string
  readonly rawQuery: string
  readonly headers: ReadonlyMap<string, string>
  readonly remoteAddress: string
  readonly secure = false
  readonly body: RequestBody
  private readonly host: UwsHost
  private readonly res: UwsResponse
  private readonly queue: BodyQueue | undefined
  private readonly waitsForContinue: boolean
  private continued = false
  private gone = false
  private aborted = false
  private lingering = false
  private stream: UwsStream | undefined
  private idleMs = 0
  private controller: AbortController | undefined

  constructor(host: UwsHost, res: UwsResponse, line: UwsRequestLine, headers: ReadonlyMap<string, string>, framing: Framing) {
    this.host = host
    this.res = res
    this.method = line.method
    this.rawPath = line.rawPath
    this.rawQuery = line.rawQuery
    this.headers = headers
    this.remoteAddress = addressText(new Uint8Array(res.getRemoteAddress()))
    this.waitsForContinue = framing.expectsContinue && host.corrected
    this.queue = framing.bodyBytes === 0 ? undefined : new BodyQueue(framing.bodyBytes, this, host.chunks)
    this.body = this.queue ?? NO_BODY
    res.onAborted(() => this.abort())
    const queue = this.queue
    if (queue === undefined) return
    host.waiting.add(this)
    res.onData((bytes, isLast) => this.receive(queue, bytes, isLast))
  }

  /** Most requests never ask for it, and an AbortController costs more than the rest of the exchange. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.aborted) this.controller.abort()
    }
    return this.controller.signal
  }

  private receive(queue: BodyQueue, bytes: ArrayBuffer, isLast: boolean): void {
    this.idleMs = 0
    // The library takes `bytes` back when this returns.
    if (bytes.byteLength > 0) queue.pushCopied(new Uint8Array(bytes))
    if (!isLast) return
    if (!this.lingering) this.host.waiting.delete(this)
    queue.end()
  }

  begin(): void {
    if (!this.invitationDue || this.gone) return
    this.continued = true
    this.idleMs = 0
    this.res.cork(() => this.res.writeStatus('100 Continue\r\n'))
  }

  /** The client waits for "100 Continue", or for a reply instead. */
  private get invitationDue(): boolean {
    return this.waitsForContinue && !this.continued && this.queue?.started === false && !this.lingering
  }

  pause(): void {
    if (!this.gone) this.res.pause()
  }

  resume(): void {
    this.idleMs = 0
    if (!this.gone) this.res.resume()
  }

  /** The time without a sign of life, in steps of TICK_MS. */
  tick(): void {
    // Who waits for "100 Continue" may be silent for as long as we are.
    if (!this.invitationDue) this.idleMs += TICK_MS
    const { limits } = this.host
    if (!this.invitationDue && this.queue?.isTooSlow(TICK_MS, limits.bodySlowMs)) {
      this.cutOff()
      return
    }
    if (this.lingering) {
      if (this.idleMs > limits.lingerMs) this.cutOff()
      return
    }
    const idleMaxMs = this.stream?.stalled ? limits.sendIdleMs : this.queue?.expecting ? limits.bodyIdleMs : undefined
    if (idleMaxMs === undefined) return
    if (this.idleMs > idleMaxMs) this.cutOff()
    else {
      // Together they change nothing but the library's timer.
      this.res.pause()
      this.res.resume()
    }
  }

  private abort(): void {
    this.gone = true
    this.aborted = true
    this.host.waiting.delete(this)
    this.queue?.abort('the client has gone away or silent')
    this.stream?.abort()
    this.controller?.abort()
    if (this.lingering) this.host.finished()
  }

  /** Closes the connection short of whatever was promised. */
  private cutOff(): void {
    if (!this.gone) this.res.close()
  }

  answer(reply: HttpReply): void {
    if (!areSendable(reply.headers)) {
      closeSource(reply.body)
      this.answerChecked(BROKEN_REPLY)
    } else this.answerChecked(reply)
  }

  private answerChecked(reply: HttpReply): void {
    if (this.gone) {
      closeSource(reply.body)
      this.host.finished()
    } else if (this.queue === undefined || this.queue.complete) this.send(reply)
    else this.answerEarly(reply, this.queue)
  }

  /** The client is still sending, or waits for the permission to. */
  private answerEarly(reply: HttpReply, queue: BodyQueue): void {
    const remaining = queue.remainingBytes
    const waits = this.invitationDue
    if (reply.body.kind === 'stream' && this.method !== 'HEAD') {
      this.begin()
      queue.discard(DISCARD_BYTES_MAX, (outcome) => {
        if (outcome === 'ended') this.send(reply)
        else {
          closeSource(reply.body)
          this.cutOff()
          this.host.finished()
        }
      })
    } else if (!waits && remaining !== undefined && remaining <= DISCARD_BYTES_MAX) {
      queue.discard(DISCARD_BYTES_MAX, () => undefined)
      this.send(reply)
    } else {
      this.lingering = true
      this.idleMs = 0
      this.host.waiting.add(this)
      closeSource(reply.body)
      this.res.cork(() => writeClosingReply(this.res, reply, { method: this.method, continued: this.continued }))
      // Not in this turn: while the library is parsing, the reply waits in its buffer, and closing would drop it.
      queue.discard(LINGER_BYTES_MAX, () => setImmediate(() => this.cutOff()))
    }
  }

  private send(reply: HttpReply): void {
    const { body } = reply
    const bare = this.method === 'HEAD' || isBodiless(reply.status)
    if (!bare && body.kind === 'stream' && body.bytes !== 0) this.sendStream(reply, body.bytes, body.source)
    else if (!bare && body.kind === 'whole' && body.content.length > WHOLE_AT_ONCE_BYTES) {
      const content = contentBytes(body.content)
      this.sendStream(reply, content.length, sourceOf(content))
    } else {
      this.res.cork(() => this.sendAtOnce(reply))
      this.done()
    }
  }

  private sendAtOnce(reply: HttpReply): void {
    const { res } = this
    const { body } = reply
    const close = this.host.stopping
    writeHead(res, reply, { continued: this.continued })
    // The library takes an undefined length for a number.
    if (isBodiless(reply.status)) res.endWithoutBody()
    else if (body.kind === 'whole' && this.method !== 'HEAD') res.end(body.content, close)
    else {
      const bytes = announcedBytes(body, this.method)
      if (bytes === undefined) res.endWithoutBody()
      else res.endWithoutBody(bytes, close)
    }
    closeSource(body)
  }

  private sendStream(reply: HttpReply, bytes: number | undefined, source: ReplySource): void {
    const stream = new UwsStream(this.res, bytes, () => writeHead(this.res, reply, { continued: this.continued }), {
      stalled: () => {
        this.idleMs = 0
        this.host.waiting.add(this)
      },
      moved: () => {
        this.idleMs = 0
      },
    })
    this.stream = stream
    void stream.send(source).then((outcome) => {
      if (outcome === 'short') this.cutOff()
      this.done()
    })
  }

  private done(): void {
    this.gone = true
    this.host.waiting.delete(this)
    this.host.finished()
  }
}

function sourceOf(content: Uint8Array): ReplySource {
  let next: Uint8Array | undefined = content
  return {
    read: () => {
      const chunk = next
      next = undefined
      return Promise.resolve(chunk)
    },
    close: () => undefined,
  }
}

function addressText(binary: Uint8Array): string {
  const mapped = binary.length === 16 && binary.subarray(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff))
  if (binary.length === 4 || mapped) return binary.subarray(-4).join('.')
  if (binary.length !== 16) return ''
  const groups = Array.from({ length: 8 }, (_, index) => (((binary[2 * index] ?? 0) << 8) | (binary[2 * index + 1] ?? 0)).toString(16))
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address
}
