import { authorize } from '../../iam/authorize.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { Deleted } from '../../store/store.ts'
import { S3_ERRORS, type S3Failure, s3Failure } from '../errors.ts'
import { type Context, define } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readXml } from '../receive.ts'
import { childOf, childrenOf, element, textOf, type XmlElement, xmlDocument } from '../xml.ts'
import { bareEtag } from './arguments.ts'
import { CHECKSUM_HEADERS, digestedPayload } from './checksums.ts'
import { changeFailure } from './versions.ts'

/** Source: Amazon S3 API Reference, DeleteObjects. */
const OBJECTS_MAX = 1000
const KEY_BYTES_MAX = 1024
/** A thousand keys of 1,024 bytes, each byte escaped, and what stands around them. */
const LIMITS = { bytesMax: 8 << 20, depthMax: 8, elementsMax: 8_000 }
/** So many are in the store's hands at once: a batch of the journal. */
const AT_ONCE = 256

type Doomed = { readonly key: string; readonly versionId: string | undefined; readonly etag: string | undefined }
type Request = { readonly objects: readonly Doomed[]; readonly quiet: boolean }
type Outcome = { readonly doomed: Doomed; readonly result: Result<Deleted, S3Failure> }
type Output = { readonly outcomes: readonly Outcome[]; readonly quiet: boolean }

function parseDelete(root: XmlElement): Result<Request, S3Failure> {
  const rows = root.name === 'Delete' ? childrenOf(root, 'Object') : []
  if (rows.length === 0 || rows.length > OBJECTS_MAX) return fail(s3Failure('MalformedXML'))
  const objects: Doomed[] = []
  for (const row of rows) {
    const key = textOf(row, 'Key')
    if (key === undefined || key === '') return fail(s3Failure('MalformedXML'))
    // Conditions that only Amazon's directory buckets know.
    for (const name of ['LastModifiedTime', 'Size'])
      if (childOf(row, name) !== undefined) return fail(s3Failure('NotImplemented', { elements: { Header: name } }))
    const versionId = textOf(row, 'VersionId')
    const etag = textOf(row, 'ETag')
    objects.push({
      key,
      versionId: versionId === '' ? undefined : versionId,
      etag: etag === undefined || etag === '' ? undefined : bareEtag(etag),
    })
  }
  return ok({ objects, quiet: textOf(root, 'Quiet')?.trim().toLowerCase() === 'true' })
}

async function deleteOne(context: Context, { key, versionId, etag }: Doomed): Promise<Result<Deleted, S3Failure>> {
  if (key.length * 3 > KEY_BYTES_MAX && Buffer.byteLength(key) > KEY_BYTES_MAX) return fail(s3Failure('KeyTooLongError'))
  const { caller, bucket } = context
  const permission = versionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion'
  if (authorize({ caller, permission, bucket: bucket.name, key }) === 'deny') return fail(s3Failure('AccessDenied'))
  const condition = etag === undefined ? undefined : ({ kind: 'etag', etag } as const)
  const deleted = await context.store.deleteObject({
    bucketId: bucket.id,
    key,
    ...(versionId === undefined ? undefined : { versionId }),
    ...(condition === undefined ? undefined : { condition }),
  })
  return deleted.ok ? deleted : fail(changeFailure(deleted.error, context, key, condition))
}

/** Deletes up to 1,000 objects or versions, each for itself. Errors of single ones stand in the reply. Errors: MalformedXML, InvalidRequest, BadDigest. */
export const deleteObjects = define<Payload, Output>({
  name: 'DeleteObjects',
  resource: 'bucket',
  method: 'POST',
  selectors: ['delete'],
  permission: 's3:DeleteObject',
  parameters: [],
  headers: [...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm', 'x-amz-bypass-governance-retention', 'x-amz-request-payer'],
  parse: digestedPayload,
  async run(context, payload) {
    const root = await readXml(payload, LIMITS)
    if (!root.ok) return root
    const wanted = parseDelete(root.value)
    if (!wanted.ok) return wanted
    const outcomes: Outcome[] = []
    for (let from = 0; from < wanted.value.objects.length; from += AT_ONCE) {
      const batch = wanted.value.objects.slice(from, from + AT_ONCE)
      outcomes.push(...(await Promise.all(batch.map(async (doomed) => ({ doomed, result: await deleteOne(context, doomed) })))))
    }
    return ok({ outcomes, quiet: wanted.value.quiet })
  },
  render({ outcomes, quiet }) {
    let rows = ''
    for (const { doomed, result } of outcomes) {
      const named = element('Key', doomed.key) + element('VersionId', doomed.versionId)
      if (!result.ok) {
        const { code, message } = result.error
        rows += `<Error>${named}${element('Code', code)}${element('Message', message ?? S3_ERRORS[code].message)}</Error>`
      } else if (!quiet) rows += `<Deleted>${named}${markerElements(result.value)}</Deleted>`
    }
    return { status: 200, headers: [], body: { kind: 'xml', text: xmlDocument('DeleteResult', rows) } }
  },
})

const markerElements = (deleted: Deleted): string =>
  deleted.kind === 'marker-made' || deleted.removedMarker
    ? `<DeleteMarker>true</DeleteMarker>${element('DeleteMarkerVersionId', deleted.versionId)}`
    : ''
