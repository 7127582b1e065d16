/**
 * Merges an operation of another site: versions are a set union by position, deletions stay, the newest configuration and tags win, and nothing that an
 * origin had not seen is lost to it. See docs/architecture.md#bundles, "Merge".
 */
import { type Change, originOf, parseOrigin } from '../../operation.ts'
import type { Position } from '../../terms.ts'
import { cut, type Slice, type Slices } from '../content.ts'
import { withOperation } from '../frontiers.ts'
import { foreignOperationKey, heldKey, manifestKey, manifestOwnerKey } from '../index/keys.ts'
import {
  decodeFrontier,
  encodeFrontier,
  encodeManifestChunk,
  getHeld,
  noteOperation,
  PARTS_PER_CHUNK,
  type PartRow,
  packSlices,
} from '../index/rows.ts'
import { checksumOf, encodeAttributes, parseEtag, type VersionRow } from '../index/version-row.ts'
import { getAt, insertVersion, nameIsTaken, replaceVersion } from '../index/versions.ts'
import { comparePositions, NULL_VERSION_ID, versionIdOf, writeUint64 } from '../position.ts'
import { forget, getAbsent, noteDeleted, noteTagged } from './absent.ts'
import { configurationStamp, setConfiguration, settleBucket, setVersioning, VERSIONING_CONFIGURATION } from './apply-buckets.ts'
import { hide } from './apply-hidden.ts'
import { NO_ETAG, withTags } from './apply-objects.ts'
import { noteDeletion, seenWith } from './bucket-deletions.ts'
import type { ApplyContext, PlacedChange } from './context.ts'
import { applyTwin, cameBack, noteReturned } from './epochs.ts'
import { type Arrival, concurrentWith } from './merge.ts'
import { keepsNullName } from './null-names.ts'
import { own } from './ownership.ts'
import type { ApplyForeignRecord } from './record.ts'

type Put = Extract<Change, { kind: 'put-object' | 'put-marker' }>

export function applyForeign(context: ApplyContext, change: PlacedChange, record: ApplyForeignRecord): void {
  const { writer, state } = context
  const { bucket, from, number, position } = record
  const origin = parseOrigin(from)
  if (origin === undefined) return
  state.clock = Math.max(state.clock, position.clock)
  const { operation, twin } = record
  const named = operation === undefined ? { from, number } : { from: originOf(context.site, operation.epoch), number: operation.number }
  if (twin === undefined)
    merge(context, change, record, { ...named, position, frontier: decodeFrontier(record.frontier), cameBack: cameBack(record) })
  else applyTwin(context, record, twin)
  if (operation !== undefined) {
    noteReturned(context, record, change.sequence)
    noteOperation(writer, bucket, operation.number, change.sequence)
    settleBucket(context, bucket, record.epoch)
    return
  }
  const row = Buffer.allocUnsafe(8 + record.digest.length)
  writeUint64(row, 0, change.sequence)
  row.set(record.digest, 8)
  writer.put(foreignOperationKey(bucket, origin.site, origin.epoch, number), row)
  writer.put(heldKey(bucket), encodeFrontier(withOperation(getHeld(writer, bucket), from, number)))
  settleBucket(context, bucket, record.epoch)
}

function merge(context: ApplyContext, change: PlacedChange, record: ApplyForeignRecord, arrival: Arrival): void {
  const { writer } = context
  const { bucket, change: foreign, position } = record
  switch (foreign.kind) {
    case 'create-bucket':
      // The bucket was made by its adoption.
      return
    case 'delete-bucket':
      noteDeletion(writer, bucket, {
        origin: arrival.from,
        number: arrival.number,
        seen: seenWith(arrival.frontier, arrival.from, arrival.number),
      })
      return
    case 'put-versioning':
      if (isNewer(position, configurationStamp(writer, bucket, VERSIONING_CONFIGURATION))) {
        setVersioning(context, bucket, foreign.versioning, position)
      }
      return
    case 'put-configuration':
      if (isNewer(position, configurationStamp(writer, bucket, foreign.name))) {
        setConfiguration(context, bucket, foreign.name, foreign.json, position)
      }
      return
    case 'put-object':
    case 'put-marker':
      mergeVersion(context, change, record, foreign, arrival)
      return
    case 'delete-version':
      removeOrNote(context, change, record, foreign.key, foreign.target)
      return
    case 'put-tags':
      mergeTags(context, record, foreign)
  }
}

const isNewer = (position: Position, than: Position | undefined): boolean => than === undefined || comparePositions(position, than) > 0

/** What is not here yet stays away when it comes. */
function removeOrNote(context: ApplyContext, change: PlacedChange, record: ApplyForeignRecord, key: string, target: Position): void {
  const { bucket } = record
  if (getAt(context.writer, bucket, key, target) !== undefined) hide(context, change, record, key, target)
  else noteDeleted(context.writer, bucket, key, target)
}

