import type { IncomingMessage, ServerResponse } from 'node:http'
import { BodyQueue, type BodySource, NO_BODY } from './body-queue.ts'
import type { HttpReply, HttpRequest, ReplySource, RequestBody } from './exchange.ts'
import type { Framing } from './framing.ts'
import { DISCARD_BYTES_MAX, type HttpLimits, LINGER_BYTES_MAX } from './limits.ts'
import { announcedBytes, closeSource, contentBytes } from './reply-body.ts'
import { areSendable, BROKEN_REPLY, isBodiless } from './reply-head.ts'

/** The server as its exchanges see it. */
export interface NodeHost {
  readonly limits: HttpLimits
  readonly secure: boolean
  /** Replies now ask the client to close. */
  readonly stopping: boolean
  /** Exchanges whose body is to come: each gets a tick() about every TICK_MS. */
  readonly receiving: Set<NodeExchange>
}

/** How often the pace of bodies is looked at. */
export const TICK_MS = 3_000

/** One request and its reply on node:http or node:https. */
export class NodeExchange implements HttpRequest, BodySource {
  readonly method: string
  readonly rawPath: string
  readonly rawQuery: string
  readonly headers: ReadonlyMap<string, string>
  readonly remoteAddress: string
  readonly secure: boolean
  readonly body: RequestBody
  private readonly host: NodeHost
  private readonly request: IncomingMessage
  private readonly response: ServerResponse
  private readonly queue: BodyQueue | undefined
  private readonly waitsForContinue: boolean
  private continued = false
  private gone = false
  private controller: AbortController | undefined
  private wakeStream: (() => void) | undefined

