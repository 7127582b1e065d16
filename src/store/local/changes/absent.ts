/**
 * What is known of versions that are not here: that they were deleted or replaced (so that they stay away when their operation comes at last), or which
 * tags they have by now. Rows by (bucket, key, position): empty for the former, CBOR {tags, tagged} for the latter.
 */
import type { BucketId, Position, Tags } from '../../terms.ts'
import { decodeCbor, encodeCborApart } from '../codec.ts'
import { tombstoneKey } from '../index/keys.ts'
import type { IndexReader, IndexWriter } from '../index/ordered-map.ts'

export type AbsentVersion = { readonly kind: 'deleted' } | { readonly kind: 'tagged'; readonly tags: Tags; readonly tagged: Position }

export function getAbsent(reader: IndexReader, bucket: BucketId, key: string, position: Position): AbsentVersion | undefined {
  const value = reader.get(tombstoneKey(bucket, key, position))
  if (value === undefined) return undefined
  if (value.length === 0) return { kind: 'deleted' }
  return { kind: 'tagged', ...(decodeCbor(value) as { tags: Tags; tagged: Position }) }
}

export function noteDeleted(writer: IndexWriter, bucket: BucketId, key: string, position: Position): void {
  writer.put(tombstoneKey(bucket, key, position), new Uint8Array(0))
}

export function noteTagged(writer: IndexWriter, bucket: BucketId, key: string, position: Position, tags: Tags, tagged: Position): void {
  writer.put(tombstoneKey(bucket, key, position), encodeCborApart({ tags, tagged }))
}

export function forget(writer: IndexWriter, bucket: BucketId, key: string, position: Position): void {
  writer.remove(tombstoneKey(bucket, key, position))
}
