/** Versions of local origin. */
import type { BucketId, Position } from '../../terms.ts'
import type { Slice } from '../content.ts'
import { decodeAttributes, encodeAttributes, parseEtag, type VersionRow } from '../index/version-row.ts'
import { getAt, insertVersion, removeVersion, replaceVersion } from '../index/versions.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import { own, release } from './ownership.ts'
import type { ChangeRecord, CompleteUploadRecord, PutObjectRecord } from './record.ts'

type ObjectRecord = Extract<ChangeRecord, { kind: 'put-object' | 'put-marker' | 'delete-version' | 'put-tags' }>

export const NO_ETAG = { digest: new Uint8Array(16), parts: 0 } as const
const NO_ATTRIBUTES = new Uint8Array(0)

export function applyObjectChange(context: ApplyContext, change: PlacedChange, record: ObjectRecord): void {
  const { writer } = context
  const { bucket, key } = record
  const position: Position = { clock: change.clock, site: context.site, sequence: change.sequence }
  switch (record.kind) {
    case 'put-object': {
      const slices = own(context, record.content, change)
      putObjectRow(context, record, position, slices[0], 0)
      return
    }
    case 'put-marker':
      if (record.replaces !== undefined) removeAndRelease(context, bucket, key, record.replaces, 'covered')
      insertVersion(writer, bucket, key, {
        kind: 'delete-marker',
        isNull: record.isNull,
        concurrent: false,
        position,
        owner: change.sequence,
        epoch: record.operation.epoch,
        operation: record.operation.number,
        bytes: 0,
        etag: NO_ETAG,
        partCount: 0,
        content: undefined,
        attributes: NO_ATTRIBUTES,
        checksum: 0,
      })
      return
    case 'delete-version':
      removeAndRelease(context, bucket, key, record.target, 'promote')
      return
    case 'put-tags': {
      const row = getAt(writer, bucket, key, record.target)
      if (row !== undefined) replaceVersion(writer, bucket, key, withTags(row, record.tags, position))
    }
  }
}

/** The new version of a put or of a completed upload, in place of the null version that it replaces. */
export function putObjectRow(
  context: ApplyContext,
  record: PutObjectRecord | CompleteUploadRecord,
  position: Position,
  content: Slice | undefined,
  partCount: number,
): void {
  // What is replaced may share its content with what comes: that is owned twice by now.
  if (record.replaces !== undefined) removeAndRelease(context, record.bucket, record.key, record.replaces, 'covered')
  insertVersion(context.writer, record.bucket, record.key, {
    kind: 'object',
    isNull: record.isNull,
    concurrent: false,
    position,
    owner: position.sequence,
    epoch: record.operation.epoch,
    operation: record.operation.number,
    bytes: record.bytes,
    etag: parseEtag(record.etag) ?? NO_ETAG,
    partCount,
    content,
    attributes: record.attributes,
    checksum: record.checksum,
  })
}

export function removeAndRelease(
  context: ApplyContext,
  bucket: BucketId,
  key: string,
  position: Position,
  next: 'promote' | 'covered',
): void {
  const row = removeVersion(context.writer, bucket, key, position, next)
  if (row?.content !== undefined) release(context, [row.content], row.owner)
}

export function withTags(row: VersionRow, tags: readonly (readonly [string, string])[], tagged: Position): VersionRow {
  const attributes = encodeAttributes({ ...decodeAttributes(row.attributes, row.checksum), tags })
  return { ...row, attributes, more: { ...row.more, tagged } }
}
