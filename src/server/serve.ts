/** A site served by threads, from its lock to its last request. */
import type { CommandFailure } from '../admin/command.ts'
import { canonicalId } from '../admin/site-keys.ts'
import { announceReadOnly } from '../disks/read-only.ts'
import type { FederationSite } from '../federation/site.ts'
import type { ServingAdapter, WantedAdapter } from '../http/choose-adapter.ts'
import type { TlsFiles } from '../http/tls-files.ts'
import { fail, ok, type Result } from '../result.ts'
import type { ServingFault } from '../threads/serving-threads.ts'
import { adminCommands, adminSite, type ProcessEnvironment } from './admin-site.ts'
import { enterSite } from './enter-site.ts'

/** Requests in flight may take so long once the server is told to stop. */
const STOP_GRACE_MS = 7500

export type ServeRequest = {
  readonly site: string
  readonly host: string
  readonly port: number
  readonly http: WantedAdapter
  readonly threads: number
  readonly region: string
  readonly domains: readonly string[]
  readonly tls?: TlsFiles
  readonly acceptOlder: boolean
  /** Called once requests are answered. */
  readonly announce: (endpoint: string, adapter: ServingAdapter) => void
  readonly log: (line: string) => void
}

/** Serves until SIGTERM or SIGINT; resolves when all has ended. */
export async function serve(request: ServeRequest, environment: ProcessEnvironment): Promise<Result<void, CommandFailure>> {
  const entered = await enterSite(request.site, environment.clock)
  if (!entered.ok) return entered
  const { lock, keys, identity } = entered.value
  // Loaded when needed, here and below: no command waits for the code of another.
  const { ServingThreads } = await import('../threads/serving-threads.ts')
  const threads = new ServingThreads(environment.startThread, request.log, environment.clock)
  const stopping = stopSignal(threads)
  try {
    const started = await threads.start({
      siteDirectory: request.site,
      acceptOlder: request.acceptOlder,
      port: request.port,
      gateways: {
        http: request.http,
        host: request.host,
        region: request.region,
        domains: request.domains,
        root: { ...keys, ownerId: canonicalId(keys.accessKeyId) },
        ...(request.tls === undefined ? {} : { tls: request.tls }),
      },
      gatewayCount: request.threads,
    })
    if (!started.ok) return fail({ exit: 5, sentence: describeServingFault(started.error, request) })
    const { port, adapter, control, name, view } = started.value
    if (view.readOnly !== undefined) request.log(announceReadOnly(view.readOnly))
    const host = request.host.includes(':') ? `[${request.host}]` : request.host
    const endpoint = `${request.tls === undefined ? 'http' : 'https'}://${host}:${port}`
    const site = threads
      .openStore()
      .then((store) => adminSite({ directory: request.site, name, endpoint, store, control, identity, keys }, environment))
    const { serveAdminSocket } = await import('../admin/socket-server.ts')
    const admin = await serveAdminSocket(request.site, site, await adminCommands(), environment.clock)
    request.announce(endpoint, adapter)
    const leaveKeys = keepKeysFresh((await site).federation, request.log)
    const reason = await stopping
    leaveKeys()
    await admin.stop()
    if (reason.kind === 'thread-ended') return fail({ exit: 1, sentence: reason.sentence })
    await threads.stop(STOP_GRACE_MS)
    return ok(undefined)
  } finally {
    await threads.terminate()
    await lock.release()
  }
}

const KEYS_LOOK_PERIOD_MS = 6 * 60 * 60 * 1000

/** Encryption keys are made and destroyed when they are due, also where nothing is exchanged. A read-only site or a full disk is tried again later. */
function keepKeysFresh(federation: FederationSite, log: (line: string) => void): () => void {
  let stop: () => void
  const look = async (): Promise<void> => {
    try {
      const { renewKeys } = await import('../federation/key-schedule.ts')
      await renewKeys(federation)
    } catch (error) {
      log(`The encryption keys could not be renewed (${error instanceof Error ? error.message : String(error)}): it is tried again.`)
    }
    stop = federation.clock.timer(KEYS_LOOK_PERIOD_MS, () => void look())
  }
  stop = federation.clock.timer(KEYS_FIRST_LOOK_MS, () => void look())
  return () => stop()
}

/** Not at once: a start has other things to do. */
const KEYS_FIRST_LOOK_MS = 60 * 1000

type StopReason = { readonly kind: 'signal' } | { readonly kind: 'thread-ended'; readonly sentence: string }

function stopSignal(threads: { readonly ended: Promise<string>; reloadTls(): Promise<void> }): Promise<StopReason> {
  return new Promise((resolve) => {
    // A second one changes nothing: Ctrl-C reaches the server from the terminal and again from the command that started it, and the end is near anyway.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve({ kind: 'signal' }))
    process.on('SIGHUP', () => void threads.reloadTls())
    void threads.ended.then((sentence) => resolve({ kind: 'thread-ended', sentence }))
  })
}

function describeServingFault(fault: ServingFault, { host, port }: ServeRequest): string {
  switch (fault.kind) {
    case 'refused':
      return fault.sentence
    case 'port-taken':
      return `Port ${port} of ${host} is taken by another program: stop that one, or choose another port with --listen (npm start: HOLDFAST_LISTEN).`
    case 'port-forbidden':
      return `Port ${port} of ${host} may not be used by this user: choose one from 1024 on.`
    case 'name-unknown':
      return `The name ${host} leads to no address from this machine: choose an address of it with --listen.`
    case 'address-unavailable':
      return `${host} is no address of this machine: choose another with --listen, or 0.0.0.0 for all of them.`
    case 'bad-certificate':
      return fault.reason
    case 'uws-unavailable':
      return `The fast HTTP adapter does not run on this machine (${fault.reason}): serve with --http node.`
  }
}
