import { createHash } from 'node:crypto'
import { fail, ok, type Result } from '../../result.ts'
import type { WriteCondition } from '../../store/store.ts'
import type { Checksum, Part, Upload } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { type Context, define, type S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readWhole } from '../receive.ts'
import { element, parseXml, xmlDocument } from '../xml.ts'
import {
  askedType,
  CHECKSUM_HEADERS,
  type ChecksumType,
  checksumElement,
  checksumHeader,
  isDigest,
  joinedChecksum,
  type StatedValue,
  shownValue,
  statedValue,
} from './checksums.ts'
import { type ClaimedPart, COMPLETE_LIMITS, matchParts, parseParts } from './claimed-parts.ts'
import { conditionName, writeCondition } from './conditions.ts'
import { uploadAlgorithm } from './uploads.ts'
import { changeFailure, checkWriteAhead, noSuchUpload, writtenVersionHeader } from './versions.ts'

type Input = {
  readonly key: string
  readonly uploadId: string
  readonly condition: WriteCondition | undefined
  readonly type: ChecksumType | undefined
  readonly stated: StatedValue | undefined
  readonly bytes: number | undefined
  readonly location: string
  readonly payload: Payload
}
type Completed = NonNullable<Upload['completed']>
type Output = {
  readonly etag: string
  readonly checksum: Checksum | undefined
  readonly versionId: string
  readonly bucket: string
  readonly input: Input
}

function objectBytes(request: S3Request): Result<number | undefined, S3Failure> {
  const text = request.http.headers.get('x-amz-mp-object-size')
  if (text === undefined) return ok(undefined)
  if (/^-\d{1,19}$/.test(text))
    return fail(s3Failure('InvalidRequest', { message: `Value for x-amz-mp-object-size header is less than zero: '${text}'` }))
  if (!/^\d{1,15}$/.test(text))
    return fail(s3Failure('InvalidRequest', { message: `Value for x-amz-mp-object-size header is invalid: '${text}'` }))
  return ok(Number(text))
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const condition = writeCondition(request, 'write')
  if (!condition.ok) return condition
  const type = askedType(request)
  if (!type.ok) return type
  const stated = statedValue(request)
  if (!stated.ok) return stated
  if (stated.value !== undefined) {
    const { algorithm, value } = stated.value
    if (!isDigest(algorithm, value.replace(/-[1-9]\d{0,4}$/, '')))
      return fail(s3Failure('InvalidRequest', { message: `Value for ${checksumHeader(algorithm)} header is invalid.` }))
  }
  const bytes = objectBytes(request)
  if (!bytes.ok) return bytes
  const { http, key, query, payload } = request
  return ok({
    key,
    uploadId: query.get('uploadId') ?? '',
    condition: condition.value,
    type: type.value,
    stated: stated.value,
    bytes: bytes.value,
    location: `${http.secure ? 'https' : 'http'}://${http.headers.get('host') ?? ''}${http.rawPath}`,
    payload,
  })
}

/** MD5 of the parts' MD5s, and how many they were. Source: Amazon S3 API Reference, "Common Response Headers", ETag. */
function multipartEtag(parts: readonly Part[]): string {
  const md5 = createHash('md5')
  for (const part of parts) md5.update(part.etag, 'hex')
  return `${md5.digest('hex')}-${parts.length}`
}

/** The checksum of the whole, checked against what the client states of it. Errors: InvalidRequest, BadDigest. */
function wholeChecksum(upload: Upload, parts: readonly Part[], input: Input): Result<Checksum | undefined, S3Failure> {
  const { algorithm, type } = uploadAlgorithm(upload)
  const checksum = joinedChecksum(parts, algorithm, type)
  const { stated } = input
  if (stated === undefined) return ok(checksum)
  if (stated.algorithm !== algorithm && upload.checksumAlgorithm === undefined) {
    const message = `Checksum Type mismatch occurred, expected checksum Type: ${algorithm.toLowerCase()}, actual checksum Type: ${stated.algorithm.toLowerCase()}`
    return fail(s3Failure('InvalidRequest', { message }))
  }
  if (
    stated.algorithm === algorithm &&
    checksum !== undefined &&
    (stated.value === checksum.value || stated.value === shownValue(checksum, parts.length))
  )
    return ok(checksum)
  return fail(s3Failure('BadDigest', { message: `The ${algorithm.toLowerCase()} you specified did not match the calculated checksum.` }))
}

function checkType(type: ChecksumType | undefined, upload: Upload): Result<undefined, S3Failure> {
  if (type === undefined || type === upload.checksumType) return ok(undefined)
  const made = upload.checksumType ?? 'null'
  const message = `The upload was created using the ${made} checksum mode. The complete request must use the same checksum mode.`
  return fail(s3Failure('InvalidRequest', { message }))
}

function checkBytes(claimed: number | undefined, parts: readonly Part[]): Result<undefined, S3Failure> {
  let bytes = 0
  for (const part of parts) bytes += part.bytes
  if (claimed === undefined || claimed === bytes) return ok(undefined)
  const message = `The provided 'x-amz-mp-object-size' header value ${claimed} does not match what was computed: ${bytes}`
  return fail(s3Failure('InvalidRequest', { message }))
}

