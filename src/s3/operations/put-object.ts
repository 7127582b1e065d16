import { fail, ok, type Result } from '../../result.ts'
import type { WriteCondition, Written } from '../../store/store.ts'
import type { Checksum, ChecksumAlgorithm } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { receiveContent } from '../receive.ts'
import { askedAlgorithm, askedType, CHECKSUM_HEADERS, checksumHeaders } from './checksums.ts'
import { writeCondition } from './conditions.ts'
import { ATTRIBUTE_HEADERS, newAttributes, type WrittenAttributes } from './object-headers.ts'
import { changeFailure, checkWriteAhead, writtenVersionHeader } from './versions.ts'

/** Source: Amazon S3 User Guide, "Uploading objects": 5 GB in a single operation. */
export const PUT_BYTES_MAX = 5 * 1024 ** 3

type Input = {
  readonly key: string
  readonly written: WrittenAttributes
  readonly condition: WriteCondition | undefined
  /** Computed for a client that names it without stating a value. */
  readonly algorithm: ChecksumAlgorithm | undefined
  readonly payload: Payload
}
type Output = { readonly etag: string; readonly checksum: Checksum; readonly written: Written }

function parse(request: S3Request): Result<Input, S3Failure> {
  const written = newAttributes(request)
  if (!written.ok) return written
  const condition = writeCondition(request, 'write')
  if (!condition.ok) return condition
  const algorithm = askedAlgorithm(request)
  if (!algorithm.ok) return algorithm
  const type = askedType(request)
  if (!type.ok) return type
  if (type.value === 'COMPOSITE') return fail(s3Failure('InvalidRequest', { message: 'Value for x-amz-checksum-type header is invalid.' }))
  return ok({
    key: request.key,
    written: written.value,
    condition: condition.value,
    algorithm: request.payload.statedChecksum?.algorithm ?? algorithm.value,
    payload: request.payload,
  })
}

/**
 * Stores the body under the key, as a new version or in the place of the one before.
 * Errors: those of the body (see receiveContent), of attributes and conditions: PreconditionFailed, NoSuchKey.
 * Source: Amazon S3 API Reference, PutObject.
 */
export const putObject = define<Input, Output>({
  name: 'PutObject',
  resource: 'object',
  method: 'PUT',
  selectors: [],
  permission: 's3:PutObject',
  parameters: [],
  headers: [...ATTRIBUTE_HEADERS, ...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm', 'x-amz-checksum-algorithm', 'x-amz-checksum-type'],
  parse,
  async run(context, { key, written, condition, algorithm, payload }) {
    const { store, bucket } = context
    const ahead = await checkWriteAhead(context, key, condition)
    if (!ahead.ok) return ahead
    const received = await receiveContent(store, payload, { bytesMax: PUT_BYTES_MAX, algorithm })
    if (!received.ok) return received
    const { staged, md5Hex, checksum } = received.value
    const put = await store.putObject({
      bucketId: bucket.id,
      key,
      attributes: { ...written, etag: md5Hex, checksum },
      content: { kind: 'staged', staged },
      ...(condition === undefined ? undefined : { condition }),
    })
    if (put.ok) return ok({ etag: md5Hex, checksum, written: put.value })
    store.discard(staged)
    return fail(changeFailure(put.error, context, key, condition))
  },
  render({ etag, checksum, written }) {
    const headers = [['etag', `"${etag}"`] as const, ...checksumHeaders(checksum, 0), ...writtenVersionHeader(written.versionId)]
    return { status: 200, headers, body: { kind: 'none' } }
  },
})
