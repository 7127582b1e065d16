import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../result.ts'
import type { Part, Upload } from '../../store/terms.ts'
import { makeHasher } from '../checksum-algorithms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { element, xmlDocument, xmlTime } from '../xml.ts'
import { invalidArgument } from './arguments.ts'
import { checksumElement } from './checksums.ts'
import { COPY_CONDITION_HEADERS, type ReadConditions, readConditions } from './conditions.ts'
import { type CopySource, findCopySource, parseCopySource, readThrough, SOURCE_OWNER_HEADER } from './copy-source.ts'
import type { ByteRange } from './ranges.ts'
import { findOpenUpload, type NamedPart, namedPart, PART_BYTES_MAX, partChecksumShown, uploadAlgorithm } from './uploads.ts'
import { noSuchKey, noSuchUpload, sourceVersionHeader } from './versions.ts'

const RANGE_HEADER = 'x-amz-copy-source-range'

type Input = NamedPart & {
  readonly source: CopySource
  readonly conditions: ReadConditions | undefined
  readonly range: ByteRange | undefined
}
type Output = { readonly part: Part; readonly upload: Upload; readonly sourceVersionId: string }

function parseRange(text: string): Result<ByteRange, S3Failure> {
  const match = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(text)
  const from = Number(match?.[1])
  const last = Number(match?.[2])
  if (match !== null && from <= last) return ok({ from, to: last + 1 })
  const message =
    'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy'
  return fail(invalidArgument(RANGE_HEADER, text, message))
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const named = namedPart(request)
  if (!named.ok) return named
  const source = parseCopySource(request)
  if (!source.ok) return source
  const header = request.http.headers.get(RANGE_HEADER)
  const range: Result<ByteRange | undefined, S3Failure> = header === undefined || header === '' ? ok(undefined) : parseRange(header)
  if (!range.ok) return range
  return ok({ ...named.value, source: source.value, conditions: readConditions(request, 'x-amz-copy-source-'), range: range.value })
}

function withinSource(range: ByteRange | undefined, bytes: number): Result<ByteRange, S3Failure> {
  const wanted = range ?? { from: 0, to: bytes }
  if (range !== undefined && range.from >= bytes) {
    return fail(s3Failure('InvalidRequest', { message: 'The specified copy range is invalid for the source object size' }))
  }
  if (wanted.to > bytes) {
    const message = `Range specified is not valid for source object of size: ${bytes}`
    return fail(invalidArgument(RANGE_HEADER, `bytes=${wanted.from}-${wanted.to - 1}`, message))
  }
  if (wanted.to - wanted.from > PART_BYTES_MAX) {
    const message = `The specified copy source is larger than the maximum allowable size for a copy source: ${PART_BYTES_MAX}`
    return fail(s3Failure('InvalidRequest', { message }))
  }
  return ok(wanted)
}

/**
 * Makes a part of bytes that are stored already: they are shared, and read once for the MD5 that becomes the part's ETag and for the upload's checksum.
 * Errors: as UploadPart and CopyObject. Source: Amazon S3 API Reference, UploadPartCopy.
 */
export const uploadPartCopy = define<Input, Output>({
  name: 'UploadPartCopy',
  resource: 'object',
  method: 'PUT',
  selectors: ['partNumber', 'uploadId'],
  selectorHeaders: ['x-amz-copy-source'],
  permission: 's3:PutObject',
  parameters: [],
  headers: [...COPY_CONDITION_HEADERS, 'x-amz-copy-source', SOURCE_OWNER_HEADER, RANGE_HEADER, 'x-amz-request-payer'],
  parse,
  async run(context, { key, uploadId, number, source, conditions, range }) {
    const upload = await findOpenUpload(context, key, uploadId)
    if (!upload.ok) return upload
    const found = await findCopySource(context, source, conditions)
    if (!found.ok) return found
    const version = found.value
    const within = withinSource(range, version.bytes)
    if (!within.ok) return within
    const { from, to } = within.value
    const { algorithm } = uploadAlgorithm(upload.value)
    const md5 = createHash('md5')
    const hasher = makeHasher(algorithm)
    const read = await readThrough(context, version, from, to, (bytes) => {
      md5.update(bytes)
      hasher.update(bytes)
    })
    if (!read.ok) return read
    const put = await context.store.putPart({
      bucketId: context.bucket.id,
      key,
      uploadId,
      number,
      etag: md5.digest('hex'),
      checksum: { algorithm, type: 'FULL_OBJECT', value: hasher.digest().toString('base64') },
      content: { kind: 'shared', of: version, from, to },
    })
    if (put.ok) return ok({ part: put.value, upload: upload.value, sourceVersionId: version.versionId })
    if (put.error === 'no-such-upload') return fail(noSuchUpload(uploadId))
    return fail(put.error === 'source-gone' ? noSuchKey(source.key) : storeFailure(put.error))
  },
  render({ part, upload, sourceVersionId }) {
    const content =
      `<LastModified>${xmlTime(part.modifiedMs)}</LastModified>${element('ETag', `"${part.etag}"`)}` +
      checksumElement(partChecksumShown(upload, part.checksum), 0)
    return {
      status: 200,
      headers: sourceVersionHeader(sourceVersionId),
      body: { kind: 'xml', text: xmlDocument('CopyPartResult', content) },
    }
  },
})
