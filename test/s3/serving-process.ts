/** The product as its users run it: `holdfast init` and `holdfast serve` in a process of their own, two gateway threads and the commit thread. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { program } from '../program.ts'
import type { Running } from './start-server.ts'

const CREDENTIALS = { accessKeyId: 'HFTESTKEYTESTKEYTEST', secretAccessKey: 'a secret of tests only, of no use elsewhere' }

export async function startServingProcess(): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-serve-'))
  const site = join(folder, 'site')
  const env = { ...process.env, HOLDFAST_ROOT_ACCESS_KEY: CREDENTIALS.accessKeyId, HOLDFAST_ROOT_SECRET_KEY: CREDENTIALS.secretAccessKey }
  await promisify(execFile)(process.execPath, [program, 'init', site], { env })
  const server = spawn(process.execPath, [program, 'serve', site, '--listen', '127.0.0.1:0', '--http', 'uws', '--threads', '2'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(server, 'exit')
  const lines = createInterface({ input: server.stdout })
  const endpoint = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    ended.then(() => Promise.reject(new Error('The server ended before it served.'))),
  ])
  return {
    endpoint: { endpoint, region: 'us-east-1', credentials: CREDENTIALS },
    async stop() {
      server.kill('SIGTERM')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
}
