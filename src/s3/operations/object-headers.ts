/**
 * The headers that describe an object: read from a request into what the store keeps, and written back as they came.
 * Source: Amazon S3 API Reference, PutObject and GetObject; Amazon S3 User Guide, "Working with object metadata".
 */
import { fail, ok, type Result } from '../../result.ts'
import type { ContentHeaders, ObjectVersion, Tags, UserMetadata } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { S3Request } from '../operation.ts'
import { invalidArgument } from './arguments.ts'
import { cannedAcl } from './canned-acl.ts'
import { checksumHeaders } from './checksums.ts'
import { decodeEncodedWords, toEncodedWords } from './encoded-words.ts'
import { parseTaggingHeader } from './tags.ts'

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }
type HeaderList = (readonly [string, string])[]

/** Stored headers that go out under the name they came in with. The redirect location has a name of its own. */
const CONTENT_HEADERS: readonly (readonly [name: string, field: keyof ContentHeaders, override: string])[] = [
  ['cache-control', 'cacheControl', 'response-cache-control'],
  ['content-disposition', 'contentDisposition', 'response-content-disposition'],
  ['content-encoding', 'contentEncoding', 'response-content-encoding'],
  ['content-language', 'contentLanguage', 'response-content-language'],
  ['content-type', 'contentType', 'response-content-type'],
  ['expires', 'expires', 'response-expires'],
]
export const RESPONSE_OVERRIDES: readonly string[] = CONTENT_HEADERS.map(([, , override]) => override)

const METADATA_DIRECTIVE = 'x-amz-metadata-directive'

/** The x-amz-* headers that `writtenAttributes` and `newAttributes` understand. */
export const ATTRIBUTE_HEADERS: readonly string[] = [
  'x-amz-meta-*',
  'x-amz-tagging',
  'x-amz-acl',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
  METADATA_DIRECTIVE,
]

export type WrittenAttributes = { readonly headers: ContentHeaders; readonly userMetadata: UserMetadata; readonly tags: Tags }

/**
 * What a writing request says of its object. Errors: MetadataTooLarge, InvalidTag, InvalidArgument, InvalidStorageClass, InvalidRedirectLocation,
 * NotImplemented for an ACL or storage class that has no effect here.
 */
export function writtenAttributes(request: S3Request): Result<WrittenAttributes, S3Failure> {
  const acl = cannedAcl(request, 'object')
  if (!acl.ok) return acl
  const storageClass = checkStorageClass(request)
  if (!storageClass.ok) return storageClass
  const headers = contentHeaders(request)
  if (!headers.ok) return headers
  const userMetadata = readUserMetadata(request)
  if (!userMetadata.ok) return userMetadata
  const tagging = request.http.headers.get('x-amz-tagging')
  const tags = tagging === undefined || tagging === '' ? NO_TAGS : parseTaggingHeader(tagging)
  if (!tags.ok) return tags
  return ok({ headers: headers.value, userMetadata: userMetadata.value, tags: tags.value })
}

/**
 * The same of a request that copies nothing. The directive is Amazon's for CopyObject; s3fs-fuse sends it with uploads, too. REPLACE says what is so in any
 * case: the metadata is what this request says. COPY has nothing to copy from: NotImplemented.
 */
export function newAttributes(request: S3Request): Result<WrittenAttributes, S3Failure> {
  const directive = request.http.headers.get(METADATA_DIRECTIVE)
  if (directive === undefined || directive === 'REPLACE') return writtenAttributes(request)
  return fail(s3Failure('NotImplemented', { elements: { Header: METADATA_DIRECTIVE } }))
}

const NO_TAGS: Result<Tags, S3Failure> = ok([])

function contentHeaders(request: S3Request): Result<ContentHeaders, S3Failure> {
  const sent = request.http.headers
  const kept: Writable<ContentHeaders> = {}
  for (const [name, field] of CONTENT_HEADERS) {
    const value = sent.get(name)
    if (value !== undefined && value !== '') kept[field] = value
  }
  if (kept.contentEncoding !== undefined) {
    const encoding = withoutFraming(kept.contentEncoding)
    if (encoding === '') delete kept.contentEncoding
    else kept.contentEncoding = encoding
  }
  const redirect = sent.get('x-amz-website-redirect-location')
  if (redirect !== undefined && redirect !== '') {
    // Out of a presigned address it may hold anything.
    if (!/^(\/|https?:\/\/)[\x20-\x7e\x80-\xff]*$/.test(redirect)) return fail(s3Failure('InvalidRedirectLocation'))
    if (redirect.length > 2048) {
      return fail(
        s3Failure('InvalidRedirectLocation', { message: 'The length of website redirect location cannot exceed 2,048 characters.' }),
      )
    }
    kept.websiteRedirectLocation = redirect
  }
  return ok(kept)
}

