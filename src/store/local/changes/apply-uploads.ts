/** Multipart uploads: parts gather below the upload, and completing it turns their rows into a manifest without moving data. */
import type { Position } from '../../terms.ts'
import { completedUploadKey, manifestKey, manifestOwnerKey, partKey, partPrefix, prefixRange, uploadKey } from '../index/keys.ts'
import { walk } from '../index/ordered-map.ts'
import {
  decodePartRow,
  decodeUploadRow,
  encodeManifestChunk,
  encodePartRow,
  encodeUploadRow,
  PARTS_PER_CHUNK,
  type PartRow,
  packSlices,
  unpackSlices,
} from '../index/rows.ts'
import { decodeAttributes } from '../index/version-row.ts'
import { NULL_VERSION_ID, versionIdOf } from '../position.ts'
import { releaseParts } from './apply-buckets.ts'
import { putObjectRow } from './apply-objects.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import { own, release } from './ownership.ts'
import type { ChangeRecord, CompleteUploadRecord } from './record.ts'

type UploadRecord = Extract<ChangeRecord, { kind: 'create-upload' | 'put-part' | 'complete-upload' | 'abort-upload' | 'expire-uploads' }>

export function applyUploadChange(context: ApplyContext, change: PlacedChange, record: UploadRecord): void {
  const { writer } = context
  switch (record.kind) {
    case 'create-upload': {
      const position: Position = { clock: change.clock, site: context.site, sequence: change.sequence }
      const { attributes, checksumAlgorithm, checksumType } = record
      const asked = { ...(checksumAlgorithm && { checksumAlgorithm }), ...(checksumType && { checksumType }) }
      writer.put(uploadKey(record.bucket, record.key, position), encodeUploadRow({ position, attributes, ...asked }))
      return
    }
    case 'put-part': {
      const slices = own(context, record.content, change)
      const key = partKey(record.upload.sequence, record.number)
      const before = writer.get(key)
      const part: PartRow = {
        number: record.number,
        owner: change.sequence,
        clock: change.clock,
        bytes: record.bytes,
        etag: record.etag,
        ...(record.checksum && { checksum: record.checksum }),
        slices: packSlices(slices),
      }
      writer.put(key, encodePartRow(part))
      if (before !== undefined) {
        const replaced = decodePartRow(before)
        release(context, unpackSlices(replaced.slices), replaced.owner)
      }
      return
    }
    case 'complete-upload':
      completeUpload(context, change, record)
      return
    case 'abort-upload':
      writer.remove(uploadKey(record.bucket, record.key, record.upload))
      releaseParts(context, record.upload.sequence)
      return
    case 'expire-uploads':
      for (const { bucket, key, upload, clock } of record.uploads) {
        writer.remove(uploadKey(bucket, key, upload))
        writer.remove(completedUploadKey(clock, upload.sequence))
      }
  }
}

function completeUpload(context: ApplyContext, change: PlacedChange, record: CompleteUploadRecord): void {
  const { writer } = context
  const id = change.sequence
  const position: Position = { clock: change.clock, site: context.site, sequence: id }
  const parts = takeParts(context, record)
  let from = 0
  for (let chunk = 0; chunk * PARTS_PER_CHUNK < parts.length; chunk++) {
    const those = parts.slice(chunk * PARTS_PER_CHUNK, (chunk + 1) * PARTS_PER_CHUNK)
    writer.put(manifestKey(id, from, chunk), encodeManifestChunk({ lastNumber: those.at(-1)!.number, from, parts: those }))
    for (const part of those) from += part.bytes
  }
  writer.put(manifestOwnerKey(id, id), new Uint8Array(0))
  putObjectRow(context, record, position, { kind: 'manifest', id, from: 0, to: from }, parts.length)

  const key = uploadKey(record.bucket, record.key, record.upload)
  const upload = writer.get(key)
  if (upload === undefined) return
  const { checksum } = decodeAttributes(record.attributes, record.checksum)
  const versionId = record.isNull ? NULL_VERSION_ID : versionIdOf(position)
  const completed = { versionId, etag: record.etag, position, ...(checksum && { checksum }) }
  writer.put(key, encodeUploadRow({ ...decodeUploadRow(upload), completed }))
  writer.put(completedUploadKey(change.clock, record.upload.sequence), key)
}

/** Takes the parts listed out of the upload, in order, and gives the others up. */
function takeParts(context: ApplyContext, record: CompleteUploadRecord): PartRow[] {
  const { writer } = context
  const listed = new Map(record.parts.map((part) => [part.number, part.owner]))
  const taken: PartRow[] = []
  for (const { key, value } of walk(writer, prefixRange(partPrefix(record.upload.sequence)))) {
    const part = decodePartRow(value)
    writer.remove(key)
    if (listed.get(part.number) === part.owner) taken.push(part)
    else release(context, unpackSlices(part.slices), part.owner)
  }
  return taken
}
