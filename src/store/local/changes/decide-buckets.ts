/** Changes of buckets. */
import type { Bucket, BucketId, Position } from '../../terms.ts'
import { bucketOriginKey, heldKey } from '../index/keys.ts'
import { decodeBucketId, getBucket, getBucketByName, getDeletedBucket, lastOperation } from '../index/rows.ts'
import { modifiedMsOf } from '../position.ts'
import { isBucketEmpty } from './apply-buckets.ts'
import { change, type DecideContext, type Decision, refused } from './context.ts'
import type { LocalOperation } from './record.ts'
import type { ChangeRequest } from './request.ts'

type BucketRequest = Extract<
  ChangeRequest,
  { kind: 'create-bucket' | 'delete-bucket' | 'put-versioning' | 'put-configuration' | 'adopt-bucket' }
>

export const positionHere = (context: DecideContext): Position => ({ clock: context.clock, site: context.site, sequence: context.sequence })

/** The operation that the next change of a bucket is. */
export function nextOperation({ reader, epoch }: DecideContext, id: BucketId): LocalOperation {
  const number = lastOperation(reader, id) + 1
  const frontier = reader.get(heldKey(id))
  return frontier === undefined ? { epoch, number } : { epoch, number, frontier }
}

export function decideBucketChange(context: DecideContext, request: BucketRequest): Decision {
  const { reader } = context
  switch (request.kind) {
    case 'create-bucket': {
      const there = getBucketByName(reader, request.name)
      if (there !== undefined) return refused({ kind: 'exists', bucket: there })
      const bucket = freshBucket(context, request.name, request.owner, positionHere(context))
      const { id, name, owner, origin } = bucket
      return change({ kind: 'create-bucket', bucket: id, name, owner, origin, operation: { epoch: context.epoch, number: 1 } }, bucket)
    }
    case 'delete-bucket': {
      const { bucketId } = request
      if (getBucket(reader, bucketId) === undefined) return refused('no-such-bucket')
      if (!isBucketEmpty(reader, bucketId)) return refused('not-empty')
      return change({ kind: 'delete-bucket', bucket: bucketId, operation: nextOperation(context, bucketId) }, undefined)
    }
    case 'put-versioning': {
      const { bucketId, versioning } = request
      if (getBucket(reader, bucketId) === undefined) return refused('no-such-bucket')
      return change({ kind: 'put-versioning', bucket: bucketId, versioning, operation: nextOperation(context, bucketId) }, undefined)
    }
    case 'put-configuration': {
      const { bucketId, name, json } = request
      const bucket = getBucket(reader, bucketId)
      if (bucket === undefined) return refused('no-such-bucket')
      if (json === null && !(name in bucket.configuration)) return { kind: 'nothing', value: undefined }
      return change({ kind: 'put-configuration', bucket: bucketId, name, json, operation: nextOperation(context, bucketId) }, undefined)
    }
    case 'adopt-bucket':
      return decideAdoption(context, request)
  }
}

function freshBucket({ state }: DecideContext, name: Bucket['name'], owner: string, origin: Position): Bucket {
  const id = state.nextBucketId as BucketId
  return { id, name, owner, createdMs: modifiedMsOf(origin), versioning: 'unversioned', origin, configuration: {} }
}

function decideNameToComeBackUnder(
  { reader }: DecideContext,
  deleted: Bucket,
  { name, origin }: Extract<BucketRequest, { kind: 'adopt-bucket' }>,
): Decision {
  if (deleted.name === name) return { kind: 'nothing', value: deleted }
  if (getBucketByName(reader, name) !== undefined) return refused('name-taken')
  return change({ kind: 'adopt-bucket', bucket: deleted.id, name, owner: deleted.owner, origin, merged: false }, { ...deleted, name })
}

function decideAdoption(context: DecideContext, request: Extract<BucketRequest, { kind: 'adopt-bucket' }>): Decision {
  const { reader } = context
  const { origin, name, owner, mergeInto } = request
  const known = reader.get(bucketOriginKey(origin))
  if (known !== undefined) {
    const id = decodeBucketId(known)
    const bucket = getBucket(reader, id)
    if (bucket !== undefined) return { kind: 'nothing', value: bucket }
    const deleted = getDeletedBucket(reader, id)
    if (deleted !== undefined) return decideNameToComeBackUnder(context, deleted, request)
  }
  if (mergeInto !== undefined) {
    const bucket = getBucket(reader, mergeInto)
    if (bucket === undefined) return refused('name-taken')
    return change({ kind: 'adopt-bucket', bucket: bucket.id, name: bucket.name, owner: bucket.owner, origin, merged: true }, bucket)
  }
  if (getBucketByName(reader, name) !== undefined) return refused('name-taken')
  const bucket = freshBucket(context, name, owner, origin)
  return change({ kind: 'adopt-bucket', bucket: bucket.id, name, owner, origin, merged: false }, bucket)
}
