/** ListObjects, ListObjectsV2. Sources: Amazon S3 API Reference, the pages of those names; User Guide, "Organizing objects using prefixes". */
import { fail, ok, type Result } from '../../result.ts'
import type { ListedObject, ListPage } from '../../store/store.ts'
import type { S3Failure } from '../errors.ts'
import { type AnyOperation, type Context, define, type S3Request } from '../operation.ts'
import { element, xmlDocument } from '../xml.ts'
import { fromToken, toToken, WRONG_TOKEN } from './continuation.ts'
import { contentRows, EMPTY_PAGE, type ListArguments, listArguments, nameElement, nameWriter, ownerElement, prefixRows } from './listing.ts'

type Output<Input> = {
  readonly page: ListPage<ListedObject>
  readonly bucket: string
  readonly region: string
  readonly owner: string
  readonly input: Input
}

const readPage = async ({ store, bucket }: Context, input: ListArguments, after: string): Promise<ListPage<ListedObject>> =>
  input.max === 0
    ? EMPTY_PAGE
    : store.listObjects({ bucketId: bucket.id, prefix: input.prefix, delimiter: input.delimiter, after, max: input.max })

/** Amazon says it in every listing of objects (and of no others). */
const regionHeader = (region: string): readonly (readonly [string, string])[] => [['x-amz-bucket-region', region]]

/** How both end. */
const pageEnd = (page: ListPage<ListedObject>, input: ListArguments, owner: string): string => {
  const write = nameWriter(input.encoded)
  return (
    `<MaxKeys>${input.max}</MaxKeys>${input.delimiter === '' ? '' : nameElement('Delimiter', input.delimiter, write)}` +
    `${input.encoded ? '<EncodingType>url</EncodingType>' : ''}<IsTruncated>${page.truncated}</IsTruncated>` +
    contentRows(page.entries, write, owner) +
    prefixRows(page.commonPrefixes, write)
  )
}

type InputV1 = ListArguments & { readonly marker: string }

/** Errors: InvalidArgument. */
export const listObjects: AnyOperation = define<InputV1, Output<InputV1>>({
  name: 'ListObjects',
  resource: 'bucket',
  method: 'GET',
  selectors: [],
  permission: 's3:ListBucket',
  parameters: ['prefix', 'delimiter', 'marker', 'max-keys', 'encoding-type'],
  headers: ['x-amz-request-payer', 'x-amz-optional-object-attributes'],
  parse(request) {
    const shared = listArguments(request, 'max-keys')
    return shared.ok ? ok({ ...shared.value, marker: request.query.get('marker') ?? '' }) : shared
  },
  async run(context, input) {
    const page = await readPage(context, input, input.marker)
    const { bucket, region, caller } = context
    return ok({ page, bucket: bucket.name, region, owner: ownerElement(bucket.owner, caller), input })
  },
  render({ page, bucket, region, owner, input }) {
    const write = nameWriter(input.encoded)
    // Amazon names the next marker only with a delimiter; without, it is the last key.
    const next = page.truncated && input.delimiter !== '' ? page.last : undefined
    const content =
      `<Name>${bucket}</Name>${nameElement('Prefix', input.prefix, write)}${nameElement('Marker', input.marker, write)}` +
      nameElement('NextMarker', next, write) +
      pageEnd(page, input, owner)
    return { status: 200, headers: regionHeader(region), body: { kind: 'xml', text: xmlDocument('ListBucketResult', content) } }
  },
})

type InputV2 = ListArguments & {
  readonly startAfter: string | undefined
  readonly token: string | undefined
  readonly after: string
  readonly fetchOwner: boolean
}

function parseV2(request: S3Request): Result<InputV2, S3Failure> {
  const { query } = request
  const shared = listArguments(request, 'max-keys')
  if (!shared.ok) return shared
  const startAfter = query.get('start-after')
  const token = query.get('continuation-token')
  const after = token === undefined ? (startAfter ?? '') : fromToken(token)
  if (after === undefined) return fail(WRONG_TOKEN)
  // With a token, where the first page began counts for nothing and is not told.
  return ok({
    ...shared.value,
    startAfter: token === undefined ? startAfter : undefined,
    token,
    after,
    fetchOwner: query.get('fetch-owner') === 'true',
  })
}

/** Errors: InvalidArgument. */
export const listObjectsV2: AnyOperation = define<InputV2, Output<InputV2>>({
  name: 'ListObjectsV2',
  resource: 'bucket',
  method: 'GET',
  selectors: ['list-type=2'],
  permission: 's3:ListBucket',
  parameters: ['prefix', 'delimiter', 'start-after', 'continuation-token', 'max-keys', 'encoding-type', 'fetch-owner'],
  headers: ['x-amz-request-payer', 'x-amz-optional-object-attributes'],
  parse: parseV2,
  async run(context, input) {
    const page = await readPage(context, input, input.after)
    const owner = input.fetchOwner ? ownerElement(context.bucket.owner, context.caller) : ''
    return ok({ page, bucket: context.bucket.name, region: context.region, owner, input })
  },
  render({ page, bucket, region, owner, input }) {
    const write = nameWriter(input.encoded)
    const content =
      `<Name>${bucket}</Name>${nameElement('Prefix', input.prefix, write)}${nameElement('StartAfter', input.startAfter, write)}` +
      element('ContinuationToken', input.token) +
      element('NextContinuationToken', page.truncated ? toToken(page.last) : undefined) +
      `<KeyCount>${page.entries.length + page.commonPrefixes.length}</KeyCount>` +
      pageEnd(page, input, owner)
    return { status: 200, headers: regionHeader(region), body: { kind: 'xml', text: xmlDocument('ListBucketResult', content) } }
  },
})
