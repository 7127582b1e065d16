/**
 * The one road that every S3 request takes: name the operation, authenticate, authorize, check, parse, run, send.
 *
 * Nothing is read from the store, and no byte of the body, before the caller is known and allowed.
 */
import type { Clock, Random } from '../environment.ts'
import type { HttpHandler, HttpReply, HttpRequest } from '../http/exchange.ts'
import { authorize } from '../iam/authorize.ts'
import type { Caller, Identities } from '../iam/identities.ts'
import { ok, type Result } from '../result.ts'
import type { Lease, Store } from '../store/store.ts'
import type { Bucket, BucketName } from '../store/terms.ts'
import { type S3Failure, s3Fail, s3Failure } from './errors.ts'
import type { AnyOperation, Context, S3Reply } from './operation.ts'
import { OperationTable, type TableEntry } from './operation-table.ts'
import { createPayload, NO_PAYLOAD, type Payload } from './payload.ts'
import { refusePreflight } from './preflight.ts'
import { withPresignedHeaders } from './presigned-headers.ts'
import { decodeComponent, parseQuery } from './query.ts'
import { findTarget, type Target } from './router.ts'
import { Sender } from './sender.ts'
import { SigningKeys } from './signing-keys.ts'
import { type Authenticated, authenticate } from './sigv4.ts'
import { checkExpectedOwner, checkHeaders, checkParameters } from './understood.ts'

export type S3HandlerParts = {
  readonly store: Store
  readonly operations: readonly AnyOperation[]
  readonly identities: Identities
  readonly region: string
  /** Names below which a host name begins with a bucket's: "bucket.localhost". */
  readonly domains: readonly string[]
  readonly clock: Clock
  readonly random: Random
  /** Told of what nobody foresaw: the client gets InternalError with the same id. */
  readonly log?: (event: { readonly requestId: string; readonly operation: string; readonly error: unknown }) => void
}

export function createS3Handler(parts: S3HandlerParts): HttpHandler {
  const road = new Road(parts)
  return (request) => road.answer(request)
}

/** The lease of a request that never came to need the store. */
const NO_LEASE: Lease = { release: () => undefined }

/** What is known of a request once it is named and its signature verified. */
type Admitted = {
  readonly http: HttpRequest
  readonly query: ReadonlyMap<string, string>
  readonly target: Target
  readonly entry: TableEntry
  readonly operation: AnyOperation
  readonly signed: Authenticated
}

class Road {
  readonly #parts: S3HandlerParts
  readonly #table: OperationTable
  readonly #domains: readonly string[]
  readonly #keys: SigningKeys
  readonly #sender: Sender
  readonly #idStart: string
  #idCount = 0

  constructor(parts: S3HandlerParts) {
    this.#parts = parts
    this.#table = new OperationTable(parts.operations)
    this.#domains = parts.domains.map((domain) => domain.toLowerCase()).sort((a, b) => b.length - a.length)
    this.#keys = new SigningKeys(parts.region)
    this.#sender = new Sender(Buffer.from(parts.random.bytes(48)).toString('base64'))
    this.#idStart = Buffer.from(parts.random.bytes(4)).toString('hex').toUpperCase()
  }

  async answer(request: HttpRequest): Promise<HttpReply> {
    const id = this.#nextId()
    let lease = NO_LEASE
    let operation = 'unknown'
    try {
      const admitted = this.#admit(request)
      if (!admitted.ok) return this.#fail(id, admitted.error, request)
      operation = admitted.value.entry.name
      lease = this.#parts.store.lease()
      const reply = await this.#run(id, admitted.value)
      if (reply.ok) return this.#sender.reply(id, reply.value, lease)
      lease.release()
      return this.#fail(id, reply.error, request)
    } catch (error) {
      lease.release()
      this.#parts.log?.({ requestId: id, operation, error })
      return this.#fail(id, s3Failure('InternalError'), request)
    }
  }

