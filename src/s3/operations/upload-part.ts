import { fail, ok, type Result } from '../../result.ts'
import type { Checksum, ChecksumAlgorithm, Part, Upload } from '../../store/terms.ts'
import type { S3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { receiveContent, storeFailure } from '../receive.ts'
import { askedAlgorithm, CHECKSUM_HEADERS, checksumHeader } from './checksums.ts'
import { checkPartAlgorithm, findOpenUpload, type NamedPart, namedPart, PART_BYTES_MAX, uploadAlgorithm } from './uploads.ts'
import { noSuchKey, noSuchUpload } from './versions.ts'

type Input = NamedPart & { readonly stated: ChecksumAlgorithm | undefined; readonly payload: Payload }
type Output = { readonly part: Part; readonly upload: Upload; readonly payload: Payload }

function parse(request: S3Request): Result<Input, S3Failure> {
  const named = namedPart(request)
  if (!named.ok) return named
  const { payload } = request
  const asked = askedAlgorithm(request)
  return asked.ok ? ok({ ...named.value, stated: payload.statedChecksum?.algorithm ?? asked.value, payload }) : asked
}

/** What the client asked to hear: the checksum of its upload, or the one it stated with this part, be it in a trailer. */
function shownChecksum({ part, upload, payload }: Output): Pick<Checksum, 'algorithm' | 'value'> | undefined {
  return upload.checksumAlgorithm === undefined ? payload.verifiedChecksum : part.checksum
}

/**
 * Stores one part, in the place of an earlier one of its number. Errors: InvalidArgument, NoSuchUpload, InvalidRequest (another checksum than the upload's),
 * and those of the body. Source: Amazon S3 API Reference, UploadPart.
 */
export const uploadPart = define<Input, Output>({
  name: 'UploadPart',
  resource: 'object',
  method: 'PUT',
  selectors: ['partNumber', 'uploadId'],
  permission: 's3:PutObject',
  parameters: [],
  headers: [...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm', 'x-amz-checksum-algorithm', 'x-amz-request-payer'],
  parse,
  async run(context, { key, uploadId, number, stated, payload }) {
    const { store, bucket } = context
    const upload = await findOpenUpload(context, key, uploadId)
    if (!upload.ok) return upload
    const same = checkPartAlgorithm(upload.value, stated)
    if (!same.ok) return same
    const { algorithm } = uploadAlgorithm(upload.value)
    const received = await receiveContent(store, payload, { bytesMax: PART_BYTES_MAX, algorithm })
    if (!received.ok) return received
    const { staged, md5Hex, checksum } = received.value
    const put = await store.putPart({
      bucketId: bucket.id,
      key,
      uploadId,
      number,
      etag: md5Hex,
      checksum,
      content: { kind: 'staged', staged },
    })
    if (put.ok) return ok({ part: put.value, upload: upload.value, payload })
    store.discard(staged)
    if (put.error === 'no-such-upload') return fail(noSuchUpload(uploadId))
    return fail(put.error === 'source-gone' ? noSuchKey(key) : storeFailure(put.error))
  },
  render(output) {
    const headers: (readonly [string, string])[] = [['etag', `"${output.part.etag}"`]]
    const checksum = shownChecksum(output)
    if (checksum !== undefined) headers.push([checksumHeader(checksum.algorithm), checksum.value])
    return { status: 200, headers, body: { kind: 'none' } }
  },
})
