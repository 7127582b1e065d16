/** Runs other people's tools against a served site. HOLDFAST_CLIENTS names the folder that holds them (bin/ and venv/); see .ci/run. */
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ACCESS_KEY, REGION, SECRET_KEY } from '../served-site.ts'

const clients = process.env.HOLDFAST_CLIENTS
if (clients === undefined) throw new Error('HOLDFAST_CLIENTS must name the folder with the client programs: run .ci/run.')

const FIRST_OF = [join(clients, 'venv', 'bin'), join(clients, 'bin')].join(':')

export const MIB = 1024 * 1024

export type Ran = { readonly code: number | null; readonly out: string; readonly err: string }

/** Runs a tool to its end, with the keys in the environment as most tools want them. */
export function run(home: string, endpoint: string, tool: string, args: readonly string[], extra: Record<string, string> = {}): Ran {
  const ran = spawnSync(tool, args, {
    cwd: home,
    encoding: 'utf8',
    maxBuffer: 512 * MIB,
    timeout: 240_000,
    env: {
      PATH: `${FIRST_OF}:/usr/local/bin:/usr/bin:/bin`,
      HOME: home,
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      AWS_DEFAULT_REGION: REGION,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: endpoint,
      AWS_EC2_METADATA_DISABLED: 'true',
      ...extra,
    },
  })
  return { code: ran.status, out: ran.stdout ?? '', err: `${ran.stderr ?? ''}${ran.error === undefined ? '' : String(ran.error)}` }
}

/** Runs a tool that must succeed; gives its standard output. */
export function mustRun(home: string, endpoint: string, tool: string, args: readonly string[], extra: Record<string, string> = {}): string {
  const ran = run(home, endpoint, tool, args, extra)
  if (ran.code !== 0) throw new Error(`${tool} ${args.join(' ')} ended with ${ran.code}:\n${ran.out}\n${ran.err}`)
  return ran.out
}

/** A small tree: names that are hard (blanks, umlauts, plus signs), an empty file, and sizes around the limits of the store's layout. */
export function makeTree(directory: string): void {
  const files: Record<string, number> = {
    'plain.txt': 1000,
    empty: 0,
    'with blank and +plus.txt': 10,
    'größe/日本語.bin': 4096,
    'deep/er/still/file.bin': 131072,
    'deep/er/one-more.bin': 131073,
    'deep/large.bin': 3 * MIB + 17,
  }
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true })
    writeFileSync(join(directory, name), randomBytes(bytes))
  }
}

/** SHA-256 of every file below a directory, by relative name. */
export function digests(directory: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    found[path.slice(directory.length + 1)] = sha256(readFileSync(path))
  }
  return found
}

export const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
