import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse } from 'uWebSockets.js'
import { fail, ok, type Result } from '../result.ts'
import { ChunkPool } from './chunk-pool.ts'
import type { HttpHandler, HttpServer } from './exchange.ts'
import { readFraming } from './framing.ts'
import { InFlight } from './in-flight.ts'
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
import { type HttpServerFault, listenFaultOf, probePort } from './listen.ts'
import { BROKEN_REPLY, statusLine } from './reply-head.ts'
import { TICK_MS, UwsExchange, type UwsHost } from './uws-exchange.ts'
import { type CheckedUws, type LoadedUws, loadChecked, loadUws, type UwsApp } from './uws-load.ts'

export type UwsServerOptions = {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly handler: HttpHandler
  /**
   * 'alone' (default): this listener only. 'first' and 'joins': several threads of this process listen on one port and the kernel spreads connections over
   * them; the first one makes sure that no other program has the port.
   */
  readonly sharing?: 'alone' | 'first' | 'joins'
  readonly limits?: Partial<HttpLimits>
  /** Where a corrected copy of the native module may be kept (uws-load.ts). */
  readonly cacheFolder?: string
  /** What `loadUws` found in another thread of this process: checking it takes tens of milliseconds. */
  readonly checked?: CheckedUws
}

const LISTEN_EXCLUSIVE = 1
/** The library looks every 4 s, and what is waiting for its client must see a tick before. */
const TIMEOUT_S_MIN = 8
const TIMEOUT_S_MAX = 900
const NOT_ASCII = /[^ -~\t]/
/** The library takes them in header values, and no reply could send them back. Source: RFC 9110, section 5.5. */
const CONTROL = /[^\t -~\u0080-\uffff]/

/**
 * HTTP/1.1 on uWebSockets.js, without TLS. What differs from the node:http adapter, because the library's parser decides it: HTTP/1.0 is refused; a client that
 * closes its sending side is taken to have gone; at most 98 headers; chunk extensions are refused; that a client has gone is seen only when its reply is
 * sent, if it had pipelined more. Uncorrected (uws-corrections.ts), a pipelined request behind one that waits for a disk closes the connection unanswered,
 * and what stands behind a header without a name is not seen.
 */
export async function startUwsServer(options: UwsServerOptions): Promise<Result<HttpServer, HttpServerFault>> {
  const { cacheFolder, checked } = options
  const loaded = checked === undefined ? loadUws(cacheFolder === undefined ? {} : { cacheFolder }) : loadChecked(checked)
  if (!loaded.ok) return loaded
  const sharing = options.sharing ?? 'alone'
  let { port } = options
  if (sharing !== 'joins') {
    const free = await probePort(options.host, port)
    if (!free.ok) return free
    // The library shares only a port that was named.
    if (sharing === 'first') port = free.value
  }
  return new UwsServer(loaded.value, options).listen(options.host, port, sharing === 'alone' ? LISTEN_EXCLUSIVE : 0)
}

function timeoutSeconds(limitMs: number): number {
  return Math.min(Math.max(Math.ceil(limitMs / 1000), TIMEOUT_S_MIN), TIMEOUT_S_MAX)
}

class UwsServer implements HttpServer, UwsHost {
  readonly limits: HttpLimits
  readonly corrected: boolean
  readonly waiting = new Set<UwsExchange>()
  readonly chunks = new ChunkPool()
  port = 0
  stopping = false
  private readonly uws: LoadedUws['native']
  private readonly app: UwsApp
  private readonly handler: HttpHandler
  private readonly inFlight = new InFlight()
  private connections = 0
  private readonly ticker: NodeJS.Timeout
  private closeListener = (): void => undefined
  private stopped: Promise<void> | undefined

  constructor(loaded: LoadedUws, options: UwsServerOptions) {
    this.uws = loaded.native
    this.corrected = loaded.corrected
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.handler = options.handler
    this.app = this.uws.App()
    this.app.setIdleTimeout(timeoutSeconds(this.limits.headersMs)).setResponseTimeout(timeoutSeconds(this.limits.keepAliveMs))
    this.app.filter((res, count) => this.countConnection(res, count))
    this.app.any('/*', (res, req) => this.receive(res, req))
    this.ticker = setInterval(() => {
      for (const exchange of [...this.waiting]) exchange.tick()
    }, TICK_MS)
    this.ticker.unref()
  }

  listen(host: string, port: number, flags: number): Result<HttpServer, HttpServerFault> {
    let listening = false
    this.app.listen(host, port, flags, (socket) => {
      if (socket === false) return
      listening = true
      this.port = this.uws.us_socket_local_port(socket)
      this.closeListener = () => this.uws.us_listen_socket_close(socket)
    })
    if (listening) return ok(this)
    clearInterval(this.ticker)
    return fail(listenFaultOf({ code: 'EADDRINUSE', message: `cannot listen on ${host}:${port}` }))
  }

  private countConnection(res: UwsResponse, count: number): void {
    this.connections += count
    if (count > 0 && this.connections > this.limits.connectionsMax) res.close()
  }

  private receive(res: UwsResponse, req: UwsRequest): void {
    let garbled = false
    // The library decodes UTF-8; the bytes as sent, one character each, are what the contract promises.
    const asSent = (text: string): string => {
      if (!NOT_ASCII.test(text)) return text
      if (text.includes('\ufffd') || CONTROL.test(text)) garbled = true
      return Buffer.from(text).toString('latin1')
    }
    const headers = new Map<string, string>()
    req.forEach((name, value) => {
      const before = headers.get(name)
      headers.set(name, before === undefined ? asSent(value) : `${before},${asSent(value)}`)
    })
    const line = { method: req.getCaseSensitiveMethod(), rawPath: asSent(req.getUrl()), rawQuery: asSent(req.getQuery() ?? '') }
    const framing = readFraming(headers)
    if (garbled || !framing.ok) {
      this.refuse(res, framing.ok ? 400 : framing.error)
      return
    }
    const exchange = new UwsExchange(this, res, line, headers, framing.value)
    this.inFlight.begin()
    this.handler(exchange).then(
      (reply) => exchange.answer(reply),
      () => exchange.answer(BROKEN_REPLY),
    )
  }

  /** The body's length is in doubt, so nothing that follows may be read as a request: the answer closes the connection. */
  private refuse(res: UwsResponse, status: number): void {
    const answer = (): void => {
      res.cork(() => res.writeStatus(`${statusLine(status)}\r\nServer: Holdfast`).end(undefined, true))
    }
    // Not corrected the library goes on parsing after an answer that closes; while a request is unanswered it takes no other.
    if (this.corrected) {
      answer()
      return
    }
    let gone = false
    res.onAborted(() => {
      gone = true
    })
    setImmediate(() => {
      if (!gone) answer()
    })
  }

  finished(): void {
    this.inFlight.end()
  }

  stop(graceMs: number): Promise<void> {
    this.stopped ??= this.drain(graceMs)
    return this.stopped
  }

  private async drain(graceMs: number): Promise<void> {
    this.stopping = true
    this.closeListener()
    await this.inFlight.settle(graceMs)
    clearInterval(this.ticker)
    // The last reply may have been written inside a call from the library, which sends it when that returns.
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.app.close()
  }
}
