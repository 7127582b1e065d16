import { fail, ok, type Result } from '../../result.ts'
import type { BucketName, Tags } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { define, type S3Request } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readWhole, storeFailure } from '../receive.ts'
import { childOf, parseXml, textOf } from '../xml.ts'
import { bucketTaggingJson } from './bucket-tagging.ts'
import { bucketArn } from './buckets.ts'
import { cannedAcl } from './canned-acl.ts'
import { NEW_BUCKET_TAGS, parseTagList } from './tags.ts'

type Input = { readonly name: BucketName; readonly payload: Payload }
type Wanted = { readonly location: string | undefined; readonly tags: Tags }

const NO_CONFIGURATION: Wanted = { location: undefined, tags: [] }
const CONFIGURATION_BYTES_MAX = 64 * 1024

function parse(request: S3Request): Result<Input, S3Failure> {
  const acl = cannedAcl(request, 'bucket')
  if (!acl.ok) return acl
  const sent = request.http.headers
  const lock = sent.get('x-amz-bucket-object-lock-enabled')
  if (lock !== undefined && lock.toLowerCase() !== 'false')
    return fail(s3Failure('NotImplemented', { elements: { Header: 'x-amz-bucket-object-lock-enabled' } }))
  const ownership = sent.get('x-amz-object-ownership')
  if (ownership !== undefined && ownership !== 'BucketOwnerEnforced') {
    if (ownership !== 'BucketOwnerPreferred' && ownership !== 'ObjectWriter')
      return fail(
        s3Failure('InvalidArgument', {
          message: `Invalid x-amz-object-ownership header: ${ownership}`,
          elements: { ArgumentName: 'x-amz-object-ownership' },
        }),
      )
    return fail(s3Failure('NotImplemented', { elements: { Header: 'x-amz-object-ownership' } }))
  }
  return request.bucket === undefined ? fail(s3Failure('InvalidBucketName')) : ok({ name: request.bucket, payload: request.payload })
}

async function readConfiguration(payload: Payload): Promise<Result<Wanted, S3Failure>> {
  const body = await readWhole(payload, CONFIGURATION_BYTES_MAX)
  if (!body.ok) return body
  if (body.value.length === 0) return ok(NO_CONFIGURATION)
  const root = parseXml(body.value)
  if (!root.ok) return root
  if (root.value.name !== 'CreateBucketConfiguration') return fail(s3Failure('MalformedXML'))
  // Directory buckets: kinds of buckets that are not built.
  if (childOf(root.value, 'Location') !== undefined || childOf(root.value, 'Bucket') !== undefined) return fail(s3Failure('NotImplemented'))
  const set = childOf(root.value, 'Tags')
  const tags: Result<Tags, S3Failure> = set === undefined ? ok([]) : parseTagList(set, NEW_BUCKET_TAGS)
  if (!tags.ok) return tags
  const location = textOf(root.value, 'LocationConstraint')?.trim()
  return ok({ location, tags: tags.value })
}

/** us-east-1 is the region that goes without saying, and may not be said. Elsewhere the constraint must be the region. */
function checkLocation(location: string | undefined, region: string): S3Failure | undefined {
  if (location === '') return s3Failure('InvalidLocationConstraint', { elements: { LocationConstraint: '' } })
  const meant = location === 'EU' ? 'eu-west-1' : location
  if (region === 'us-east-1' ? meant === undefined : meant === region) return undefined
  if (region === 'us-east-1') return s3Failure('InvalidLocationConstraint', { elements: { LocationConstraint: location ?? '' } })
  return s3Failure('IllegalLocationConstraintException', {
    message: `The ${location ?? 'unspecified'} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  })
}

/**
 * Errors: InvalidLocationConstraint, IllegalLocationConstraintException, MalformedXML, BucketAlreadyOwnedByYou (not in us-east-1, where Amazon answers
 * 200), BucketAlreadyExists. Source: Amazon S3 API Reference, CreateBucket.
 */
export const createBucket = define<Input, BucketName>({
  name: 'CreateBucket',
  resource: 'bucket',
  method: 'PUT',
  selectors: [],
  permission: 's3:CreateBucket',
  parameters: [],
  headers: ['x-amz-acl', 'x-amz-bucket-object-lock-enabled', 'x-amz-object-ownership'],
  bucketNotNeeded: true,
  parse,
  async run({ store, caller, region }, { name, payload }) {
    const wanted = await readConfiguration(payload)
    if (!wanted.ok) return wanted
    const misplaced = checkLocation(wanted.value.location, region)
    if (misplaced !== undefined) return fail(misplaced)
    const made = await store.createBucket({ name, owner: caller.id })
    if (!made.ok) {
      if (typeof made.error !== 'object') return fail(storeFailure(made.error))
      const elements = { BucketName: name }
      if (made.error.bucket.owner !== caller.id) return fail(s3Failure('BucketAlreadyExists', { elements }))
      // Tags would be lost on a bucket that has its own.
      return region === 'us-east-1' && wanted.value.tags.length === 0 ? ok(name) : fail(s3Failure('BucketAlreadyOwnedByYou', { elements }))
    }
    if (wanted.value.tags.length > 0) {
      const tagged = await store.putConfiguration(made.value.id, 'tagging', bucketTaggingJson(wanted.value.tags))
      if (!tagged.ok && tagged.error !== 'no-such-bucket') return fail(storeFailure(tagged.error))
    }
    return ok(name)
  },
  render: (name) => ({
    status: 200,
    headers: [
      ['location', `/${name}`],
      ['x-amz-bucket-arn', bucketArn(name)],
    ],
    body: { kind: 'none' },
  }),
})
