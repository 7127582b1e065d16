import { fail, ok, type Result } from '../../result.ts'
import type { WriteCondition, Written } from '../../store/store.ts'
import type { Checksum, ChecksumAlgorithm, ObjectAttributes, ObjectVersion } from '../../store/terms.ts'
import { makeHasher } from '../checksum-algorithms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { type Context, define, type S3Request } from '../operation.ts'
import { element, xmlDocument, xmlTime } from '../xml.ts'
import { invalidArgument } from './arguments.ts'
import { askedAlgorithm, checksumElement } from './checksums.ts'
import { COPY_CONDITION_HEADERS, type ReadConditions, readConditions, writeCondition } from './conditions.ts'
import { type CopySource, findCopySource, parseCopySource, readThrough, SOURCE_OWNER_HEADER } from './copy-source.ts'
import { ATTRIBUTE_HEADERS, type WrittenAttributes, writtenAttributes } from './object-headers.ts'
import { PUT_BYTES_MAX } from './put-object.ts'
import { changeFailure, sourceVersionHeader } from './versions.ts'

type Directive = 'COPY' | 'REPLACE'
type Input = {
  readonly key: string
  readonly source: CopySource
  readonly conditions: ReadConditions | undefined
  readonly condition: WriteCondition | undefined
  readonly metadata: Directive
  readonly tagging: Directive
  readonly written: WrittenAttributes
  readonly algorithm: ChecksumAlgorithm | undefined
  /** The request says something that lets an object be copied onto itself. */
  readonly changes: boolean
}
type Output = {
  readonly etag: string
  readonly checksum: Checksum | undefined
  readonly written: Written
  readonly sourceVersionId: string
}

function directive(request: S3Request, kind: 'metadata' | 'tagging'): Result<Directive, S3Failure> {
  const name = `x-amz-${kind}-directive`
  const text = request.http.headers.get(name) ?? 'COPY'
  return text === 'COPY' || text === 'REPLACE' ? ok(text) : fail(invalidArgument(name, text, `Unknown ${kind} directive.`))
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const source = parseCopySource(request)
  if (!source.ok) return source
  const metadata = directive(request, 'metadata')
  if (!metadata.ok) return metadata
  const tagging = directive(request, 'tagging')
  if (!tagging.ok) return tagging
  const written = writtenAttributes(request)
  if (!written.ok) return written
  const algorithm = askedAlgorithm(request)
  if (!algorithm.ok) return algorithm
  const condition = writeCondition(request, 'write')
  if (!condition.ok) return condition
  const sent = request.http.headers
  return ok({
    key: request.key,
    source: source.value,
    conditions: readConditions(request, 'x-amz-copy-source-'),
    condition: condition.value,
    metadata: metadata.value,
    tagging: tagging.value,
    written: written.value,
    algorithm: algorithm.value,
    changes: metadata.value === 'REPLACE' || sent.has('x-amz-storage-class') || sent.has('x-amz-website-redirect-location'),
  })
}

/** The redirect location is never copied (Amazon S3 API Reference, CopyObject, x-amz-website-redirect-location). */
function copiedAttributes(source: ObjectVersion, { metadata, tagging, written }: Input): WrittenAttributes {
  const tags = tagging === 'REPLACE' ? written.tags : source.tags
  if (metadata === 'REPLACE') return { ...written, tags }
  const { websiteRedirectLocation: _, ...headers } = source.headers
  const redirect = written.headers.websiteRedirectLocation
  return {
    headers: redirect === undefined ? headers : { ...headers, websiteRedirectLocation: redirect },
    userMetadata: source.userMetadata,
    tags,
  }
}

/**
 * The checksum of the copy. It is one object now, so a composite one is computed anew over all bytes; one that is known is kept; else the data is read.
 */
async function copiedChecksum(
  context: Context,
  source: ObjectVersion,
  asked: ChecksumAlgorithm | undefined,
): Promise<Result<Checksum | undefined, S3Failure>> {
  const known = source.checksum
  const algorithm = asked ?? known?.algorithm
  if (algorithm === undefined) return ok(undefined)
  if (known?.algorithm === algorithm && known.type === 'FULL_OBJECT') return ok(known)
  const hasher = makeHasher(algorithm)
  const read = await readThrough(context, source, 0, source.bytes, (bytes) => hasher.update(bytes))
  return read.ok ? ok({ algorithm, type: 'FULL_OBJECT', value: hasher.digest().toString('base64') }) : read
}

async function run(context: Context, input: Input): Promise<Result<Output, S3Failure>> {
  const { store, bucket } = context
  const found = await findCopySource(context, input.source, input.conditions)
  if (!found.ok) return found
  const version = found.value
  const onItself = input.source.bucket === bucket.name && input.source.key === input.key && input.source.versionId === undefined
  if (onItself && !input.changes) {
    const message =
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
    return fail(s3Failure('InvalidRequest', { message }))
  }
  if (version.bytes > PUT_BYTES_MAX) {
    const message = `The specified copy source is larger than the maximum allowable size for a copy source: ${PUT_BYTES_MAX}`
    return fail(s3Failure('InvalidRequest', { message }))
  }
  const checksum = await copiedChecksum(context, version, input.algorithm)
  if (!checksum.ok) return checksum
  const attributes: ObjectAttributes = {
    ...copiedAttributes(version, input),
    etag: version.etag,
    ...(checksum.value === undefined ? undefined : { checksum: checksum.value }),
  }
  const put = await store.putObject({
    bucketId: bucket.id,
    key: input.key,
    attributes,
    content: { kind: 'shared', of: version, from: 0, to: version.bytes },
    ...(input.condition === undefined ? undefined : { condition: input.condition }),
  })
  if (!put.ok) return fail(changeFailure(put.error, context, input.key, input.condition))
  return ok({ etag: version.etag, checksum: checksum.value, written: put.value, sourceVersionId: version.versionId })
}

/**
 * Makes an object of another's content; moves no data. It keeps the source's ETag (Amazon computes that of a multipart source anew).
 * Errors: those of the source (see findCopySource), of attributes and conditions; InvalidRequest for a copy onto itself that changes nothing.
 * Source: Amazon S3 API Reference, CopyObject.
 */
export const copyObject = define<Input, Output>({
  name: 'CopyObject',
  resource: 'object',
  method: 'PUT',
  selectors: [],
  selectorHeaders: ['x-amz-copy-source'],
  permission: 's3:PutObject',
  parameters: [],
  headers: [
    ...ATTRIBUTE_HEADERS,
    ...COPY_CONDITION_HEADERS,
    'x-amz-copy-source',
    SOURCE_OWNER_HEADER,
    'x-amz-tagging-directive',
    'x-amz-checksum-algorithm',
    'x-amz-request-payer',
  ],
  parse,
  run,
  render({ etag, checksum, written, sourceVersionId }) {
    const headers = [...sourceVersionHeader(sourceVersionId)]
    if (written.versioning !== 'unversioned') headers.push(['x-amz-version-id', written.versionId])
    const content =
      `<LastModified>${xmlTime(written.modifiedMs)}</LastModified>${element('ETag', `"${etag}"`)}` +
      (checksum === undefined ? '' : element('ChecksumType', checksum.type) + checksumElement(checksum, 0))
    return { status: 200, headers, body: { kind: 'xml', text: xmlDocument('CopyObjectResult', content) } }
  },
})
