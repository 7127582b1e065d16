/** A road with tiny operations over a store in memory: requests go in as values, no socket is opened. */
import { createHash } from 'node:crypto'
import type { HttpHandler, HttpReply, HttpRequest } from '../../src/http/exchange.ts'
import { rootIdentities } from '../../src/iam/identities.ts'
import { fail, ok } from '../../src/result.ts'
import { s3Fail } from '../../src/s3/errors.ts'
import { createS3Handler } from '../../src/s3/handler.ts'
import { type AnyOperation, define } from '../../src/s3/operation.ts'
import type { Payload } from '../../src/s3/payload.ts'
import { readXml, receiveContent } from '../../src/s3/receive.ts'
import { deriveSigningKey } from '../../src/s3/signing-keys.ts'
import { element, textOf, xmlDocument } from '../../src/s3/xml.ts'
import type { ContentWriter, Store } from '../../src/store/store.ts'
import type { Bucket, BucketId, BucketName, SiteId, StagedContent, StoreFault } from '../../src/store/terms.ts'

/** The keys in Amazon's examples. */
export const ACCESS_KEY = 'AKIAIOSFODNN7EXAMPLE'
export const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
/** The time of Amazon's examples: 24 May 2013. */
export const EXAMPLE_MS = Date.UTC(2013, 4, 24)

export type Sent = {
  readonly method?: string
  readonly path: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The body in the pieces that the network brings. */
  readonly body?: readonly Uint8Array[]
}

export function httpRequest(sent: Sent): HttpRequest {
  const pieces = [...(sent.body ?? [])].filter((piece) => piece.length > 0)
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const headers = new Map(Object.entries(sent.headers ?? {}))
  if (!headers.has('content-length') && sent.body !== undefined) headers.set('content-length', String(bytes))
  return {
    method: sent.method ?? 'GET',
    rawPath: sent.path,
    rawQuery: sent.query ?? '',
    headers,
    remoteAddress: '127.0.0.1',
    secure: false,
    body: { declaredBytes: Number(headers.get('content-length') ?? 0), read: async () => pieces.shift() },
    signal: new AbortController().signal,
  }
}

export type Site = {
  readonly handler: HttpHandler
  /** What was stored, by "bucket/key". */
  readonly stored: Map<string, { readonly body: Buffer; readonly checksum: string }>
  /** Contents begun and given up. */
  readonly aborted: { count: number }
  readonly leases: { open: number }
  readonly unforeseen: unknown[]
}

const OWNER = 'a'.repeat(64)

export function exampleSite(
  options: { readonly nowMs?: number; readonly region?: string; readonly domains?: readonly string[]; readonly foreseen?: StoreFault } = {},
): Site {
  const stored = new Map<string, { body: Buffer; checksum: string }>()
  const aborted = { count: 0 }
  const leases = { open: 0 }
  const unforeseen: unknown[] = []
  const handler = createS3Handler({
    store: memoryStore(aborted, leases, options.foreseen),
    operations: operations(stored),
    identities: rootIdentities({ accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY, ownerId: OWNER }),
    region: options.region ?? 'us-east-1',
    domains: options.domains ?? ['localhost', 's3.amazonaws.com'],
    clock: { nowMs: () => options.nowMs ?? EXAMPLE_MS, timer: () => () => undefined },
    random: { bytes: (count) => new Uint8Array(count).fill(7) },
    log: (event) => unforeseen.push(event.error),
  })
  return { handler, stored, aborted, leases, unforeseen }
}

function memoryStore(aborted: { count: number }, leases: { open: number }, foreseen: StoreFault | undefined): Store {
  const buckets = new Map<string, Bucket>()
  for (const name of ['examplebucket', 'my.bucket']) {
    const origin = { clock: 1, site: '0'.repeat(32) as SiteId, sequence: 1 }
    const facts = { owner: OWNER, createdMs: EXAMPLE_MS, versioning: 'unversioned', origin, configuration: {} } as const
    buckets.set(name, { id: 1 as BucketId, name: name as BucketName, ...facts })
  }
  const partial: Pick<Store, 'lease' | 'foreseenFault' | 'findBucket' | 'stage'> = {
    lease: () => {
      leases.open++
      return { release: () => void leases.open-- }
    },
    foreseenFault: () => foreseen,
    findBucket: async (name) => buckets.get(name),
    stage: (expectedBytes): ContentWriter => {
      const pieces: Uint8Array[] = []
      const copies = expectedBytes !== undefined && expectedBytes > 128 * 1024
      return {
        copies,
        get fault() {
          return Buffer.concat(pieces).includes('the disk is full now') ? ('full' as const) : undefined
        },
        write: (chunk) => void pieces.push(copies ? new Uint8Array(chunk) : chunk),
        finish: async () => {
          const place = Buffer.concat(pieces)
          return place.toString() === 'too much' ? fail('full' as const) : ok<StagedContent>({ bytes: place.length, place })
        },
        abort: () => void aborted.count++,
      }
    },
  }
  return partial as Store
}

