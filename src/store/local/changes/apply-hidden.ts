/**
 * Versions that a peer removed: hidden with their content, brought back as versions made here, or given up.
 *
 * A version comes back under another position, since its own is deleted everywhere for good; as an operation it is an ordinary new version, which every site merges as
 * any other, so that nobody has to know that it was hidden here. Its clock is the old one, which puts it in its old place among the versions of the key.
 */
import type { Position } from '../../terms.ts'
import { putHidden, removeHidden } from '../index/hidden.ts'
import { encodeFrontier } from '../index/rows.ts'
import { parseEtag } from '../index/version-row.ts'
import { insertVersion, removeVersion } from '../index/versions.ts'
import { NO_ETAG } from './apply-objects.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import { keepsNullName } from './null-names.ts'
import { own, release } from './ownership.ts'
import type { ApplyForeignRecord, HiddenVersionAt, ReturnVersionRecord } from './record.ts'

/** Removes a version on the word of a peer: out of sight at once. */
export function hide(context: ApplyContext, change: PlacedChange, record: ApplyForeignRecord, key: string, target: Position): void {
  const { bucket, position, keepUntil } = record
  const row = removeVersion(context.writer, bucket, key, target, 'promote')
  if (row === undefined) return
  if (keepUntil !== undefined)
    putHidden(context.writer, bucket, key, { removed: change.clock, sequence: change.sequence, until: keepUntil, by: position.site, row })
  else if (row.content !== undefined) release(context, [row.content], row.owner)
}

export function applyReturn(context: ApplyContext, change: PlacedChange, record: ReturnVersionRecord): void {
  const { writer } = context
  const { bucket, key, position, operation } = record
  const [content] = own(context, record.content, change)
  const isNull = record.isNull && keepsNullName(writer, bucket, key, position)
  insertVersion(writer, bucket, key, {
    kind: record.isMarker ? 'delete-marker' : 'object',
    isNull,
    ...(record.isNull && !isNull && { lostNull: true }),
    concurrent: false,
    position,
    owner: change.sequence,
    epoch: operation.epoch,
    operation: operation.number,
    bytes: record.bytes,
    etag: parseEtag(record.etag) ?? NO_ETAG,
    partCount: record.parts.length,
    content,
    attributes: record.attributes,
    checksum: record.checksum,
    // Like one from elsewhere it need not be the newest.
    more: { frontier: operation.frontier ?? encodeFrontier({}) },
  })
  dropHidden(context, { bucket, key, position: record.hidden })
}

export function dropHidden(context: ApplyContext, place: HiddenVersionAt): void {
  const hidden = removeHidden(context.writer, place)
  if (hidden?.row.content !== undefined) release(context, [hidden.row.content], hidden.row.owner)
}
