/**
 * A server in a process of its own, whose memory memory.test.ts measures: endless zeros down, uploads that are read slower than they are sent, and replies
 * that are small enough to be given to the socket whole.
 */
import { startNodeServer } from '../../src/http/node-server.ts'
import { startUwsServer } from '../../src/http/uws-server.ts'

const GiB = 1024 ** 3
const start = process.argv[2] === 'uws' ? startUwsServer : startNodeServer
const SMALL = Buffer.alloc(60 * 1024)
let opened = 0
const server = await start({
  host: '127.0.0.1',
  port: 0,
  handler: async (request) => {
    opened += 1
    if (request.method === 'PUT') {
      await request.body.read()
      // The rest is never read: a handler as slow as can be.
      await new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()))
    }
    if (request.rawPath === '/small') return { status: 200, headers: [], body: { kind: 'whole', content: SMALL } }
    const source = { read: async () => new Uint8Array(128 * 1024), close: () => undefined }
    return { status: 200, headers: [], body: { kind: 'stream', bytes: GiB, source } }
  },
})
if (!server.ok) throw new Error(server.error.reason)

process.on('message', () => {
  globalThis.gc?.()
  process.send?.({ opened, rss: process.memoryUsage.rss(), external: process.memoryUsage().arrayBuffers })
})
process.on('disconnect', () => process.exit())
process.send?.({ port: server.value.port })
