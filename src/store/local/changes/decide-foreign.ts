/** Whether a foreign operation is merged. What it does is in apply-foreign.ts. */
import { type Change, type Origin, originOf, parseOrigin } from '../../operation.ts'
import { withOperation } from '../frontiers.ts'
import { foreignOperationKey, returnedKey } from '../index/keys.ts'
import { encodeFrontier, getBucket, getDeletedBucket, lastOperation } from '../index/rows.ts'
import { getAt } from '../index/versions.ts'
import { VERSION_ID_BYTES_MAX } from '../position.ts'
import { getAbsent } from './absent.ts'
import { isNameFree } from './apply-buckets.ts'
import { getDeletions, isDeleted, knownOperations, seenWith } from './bucket-deletions.ts'
import { change, type DecideContext, type Decision, refused } from './context.ts'
import { type DecidedContent, decideContent } from './decide-content.ts'
import { HIDDEN_KEPT_US } from './decide-hidden.ts'
import { isTwinHere } from './epochs.ts'
import { concurrentWith } from './merge.ts'
import type { ChangeRequest } from './request.ts'

/** How an operation is known from here on. */
type Named = { readonly from: Origin; readonly number: number }
type ForeignRequest = Extract<ChangeRequest, { kind: 'apply-foreign' }>

/** An operation stamped further ahead than this is kept out. */
const AHEAD_US_MAX = 24 * 60 * 60 * 1_000_000
const DIGEST_BYTES_MAX = 64
const NO_BODY = new Uint8Array(0)

export function decideForeign(context: DecideContext, request: ForeignRequest): Decision {
  const { reader } = context
  const { bucketId, from, operation, digest } = request
  const origin = parseOrigin(from)
  if (origin === undefined || digest.length > DIGEST_BYTES_MAX || operation.position.site !== origin.site)
    return refused('conflicting-history')
  const bucket = getBucket(reader, bucketId)
  const deleted = bucket === undefined ? getDeletedBucket(reader, bucketId) : undefined
  if (bucket === undefined && deleted === undefined) return refused('no-such-bucket')
  const isOurs = origin.site === context.site
  if (isOurs && origin.epoch >= context.epoch)
    return origin.epoch === context.epoch && operation.number <= lastOperation(reader, bucketId) ? ALREADY : refused('conflicting-history')
  if (isOurs && reader.get(returnedKey(bucketId, operation.position)) !== undefined) return ALREADY
  const known = isOurs ? undefined : reader.get(foreignOperationKey(bucketId, origin.site, origin.epoch, operation.number))
  if (known !== undefined) return Buffer.compare(known.subarray(8), digest) === 0 ? ALREADY : refused('conflicting-history')
  if (operation.position.clock > context.nowUs + AHEAD_US_MAX) return refused('from-the-future')
  if (request.twin !== undefined && !isTwinHere(context, bucketId, from, request.twin)) return refused('conflicting-history')
  const named = isOurs
    ? { from: originOf(context.site, context.epoch), number: lastOperation(reader, bucketId) + 1 }
    : { from, number: operation.number }
  const deletion = request.twin === undefined ? bucketDeletionAfter(context, request, named) : 'none'
  if (deleted !== undefined && deletion === 'not-deleted' && !isNameFree(reader, deleted.name)) return refused('no-such-bucket')
  const content = request.twin === undefined ? foreignContent(context, request) : NO_CONTENT
  if (!content.ok) return refused(content.error)
  const keepUs = request.keepUs ?? HIDDEN_KEPT_US
  const record = {
    kind: 'apply-foreign',
    bucket: bucketId,
    epoch: context.epoch,
    from,
    number: operation.number,
    position: operation.position,
    frontier: encodeFrontier(operation.frontier),
    change: withinLimits(operation.change),
    digest,
    evidence: request.evidence,
    ...(content.value && { content: content.value.content }),
    ...(operation.was && { was: operation.was }),
    ...(isOurs && { operation: { epoch: context.epoch, number: named.number, frontier: encodeFrontier(operation.frontier) } }),
    ...(request.twin && { twin: { ...request.twin, knows: getDeletions(reader, bucketId).length === 0 ? [] : request.twin.knows } }),
    ...(keepUs > 0 && removes(context, request) && { keepUntil: context.clock + keepUs }),
  } as const
  const concurrent =
    (deletion === 'not-deleted' && (deleted !== undefined || operation.change.kind === 'delete-bucket')) ||
    (request.twin === undefined && isConcurrent(context, request, named))
  const decision = change(record, { kind: 'applied', concurrent }, content.value?.body ?? NO_BODY)
  return content.value === undefined && request.content !== undefined && decision.kind === 'change'
    ? { ...decision, unused: true }
    : decision
}

