/** Buckets and their configurations. */

import { originOf } from '../../operation.ts'
import type { Bucket, BucketId, BucketName, Position, Versioning } from '../../terms.ts'
import {
  bucketKey,
  bucketNameKey,
  bucketOriginKey,
  configurationStampKey,
  currentPrefix,
  deletedBucketKey,
  partPrefix,
  prefixRange,
  uploadPrefix,
  versionPrefix,
} from '../index/keys.ts'
import { type IndexReader, walk } from '../index/ordered-map.ts'
import {
  decodePartRow,
  decodePosition,
  decodeUploadRow,
  encodeBucket,
  encodeBucketId,
  encodePosition,
  getBucket,
  getDeletedBucket,
  unpackSlices,
} from '../index/rows.ts'
import { modifiedMsOf } from '../position.ts'
import { getDeletions, isDeleted, knownOperations, noteDeletion } from './bucket-deletions.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import { release } from './ownership.ts'
import type { ChangeRecord } from './record.ts'

type BucketRecord = Extract<
  ChangeRecord,
  { kind: 'create-bucket' | 'delete-bucket' | 'put-versioning' | 'put-configuration' | 'adopt-bucket' }
>
/** The stamp of the versioning among those of configurations. */
export const VERSIONING_CONFIGURATION = 'versioning'

export function applyBucketChange(context: ApplyContext, change: PlacedChange, record: BucketRecord): void {
  const { writer, state } = context
  const position: Position = { clock: change.clock, site: context.site, sequence: change.sequence }
  switch (record.kind) {
    case 'create-bucket':
    case 'adopt-bucket': {
      writer.put(bucketOriginKey(record.origin), encodeBucketId(record.bucket))
      state.nextBucketId = Math.max(state.nextBucketId, record.bucket + 1)
      if (record.kind === 'adopt-bucket' && record.merged) return
      // It stays deleted, under the name that it will come back under.
      if (getDeletedBucket(writer, record.bucket) !== undefined) {
        changeBucket(context, record.bucket, (bucket) => ({ ...bucket, name: record.name }))
        return
      }
      putBucket(context, {
        id: record.bucket,
        name: record.name,
        owner: record.owner,
        createdMs: modifiedMsOf(record.origin),
        versioning: 'unversioned',
        origin: record.origin,
        configuration: {},
      })
      writer.put(bucketNameKey(record.name), encodeBucketId(record.bucket))
      return
    }
    case 'delete-bucket':
      noteDeletion(writer, record.bucket, {
        origin: originOf(context.site, record.operation.epoch),
        number: record.operation.number,
        seen: knownOperations(writer, record.bucket, { site: context.site, epoch: record.operation.epoch }),
      })
      removeBucket(context, record.bucket)
      return
    case 'put-versioning':
      setVersioning(context, record.bucket, record.versioning, position)
      return
    case 'put-configuration':
      setConfiguration(context, record.bucket, record.name, record.json, position)
      return
  }
}

export function putBucket(context: ApplyContext, bucket: Bucket): void {
  context.writer.put(bucketKey(bucket.id), encodeBucket(bucket))
  context.bucketsChanged = true
}

/** A deleted one changes too: it may come back. */
function changeBucket(context: ApplyContext, id: BucketId, edit: (bucket: Bucket) => Bucket): void {
  const { writer } = context
  const bucket = getBucket(writer, id)
  if (bucket !== undefined) {
    putBucket(context, edit(bucket))
    return
  }
  const deleted = getDeletedBucket(writer, id)
  if (deleted !== undefined) writer.put(deletedBucketKey(id), encodeBucket(edit(deleted)))
}

export function setVersioning(context: ApplyContext, id: BucketId, versioning: Versioning, position: Position): void {
  changeBucket(context, id, (bucket) => ({ ...bucket, versioning }))
  context.writer.put(configurationStampKey(id, VERSIONING_CONFIGURATION), encodePosition(position))
}

export function setConfiguration(context: ApplyContext, id: BucketId, name: string, json: string | null, position: Position): void {
  changeBucket(context, id, (bucket) => {
    const { [name]: _, ...others } = bucket.configuration
    return { ...bucket, configuration: json === null ? others : { ...others, [name]: json } }
  })
  context.writer.put(configurationStampKey(id, name), encodePosition(position))
}

export function configurationStamp(reader: IndexReader, id: BucketId, name: string): Position | undefined {
  const value = reader.get(configurationStampKey(id, name))
  return value && decodePosition(value)
}

/** The bucket goes with its open uploads. It stays among the deleted, for peers that have still to hear of it. */
function removeBucket(context: ApplyContext, id: BucketId): void {
  const { writer } = context
  const bucket = getBucket(writer, id)
  if (bucket === undefined) return
  for (const { key, value } of walk(writer, prefixRange(uploadPrefix(id)))) {
    releaseParts(context, decodeUploadRow(value).position.sequence)
    writer.remove(key)
  }
  writer.remove(bucketKey(id))
  writer.remove(bucketNameKey(bucket.name))
  writer.put(deletedBucketKey(id), encodeBucket(bucket))
  context.bucketsChanged = true
}

export const isNameFree = (reader: IndexReader, name: BucketName): boolean => reader.get(bucketNameKey(name)) === undefined

export function isBucketEmpty(reader: IndexReader, id: BucketId): boolean {
  return [currentPrefix(id), versionPrefix(id)].every((prefix) => {
    const { from, to } = prefixRange(prefix)
    return reader.range(from, to, 1).length === 0
  })
}

/** Deletes or brings back a shared bucket, as what is known by now says. */
export function settleBucket(context: ApplyContext, id: BucketId, epoch: number): void {
  const { writer, site } = context
  const deletions = getDeletions(writer, id)
  if (deletions.length === 0) return
  const deleted = isDeleted(deletions, knownOperations(writer, id, { site, epoch }))
  if (deleted) removeBucket(context, id)
  else reviveBucket(context, id)
}

/** Nothing happens if its name has gone to another bucket since. */
function reviveBucket(context: ApplyContext, id: BucketId): void {
  const { writer } = context
  const bucket = getDeletedBucket(writer, id)
  if (bucket === undefined || !isNameFree(writer, bucket.name)) return
  writer.remove(deletedBucketKey(id))
  writer.put(bucketNameKey(bucket.name), encodeBucketId(id))
  putBucket(context, bucket)
}

/** Removes the parts of an upload (by its sequence) and gives up what they had. */
export function releaseParts(context: ApplyContext, upload: number): void {
  for (const { key, value } of walk(context.writer, prefixRange(partPrefix(upload)))) {
    const part = decodePartRow(value)
    context.writer.remove(key)
    release(context, unpackSlices(part.slices), part.owner)
  }
}
