/** A command waits for hours for a server that works, and not for ever for one that does not. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { AdminCommand, AdminSite } from '../../src/admin/command.ts'
import { lockSite } from '../../src/admin/site-lock.ts'
import { askSite } from '../../src/admin/socket-client.ts'
import { serveAdminSocket } from '../../src/admin/socket-server.ts'
import type { Clock } from '../../src/environment.ts'
import { ok } from '../../src/result.ts'

/** Time goes on when the test says so. */
class HandClock implements Clock {
  readonly #timers = new Set<() => void>()
  #set: () => void = () => undefined
  nowMs = (): number => 0
  timer(_delayMs: number, then: () => void): () => void {
    const timer = (): void => {
      this.#timers.delete(timer)
      then()
    }
    this.#timers.add(timer)
    this.#set()
    return () => this.#timers.delete(timer)
  }
  /** Resolves when the next timer is set. */
  nextSet(): Promise<void> {
    return new Promise((resolve) => {
      this.#set = resolve
    })
  }
  /** All timers that are set now are due. */
  ring(): void {
    for (const timer of [...this.#timers]) timer()
  }
  get waiting(): number {
    return this.#timers.size
  }
}

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-silence-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const nothing = (): void => undefined

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(join(directory, 'admin.sock'), resolve))
}

test('a server that takes a command and then gives no sign of life is given up, with its process named', async () => {
  const sockets: Socket[] = []
  let connected: () => void = nothing
  const reached = new Promise<void>((resolve) => {
    connected = resolve
  })
  const frozen = createServer((socket) => {
    sockets.push(socket)
    connected()
  })
  await listening(frozen)
  const lock = await lockSite(directory)
  const clock = new HandClock()
  const asked = askSite(directory, 'status', {}, nothing, { clock })
  await reached
  clock.ring()
  clock.ring()
  expect(await asked).toMatchObject({
    ok: false,
    error: { exit: 6, sentence: expect.stringContaining(`process ${process.pid}, gives no sign of life`) },
  })
  expect(clock.waiting).toBe(0)
  for (const socket of sockets) socket.destroy()
  await lock?.release()
  await new Promise((resolve) => frozen.close(resolve))
})

test('a command that takes hours and tells no progress is waited for as long as the server gives signs of life', async () => {
  let finish: () => void = nothing
  const working = new Promise<void>((resolve) => {
    finish = resolve
  })
  const slow: AdminCommand = {
    name: 'slow',
    async run() {
      await working
      return ok({ sentence: 'Done.' })
    },
  }
  const [there, here] = [new HandClock(), new HandClock()]
  const opening = Promise.resolve({} as AdminSite)
  const server = await serveAdminSocket(directory, opening, new Map([[slow.name, slow]]), there)
  const asked = askSite(directory, 'slow', {}, nothing, { clock: here })
  await there.nextSet()
  for (let sign = 0; sign < 5; sign++) {
    const heard = here.nextSet()
    // Half of what may pass has passed; then comes the sign, and the wait begins anew.
    here.ring()
    await heard
    const anew = here.nextSet()
    there.ring()
    await anew
    expect(here.waiting).toBe(1)
  }
  finish()
  expect(await asked).toEqual({ ok: true, value: { sentence: 'Done.' } })
  await server.stop()
  expect([here.waiting, there.waiting]).toEqual([0, 0])
})

test('a command that waits for a site being opened is waited for as well', async () => {
  let open: (site: AdminSite) => void = nothing
  const opening = new Promise<AdminSite>((resolve) => {
    open = resolve
  })
  const quick: AdminCommand = { name: 'quick', run: async () => ok('done') }
  const [there, here] = [new HandClock(), new HandClock()]
  const server = await serveAdminSocket(directory, opening, new Map([[quick.name, quick]]), there)
  const asked = askSite(directory, 'quick', {}, nothing, { clock: here })
  await there.nextSet()
  const anew = here.nextSet()
  there.ring()
  await anew
  open({} as AdminSite)
  expect(await asked).toEqual({ ok: true, value: 'done' })
  await server.stop()
})

test('half an answer of a server that was killed is told as its end', async () => {
  const dying = createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"alive":true}\n{\r\n'))
  })
  await listening(dying)
  const asked = await askSite(directory, 'status', {}, nothing, { clock: new HandClock() })
  expect(asked).toMatchObject({ ok: false, error: { exit: 1, sentence: expect.stringContaining('The server ended before') } })
  await new Promise((resolve) => dying.close(resolve))
})