  /** Names and authenticates. Neither waits for anything. */
  #admit(request: HttpRequest): Result<Admitted, S3Failure> {
    const query = parseQuery(request.rawQuery)
    if (!query.ok) return query
    const target = findTarget(request, this.#domains)
    if (!target.ok) return target
    if (request.method === 'OPTIONS') return { ok: false, error: refusePreflight(request, target.value) }
    const { region, identities, clock } = this.#parts
    const signed = authenticate(request, query.value, { region, identities, keys: this.#keys, nowMs: clock.nowMs() })
    if (!signed.ok) return signed
    const { values } = query.value
    const http = signed.value.place === 'query' ? withPresignedHeaders(request, values) : request
    const { resource, bucket, key } = target.value
    const entry = this.#table.find(resource, { method: http.method, query: values, headers: http.headers })
    if (!entry.ok) return entry
    const { operation, name } = entry.value
    if (operation === undefined) return s3Fail('NotImplemented', { message: `${name} is not implemented.`, elements: { Operation: name } })
    if (authorize({ caller: signed.value.caller, permission: operation.permission, bucket, key }) === 'deny') return s3Fail('AccessDenied')
    const misunderstood = checkHeaders(entry.value, http.headers) ?? checkParameters(entry.value, resource, values, this.#table)
    if (misunderstood !== undefined) return { ok: false, error: misunderstood }
    return ok({ http, query: values, target: target.value, entry: entry.value, operation, signed: signed.value })
  }

  async #run(id: string, admitted: Admitted): Promise<Result<S3Reply, S3Failure>> {
    const { http, query, target, operation, signed } = admitted
    const { store } = this.#parts
    let bucket: Bucket | undefined
    if (target.bucket !== undefined && operation.bucketNotNeeded !== true) {
      bucket = await store.findBucket(target.bucket)
      if (bucket === undefined) return noSuchBucket(target.bucket)
      const foreign = checkExpectedOwner(bucket, http.headers)
      if (foreign !== undefined) return { ok: false, error: foreign }
    }
    const payload = payloadOf(http, operation, signed)
    if (!payload.ok) return payload
    const run = operation.prepare({ id, http, query, bucket: target.bucket, key: target.key, payload: payload.value })
    return run.ok ? run.value(this.#context(bucket, signed.caller, http.signal)) : run
  }

  #context(bucket: Bucket | undefined, caller: Caller, signal: AbortSignal): Context {
    const { store, region, clock, random } = this.#parts
    if (bucket !== undefined) return { store, bucket, caller, region, clock, random, signal }
    return {
      store,
      caller,
      region,
      clock,
      random,
      signal,
      get bucket(): never {
        throw new Error('This operation has no bucket.')
      },
    }
  }

  /** Sixteen digits: four bytes drawn at the start, then a count. */
  #nextId(): string {
    this.#idCount = (this.#idCount + 1) >>> 0
    return this.#idStart + this.#idCount.toString(16).toUpperCase().padStart(8, '0')
  }

  #fail(id: string, failure: S3Failure, request: HttpRequest): HttpReply {
    return this.#sender.failure(id, failure, request.method, decodeComponent(request.rawPath, 'literal') ?? request.rawPath)
  }
}

const noSuchBucket = (name: BucketName) => s3Fail('NoSuchBucket', { elements: { BucketName: name } })

function payloadOf(http: HttpRequest, operation: AnyOperation, signed: Authenticated): Result<Payload, S3Failure> {
  if (http.method !== 'PUT' && http.method !== 'POST') return ok(NO_PAYLOAD)
  return createPayload(http, {
    contentSha256: signed.contentSha256,
    seed: signed.seed,
    // Its x-amz-checksum-* headers are of the object that the parts make, and the body is a list of them.
    checksumOf: operation.name === 'CompleteMultipartUpload' ? 'object' : 'body',
  })
}
