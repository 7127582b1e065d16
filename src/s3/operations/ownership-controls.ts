/**
 * GetBucketOwnershipControls, PutBucketOwnershipControls, DeleteBucketOwnershipControls. Everything belongs to its bucket's owner, which Amazon calls
 * BucketOwnerEnforced and has set on every new bucket since April 2023. The configuration says only whether that was taken away: no ACL works either way.
 * Sources: Amazon S3 API Reference, the pages of those names; User Guide, "Controlling ownership of objects".
 */
import { fail, ok, type Result } from '../../result.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { define } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readXml } from '../receive.ts'
import { childrenOf, textOf, type XmlElement, xmlDocument } from '../xml.ts'
import { putConfiguration } from './bucket-configuration.ts'
import { CHECKSUM_HEADERS } from './checksums.ts'

const NAME = 'ownershipControls'
const REMOVED = '"removed"'
const ENFORCED = 'BucketOwnerEnforced'

/** Errors: OwnershipControlsNotFoundError. */
export const getBucketOwnershipControls = define<undefined, undefined>({
  name: 'GetBucketOwnershipControls',
  resource: 'bucket',
  method: 'GET',
  selectors: ['ownershipControls'],
  permission: 's3:GetBucketOwnershipControls',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  async run({ bucket }) {
    if (bucket.configuration[NAME] !== REMOVED) return ok(undefined)
    return fail(s3Failure('OwnershipControlsNotFoundError', { elements: { BucketName: bucket.name } }))
  },
  render: () => ({
    status: 200,
    headers: [],
    body: { kind: 'xml', text: xmlDocument('OwnershipControls', `<Rule><ObjectOwnership>${ENFORCED}</ObjectOwnership></Rule>`) },
  }),
})

function checkRules(root: XmlElement): Result<undefined, S3Failure> {
  const [rule, ...more] = root.name === 'OwnershipControls' ? childrenOf(root, 'Rule') : []
  const ownership = rule && textOf(rule, 'ObjectOwnership')
  if (ownership === ENFORCED && more.length === 0) return ok(undefined)
  if (more.length > 0 || (ownership !== 'BucketOwnerPreferred' && ownership !== 'ObjectWriter')) return fail(s3Failure('MalformedXML'))
  return fail(s3Failure('NotImplemented', { elements: { Header: 'ObjectOwnership' } }))
}

/** Errors: MalformedXML, NotImplemented for ownership that depends on ACLs. */
export const putBucketOwnershipControls = define<Payload, undefined>({
  name: 'PutBucketOwnershipControls',
  resource: 'bucket',
  method: 'PUT',
  selectors: ['ownershipControls'],
  permission: 's3:PutBucketOwnershipControls',
  parameters: [],
  headers: [...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm'],
  parse: (request) => ok(request.payload),
  async run(context, payload) {
    const root = await readXml(payload)
    if (!root.ok) return root
    const checked = checkRules(root.value)
    return checked.ok ? putConfiguration(context, NAME, undefined) : checked
  },
  render: () => ({ status: 200, headers: [], body: { kind: 'none' } }),
})

export const deleteBucketOwnershipControls = define<undefined, undefined>({
  name: 'DeleteBucketOwnershipControls',
  resource: 'bucket',
  method: 'DELETE',
  selectors: ['ownershipControls'],
  permission: 's3:PutBucketOwnershipControls',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  run: (context) => putConfiguration(context, NAME, REMOVED),
  render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
})
