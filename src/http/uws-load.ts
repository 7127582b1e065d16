import type { HttpRequest, HttpResponse, us_listen_socket } from 'uWebSockets.js'
import { createHash, hash } from 'node:crypto'
import { chmodSync, closeSync, lstatSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { makeFoldersAtOnce } from '../make-folders.ts'
import { fail, ok, type Result } from '../result.ts'
import { rewriteForOlderGlibc } from './glibc-compatible.ts'
import type { HttpServerFault } from './listen.ts'
import { correct } from './uws-corrections.ts'

export interface UwsApp {
  any(pattern: string, handler: (res: HttpResponse, req: HttpRequest) => void): UwsApp
  listen(host: string, port: number, flags: number, then: (socket: us_listen_socket | false) => void): UwsApp
  /** From the opening of a connection to its first request's headers, and between two pieces of a body. Checked every 4 s. */
  setIdleTimeout(seconds: number): UwsApp
  /** From the end of a reply to the next request, and while a reply waits for the client. Checked every 4 s. */
  setResponseTimeout(seconds: number): UwsApp
  /** Calls when a connection is opened (1) or closed (-1). */
  filter(handler: (res: HttpResponse, count: number) => void): UwsApp
  /** Closes every connection at once. */
  close(): UwsApp
}

/** What Holdfast uses of the native module. */
export interface Uws {
  App(): UwsApp
  us_listen_socket_close(socket: us_listen_socket): void
  us_socket_local_port(socket: us_listen_socket): number
  /** `silent`: no header that advertises the library. */
  _cfg(key: 'silent'): void
}

/** A library that was checked and loaded in this process: another thread may load it as it is. */
export type CheckedUws = {
  readonly path: string
  /** With the corrections of uws-corrections.ts. */
  readonly corrected: boolean
}
export type LoadedUws = CheckedUws & { readonly native: Uws }

/**
 * SHA-256 of what is made of the pinned library for Linux x64: corrected, for an older glibc and for any other. Such a copy of an earlier start is loaded at
 * once, which takes a tenth of the time of making it again to compare.
 */
export const KNOWN_COPIES: readonly string[] = [
  '3965fed7b6f474759d1dee688db258cf875ade9754658e67c14c438f6021df61',
  '4c931f0a2359c69d96ecbecae1d28766616a159f0819128b72d576cd79e5baa6',
]

export type UwsLoadOptions = {
  /** Where a copy may be kept. */
  readonly cacheFolder?: string
  /** Instead of the pinned package's for this platform. */
  readonly library?: string
}

const require = createRequire(import.meta.url)

function pinnedLibrary(): string {
  const folder = dirname(require.resolve('uWebSockets.js'))
  return join(folder, `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`)
}

/**
 * Loads the native module: on Linux a copy that is corrected (uws-corrections.ts) and, for an older glibc, rewritten (glibc-compatible.ts); where neither
 * can be, or no copy can be kept, the original. Whether that should serve is for others to say (choose-adapter.ts). The copy is kept, named by its digest, in
 * the first of these folders that can be written and that nobody else can write: the package's, `cacheFolder`, ~/.cache/holdfast, one in the system's folder
 * for temporary files. A copy found there is compared with what it should be before it is loaded.
 *
 * The module reads the limit of headers (HEADER_BYTES_MAX) from UWS_HTTP_MAX_HEADERS_SIZE in the process's environment when it is first loaded in any
 * thread: the entry of the program sets that.
 */
export function loadUws(options: UwsLoadOptions = {}): Result<LoadedUws, HttpServerFault> {
  let original: string
  let bytes: Buffer
  try {
    original = options.library ?? pinnedLibrary()
    const kept = options.library === undefined ? loadKept(original, options.cacheFolder) : undefined
    if (kept !== undefined) return ok(kept)
    bytes = readFileSync(original)
  } catch (error) {
    return unavailable(error)
  }
  const reasons: string[] = []
  for (const { content, corrected } of process.platform === 'linux' ? betterCopies(bytes) : []) {
    const path = keep(original, content, options.cacheFolder)
    const loaded = path === undefined ? unavailable('no folder can hold its copy') : loadChecked({ path, corrected })
    if (loaded.ok) return loaded
    reasons.push(loaded.error.reason)
  }
  const plain = loadChecked({ path: original, corrected: false })
  if (plain.ok) return plain
  return unavailable([...reasons, plain.error.reason].join('; '))
}

/** A known copy of an earlier start, if there is one that loads. */
function loadKept(original: string, cacheFolder: string | undefined): LoadedUws | undefined {
  for (const digest of KNOWN_COPIES) {
    for (const folder of cacheFolders(original, cacheFolder)) {
      const path = join(folder, copyName(digest))
      if (!privateFolder(folder) || fileDigest(path) !== digest) continue
      const loaded = loadChecked({ path, corrected: true })
      if (loaded.ok) return loaded.value
    }
  }
  return undefined
}

/** Most wanted first: as little changed as this glibc allows. */
function betterCopies(original: Buffer): { content: Buffer; corrected: boolean }[] {
  const content = Buffer.from(original)
  const corrected = correct(content) === 'corrected'
  const rewritten = rewriteForOlderGlibc(content)
  const copies = rewritten.ok && glibcIsOlder() ? [{ content: rewritten.value, corrected }] : []
  return corrected ? [...copies, { content, corrected }] : copies
}

/** Older than 2.38, or not known. */
function glibcIsOlder(): boolean {
  const report = process.report.getReport() as { readonly header?: { readonly glibcVersionRuntime?: string } }
  const [major, minor] = (report.header?.glibcVersionRuntime ?? '').split('.').map(Number)
  return major === undefined || minor === undefined || Number.isNaN(minor) || major < 2 || (major === 2 && minor < 38)
}

/** Loads what `loadUws` found in another thread of this process, without checking it again. */
export function loadChecked({ path, corrected }: CheckedUws): Result<LoadedUws, HttpServerFault> {
  try {
    const native = require(path) as Uws
    native._cfg('silent')
    return ok({ native, path, corrected })
  } catch (error) {
    return unavailable(error)
  }
}

function unavailable(error: unknown): { ok: false; error: HttpServerFault } {
  return fail({ kind: 'uws-unavailable', reason: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) })
}

