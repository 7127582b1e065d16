import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HEADER_BYTES_MAX } from '../../src/http/limits.ts'
import { ADAPTERS, RawClient, readAll, text } from './adapters.ts'

const HOST = 'Host: a\r\n'

for (const adapter of ADAPTERS) {
  describe(adapter.name, () => {
    const start = () => adapter.start(async (request) => text(`<${(await readAll(request.body)).length}>`))

    test.each([
      ['no request at all', 'no sense\r\n\r\n', /^HTTP\/1\.1 (400|505) /],
      ['a blank in a header name', `GET / HTTP/1.1\r\n${HOST}a b: c\r\n\r\n`, /^HTTP\/1\.1 400 /],
      ['a header without a name', `GET / HTTP/1.1\r\n${HOST}: b\r\n\r\n`, /^HTTP\/1\.1 400 /],
      ['a header value with a control character', `GET / HTTP/1.1\r\n${HOST}a: b\x7f\r\n\r\n`, /^HTTP\/1\.1 400 /],
      ['a folded header', `GET / HTTP/1.1\r\n${HOST}a: b\r\n c\r\n\r\n`, /^HTTP\/1\.1 400 /],
      ['two hosts', `GET / HTTP/1.1\r\n${HOST}Host: b\r\n\r\n`, /^HTTP\/1\.1 400 /],
      ['no Host', 'GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
      ['an absolute URL', `GET http://a/ HTTP/1.1\r\n${HOST}\r\n`, /^HTTP\/1\.1 (400|505) /],
      ['a length that is no number', `PUT / HTTP/1.1\r\n${HOST}Content-Length: 0x5\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
      ['a negative length', `PUT / HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
      ['two lengths', `PUT / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, /^HTTP\/1\.1 400 /],
      [
        'length and chunks',
        `PUT / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        /^HTTP\/1\.1 400 /,
      ],
      ['another coding', `PUT / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 (400|501) /],
      ['an unknown expectation', `PUT / HTTP/1.1\r\n${HOST}Expect: miracles\r\nContent-Length: 5\r\n\r\nhello`, /^HTTP\/1\.1 417 /],
    ])('%s is refused and the connection closed', async (_, request, expected) => {
      const server = await start()
      const received = await new RawClient(server.port).send(request).closed()
      expect(received).toMatch(expected)
      expect(received.match(/HTTP\/1\.1 /g)?.length).toBe(1)
    })

    test('an empty length hides no second request in what follows', async () => {
      const server = await start()
      const received = await new RawClient(server.port)
        .send(`PUT / HTTP/1.1\r\n${HOST}Content-Length:\r\n\r\nGET /smuggled HTTP/1.1\r\n${HOST}\r\n`)
        .closed()
      expect(received).toMatch(/^HTTP\/1\.1 400 /)
      expect(received.match(/HTTP\/1\.1 /g)?.length).toBe(1)
    })

    test('a header without a name hides neither the length behind it nor a second request', async () => {
      const server = await start()
      const inner = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`
      for (const nameless of [': b\r\n', ':\r\n', ':: b\r\n']) {
        const received = await new RawClient(server.port)
          .send(`PUT / HTTP/1.1\r\n${HOST}${nameless}Content-Length: ${inner.length}\r\n\r\n${inner}`)
          .closed()
        expect(received).toMatch(/^HTTP\/1\.1 400 /)
        expect(received.match(/HTTP\/1\.1 /g)?.length).toBe(1)
      }
    })

    test('headers that come in pieces of any size are read as if they came at once', async () => {
      const server = await start()
      const request = `PUT / HTTP/1.1\r\n${HOST}a-b: c\r\nContent-Length: 3\r\n\r\nabc`
      for (let cut = 1; cut < request.length; cut++) {
        const client = new RawClient(server.port).send(request.slice(0, cut))
        await new Promise<void>((resolve) => setImmediate(resolve))
        expect(await client.send(request.slice(cut)).until('<3>')).toMatch(/^HTTP\/1\.1 200 /)
        client.destroy()
      }
    })

    test('headers and URL may be as long as a real client sends them', async () => {
      const server = await start()
      const meta = `x-amz-meta-a: ${'m'.repeat(2000)}\r\nAuthorization: ${'s'.repeat(2000)}\r\nx-amz-security-token: ${'t'.repeat(4000)}\r\n`
      const received = await new RawClient(server.port)
        .send(`GET /${'%C3%A9'.repeat(512)}?${'q'.repeat(2000)} HTTP/1.1\r\n${HOST}${meta}\r\n`)
        .until('<0>')
      expect(received).toMatch(/^HTTP\/1\.1 200 /)
    })

    test.each([
      ['one long header', `GET / HTTP/1.1\r\n${HOST}a: ${'b'.repeat(2 * HEADER_BYTES_MAX)}\r\n\r\n`],
      ['a long URL', `GET /${'b'.repeat(2 * HEADER_BYTES_MAX)} HTTP/1.1\r\n${HOST}\r\n`],
      ['many headers', `GET / HTTP/1.1\r\n${HOST}${'a: b\r\n'.repeat(HEADER_BYTES_MAX)}\r\n`],
      ['headers without end', `GET / HTTP/1.1\r\n${HOST}${'abc: d\r\n'.repeat(HEADER_BYTES_MAX)}`],
    ])('%s beyond the limit is refused and the connection closed', async (_, request) => {
      const server = await start()
      expect(await new RawClient(server.port).send(request).closed()).toMatch(/^HTTP\/1\.1 (400|431) |^$/)
    })

    test('bytes at random harm nobody else', async () => {
      const server = await start()
      const good = new RawClient(server.port)
      let asked = 0
      const piece = fc.oneof(
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
        {
          weight: 4,
          arbitrary: fc
            .constantFrom('GET / HTTP/1.1\r\n', 'PUT /a?b HTTP/1.1\r\n', HOST, 'Content-Length: 7\r\n', 'Transfer-Encoding: chunked\r\n')
            .map((line) => Buffer.from(line)),
        },
        {
          weight: 4,
          arbitrary: fc
            .constantFrom('\r\n', '5\r\nhello\r\n', '0\r\n\r\n', 'ffffffffffffffff\r\n', 'Expect: 100-continue\r\n', ': x\r\n', '\0')
            .map((line) => Buffer.from(line)),
        },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
          const socket = connect(server.port, '127.0.0.1')
          socket.on('error', () => undefined)
          for (const bytes of pieces) socket.write(bytes)
          await new Promise<void>((resolve) => socket.end(resolve))
          asked += 1
          const received = await good
            .send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`)
            .until((all) => all.split('<3>').length > asked)
          socket.destroy()
          expect(received.match(/<3>/g)?.length).toBe(asked)
        }),
        { numRuns: 150 },
      )
    })
  })
}

// uWebSockets.js looks every 4 s and allows at least 8: the two wait at the same time.
test('a client that never finishes its headers, or sends nothing after a reply, is cut off', async () => {
  await Promise.all(
    ADAPTERS.map(async (adapter) => {
      const server = await adapter.start(async () => text('<done>'), { headersMs: 100, keepAliveMs: 100 })
      const silent = new RawClient(server.port)
      const slow = new RawClient(server.port).send('GET / HTTP/1.1\r\nHost: a\r\nX')
      const satisfied = new RawClient(server.port).send(`GET / HTTP/1.1\r\n${HOST}\r\n`)
      expect(await silent.closed()).toMatch(/^$|^HTTP\/1\.1 408 /)
      expect(await slow.closed()).toMatch(/^$|^HTTP\/1\.1 408 /)
      expect(await satisfied.closed()).toMatch(/<done>$/)
    }),
  )
})
