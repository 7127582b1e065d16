import { describe, expect, test } from 'vitest'
import type { HttpHandler, HttpRequest } from '../../src/http/exchange.ts'
import { ADAPTERS, deferred, RawClient, sourceOf, text } from './adapters.ts'

const HOST = 'Host: a\r\n'
const MiB = 1024 * 1024

for (const adapter of ADAPTERS) {
  describe(adapter.name, () => {
    /** Starts a server, sends one request and gives what arrived. */
    async function exchange(handler: HttpHandler, request: string, until: string | RegExp): Promise<string> {
      const server = await adapter.start(handler)
      return new RawClient(server.port).send(request).until(until)
    }

    async function seen(requestText: string): Promise<HttpRequest> {
      const request = deferred<HttpRequest>()
      await exchange(
        async (got) => {
          request.resolve(got)
          return text('done')
        },
        requestText,
        'done',
      )
      return request.promise
    }

    test('path and query arrive exactly as sent', async () => {
      const request = await seen(`GET /b/../a//%2e%2E/%C3%A9+%20?list-type=2&prefix=a%2Fb?c HTTP/1.1\r\n${HOST}\r\n`)
      expect([request.method, request.rawPath, request.rawQuery]).toEqual([
        'GET',
        '/b/../a//%2e%2E/%C3%A9+%20',
        'list-type=2&prefix=a%2Fb?c',
      ])
      expect(request.remoteAddress).toBe('127.0.0.1')
      expect(request.secure).toBe(false)
    })

    test('a request without a query has an empty one', async () => {
      expect((await seen(`GET / HTTP/1.1\r\n${HOST}\r\n`)).rawQuery).toBe('')
      expect((await seen(`GET /? HTTP/1.1\r\n${HOST}\r\n`)).rawQuery).toBe('')
    })

    test('headers have lower-case names, are joined when sent twice, and lose their outer blanks only', async () => {
      const { headers } = await seen(`GET / HTTP/1.1\r\n${HOST}X-Amz-Meta-A:  one two \t\r\nx-amz-meta-a:three\r\nEmpty:\r\n\r\n`)
      expect([...headers]).toEqual([
        ['host', 'a'],
        ['x-amz-meta-a', 'one two,three'],
        ['empty', ''],
      ])
    })

    test('UTF-8 in a header arrives byte by byte, also at its ends', async () => {
      const value = Buffer.from('école — naïveté').toString('latin1')
      const { headers } = await seen(`GET / HTTP/1.1\r\n${HOST}x-amz-meta-title: ${value}\r\n\r\n`)
      expect(Buffer.from(headers.get('x-amz-meta-title') ?? '', 'latin1').toString()).toBe('école — naïveté')
    })

    test('a reply has status, headers in order, Date, Server and Content-Length', async () => {
      const handler: HttpHandler = async () => ({
        status: 206,
        headers: [
          ['ETag', '"x"'],
          ['x-amz-meta-title', 'd\xe9j\xe0'],
        ],
        body: { kind: 'whole', content: 'vu' },
      })
      const reply = await exchange(handler, `GET / HTTP/1.1\r\n${HOST}\r\n`, '\r\n\r\nvu')
      expect(reply).toMatch(/^HTTP\/1\.1 206 Partial Content\r\n/)
      expect(reply).toContain('\r\nETag: "x"\r\nx-amz-meta-title: d\xe9j\xe0\r\n')
      expect(reply).toMatch(/\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/)
      expect(reply).toContain('\r\nServer: Holdfast\r\n')
      expect(reply).toMatch(/\r\nContent-Length: 2\r\n/)
      expect(reply.toLowerCase()).not.toContain('uwebsockets')
    })

    test('text is sent as UTF-8 with its length in bytes', async () => {
      const reply = await exchange(async () => text('é'), `GET / HTTP/1.1\r\n${HOST}\r\n`, '\xc3\xa9')
      expect(reply).toContain('Content-Length: 2\r\n')
    })

    test('a status without a body: 204 and 304 have no Content-Length, others a zero', async () => {
      const server = await adapter.start(async (request) => ({
        status: Number(request.rawPath.slice(1)),
        headers: [],
        body: { kind: 'none' },
      }))
      for (const status of [204, 304, 200, 404]) {
        const reply = await new RawClient(server.port).send(`GET /${status} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`).closed()
        expect(reply).toContain(`HTTP/1.1 ${status} `)
        expect(/content-length: (\d+)/i.exec(reply)?.[1]).toBe(status === 204 || status === 304 ? undefined : '0')
      }
    })

    test('HEAD tells the length of an object beyond 4 GiB and sends no body', async () => {
      const bytes = 5 * 1024 ** 4
      const server = await adapter.start(async () => ({ status: 200, headers: [['ETag', '"x"']], body: { kind: 'head', bytes } }))
      const reply = await new RawClient(server.port).send(`HEAD / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`).closed()
      expect(reply).toContain(`Content-Length: ${bytes}\r\n`)
      expect(reply.endsWith('\r\n\r\n')).toBe(true)
    })

    test('a reply with a body to HEAD keeps its length and loses its body', async () => {
      let closed = 0
      const server = await adapter.start(async (request) =>
        request.rawPath === '/stream'
          ? { status: 200, headers: [], body: { kind: 'stream', bytes: 9, source: sourceOf([new Uint8Array(9)], () => (closed += 1)) } }
          : text('nine byte'),
      )
      for (const path of ['/whole', '/stream']) {
        const reply = await new RawClient(server.port).send(`HEAD ${path} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`).closed()
        expect(reply).toContain('Content-Length: 9\r\n')
        expect(reply.endsWith('\r\n\r\n')).toBe(true)
      }
      expect(closed).toBe(1)
    })

    test('one connection carries many requests', async () => {
      const server = await adapter.start(async (request) => text(`<${request.rawPath}>`))
      const client = new RawClient(server.port)
      for (const path of ['/1', '/2', '/3']) {
        await client.send(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`).until(`<${path}>`)
      }
    })

    test('pipelined requests are answered in order', async () => {
      const server = await adapter.start(async (request) => text(`<${request.rawPath}>`))
      const requests = ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`)
      const received = await new RawClient(server.port).send(requests.join('')).until('</3>')
      expect(received.match(/<\/\d>/g)).toEqual(['</1>', '</2>', '</3>'])
    })

    test('a request may follow the body of the one before it at once', async () => {
      const server = await adapter.start(async (request) => text(`<${(await request.body.read())?.length ?? 'none'}>`))
      const client = new RawClient(server.port)
      client.send(`PUT /1 HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhelloGET /2 HTTP/1.1\r\n${HOST}\r\n`)
      expect((await client.until('<none>')).match(/<\w+>/g)).toEqual(['<5>', '<none>'])
    })

    test('a stream of known length arrives whole', async () => {
      const chunks = Array.from({ length: 40 }, (_, index) => new Uint8Array(100_000).fill(97 + (index % 26)))
      let closed = 0
      const server = await adapter.start(async () => ({
        status: 200,
        headers: [['ETag', '"x"']],
        body: { kind: 'stream', bytes: 4_000_000, source: sourceOf(chunks, () => (closed += 1)) },
      }))
      const received = await fetch(`http://127.0.0.1:${server.port}/`)
      expect(received.headers.get('content-length')).toBe('4000000')
      expect(Buffer.from(await received.arrayBuffer()).equals(Buffer.concat(chunks))).toBe(true)
      expect(closed).toBe(1)
    })

    test('a large whole reply arrives whole', async () => {
      const content = Buffer.alloc(8 * MiB, 'holdfast')
      const server = await adapter.start(async () => ({ status: 200, headers: [], body: { kind: 'whole', content } }))
      const received = await fetch(`http://127.0.0.1:${server.port}/`)
      expect(Buffer.from(await received.arrayBuffer()).equals(content)).toBe(true)
    })

    test('a stream of unknown length is chunked', async () => {
      const chunks = Array.from({ length: 30 }, (_, index) => new Uint8Array(70_000).fill(index))
      const server = await adapter.start(async () => ({
        status: 200,
        headers: [],
        body: { kind: 'stream', bytes: undefined, source: sourceOf(chunks) },
      }))
      const received = await fetch(`http://127.0.0.1:${server.port}/`)
      expect(received.headers.get('transfer-encoding')).toBe('chunked')
      expect(Buffer.from(await received.arrayBuffer()).equals(Buffer.concat(chunks))).toBe(true)
    })

    test('an empty stream is an empty reply', async () => {
      const server = await adapter.start(async (request) => ({
        status: 200,
        headers: [],
        body: { kind: 'stream', bytes: request.rawPath === '/0' ? 0 : undefined, source: sourceOf([]) },
      }))
      for (const path of ['/0', '/unknown']) {
        expect(await (await fetch(`http://127.0.0.1:${server.port}${path}`)).text()).toBe('')
      }
    })

    test.each([
      ['fails', [new Uint8Array(1000), 'fail' as const]],
      ['ends early', [new Uint8Array(1000)]],
      ['gives too much', [new Uint8Array(1000), new Uint8Array(2_000_000)]],
    ])('a stream that %s closes the connection short of its length, and its source once', async (_, chunks) => {
      let closed = 0
      const server = await adapter.start(async () => ({
        status: 200,
        headers: [],
        body: { kind: 'stream', bytes: 1_000_000, source: sourceOf(chunks, () => (closed += 1)) },
      }))
      const received = await new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\n`).closed()
      expect((received.split('\r\n\r\n')[1] ?? '').length).toBeLessThan(1_000_000)
      expect(closed).toBe(1)
    })

    test('a client that goes away aborts the signal and closes the source once', async () => {
      const aborted = deferred<void>()
      const closed = deferred<number>()
      let closings = 0
      const server = await adapter.start(async (request) => {
        request.signal.addEventListener('abort', () => aborted.resolve())
        const source = {
          read: async () => new Uint8Array(100_000),
          close: () => {
            closings += 1
            closed.resolve(closings)
          },
        }
        return { status: 200, headers: [], body: { kind: 'stream', bytes: 1e12, source } }
      })
      const client = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      await client.until('\r\n\r\n')
      client.destroy()
      await aborted.promise
      expect(await closed.promise).toBe(1)
    })

    test('the signal of a request that was answered is never aborted', async () => {
      const request = await seen(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
      expect(request.signal.aborted).toBe(false)
    })

    test('a handler cannot be made to write a header of somebody else', async () => {
      const handler: HttpHandler = async () => ({ status: 200, headers: [['X', 'a\r\nSet-Cookie: b']], body: { kind: 'none' } })
      const reply = await exchange(handler, `GET / HTTP/1.1\r\n${HOST}\r\n`, '\r\n\r\n')
      expect(reply).toMatch(/^HTTP\/1\.1 500 /)
      expect(reply).not.toContain('Set-Cookie')
    })

    test('a handler that rejects is an internal error, and the server goes on', async () => {
      const server = await adapter.start(async (request) => {
        if (request.rawPath === '/bad') throw new Error('a bug')
        return text('fine')
      })
      expect((await fetch(`http://127.0.0.1:${server.port}/bad`)).status).toBe(500)
      expect(await (await fetch(`http://127.0.0.1:${server.port}/good`)).text()).toBe('fine')
    })

    test('stopping lets a request in flight finish, then the port is free', async () => {
      const arrived = deferred<void>()
      const go = deferred<void>()
      const server = await adapter.start(async () => {
        arrived.resolve()
        await go.promise
        return text('done')
      })
      const client = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      await arrived.promise
      const stopped = server.stop(10_000)
      go.resolve()
      expect(await client.closed()).toContain('done')
      await stopped
      await expect(fetch(`http://127.0.0.1:${server.port}/`)).rejects.toThrow()
    })

    test('stopping cuts off what is not finished in time', async () => {
      const arrived = deferred<void>()
      const server = await adapter.start((request) => {
        arrived.resolve()
        return new Promise((resolve) => request.signal.addEventListener('abort', () => resolve(text('too late'))))
      })
      const client = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      await arrived.promise
      await server.stop(1)
      expect(await client.closed()).toBe('')
    })
  })
}
