import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { HttpHandler, HttpReply } from '../../src/http/exchange.ts'
import { ADAPTERS, deferred, RawClient, readAll, sourceOf, text } from './adapters.ts'

const HOST = 'Host: a\r\n'
const KiB = 1024

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const bytesOf = (seed: number, length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => (seed * 31 + index * 7) % 256))

/** What a store does, in small: some replies come at once, some only after the disk, some piece by piece; a PUT is seen by what follows it. */
function smallStore(): HttpHandler & { readonly most: () => number } {
  const objects = new Map<string, Buffer>()
  let [running, most] = [0, 0]
  const answer: HttpHandler = async (request) => {
    const wait = Number(new URLSearchParams(request.rawQuery).get('wait') ?? 0)
    for (let index = 0; index < wait; index += 1) await turn()
    if (request.method === 'PUT') {
      const body = await readAll(request.body)
      objects.set(request.rawPath, body)
      return { status: 200, headers: [['ETag', `"${digest(body)}"`]], body: { kind: 'none' } }
    }
    const object = objects.get(request.rawPath)
    if (request.method === 'DELETE') return { status: objects.delete(request.rawPath) ? 204 : 404, headers: [], body: { kind: 'none' } }
    if (object === undefined) return text('<Error>NoSuchKey</Error>', 404)
    if (request.method === 'HEAD') return { status: 200, headers: [], body: { kind: 'head', bytes: object.length } }
    if (object.length < 1000) return { status: 200, headers: [], body: { kind: 'whole', content: object } }
    const pieces = [object.subarray(0, 500), object.subarray(500)]
    const source = sourceOf(pieces)
    const read = async (): Promise<Uint8Array | undefined> => {
      await turn()
      return source.read()
    }
    const bytes = request.rawQuery.includes('chunked') ? undefined : object.length
    return { status: 200, headers: [], body: { kind: 'stream', bytes, source: { read, close: source.close } } }
  }
  const counted: HttpHandler = async (request): Promise<HttpReply> => {
    running += 1
    most = Math.max(most, running)
    try {
      return await answer(request)
    } finally {
      running -= 1
    }
  }
  return Object.assign(counted, { most: () => most })
}

type Request = { readonly kind: string; readonly bytes: Buffer }

