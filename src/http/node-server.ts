import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { fail, ok, type Result } from '../result.ts'
import type { HttpHandler, HttpServer } from './exchange.ts'
import { readFraming } from './framing.ts'
import { InFlight } from './in-flight.ts'
import { DEFAULT_LIMITS, HEADER_BYTES_MAX, type HttpLimits } from './limits.ts'
import { type HttpServerFault, listenFaultOf, probePort } from './listen.ts'
import { NodeExchange, type NodeHost, TICK_MS } from './node-exchange.ts'
import { NodeTurns } from './node-turns.ts'
import { BROKEN_REPLY, statusLine } from './reply-head.ts'
import { readTlsFiles, type TlsFiles, type TlsPair } from './tls-files.ts'

// As in reply-head.ts.
const { createServer } = process.getBuiltinModule('node:http')
const { createServer: createSecureServer } = process.getBuiltinModule('node:https')

export type NodeServerOptions = {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly handler: HttpHandler
  readonly tls?: TlsFiles
  /** As for startUwsServer. */
  readonly sharing?: 'alone' | 'first' | 'joins'
  readonly limits?: Partial<HttpLimits>
}

export interface NodeHttpServer extends HttpServer {
  /** Reads certificate and key again, for connections to come. If they cannot be used, those in use stay. */
  reloadTls(): Result<undefined, HttpServerFault>
}

/**
 * Post-quantum hybrid first, so that what is recorded today cannot be read by a quantum computer later; then what today's clients speak.
 * Source: draft-ietf-tls-ecdhe-mlkem.
 */
const TLS_GROUPS = 'X25519MLKEM768:X25519:P-256:P-384'

/** HTTP/1.1 on node:http, or with `tls` on node:https. */
export async function startNodeServer(options: NodeServerOptions): Promise<Result<NodeHttpServer, HttpServerFault>> {
  const sharing = options.sharing ?? 'alone'
  let { port } = options
  if (sharing === 'first') {
    const free = await probePort(options.host, port)
    if (!free.ok) return free
    port = free.value
  }
  const pair = options.tls === undefined ? undefined : readPair(options.tls)
  if (pair !== undefined && !pair.ok) return pair
  return new NodeServer(options, pair?.value).listen(options.host, port, sharing !== 'alone')
}

function readPair(files: TlsFiles): Result<TlsPair, HttpServerFault> {
  const pair = readTlsFiles(files)
  return pair.ok ? pair : fail({ kind: 'bad-certificate', reason: pair.error })
}

class NodeServer implements NodeHttpServer, NodeHost {
  readonly limits: HttpLimits
  readonly secure: boolean
  port = 0
  stopping = false
  private readonly server: Server | SecureServer
  private readonly handler: HttpHandler
  private readonly tls: TlsFiles | undefined
  private readonly turns = new NodeTurns()
  private readonly inFlight = new InFlight()
  readonly receiving = new Set<NodeExchange>()
  private readonly ticker: NodeJS.Timeout
  private stopped: Promise<void> | undefined

  constructor(options: NodeServerOptions, pair: TlsPair | undefined) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.handler = options.handler
    this.tls = options.tls
    this.secure = pair !== undefined
    const settings: ServerOptions = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: this.limits.headersMs,
      keepAliveTimeout: this.limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(2_000, this.limits.headersMs),
      // An upload may take days; one that goes silent is seen by its exchange.
      requestTimeout: 0,
      insecureHTTPParser: false,
      noDelay: true,
    }
    this.server =
      pair === undefined
        ? createServer(settings)
        : createSecureServer({
            ...settings,
            ...pair,
            minVersion: 'TLSv1.2',
            ecdhCurve: TLS_GROUPS,
            handshakeTimeout: this.limits.headersMs,
          })
    const receive = (request: IncomingMessage, response: ServerResponse): void => {
      this.turns.take(request, () => this.serve(request, response))
    }
    this.server.maxConnections = this.limits.connectionsMax
    this.server.on('request', receive)
    this.server.on('checkContinue', receive)
    this.server.on('checkExpectation', receive)
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      this.turns.breakOff(socket, () => refuseUnparsed(error, socket))
    })
    this.ticker = setInterval(() => {
      for (const exchange of [...this.receiving]) exchange.tick()
    }, TICK_MS)
    this.ticker.unref()
    this.server.on('timeout', (socket: Socket) => socket.destroy())
  }

  listen(host: string, port: number, reusePort: boolean): Promise<Result<NodeHttpServer, HttpServerFault>> {
    return new Promise((resolve) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => resolve(fail(listenFaultOf(error))))
      this.server.listen({ host, port, reusePort }, () => {
        const address = this.server.address()
        if (address !== null && typeof address === 'object') this.port = address.port
        resolve(ok(this))
      })
    })
  }

  reloadTls(): Result<undefined, HttpServerFault> {
    if (this.tls === undefined || !('setSecureContext' in this.server)) return ok(undefined)
    const pair = readPair(this.tls)
    if (!pair.ok) return pair
    this.server.setSecureContext({ ...pair.value, minVersion: 'TLSv1.2', ecdhCurve: TLS_GROUPS })
    return ok(undefined)
  }

  /** True if another request may follow on the connection. */
  private async serve(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const headers = joinHeaders(request.rawHeaders)
    const framing = readFraming(headers)
    const target = request.url ?? ''
    if (!framing.ok || !target.startsWith('/') || request.httpVersionMajor !== 1) {
      response.shouldKeepAlive = false
      response.writeHead(framing.ok ? 400 : framing.error, ['Server', 'Holdfast', 'Content-Length', '0'])
      response.end()
      return false
    }
    this.inFlight.begin()
    const exchange = new NodeExchange(this, request, response, headers, framing.value)
    const reply = await this.handler(exchange).catch(() => BROKEN_REPLY)
    await exchange.answer(reply)
    this.inFlight.end()
    return response.shouldKeepAlive
  }

  stop(graceMs: number): Promise<void> {
    this.stopped ??= this.drain(graceMs)
    return this.stopped
  }

  private async drain(graceMs: number): Promise<void> {
    this.stopping = true
    const closed = new Promise<void>((resolve) => {
      this.server.close(() => resolve())
    })
    await this.inFlight.settle(graceMs)
    clearInterval(this.ticker)
    this.server.closeAllConnections()
    await closed
  }
}

function joinHeaders(raw: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? '').toLowerCase()
    const value = raw[index + 1] ?? ''
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before},${value}`)
  }
  return headers
}

/** Bytes that are no request. Source: node:http, event 'clientError'; RFC 6585, section 5 (431). */
function refuseUnparsed(error: NodeJS.ErrnoException, socket: Socket): void {
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  if (socket.writable) socket.end(`HTTP/1.1 ${statusLine(status)}\r\nServer: Holdfast\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  socket.destroySoon()
}
