/** A site made and served by the real program, in a process of its own, below a temporary directory: what tests of the whole product talk to. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from './program.ts'

export const ACCESS_KEY = 'holdfasttest'
export const SECRET_KEY = 'holdfasttestsecret'
export const REGION = 'us-east-1'

export type CommandRun = { readonly code: number | null; readonly out: string; readonly err: string }

/** Runs `holdfast ARGUMENTS`, waiting for its end. */
export function holdfast(...args: string[]): CommandRun {
  const ran = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env: siteEnvironment(),
    maxBuffer: 256 * 1024 * 1024,
    timeout: 120_000,
  })
  return { code: ran.status, out: ran.stdout, err: ran.stderr }
}

/** Runs `holdfast ARGUMENTS`, which must succeed, and gives what it printed. */
export function holdfastOk(...args: string[]): string {
  const ran = holdfast(...args)
  if (ran.code !== 0) throw new Error(`holdfast ${args.join(' ')} ended with ${ran.code}:\n${ran.out}\n${ran.err}`)
  return ran.out
}

/** Starts `holdfast ARGUMENTS` and goes on. */
export const holdfastStarted = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: siteEnvironment() })

const siteEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  HOLDFAST_ROOT_ACCESS_KEY: ACCESS_KEY,
  HOLDFAST_ROOT_SECRET_KEY: SECRET_KEY,
})

export type ServedSite = {
  readonly directory: string
  readonly disks: readonly string[]
  readonly endpoint: string
  readonly port: number
  readonly pid: number
  /** Sends the signal and waits for the end; gives the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** What the server printed to standard error so far. */
  log(): string
}

/** A temporary directory that `removeTemporary` removes. */
export const temporaryDirectory = (): string => mkdtempSync(join(tmpdir(), 'holdfast-test-'))
export const removeTemporary = (directory: string): void => rmSync(directory, { recursive: true, force: true })

/** Makes a site in `directory` (four disks, 2 + 2, unless told otherwise). */
export function makeSite(directory: string, ...initArguments: string[]): void {
  holdfastOk('init', directory, ...initArguments)
}

/** Serves a site that was made; resolves when it answers. */
export async function serveSite(directory: string, ...serveArguments: string[]): Promise<ServedSite> {
  const child = holdfastStarted('serve', directory, '--listen', '127.0.0.1:0', ...serveArguments)
  let out = ''
  let err = ''
  child.stderr?.on('data', (text: Buffer) => {
    err += text.toString()
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const endpoint = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => {
      out += text.toString()
      const found = /(https?:\/\/\S+:\d+)/.exec(out)
      if (found?.[1] !== undefined) resolve(found[1])
    })
    void ended.then((code) => reject(new Error(`serve ended with ${code}:\n${out}\n${err}`)))
  })
  return {
    directory,
    disks: [1, 2, 3, 4].map((number) => join(directory, `disk${number}`)),
    endpoint,
    port: Number(new URL(endpoint).port),
    pid: child.pid ?? 0,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return ended
    },
    log: () => err,
  }
}
