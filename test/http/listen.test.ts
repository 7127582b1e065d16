import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import type { HttpServer } from '../../src/http/exchange.ts'
import { startNodeServer } from '../../src/http/node-server.ts'
import { startUwsServer } from '../../src/http/uws-server.ts'
import { text } from './adapters.ts'

const running: HttpServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop(0)))
})

describe.each([
  ['uWebSockets.js', startUwsServer, 'startUwsServer', 'uws-server.ts'],
  ['node:http', startNodeServer, 'startNodeServer', 'node-server.ts'],
] as const)('%s', (_, start, name, file) => {
  const serve = async (options: { port: number; host?: string; sharing?: 'alone' | 'first' | 'joins' }) => {
    const result = await start({ host: '127.0.0.1', handler: async () => text('main'), ...options })
    if (result.ok) running.push(result.value)
    return result
  }

  test('a port that another program has is said to be taken, also to a server that would share it', async () => {
    const first = await serve({ port: 0, sharing: 'first' })
    const port = first.ok ? first.value.port : 0
    expect(await serve({ port })).toMatchObject({ ok: false, error: { kind: 'port-taken' } })
    expect(await serve({ port, sharing: 'first' })).toMatchObject({ ok: false, error: { kind: 'port-taken' } })
  })

  test('an address that this machine does not have is said to be so', async () => {
    expect(await serve({ port: 0, host: '192.0.2.1' })).toMatchObject({ ok: false, error: { kind: 'address-unavailable' } })
  })

  test('a second thread shares the port, and serves it alone when the first stops', async () => {
    const first = await serve({ port: 0, sharing: 'first' })
    const port = first.ok ? first.value.port : 0
    const source = `
      import { ${name} } from ${JSON.stringify(new URL(`../../src/http/${file}`, import.meta.url).href)}
      import { parentPort } from 'node:worker_threads'
      const body = { kind: 'whole', content: 'worker' }
      const server = await ${name}({ host: '127.0.0.1', port: ${port}, sharing: 'joins', handler: async () => ({ status: 200, headers: [], body }) })
      parentPort.postMessage(server.ok)
      parentPort.on('message', async () => { await server.value.stop(0); process.exit() })`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
    expect((await once(worker, 'message'))[0]).toBe(true)
    if (first.ok) await first.value.stop(0)
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('worker')
    worker.postMessage('stop')
    await once(worker, 'exit')
  })
})
