import { fail, ok, type Result } from '../../result.ts'
import type { ListedVersion, ListPage } from '../../store/store.ts'
import type { S3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { element, escapeXml, xmlDocument, xmlTime } from '../xml.ts'
import { invalidArgument } from './arguments.ts'
import {
  describedRow,
  EMPTY_PAGE,
  type ListArguments,
  listArguments,
  nameElement,
  nameWriter,
  ownerElement,
  prefixRows,
} from './listing.ts'

type Input = ListArguments & { readonly keyMarker: string; readonly versionIdMarker: string | undefined }
type Output = {
  readonly page: ListPage<ListedVersion> & { readonly lastVersionId: string }
  readonly bucket: string
  readonly owner: string
  readonly input: Input
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const { query } = request
  const shared = listArguments(request, 'max-keys')
  if (!shared.ok) return shared
  const keyMarker = query.get('key-marker') ?? ''
  const versionIdMarker = query.get('version-id-marker')
  if (versionIdMarker !== undefined) {
    if (keyMarker === '')
      return fail(invalidArgument('version-id-marker', versionIdMarker, 'A version-id marker cannot be specified without a key marker.'))
    if (versionIdMarker === '') return fail(invalidArgument('version-id-marker', '', 'A version-id marker cannot be empty.'))
  }
  return ok({ ...shared.value, keyMarker, versionIdMarker })
}

function versionRows(rows: readonly ListedVersion[], write: (name: string) => string, owner: string): string {
  let text = ''
  for (const row of rows) {
    const named =
      `<Key>${write(row.key)}</Key><VersionId>${escapeXml(row.versionId)}</VersionId><IsLatest>${row.isLatest}</IsLatest>` +
      `<LastModified>${xmlTime(row.modifiedMs)}</LastModified>`
    text +=
      row.kind === 'object'
        ? `<Version>${named}${describedRow(row)}<StorageClass>STANDARD</StorageClass>${owner}</Version>`
        : `<DeleteMarker>${named}${owner}</DeleteMarker>`
  }
  return text
}

/** All versions and delete markers, by key, newest first. Errors: InvalidArgument. Source: Amazon S3 API Reference, ListObjectVersions. */
export const listObjectVersions = define<Input, Output>({
  name: 'ListObjectVersions',
  resource: 'bucket',
  method: 'GET',
  selectors: ['versions'],
  permission: 's3:ListBucketVersions',
  parameters: ['prefix', 'delimiter', 'key-marker', 'version-id-marker', 'max-keys', 'encoding-type'],
  headers: ['x-amz-request-payer', 'x-amz-optional-object-attributes'],
  parse,
  async run({ store, bucket, caller }, input) {
    const { prefix, delimiter, max, keyMarker, versionIdMarker } = input
    const page =
      max === 0
        ? { ...EMPTY_PAGE, lastVersionId: '' }
        : await store.listVersions({
            bucketId: bucket.id,
            prefix,
            delimiter,
            after: keyMarker,
            max,
            ...(versionIdMarker === undefined ? undefined : { afterVersionId: versionIdMarker }),
          })
    return ok({ page, bucket: bucket.name, owner: ownerElement(bucket.owner, caller), input })
  },
  render({ page, bucket, owner, input }) {
    const write = nameWriter(input.encoded)
    const next = page.truncated
      ? nameElement('NextKeyMarker', page.last, write) +
        element('NextVersionIdMarker', page.lastVersionId === '' ? undefined : page.lastVersionId)
      : ''
    const content =
      `<Name>${bucket}</Name>${nameElement('Prefix', input.prefix, write)}${nameElement('KeyMarker', input.keyMarker, write)}` +
      `${element('VersionIdMarker', input.versionIdMarker ?? '')}${next}<MaxKeys>${input.max}</MaxKeys>` +
      `${input.delimiter === '' ? '' : nameElement('Delimiter', input.delimiter, write)}` +
      `${input.encoded ? '<EncodingType>url</EncodingType>' : ''}<IsTruncated>${page.truncated}</IsTruncated>` +
      versionRows(page.entries, write, owner) +
      prefixRows(page.commonPrefixes, write)
    return { status: 200, headers: [], body: { kind: 'xml', text: xmlDocument('ListVersionsResult', content) } }
  },
})