function mergeTags(
  context: ApplyContext,
  { bucket, position }: ApplyForeignRecord,
  { key, target, tags }: Extract<Change, { kind: 'put-tags' }>,
): void {
  const { writer } = context
  const row = getAt(writer, bucket, key, target)
  if (row !== undefined) {
    if (row.kind === 'object' && isNewer(position, row.more?.tagged ?? row.position)) {
      replaceVersion(writer, bucket, key, withTags(row, tags, position))
    }
    return
  }
  const absent = getAbsent(writer, bucket, key, target)
  if (absent === undefined || (absent.kind === 'tagged' && isNewer(position, absent.tagged))) {
    noteTagged(writer, bucket, key, target, tags, position)
  }
}

function mergeVersion(context: ApplyContext, change: PlacedChange, record: ApplyForeignRecord, put: Put, arrival: Arrival): void {
  const { writer } = context
  const { bucket, position } = record
  const at = { bucket, key: put.key, here: context.site }
  const rivals = concurrentWith(writer, at, arrival, put.replaces)
  if (put.replaces !== null) removeOrNote(context, change, record, put.key, put.replaces)
  const absent = getAbsent(writer, bucket, put.key, position)
  const isGone = put.kind === 'put-object' && record.content === undefined
  if (isGone || absent?.kind === 'deleted' || getAt(writer, bucket, put.key, position) !== undefined) return

  const isNull = put.versionId === NULL_VERSION_ID && keepsNullName(writer, bucket, put.key, position)
  for (const rival of rivals) {
    // It may have been renamed a moment ago.
    const row = getAt(writer, bucket, put.key, rival.position)
    if (row !== undefined && !row.concurrent) replaceVersion(writer, bucket, put.key, { ...row, concurrent: true })
  }
  const row = foreignRow(context, change, record, put, { isNull, concurrent: rivals.length > 0 })
  insertVersion(
    writer,
    bucket,
    put.key,
    absent?.kind === 'tagged' && row.kind === 'object' ? withTags(row, absent.tags, absent.tagged) : row,
  )
  if (absent !== undefined) forget(writer, bucket, put.key, position)
}

function foreignRow(
  context: ApplyContext,
  change: PlacedChange,
  record: ApplyForeignRecord,
  put: Put,
  marks: { readonly isNull: boolean; readonly concurrent: boolean },
): VersionRow {
  const { position, number, bucket } = record
  const isNamed =
    put.versionId !== NULL_VERSION_ID &&
    put.versionId !== '' &&
    put.versionId !== versionIdOf(position) &&
    !nameIsTaken(context.writer, bucket, put.key, put.versionId)
  const origin = {
    ...marks,
    ...(put.versionId === NULL_VERSION_ID && !marks.isNull && { lostNull: true }),
    position,
    owner: change.sequence,
    epoch: record.operation?.epoch ?? parseOrigin(record.from)!.epoch,
    operation: record.operation?.number ?? number,
    more: { frontier: record.frontier, ...(isNamed && { versionId: put.versionId }), ...(cameBack(record) && { cameBack: true }) },
  }
  if (put.kind === 'put-marker') {
    const nothing = { bytes: 0, etag: NO_ETAG, partCount: 0, content: undefined, attributes: new Uint8Array(0), checksum: 0 }
    return { kind: 'delete-marker', ...origin, ...nothing }
  }
  const slices = own(context, record.content ?? { kind: 'none' }, change)
  const content = put.parts.length > 0 ? layManifest(context, change, put, slices) : undefined
  return {
    kind: 'object',
    ...origin,
    bytes: put.bytes,
    etag: parseEtag(put.attributes.etag) ?? NO_ETAG,
    partCount: content === undefined ? 0 : put.parts.length,
    content: content ?? slices[0],
    attributes: encodeAttributes(put.attributes),
    checksum: checksumOf(put.attributes),
  }
}

/** The parts as their origin had them, over content that came in one piece. Undefined if they do not add up to it. */
function layManifest(
  { writer }: ApplyContext,
  change: PlacedChange,
  { parts, bytes }: Extract<Put, { kind: 'put-object' }>,
  slices: Slices,
): Slice | undefined {
  if (parts.reduce((sum, part) => sum + part.bytes, 0) !== bytes) return undefined
  const id = change.sequence
  let from = 0
  for (let chunk = 0; chunk * PARTS_PER_CHUNK < parts.length; chunk++) {
    const begin = from
    const rows = parts.slice(chunk * PARTS_PER_CHUNK, (chunk + 1) * PARTS_PER_CHUNK).map((part): PartRow => {
      const row = {
        number: part.number,
        owner: change.sequence,
        clock: part.modifiedMs * 1000,
        bytes: part.bytes,
        etag: (parseEtag(part.etag) ?? NO_ETAG).digest,
        ...(part.checksum && { checksum: part.checksum }),
        slices: packSlices(cut(slices, from, from + part.bytes)),
      }
      from += part.bytes
      return row
    })
    writer.put(manifestKey(id, begin, chunk), encodeManifestChunk({ lastNumber: rows.at(-1)!.number, from: begin, parts: rows }))
  }
  writer.put(manifestOwnerKey(id, id), new Uint8Array(0))
  return { kind: 'manifest', id, from: 0, to: bytes }
}
