/** Turns what an operation answers, or why it does not, into an HTTP reply. The one place that writes ids, error documents and the server's name. */
import type { HttpReply, ReplySource } from '../http/exchange.ts'
import type { Lease } from '../store/store.ts'
import { errorDocument } from './error-document.ts'
import { S3_ERRORS, type S3Failure } from './errors.ts'
import type { S3Reply } from './operation.ts'

type Header = readonly [name: string, value: string]

export class Sender {
  readonly #hostId: string

  /** `hostId` goes into x-amz-id-2: which process answered. */
  constructor(hostId: string) {
    this.#hostId = hostId
  }

  /** `lease` is released when the last byte of a stream has gone, or the client has; at once for any other body. */
  reply(requestId: string, reply: S3Reply, lease: Lease): HttpReply {
    const { body } = reply
    const headers: Header[] = [['x-amz-request-id', requestId], ['x-amz-id-2', this.#hostId], ...reply.headers]
    if (body.kind === 'stream') {
      return { status: reply.status, headers, body: { kind: 'stream', bytes: body.bytes, source: new LeasedSource(body.source, lease) } }
    }
    lease.release()
    if (body.kind !== 'xml') return { status: reply.status, headers, body }
    headers.push(['Content-Type', 'application/xml'])
    return { status: reply.status, headers, body: { kind: 'whole', content: body.text } }
  }

  /** `path` as the client sent it. Answers to HEAD, and 304, have no document. */
  failure(requestId: string, failure: S3Failure, method: string, path: string): HttpReply {
    const { status } = S3_ERRORS[failure.code]
    const headers: Header[] = [['x-amz-request-id', requestId], ['x-amz-id-2', this.#hostId], ...(failure.headers ?? [])]
    if (status === 304) return { status, headers, body: { kind: 'none' } }
    headers.push(['Content-Type', 'application/xml'])
    if (method === 'HEAD') return { status, headers, body: { kind: 'head', bytes: undefined } }
    return { status, headers, body: { kind: 'whole', content: errorDocument(failure, path, requestId, this.#hostId) } }
  }
}

class LeasedSource implements ReplySource {
  readonly lent: boolean
  readonly #source: ReplySource
  readonly #lease: Lease

  constructor(source: ReplySource, lease: Lease) {
    this.#source = source
    this.lent = source.lent === true
    this.#lease = lease
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#source.read()
  }

  close(): void {
    this.#source.close()
    this.#lease.release()
  }
}
