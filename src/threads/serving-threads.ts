/** The worker threads of a served site, as the main thread sees them: started in order, stopped in the opposite one. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { SiteControl } from '../admin/control.ts'
import type { PoolView } from '../disks/pool-view.ts'
import type { Clock } from '../environment.ts'
import type { HttpServerFault } from '../http/listen.ts'
import { loadUws } from '../http/uws-load.ts'
import { fail, ok, type Result } from '../result.ts'
import type { Store } from '../store/store.ts'
import type { CommitOptions, FromCommit, OpenedSite, ToCommit } from './commit-thread.ts'
import { ControlPort } from './control-port.ts'
import type { FromGateway, GatewayOptions, ToGateway } from './gateway-thread.ts'
import { openThreadStore } from './thread-store.ts'

export type GatewaysRequest = Omit<GatewayOptions, 'role' | 'store' | 'sharing'> & { readonly count: number }
type ServedStore = { readonly store: Store; readonly control: SiteControl; readonly name: string; readonly view: PoolView }

/** The commit thread is 0, the main thread's store 1, gateways follow. */
const MAIN_THREAD = 1
const FIRST_GATEWAY = 2

export class ServingThreads {
  /** Resolves with a sentence if a thread ends by itself: nothing can go on then. */
  readonly ended: Promise<string>
  readonly #threadFile: URL
  readonly #log: (line: string) => void
  readonly #clock: Clock
  readonly #workers: Worker[] = []
  readonly #gateways: Worker[] = []
  #commit: Worker | undefined
  #closeStore: (() => Promise<void>) | undefined
  #opened: { readonly siteDirectory: string; readonly site: OpenedSite } | undefined
  #stopping = false
  #tellEnded: (sentence: string) => void = () => undefined

  constructor(threadFile: URL, log: (line: string) => void, clock: Clock) {
    this.#threadFile = threadFile
    this.#log = log
    this.#clock = clock
    this.ended = new Promise((resolve) => {
      this.#tellEnded = resolve
    })
  }

  /** Starts the commit thread, which opens the site. The error is a sentence. */
  async openSite(siteDirectory: string, acceptOlder: boolean): Promise<Result<ServedStore, string>> {
    const data: CommitOptions = { role: 'commit', siteDirectory, acceptOlder }
    const commit = this.#start(data)
    this.#commit = commit
    const opened = await this.#answer<FromCommit, Result<OpenedSite, string>>(commit, (message) =>
      message.kind === 'ready' ? ok(message) : message.kind === 'refused' ? fail(message.sentence) : undefined,
    )
    if (!opened.ok) return opened
    const { name, view } = opened.value
    this.#opened = { siteDirectory, site: opened.value }
    const parts = await openThreadStore(
      { siteDirectory, thread: MAIN_THREAD, opened: opened.value, commitsPort: this.#attach('commits'), feedPort: this.#attach('feed') },
      this.#clock,
    )
    this.#closeStore = () => parts.close()
    return ok({ store: parts.store, control: new ControlPort(this.#attach('control')), name, view })
  }

  /** Starts the gateways; the first one takes the port, the others join it. Answers the port. */
  async startGateways({ count, ...request }: GatewaysRequest): Promise<Result<number, HttpServerFault>> {
    // The library takes its limits from the environment of the process, which only this thread can change.
    const loaded = request.http === 'uws' ? loadUws() : undefined
    if (loaded?.ok === false) return loaded
    const first = await this.#startGateway(0, { ...request, sharing: 'first' })
    if (!first.ok) return first
    const others = Array.from({ length: count - 1 }, (_, index) =>
      this.#startGateway(index + 1, { ...request, port: first.value, sharing: 'joins' }),
    )
    const failed = (await Promise.all(others)).find((started) => !started.ok)
    return failed ?? first
  }

  reloadTls(): void {
    for (const gateway of this.#gateways) gateway.postMessage({ kind: 'reload-tls' } satisfies ToGateway)
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
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #startGateway(index: number, options: Omit<GatewayOptions, 'role' | 'store'>): Promise<Result<number, HttpServerFault>> {
    if (this.#opened === undefined) throw new Error('gateways start after the site was opened')
    const { siteDirectory, site } = this.#opened
    const commitsPort = this.#attach('commits')
    const data: GatewayOptions = {
      role: 'gateway',
      ...options,
      store: { siteDirectory, thread: FIRST_GATEWAY + index, opened: site, commitsPort },
    }
    const gateway = this.#start(data, [commitsPort])
    this.#gateways.push(gateway)
    return this.#answer<FromGateway, Result<number, HttpServerFault>>(gateway, (message) =>
      message.kind === 'listening' ? ok(message.port) : message.kind === 'failed' ? fail(message.fault) : undefined,
    )
  }

  #start(data: CommitOptions | GatewayOptions, transfer: MessagePort[] = []): Worker {
    const worker = new Worker(this.#threadFile, { workerData: data, transferList: transfer, name: `holdfast-${data.role}` })
    this.#workers.push(worker)
    const ended = (why: string): void => {
      if (!this.#stopping) this.#tellEnded(`The ${data.role} thread ended (${why}); the server can't go on. Start it again.`)
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
