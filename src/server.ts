/** Builds everything once and passes it down: a site that is made, one that threads serve, or one that a single command opens. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { AdminCommand, AdminSite, CommandFailure } from './admin/command.ts'
import type { SiteControl } from './admin/control.ts'
import { freeBytes } from './admin/free-bytes.ts'
import { IdentityKeeper } from './admin/identity-keeper.ts'
import { EXPORTS_DIRECTORY, IDENTITY_FILE, KEYS_DIRECTORY } from './admin/site-files.ts'
import { readSiteIdentity, saveSiteIdentity } from './admin/site-identity.ts'
import { canonicalId, type RootKeys, readRootKeys, saveRootKeys } from './admin/site-keys.ts'
import { holderOfSite, lockSite, type SiteLock } from './admin/site-lock.ts'
import { lookForSite, type SiteLack } from './admin/site-look.ts'
import { whyNotOwner } from './admin/site-owner.ts'
import { createIdentity, fingerprint, type PrivateIdentity } from './bundles/identity.ts'
import type { Clock, Random } from './environment.ts'
import type { FederationSite } from './federation/site.ts'
import type { ServingAdapter, WantedAdapter } from './http/choose-adapter.ts'
import type { TlsFiles } from './http/node-server.ts'
import { fail, ok, type Result } from './result.ts'
import { decodeSite, SITE_FILE } from './store/local/site-file.ts'
import type { Store } from './store/store.ts'
import { describeSystemFailure } from './system-failure.ts'
import type { ThreadRole } from './threads/begin-thread.ts'
import type { ServingFault } from './threads/serving-threads.ts'

/** What a process brings: time, chance, and its worker threads. */
export type ProcessEnvironment = { readonly clock: Clock; readonly random: Random; readonly startThread: (role: ThreadRole) => Worker }

/** Requests in flight may take so long once the server is told to stop. */
const STOP_GRACE_MS = 7500

/** Whether there is a site in a directory, or what is there instead. */
export const lookAt = (directory: string): Result<void, SiteLack> => lookForSite(directory, SITE_FILE)

export type InitRequest = {
  readonly site: string
  readonly disks: readonly string[]
  readonly parity: number
  readonly name: string
  readonly keys: RootKeys
}

/** Makes a site, or leaves everything as it was. The error is a sentence. */
export async function initSiteDirectory(
  request: InitRequest,
  { clock, random }: Pick<ProcessEnvironment, 'clock' | 'random'>,
): Promise<Result<{ readonly siteId: string; readonly fingerprint: string }, string>> {
  const identity = createIdentity(random, clock.nowMs())
  const keys = join(request.site, KEYS_DIRECTORY)
  if (existsSync(keys)) return fail(`${keys} is there already: make the site in an empty directory.`)
  let keptKeys = false
  const { siteId } = identity.publicIdentity
  const { initSite } = await import('./store/local/init-site.ts')
  const made = await initSite({
    siteDirectory: request.site,
    diskDirectories: request.disks,
    parity: request.parity,
    name: request.name,
    site: siteId,
    clock,
    random,
    keep: {
      act() {
        try {
          mkdirSync(keys, { mode: 0o700 })
          keptKeys = true
          saveRootKeys(request.site, request.keys)
          saveSiteIdentity(request.site, identity)
          return ok(undefined)
        } catch (error) {
          return fail(describeSystemFailure(request.site, 'written', error))
        }
      },
      undo() {
        if (keptKeys) rmSync(keys, { recursive: true, force: true })
      },
    },
  })
  return made.ok ? ok({ siteId, fingerprint: fingerprint(identity.publicIdentity) }) : fail(made.error.sentence)
}

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
  const { ServingThreads } = await import('./threads/serving-threads.ts')
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
    if (view.readOnly !== undefined) request.log(view.readOnly)
    const host = request.host.includes(':') ? `[${request.host}]` : request.host
    const endpoint = `${request.tls === undefined ? 'http' : 'https'}://${host}:${port}`
    const site = threads
      .openStore()
      .then((store) => adminSite({ directory: request.site, name, endpoint, store, control, identity, keys }, environment))
    const { serveAdminSocket } = await import('./admin/socket-server.ts')
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
      const { renewKeys } = await import('./federation/key-schedule.ts')
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

function describeServingFault(fault: ServingFault, { host, port, tls }: ServeRequest): string {
  switch (fault.kind) {
    case 'refused':
      return fault.sentence
    case 'port-taken':
      return `Port ${port} of ${host} is taken by another program: stop that one, or choose another port with --listen (npm start: HOLDFAST_LISTEN).`
    case 'port-forbidden':
      return `Port ${port} of ${host} may not be used by this user: choose one from 1024 on.`
    case 'address-unavailable':
      return `${host} is no address of this machine (${fault.reason}): choose another with --listen.`
    case 'bad-certificate':
      return `${tls?.certFile} and ${tls?.keyFile} can't be used (${fault.reason}): name the certificate chain with --tls-cert and its private key with --tls-key, both PEM.`
    case 'uws-unavailable':
      return `The fast HTTP adapter does not run on this machine (${fault.reason}): serve with --http node.`
  }
}

export type OfflineSite = { readonly site: AdminSite; readonly commands: ReadonlyMap<string, AdminCommand>; close(): Promise<void> }

