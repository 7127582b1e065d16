/**
 * Nothing is silently ignored: a parameter or x-amz-* header whose effect the operation does not have is refused. What Amazon itself gives no meaning
 * (a stranger's query parameter) passes, as there.
 * Source: Amazon S3 API Reference, "Common Request Headers", and the actions' own pages.
 */
import { accountIdOf } from '../iam/identities.ts'
import type { Bucket } from '../store/terms.ts'
import { algorithmOfHeader } from './checksum-algorithms.ts'
import { type S3Failure, s3Failure } from './errors.ts'
import type { Resource } from './operation.ts'
import type { OperationTable, TableEntry } from './operation-table.ts'

/** Read by the road itself, or without any effect on what an operation does. */
const ROAD_HEADERS: ReadonlySet<string> = new Set([
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-decoded-content-length',
  'x-amz-expected-bucket-owner',
  'x-amz-id-2',
  'x-amz-request-id',
  'x-amz-request-payer',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-te',
  'x-amz-trailer',
  'x-amz-api-version',
  'x-amz-user-agent',
])

/** Parameters that S3 gives a meaning somewhere, besides subresources. */
const S3_PARAMETERS: ReadonlySet<string> = new Set([
  'annotation-prefix',
  'annotationName',
  'bucket-region',
  'continuation-token',
  'delimiter',
  'encoding-type',
  'fetch-owner',
  'id',
  'key-marker',
  'marker',
  'max-annotation-results',
  'max-buckets',
  'max-keys',
  'max-parts',
  'max-uploads',
  'part-number-marker',
  'partNumber',
  'prefix',
  'response-cache-control',
  'response-content-disposition',
  'response-content-encoding',
  'response-content-language',
  'response-content-type',
  'response-expires',
  'start-after',
  'upload-id-marker',
  'version-id-marker',
  'versionId',
])

const HEADER_BYTES_MAX = 8 * 1024

/** Amazon's limit on all header names and values together. Source: Amazon S3 API Reference, PutObject; "Error responses". */
export function checkHeaderBytes(headers: ReadonlyMap<string, string>): S3Failure | undefined {
  let bytes = 0
  for (const [name, value] of headers) bytes += name.length + value.length
  return bytes <= HEADER_BYTES_MAX
    ? undefined
    : s3Failure('RequestHeaderSectionTooLarge', { elements: { MaxSizeAllowed: HEADER_BYTES_MAX } })
}

/** The failure for the first header that the operation does not understand. */
export function checkHeaders(entry: TableEntry, headers: ReadonlyMap<string, string>): S3Failure | undefined {
  for (const name of headers.keys()) {
    if (!name.startsWith('x-amz-') || ROAD_HEADERS.has(name) || entry.headers.has(name)) continue
    // A checksum of the body that S3 does not have is refused as such (payload.ts), where the body may have one.
    if (name.startsWith('x-amz-checksum-') && entry.headers.has('x-amz-sdk-checksum-algorithm')) continue
    if (entry.headerStarts.some((start) => name.startsWith(start)) || algorithmOfHeader(name) !== undefined) continue
    return s3Failure('NotImplemented', { elements: { Header: name } })
  }
  return undefined
}

/** The failure for the first parameter that the operation does not understand: InvalidArgument for a second subresource, NotImplemented. */
export function checkParameters(
  entry: TableEntry,
  resource: Resource,
  query: ReadonlyMap<string, string>,
  table: OperationTable,
): S3Failure | undefined {
  for (const name of query.keys()) {
    if (entry.parameters.has(name)) continue
    if (table.isSubresource(resource, name)) {
      const names = [...query.keys()].filter((other) => table.isSubresource(resource, other)).join(', ')
      return s3Failure('InvalidArgument', {
        message: `Conflicting query string parameters: ${names}`,
        elements: { ArgumentName: 'ResourceType', ArgumentValue: name },
      })
    }
    if (S3_PARAMETERS.has(name) || table.isSubresource('object', name) || table.isSubresource('bucket', name)) {
      return s3Failure('NotImplemented', {
        message: 'A parameter you provided implies functionality that is not implemented',
        elements: { Parameter: name },
      })
    }
  }
  return undefined
}

export const notAnAccount = (owner: string): S3Failure =>
  s3Failure('InvalidBucketOwnerAWSAccountID', {
    message: `The value of the expected bucket owner parameter must be an AWS Account ID... [${owner}]`,
  })

/** Honours x-amz-expected-bucket-owner: AccessDenied if the bucket is somebody else's. */
export function checkExpectedOwner(bucket: Bucket, headers: ReadonlyMap<string, string>): S3Failure | undefined {
  const expected = headers.get('x-amz-expected-bucket-owner')
  if (expected === undefined) return undefined
  if (!/^\d{12}$/.test(expected)) return notAnAccount(expected)
  return expected === accountIdOf(bucket.owner) ? undefined : s3Failure('AccessDenied')
}
