/** A gateway thread of the real program, beside a real commit thread, told things at moments that a whole server meets only by chance. */
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { afterAll, expect, test } from 'vitest'
import type { ThreadRole } from '../../src/threads/begin-thread.ts'
import type { CommitOptions, FromCommit, ToCommit } from '../../src/threads/commit-thread.ts'
import type { FromGateway, GatewayOptions, ToGateway } from '../../src/threads/gateway-thread.ts'
import { ACCESS_KEY, makeSite, REGION, removeTemporary, SECRET_KEY, temporaryDirectory } from '../served-site.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const home = temporaryDirectory()
afterAll(() => removeTemporary(home))

const startThread = (role: ThreadRole, options: CommitOptions | GatewayOptions): Worker => {
  const worker = new Worker(main, { workerData: role })
  worker.postMessage(options)
  return worker
}

/** The first message of a kind. */
const message = <M extends { readonly kind: string }, K extends M['kind']>(worker: Worker, kind: K): Promise<Extract<M, { kind: K }>> =>
  new Promise((resolve, reject) => {
    worker.once('error', reject)
    worker.on('message', (said: M) => {
      if (said.kind === kind) resolve(said as Extract<M, { kind: K }>)
    })
  })

test('a gateway that is told to stop while it opens the index finishes that first, so that no thread ends in the middle of it', async () => {
  const siteDirectory = join(home, 'site')
  makeSite(siteDirectory)
  const commit = startThread('commit', { siteDirectory, acceptOlder: false })
  const { name, site, epoch, start, board, view } = await message<FromCommit, 'ready'>(commit, 'ready')
  const { port1, port2 } = new MessageChannel()
  commit.postMessage({ kind: 'attach', what: 'commits', port: port2 } satisfies ToCommit, [port2])

  const gateway = startThread('gateway', {
    http: 'node',
    host: '127.0.0.1',
    region: REGION,
    domains: [],
    root: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY, ownerId: 'owner' },
  })
  const said: string[] = []
  gateway.on('message', ({ kind }: FromGateway) => said.push(kind))
  const stopped = message<FromGateway, 'stopped'>(gateway, 'stopped')
  const opened = { name, site, epoch, start, board, view }
  const store = { siteDirectory, thread: 2, opened, commitsPort: port1 }
  const at = { port: 0, sharing: 'first', adapter: { kind: 'node' }, connectionsMax: 100 } as const
  gateway.postMessage({ kind: 'serve', store, ...at } satisfies ToGateway, [port1])
  gateway.postMessage({ kind: 'stop', graceMs: 1000 } satisfies ToGateway)
  await stopped
  expect(said).toEqual(['listening', 'stopped'])

  const left = message<FromCommit, 'stopped'>(commit, 'stopped')
  commit.postMessage({ kind: 'stop' } satisfies ToCommit)
  await left
  await Promise.all([gateway.terminate(), commit.terminate()])
})