function operations(stored: Map<string, { body: Buffer; checksum: string }>): readonly AnyOperation[] {
  const putObject = define<{ path: string; payload: Payload }, string>({
    name: 'PutObject',
    resource: 'object',
    method: 'PUT',
    selectors: [],
    permission: 's3:PutObject',
    parameters: [],
    headers: ['x-amz-storage-class', 'x-amz-meta-*', 'x-amz-sdk-checksum-algorithm'],
    parse: (request) => ok({ path: `${request.bucket}/${request.key}`, payload: request.payload }),
    run: async (context, { path, payload }) => {
      const received = await receiveContent(context.store, payload, { bytesMax: 1 << 20 })
      if (!received.ok) return received
      const { staged, md5Hex, checksum } = received.value
      stored.set(path, { body: staged.place as Buffer, checksum: `${checksum.algorithm}:${checksum.value}` })
      return ok(md5Hex)
    },
    render: (md5Hex) => ({ status: 200, headers: [['ETag', `"${md5Hex}"`]], body: { kind: 'none' } }),
  })
  const facts = {
    resource: 'object',
    selectors: [],
    permission: 's3:GetObject',
    parameters: ['versionId', 'response-content-type'],
    headers: ['x-amz-checksum-mode'],
  } as const
  const getObject = define<string, Buffer>({
    ...facts,
    name: 'GetObject',
    method: 'GET',
    parse: (request) => ok(`${request.bucket}/${request.key}`),
    run: async (_context, path) => {
      const found = stored.get(path)
      return found === undefined ? s3Fail('NoSuchKey', { elements: { Key: path.slice(path.indexOf('/') + 1) } }) : ok(found.body)
    },
    render: (body) => {
      const pieces = [body]
      const source = { read: async () => pieces.shift(), close: () => undefined }
      return { status: 200, headers: [], body: { kind: 'stream', bytes: body.length, source } }
    },
  })
  const headObject = define<string, string>({
    ...facts,
    name: 'HeadObject',
    method: 'HEAD',
    parse: (request) => ok(request.key),
    run: async (_context, key) => (key === 'crash' ? Promise.reject(new Error('a bug')) : s3Fail('NoSuchKey')),
    render: () => ({ status: 200, headers: [], body: { kind: 'none' } }),
  })
  /** Answers what the road made of the request. */
  const listObjects = define<string, string>({
    name: 'ListObjects',
    resource: 'bucket',
    method: 'GET',
    selectors: [],
    permission: 's3:ListBucket',
    parameters: ['prefix', 'max-keys', 'marker'],
    headers: [],
    parse: (request) => ok(element('Prefix', request.query.get('prefix'))),
    run: async (_context, rows) => ok(rows),
    render: (rows) => ({ status: 200, headers: [], body: { kind: 'xml', text: xmlDocument('ListBucketResult', rows) } }),
  })
  const putBucketVersioning = define<Payload, string>({
    name: 'PutBucketVersioning',
    resource: 'bucket',
    method: 'PUT',
    selectors: ['versioning'],
    permission: 's3:PutBucketVersioning',
    parameters: [],
    headers: [],
    parse: (request) => ok(request.payload),
    run: async (_context, payload) => {
      const root = await readXml(payload)
      return root.ok ? ok(textOf(root.value, 'Status') ?? '') : root
    },
    render: (status) => ({ status: 200, headers: [['x-status', status]], body: { kind: 'none' } }),
  })
  return [putObject, getObject, headObject, listObjects, putBucketVersioning]
}

export type Signing = {
  readonly amzDate?: string
  readonly region?: string
  readonly accessKey?: string
  readonly secretKey?: string
  readonly contentSha256?: string
  /** The path as the client believes it is canonical; the path itself by default. */
  readonly canonicalPath?: string
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** Signs as the documents say, for requests whose path and query are canonical already. */
export function sign(sent: Sent, signing: Signing = {}): Sent {
  const amzDate = signing.amzDate ?? '20130524T000000Z'
  const contentSha256 = signing.contentSha256 ?? sha256(Buffer.concat(sent.body ?? []))
  const headers: Record<string, string> = {
    host: 'localhost',
    'x-amz-date': amzDate,
    'x-amz-content-sha256': contentSha256,
    ...sent.headers,
  }
  const names = Object.keys(headers).sort()
  const lines = names.map((name) => `${name}:${headers[name]}\n`).join('')
  const path = signing.canonicalPath ?? sent.path
  const canonical = `${sent.method ?? 'GET'}\n${path}\n${sent.query ?? ''}\n${lines}\n${names.join(';')}\n${contentSha256}`
  const day = amzDate.slice(0, 8)
  const region = signing.region ?? 'us-east-1'
  const scope = `${day}/${region}/s3/aws4_request`
  const signature = deriveSigningKey(signing.secretKey ?? SECRET_KEY, day, region).sign(
    `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(canonical)}`,
    'hex',
  )
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${signing.accessKey ?? ACCESS_KEY}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  return { ...sent, headers }
}

export type Answer = {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
  readonly code: string
}

/** Sends and reads the reply to its end. `code`: of an error document, else ''. */
export async function send(site: Site, sent: Sent): Promise<Answer> {
  const reply: HttpReply = await site.handler(httpRequest(sent))
  let text = ''
  if (reply.body.kind === 'whole') text = Buffer.from(reply.body.content).toString()
  if (reply.body.kind === 'stream') {
    for (let next = await reply.body.source.read(); next !== undefined; next = await reply.body.source.read()) {
      text += Buffer.from(next).toString()
    }
    reply.body.source.close()
  }
  const headers = new Map(reply.headers.map(([name, value]) => [name.toLowerCase(), value] as const))
  return { status: reply.status, headers, text, code: /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? '' }
}
