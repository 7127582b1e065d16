/** GetObjectTagging, PutObjectTagging, DeleteObjectTagging. Sources: Amazon S3 API Reference, the pages of those names. */
import { fail, ok, type Result } from '../../result.ts'
import type { Tags } from '../../store/terms.ts'
import type { S3Failure } from '../errors.ts'
import { type Context, define, type S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readXml, storeFailure } from '../receive.ts'
import { namedVersion } from './arguments.ts'
import { CHECKSUM_HEADERS } from './checksums.ts'
import { OBJECT_TAGS, parseTagging, taggingDocument } from './tags.ts'
import { findObject, markerRefused, noSuchBucket, noSuchKey, noSuchVersion, showsVersions } from './versions.ts'

type Named = { readonly key: string; readonly versionId: string | undefined; readonly payload: Payload }

function parse(request: S3Request): Result<Named, S3Failure> {
  const versionId = namedVersion(request)
  return versionId.ok ? ok({ key: request.key, versionId: versionId.value, payload: request.payload }) : versionId
}

type VersionShown = string | undefined
const versionHeader = (versionId: VersionShown): readonly (readonly [string, string])[] =>
  versionId === undefined ? [] : [['x-amz-version-id', versionId]]

/** Errors: NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker, named or current). */
export const getObjectTagging = define<Named, { readonly tags: Tags; readonly versionId: VersionShown }>({
  name: 'GetObjectTagging',
  resource: 'object',
  method: 'GET',
  selectors: ['tagging'],
  permission: 's3:GetObjectTagging',
  parameters: ['versionId'],
  headers: ['x-amz-request-payer'],
  parse,
  async run(context, { key, versionId }) {
    const marked = await checkMarker(context, key, versionId, 'GET')
    if (marked !== undefined) return fail(marked)
    const found = await findObject(context, key, versionId)
    if (!found.ok) return found
    return ok({ tags: found.value.tags, versionId: showsVersions(context.bucket) ? found.value.versionId : undefined })
  },
  render: ({ tags, versionId }) => ({
    status: 200,
    headers: versionHeader(versionId),
    body: { kind: 'xml', text: taggingDocument(tags) },
  }),
})

/** Elsewhere a current delete marker is a key that does not exist; of tags Amazon says that a marker has none. */
async function checkMarker(
  { store, bucket }: Context,
  key: string,
  versionId: string | undefined,
  method: 'GET' | 'PUT' | 'DELETE',
): Promise<S3Failure | undefined> {
  const version = await store.findVersion(bucket.id, key, versionId)
  return version?.kind === 'delete-marker' ? markerRefused(version, method) : undefined
}

async function replaceTags(
  context: Context,
  { key, versionId }: Named,
  tags: Tags,
  method: 'PUT' | 'DELETE',
): Promise<Result<VersionShown, S3Failure>> {
  const named = versionId === undefined ? undefined : { versionId }
  const put = await context.store.putTags({ bucketId: context.bucket.id, key, tags, ...named })
  if (put.ok) return ok(showsVersions(context.bucket) ? put.value.versionId : undefined)
  switch (put.error) {
    case 'no-such-bucket':
      return fail(noSuchBucket(context.bucket.name))
    case 'no-such-key':
    case 'is-delete-marker':
      return fail((await checkMarker(context, key, versionId, method)) ?? noSuchKey(key))
    case 'no-such-version':
      return fail(noSuchVersion(key, versionId ?? ''))
    default:
      return fail(storeFailure(put.error))
  }
}

/** Errors: MalformedXML, InvalidTag, BadRequest (more than 10), and those of GetObjectTagging. */
export const putObjectTagging = define<Named, VersionShown>({
  name: 'PutObjectTagging',
  resource: 'object',
  method: 'PUT',
  selectors: ['tagging'],
  permission: 's3:PutObjectTagging',
  parameters: ['versionId'],
  headers: [...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm', 'x-amz-request-payer'],
  parse,
  async run(context, input) {
    const root = await readXml(input.payload)
    if (!root.ok) return root
    const tags = parseTagging(root.value, OBJECT_TAGS)
    return tags.ok ? replaceTags(context, input, tags.value, 'PUT') : tags
  },
  render: (versionId) => ({ status: 200, headers: versionHeader(versionId), body: { kind: 'none' } }),
})

/** Errors: those of GetObjectTagging. */
export const deleteObjectTagging = define<Named, VersionShown>({
  name: 'DeleteObjectTagging',
  resource: 'object',
  method: 'DELETE',
  selectors: ['tagging'],
  permission: 's3:DeleteObjectTagging',
  parameters: ['versionId'],
  headers: [],
  parse,
  run: (context, input) => replaceTags(context, input, [], 'DELETE'),
  render: (versionId) => ({ status: 204, headers: versionHeader(versionId), body: { kind: 'none' } }),
})
