/** CORS preflight requests, which carry no signature. Source: Amazon S3 API Reference, "OPTIONS object". */
import type { HttpRequest } from '../http/exchange.ts'
import type { Store } from '../store/store.ts'
import { type S3Failure, s3Failure } from './errors.ts'
import type { Target } from './router.ts'

const METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'HEAD', 'POST', 'DELETE'])

/** RFC 9110, 5.6.2: a token. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** No bucket has a CORS configuration yet, so the answer is the refusal that Amazon gives for one without. */
export async function refusePreflight(request: HttpRequest, target: Target, store: Store): Promise<S3Failure> {
  if (!request.headers.get('origin')) {
    return s3Failure('BadRequest', { message: 'Insufficient information. Origin request header needed.' })
  }
  const method = request.headers.get('access-control-request-method')
  if (method !== undefined && !METHODS.has(method)) {
    return s3Failure('BadRequest', { message: `Invalid Access-Control-Request-Method: ${method}` })
  }
  const wanted = request.headers.get('access-control-request-headers') ?? ''
  const odd = wanted.split(',').find((name) => !HEADER_NAME.test(name.trim()))
  if (wanted !== '' && odd !== undefined) {
    return s3Failure('BadRequest', { message: `Access-Control-Request-Headers "${odd}" contains invalid character.` })
  }
  if (target.bucket !== undefined && (await store.findBucket(target.bucket)) === undefined) {
    const message = 'CORSResponse: Bucket not found'
    return s3Failure('AccessForbidden', { message, elements: { Method: method ?? 'OPTIONS', ResourceType: 'BUCKET' } })
  }
  return s3Failure('AccessForbidden', { elements: { Method: method ?? 'OPTIONS', ResourceType: target.resource.toUpperCase() } })
}
