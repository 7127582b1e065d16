/** What a client can hold of the server by being many, slow or silent: each has a bound. Silence is in hostile.test.ts and bodies.test.ts. */
import { describe, expect, test } from 'vitest'
import { connectionsPerGateway } from '../../src/http/connections.ts'
import { RequestAborted } from '../../src/http/exchange.ts'
import { ADAPTERS, deferred, RawClient, readAll, text } from '../http/adapters.ts'

const HOST = 'Host: a\r\n'

/** Sends a byte now and then, as long as it may. */
async function dribble(client: RawClient, byte: string): Promise<string> {
  const timer = setInterval(() => client.send(byte), 50)
  try {
    return await client.closed()
  } finally {
    clearInterval(timer)
  }
}

for (const adapter of ADAPTERS) {
  describe(adapter.name, () => {
    test('one connection too many is closed at once, and another is taken when one has ended', async () => {
      const server = await adapter.start(async () => text('<yes>'), { connectionsMax: 3 })
      const ask = (client: RawClient): Promise<string> => client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`).until('<yes>')
      const clients: RawClient[] = []
      for (let index = 0; index < 3; index += 1) {
        const client = new RawClient(server.port)
        clients.push(client)
        expect(await ask(client)).toContain('<yes>')
      }
      for (let index = 0; index < 20; index += 1) expect(await ask(new RawClient(server.port))).toBe('')
      // Those that are there do not suffer.
      clients[0]?.send(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
      expect(await clients[0]?.closed()).toContain('<yes>')
      for (let taken = ''; taken === ''; ) taken = await ask(new RawClient(server.port))
    })
  })
}

// The library's timers have seconds: all of these wait at the same time.
test('a client that sends its headers byte by byte is cut off, at the first request and behind a reply', async () => {
  await Promise.all(
    ADAPTERS.map(async (adapter) => {
      const server = await adapter.start(async () => text('<done>'), { headersMs: 1000, keepAliveMs: 1000 })
      const first = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}X-Slow: `)
      const second = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      await second.until('<done>')
      second.send(`GET / HTTP/1.1\r\n${HOST}X-Slow: `)
      const [one, two] = await Promise.all([dribble(first, 'x'), dribble(second, 'x')])
      expect(one).toMatch(/^$|^HTTP\/1\.1 408 /)
      expect(two).toMatch(/<done>($|HTTP\/1\.1 408 )/)
    }),
  )
}, 60_000)

test('a client that sends its body byte by byte is cut off, whether it is read or dropped', async () => {
  await Promise.all(
    ADAPTERS.map(async (adapter) => {
      const outcome = deferred<unknown>()
      const server = await adapter.start(
        async (request) => {
          if (request.method === 'POST') return text('<no>', 403)
          await readAll(request.body).catch((error: unknown) => outcome.resolve(error))
          return text('nobody hears it')
        },
        { bodySlowMs: 1000 },
      )
      const head = (method: string): string => `${method} / HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n`
      const [read, dropped] = await Promise.all(
        ['PUT', 'POST'].map((method) => dribble(new RawClient(server.port).send(head(method)), 'x')),
      )
      expect(read).toBe('')
      expect(await outcome.promise).toBeInstanceOf(RequestAborted)
      expect(dropped).toContain('<no>')
    }),
  )
}, 60_000)

test('connections leave half of the files that may be open to the disks', () => {
  expect(connectionsPerGateway(4, 20_000)).toBe(2500)
  expect(connectionsPerGateway(2, 1024)).toBe(256)
  expect(connectionsPerGateway(1, 1_000_000)).toBe(10_000)
  expect(connectionsPerGateway(64, 64)).toBe(1)
  expect(connectionsPerGateway(1)).toBeGreaterThanOrEqual(1)
})
