/** The worker threads of a served site, as the main thread sees them: started in order, stopped in the opposite one. */
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import type { SiteControl } from '../admin/control.ts'
import type { PoolView } from '../disks/pool-view.ts'
import type { Clock } from '../environment.ts'
import { type ChosenAdapter, chooseAdapter, namedAdapter, type ServingAdapter } from '../http/choose-adapter.ts'
import { connectionsPerGateway } from '../http/connections.ts'
import type { HttpServerFault } from '../http/listen.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Store } from '../store/store.ts'
import { endThread, type ThreadRole } from './begin-thread.ts'
import type { CommitOptions, FromCommit, OpenedSite, ToCommit } from './commit-thread.ts'
import { ControlPort } from './control-port.ts'
import type { FromGateway, GatewayOptions, ToGateway } from './gateway-thread.ts'
import type { ThreadStoreOptions } from './thread-store.ts'

export type ServingRequest = {
  readonly siteDirectory: string
  readonly acceptOlder: boolean
  readonly port: number
  readonly gateways: GatewayOptions
  readonly gatewayCount: number
}
export type ServedSite = {
  readonly port: number
  readonly adapter: ServingAdapter
  readonly control: SiteControl
  readonly name: string
  readonly view: PoolView
}
export type ServingFault = { readonly kind: 'refused'; readonly sentence: string } | HttpServerFault

/** What all gateways are told alike. */
type Chosen = { readonly adapter: ChosenAdapter; readonly connectionsMax: number }

/** The commit thread is 0, the main thread's store 1, gateways follow. */
const MAIN_THREAD = 1
const FIRST_GATEWAY = 2

export class ServingThreads {
  /** Resolves with a sentence if a thread ends by itself: nothing can go on then. */
  readonly ended: Promise<string>
  readonly #startThread: (role: ThreadRole) => Worker
  readonly #log: (line: string) => void
  readonly #clock: Clock
  readonly #workers: Worker[] = []
  readonly #gateways: Worker[] = []
  #commit: Worker | undefined
  #closeStore: (() => Promise<void>) | undefined
  #opened: { readonly siteDirectory: string; readonly site: OpenedSite } | undefined
  #stopping = false
  #reloading: Promise<void> = Promise.resolve()
  #tellEnded: (sentence: string) => void = () => undefined

  constructor(startThread: (role: ThreadRole) => Worker, log: (line: string) => void, clock: Clock) {
    this.#startThread = startThread
    this.#log = log
    this.#clock = clock
    this.ended = new Promise((resolve) => {
      this.#tellEnded = resolve
    })
  }

  /**
   * Starts everything; when it resolves, requests are answered. The first gateway loads its code while the commit thread opens the site, and takes the
   * port; the others join it after that, since their loading would only delay the first answer.
   */
  async start({ siteDirectory, acceptOlder, port, gateways, gatewayCount }: ServingRequest): Promise<Result<ServedSite, ServingFault>> {
    const commit = this.#start('commit', { siteDirectory, acceptOlder } satisfies CommitOptions)
    this.#commit = commit
    const opening = this.#answer<FromCommit, Result<OpenedSite, string>>(commit, (message) =>
      message.kind === 'ready' ? ok(message) : message.kind === 'refused' ? fail(message.sentence) : undefined,
    )
    const first = this.#startGateway(gateways)
    // The library takes its limits from the environment of the process, which only this thread can change.
    const adapter = chooseAdapter(gateways.http)
    const opened = await opening
    if (!opened.ok) return fail({ kind: 'refused', sentence: opened.error })
    if (!adapter.ok) return adapter
    this.#opened = { siteDirectory, site: opened.value }
    const { warning } = adapter.value
    if (warning !== undefined) this.#log(warning)
    const chosen = { adapter: withoutNative(adapter.value), connectionsMax: connectionsPerGateway(gatewayCount) }
    const listening = await this.#serve(first, { thread: FIRST_GATEWAY, port, sharing: 'first' }, chosen)
    if (!listening.ok) return listening
    for (let index = 1; index < gatewayCount; index++) void this.#join(gateways, index, listening.value, chosen)
    const { name, view } = opened.value
    return ok({
      port: listening.value,
      adapter: namedAdapter(adapter.value),
      control: new ControlPort(this.#attach('control')),
      name,
      view,
    })
  }

