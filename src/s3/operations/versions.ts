/** Finding the version a request means, and Amazon's answers when there is none or it is a delete marker. */
import { fail, ok, type Result } from '../../result.ts'
import type { ConditionFault, WriteCondition } from '../../store/store.ts'
import type { Bucket, ObjectVersion, StoreFault, Version } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { Context } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { conditionName, preconditionFailed } from './conditions.ts'
import { httpDate } from './object-headers.ts'

/** Replies to reads name versions as soon as the bucket was ever versioned. */
export const showsVersions = (bucket: Bucket): boolean => bucket.versioning !== 'unversioned'

/**
 * The id of a version just written, where the reply tells it: not that of a null version. (Of writes, only a copy says "null".)
 * Source: Amazon S3 API Reference, PutObject, examples; recorded replies.
 */
export const writtenVersionHeader = (versionId: string): readonly (readonly [string, string])[] =>
  versionId === 'null' ? [] : [['x-amz-version-id', versionId]]

/** A copy tells which version it was made of, unless that is a null version. */
export const sourceVersionHeader = (versionId: string): readonly (readonly [string, string])[] =>
  versionId === 'null' ? [] : [['x-amz-copy-source-version-id', versionId]]

export const noSuchKey = (key: string): S3Failure => s3Failure('NoSuchKey', { elements: { Key: key } })
export const noSuchVersion = (key: string, versionId: string): S3Failure =>
  s3Failure('NoSuchVersion', { elements: { Key: key, VersionId: versionId } })
export const noSuchUpload = (uploadId: string): S3Failure => s3Failure('NoSuchUpload', { elements: { UploadId: uploadId } })
export const noSuchBucket = (bucket: string): S3Failure => s3Failure('NoSuchBucket', { elements: { BucketName: bucket } })

/**
 * The version named, or else the current one. Errors: NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker was named).
 * Both answers to a marker say that it is one: x-amz-delete-marker. Source: Amazon S3 User Guide, "Working with delete markers".
 */
export async function findObject(context: Context, key: string, versionId: string | undefined): Promise<Result<ObjectVersion, S3Failure>> {
  const version = await context.store.findVersion(context.bucket.id, key, versionId)
  if (version?.kind === 'object') return ok(version)
  if (version === undefined) return fail(versionId === undefined ? noSuchKey(key) : noSuchVersion(key, versionId))
  if (versionId === undefined) return fail(s3Failure('NoSuchKey', { elements: { Key: key }, headers: markerHeaders(version.versionId) }))
  return fail(markerRefused(version, 'GET'))
}

/**
 * Refuses a write whose condition fails now, before its body is asked for. Only advice: the store decides when the body is there.
 * Errors: PreconditionFailed, NoSuchKey.
 */
export async function checkWriteAhead(
  context: Context,
  key: string,
  condition: WriteCondition | undefined,
): Promise<Result<undefined, S3Failure>> {
  if (condition === undefined) return ok(undefined)
  const current = await context.store.findVersion(context.bucket.id, key, undefined)
  if (current?.kind !== 'object') return condition.kind === 'absent' ? ok(undefined) : fail(noSuchKey(key))
  const holds = condition.kind === 'etag' && (condition.etag === '*' || condition.etag === current.etag)
  return holds ? ok(undefined) : fail(preconditionFailed(conditionName(condition)))
}

const markerHeaders = (versionId: string): readonly (readonly [string, string])[] => [
  ['x-amz-delete-marker', 'true'],
  ['x-amz-version-id', versionId],
]

/** To a method that a delete marker does not have. */
export const markerRefused = (marker: Pick<Version, 'versionId' | 'modifiedMs'>, method: 'GET' | 'PUT' | 'DELETE'): S3Failure =>
  s3Failure('MethodNotAllowed', {
    elements: { Method: method, ResourceType: 'DeleteMarker' },
    headers: [...markerHeaders(marker.versionId), ['allow', 'DELETE'], ['last-modified', httpDate(marker.modifiedMs)]],
  })

/** Amazon's error for what the store answers to a conditional change. */
export function changeFailure(
  fault: StoreFault | ConditionFault | 'no-such-bucket' | 'source-gone',
  context: Context,
  key: string,
  condition: WriteCondition | undefined,
): S3Failure {
  switch (fault) {
    case 'no-such-key':
      return noSuchKey(key)
    case 'precondition-failed':
      return preconditionFailed(conditionName(condition))
    case 'no-such-bucket':
      return noSuchBucket(context.bucket.name)
    // The source was deleted between the look and the copy: what a request a moment later would hear.
    case 'source-gone':
      return noSuchKey(key)
    default:
      return storeFailure(fault)
  }
}
