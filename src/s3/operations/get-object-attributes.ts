import { fail, ok, type Result } from '../../result.ts'
import type { ObjectVersion, Part } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { element, xmlDocument } from '../xml.ts'
import { invalidArgument, namedVersion, partNumberMarker, rowsMax } from './arguments.ts'
import { checksumElement } from './checksums.ts'
import { httpDate } from './object-headers.ts'
import { findObject, showsVersions } from './versions.ts'

const ATTRIBUTES = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const
type Attribute = (typeof ATTRIBUTES)[number]

/** Source: Amazon S3 API Reference, GetObjectAttributes, x-amz-max-parts. */
const PARTS_LISTED_MAX = 1000

type Input = {
  readonly key: string
  readonly versionId: string | undefined
  readonly wanted: ReadonlySet<Attribute>
  readonly partsMax: number
  readonly partsAfter: number
}
type Output = {
  readonly version: ObjectVersion
  readonly shown: boolean
  readonly parts: readonly Part[]
  readonly truncated: boolean
  readonly input: Input
}

function parse(request: S3Request): Result<Input, S3Failure> {
  const versionId = namedVersion(request)
  if (!versionId.ok) return versionId
  const sent = request.http.headers
  const list = sent.get('x-amz-object-attributes')
  const names = (list ?? '').split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  if (names.length === 0) {
    const message = 'The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty'
    return fail(s3Failure('InvalidRequest', { message }))
  }
  const wanted = new Set<Attribute>()
  for (const name of names) {
    const known = ATTRIBUTES.find((each) => each === name)
    if (known === undefined) return fail(invalidArgument('x-amz-object-attributes', name, 'Invalid attribute name specified.'))
    wanted.add(known)
  }
  // Amazon does not mind one that is no number.
  const partsMax = rowsMax('x-amz-max-parts', sent.get('x-amz-max-parts'))
  const partsAfter = partNumberMarker('x-amz-part-number-marker', sent.get('x-amz-part-number-marker'))
  if (!partsAfter.ok) return partsAfter
  return ok({
    key: request.key,
    versionId: versionId.value,
    wanted,
    partsMax: partsMax.ok ? partsMax.value : PARTS_LISTED_MAX,
    partsAfter: partsAfter.value,
  })
}

/** How many parts a multipart object has; they are listed only where the checksum is made of theirs, as at Amazon. */
function partsElement({ version, parts, truncated, input }: Output): string {
  if (version.partCount === 0) return ''
  if (!listsParts(version)) return `<ObjectParts><PartsCount>${version.partCount}</PartsCount></ObjectParts>`
  const last = parts.at(-1)
  let rows = ''
  for (const part of parts) {
    if (part.checksum === undefined) continue
    rows += `<Part>${checksumElement(part.checksum, 0)}<PartNumber>${part.number}</PartNumber><Size>${part.bytes}</Size></Part>`
  }
  return (
    `<ObjectParts><IsTruncated>${truncated}</IsTruncated><MaxParts>${input.partsMax}</MaxParts>` +
    `<NextPartNumberMarker>${last?.number ?? 0}</NextPartNumberMarker><PartNumberMarker>${input.partsAfter}</PartNumberMarker>` +
    `${rows}<PartsCount>${version.partCount}</PartsCount></ObjectParts>`
  )
}

const listsParts = ({ partCount, checksum }: ObjectVersion): boolean => partCount > 0 && checksum?.type === 'COMPOSITE'

/** Errors: InvalidArgument, NoSuchKey, NoSuchVersion, MethodNotAllowed. Source: Amazon S3 API Reference, GetObjectAttributes. */
export const getObjectAttributes = define<Input, Output>({
  name: 'GetObjectAttributes',
  resource: 'object',
  method: 'GET',
  selectors: ['attributes'],
  permission: 's3:GetObjectAttributes',
  parameters: ['versionId'],
  headers: ['x-amz-object-attributes', 'x-amz-max-parts', 'x-amz-part-number-marker', 'x-amz-request-payer'],
  parse,
  async run(context, input) {
    const found = await findObject(context, input.key, input.versionId)
    if (!found.ok) return found
    const version = found.value
    const listed =
      input.wanted.has('ObjectParts') && listsParts(version) && input.partsMax > 0
        ? await context.store.parts(version, input.partsAfter, input.partsMax + 1)
        : []
    const truncated = listed.length > input.partsMax
    return ok({ version, shown: showsVersions(context.bucket), parts: listed.slice(0, input.partsMax), truncated, input })
  },
  render(output) {
    const { version, shown, input } = output
    const { wanted } = input
    const headers: (readonly [string, string])[] = [['last-modified', httpDate(version.modifiedMs)]]
    if (shown) headers.push(['x-amz-version-id', version.versionId])
    const { checksum } = version
    const content =
      (wanted.has('ETag') ? element('ETag', version.etag) : '') +
      (wanted.has('Checksum') && checksum !== undefined
        ? // Here a composite one goes without the number of parts: that stands in ObjectParts.
          `<Checksum>${checksumElement(checksum, 0)}${element('ChecksumType', checksum.type)}</Checksum>`
        : '') +
      (wanted.has('ObjectParts') ? partsElement(output) : '') +
      (wanted.has('StorageClass') ? '<StorageClass>STANDARD</StorageClass>' : '') +
      (wanted.has('ObjectSize') ? `<ObjectSize>${version.bytes}</ObjectSize>` : '')
    return { status: 200, headers, body: { kind: 'xml', text: xmlDocument('GetObjectAttributesResponse', content) } }
  },
})
