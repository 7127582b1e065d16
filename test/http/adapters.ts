import { connect, type Socket } from 'node:net'
import { afterEach } from 'vitest'
import type { HttpHandler, HttpReply, HttpServer, ReplySource, RequestBody } from '../../src/http/exchange.ts'
import type { HttpLimits } from '../../src/http/limits.ts'
import { startNodeServer } from '../../src/http/node-server.ts'
import { startUwsServer } from '../../src/http/uws-server.ts'

export type Adapter = { readonly name: string; start(handler: HttpHandler, limits?: Partial<HttpLimits>): Promise<HttpServer> }

const running: HttpServer[] = []
const clients: RawClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(running.splice(0).map((server) => server.stop(0)))
})

/** Every test of the contract runs on both. */
export const ADAPTERS: readonly Adapter[] = [
  { name: 'uWebSockets.js', start: (handler, limits = {}) => started(startUwsServer({ host: '127.0.0.1', port: 0, handler, limits })) },
  { name: 'node:http', start: (handler, limits = {}) => started(startNodeServer({ host: '127.0.0.1', port: 0, handler, limits })) },
]

async function started(starting: ReturnType<typeof startUwsServer> | ReturnType<typeof startNodeServer>): Promise<HttpServer> {
  const result = await starting
  if (!result.ok) throw new Error(`${result.error.kind}: ${result.error.reason}`)
  running.push(result.value)
  return result.value
}

export const text = (content: string, status = 200): HttpReply => ({ status, headers: [], body: { kind: 'whole', content } })

export async function readAll(body: RequestBody): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export function sourceOf(chunks: readonly (Uint8Array | 'fail')[], closed: () => void = () => undefined): ReplySource {
  let index = 0
  return {
    read: async () => {
      const chunk = chunks[index]
      index += 1
      if (chunk === 'fail') throw new Error('the disk has gone')
      return chunk
    },
    close: closed,
  }
}

/** Bytes on a socket, as written. */
export class RawClient {
  private readonly socket: Socket
  private received = ''
  private ended = false
  private readonly watchers = new Set<() => void>()

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.on('data', (data) => {
      this.received += data.toString('latin1')
      this.wake()
    })
    const end = (): void => {
      this.ended = true
      this.wake()
    }
    this.socket.on('end', end).on('close', end).on('error', end)
    clients.push(this)
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher()
  }

  send(...parts: (string | Uint8Array)[]): this {
    for (const part of parts) this.socket.write(typeof part === 'string' ? Buffer.from(part, 'latin1') : part)
    return this
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Everything received, once `pattern` is in it or the server has closed. */
  until(pattern: string | RegExp | ((received: string) => boolean)): Promise<string> {
    if (typeof pattern === 'function') return this.when(() => pattern(this.received))
    return this.when(() => (typeof pattern === 'string' ? this.received.includes(pattern) : pattern.test(this.received)))
  }

  /** Everything received, once the server has closed. */
  closed(): Promise<string> {
    return this.when(() => false)
  }

  private when(found: () => boolean): Promise<string> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!this.ended && !found()) return
        this.watchers.delete(check)
        resolve(this.received)
      }
      this.watchers.add(check)
      check()
    })
  }
}

export type Deferred<T> = { readonly promise: Promise<T>; resolve(value: T): void }

export function deferred<T>(): Deferred<T> {
  return Promise.withResolvers<T>()
}