async function uploadedParts(context: Context, { key, uploadId }: Input): Promise<ReadonlyMap<number, Part>> {
  const parts = new Map<number, Part>()
  let after = 0
  for (;;) {
    const page = await context.store.listParts(context.bucket.id, key, uploadId, after, 1000)
    for (const part of page.parts) {
      parts.set(part.number, part)
      after = part.number
    }
    if (!page.truncated || page.parts.length === 0) return parts
  }
}

function readParts(body: Uint8Array, uploadId: string): Result<readonly ClaimedPart[], S3Failure> {
  const root = parseXml(body, COMPLETE_LIMITS)
  return root.ok ? parseParts(root.value, uploadId) : root
}

async function finish(context: Context, input: Input, upload: Upload, claimed: readonly ClaimedPart[]): Promise<Result<Output, S3Failure>> {
  const sameType = checkType(input.type, upload)
  if (!sameType.ok) return sameType
  const matched = matchParts(claimed, await uploadedParts(context, input), upload)
  if (!matched.ok) return matched
  const parts = matched.value
  const size = checkBytes(input.bytes, parts)
  if (!size.ok) return size
  const checksum = wholeChecksum(upload, parts, input)
  if (!checksum.ok) return checksum
  const etag = multipartEtag(parts)
  const { key, uploadId, condition } = input
  const completed = await context.store.completeUpload({
    bucketId: context.bucket.id,
    key,
    uploadId,
    parts,
    etag,
    ...(checksum.value === undefined ? undefined : { checksum: checksum.value }),
    ...(condition === undefined ? undefined : { condition }),
  })
  if (!completed.ok) {
    if (completed.error === 'no-such-upload') return fail(noSuchUpload(uploadId))
    if (completed.error === 'invalid-part') return fail(s3Failure('InvalidPart', { elements: { UploadId: uploadId } }))
    if (completed.error === 'changed-meanwhile')
      return fail(s3Failure('ConditionalRequestConflict', { elements: { Condition: conditionName(condition), Key: key } }))
    return fail(changeFailure(completed.error, context, key, condition))
  }
  return ok({ etag, checksum: checksum.value, versionId: completed.value.versionId, bucket: context.bucket.name, input })
}

const asBefore = ({ etag, checksum, versionId }: Completed, { bucket }: Context, input: Input): Output => ({
  etag,
  checksum,
  versionId,
  bucket: bucket.name,
  input,
})

/**
 * Makes the object of the parts listed; moves no data. Repeated, it answers as it did the first time.
 * Errors: MalformedXML, NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, BadDigest, InvalidRequest, PreconditionFailed, NoSuchKey.
 * Source: Amazon S3 API Reference, CompleteMultipartUpload.
 */
export const completeMultipartUpload = define<Input, Output>({
  name: 'CompleteMultipartUpload',
  resource: 'object',
  method: 'POST',
  selectors: ['uploadId'],
  permission: 's3:PutObject',
  parameters: [],
  headers: [...CHECKSUM_HEADERS, 'x-amz-checksum-type', 'x-amz-mp-object-size', 'x-amz-request-payer'],
  parse,
  async run(context, input) {
    const upload = await context.store.findUpload(context.bucket.id, input.key, input.uploadId)
    if (upload === undefined) return fail(noSuchUpload(input.uploadId))
    // Asked again after it succeeded, its condition held then.
    const ahead = upload.completed === undefined ? await checkWriteAhead(context, input.key, input.condition) : ok(undefined)
    if (!ahead.ok) return ahead
    const body = await readWhole(input.payload, COMPLETE_LIMITS.bytesMax)
    if (!body.ok) return body
    const claimed = body.value.length === 0 ? ok([]) : readParts(body.value, input.uploadId)
    if (!claimed.ok) return claimed
    if (claimed.value.length === 0) return fail(s3Failure('InvalidRequest', { message: 'You must specify at least one part' }))
    if (upload.completed !== undefined) return ok(asBefore(upload.completed, context, input))
    const finished = await finish(context, input, upload, claimed.value)
    if (finished.ok || finished.error.code !== 'InvalidPart') return finished
    // Parts go with the upload: perhaps another request has completed it since we looked.
    const since = await context.store.findUpload(context.bucket.id, input.key, input.uploadId)
    return since?.completed === undefined ? finished : ok(asBefore(since.completed, context, input))
  },
  render({ etag, checksum, versionId, bucket, input }) {
    const partCount = Number(etag.slice(etag.indexOf('-') + 1))
    const content =
      element('Location', input.location) +
      element('Bucket', bucket) +
      element('Key', input.key) +
      element('ETag', `"${etag}"`) +
      (checksum === undefined ? '' : checksumElement(checksum, partCount) + element('ChecksumType', checksum.type))
    return {
      status: 200,
      headers: writtenVersionHeader(versionId),
      body: { kind: 'xml', text: xmlDocument('CompleteMultipartUploadResult', content) },
    }
  },
})
