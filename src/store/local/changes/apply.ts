/**
 * Carries a record out on the index: a pure, synchronous function of (index, record), the same for a change that was just decided and for one that
 * is read from the journal. A record that was applied before changes nothing.
 */

import { documentKey, extentKey, healKey } from '../index/keys.ts'
import { encodeExtentRow, getExtent, noteOperation, wholeMask } from '../index/rows.ts'
import { applyBucketChange, settleBucket } from './apply-buckets.ts'
import { applyForeign } from './apply-foreign.ts'
import { applyReturn, dropHidden } from './apply-hidden.ts'
import { applyObjectChange } from './apply-objects.ts'
import { applyUploadChange } from './apply-uploads.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import { applyEpoch } from './epochs.ts'
import { dropManifest } from './ownership.ts'
import type { ShardNote } from './record.ts'

/** Again changes nothing: what the index has applied already is passed over. */
export function apply(context: ApplyContext, change: PlacedChange): void {
  const { state } = context
  if (change.sequence <= state.applied) return
  carryOut(context, change)
  const { record } = change
  if ('operation' in record && record.operation !== undefined) {
    noteOperation(context.writer, record.bucket, record.operation.number, change.sequence)
  }
  // An operation that its deletion had not seen brings a bucket back; these two are all that can be made in a deleted one.
  if (record.kind === 'return-version' || record.kind === 'put-configuration') settleBucket(context, record.bucket, record.operation.epoch)
  state.applied = change.sequence
  state.clock = Math.max(state.clock, change.clock)
}

function carryOut(context: ApplyContext, change: PlacedChange): void {
  const { record } = change
  switch (record.kind) {
    case 'create-bucket':
    case 'delete-bucket':
    case 'put-versioning':
    case 'put-configuration':
    case 'adopt-bucket':
      applyBucketChange(context, change, record)
      return
    case 'put-object':
    case 'put-marker':
    case 'delete-version':
    case 'put-tags':
      applyObjectChange(context, change, record)
      return
    case 'create-upload':
    case 'put-part':
    case 'complete-upload':
    case 'abort-upload':
    case 'expire-uploads':
      applyUploadChange(context, change, record)
      return
    case 'apply-foreign':
      applyForeign(context, change, record)
      return
    case 'begin-epoch':
      applyEpoch(context, record.epoch)
      return
    case 'put-document': {
      const key = documentKey(record.collection, record.name)
      if (record.removed) context.writer.remove(key)
      else context.writer.put(key, change.body ?? new Uint8Array(0))
      return
    }
    case 'note-shards':
      for (const note of record.shards) noteShards(context, note)
      return
    case 'drop-manifests':
      for (const id of record.manifests) dropManifest(context, id)
      return
    case 'return-version':
      applyReturn(context, change, record)
      return
    case 'drop-hidden':
      for (const place of record.hidden) dropHidden(context, place)
  }
}

function noteShards(context: ApplyContext, note: ShardNote): void {
  const extent = getExtent(context.writer, note)
  if (extent === undefined) return
  const whole = wholeMask(extent.place)
  const durable = ((extent.durable | note.healed) & ~note.lost & whole) >>> 0
  if (durable === extent.durable) return
  const row = encodeExtentRow({ place: extent.place, durable })
  context.writer.put(extentKey(note), row)
  if (durable === whole) context.writer.remove(healKey(note))
  else context.writer.put(healKey(note), row)
  if (durable !== whole && note.lost !== 0) context.healListGrew = true
}