/** A request of each kind in turn. PUTs come first under each key, so that what follows depends on them. */
function requestOf(index: number, seed: number): Request {
  const key = `/${(index + seed) % 7}`
  const wait = `?wait=${(index * 5 + seed) % 4}`
  const body = bytesOf(index + seed, [0, 10, 900, 5 * KiB, 40 * KiB][(index + seed) % 5] ?? 0)
  const put = (framing: string, content: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`PUT ${key}${wait} HTTP/1.1\r\n${HOST}${framing}\r\n\r\n`), content])
  const chunk = (content: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${content.length.toString(16)}\r\n`), content, Buffer.from('\r\n')])
  const bare = (method: string): Buffer => Buffer.from(`${method} ${key}${wait} HTTP/1.1\r\n${HOST}\r\n`)
  switch (index % 8) {
    case 0:
      return { kind: 'PUT', bytes: put(`Content-Length: ${body.length}`, body) }
    case 3:
      return {
        kind: 'PUT',
        bytes: put(
          'Transfer-Encoding: chunked',
          Buffer.concat([chunk(Buffer.from('x')), chunk(Buffer.concat([body, Buffer.from('y')])), Buffer.from('0\r\n\r\n')]),
        ),
      }
    case 2:
      return { kind: 'HEAD', bytes: bare('HEAD') }
    case 5:
      return { kind: 'GET', bytes: Buffer.from(`GET /none${wait} HTTP/1.1\r\n${HOST}\r\n`) }
    case 6:
      return { kind: 'GET', bytes: Buffer.from(`GET ${key}${wait}&chunked HTTP/1.1\r\n${HOST}\r\n`) }
    case 7:
      return { kind: 'DELETE', bytes: bare('DELETE') }
    default:
      return { kind: 'GET', bytes: bare('GET') }
  }
}

const sequence = (count: number, seed = 0): Request[] => Array.from({ length: count }, (_, index) => requestOf(index, seed))
const GOODBYE = `GET /goodbye HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`
const undated = (received: string): string => received.replace(/Date: [^\r]*/g, 'Date:')

/** Whole replies to the requests given, in order. */
function repliesIn(received: string, requests: readonly Request[]): number {
  let [at, count] = [0, 0]
  for (const { kind } of requests) {
    const end = received.indexOf('\r\n\r\n', at)
    if (end === -1) return count
    const head = received.slice(at, end)
    at = end + 4
    const length = /content-length: (\d+)/i.exec(head)?.[1]
    if (kind !== 'HEAD' && length !== undefined) at += Number(length)
    else if (/transfer-encoding: chunked/i.test(head)) {
      const last = received.indexOf('\r\n0\r\n\r\n', at - 2)
      if (last === -1) return count
      at = last + 7
    }
    if (received.length < at) return count
    count += 1
  }
  return count
}

for (const adapter of ADAPTERS) {
  describe(adapter.name, () => {
    /** What a client gets that waits for each reply before it asks again. */
    async function oneByOne(requests: readonly Request[]): Promise<string> {
      const client = new RawClient((await adapter.start(smallStore())).port)
      for (let index = 0; index < requests.length; index += 1) {
        client.send((requests[index] as Request).bytes)
        await client.until((received) => repliesIn(received, requests) > index)
      }
      return undated(await client.send(GOODBYE).closed())
    }

    test('a hundred pipelined requests are answered in order, byte for byte as one by one', async () => {
      const requests = sequence(100)
      const handler = smallStore()
      const server = await adapter.start(handler)
      const received = await new RawClient(server.port).send(Buffer.concat(requests.map(({ bytes }) => bytes)), GOODBYE).closed()
      expect(repliesIn(received, requests)).toBe(100)
      expect(undated(received)).toBe(await oneByOne(requests))
      // Each has seen what the one before it did.
      expect(handler.most()).toBe(1)
    })

    test('it makes no difference where the stream is cut', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(1000), fc.array(fc.nat(200 * KiB), { maxLength: 30 }), async (seed, cuts) => {
          const requests = sequence(24, seed)
          const stream = Buffer.concat([...requests.map(({ bytes }) => bytes), Buffer.from(GOODBYE)])
          const client = new RawClient((await adapter.start(smallStore())).port)
          let from = 0
          for (const cut of [...cuts.map((at) => at % stream.length).sort((a, b) => a - b), stream.length]) {
            client.send(stream.subarray(from, cut))
            from = cut
            await turn()
          }
          expect(undated(await client.closed())).toBe(await oneByOne(requests))
        }),
        { numRuns: 25 },
      )
    })

    test('every byte of a pipelined stream may come alone', async () => {
      const requests = sequence(12).filter(({ bytes }) => bytes.length < 2 * KiB)
      const client = new RawClient((await adapter.start(smallStore())).port)
      for (const byte of Buffer.concat([...requests.map(({ bytes }) => bytes), Buffer.from(GOODBYE)])) {
        client.send(Uint8Array.of(byte))
        await turn()
      }
      expect(undated(await client.closed())).toBe(await oneByOne(requests))
    })

    test('connections that break off anywhere in a pipelined stream harm nobody', async () => {
      const server = await adapter.start(smallStore())
      const good = new RawClient(server.port)
      let asked = 0
      await fc.assert(
        fc.asyncProperty(
          fc.nat(1000),
          fc.array(fc.nat(300 * KiB), { minLength: 1, maxLength: 6 }),
          fc.nat(4),
          async (seed, ends, turns) => {
            const stream = Buffer.concat(sequence(24, seed).map(({ bytes }) => bytes))
            const broken = ends.map((end) => new RawClient(server.port).send(stream.subarray(0, end)))
            for (let index = 0; index < turns; index += 1) await turn()
            for (const client of broken) client.destroy()
            asked += 1
            good.send(`GET /none?wait=2 HTTP/1.1\r\n${HOST}\r\n`)
            await good.until((received) => received.split('NoSuchKey').length > asked)
          },
        ),
        { numRuns: 60 },
      )
    })

    test('a request that comes while a reply is under way waits for it', async () => {
      const [arrived, go] = [deferred<void>(), deferred<void>()]
      const begun: string[] = []
      const server = await adapter.start(async (request) => {
        begun.push(request.rawPath)
        if (request.rawPath === '/slow') {
          arrived.resolve()
          await go.promise
        }
        return text(`<${request.rawPath}>`)
      })
      const client = new RawClient(server.port).send(`GET /slow HTTP/1.1\r\n${HOST}\r\n`)
      await arrived.promise
      client.send(`GET /next HTTP/1.1\r\n${HOST}\r\nGET /last HTTP/1.1\r\n${HOST}Conn`)
      // Another connection's reply: the server has had its turns.
      await new RawClient(server.port).send(`GET /other HTTP/1.1\r\n${HOST}\r\n`).until('</other>')
      expect(begun).toEqual(['/slow', '/other'])
      go.resolve()
      const received = await client.send('ection: close\r\n\r\n').closed()
      expect(received.match(/<\/\w+>/g)).toEqual(['</slow>', '</next>', '</last>'])
    })

    test('bytes that are no request do not break into the reply before them', async () => {
      const chunks = Array.from({ length: 10 }, (_, index) => new Uint8Array(1000).fill(97 + index))
      const server = await adapter.start(async () => {
        await turn()
        return { status: 200, headers: [], body: { kind: 'stream', bytes: 10_000, source: sourceOf(chunks) } }
      })
      const received = await new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\nno request\r\n\r\n`).closed()
      const body = received.slice(received.indexOf('\r\n\r\n') + 4)
      expect(body.slice(0, 10_000)).toBe(Buffer.concat(chunks).toString('latin1'))
      expect(body.slice(10_000)).toMatch(/^$|^HTTP\/1\.1 (400|505) /)
    })

    test('nothing that follows the last request of a connection is done', async () => {
      const begun: string[] = []
      const server = await adapter.start(async (request) => {
        begun.push(request.rawPath)
        await turn()
        return text(`<${request.rawPath}>`)
      })
      for (const last of ['Connection: close\r\n', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'Expect: miracles\r\n']) {
        await new RawClient(server.port)
          .send(`GET /last HTTP/1.1\r\n${HOST}${last}\r\nDELETE /more HTTP/1.1\r\n${HOST}\r\n`.repeat(2))
          .closed()
      }
      expect(new Set(begun)).toEqual(new Set(['/last']))
    })

    test('a refused upload ends the connection before what follows it', async () => {
      const begun: string[] = []
      const server = await adapter.start(async (request) => {
        begun.push(request.rawPath)
        await turn()
        return text('no', 403)
      })
      const received = await new RawClient(server.port)
        .send(`PUT /1 HTTP/1.1\r\n${HOST}Content-Length: 2000000\r\n\r\n`, new Uint8Array(2_000_000), `DELETE /2 HTTP/1.1\r\n${HOST}\r\n`)
        .closed()
      expect(received).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*\r\n\r\nno/s)
      expect(begun).toEqual(['/1'])
    })

    test('a client that takes nothing until it has asked for everything gets it all', async () => {
      const [asked, content] = [400, Buffer.alloc(50 * KiB, 'a reply ')]
      let answered = 0
      const server = await adapter.start(async (request) => {
        if (request.rawQuery === 'wait') await turn()
        answered += 1
        return { status: 200, headers: [], body: { kind: 'whole', content } }
      })
      const socket = connect(server.port, '127.0.0.1').pause()
      const line = (index: number): string =>
        `GET /${index}?${index % 3 === 0 ? 'wait' : ''} HTTP/1.1\r\n${HOST}X-Long: ${'x'.repeat(300)}\r\n\r\n`
      socket.write(Array.from({ length: asked }, (_, index) => line(index)).join(''))
      socket.write(GOODBYE)
      // As many as fit between the two, and no more.
      for (let before = -1; before !== answered || answered === 0; await turn()) before = answered
      expect(answered).toBeLessThan(asked)
      let received = 0
      for await (const chunk of socket) received += (chunk as Buffer).length
      expect(answered).toBe(asked + 1)
      expect(received).toBeGreaterThan((asked + 1) * content.length)
    })

    test('stopping answers the request in hand, and begins none behind it', async () => {
      const [arrived, go] = [deferred<void>(), deferred<void>()]
      const begun: string[] = []
      const server = await adapter.start(async (request) => {
        begun.push(request.rawPath)
        arrived.resolve()
        await go.promise
        return text(`<${request.rawPath}>`)
      })
      const client = new RawClient(server.port).send(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`)
      await arrived.promise
      const stopped = server.stop(10_000)
      go.resolve()
      expect((await client.closed()).match(/<\/\w+>/g)).toEqual(['</1>'])
      await stopped
      expect(begun).toEqual(['/1'])
    })
  })
}
