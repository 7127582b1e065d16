/** Conditions of requests. Sources: RFC 9110, section 13.2.2; Amazon S3 API Reference, GetObject and CopyObject; User Guide, "Conditional requests". */
import { fail, ok, type Result } from '../../result.ts'
import type { WriteCondition } from '../../store/store.ts'
import type { ObjectVersion } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { S3Request } from '../operation.ts'
import { bareEtag, headerDate } from './arguments.ts'
import { wholeSecond } from './object-headers.ts'

export type ReadConditions = {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
  readonly ifModifiedSince: number | undefined
  readonly ifUnmodifiedSince: number | undefined
}

/** Undefined if the request has none. `prefix`: '' for the object read, 'x-amz-copy-source-' for a copy's source. */
export function readConditions(request: S3Request, prefix = ''): ReadConditions | undefined {
  const sent = request.http.headers
  const ifMatch = sent.get(`${prefix}if-match`)
  const ifNoneMatch = sent.get(`${prefix}if-none-match`)
  const ifModifiedSince = sent.get(`${prefix}if-modified-since`)
  const ifUnmodifiedSince = sent.get(`${prefix}if-unmodified-since`)
  if (ifMatch === undefined && ifNoneMatch === undefined && ifModifiedSince === undefined && ifUnmodifiedSince === undefined)
    return undefined
  return { ifMatch, ifNoneMatch, ifModifiedSince: headerDate(ifModifiedSince), ifUnmodifiedSince: headerDate(ifUnmodifiedSince) }
}
export const COPY_CONDITION_HEADERS: readonly string[] = [
  'x-amz-copy-source-if-match',
  'x-amz-copy-source-if-none-match',
  'x-amz-copy-source-if-modified-since',
  'x-amz-copy-source-if-unmodified-since',
]

const names = (list: string, etag: string): boolean =>
  list.split(',').some((each) => {
    const one = each.trim()
    return one === '*' || bareEtag(one.startsWith('W/') ? one.slice(2) : one) === etag
  })

/**
 * The first condition that fails, by the name S3 gives it; undefined if the request may go on. A date to come counts for nothing as
 * If-Modified-Since: RFC 9110, 13.1.3.
 */
export function failedCondition(
  conditions: ReadConditions,
  version: Pick<ObjectVersion, 'etag' | 'modifiedMs'>,
  nowMs: number,
): 'If-Match' | 'If-Unmodified-Since' | 'If-None-Match' | 'If-Modified-Since' | undefined {
  const modifiedMs = wholeSecond(version.modifiedMs)
  if (conditions.ifMatch !== undefined) {
    if (!names(conditions.ifMatch, version.etag)) return 'If-Match'
  } else if (conditions.ifUnmodifiedSince !== undefined && modifiedMs > conditions.ifUnmodifiedSince) return 'If-Unmodified-Since'
  if (conditions.ifNoneMatch !== undefined) {
    if (names(conditions.ifNoneMatch, version.etag)) return 'If-None-Match'
    return undefined
  }
  const since = conditions.ifModifiedSince
  return since !== undefined && since <= nowMs && modifiedMs <= since ? 'If-Modified-Since' : undefined
}

/**
 * Whether a range is still meant: If-Range names the object as it is, by its ETag or the time it was modified. Source: RFC 9110, 13.1.5.
 */
export function holdsRange(ifRange: string | undefined, version: Pick<ObjectVersion, 'etag' | 'modifiedMs'>): boolean {
  if (ifRange === undefined) return true
  if (ifRange.includes('"')) return ifRange.trim() === `"${version.etag}"`
  return ifRange.trim() === version.etag || headerDate(ifRange) === wholeSecond(version.modifiedMs)
}

/** Refuses a GET or HEAD: 304 with the headers given, or PreconditionFailed. */
export function checkRead(
  conditions: ReadConditions,
  version: ObjectVersion,
  nowMs: number,
  headers: readonly (readonly [string, string])[],
): Result<undefined, S3Failure> {
  const failed = failedCondition(conditions, version, nowMs)
  if (failed === undefined) return ok(undefined)
  if (failed === 'If-None-Match' || failed === 'If-Modified-Since') return fail(s3Failure('NotModified', { headers }))
  return fail(preconditionFailed(failed))
}

/** Refuses a copy: every condition that fails is PreconditionFailed. */
export function checkCopySource(
  conditions: ReadConditions | undefined,
  version: ObjectVersion,
  nowMs: number,
): Result<undefined, S3Failure> {
  const failed = conditions === undefined ? undefined : failedCondition(conditions, version, nowMs)
  return failed === undefined ? ok(undefined) : fail(preconditionFailed(`x-amz-copy-source-${failed}`))
}

export const preconditionFailed = (condition: string): S3Failure => s3Failure('PreconditionFailed', { elements: { Condition: condition } })

/**
 * If-Match and If-None-Match of a write. "*" as If-Match, for whatever is there, is for deletes only. Error: NotImplemented for what Amazon does not
 * take either.
 */
export function writeCondition(request: S3Request, of: 'write' | 'delete'): Result<WriteCondition | undefined, S3Failure> {
  const sent = request.http.headers
  const ifMatch = sent.get('if-match')
  const ifNoneMatch = sent.get('if-none-match')
  if (ifMatch !== undefined && ifNoneMatch !== undefined)
    return fail(unacceptable('If-Match,If-None-Match', 'Multiple conditional request headers present in the request'))
  if (ifNoneMatch !== undefined) return ifNoneMatch.trim() === '*' ? ok({ kind: 'absent' }) : fail(unacceptable('If-None-Match'))
  if (ifMatch === undefined) return ok(undefined)
  if (ifMatch.includes(',') || (of === 'write' && ifMatch.trim() === '*')) return fail(unacceptable('If-Match'))
  return ok({ kind: 'etag', etag: bareEtag(ifMatch) })
}

const unacceptable = (header: string, why = `We don't accept the provided value of ${header} header for this API`): S3Failure =>
  s3Failure('NotImplemented', { elements: { Header: header, additionalMessage: why } })

/** The name of a failed write condition in the error. */
export const conditionName = (condition: WriteCondition | undefined): string =>
  condition?.kind === 'absent' ? 'If-None-Match' : 'If-Match'
