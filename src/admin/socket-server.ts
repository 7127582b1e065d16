/**
 * The admin socket: HTTP/1.1 over SITE/admin.sock, which only the owner of the site may open (0600). A request is
 * `POST /v1/COMMAND` with a JSON body; the reply is JSON Lines: {"alive":true} once the request is understood and every two seconds from then on, any number of
 * {"progress": …} between, and last one {"result": …} or {"failure": …}. Whoever asks may take a long silence for the server's end, as when it was stopped by a signal.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Clock } from '../environment.ts'
import { type AdminCommand, type AdminSite, type Progress, unforeseen } from './command.ts'
import { ADMIN_SOCKET, ADMIN_SOCKET_MAKING } from './site-files.ts'

// To import it would load an HTTP client and WebSockets with it: a tenth of the time in which a server starts.
const { createServer } = process.getBuiltinModule('node:http')

const REQUEST_BYTES_MAX = 1024 * 1024
const PROGRESS_INTERVAL_MS = 100
const ALIVE_INTERVAL_MS = 2000
const LOOK_INTERVAL_MS = 2000

export type AdminServer = { stop(): Promise<void> }

/**
 * Serves until stopped; commands that come before `site` is there wait for it. Rejects if the socket cannot be made (the folder is not writable). Whoever removes the
 * file (a cleaner, a restore of the folder) takes it from every command: it is made again.
 */
export async function serveAdminSocket(
  siteDirectory: string,
  site: Promise<AdminSite>,
  commands: ReadonlyMap<string, AdminCommand>,
  clock: Clock,
): Promise<AdminServer> {
  const path = join(siteDirectory, ADMIN_SOCKET)
  const begin = async (): Promise<Server> => {
    const server = createServer((request, response) => void answer(request, response, site, commands, clock))
    await listenPrivately(server, siteDirectory, path)
    return server
  }
  let server = await begin()
  let stopped = false
  const lookAgain = async (): Promise<void> => {
    if (!existsSync(path)) {
      // What runs on its connections goes on.
      server.close()
      // Where the folder itself is gone, or full: later.
      server = await begin().catch(() => server)
    }
    if (stopped) server.close()
    else cancel = clock.timer(LOOK_INTERVAL_MS, () => void lookAgain())
  }
  let cancel = clock.timer(LOOK_INTERVAL_MS, () => void lookAgain())
  return {
    stop: () =>
      new Promise((resolve) => {
        stopped = true
        cancel()
        server.close(() => resolve())
        server.closeAllConnections()
        rmSync(path, { force: true })
      }),
  }
}

/**
 * A socket that is made gets the mode of the process's mask: it is made in a folder that is its owner's alone, and is moved to its place once it is, too. The
 * descriptor keeps its name short enough for the kernel (unix(7): 108 bytes), however long the path of the site.
 */
async function listenPrivately(server: Server, siteDirectory: string, path: string): Promise<void> {
  const making = join(siteDirectory, ADMIN_SOCKET_MAKING)
  rmSync(making, { recursive: true, force: true })
  mkdirSync(making, { mode: 0o700 })
  const folder = openSync(making, 'r')
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(`/proc/self/fd/${folder}/${ADMIN_SOCKET}`, resolve)
    })
    chmodSync(join(making, ADMIN_SOCKET), 0o600)
    // The caller holds the site's lock: a socket that is there is a leftover.
    renameSync(join(making, ADMIN_SOCKET), path)
  } finally {
    closeSync(folder)
    rmSync(making, { recursive: true, force: true })
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  opening: Promise<AdminSite>,
  commands: ReadonlyMap<string, AdminCommand>,
  clock: Clock,
): Promise<void> {
  response.on('error', () => undefined)
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const command = commands.get((request.url ?? '').replace(/^\/v1\//, ''))
  if (request.method !== 'POST' || command === undefined) {
    response
      .writeHead(404)
      .end(line({ failure: { exit: 2, sentence: `The server knows no command ${request.url}; is it an older release?` } }))
    return
  }
  const input = await readJson(request)
  if (input === undefined) {
    response.writeHead(400).end(line({ failure: { exit: 2, sentence: 'The request is not JSON of at most 1 MiB.' } }))
    return
  }
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  const stopSigns = signsOfLife(response, clock)
  let lastProgressMs = 0
  try {
    const site = await opening
    const progress: Progress = (step) => {
      if (clock.nowMs() - lastProgressMs < PROGRESS_INTERVAL_MS) return
      lastProgressMs = clock.nowMs()
      response.write(line({ progress: step }))
    }
    const result = await command.run(site, input.value, progress, gone.signal)
    response.end(line(result.ok ? { result: result.value } : { failure: result.error }))
  } catch (error) {
    response.end(line({ failure: unforeseen(error) }))
  } finally {
    stopSigns()
  }
}

/** Until the returned function is called, also while the site is being opened and while a command has no progress to tell. */
function signsOfLife(response: ServerResponse, clock: Clock): () => void {
  let cancel: () => void
  const next = (): void => {
    response.write(line({ alive: true }))
    cancel = clock.timer(ALIVE_INTERVAL_MS, next)
  }
  next()
  return () => cancel()
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`

async function readJson(request: IncomingMessage): Promise<{ value: unknown } | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > REQUEST_BYTES_MAX) return undefined
      chunks.push(chunk)
    }
    return { value: JSON.parse(Buffer.concat(chunks).toString('utf8')) }
  } catch {
    return undefined
  }
}
