/**
 * Requests that no SDK would send: a small AWS Signature Version 4 signer of the suite's own over node:http, so that header, path, query and
 * body go out exactly as written. Source: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
 */
import { createHash, createHmac } from 'node:crypto'
import { request } from 'node:http'
import type { Endpoint } from './endpoint.ts'

export type RawRequest = {
  readonly method: string
  /** As sent: percent-encoded by the caller. */
  readonly path: string
  /** As sent, without '?'. Names without '=' are signed as 'name='. */
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
  /** The value of x-amz-content-sha256, if not the digest of the body. */
  readonly contentSha256?: string
  readonly unsigned?: true
  /** Signed with another secret. */
  readonly tamper?: true
}

export type RawReply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
  /** The text of the first such element of an XML body; '' if there is none. */
  element(name: string): string
}

const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: Uint8Array | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** The headers to send: those given, the signature, and what it is made over. */
export function signedHeaders(to: Endpoint, sent: RawRequest, host: string): Record<string, string> {
  const now = `${new Date().toISOString().replaceAll(/[-:]/g, '').slice(0, 15)}Z`
  const scope = `${now.slice(0, 8)}/${to.region}/s3/aws4_request`
  const contentSha256 = sent.contentSha256 ?? sha256(sent.body ?? '')
  const headers: Record<string, string> = { ...sent.headers, host, 'x-amz-date': now, 'x-amz-content-sha256': contentSha256 }
  const signed = Object.keys(headers)
    .map((name) => name.toLowerCase())
    .sort()
  const byName = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/ +/g, ' ')]))
  const query = (sent.query ?? '')
    .split('&')
    .filter((part) => part !== '')
    .map((part) => (part.includes('=') ? part : `${part}=`))
    .sort()
  const canonical = [
    sent.method,
    sent.path,
    query.join('&'),
    ...signed.map((name) => `${name}:${byName.get(name)}`),
    '',
    signed.join(';'),
    contentSha256,
  ].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', now, scope, sha256(canonical)].join('\n')
  let key: Uint8Array | string = `AWS4${to.credentials.secretAccessKey}${sent.tamper === true ? 'x' : ''}`
  for (const part of scope.split('/')) key = hmac(key, part)
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  const credential = `${to.credentials.accessKeyId}/${scope}`
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential},SignedHeaders=${signed.join(';')},Signature=${signature}`
  return headers
}

export function sendRaw(to: Endpoint, sent: RawRequest): Promise<RawReply> {
  const url = new URL(to.endpoint)
  const headers = sent.unsigned === true ? { ...sent.headers } : signedHeaders(to, sent, sent.headers?.host ?? url.host)
  const path = sent.query === undefined ? sent.path : `${sent.path}?${sent.query}`
  return new Promise((resolve, reject) => {
    const outgoing = request({
      host: url.hostname,
      port: url.port,
      method: sent.method,
      path,
      headers,
      setHost: sent.headers?.host === undefined,
    })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const element = (name: string) => new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`).exec(text)?.[1] ?? ''
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers as Record<string, string | undefined>, text, element })
      })
    })
    // As bytes: node:http sends headers together with a body of text, and then as UTF-8 instead of byte by byte.
    outgoing.end(sent.body === undefined ? undefined : Buffer.from(sent.body))
  })
}
