/**
 * GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl. Everything belongs to the bucket's owner, and access is a matter of policies: an ACL that says
 * just that can be read and written, any other is NotImplemented.
 * Sources: Amazon S3 API Reference, the pages of those names; User Guide, "Access control list (ACL) overview".
 */
import { fail, ok, type Result } from '../../result.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { type Context, define, type S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readWhole } from '../receive.ts'
import { childOf, childrenOf, element, parseXml, textOf, XML_LIMITS, type XmlElement, xmlDocument } from '../xml.ts'
import { namedVersion } from './arguments.ts'
import { cannedAcl } from './canned-acl.ts'
import { CHECKSUM_HEADERS } from './checksums.ts'
import { ownerElement } from './listing.ts'
import { findObject, showsVersions } from './versions.ts'

const INSTANCE_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance'

/** The owner's full control. */
function aclDocument({ bucket, caller }: Pick<Context, 'bucket' | 'caller'>): string {
  const owner = ownerElement(bucket.owner, caller)
  const grantee = owner
    .replace('<Owner>', `<Grantee xmlns:xsi="${INSTANCE_NAMESPACE}" xsi:type="CanonicalUser">`)
    .replace('</Owner>', '</Grantee>')
  const grant = `<Grant>${grantee}${element('Permission', 'FULL_CONTROL')}</Grant>`
  return xmlDocument('AccessControlPolicy', `${owner}<AccessControlList>${grant}</AccessControlList>`)
}

/** Whether a document says that the owner has full control, and no more. Errors: MalformedACLError. */
function grantsNothing(root: XmlElement, owner: string): Result<boolean, S3Failure> {
  const list = root.name === 'AccessControlPolicy' ? childOf(root, 'AccessControlList') : undefined
  const named = childOf(root, 'Owner')
  if (list === undefined || named === undefined) return fail(s3Failure('MalformedACLError'))
  if (textOf(named, 'ID') !== owner) return ok(false)
  const grants = childrenOf(list, 'Grant')
  for (const grant of grants) {
    const grantee = childOf(grant, 'Grantee')
    const permission = textOf(grant, 'Permission')
    if (grantee === undefined || permission === undefined) return fail(s3Failure('MalformedACLError'))
    if (textOf(grantee, 'ID') !== owner || permission !== 'FULL_CONTROL') return ok(false)
  }
  return ok(grants.length > 0)
}

/** Takes a canned ACL or a document that changes nothing. Errors: MalformedACLError, NotImplemented. */
async function checkBody(payload: Payload, canned: string | undefined, owner: string): Promise<Result<undefined, S3Failure>> {
  const body = await readWhole(payload, XML_LIMITS.bytesMax)
  if (!body.ok) return body
  if (body.value.length === 0) {
    if (canned !== undefined) return ok(undefined)
    const message = 'Your request was missing a required header'
    return fail(s3Failure('MissingSecurityHeader', { message, elements: { MissingHeaderName: 'x-amz-acl' } }))
  }
  if (canned !== undefined) return fail(s3Failure('UnexpectedContent'))
  const root = parseXml(body.value)
  if (!root.ok) return fail(s3Failure('MalformedACLError'))
  const nothing = grantsNothing(root.value, owner)
  if (!nothing.ok) return nothing
  if (nothing.value) return ok(undefined)
  return fail(
    s3Failure('NotImplemented', {
      message: 'Access control lists that say anything but that the owner has full control are not implemented. Use policies.',
    }),
  )
}

type Written = { readonly canned: string | undefined; readonly payload: Payload }

export const getBucketAcl = define<undefined, string>({
  name: 'GetBucketAcl',
  resource: 'bucket',
  method: 'GET',
  selectors: ['acl'],
  permission: 's3:GetBucketAcl',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  run: async (context) => ok(aclDocument(context)),
  render: (text) => ({ status: 200, headers: [], body: { kind: 'xml', text } }),
})

export const putBucketAcl = define<Written, undefined>({
  name: 'PutBucketAcl',
  resource: 'bucket',
  method: 'PUT',
  selectors: ['acl'],
  permission: 's3:PutBucketAcl',
  parameters: [],
  headers: ['x-amz-acl', ...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm'],
  parse(request) {
    const canned = cannedAcl(request, 'bucket')
    return canned.ok ? ok({ canned: canned.value, payload: request.payload }) : canned
  },
  run: ({ bucket }, { canned, payload }) => checkBody(payload, canned, bucket.owner),
  render: () => ({ status: 200, headers: [], body: { kind: 'none' } }),
})

type Named = { readonly key: string; readonly versionId: string | undefined }

function parseNamed(request: S3Request): Result<Named, S3Failure> {
  const versionId = namedVersion(request)
  return versionId.ok ? ok({ key: request.key, versionId: versionId.value }) : versionId
}

const shownVersion = (versionId: string | undefined): readonly (readonly [string, string])[] =>
  versionId === undefined ? [] : [['x-amz-version-id', versionId]]

/** Errors: NoSuchKey, NoSuchVersion, MethodNotAllowed. */
export const getObjectAcl = define<Named, { readonly text: string; readonly versionId: string | undefined }>({
  name: 'GetObjectAcl',
  resource: 'object',
  method: 'GET',
  selectors: ['acl'],
  permission: 's3:GetObjectAcl',
  parameters: ['versionId'],
  headers: ['x-amz-request-payer'],
  parse: parseNamed,
  async run(context, { key, versionId }) {
    const found = await findObject(context, key, versionId)
    if (!found.ok) return found
    return ok({ text: aclDocument(context), versionId: showsVersions(context.bucket) ? found.value.versionId : undefined })
  },
  render: ({ text, versionId }) => ({ status: 200, headers: shownVersion(versionId), body: { kind: 'xml', text } }),
})

/** Errors: those of GetObjectAcl, MalformedACLError, NotImplemented. */
export const putObjectAcl = define<Named & Written, string | undefined>({
  name: 'PutObjectAcl',
  resource: 'object',
  method: 'PUT',
  selectors: ['acl'],
  permission: 's3:PutObjectAcl',
  parameters: ['versionId'],
  headers: ['x-amz-acl', ...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm', 'x-amz-request-payer'],
  parse(request) {
    const named = parseNamed(request)
    if (!named.ok) return named
    const canned = cannedAcl(request, 'object')
    return canned.ok ? ok({ ...named.value, canned: canned.value, payload: request.payload }) : canned
  },
  async run(context, { key, versionId, canned, payload }) {
    const found = await findObject(context, key, versionId)
    if (!found.ok) return found
    const checked = await checkBody(payload, canned, context.bucket.owner)
    if (!checked.ok) return checked
    return ok(showsVersions(context.bucket) ? found.value.versionId : undefined)
  },
  render: (versionId) => ({ status: 200, headers: shownVersion(versionId), body: { kind: 'none' } }),
})
