import { describe, expect, test } from 'vitest'
import { RequestAborted } from '../../src/http/exchange.ts'
import { ADAPTERS, deferred, RawClient, readAll, text } from './adapters.ts'

const HOST = 'Host: a\r\n'
const KiB = 1024
const MiB = 1024 * KiB

for (const adapter of ADAPTERS) {
  describe(adapter.name, () => {
    const echo = () => adapter.start(async (request) => text(`<${(await readAll(request.body)).toString('latin1')}>`))

    test('a small body comes in one piece, however it was sent', async () => {
      const sizes: number[] = []
      const server = await adapter.start(async ({ body }) => {
        for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) sizes.push(chunk.length)
        return text(`declared ${body.declaredBytes}`)
      })
      const client = new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 4000\r\n\r\n`)
      client.send(new Uint8Array(1000), new Uint8Array(1000))
      setImmediate(() => client.send(new Uint8Array(2000)))
      await client.until('declared 4000')
      expect(sizes).toEqual([4000])
    })

    test('a small body owns its memory', async () => {
      const request = deferred<Uint8Array | undefined>()
      const server = await adapter.start(async ({ body }) => {
        request.resolve(await body.read())
        return text('')
      })
      await fetch(`http://127.0.0.1:${server.port}/`, { method: 'PUT', body: 'hello' })
      expect((await request.promise)?.buffer.byteLength).toBe(5)
    })

    test('a large body arrives whole', async () => {
      const sent = Buffer.alloc(20 * MiB, 'holdfast ')
      const server = await adapter.start(async (request) => text(String((await readAll(request.body)).equals(sent))))
      const reply = await fetch(`http://127.0.0.1:${server.port}/`, { method: 'PUT', body: sent })
      expect(await reply.text()).toBe('true')
    })

    test('a request without a body ends at once', async () => {
      const server = await echo()
      expect(await new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}\r\n`).until('>')).toContain('<>')
      expect(await new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`).until('>')).toContain('<>')
    })

    test('a chunked body arrives without its framing, and the next request after it', async () => {
      const server = await echo()
      const client = new RawClient(server.port)
      client.send(`PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`, 'lo\r\n6\r\n wo', 'rld\r\n0\r\n\r\n')
      expect(await client.until('>')).toContain('<hello world>')
      expect(await client.send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nnext`).until('next>')).toContain('<next>')
    })

    test('a client that waits for "100 Continue" gets it at the first read, then the reply', async () => {
      const server = await adapter.start(async (request) => {
        const body = await readAll(request.body)
        return { status: 201, headers: [['ETag', '"x"']], body: { kind: 'whole', content: `<${body}>` } }
      })
      const client = new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`)
      expect(await client.until('\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n')
      const reply = await client.send('hello').until('<hello>')
      expect(reply).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 Created\r\n/)
      expect(reply).toContain('\r\nETag: "x"\r\n')
      // The connection is good for more.
      client.send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nnext`)
      expect(await client.until('<next>')).toContain('<next>')
    })

    test('a refused upload is never asked for, and its connection ends', async () => {
      const server = await adapter.start(async () => text('no', 403))
      const client = new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n`)
      const reply = await client.until(/\r\n\r\nno/)
      expect(reply).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
      expect(reply).toMatch(/\r\nConnection: close\r\n/)
      // One adapter ends the content with a line break.
      const content = reply.slice(reply.indexOf('\r\n\r\n') + 4)
      expect(content.trimEnd()).toBe('no')
      expect(reply).toContain(`\r\nContent-Length: ${content.length}\r\n`)
    })

    test('a client that is still sending when it is refused can read the refusal', async () => {
      const server = await adapter.start(async () => text('no', 403))
      const reply = new RawClient(server.port)
        .send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: ${8 * MiB}\r\n\r\n`, new Uint8Array(8 * MiB))
        .closed()
      expect(await reply).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*\r\n\r\nno/s)
    })

    test('after the refusal of a small upload the connection goes on', async () => {
      const server = await adapter.start(async (request) => (request.method === 'PUT' ? text('no', 403) : text('<yes>')))
      const client = new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n01234`)
      await client.until('no')
      const received = await client.send(`56789GET / HTTP/1.1\r\n${HOST}\r\n`).until('<yes>')
      expect(received).toContain('<yes>')
    })

    test('a stream in reply to a body nobody reads follows that body', async () => {
      const server = await adapter.start(async () => {
        let left = 3
        const source = { read: async () => (left-- > 0 ? Buffer.from('abc') : undefined), close: () => undefined }
        return { status: 200, headers: [], body: { kind: 'stream', bytes: 9, source } }
      })
      const client = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n01234`)
      expect(await client.send('56789').until('abcabcabc')).toContain('\r\n\r\nabcabcabc')
    })

    test('an upload that breaks off rejects the read and aborts the signal', async () => {
      const outcome = deferred<unknown>()
      const reading = deferred<void>()
      const server = await adapter.start(async (request) => {
        const { signal } = request
        await request.body.read()
        const next = request.body.read()
        reading.resolve()
        await next.catch((error: unknown) => outcome.resolve([error instanceof RequestAborted, signal.aborted]))
        return text('nobody hears it')
      })
      const client = new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: ${MiB}\r\n\r\n`, new Uint8Array(1000))
      await reading.promise
      client.destroy()
      expect(await outcome.promise).toEqual([true, true])
    })

    test('a broken chunk rejects the read', async () => {
      const outcome = deferred<unknown>()
      const server = await adapter.start(async (request) => {
        await readAll(request.body).catch((error: unknown) => outcome.resolve(error))
        return text('nobody hears it')
      })
      new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`)
      expect(await outcome.promise).toBeInstanceOf(RequestAborted)
    })

    test('a client that stops in the middle of its body is cut off', async () => {
      const outcome = deferred<unknown>()
      const server = await adapter.start(
        async (request) => {
          await readAll(request.body).catch((error: unknown) => outcome.resolve(error))
          return text('nobody hears it')
        },
        { bodyIdleMs: 1 },
      )
      const client = new RawClient(server.port).send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 1000\r\n\r\n`, new Uint8Array(10))
      expect(await outcome.promise).toBeInstanceOf(RequestAborted)
      expect(await client.closed()).toBe('')
    })

    test('a client that stops taking its reply is cut off, and the source closed', async () => {
      const closed = deferred<void>()
      const source = { read: async () => new Uint8Array(256 * KiB), close: () => closed.resolve() }
      const server = await adapter.start(async () => ({ status: 200, headers: [], body: { kind: 'stream', bytes: 1e12, source } }), {
        sendIdleMs: 1,
      })
      const { connect } = await import('node:net')
      const socket = connect(server.port, '127.0.0.1')
      socket.pause()
      socket.on('error', () => undefined)
      socket.write(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      await closed.promise
      socket.destroy()
    })
  })
}
