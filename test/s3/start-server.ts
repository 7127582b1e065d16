/**
 * A real Holdfast in the process of the test: four disk directories and an index in a temporary folder, the node adapter on a free port of the loopback.
 * The other adapter, and threads, are in serving-process.ts.
 */
import { randomFillSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock, Random } from '../../src/environment.ts'
import { startNodeServer } from '../../src/http/node-server.ts'
import { rootIdentities } from '../../src/iam/identities.ts'
import { createS3Handler } from '../../src/s3/handler.ts'
import { operations } from '../../src/s3/operations/index.ts'
import { initSite } from '../../src/store/local/init-site.ts'
import { openLocalSite } from '../../src/store/local/open-site.ts'
import type { SiteId } from '../../src/store/terms.ts'
import type { Endpoint } from './suite/endpoint.ts'

export type Running = { readonly endpoint: Endpoint; stop(): Promise<void> }

const CREDENTIALS = { accessKeyId: 'HFTESTKEYTESTKEYTEST', secretAccessKey: 'a secret of tests only, of no use elsewhere' }

const clock: Clock = {
  nowMs: () => Date.now(),
  timer(delayMs, then) {
    const timer = setTimeout(then, delayMs)
    return () => clearTimeout(timer)
  },
}
const random: Random = { bytes: (count) => randomFillSync(new Uint8Array(count)) }

export async function startServer(options: { readonly region?: string } = {}): Promise<Running> {
  const region = options.region ?? 'us-east-1'
  const siteDirectory = await mkdtemp(join(tmpdir(), 'holdfast-s3-'))
  const diskDirectories = [1, 2, 3, 4].map((disk) => join(siteDirectory, `disk${disk}`))
  const site = '0123456789abcdef0123456789abcdef' as SiteId
  const made = await initSite({ siteDirectory, diskDirectories, name: 'tests', site, clock, random })
  if (!made.ok) throw new Error(made.error.sentence)
  const opened = await openLocalSite({ siteDirectory, clock, random })
  if (!opened.ok) throw new Error(opened.error.sentence)
  const handler = createS3Handler({
    store: opened.value.engine.store,
    operations,
    identities: rootIdentities({ ...CREDENTIALS, ownerId: 'ab'.repeat(32) }),
    region,
    domains: ['localhost'],
    clock,
    random,
    log: ({ requestId, operation, error }) => console.error(requestId, operation, error),
  })
  const server = await startNodeServer({ host: '127.0.0.1', port: 0, handler })
  if (!server.ok) throw new Error(`The adapter does not start: ${JSON.stringify(server.error)}`)
  return {
    endpoint: { endpoint: `http://127.0.0.1:${server.value.port}`, region, credentials: CREDENTIALS },
    async stop() {
      await server.value.stop(1000)
      await opened.value.close()
      await rm(siteDirectory, { recursive: true, force: true })
    },
  }
}
