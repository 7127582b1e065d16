import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'

const MiB = 1024 * 1024
const CLIENTS = 100
/**
 * Per upload BODY_AHEAD_BYTES and a receive buffer of the library (512 KiB) on top, per download a chunk of 128 KiB; beside that a constant for what the
 * allocator keeps of chunks sent and collected.
 */
const UPLOADS_BYTES_MAX = CLIENTS * 0.75 * MiB + 100 * MiB
/** The library keeps 64 KiB of replies and the one that went over it; node:http beside one reply the requests of a piece of 64 KiB. */
const PIPELINED_BYTES_MAX = CLIENTS * 0.75 * MiB + 100 * MiB
const DOWNLOADS_BYTES_MAX = CLIENTS * 0.25 * MiB + 100 * MiB

let child: ChildProcess | undefined
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  child?.disconnect()
})

type Measure = { readonly opened: number; readonly rss: number; readonly external: number }

async function measure(): Promise<Measure> {
  child?.send('measure')
  const [found] = (await once(child as ChildProcess, 'message')) as [Measure]
  return found
}

/** Once all clients are served and no byte has moved for a while, since the server has done for them all that it will. */
async function measureWhenStill(): Promise<Measure> {
  let before = 0
  for (;;) {
    const found = await measure()
    const moved = sockets.reduce((sum, socket) => sum + socket.bytesRead + socket.bytesWritten - socket.writableLength, 0)
    if (found.opened >= CLIENTS && moved === before) return found
    before = moved
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

describe.each(['uws', 'node'])('%s', (adapter) => {
  async function serve(): Promise<{ port: number; rss: number }> {
    child = fork(new URL('memory-server.ts', import.meta.url), [adapter], { execArgv: ['--expose-gc'], serialization: 'json' })
    const [{ port }] = (await once(child, 'message')) as [{ port: number }]
    return { port, rss: (await measure()).rss }
  }

  test('100 downloads of 1 GiB that nobody takes cost bounded memory', async () => {
    const { port, rss } = await serve()
    for (let index = 0; index < CLIENTS; index += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      socket.once('data', () => socket.pause())
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      sockets.push(socket)
    }
    expect((await measureWhenStill()).rss - rss).toBeLessThan(DOWNLOADS_BYTES_MAX)
  })

  test('100 clients that pipeline requests for ever and take no reply cost bounded memory', async () => {
    const { port, rss } = await serve()
    const requests = Buffer.from(`GET /small HTTP/1.1\r\nHost: a\r\nAuthorization: ${'s'.repeat(300)}\r\n\r\n`.repeat(200))
    for (let index = 0; index < CLIENTS; index += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      socket.pause()
      const push = (): void => {
        while (!socket.destroyed && socket.write(requests));
      }
      socket.on('drain', push)
      push()
      sockets.push(socket)
    }
    expect((await measureWhenStill()).rss - rss).toBeLessThan(PIPELINED_BYTES_MAX)
  })

  test('100 uploads of 1 GiB that are read too slowly cost bounded memory', async () => {
    const { port, rss } = await serve()
    const zeros = new Uint8Array(256 * 1024)
    for (let index = 0; index < CLIENTS; index += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${1024 * MiB}\r\n\r\n`)
      const push = (): void => {
        while (!socket.destroyed && socket.write(zeros));
      }
      socket.on('drain', push)
      push()
      sockets.push(socket)
    }
    expect((await measureWhenStill()).rss - rss).toBeLessThan(UPLOADS_BYTES_MAX)
  })
})
