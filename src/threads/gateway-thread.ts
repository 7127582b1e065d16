/** A gateway thread: HTTP in, S3 answered from its own LocalStore, changes sent to the commit thread. */
import { parentPort } from 'node:worker_threads'
import type { Clock, Random } from '../environment.ts'
import type { HttpServer } from '../http/exchange.ts'
import type { HttpServerFault } from '../http/listen.ts'
import { type NodeHttpServer, startNodeServer, type TlsFiles } from '../http/node-server.ts'
import { startUwsServer } from '../http/uws-server.ts'
import { rootIdentities } from '../iam/identities.ts'
import type { Result } from '../result.ts'
import { createS3Handler } from '../s3/handler.ts'
import { operations } from '../s3/operations/index.ts'
import { openThreadStore, type ThreadStoreOptions } from './thread-store.ts'

export type GatewayOptions = {
  readonly role: 'gateway'
  readonly store: ThreadStoreOptions
  readonly http: 'uws' | 'node'
  readonly host: string
  readonly port: number
  readonly sharing: 'first' | 'joins'
  readonly tls?: TlsFiles
  readonly region: string
  readonly domains: readonly string[]
  readonly root: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly ownerId: string }
}

export type ToGateway = { readonly kind: 'stop'; readonly graceMs: number } | { readonly kind: 'reload-tls' }
export type FromGateway =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly fault: HttpServerFault }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'log'; readonly line: string }

export async function runGatewayThread(
  options: GatewayOptions,
  environment: { readonly clock: Clock; readonly random: Random },
): Promise<void> {
  const main = parentPort
  if (main === null) throw new Error('a gateway runs in a worker thread')
  const send = (message: FromGateway): void => main.postMessage(message)
  const opened = await openThreadStore(options.store, environment.clock)
  const handler = createS3Handler({
    store: opened.store,
    operations,
    identities: rootIdentities(options.root),
    region: options.region,
    domains: options.domains,
    clock: environment.clock,
    random: environment.random,
    log: ({ requestId, operation, error }) =>
      send({ kind: 'log', line: `${operation} ${requestId}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}` }),
  })
  const shared = { host: options.host, port: options.port, handler, sharing: options.sharing }
  const started: Result<HttpServer | NodeHttpServer, HttpServerFault> =
    options.http === 'uws'
      ? await startUwsServer(shared)
      : await startNodeServer({ ...shared, ...(options.tls === undefined ? {} : { tls: options.tls }) })
  if (!started.ok) {
    send({ kind: 'failed', fault: started.error })
    return
  }
  const server = started.value
  send({ kind: 'listening', port: server.port })
  main.on('message', (message: ToGateway) => {
    if (message.kind === 'reload-tls') {
      const reloaded = 'reloadTls' in server ? server.reloadTls() : undefined
      if (reloaded?.ok === false) send({ kind: 'log', line: `The certificate was not taken: ${JSON.stringify(reloaded.error)}` })
      return
    }
    void server
      .stop(message.graceMs)
      .then(() => opened.close())
      .then(() => send({ kind: 'stopped' }))
  })
}
