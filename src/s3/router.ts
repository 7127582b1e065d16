/**
 * What a request is about: the bucket from the path or the host name, the key from the path, decoded once and never normalised.
 * Source: Amazon S3 User Guide, "Virtual hosting of buckets", "Naming Amazon S3 objects".
 */
import type { HttpRequest } from '../http/exchange.ts'
import { ok, type Result } from '../result.ts'
import type { BucketName } from '../store/terms.ts'
import { parseBucketName } from './bucket-name.ts'
import { type S3Failure, s3Fail } from './errors.ts'
import type { Resource } from './operation.ts'
import { decodeComponent } from './query.ts'

export type Target = { readonly resource: Resource; readonly bucket: BucketName | undefined; readonly key: string }

const KEY_BYTES_MAX = 1024
const SERVICE: Target = { resource: 'service', bucket: undefined, key: '' }

/** `domains`: names in lower case, the longest first, below which a host name begins with a bucket's. Errors: InvalidURI, InvalidBucketName, KeyTooLongError. */
export function findTarget(request: HttpRequest, domains: readonly string[]): Result<Target, S3Failure> {
  const { rawPath } = request
  const hosted = bucketOfHost(request.headers.get('host') ?? '', domains)
  if (hosted !== undefined) return targetOf(hosted, rawPath.slice(1))
  if (rawPath === '/' || rawPath === '') return ok(SERVICE)
  const slash = rawPath.indexOf('/', 1)
  return slash < 0 ? targetOf(rawPath.slice(1), '') : targetOf(rawPath.slice(1, slash), rawPath.slice(slash + 1))
}

/** The bucket that a Host header begins with; undefined for the domain itself and for any other host, whose paths name the bucket. */
function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const colon = host.lastIndexOf(':')
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase()
  for (const domain of domains) {
    const dot = name.length - domain.length - 1
    if (dot > 0 && name[dot] === '.' && name.endsWith(domain)) return name.slice(0, dot)
  }
  return undefined
}

function targetOf(rawBucket: string, rawKey: string): Result<Target, S3Failure> {
  const bucketText = decodeComponent(rawBucket, 'literal')
  if (bucketText === undefined) return s3Fail('InvalidURI', { elements: { URI: rawBucket } })
  const bucket = parseBucketName(bucketText)
  if (bucket === undefined) return s3Fail('InvalidBucketName', { elements: { BucketName: bucketText } })
  if (rawKey === '') return ok({ resource: 'bucket', bucket, key: '' })
  const key = decodeComponent(rawKey, 'literal')
  if (key === undefined || key.includes('\0')) return s3Fail('InvalidURI', { elements: { URI: rawKey } })
  const bytes = key.length * 3 <= KEY_BYTES_MAX ? 0 : Buffer.byteLength(key)
  if (bytes > KEY_BYTES_MAX) return s3Fail('KeyTooLongError', { elements: { Size: bytes, MaxSizeAllowed: KEY_BYTES_MAX } })
  return ok({ resource: 'object', bucket, key })
}
