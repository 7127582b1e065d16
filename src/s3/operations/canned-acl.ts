/** The header x-amz-acl. Everything belongs to its bucket's owner, so only the ACLs that say so are taken. */
import { fail, ok, type Result } from '../../result.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import type { S3Request } from '../operation.ts'
import { invalidArgument } from './arguments.ts'

/** Source: Amazon S3 User Guide, "Access control list overview", canned ACL. */
const CANNED = [
  'private',
  'public-read',
  'public-read-write',
  'aws-exec-read',
  'authenticated-read',
  'bucket-owner-read',
  'bucket-owner-full-control',
  'log-delivery-write',
]

/** Errors: InvalidArgument for a name that S3 does not have, NotImplemented for one that would grant something. */
export function cannedAcl(request: S3Request, on: 'bucket' | 'object'): Result<string | undefined, S3Failure> {
  const acl = request.http.headers.get('x-amz-acl')
  if (acl === undefined || acl === 'private' || (acl === 'bucket-owner-full-control' && on === 'object')) return ok(acl)
  if (!CANNED.includes(acl)) return fail(invalidArgument('x-amz-acl', acl, ''))
  return fail(s3Failure('NotImplemented', { elements: { Header: 'x-amz-acl' } }))
}
