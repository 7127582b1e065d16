import { fail, ok, type Result } from '../../result.ts'
import type { Upload } from '../../store/terms.ts'
import type { S3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { element, xmlDocument } from '../xml.ts'
import { uploadChecksum } from './checksums.ts'
import { ATTRIBUTE_HEADERS, newAttributes, type WrittenAttributes } from './object-headers.ts'
import { noSuchBucket } from './versions.ts'

type Checksummed = Pick<Upload, 'checksumAlgorithm' | 'checksumType'>
type Input = { readonly key: string; readonly written: WrittenAttributes; readonly checksum: Checksummed }
type Output = { readonly upload: Upload; readonly bucket: string }

function parse(request: S3Request): Result<Input, S3Failure> {
  const written = newAttributes(request)
  if (!written.ok) return written
  const asked = uploadChecksum(request)
  if (!asked.ok) return asked
  const checksum: Checksummed =
    asked.value === undefined ? {} : { checksumAlgorithm: asked.value.algorithm, checksumType: asked.value.type }
  return ok({ key: request.key, written: written.value, checksum })
}

/** Errors: those of attributes, InvalidRequest (checksum). Source: Amazon S3 API Reference, CreateMultipartUpload. */
export const createMultipartUpload = define<Input, Output>({
  name: 'CreateMultipartUpload',
  resource: 'object',
  method: 'POST',
  selectors: ['uploads'],
  permission: 's3:PutObject',
  parameters: [],
  headers: [...ATTRIBUTE_HEADERS, 'x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-request-payer'],
  parse,
  async run({ store, bucket }, { key, written, checksum }) {
    const made = await store.createUpload({ bucketId: bucket.id, key, ...written, ...checksum })
    if (made.ok) return ok({ upload: made.value, bucket: bucket.name })
    return fail(made.error === 'no-such-bucket' ? noSuchBucket(bucket.name) : storeFailure(made.error))
  },
  render({ upload, bucket }) {
    const headers: (readonly [string, string])[] = []
    if (upload.checksumAlgorithm !== undefined) headers.push(['x-amz-checksum-algorithm', upload.checksumAlgorithm])
    if (upload.checksumType !== undefined) headers.push(['x-amz-checksum-type', upload.checksumType])
    const content = element('Bucket', bucket) + element('Key', upload.key) + element('UploadId', upload.uploadId)
    return { status: 200, headers, body: { kind: 'xml', text: xmlDocument('InitiateMultipartUploadResult', content) } }
  },
})
