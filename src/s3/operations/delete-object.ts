import { fail, ok, type Result } from '../../result.ts'
import type { Deleted, WriteCondition } from '../../store/store.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import { namedVersion } from './arguments.ts'
import { writeCondition } from './conditions.ts'
import { changeFailure } from './versions.ts'

type Input = { readonly key: string; readonly versionId: string | undefined; readonly condition: WriteCondition | undefined }
type Output = { readonly deleted: Deleted; readonly versionId: string | undefined }

function parse(request: S3Request): Result<Input, S3Failure> {
  const versionId = namedVersion(request)
  if (!versionId.ok) return versionId
  const condition = writeCondition(request, 'delete')
  if (!condition.ok) return condition
  // Amazon's conditions are of the current version, and it refuses them beside another's name.
  if (condition.value !== undefined && versionId.value !== undefined)
    return fail(s3Failure('NotImplemented', { elements: { Header: 'If-Match' } }))
  return ok({ key: request.key, versionId: versionId.value, condition: condition.value })
}

/**
 * Without a version id: hides the object behind a delete marker (or removes it, where there is no versioning). With one: removes that version for good.
 * Nothing to delete is no error. Errors: PreconditionFailed, NoSuchKey (both only with If-Match), NotImplemented (If-Match of a named version).
 * Source: Amazon S3 API Reference, DeleteObject.
 */
export const deleteObject = define<Input, Output>({
  name: 'DeleteObject',
  resource: 'object',
  method: 'DELETE',
  selectors: [],
  permission: 's3:DeleteObject',
  parameters: ['versionId'],
  // No bucket has object lock, so there is nothing that could be bypassed.
  headers: ['x-amz-bypass-governance-retention', 'x-amz-request-payer'],
  parse,
  async run(context, { key, versionId, condition }) {
    const deleted = await context.store.deleteObject({
      bucketId: context.bucket.id,
      key,
      ...(versionId === undefined ? undefined : { versionId }),
      ...(condition === undefined ? undefined : { condition }),
    })
    return deleted.ok ? ok({ deleted: deleted.value, versionId }) : fail(changeFailure(deleted.error, context, key, condition))
  },
  render({ deleted, versionId }) {
    const headers: (readonly [string, string])[] = []
    if (deleted.kind === 'marker-made' || deleted.removedMarker) headers.push(['x-amz-delete-marker', 'true'])
    const named = versionId ?? (deleted.kind === 'marker-made' ? deleted.versionId : undefined)
    if (named !== undefined) headers.push(['x-amz-version-id', named])
    return { status: 204, headers, body: { kind: 'none' } }
  },
})
