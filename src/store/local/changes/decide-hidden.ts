/** Whether hidden versions come back or are given up. What that does is in apply-hidden.ts. */
import type { BucketId } from '../../terms.ts'
import { endedBefore, getHidden, type HiddenVersion } from '../index/hidden.ts'
import { manifestChunks } from '../index/manifests.ts'
import type { IndexReader } from '../index/ordered-map.ts'
import { getBucket, getDeletedBucket, packSlices } from '../index/rows.ts'
import { etagText, type VersionRow } from '../index/version-row.ts'
import { getNewest } from '../index/versions.ts'
import { comparePositions } from '../position.ts'
import { isNameFree } from './apply-buckets.ts'
import { change, type DecideContext, type Decision, refused } from './context.ts'
import { nextOperation } from './decide-buckets.ts'
import type { RecordPart } from './record.ts'
import type { ChangeRequest } from './request.ts'

type HiddenRequest = Extract<ChangeRequest, { kind: 'return-version' | 'return-bucket' | 'drop-hidden' | 'expire-hidden' }>

/** What a peer removed can be brought back for so long, unless its entry says otherwise. */
export const HIDDEN_KEPT_US = 30 * 24 * 60 * 60 * 1_000_000
export const HIDDEN_AT_ONCE = 500
/** The configuration that is "removed" to have an operation in a bucket that changes nothing else. */
const RETURNED_CONFIGURATION = 'returned'

export function decideHiddenChange(context: DecideContext, request: HiddenRequest): Decision {
  const { reader } = context
  switch (request.kind) {
    case 'return-version':
      return decideReturn(context, request)
    case 'return-bucket': {
      const { bucketId } = request
      if (getBucket(reader, bucketId) !== undefined) return { kind: 'nothing', value: { returned: false } }
      if (!canBeThere(reader, bucketId)) return refused('name-taken')
      const operation = nextOperation(context, bucketId)
      return change(
        { kind: 'put-configuration', bucket: bucketId, name: RETURNED_CONFIGURATION, json: null, operation },
        { returned: true },
      )
    }
    case 'drop-hidden': {
      const hidden = request.hidden.slice(0, HIDDEN_AT_ONCE).filter((place) => getHidden(reader, place) !== undefined)
      if (hidden.length === 0) return { kind: 'nothing', value: { expired: 0 } }
      return change({ kind: 'drop-hidden', hidden }, { expired: hidden.length })
    }
    case 'expire-hidden': {
      const hidden = endedBefore(reader, request.before, HIDDEN_AT_ONCE)
      if (hidden.length === 0) return { kind: 'nothing', value: { expired: 0 } }
      return change({ kind: 'drop-hidden', hidden }, { expired: hidden.length })
    }
  }
}

/** Whether the bucket is there, or may be again. */
function canBeThere(reader: IndexReader, id: BucketId): boolean {
  if (getBucket(reader, id) !== undefined) return true
  const deleted = getDeletedBucket(reader, id)
  return deleted !== undefined && isNameFree(reader, deleted.name)
}

function decideReturn(context: DecideContext, request: Extract<HiddenRequest, { kind: 'return-version' }>): Decision {
  const { reader } = context
  const { bucketId, key } = request
  const hidden = getHidden(reader, { bucket: bucketId, key, position: request.hidden })
  if (hidden === undefined) return { kind: 'nothing', value: { returned: false } }
  if (!canBeThere(reader, bucketId)) return refused('name-taken')
  const { row } = hidden
  const clock = request.asNewest && isUnderItsRemover(reader, bucketId, key, hidden) ? context.clock : row.position.clock
  return change(
    {
      kind: 'return-version',
      bucket: bucketId,
      key,
      hidden: row.position,
      position: { clock, site: context.site, sequence: context.sequence },
      isMarker: row.kind === 'delete-marker',
      isNull: row.isNull || row.lostNull === true,
      etag: etagText(row.etag),
      checksum: row.checksum,
      attributes: new Uint8Array(row.attributes),
      bytes: row.bytes,
      content: row.content === undefined ? { kind: 'none' } : { kind: 'shared', slices: packSlices([row.content]) },
      parts: partsOf(reader, row),
      operation: nextOperation(context, bucketId),
    },
    { returned: true },
  )
}

/**
 * Whether what is newest under the key was written by the site that removed the version, then or later. By the order in which both were applied here:
 * stamps and numbers are what that site says they are.
 */
function isUnderItsRemover(reader: IndexReader, bucketId: BucketId, key: string, { by, sequence, row }: HiddenVersion): boolean {
  const newest = getNewest(reader, bucketId, key)
  return newest?.position.site === by && newest.owner >= sequence && comparePositions(newest.position, row.position) > 0
}

function partsOf(reader: IndexReader, row: VersionRow): RecordPart[] {
  if (row.partCount === 0 || row.content?.kind !== 'manifest') return []
  return [...manifestChunks(reader, row.content.id, 0)].flatMap(({ parts }) => parts.map(({ slices: _, ...part }) => part))
}
