/**
 * The entry: the only place that reads argv and the environment, and that exits. The same file runs in each worker thread
 * (so that the built program has one entry): `workerData` says what the thread is.
 */
import { randomFillSync } from 'node:crypto'
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import type { Clock, Random } from './environment.ts'
import { HEADER_BYTES_MAX } from './http/limits.ts'
import { describeSystemFailure } from './system-failure.ts'
import { endThread, type ThreadRole } from './threads/begin-thread.ts'

// Compiled code is kept where nobody else can put any (Node's default is the folder for temporary files, which everybody may write). Worker threads
// inherit the setting, and so load their very first file from there.
process.env.NODE_COMPILE_CACHE ??= ownCacheFolder()
if (process.env.NODE_COMPILE_CACHE !== '') enableCompileCache(process.env.NODE_COMPILE_CACHE)

const clock: Clock = {
  nowMs: () => Date.now(),
  timer: (delayMs, then) => {
    const timer = setTimeout(then, delayMs)
    return () => clearTimeout(timer)
  },
}
const random: Random = { bytes: (count) => randomFillSync(new Uint8Array(count)) }

if (isMainThread) await runCommandLine()
else {
  const { runThread } = await import('./threads/thread.ts')
  runThread(workerData, { clock, random }, () => process.exit())
}

/** '' where this user has no home, as a number without an account in a container. */
function ownCacheFolder(): string {
  try {
    return join(homedir(), '.cache', 'holdfast', 'compiled')
  } catch {
    return ''
  }
}

type Threads = {
  readonly start: (role: ThreadRole) => Worker
  /** Those that were started and are not needed. */
  endUnused(): Promise<unknown>
}

/** Where a site will be served, two threads are started before the command line is read: they load their code meanwhile. */
function startEarly(): Threads {
  const start = (role: ThreadRole): Worker => new Worker(new URL(import.meta.url), { workerData: role, name: `holdfast-${role}` })
  const started = new Map<ThreadRole, Worker>()
  if (process.argv[2] === 'serve' || process.argv[2] === 'start') {
    for (const role of ['commit', 'gateway'] as const) started.set(role, start(role))
  }
  return {
    start(role) {
      const worker = started.get(role)
      started.delete(role)
      return worker ?? start(role)
    },
    endUnused: () => Promise.all([...started.values()].map((worker) => endThread(worker, clock))),
  }
}

async function runCommandLine(): Promise<void> {
  // uWebSockets.js reads this when it is first loaded.
  process.env.UWS_HTTP_MAX_HEADERS_SIZE = String(HEADER_BYTES_MAX)
  // libuv reads this when the first operation reaches its pool. One hung disk must not stop the others, whatever thread they are asked from.
  process.env.UV_THREADPOOL_SIZE ??= '256'
  // lmdb reads this when it chooses its native module, and else looks for files that tell: the packaged runtime is built for glibc.
  process.env.LIBC ??= 'glibc'
  const threads = startEarly()
  // A reader that has gone away (`holdfast … | head`) is no fault of the command, and no reason for a server to end.
  process.stderr.on('error', () => undefined)
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return
    process.exitCode = 6
    process.stderr.write(`holdfast: ${describeSystemFailure('Standard output', 'written', error)}\n`)
  })
  const { asksForJson, buildProgram, CommanderError, usageFailure } = await import('./cli/program.ts')
  const { CommandEnd } = await import('./cli/cli.ts')
  const { Output } = await import('./cli/output.ts')
  const { unforeseen } = await import('./admin/command.ts')
  const terminal = {
    out: (text: string) => void process.stdout.write(text),
    err: (text: string) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    isRead: process.stdout.isTTY === true,
  }
  const log = (line: string): void => terminal.err(`holdfast: ${line}\n`)
  const json = asksForJson(process.argv.slice(2))
  let output = new Output(terminal, { json })
  const environment = { clock, random, startThread: threads.start }
  const about = { version: '0.1.0', complaints: json ? 'thrown' : 'printed' } as const
  const program = buildProgram((options) => {
    output = new Output(terminal, options)
    return {
      output,
      environment: process.env,
      clock,
      workingDirectory: process.cwd(),
      initSite: async (request) => (await import('./server/make-site.ts')).initSiteDirectory(request, environment),
      recoverSite: async (request) => (await import('./server/recover-site.ts')).recoverSite(request, environment),
      serve: async (request) => (await import('./server/serve.ts')).serve({ ...request, log }, environment),
      openSite: async (directory) => (await import('./server/open-offline.ts')).openSiteOffline(directory, environment),
    }
  }, about)
  try {
    await program.parseAsync(process.argv)
    process.exitCode ??= 0
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
      if (json && error.exitCode !== 0) output.failure(usageFailure(error))
    } else if (error instanceof CommandEnd) {
      output.failure(error.failure)
      process.exitCode = error.failure.exit
    } else {
      output.failure(unforeseen(error))
      process.exitCode = 1
    }
  }
  await threads.endUnused()
  // Whatever still runs belongs to nothing any more. What became of the writing is told a moment after it.
  process.stdout.write('', () => setImmediate(() => process.exit()))
}
