/** Clients that go away in the middle of what they send or take. */
import { connect } from 'node:net'
import { endpointOf } from '../e2e/site-contents.ts'
import { signedHeaders } from '../s3/suite/raw.ts'
import type { ServedSite } from '../served-site.ts'

const UPLOAD_BLOCK = 'upload'

type Target = { readonly path: string; readonly query?: string | undefined }

/** The head of a request for a body of so many bytes. */
function signedHead(site: ServedSite, method: string, { path, query }: Target, bodyBytes: number): string {
  const headers = { 'content-length': String(bodyBytes) }
  const { host } = new URL(site.endpoint)
  const signed = signedHeaders(
    endpointOf(site),
    { method, path, headers, contentSha256: 'UNSIGNED-PAYLOAD', ...(query && { query }) },
    host,
  )
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path}${query ? `?${query}` : ''} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** Sends so much of `bytes` and goes away. Most of it may still be with the kernels by then. */
export function breakOffUpload(site: ServedSite, target: Target, { sent, of: bytes }: { sent: number; of: number }): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(site.port, '127.0.0.1').on('error', () => resolve())
    socket.on('close', () => resolve())
    socket.write(signedHead(site, 'PUT', target, bytes))
    socket.write(Buffer.alloc(sent, UPLOAD_BLOCK), () => socket.destroy())
  })
}

/** Takes so much, or all, and goes away. */
export function breakOffDownload(site: ServedSite, target: Target, takenBytes: number): Promise<void> {
  return new Promise((resolve) => {
    let taken = 0
    const socket = connect(site.port, '127.0.0.1').on('error', () => resolve())
    socket.on('close', () => resolve())
    socket.on('data', (bytes) => {
      taken += bytes.length
      if (taken >= takenBytes) socket.destroy()
    })
    socket.write(signedHead(site, 'GET', target, 0))
  })
}