const NO_CONTENT = { ok: true, value: undefined } as const
/** Whether a version that is here goes by it. Also by what this site itself did and had lost: it may have been restored to get rid of just that. */
function removes({ reader }: DecideContext, { bucketId, operation: { change } }: ForeignRequest): boolean {
  const target = change.kind === 'delete-version' ? change.target : 'replaces' in change ? change.replaces : null
  return target !== null && 'key' in change && getAt(reader, bucketId, change.key, target) !== undefined
}

const ALREADY: Decision = { kind: 'nothing', value: { kind: 'already', concurrent: false }, unused: true }

/** Whether the bucket is deleted by what is known once the operation is applied. 'none': nobody deleted it. */
function bucketDeletionAfter(
  { reader, site, epoch }: DecideContext,
  { bucketId, operation }: ForeignRequest,
  { from, number }: Named,
): 'deleted' | 'not-deleted' | 'none' {
  const { frontier, change } = operation
  const before = getDeletions(reader, bucketId)
  const own = change.kind === 'delete-bucket' ? [{ origin: from, number, seen: seenWith(frontier, from, number) }] : []
  const deletions = [...before, ...own]
  if (deletions.length === 0) return 'none'
  const known = withOperation(knownOperations(reader, bucketId, { site, epoch }), from, number)
  return isDeleted(deletions, known) ? 'deleted' : 'not-deleted'
}

function foreignContent(
  { reader }: DecideContext,
  { bucketId, operation, content }: ForeignRequest,
): { readonly ok: true; readonly value: DecidedContent | undefined } | { readonly ok: false; readonly error: 'content-needed' } {
  const { change, position } = operation
  if (change.kind !== 'put-object') return { ok: true, value: undefined }
  const isGone = getAbsent(reader, bucketId, change.key, position)?.kind === 'deleted'
  if (isGone || getAt(reader, bucketId, change.key, position) !== undefined) return { ok: true, value: undefined }
  const decided = decideContent(reader, content ?? { kind: 'none' }, 'version')
  if (!decided.ok) return { ok: false, error: 'content-needed' }
  if (decided.value.bytes === change.bytes) return { ok: true, value: decided.value }
  // Without bytes the version is gone at its origin; with other bytes than were signed it is not this version.
  return content === undefined ? { ok: true, value: undefined } : { ok: false, error: 'content-needed' }
}

/** A name that is beyond S3's limits is not kept: the version goes by its position. */
function withinLimits(change: Change): Change {
  if (change.kind !== 'put-object' && change.kind !== 'put-marker') return change
  return Buffer.byteLength(change.versionId) <= VERSION_ID_BYTES_MAX ? change : { ...change, versionId: '' }
}

function isConcurrent({ reader, site }: DecideContext, { bucketId, operation }: ForeignRequest, named: Named): boolean {
  const { change, position, frontier } = operation
  if (change.kind !== 'put-object' && change.kind !== 'put-marker') return false
  const at = { bucket: bucketId, key: change.key, here: site }
  const cameBack = operation.was !== undefined || position.site === site
  return concurrentWith(reader, at, { ...named, position, frontier, cameBack }, change.replaces).length > 0
}
