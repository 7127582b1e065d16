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
import { EMPTY_SHA256 } from './checksum-algorithms.ts'
import { type S3Failure, s3Fail, s3Failure } from './errors.ts'
import type { AnyOperation, Context, S3Reply } from './operation.ts'
import { OperationTable, type TableEntry } from './operation-table.ts'
import { createPayload, NO_PAYLOAD, type Payload } from './payload.ts'
import { refusePreflight } from './preflight.ts'
import { withPresignedHeaders } from './presigned-headers.ts'
import { decodeComponent, parseQuery, type Query } from './query.ts'
import { findTarget, type Target } from './router.ts'
import { Sender } from './sender.ts'
import { SigningKeys } from './signing-keys.ts'
import { type Authenticated, authenticate } from './sigv4.ts'
import { checkExpectedOwner, checkHeaderBytes, checkHeaders, checkParameters } from './understood.ts'

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

/** A request whose operation has been named. */
type Named = {
  readonly http: HttpRequest
  readonly query: Query
  readonly target: Target
  readonly entry: TableEntry
}

/** One whose signature has been verified, and that may be done. */
type Admitted = Named & { readonly operation: AnyOperation; readonly caller: Caller; readonly payload: Payload }

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
    let payload: Payload = NO_PAYLOAD
    let operation = 'unknown'
    try {
      if (request.method === 'OPTIONS') return await this.#preflight(id, request)
      const named = this.#name(request)
      if (!named.ok) return this.#fail(id, named.error, request)
      operation = named.value.entry.name
      const admitted = this.#admit(request, named.value)
      if (!admitted.ok) return this.#fail(id, admitted.error, request)
      payload = admitted.value.payload
      lease = this.#parts.store.lease()
      const reply = await this.#run(id, admitted.value)
      if (reply.ok) return this.#sender.reply(id, reply.value, lease)
      lease.release()
      return this.#fail(id, reply.error, request)
    } catch (error) {
      lease.release()
      this.#parts.log?.({ requestId: id, operation, error })
      return this.#fail(id, s3Failure('InternalError'), request)
    } finally {
      payload.close()
    }
  }

  async #preflight(id: string, request: HttpRequest): Promise<HttpReply> {
    const target = findTarget(request, this.#domains)
    if (!target.ok) return this.#fail(id, target.error, request)
    const lease = this.#parts.store.lease()
    try {
      return this.#fail(id, await refusePreflight(request, target.value, this.#parts.store), request)
    } finally {
      lease.release()
    }
  }

  /** Errors of addresses and of operations that S3 has not, which Amazon answers to anybody. */
  #name(request: HttpRequest): Result<Named, S3Failure> {
    const tooLarge = checkHeaderBytes(request.headers)
    if (tooLarge !== undefined) return { ok: false, error: tooLarge }
    const query = parseQuery(request.rawQuery)
    if (!query.ok) return query
    const target = findTarget(request, this.#domains)
    if (!target.ok) return target
    const isPresigned = query.value.values.has('X-Amz-Signature')
    const http = isPresigned ? withPresignedHeaders(request, query.value.values) : request
    const entry = this.#table.find(target.value.resource, { method: http.method, query: query.value.values, headers: http.headers })
    return entry.ok ? ok({ http, query: query.value, target: target.value, entry: entry.value }) : entry
  }

  /** Authenticates and authorizes, and checks what is said of the body. Waits for nothing. */
  #admit(request: HttpRequest, named: Named): Result<Admitted, S3Failure> {
    const { http, query, target, entry } = named
    const { region, identities, clock } = this.#parts
    const signed = authenticate(request, query, { region, identities, keys: this.#keys, nowMs: clock.nowMs() })
    if (!signed.ok) return signed
    const wrongDigest = checkContentSha256(http, entry.name, signed.value.contentSha256)
    if (wrongDigest !== undefined) return { ok: false, error: wrongDigest }
    const { operation } = entry
    if (operation === undefined) return s3Fail('NotImplemented', { elements: { Operation: entry.name } })
    const { bucket, key, resource } = target
    if (authorize({ caller: signed.value.caller, permission: operation.permission, bucket, key }) === 'deny') return s3Fail('AccessDenied')
    const misunderstood = checkHeaders(entry, http.headers) ?? checkParameters(entry, resource, query.values, this.#table)
    if (misunderstood !== undefined) return { ok: false, error: misunderstood }
    const payload = payloadOf(http, operation, signed.value)
    return payload.ok ? ok({ ...named, operation, caller: signed.value.caller, payload: payload.value }) : payload
  }

  async #run(id: string, admitted: Admitted): Promise<Result<S3Reply, S3Failure>> {
    const { http, query, target, operation, caller, payload } = admitted
    const { store } = this.#parts
    let bucket: Bucket | undefined
    if (target.bucket !== undefined && operation.bucketNotNeeded !== true) {
      bucket = await store.findBucket(target.bucket)
      if (bucket === undefined) return noSuchBucket(target.bucket)
      const foreign = checkExpectedOwner(bucket, http.headers)
      if (foreign !== undefined) return { ok: false, error: foreign }
    }
    const run = operation.prepare({ id, http, query: query.values, bucket: target.bucket, key: target.key, payload })
    return run.ok ? run.value(this.#context(bucket, caller, http.signal)) : run
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

/** Of these alone Amazon takes the body in chunks. */
const TAKES_CHUNKS: ReadonlySet<string> = new Set(['PutObject', 'UploadPart'])

/** What is said of the body in x-amz-content-sha256 and cannot be, seen without reading it. */
function checkContentSha256(http: HttpRequest, operation: string, contentSha256: string): S3Failure | undefined {
  if (contentSha256.startsWith('STREAMING-')) {
    if (TAKES_CHUNKS.has(operation)) return undefined
    return s3Failure('InvalidRequest', { message: 'The value of x-amz-content-sha256 header is invalid.' })
  }
  const isDigest = contentSha256.length === EMPTY_SHA256.length
  if (!isDigest || http.body.declaredBytes !== 0 || contentSha256.toLowerCase() === EMPTY_SHA256) return undefined
  return s3Failure('XAmzContentSHA256Mismatch', {
    elements: { ClientComputedContentSHA256: contentSha256, S3ComputedContentSHA256: EMPTY_SHA256 },
  })
}

function payloadOf(http: HttpRequest, operation: AnyOperation, signed: Authenticated): Result<Payload, S3Failure> {
  if (http.method !== 'PUT' && http.method !== 'POST') return ok(NO_PAYLOAD)
  // The x-amz-checksum-* headers of CompleteMultipartUpload are of the object that the parts make; its body is a list of them.
  const checksumOf = operation.name === 'CompleteMultipartUpload' ? 'object' : 'body'
  const md5Shown = operation.name === 'PutObject' ? 'hex' : 'base64'
  return createPayload(http, { contentSha256: signed.contentSha256, seed: signed.seed, checksumOf, md5Shown })
}
