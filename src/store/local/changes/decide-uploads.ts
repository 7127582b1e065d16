/** Changes of multipart uploads. Source of what S3 does: Amazon S3 API Reference, CompleteMultipartUpload. */
import type { BucketId, Position } from '../../terms.ts'
import { completedUploadKey, partKey, Table, tableRange, uploadKey } from '../index/keys.ts'
import type { IndexReader } from '../index/ordered-map.ts'
import { decodePartRow, decodeUploadRow, getBucket, type PartRow, type UploadRow } from '../index/rows.ts'
import { checksumOf, decodeAttributes, encodeAttributes, etagText, parseEtag } from '../index/version-row.ts'
import { getNewest } from '../index/versions.ts'
import { comparePositions, modifiedMsOf, positionOf, readUint64, versionIdOf } from '../position.ts'
import { change, type DecideContext, type Decision, refused } from './context.ts'
import { nextOperation, positionHere } from './decide-buckets.ts'
import { decideContent } from './decide-content.ts'
import { checkCondition, newVersion } from './decide-objects.ts'
import type { ChangeRequest } from './request.ts'

type UploadRequest = Extract<ChangeRequest, { kind: 'create-upload' | 'put-part' | 'complete-upload' | 'abort-upload' | 'expire-uploads' }>

/** An upload's id is made like a version's, from the position of the record that created it. */
export const uploadIdOf = versionIdOf

/** Also one that is complete, for as long as it is remembered. */
export function getUpload(reader: IndexReader, bucketId: BucketId, key: string, uploadId: string): UploadRow | undefined {
  const position = positionOf(uploadId)
  const value = position && reader.get(uploadKey(bucketId, key, position))
  return value && decodeUploadRow(value)
}

export function decideUploadChange(context: DecideContext, request: UploadRequest): Decision {
  switch (request.kind) {
    case 'create-upload': {
      const { bucketId, key, attributes, checksumAlgorithm, checksumType } = request
      if (getBucket(context.reader, bucketId) === undefined) return refused('no-such-bucket')
      const position = positionHere(context)
      const asked = { ...(checksumAlgorithm && { checksumAlgorithm }), ...(checksumType && { checksumType }) }
      return change(
        { kind: 'create-upload', bucket: bucketId, key, attributes, ...asked },
        { uploadId: uploadIdOf(position), initiatedMs: modifiedMsOf(position) },
      )
    }
    case 'put-part':
      return decidePart(context, request)
    case 'complete-upload':
      return decideComplete(context, request)
    case 'abort-upload': {
      const upload = getUpload(context.reader, request.bucketId, request.key, request.uploadId)
      if (upload === undefined || upload.completed !== undefined) return refused('no-such-upload')
      return change({ kind: 'abort-upload', bucket: request.bucketId, key: request.key, upload: upload.position }, undefined)
    }
    case 'expire-uploads':
      return decideExpiry(context, request.before)
  }
}

function decidePart(context: DecideContext, request: Extract<UploadRequest, { kind: 'put-part' }>): Decision {
  const { bucketId, key, number, checksum } = request
  const upload = getUpload(context.reader, bucketId, key, request.uploadId)
  if (upload === undefined || upload.completed !== undefined) return refused('no-such-upload')
  const decided = decideContent(context.reader, request.content, 'part')
  if (!decided.ok) return refused(decided.error)
  const { content, bytes, body } = decided.value
  const etag = parseEtag(request.etag)
  if (etag === undefined || etag.parts !== 0) return refused('invalid-part')
  return change(
    {
      kind: 'put-part',
      bucket: bucketId,
      key,
      upload: upload.position,
      number,
      bytes,
      etag: etag.digest,
      ...(checksum && { checksum }),
      content,
    },
    { number, bytes, etag: request.etag, ...(checksum && { checksum }), modifiedMs: modifiedMsOf(positionHere(context)) },
    body,
  )
}

function decideComplete(context: DecideContext, request: Extract<UploadRequest, { kind: 'complete-upload' }>): Decision {
  const { reader } = context
  const { bucketId, key } = request
  const bucket = getBucket(reader, bucketId)
  const upload = getUpload(reader, bucketId, key, request.uploadId)
  if (bucket === undefined || upload === undefined) return refused('no-such-upload')
  if (upload.completed !== undefined) {
    const { versionId, position } = upload.completed
    const value = { versionId, position, modifiedMs: modifiedMsOf(position), versioning: bucket.versioning }
    return { kind: 'nothing', value }
  }
  const parts = listedParts(reader, upload.position, request.parts)
  if (parts === undefined) return refused('invalid-part')
  const failed = request.condition && checkCondition(reader, bucketId, key, request.condition)
  if (failed !== undefined) return refused(failed)
  const newest = request.condition && getNewest(reader, bucketId, key)
  if (newest !== undefined && comparePositions(newest.position, upload.position) > 0) return refused('changed-meanwhile')
  const { mark, written } = newVersion(context, bucket, key)
  const { checksum } = request
  const packed = { ...decodeAttributes(upload.attributes, 0), ...(checksum && { checksum }) }
  return change(
    {
      kind: 'complete-upload',
      bucket: bucketId,
      key,
      ...mark,
      etag: request.etag,
      checksum: checksumOf(packed),
      attributes: encodeAttributes(packed),
      bytes: parts.reduce((bytes, part) => bytes + part.bytes, 0),
      upload: upload.position,
      parts: parts.map(({ slices: _, ...part }) => part),
      operation: nextOperation(context, bucketId),
    },
    written,
  )
}

type ListedPart = Extract<UploadRequest, { kind: 'complete-upload' }>['parts'][number]

/** The rows of exactly these parts, in ascending order; undefined if one is not there as it is listed. */
function listedParts(reader: IndexReader, upload: Position, listed: readonly ListedPart[]): PartRow[] | undefined {
  const parts: PartRow[] = []
  let last = 0
  for (const { number, etag, bytes } of listed) {
    const value = number > last ? reader.get(partKey(upload.sequence, number)) : undefined
    const part = value && decodePartRow(value)
    if (part === undefined || part.bytes !== bytes || etagText({ digest: part.etag, parts: 0 }) !== etag) return undefined
    parts.push(part)
    last = number
  }
  return parts.length === 0 ? undefined : parts
}

const EXPIRED_AT_ONCE = 500

function decideExpiry({ reader }: DecideContext, before: number): Decision {
  const { from } = tableRange(Table.completedUpload)
  const found = reader.range(from, completedUploadKey(before, 0), EXPIRED_AT_ONCE)
  if (found.length === 0) return { kind: 'nothing', value: { expired: 0 } }
  const uploads = found.map(({ key, value }) => {
    const row = Buffer.from(value)
    const upload = positionOf(row.subarray(row.length - 32).toString('base64url'))!
    const bucket = row.readUInt32BE(1) as BucketId
    return { bucket, key: row.toString('utf8', 5, row.length - 33), upload, clock: readUint64(Buffer.from(key), 1) }
  })
  return change({ kind: 'expire-uploads', uploads }, { expired: uploads.length })
}
