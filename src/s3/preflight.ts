/** CORS preflight requests, which carry no signature. Source: Amazon S3 API Reference, "OPTIONS object". */
import type { HttpRequest } from '../http/exchange.ts'
import { type S3Failure, s3Failure } from './errors.ts'
import type { Target } from './router.ts'

/** No bucket has a CORS configuration yet, so the answer is a refusal, for a bucket as for one that is not there. */
export function refusePreflight(request: HttpRequest, target: Target): S3Failure {
  const method = request.headers.get('access-control-request-method')
  if (!request.headers.has('origin')) {
    return s3Failure('BadRequest', { message: 'Insufficient information. Origin request header needed.' })
  }
  if (method === undefined) return s3Failure('BadRequest', { message: 'Invalid Access-Control-Request-Method: null' })
  return s3Failure('AccessForbidden', { elements: { Method: method, ResourceType: target.resource.toUpperCase() } })
}