  constructor(host: NodeHost, request: IncomingMessage, response: ServerResponse, headers: ReadonlyMap<string, string>, framing: Framing) {
    this.host = host
    this.request = request
    this.response = response
    this.method = request.method ?? ''
    const target = request.url ?? ''
    const mark = target.indexOf('?')
    this.rawPath = mark === -1 ? target : target.slice(0, mark)
    this.rawQuery = mark === -1 ? '' : target.slice(mark + 1)
    this.headers = headers
    this.remoteAddress = plainAddress(request.socket.remoteAddress ?? '')
    this.secure = host.secure
    this.waitsForContinue = framing.expectsContinue
    this.queue = framing.bodyBytes === 0 ? undefined : new BodyQueue(framing.bodyBytes, this)
    this.body = this.queue ?? NO_BODY
    response.once('close', () => this.closed())
    if (this.queue !== undefined) this.receive(this.queue)
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.gone && !this.response.writableFinished) this.controller.abort()
    }
    return this.controller.signal
  }

  private receive(queue: BodyQueue): void {
    const { request } = this
    this.host.receiving.add(this)
    request.on('data', (chunk: Buffer) => queue.push(chunk))
    request.once('end', () => {
      request.socket.setTimeout(0)
      this.host.receiving.delete(this)
      queue.end()
    })
    request.once('error', () => queue.abort('the client has gone away'))
    if (!this.waitsForContinue) this.limitSilence(this.host.limits.bodyIdleMs)
  }

  tick(): void {
    const invited = !this.waitsForContinue || this.continued || this.queue?.started === true
    if (invited && this.queue?.isTooSlow(TICK_MS, this.host.limits.bodySlowMs)) this.cutOff()
    if (this.gone) this.host.receiving.delete(this)
  }

  /** Closes the connection when nothing moved on it for so long; 0: never. */
  private limitSilence(idleMs: number): void {
    this.request.socket.setTimeout(idleMs)
  }

  begin(): void {
    if (!this.waitsForContinue || this.continued || this.gone || this.queue?.started) return
    this.continued = true
    this.limitSilence(this.host.limits.bodyIdleMs)
    this.response.writeContinue()
  }

  pause(): void {
    this.request.pause()
    this.limitSilence(0)
  }

  resume(): void {
    if (this.gone) return
    this.limitSilence(this.host.limits.bodyIdleMs)
    this.request.resume()
  }

  /** The reply is complete, or the connection has ended before. */
  private closed(): void {
    if (this.gone) return
    this.gone = true
    this.queue?.abort('the client has gone away or silent')
    if (!this.response.writableFinished) this.controller?.abort()
    this.wakeStream?.()
  }

  async answer(given: HttpReply): Promise<void> {
    let reply = given
    if (!areSendable(reply.headers)) {
      closeSource(reply.body)
      reply = BROKEN_REPLY
    }
    try {
      if (this.gone) closeSource(reply.body)
      else if (this.queue === undefined || this.queue.complete) await this.send(reply)
      else await this.answerEarly(reply, this.queue)
    } catch {
      // node:http refuses what areSendable() lets pass: a bug of ours; the client sees the connection end.
      closeSource(reply.body)
      this.cutOff()
    }
  }

  /** The client is still sending, or waits for the permission to. */
  private async answerEarly(reply: HttpReply, queue: BodyQueue): Promise<void> {
    const remaining = queue.remainingBytes
    const waits = this.waitsForContinue && !this.continued && !queue.started
    if (reply.body.kind === 'stream' && this.method !== 'HEAD') {
      this.begin()
      if (await this.discarded(queue, DISCARD_BYTES_MAX)) return this.send(reply)
      closeSource(reply.body)
      this.cutOff()
    } else if (!waits && remaining !== undefined && remaining <= DISCARD_BYTES_MAX) {
      queue.discard(DISCARD_BYTES_MAX, () => undefined)
      await this.send(reply)
      this.limitRest()
    } else {
      this.response.shouldKeepAlive = false
      this.writeHead(reply)
      if (reply.body.kind === 'whole') this.response.write(contentBytes(reply.body.content))
      else this.response.flushHeaders()
      closeSource(reply.body)
      const timer = setTimeout(() => this.cutOff(), this.host.limits.lingerMs)
      await this.discarded(queue, LINGER_BYTES_MAX)
      clearTimeout(timer)
      if (!this.gone) this.response.end()
    }
  }

  /** What is left of a body whose reply has been sent keeps the connection only so long. */
  private limitRest(): void {
    const { request } = this
    if (request.complete || request.destroyed) return
    const timer = setTimeout(() => this.cutOff(), this.host.limits.bodySlowMs)
    const stop = (): void => clearTimeout(timer)
    request.once('end', stop).once('close', stop)
  }

  private discarded(queue: BodyQueue, boundBytes: number): Promise<boolean> {
    return new Promise((resolve) => queue.discard(boundBytes, (outcome) => resolve(outcome === 'ended')))
  }

  private async send(reply: HttpReply): Promise<void> {
    const { body } = reply
    const { response } = this
    if (this.host.stopping) response.shouldKeepAlive = false
    this.writeHead(reply)
    if (body.kind === 'stream' && this.method !== 'HEAD' && !isBodiless(reply.status)) return this.sendStream(body.source, body.bytes)
    closeSource(body)
    await this.ended(body.kind === 'whole' && !isBodiless(reply.status) ? body.content : undefined)
  }

  private writeHead(reply: HttpReply): void {
    const flat = ['Server', 'Holdfast']
    for (const [name, value] of reply.headers) flat.push(name, value)
    const bytes = announcedBytes(reply.body, this.method)
    if (bytes !== undefined && !isBodiless(reply.status)) flat.push('Content-Length', String(bytes))
    this.response.writeHead(reply.status, flat)
  }

  private async sendStream(source: ReplySource, bytes: number | undefined): Promise<void> {
    const outcome = await this.pump(source, bytes).catch(() => 'short' as const)
    source.close()
    if (outcome === 'whole') await this.ended(undefined)
    else this.cutOff()
  }

  private async pump(source: ReplySource, bytes: number | undefined): Promise<'whole' | 'short'> {
    let sentBytes = 0
    while (!this.gone) {
      if (sentBytes === bytes) return 'whole'
      const chunk = await source.read()
      if (this.gone) break
      if (chunk === undefined) return bytes === undefined ? 'whole' : 'short'
      sentBytes += chunk.length
      if (bytes !== undefined && sentBytes > bytes) break
      if (chunk.length > 0 && !this.response.write(source.lent === true ? Buffer.from(chunk) : chunk)) await this.drained()
    }
    return 'short'
  }

  private drained(): Promise<void> {
    this.limitSilence(this.host.limits.sendIdleMs)
    return new Promise((resolve) => {
      const wake = (): void => {
        this.response.off('drain', wake)
        this.wakeStream = undefined
        this.limitSilence(0)
        resolve()
      }
      this.wakeStream = wake
      this.response.once('drain', wake)
    })
  }

  /** Resolves when the kernel has the whole reply, or the client has gone. */
  private ended(content: Uint8Array | string | undefined): Promise<void> {
    if (this.gone) return Promise.resolve()
    return new Promise((resolve) => {
      const { response } = this
      response.once('close', resolve)
      if (content === undefined) response.end()
      else response.end(contentBytes(content))
      if (!response.writableFinished) this.limitSilence(this.host.limits.sendIdleMs)
    })
  }

  private cutOff(): void {
    this.request.socket.destroy()
  }
}

function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address
}
