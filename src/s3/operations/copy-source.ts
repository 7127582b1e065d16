/** The header x-amz-copy-source and what stands behind it. Source: Amazon S3 API Reference, CopyObject and UploadPartCopy. */

import { authorize } from '../../iam/authorize.ts'
import { accountIdOf } from '../../iam/identities.ts'
import { fail, ok, type Result } from '../../result.ts'
import type { BucketName, ObjectVersion } from '../../store/terms.ts'
import { parseBucketName } from '../bucket-name.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { Context, S3Request } from '../operation.ts'
import { decodeComponent } from '../query.ts'
import { storeFailure } from '../receive.ts'
import { notAnAccount } from '../understood.ts'
import { invalidArgument } from './arguments.ts'
import { checkCopySource, type ReadConditions } from './conditions.ts'
import { noSuchBucket, noSuchKey, noSuchVersion } from './versions.ts'

export type CopySource = {
  readonly bucket: BucketName
  readonly key: string
  readonly versionId: string | undefined
  /** The account that the client expects to own the source's bucket. */
  readonly expectedOwner: string | undefined
}
export const SOURCE_OWNER_HEADER = 'x-amz-source-expected-bucket-owner'

/** '/bucket/key?versionId=id', encoded as in forms ('+' for a blank), the first slash optional. Error: InvalidArgument. */
export function parseCopySource(request: S3Request): Result<CopySource, S3Failure> {
  const header = request.http.headers.get('x-amz-copy-source') ?? ''
  const invalid = (message: string) => fail(invalidArgument('x-amz-copy-source', header, message))
  const question = header.lastIndexOf('?versionId=')
  const path = question < 0 ? header : header.slice(0, question)
  const decoded = decodeComponent(path.startsWith('/') ? path.slice(1) : path, 'blank')
  const versionId = question < 0 ? undefined : decodeComponent(header.slice(question + '?versionId='.length), 'literal')
  if (decoded === undefined || (question >= 0 && versionId === undefined)) return invalid('Invalid copy source encoding')
  const slash = decoded.indexOf('/')
  const bucket = parseBucketName(slash < 0 ? decoded : decoded.slice(0, slash))
  if (bucket === undefined) return invalid('Invalid copy source bucket name')
  const key = slash < 0 ? '' : decoded.slice(slash + 1)
  if (key === '' || key.includes('\0') || Buffer.byteLength(key) > 1024)
    return fail(invalidArgument('x-amz-copy-source', 'x-amz-copy-source', 'Invalid copy source object key'))
  if (versionId === '') return fail(invalidArgument('versionId', '', 'Version id cannot be the empty string'))
  const expectedOwner = request.http.headers.get(SOURCE_OWNER_HEADER)
  if (expectedOwner !== undefined && !/^\d{12}$/.test(expectedOwner)) return fail(notAnAccount(expectedOwner))
  return ok({ bucket, key, versionId, expectedOwner })
}

/**
 * Errors: NoSuchBucket, AccessDenied (to read the source, or another owner than expected), NoSuchKey, NoSuchVersion, InvalidRequest (a delete marker was
 * named), PreconditionFailed.
 */
export async function findCopySource(
  context: Context,
  source: CopySource,
  conditions: ReadConditions | undefined,
): Promise<Result<ObjectVersion, S3Failure>> {
  const { store, caller } = context
  // The road has asked for the destination only.
  const permission = source.versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion'
  if (authorize({ caller, permission, bucket: source.bucket, key: source.key }) === 'deny') return fail(s3Failure('AccessDenied'))
  const bucket = source.bucket === context.bucket.name ? context.bucket : await store.findBucket(source.bucket)
  if (bucket === undefined) return fail(noSuchBucket(source.bucket))
  if (source.expectedOwner !== undefined && source.expectedOwner !== accountIdOf(bucket.owner)) return fail(s3Failure('AccessDenied'))
  const version = await store.findVersion(bucket.id, source.key, source.versionId)
  if (version === undefined)
    return fail(source.versionId === undefined ? noSuchKey(source.key) : noSuchVersion(source.key, source.versionId))
  if (version.kind === 'delete-marker') {
    if (source.versionId === undefined) return fail(noSuchKey(source.key))
    const message = 'The source of a copy request may not specifically refer to a delete marker by version id.'
    return fail(s3Failure('InvalidRequest', { message }))
  }
  const held = checkCopySource(conditions, version, context.clock.nowMs())
  return held.ok ? ok(version) : held
}

/** Reads bytes of a version through `update`. Error: what the store cannot give. */
export async function readThrough(
  context: Context,
  version: ObjectVersion,
  from: number,
  to: number,
  update: (bytes: Uint8Array) => void,
): Promise<Result<undefined, S3Failure>> {
  if (to <= from) return ok(undefined)
  const reader = context.store.read(version, from, to)
  try {
    for (;;) {
      const next = await reader.read()
      if (!next.ok) return fail(storeFailure(next.error))
      if (next.value === undefined) return ok(undefined)
      if (context.signal.aborted) return fail(s3Failure('RequestTimeout'))
      update(next.value)
    }
  } finally {
    reader.close()
  }
}