const copyName = (digest: string): string => `uws-${digest.slice(0, 16)}.node`

function keep(original: string, content: Buffer, cacheFolder: string | undefined): string | undefined {
  const name = copyName(hash('sha256', content, 'hex'))
  for (const folder of cacheFolders(original, cacheFolder)) {
    const path = join(folder, name)
    if (privateFolder(folder) && (holds(path, content) || put(path, content))) return path
  }
  return undefined
}

function cacheFolders(original: string, cacheFolder: string | undefined): string[] {
  const ownTemporary = join(tmpdir(), `holdfast-${process.getuid?.() ?? 0}`)
  return [join(dirname(original), '.holdfast'), ...(cacheFolder === undefined ? [] : [cacheFolder]), ...homeCache(), ownTemporary]
}

/** None where this user has no home, as a number without an account in a container. */
function homeCache(): string[] {
  try {
    return [join(homedir(), '.cache', 'holdfast')]
  } catch {
    return []
  }
}

/** Makes the folder if it is missing. False if it is a link, or if somebody else could put a library there. */
function privateFolder(folder: string): boolean {
  try {
    makeFoldersAtOnce(folder)
    const found = lstatSync(folder)
    const ours = found.uid === process.getuid?.() || found.uid === 0
    return found.isDirectory() && ours && (found.mode & 0o022) === 0
  } catch {
    return false
  }
}

const READ_BYTES = 256 * 1024

/** SHA-256 of a file, hexadecimal; undefined if there is none. In pieces: the memory for all of it would cost more than the reading. */
function fileDigest(path: string): string | undefined {
  try {
    if (!lstatSync(path).isFile()) return undefined
    const file = openSync(path, 'r')
    try {
      const digest = createHash('sha256')
      const piece = Buffer.allocUnsafe(READ_BYTES)
      for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) digest.update(piece.subarray(0, read))
      return digest.digest('hex')
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}

function holds(path: string, content: Uint8Array): boolean {
  try {
    return lstatSync(path).isFile() && readFileSync(path).equals(content)
  } catch {
    return false
  }
}

/** Whole or not at all: several processes may do this at once. */
function put(path: string, content: Uint8Array): boolean {
  const temporary = `${path}.${process.pid}-${hash('sha256', `${process.hrtime.bigint()}`, 'hex').slice(0, 12)}`
  try {
    writeFileSync(temporary, content, { flag: 'wx', mode: 0o700 })
    chmodSync(temporary, 0o755)
    renameSync(temporary, path)
    return true
  } catch {
    remove(temporary)
    return false
  }
}

/** In a folder of somebody else's not even looking is allowed. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // Then nothing was made there either.
  }
}
