/** Changes of versions. Source of what S3 does: Amazon S3 User Guide, "Working with objects in a versioning-enabled / -suspended bucket". */
import type { WriteCondition } from '../../store.ts'
import type { Bucket, BucketId, Versioning } from '../../terms.ts'
import type { IndexReader } from '../index/ordered-map.ts'
import { getBucket } from '../index/rows.ts'
import { etagText, type VersionRow } from '../index/version-row.ts'
import { getCurrent, getNamed, getNewest, getNull, listOfKey, versionIdOfRow } from '../index/versions.ts'
import { modifiedMsOf, NULL_VERSION_ID, samePosition, versionIdOf } from '../position.ts'
import { change, type DecideContext, type Decision, refused } from './context.ts'
import { nextOperation, positionHere } from './decide-buckets.ts'
import { decideContent } from './decide-content.ts'
import type { ChangeRequest } from './request.ts'

type Request<K extends ChangeRequest['kind']> = Extract<ChangeRequest, { kind: K }>

/** Why a conditional write is refused; undefined if it may be. `of`: the row that counts, if it is not the current version's. */
export function checkCondition(
  reader: IndexReader,
  bucketId: BucketId,
  key: string,
  condition: WriteCondition,
  of: 'current' | VersionRow | undefined = 'current',
): 'no-such-key' | 'precondition-failed' | undefined {
  const row = of === 'current' ? getCurrent(reader, bucketId, key) : of
  if (condition.kind === 'absent') return row === undefined ? undefined : 'precondition-failed'
  if (row === undefined || row.kind === 'delete-marker') return 'no-such-key'
  return condition.etag === '*' || condition.etag === etagText(row.etag) ? undefined : 'precondition-failed'
}

/** What a new version here is called, and which null version makes room for it. */
export function newVersion(
  context: DecideContext,
  bucket: Bucket,
  key: string,
): {
  readonly mark: { readonly isNull: boolean; readonly replaces?: VersionRow['position'] }
  readonly written: { versionId: string; position: VersionRow['position']; modifiedMs: number; versioning: Versioning }
} {
  const position = positionHere(context)
  const isNull = bucket.versioning !== 'enabled'
  const replaced = isNull ? getNull(context.reader, bucket.id, key) : undefined
  return {
    mark: { isNull, ...(replaced && { replaces: replaced.position }) },
    written: {
      versionId: isNull ? NULL_VERSION_ID : versionIdOf(position),
      position,
      modifiedMs: modifiedMsOf(position),
      versioning: bucket.versioning,
    },
  }
}

export function decidePut(context: DecideContext, request: Request<'put-object'>): Decision {
  const { reader } = context
  const { bucketId, key } = request
  const bucket = getBucket(reader, bucketId)
  if (bucket === undefined) return refused('no-such-bucket')
  const failed = request.condition && checkCondition(reader, bucketId, key, request.condition)
  if (failed !== undefined) return refused(failed)
  const decided = decideContent(reader, request.content, 'version')
  if (!decided.ok) return refused(decided.error)
  const { content, bytes, body } = decided.value
  const { mark, written } = newVersion(context, bucket, key)
  const { etag, attributes, checksum } = request
  const operation = nextOperation(context, bucketId)
  return change(
    { kind: 'put-object', bucket: bucketId, key, ...mark, etag, attributes, checksum, bytes, content, operation },
    written,
    body,
  )
}

export function decideDelete(context: DecideContext, request: Request<'delete-object'>): Decision {
  const bucket = getBucket(context.reader, request.bucketId)
  if (bucket === undefined) return refused('no-such-bucket')
  return request.versionId === undefined
    ? decideDeleteOfKey(context, bucket, request)
    : decideDeleteOfVersion(context, bucket, request, request.versionId)
}

function decideDeleteOfVersion(context: DecideContext, bucket: Bucket, request: Request<'delete-object'>, versionId: string): Decision {
  const { reader } = context
  const { key, condition } = request
  const row = getNamed(reader, bucket.id, key, versionId)
  const failed = condition && checkCondition(reader, bucket.id, key, condition, row)
  if (failed !== undefined) return refused(failed)
  const { versioning } = bucket
  if (row === undefined) return { kind: 'nothing', value: { kind: 'nothing', versionId, removedMarker: false, versioning } }
  return change(
    { kind: 'delete-version', bucket: bucket.id, key, versionId, target: row.position, operation: nextOperation(context, bucket.id) },
    { kind: 'removed', versionId, removedMarker: row.kind === 'delete-marker', versioning },
  )
}

function decideDeleteOfKey(context: DecideContext, bucket: Bucket, request: Request<'delete-object'>): Decision {
  const { reader } = context
  const { key, condition } = request
  const failed = condition && checkCondition(reader, bucket.id, key, condition)
  if (failed !== undefined) return refused(failed)
  const { versioning } = bucket
  const operation = nextOperation(context, bucket.id)
  if (versioning === 'unversioned') {
    const row = getNull(reader, bucket.id, key)
    if (row === undefined) {
      return { kind: 'nothing', value: { kind: 'nothing', versionId: undefined, removedMarker: false, versioning } }
    }
    const removed = { kind: 'removed', versionId: NULL_VERSION_ID, removedMarker: false, versioning } as const
    if (!uncovers(reader, bucket.id, key, row)) {
      return change(
        { kind: 'delete-version', bucket: bucket.id, key, versionId: NULL_VERSION_ID, target: row.position, operation },
        removed,
      )
    }
    const { mark } = newVersion(context, bucket, key)
    return change({ kind: 'put-marker', bucket: bucket.id, key, ...mark, operation }, removed)
  }
  const { mark, written } = newVersion(context, bucket, key)
  return change(
    { kind: 'put-marker', bucket: bucket.id, key, ...mark, operation },
    { kind: 'marker-made', versionId: written.versionId, removedMarker: false, versioning },
  )
}

/** Whether removing the null version would bring back an older one: possible where concurrent writes of two sites met in an unversioned bucket. */
function uncovers(reader: IndexReader, bucketId: BucketId, key: string, row: VersionRow): boolean {
  const next = listOfKey(reader, bucketId, key, 2).find((other) => !samePosition(other.position, row.position))
  return next?.kind === 'object'
}

export function decideTags(context: DecideContext, request: Request<'put-tags'>): Decision {
  const { reader } = context
  const { bucketId, key, versionId, tags } = request
  if (getBucket(reader, bucketId) === undefined) return refused('no-such-bucket')
  const row = versionId === undefined ? getNewest(reader, bucketId, key) : getNamed(reader, bucketId, key, versionId)
  if (versionId === undefined && row?.kind !== 'object') return refused('no-such-key')
  if (row === undefined) return refused('no-such-version')
  if (row.kind === 'delete-marker') return refused('is-delete-marker')
  const operation = nextOperation(context, bucketId)
  return change({ kind: 'put-tags', bucket: bucketId, key, target: row.position, tags, operation }, { versionId: versionIdOfRow(row) })
}