/** Opens a site that nobody serves, in this process, for one command. */
export async function openSiteOffline(directory: string, environment: ProcessEnvironment): Promise<Result<OfflineSite, CommandFailure>> {
  const entered = await enterSite(directory, environment.clock)
  if (!entered.ok) return entered
  const { lock, keys, identity } = entered.value
  const { openLocalSite } = await import('./store/local/open-site.ts')
  const { engineControl } = await import('./threads/engine-control.ts')
  const opened = await openLocalSite({ siteDirectory: directory, clock: environment.clock, random: environment.random })
  if (!opened.ok) {
    await lock.release()
    return fail({ exit: 5, sentence: opened.error.sentence })
  }
  const { engine, name } = opened.value
  const control = engineControl(opened.value, environment.clock)
  return ok({
    site: adminSite({ directory, name, store: engine.store, control, identity, keys }, environment),
    commands: await adminCommands(),
    async close() {
      await opened.value.close()
      await lock.release()
    },
  })
}

const adminCommands = async (): Promise<ReadonlyMap<string, AdminCommand>> => (await import('./admin/commands/index.ts')).ADMIN_COMMANDS

type Entered = { readonly lock: SiteLock; readonly keys: RootKeys; readonly identity: PrivateIdentity }

/** Locks a site for this process and reads its keys. */
async function enterSite(directory: string, clock: Clock): Promise<Result<Entered, CommandFailure>> {
  const looked = lookAt(directory)
  if (!looked.ok) return fail({ exit: looked.error.kind === 'no-directory' ? 2 : 5, sentence: looked.error.sentence })
  const stranger = whyNotOwner(directory, SITE_FILE, process.getuid?.())
  if (stranger !== undefined) return fail({ exit: 5, sentence: stranger })
  const keys = readRootKeys(directory)
  if (!keys.ok) return fail({ exit: 5, sentence: keys.error })
  const identity = readSiteIdentity(directory)
  if (!identity.ok) return fail({ exit: 5, sentence: identity.error })
  const mistaken = whyNotItsIdentity(directory, identity.value)
  if (mistaken !== undefined) return fail({ exit: 5, sentence: mistaken })
  const lock = await lockSite(directory)
  if (lock === undefined) {
    const served = await describeServed(directory, clock)
    if (served !== undefined) return fail({ exit: 5, sentence: served })
    const holder = holderOfSite(directory)
    return fail({
      exit: 5,
      sentence: `${directory} is open in another process${holder === undefined ? '' : `, ${holder},`} that does not answer its admin socket (is it starting, or stopping?): try again.`,
    })
  }
  return ok({ lock, keys: keys.value, identity: identity.value })
}

/** Keys that were copied back may be those of another site: what it signed with them, its peers would take for that one's. */
function whyNotItsIdentity(directory: string, { publicIdentity: { siteId } }: PrivateIdentity): string | undefined {
  const site = attempt(() => decodeSite(readFileSync(join(directory, SITE_FILE))))
  // What is wrong with the file itself is said by whoever opens the site.
  if (site?.ok !== true || site.value.site === siteId) return undefined
  return `${join(directory, IDENTITY_FILE)} is the identity of another site, ${siteId}; this one is ${site.value.site}: copy its own keys folder back from where you keep it.`
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch {
    return undefined
  }
}

/** So long a process that has a site open may take to say where it serves it. */
const ANSWER_MS_MAX = 5000

/** Undefined if nobody answers in time: the other process is starting or stopping, or runs one command. */
async function describeServed(directory: string, clock: Clock): Promise<string | undefined> {
  const { askSite } = await import('./admin/socket-client.ts')
  const late = new Promise<Result<never, 'not-served'>>((resolve) => clock.timer(ANSWER_MS_MAX, () => resolve(fail('not-served'))))
  const asked = await Promise.race([askSite(directory, 'site/serving', {}, () => undefined, { clock }), late])
  if (!asked.ok && asked.error === 'not-served') return undefined
  // An older release does not know the command: it serves all the same.
  const { endpoint, pid } = (asked.ok ? asked.value : {}) as { readonly endpoint?: unknown; readonly pid?: unknown }
  const where = typeof endpoint === 'string' && typeof pid === 'number' ? `, at ${endpoint} by process ${pid}` : ''
  return `${directory} is being served already${where}: use that one, or stop it first.`
}

function adminSite(
  parts: {
    readonly endpoint?: string
    readonly directory: string
    readonly name: string
    readonly store: Store
    readonly control: SiteControl
    readonly identity: PrivateIdentity
    readonly keys: RootKeys
  },
  { clock, random }: ProcessEnvironment,
): AdminSite {
  const { directory, name, endpoint, store, control, identity, keys } = parts
  const ownerId = canonicalId(keys.accessKeyId)
  const keeper = new IdentityKeeper(directory, identity)
  const federation = {
    store,
    get identity() {
      return keeper.identity
    },
    keepIdentity: (next: PrivateIdentity) => keeper.keep(next),
    ownerId,
    stateDirectory: join(directory, EXPORTS_DIRECTORY),
    clock,
    random,
    underWay: new Set<string>(),
    freeBytes: async () => freeBytes((await control.status()).pool),
  }
  return { directory, name, endpoint, store, control, federation, clock, random }
}