/** 'aws-chunked' says how the request is framed and is no encoding of the object (Amazon S3 API Reference, "Signature calculations … chunks"). */
const withoutFraming = (encoding: string): string =>
  encoding.includes('aws-chunked')
    ? encoding
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '' && part.toLowerCase() !== 'aws-chunked')
        .join(',')
    : encoding

const METADATA_PREFIX = 'x-amz-meta-'
/** Source: RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/
/** Names without the prefix and values, in bytes. */
const METADATA_BYTES_MAX = 2048

function readUserMetadata(request: S3Request): Result<UserMetadata, S3Failure> {
  let bytes = 0
  const found: (readonly [string, string])[] = []
  for (const [name, sent] of request.http.headers) {
    if (!name.startsWith(METADATA_PREFIX)) continue
    const short = name.slice(METADATA_PREFIX.length)
    // Out of a presigned address it may be anything; in a reply it is the name of a header.
    if (!TOKEN.test(short)) return fail(invalidArgument(name, sent, 'The name of user metadata is not the name of a header.'))
    const value = decodeEncodedWords(sent)
    bytes += short.length + value.length
    found.push([short, value])
  }
  if (bytes > METADATA_BYTES_MAX)
    return fail(s3Failure('MetadataTooLarge', { elements: { Size: bytes, MaxSizeAllowed: METADATA_BYTES_MAX } }))
  return ok(found)
}

/** Storage classes that Amazon's buckets take; here every object is STANDARD. */
const STORAGE_CLASSES = [
  'STANDARD',
  'REDUCED_REDUNDANCY',
  'STANDARD_IA',
  'ONEZONE_IA',
  'INTELLIGENT_TIERING',
  'GLACIER',
  'DEEP_ARCHIVE',
  'GLACIER_IR',
  'SNOW',
  'EXPRESS_ONEZONE',
  'FSX_OPENZFS',
  'FSX_ONTAP',
]

function checkStorageClass(request: S3Request): Result<undefined, S3Failure> {
  const storageClass = request.http.headers.get('x-amz-storage-class')
  if (storageClass === undefined || storageClass === '' || storageClass === 'STANDARD') return ok(undefined)
  if (!STORAGE_CLASSES.includes(storageClass))
    return fail(s3Failure('InvalidStorageClass', { elements: { StorageClassRequested: storageClass } }))
  return fail(s3Failure('NotImplemented', { elements: { Header: 'x-amz-storage-class' } }))
}

export const httpDate = (ms: number): string => new Date(ms).toUTCString()

/** S3 keeps times to the second in headers, and compares conditions so. */
export const wholeSecond = (ms: number): number => ms - (ms % 1000)

/** What GET and HEAD say of a version, without length and range. `shown`: whether version ids are told (not in a bucket never versioned). */
export function versionHeaders(version: ObjectVersion, shown: boolean): HeaderList {
  const list: HeaderList = [
    ['last-modified', httpDate(version.modifiedMs)],
    ['etag', `"${version.etag}"`],
  ]
  if (shown) list.push(['x-amz-version-id', version.versionId])
  return list
}

/** The stored content headers, with those that the query overrides, and user metadata. */
export function storedHeaders(list: HeaderList, version: ObjectVersion, overrides: ReadonlyMap<string, string> | undefined): void {
  const { headers } = version
  for (const [name, field, override] of CONTENT_HEADERS) {
    const value = overrides?.get(override) ?? headers[field] ?? (field === 'contentType' ? 'binary/octet-stream' : undefined)
    if (value !== undefined) list.push([name, value])
  }
  if (headers.websiteRedirectLocation !== undefined) list.push(['x-amz-website-redirect-location', headers.websiteRedirectLocation])
  for (const [name, value] of version.userMetadata) list.push([METADATA_PREFIX + name, toEncodedWords(value)])
  if (version.tags.length > 0) list.push(['x-amz-tagging-count', String(version.tags.length)])
}

export function pushChecksum(list: HeaderList, version: ObjectVersion): void {
  list.push(...checksumHeaders(version.checksum, version.partCount))
}
