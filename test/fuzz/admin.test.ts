/** The admin socket and the command line: only the owner reaches them, and still no bytes may end the server or be half understood. */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AdminCommand, AdminSite } from '../../src/admin/command.ts'
import { diskScrub } from '../../src/admin/commands/disk-scrub.ts'
import { ADMIN_COMMANDS } from '../../src/admin/commands/index.ts'
import { checkRootKeys, readRootKeys, saveRootKeys } from '../../src/admin/site-keys.ts'
import { type AdminServer, serveAdminSocket } from '../../src/admin/socket-server.ts'
import { formatBytes, parseBytes, parseDuration } from '../../src/cli/output.ts'
import { parseListen } from '../../src/cli/serve.ts'
import { ok } from '../../src/result.ts'
import { seeded } from '../bundles/seeded.ts'

const directory = mkdtempSync(join(tmpdir(), 'holdfast-admin-'))
const site = { clock: { nowMs: () => 0, timer: () => () => undefined } } as unknown as AdminSite
const echo: AdminCommand = { name: 'echo', run: async (_site, input) => ok({ input }) }
let server: AdminServer

beforeAll(async () => {
  server = await serveAdminSocket(directory, Promise.resolve(site), new Map([[echo.name, echo]]), site.clock)
})
afterAll(async () => {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Sends bytes as they are and gives all that comes back until the server closes. */
async function send(bytes: Uint8Array): Promise<string> {
  const socket = connect(join(directory, 'admin.sock'))
  socket.on('error', () => undefined)
  let reply = ''
  socket.on('data', (chunk) => {
    reply += chunk.toString()
  })
  socket.end(bytes)
  await once(socket, 'close')
  return reply
}

const post = (path: string, body: Uint8Array): Uint8Array =>
  Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nhost: holdfast\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`),
    body,
  ])

test('the socket answers after any bytes that came before', async () => {
  const pieces = fc.constantFrom(
    'POST ',
    '/v1/echo',
    ' HTTP/1.1\r\n',
    'content-length: 5\r\n',
    'transfer-encoding: chunked\r\n',
    '\r\n',
    '{}',
    'ffff\r\n',
  )
  const noise = fc.array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(noise, async (parts) => {
      await send(Buffer.from(parts.join('')))
      expect(await send(post('/v1/echo', Buffer.from('{"a":1}')))).toContain('{"result":{"input":{"a":1}}}')
    }),
    seeded({ numRuns: 100 }),
  )
})

test('a body that is not JSON, or more than 1 MiB of it, is refused with a sentence', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      async (body) => {
        const reply = await send(post('/v1/echo', body))
        let value: unknown
        try {
          value = JSON.parse(Buffer.from(body).toString())
        } catch {
          expect(reply).toContain('{"failure":{"exit":2,"sentence":"The request is not JSON')
          return
        }
        expect(reply).toContain(JSON.stringify({ result: { input: value } }))
      },
    ),
    seeded({ numRuns: 100 }),
  )
  expect(await send(post('/v1/echo', Buffer.from(`"${'x'.repeat(1024 * 1024)}"`)))).toMatch(/^(HTTP\/1.1 400|$)/)
  expect(await send(post('/v1/nothing', Buffer.from('{}')))).toContain('The server knows no command')
})

test('commands that need texts refuse whatever else stands in their place', async () => {
  const asking = [...ADMIN_COMMANDS.values()].filter(
    ({ name }) => !/^(status|disk\/status|disk\/scrub|site\/(identity|keys|rotate-key|new-epoch|serving)|peer\/list)$/.test(name),
  )
  const wrong = fc.oneof(
    fc.jsonValue().filter((value) => typeof value !== 'string' && !Array.isArray(value)),
    fc.constant(''),
    fc.constant([]),
    fc.constant([1]),
  )
  const fields = ['peer', 'out', 'dirs', 'receiptText', 'oldDirectory', 'newDirectory', 'identityText', 'name']
  const input = fc.oneof(fc.dictionary(fc.constantFrom(...fields), wrong), fc.constantFrom(null, 1, 'text', [], true))
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...asking), input, async (command, given) => {
      expect(await command.run(site, given, () => undefined, new AbortController().signal)).toMatchObject({ ok: false, error: { exit: 2 } })
    }),
    seeded({ numRuns: 500 }),
  )
})

test('a scrub refuses a rate that is none, or at which it would not end in useful time', async () => {
  const rate = fc.oneof(
    fc.integer({ min: 1, max: 999_999 }),
    fc.constantFrom(null, 0, -1, 1.5, Number.NaN, 2 ** 60, '1000', [], {}),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(rate, async (bytesPerSecond) => {
      const refused = await diskScrub.run(site, { bytesPerSecond }, () => undefined, new AbortController().signal)
      expect(refused).toMatchObject({ ok: false, error: { exit: 2 } })
    }),
    seeded({ numRuns: 100 }),
  )
})

test('sizes, times and addresses are what they say, or nothing', () => {
  const digits = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.stringMatching(/^\d{1,20}(\.\d{1,3})?\s?[kmgtKMGT]?i?[bB]?$/),
    fc.stringMatching(/^\d{1,8}[smhdw]$/),
  )
  fc.assert(
    fc.property(digits, (text) => {
      const bytes = parseBytes(text)
      if (bytes !== undefined) expect(Number.isSafeInteger(bytes) && bytes > 0 && formatBytes(bytes).length > 0).toBe(true)
      const duration = parseDuration(text)
      if (duration !== undefined) expect(Number.isSafeInteger(duration)).toBe(true)
    }),
    seeded({ numRuns: 2000 }),
  )
  fc.assert(
    fc.property(fc.nat(2 ** 40), fc.constantFrom('', 'B', 'KB', 'MiB', 'g', 'TB'), (count, unit) => {
      const base = unit.includes('i') ? 1024 : 1000
      const exact = count * base ** Math.max(0, 'BKMGT'.indexOf((unit[0] ?? 'B').toUpperCase()))
      expect(parseBytes(`${count}${unit}`)).toBe(exact > 0 && Number.isSafeInteger(exact) ? exact : undefined)
    }),
    seeded({ numRuns: 500 }),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.tuple(fc.string({ maxLength: 20 }), fc.nat(99_999)).map(([host, port]) => `${host}:${port}`),
      ),
      (text) => {
        const listen = parseListen(text)
        if (listen !== undefined) expect(listen.host !== '' && listen.port >= 0 && listen.port <= 65535).toBe(true)
      },
    ),
    seeded({ numRuns: 1000 }),
  )
})

test('root keys come back as they were saved, and a damaged file is said to be one', () => {
  const keys = fc.record({ accessKeyId: fc.string({ maxLength: 140 }), secretAccessKey: fc.string({ maxLength: 270 }) })
  fc.assert(
    fc.property(keys, (given) => {
      if (!checkRootKeys(given).ok) return
      expect(given.accessKeyId).toMatch(/^[A-Za-z0-9._-]{3,128}$/)
    }),
    seeded({ numRuns: 500 }),
  )
  const folder = join(directory, 'site')
  mkdirSync(folder, { recursive: true })
  saveRootKeys(folder, { accessKeyId: 'someone', secretAccessKey: 'secret"\\ü' })
  expect(readRootKeys(folder)).toEqual({ ok: true, value: { accessKeyId: 'someone', secretAccessKey: 'secret"\\ü' } })
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      writeFileSync(join(folder, 'keys', 'root.json'), text)
      const read = readRootKeys(folder)
      expect(read.ok ? '' : read.error).toContain('is damaged: copy the keys folder back')
    }),
    seeded({ numRuns: 50 }),
  )
})
