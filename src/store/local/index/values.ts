/** Rows as the values that the Store gives. */
import type { BucketId, Part, Upload, Version } from '../../terms.ts'
import { modifiedMsOf, versionIdOf } from '../position.ts'
import type { PartRow, UploadRow } from './rows.ts'
import { decodeAttributes, etagText, type VersionRow } from './version-row.ts'
import { versionIdOfRow } from './versions.ts'

/** A row as callers of the store see it. */
export function toVersion(bucketId: BucketId, key: string, row: VersionRow, isLatest: boolean): Version {
  const { position, bytes, partCount, content } = row
  const versionId = versionIdOfRow(row)
  const modifiedMs = modifiedMsOf(position)
  if (row.kind === 'delete-marker') return { kind: 'delete-marker', bucketId, key, versionId, position, isLatest, modifiedMs }
  return {
    kind: 'object',
    bucketId,
    key,
    versionId,
    position,
    isLatest,
    modifiedMs,
    bytes,
    partCount,
    content,
    etag: etagText(row.etag),
    ...decodeAttributes(row.attributes, row.checksum),
  }
}

export const toPart = ({ number, bytes, etag, checksum, clock }: Omit<PartRow, 'slices' | 'owner'>): Part => ({
  number,
  bytes,
  etag: etagText({ digest: etag, parts: 0 }),
  ...(checksum && { checksum }),
  modifiedMs: Math.floor(clock / 1000),
})

export function toUpload(bucketId: BucketId, key: string, row: UploadRow): Upload {
  const { position, checksumAlgorithm, checksumType, completed } = row
  const { headers, userMetadata, tags } = decodeAttributes(row.attributes, 0)
  return {
    bucketId,
    key,
    uploadId: versionIdOf(position),
    initiatedMs: modifiedMsOf(position),
    headers,
    userMetadata,
    tags,
    ...(checksumAlgorithm && { checksumAlgorithm }),
    ...(checksumType && { checksumType }),
    ...(completed && {
      completed: { versionId: completed.versionId, etag: completed.etag, ...(completed.checksum && { checksum: completed.checksum }) },
    }),
  }
}
