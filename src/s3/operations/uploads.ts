/** What the operations on one upload share: naming it, finding it, and the checksum its parts carry. */
import { fail, ok, type Result } from '../../result.ts'
import type { Checksum, ChecksumAlgorithm, Upload } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { Context, S3Request } from '../operation.ts'
import { partNumber } from './arguments.ts'
import type { ChecksumType } from './checksums.ts'
import { noSuchUpload } from './versions.ts'

/** Source: Amazon S3 User Guide, "Amazon S3 multipart upload limits". */
export const PART_BYTES_MAX = 5 * 1024 ** 3
export const PART_BYTES_MIN = 5 * 1024 ** 2

export type NamedPart = { readonly key: string; readonly uploadId: string; readonly number: number }

/** Errors: InvalidArgument. */
export function namedPart(request: S3Request): Result<NamedPart, S3Failure> {
  const number = partNumber(request.query.get('partNumber') ?? '')
  if (!number.ok) return number
  return ok({ key: request.key, uploadId: request.query.get('uploadId') ?? '', number: number.value })
}

/** One that is neither aborted nor complete. Error: NoSuchUpload. */
export async function findOpenUpload(context: Context, key: string, uploadId: string): Promise<Result<Upload, S3Failure>> {
  const upload = await context.store.findUpload(context.bucket.id, key, uploadId)
  return upload === undefined || upload.completed !== undefined ? fail(noSuchUpload(uploadId)) : ok(upload)
}

/** Who asked for no checksum gets CRC64NVME over the whole object. Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3". */
export const uploadAlgorithm = (upload: Upload): { readonly algorithm: ChecksumAlgorithm; readonly type: ChecksumType } => ({
  algorithm: upload.checksumAlgorithm ?? 'CRC64NVME',
  type: upload.checksumType ?? 'FULL_OBJECT',
})

/**
 * Refuses a part whose client states another checksum than the upload was made with, and one without where the object's checksum is made of those
 * that the client stated.
 */
export function checkPartAlgorithm(upload: Upload, stated: ChecksumAlgorithm | undefined): Result<undefined, S3Failure> {
  const expected = upload.checksumAlgorithm
  if (expected === undefined || stated === expected || (stated === undefined && upload.checksumType === 'FULL_OBJECT')) return ok(undefined)
  const actual = stated?.toLowerCase() ?? 'null'
  const message = `Checksum Type mismatch occurred, expected checksum Type: ${expected.toLowerCase()}, actual checksum Type: ${actual}`
  return fail(s3Failure('InvalidRequest', { message }))
}

/** What replies tell of a part's checksum: the client's own when the upload was made without one. */
export const partChecksumShown = (upload: Upload, checksum: Checksum | undefined): Checksum | undefined =>
  upload.checksumAlgorithm === undefined ? undefined : checksum