  /** A store of this thread, for commands. Call it once, after `start`. */
  async openStore(): Promise<Store> {
    const { openThreadStore } = await import('./thread-store.ts')
    const parts = await openThreadStore({ ...this.#storeOptions(MAIN_THREAD), feedPort: this.#attach('feed') }, this.#clock)
    this.#closeStore = () => parts.close()
    return parts.store
  }

  #startGateway(options: GatewayOptions): Worker {
    const gateway = this.#start('gateway', options)
    this.#gateways.push(gateway)
    return gateway
  }

  /** One more gateway on the port that is taken. Without it the server can't go on: half of the connections would find nobody. */
  async #join(options: GatewayOptions, index: number, port: number, chosen: Chosen): Promise<void> {
    const gateway = this.#startGateway(options)
    try {
      const joined = await this.#serve(gateway, { thread: FIRST_GATEWAY + index, port, sharing: 'joins' }, chosen)
      if (!joined.ok) this.#tellEnded(`A gateway thread could not share port ${port} (${joined.error.kind}). Start the server again.`)
    } catch {
      // A thread ended meanwhile, and `ended` tells of it.
    }
  }

  #serve(
    gateway: Worker,
    { thread, port, sharing }: { readonly thread: number; readonly port: number; readonly sharing: 'first' | 'joins' },
    chosen: Chosen,
  ): Promise<Result<number, HttpServerFault>> {
    const answer = this.#answer<FromGateway, Result<number, HttpServerFault>>(gateway, (message) =>
      message.kind === 'listening' ? ok(message.port) : message.kind === 'failed' ? fail(message.fault) : undefined,
    )
    const store = this.#storeOptions(thread)
    gateway.postMessage({ kind: 'serve', store, port, sharing, ...chosen } satisfies ToGateway, [store.commitsPort])
    return answer
  }

  #storeOptions(thread: number): ThreadStoreOptions {
    if (this.#opened === undefined) throw new Error('stores open after the site')
    const { siteDirectory, site } = this.#opened
    return { siteDirectory, thread, opened: site, commitsPort: this.#attach('commits') }
  }

  /** Logs once what all gateways say of it: more often only where they differ. */
  reloadTls(): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reloadTls())
    return this.#reloading
  }

  async #reloadTls(): Promise<void> {
    const reloaded = this.#gateways.map((gateway) =>
      this.#answer<FromGateway, readonly string[]>(gateway, (message) =>
        message.kind === 'tls-reloaded' ? (message.line === undefined ? [] : [message.line]) : undefined,
      ),
    )
    for (const gateway of this.#gateways) gateway.postMessage({ kind: 'reload-tls' } satisfies ToGateway)
    try {
      for (const line of new Set((await Promise.all(reloaded)).flat())) this.#log(line)
    } catch {
      // A thread ended meanwhile, and `ended` tells of it.
    }
  }

  /** Lets requests finish, then the commit thread, which leaves the site clean. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    const stopped = this.#gateways.map((gateway) =>
      this.#answer<FromGateway, true>(gateway, (message) => (message.kind === 'stopped' ? true : undefined)),
    )
    for (const gateway of this.#gateways) gateway.postMessage({ kind: 'stop', graceMs } satisfies ToGateway)
    await Promise.all(stopped)
    await this.#closeStore?.()
    const commit = this.#commit
    if (commit === undefined) return
    const ended = this.#answer<FromCommit, true>(commit, (message) => (message.kind === 'stopped' ? true : undefined))
    commit.postMessage({ kind: 'stop' } satisfies ToCommit)
    await ended
  }

  async terminate(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#workers.map((worker) => endThread(worker, this.#clock)))
  }

  #start(role: ThreadRole, options: CommitOptions | GatewayOptions): Worker {
    const worker = this.#startThread(role)
    this.#workers.push(worker)
    worker.postMessage(options)
    const ended = (why: string): void => {
      if (!this.#stopping) this.#tellEnded(`The ${role} thread ended (${why}); the server can't go on. Start it again.`)
    }
    worker.on('error', (error: unknown) => ended(error instanceof Error ? (error.stack ?? error.message) : String(error)))
    worker.on('exit', (code) => ended(`code ${code}`))
    worker.on('message', (message: FromCommit | FromGateway) => {
      if (message.kind === 'log') this.#log(message.line)
    })
    return worker
  }

  /** One end of a new channel whose other end the commit thread serves. */
  #attach(what: Extract<ToCommit, { kind: 'attach' }>['what']): MessagePort {
    const { port1, port2 } = new MessageChannel()
    this.#commit?.postMessage({ kind: 'attach', what, port: port2 } satisfies ToCommit, [port2])
    return port1
  }

  /** The first message that `pick` makes something of. Rejects if a thread ends before. */
  #answer<Message, T>(worker: Worker, pick: (message: Message) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const listen = (message: Message): void => {
        const picked = pick(message)
        if (picked === undefined) return
        worker.off('message', listen)
        resolve(picked)
      }
      worker.on('message', listen)
      void this.ended.then((sentence) => reject(new Error(sentence)))
    })
  }
}

/** What is loaded here cannot travel to another thread, the knowledge where it lies can. */
function withoutNative(adapter: ChosenAdapter): ChosenAdapter {
  if (adapter.kind === 'node') return adapter
  const { path, corrected } = adapter.library
  return { ...adapter, library: { path, corrected } }
}
