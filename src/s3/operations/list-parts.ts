import { ok, type Result } from '../../result.ts'
import type { Part, Upload } from '../../store/terms.ts'
import type { S3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { element, xmlDocument, xmlTime } from '../xml.ts'
import { partNumberMarker, rowsMax } from './arguments.ts'
import { checksumElement } from './checksums.ts'
import { ownerElement } from './listing.ts'
import { findOpenUpload, partChecksumShown } from './uploads.ts'

type Input = { readonly key: string; readonly uploadId: string; readonly max: number; readonly after: number }
type Output = {
  readonly upload: Upload
  readonly parts: readonly Part[]
  readonly truncated: boolean
  readonly bucket: string
  readonly owner: string
  readonly input: Input
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const { query, key } = request
  const max = rowsMax('max-parts', query.get('max-parts'))
  if (!max.ok) return max
  const after = partNumberMarker('part-number-marker', query.get('part-number-marker'))
  if (!after.ok) return after
  return ok({ key, uploadId: query.get('uploadId') ?? '', max: max.value, after: after.value })
}

/** The parts that an upload has so far. Errors: NoSuchUpload, InvalidArgument. Source: Amazon S3 API Reference, ListParts. */
export const listParts = define<Input, Output>({
  name: 'ListParts',
  resource: 'object',
  method: 'GET',
  selectors: ['uploadId'],
  permission: 's3:ListMultipartUploadParts',
  parameters: ['max-parts', 'part-number-marker'],
  headers: ['x-amz-request-payer'],
  parse,
  async run(context, input) {
    const { store, bucket, caller } = context
    const upload = await findOpenUpload(context, input.key, input.uploadId)
    if (!upload.ok) return upload
    const page =
      input.max === 0
        ? { parts: [], truncated: false }
        : await store.listParts(bucket.id, input.key, input.uploadId, input.after, input.max)
    return ok({ upload: upload.value, ...page, bucket: bucket.name, owner: ownerElement(bucket.owner, caller), input })
  },
  render({ upload, parts, truncated, bucket, owner, input }) {
    let rows = ''
    for (const part of parts)
      rows +=
        `<Part><PartNumber>${part.number}</PartNumber><LastModified>${xmlTime(part.modifiedMs)}</LastModified><ETag>&quot;${part.etag}&quot;</ETag>` +
        `<Size>${part.bytes}</Size>${checksumElement(partChecksumShown(upload, part.checksum), 0)}</Part>`
    const content =
      element('Bucket', bucket) +
      element('Key', input.key) +
      element('UploadId', input.uploadId) +
      owner.replaceAll('Owner>', 'Initiator>') +
      owner +
      `<StorageClass>STANDARD</StorageClass><PartNumberMarker>${input.after}</PartNumberMarker>` +
      `<NextPartNumberMarker>${parts.at(-1)?.number ?? 0}</NextPartNumberMarker>` +
      `<MaxParts>${input.max}</MaxParts><IsTruncated>${truncated}</IsTruncated>` +
      element('ChecksumAlgorithm', upload.checksumAlgorithm) +
      element('ChecksumType', upload.checksumType) +
      rows
    return { status: 200, headers: [], body: { kind: 'xml', text: xmlDocument('ListPartsResult', content) } }
  },
})
