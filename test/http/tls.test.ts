import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type PeerCertificate } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type NodeHttpServer, startNodeServer } from '../../src/http/node-server.ts'
import { text } from './adapters.ts'

let folder: string
let files: { certFile: string; keyFile: string }
let server: NodeHttpServer | undefined

/** Puts a certificate where the server reads it. */
function issue(name: 'first' | 'second'): void {
  const vectors = join(import.meta.dirname, '..', 'vectors', 'tls')
  copyFileSync(join(vectors, `${name}.crt`), files.certFile)
  copyFileSync(join(vectors, `${name}.key`), files.keyFile)
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'))
  files = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  issue('first')
  const started = await startNodeServer({
    host: '127.0.0.1',
    port: 0,
    tls: files,
    handler: async ({ secure }) => text(`secure: ${secure}`),
  })
  if (!started.ok) throw new Error(started.error.reason)
  server = started.value
})
afterEach(async () => {
  await server?.stop(0)
  rmSync(folder, { recursive: true })
})

type Handshake = { readonly certificate: string; readonly protocol: string | null; readonly group: string }

function handshake(port: number, ecdhCurve?: string): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { port, host: '127.0.0.1', rejectUnauthorized: false, ...(ecdhCurve === undefined ? {} : { ecdhCurve }) },
      () => {
        const certificate = (socket.getPeerCertificate() as PeerCertificate).subject.CN
        const key = socket.getEphemeralKeyInfo() as { name?: string } | null
        resolve({ certificate: String(certificate), protocol: socket.getProtocol(), group: key?.name ?? '' })
        socket.destroy()
      },
    )
    socket.once('error', reject)
  })
}

test('requests over TLS are served and known to be secure', async () => {
  const body = await new Promise<string>((resolve, reject) => {
    request({ port: server?.port, host: '127.0.0.1', rejectUnauthorized: false }, (reply) => {
      reply.once('data', (data: Buffer) => resolve(String(data)))
    })
      .once('error', reject)
      .end()
  })
  expect(body).toBe('secure: true')
})

test('a client of today negotiates the post-quantum group X25519MLKEM768', async () => {
  expect(await handshake(server?.port ?? 0)).toMatchObject({ protocol: 'TLSv1.3', group: 'X25519MLKEM768' })
})

test('an older client is served with X25519', async () => {
  expect(await handshake(server?.port ?? 0, 'X25519')).toMatchObject({ group: 'X25519' })
})

test('a renewed certificate is used after a reload', async () => {
  issue('second')
  expect((await handshake(server?.port ?? 0)).certificate).toBe('first')
  expect(server?.reloadTls().ok).toBe(true)
  expect((await handshake(server?.port ?? 0)).certificate).toBe('second')
})

test('a reload of files that do not fit keeps the certificate in use, and says so', async () => {
  writeFileSync(files.certFile, 'no certificate')
  expect(server?.reloadTls()).toMatchObject({ ok: false, error: { kind: 'bad-certificate' } })
  expect((await handshake(server?.port ?? 0)).certificate).toBe('first')
})

test('a server without a usable certificate does not start', async () => {
  writeFileSync(files.keyFile, 'no key')
  const started = await startNodeServer({ host: '127.0.0.1', port: 0, tls: files, handler: async () => text('') })
  expect(started).toMatchObject({ ok: false, error: { kind: 'bad-certificate' } })
})
