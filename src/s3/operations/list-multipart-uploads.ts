import { fail, ok, type Result } from '../../result.ts'
import type { ListPage } from '../../store/store.ts'
import type { Upload } from '../../store/terms.ts'
import type { S3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { element, xmlDocument, xmlTime } from '../xml.ts'
import { invalidArgument } from './arguments.ts'
import { EMPTY_PAGE, type ListArguments, listArguments, nameElement, nameWriter, ownerElement, prefixRows } from './listing.ts'

type Input = ListArguments & { readonly keyMarker: string; readonly uploadIdMarker: string | undefined }
type Output = {
  readonly page: ListPage<Upload> & { readonly lastUploadId: string }
  readonly bucket: string
  readonly owner: string
  readonly input: Input
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const { query } = request
  const shared = listArguments(request, 'max-uploads')
  if (!shared.ok) return shared
  const keyMarker = query.get('key-marker') ?? ''
  const marker = query.get('upload-id-marker')
  // Without a key marker it counts for nothing: Amazon S3 API Reference, ListMultipartUploads, upload-id-marker.
  const uploadIdMarker = marker === undefined || marker === '' || keyMarker === '' ? undefined : marker
  return ok({ ...shared.value, keyMarker, uploadIdMarker })
}

/** Uploads neither complete nor aborted, by key, then by time. Errors: InvalidArgument. Source: Amazon S3 API Reference, ListMultipartUploads. */
export const listMultipartUploads = define<Input, Output>({
  name: 'ListMultipartUploads',
  resource: 'bucket',
  method: 'GET',
  selectors: ['uploads'],
  permission: 's3:ListBucketMultipartUploads',
  parameters: ['prefix', 'delimiter', 'key-marker', 'upload-id-marker', 'max-uploads', 'encoding-type'],
  headers: ['x-amz-request-payer'],
  parse,
  async run({ store, bucket, caller }, input) {
    const { prefix, delimiter, max, keyMarker, uploadIdMarker } = input
    const page =
      max === 0
        ? { ...EMPTY_PAGE, lastUploadId: '' }
        : await store.listUploads({
            bucketId: bucket.id,
            prefix,
            delimiter,
            after: keyMarker,
            max,
            ...(uploadIdMarker === undefined ? undefined : { afterUploadId: uploadIdMarker }),
          })
    if (page === undefined) return fail(invalidArgument('upload-id-marker', uploadIdMarker ?? '', 'Invalid uploadId marker'))
    return ok({ page, bucket: bucket.name, owner: ownerElement(bucket.owner, caller), input })
  },
  render({ page, bucket, owner, input }) {
    const write = nameWriter(input.encoded)
    const initiator = owner.replaceAll('Owner>', 'Initiator>')
    let rows = ''
    for (const upload of page.entries)
      rows +=
        `<Upload><Key>${write(upload.key)}</Key>${element('UploadId', upload.uploadId)}${initiator}${owner}<StorageClass>STANDARD</StorageClass>` +
        `<Initiated>${xmlTime(upload.initiatedMs)}</Initiated>${element('ChecksumAlgorithm', upload.checksumAlgorithm)}` +
        `${element('ChecksumType', upload.checksumType)}</Upload>`
    const content =
      `<Bucket>${bucket}</Bucket>${nameElement('KeyMarker', input.keyMarker, write)}${element('UploadIdMarker', input.uploadIdMarker ?? '')}` +
      // Amazon names the last upload also when there are no more.
      nameElement('NextKeyMarker', page.truncated ? page.last : (page.entries.at(-1)?.key ?? ''), write) +
      element('NextUploadIdMarker', page.truncated ? page.lastUploadId : (page.entries.at(-1)?.uploadId ?? '')) +
      `${input.delimiter === '' ? '' : nameElement('Delimiter', input.delimiter, write)}` +
      `${input.prefix === '' ? '' : nameElement('Prefix', input.prefix, write)}` +
      `<MaxUploads>${input.max}</MaxUploads>${input.encoded ? '<EncodingType>url</EncodingType>' : ''}<IsTruncated>${page.truncated}</IsTruncated>` +
      rows +
      prefixRows(page.commonPrefixes, write)
    return { status: 200, headers: [], body: { kind: 'xml', text: xmlDocument('ListMultipartUploadsResult', content) } }
  },
})
