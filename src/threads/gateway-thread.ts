/**
 * A gateway thread: HTTP in, S3 answered from its own LocalStore, changes sent to the commit thread. It is started while the commit thread still opens the
 * site, so that its code is loaded meanwhile: `serve` follows as a message.
 */
import type { MessagePort } from 'node:worker_threads'
import type { ChosenAdapter, WantedAdapter } from '../http/choose-adapter.ts'
import type { HttpHandler, HttpServer } from '../http/exchange.ts'
import type { HttpServerFault } from '../http/listen.ts'
import type { NodeHttpServer } from '../http/node-server.ts'
import type { TlsFiles } from '../http/tls-files.ts'
import { rootIdentities } from '../iam/identities.ts'
import type { Result } from '../result.ts'
import { createS3Handler } from '../s3/handler.ts'
import { operations } from '../s3/operations/index.ts'
import type { ReaderParts } from '../store/local/reader-parts.ts'
import type { BeginThread, ThreadEnvironment } from './begin-thread.ts'
import { openThreadStore, type ThreadStoreOptions } from './thread-store.ts'

export type GatewayOptions = {
  /** What will probably be chosen: its code is loaded at once. */
  readonly http: WantedAdapter
  readonly host: string
  readonly tls?: TlsFiles
  readonly region: string
  readonly domains: readonly string[]
  readonly root: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly ownerId: string }
}

export type ToGateway =
  | {
      readonly kind: 'serve'
      readonly store: ThreadStoreOptions
      readonly port: number
      readonly sharing: 'first' | 'joins'
      readonly adapter: ChosenAdapter
      readonly connectionsMax: number
    }
  | { readonly kind: 'stop'; readonly graceMs: number }
  | { readonly kind: 'reload-tls' }
export type FromGateway =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly fault: HttpServerFault }
  | { readonly kind: 'stopped' }
  /** `line`: what to log of it, if anything. */
  | { readonly kind: 'tls-reloaded'; readonly line: string | undefined }
  | { readonly kind: 'log'; readonly line: string }

type Server = HttpServer | NodeHttpServer

/** Serves requests until it is told to stop. */
export const begin: BeginThread<GatewayOptions, ToGateway> = async (options, environment, main) => {
  // Loaded here rather than imported above: only the adapter that serves.
  await (options.http === 'node' ? import('../http/node-server.ts') : import('../http/uws-server.ts'))
  return new Gateway(options, environment, main)
}

class Gateway {
  readonly #options: GatewayOptions
  readonly #environment: ThreadEnvironment
  readonly #main: MessagePort
  #opened: ReaderParts | undefined
  #server: Server | undefined

  constructor(options: GatewayOptions, environment: ThreadEnvironment, main: MessagePort) {
    this.#options = options
    this.#environment = environment
    this.#main = main
  }

  async receive(message: ToGateway): Promise<void> {
    switch (message.kind) {
      case 'serve':
        return this.#serve(message)
      case 'reload-tls':
        return this.#send({ kind: 'tls-reloaded', line: this.#reloadTls() })
      case 'stop':
        await this.#server?.stop(message.graceMs)
        await this.#opened?.close()
        return this.#send({ kind: 'stopped' })
    }
  }

  #send(message: FromGateway): void {
    this.#main.postMessage(message)
  }

  async #serve(message: Extract<ToGateway, { kind: 'serve' }>): Promise<void> {
    const started = await this.#startServer(message, await this.#openStore(message.store))
    if (!started.ok) return this.#send({ kind: 'failed', fault: started.error })
    this.#server = started.value
    this.#send({ kind: 'listening', port: started.value.port })
  }

  /** What answers requests from the store. */
  async #openStore(store: ThreadStoreOptions): Promise<HttpHandler> {
    const { clock, random } = this.#environment
    const { region, domains, root } = this.#options
    this.#opened = await openThreadStore(store, clock)
    return createS3Handler({
      store: this.#opened.store,
      operations,
      identities: rootIdentities(root),
      region,
      domains,
      clock,
      random,
      log: ({ requestId, operation, error }) =>
        this.#send({
          kind: 'log',
          line: `${operation} ${requestId}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        }),
    })
  }

  async #startServer(
    { port, sharing, adapter, connectionsMax }: Extract<ToGateway, { kind: 'serve' }>,
    handler: HttpHandler,
  ): Promise<Result<Server, HttpServerFault>> {
    const { host, tls } = this.#options
    const limits = { connectionsMax }
    if (adapter.kind === 'uws') {
      const { startUwsServer } = await import('../http/uws-server.ts')
      return startUwsServer({ host, port, handler, sharing, limits, checked: adapter.library })
    }
    const { startNodeServer } = await import('../http/node-server.ts')
    return startNodeServer({ host, port, handler, sharing, limits, ...(tls === undefined ? {} : { tls }) })
  }

  /** What to log of it, if anything. */
  #reloadTls(): string | undefined {
    const server = this.#server
    if (this.#options.tls === undefined || server === undefined || !('reloadTls' in server)) return undefined
    const reloaded = server.reloadTls()
    return reloaded.ok
      ? 'The certificate was read again.'
      : `The new certificate was not taken, the one before goes on. ${reloaded.error.reason} Then send SIGHUP again.`
  }
}
