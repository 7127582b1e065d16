/**
 * A presigned request carries x-amz-* headers in its query, and conditions. For operations they are headers like any other.
 *
 * Amazon takes no checksum of the body from there: SDKs presign uploads before they know the body and put in the checksum of an empty one.
 * Source: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters"; aws-sdk-js-v3, s3-request-presigner.
 */
import type { HttpRequest } from '../http/exchange.ts'

const SIGNATURE_PARAMETERS: ReadonlySet<string> = new Set([
  'x-amz-algorithm',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-security-token',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-user-agent',
])
const CONDITIONS: ReadonlySet<string> = new Set(['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'])
/** Not values of checksums: these say what the object shall have. */
const CHECKSUM_SETTINGS: ReadonlySet<string> = new Set(['x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode'])

/** The request as if what its URL says were in headers; the same one if there is nothing of that kind. */
export function withPresignedHeaders(request: HttpRequest, query: ReadonlyMap<string, string>): HttpRequest {
  let headers: Map<string, string> | undefined
  for (const [parameter, value] of query) {
    const name = parameter.toLowerCase()
    const isHeader = name.startsWith('x-amz-') ? !SIGNATURE_PARAMETERS.has(name) : CONDITIONS.has(name)
    if (!isHeader || request.headers.has(name)) continue
    if (name.startsWith('x-amz-checksum-') && !CHECKSUM_SETTINGS.has(name)) continue
    headers ??= new Map(request.headers)
    // Header values are bytes, a character each.
    headers.set(name, Buffer.from(value).toString('latin1'))
  }
  return headers === undefined ? request : { ...request, headers }
}
