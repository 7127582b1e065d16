/**
 * What an S3 operation is: parsed input in, plain value out. The road (handler.ts) names it, authenticates, authorizes, parses, runs and renders;
 * an operation writes to no socket and knows no signature.
 */
import type { Clock, Random } from '../environment.ts'
import type { HttpRequest, ReplySource } from '../http/exchange.ts'
import type { Caller } from '../iam/identities.ts'
import { ok, type Result } from '../result.ts'
import type { Store } from '../store/store.ts'
import type { Bucket, BucketName } from '../store/terms.ts'
import type { S3Failure } from './errors.ts'
import type { Payload } from './payload.ts'

export type { Caller }

export type S3Request = {
  readonly id: string
  readonly http: HttpRequest
  /** Decoded once; a name sent twice keeps its first value. */
  readonly query: ReadonlyMap<string, string>
  readonly bucket: BucketName | undefined
  /** Decoded; '' only for operations on buckets and the service. */
  readonly key: string
  /** The body as the client meant it: chunk framing removed, signatures, digests and trailing checksums verified by its end. */
  readonly payload: Payload
}

export type Context = {
  readonly store: Store
  /** Of operations on a bucket or object: looked up before the operation runs (NoSuchBucket is answered by the road). Others must not touch it: it throws. */
  readonly bucket: Bucket
  readonly caller: Caller
  readonly region: string
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
}

export type Resource = 'service' | 'bucket' | 'object'

export interface OperationDefinition<Input, Output> {
  /** As AWS names it. */
  readonly name: string
  readonly resource: Resource
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Query parameters that select it ('uploads', 'versioning'; with a value: 'list-type=2'); all must be there. The most specific operation wins. */
  readonly selectors: readonly string[]
  /** Headers that select it, for CopyObject and UploadPartCopy. */
  readonly selectorHeaders?: readonly string[]
  /** As IAM names it: 's3:GetObject'. */
  readonly permission: string
  /** Other query parameters, and x-amz-* headers, that it understands. One that is sent and stands nowhere answers NotImplemented. */
  readonly parameters: readonly string[]
  readonly headers: readonly string[]
  /** CreateBucket does not need the bucket to be there. */
  readonly bucketNotNeeded?: true
  parse(request: S3Request): Result<Input, S3Failure>
  run(context: Context, input: Input): Promise<Result<Output, S3Failure>>
  render(output: Output, request: S3Request): S3Reply
}

/** An answer that went well. The sender adds x-amz-request-id, Date and the like. */
export type S3Reply = {
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body:
    | { readonly kind: 'none' }
    /** A whole document, made by xml.ts. */
    | { readonly kind: 'xml'; readonly text: string }
    | { readonly kind: 'head'; readonly bytes: number }
    | { readonly kind: 'stream'; readonly bytes: number; readonly source: ReplySource }
}

/** An operation with its input and output types closed over: what the table holds and the road drives. */
export type AnyOperation = Omit<OperationDefinition<unknown, unknown>, 'parse' | 'run' | 'render'> & {
  /** Parses now; the function given runs and renders. */
  prepare(request: S3Request): Result<(context: Context) => Promise<Result<S3Reply, S3Failure>>, S3Failure>
}

/** Closes over the types of a definition, so that operations of all shapes fit in one table. */
export function define<Input, Output>(definition: OperationDefinition<Input, Output>): AnyOperation {
  const { parse, run, render, ...facts } = definition
  return {
    ...facts,
    prepare(request) {
      const input = parse(request)
      if (!input.ok) return input
      return ok(async (context) => {
        const output = await run(context, input.value)
        return output.ok ? ok(render(output.value, request)) : output
      })
    },
  }
}
