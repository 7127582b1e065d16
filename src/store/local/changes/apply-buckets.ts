/** Buckets and their configurations. */
import type { Bucket, BucketId, Position, Versioning } from '../../terms.ts'
import {
  bucketKey,
  bucketNameKey,
  bucketOriginKey,
  configurationStampKey,
  deletedBucketKey,
  partPrefix,
  prefixRange,
  uploadPrefix,
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

export function setVersioning(context: ApplyContext, id: BucketId, versioning: Versioning, position: Position): void {
  const bucket = getBucket(context.writer, id)
  if (bucket === undefined) return
  putBucket(context, { ...bucket, versioning })
  context.writer.put(configurationStampKey(id, VERSIONING_CONFIGURATION), encodePosition(position))
}

export function setConfiguration(context: ApplyContext, id: BucketId, name: string, json: string | null, position: Position): void {
  const bucket = getBucket(context.writer, id)
  if (bucket === undefined) return
  const { [name]: _, ...others } = bucket.configuration
  putBucket(context, { ...bucket, configuration: json === null ? others : { ...others, [name]: json } })
  context.writer.put(configurationStampKey(id, name), encodePosition(position))
}

export function configurationStamp(reader: IndexReader, id: BucketId, name: string): Position | undefined {
  const value = reader.get(configurationStampKey(id, name))
  return value && decodePosition(value)
}

/** The bucket goes with its open uploads. It stays among the deleted, for peers that have still to hear of it. */
export function removeBucket(context: ApplyContext, id: BucketId): void {
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

/** A deletion that had not seen something is undone. False if its name has gone to another bucket since. */
export function reviveBucket(context: ApplyContext, id: BucketId): boolean {
  const { writer } = context
  const bucket = getDeletedBucket(writer, id)
  if (bucket === undefined || writer.get(bucketNameKey(bucket.name)) !== undefined) return false
  writer.remove(deletedBucketKey(id))
  writer.put(bucketNameKey(bucket.name), encodeBucketId(id))
  putBucket(context, bucket)
  return true
}

/** Removes the parts of an upload (by its sequence) and gives up what they had. */
export function releaseParts(context: ApplyContext, upload: number): void {
  for (const { key, value } of walk(context.writer, prefixRange(partPrefix(upload)))) {
    const part = decodePartRow(value)
    context.writer.remove(key)
    release(context, unpackSlices(part.slices), part.owner)
  }
}
