/** HeadBucket, DeleteBucket, GetBucketLocation. Sources: Amazon S3 API Reference, the pages of those names. */
import { fail, ok } from '../../result.ts'
import type { BucketName } from '../../store/terms.ts'
import { s3Failure } from '../errors.ts'
import { define } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { escapeXml, xmlDocument } from '../xml.ts'
import { noSuchBucket } from './versions.ts'

/** Source: Amazon S3 API Reference, CreateBucket, HeadBucket and ListBuckets. */
export const bucketArn = (name: BucketName): string => `arn:aws:s3:::${name}`

export const headBucket = define<undefined, { readonly region: string; readonly name: BucketName }>({
  name: 'HeadBucket',
  resource: 'bucket',
  method: 'HEAD',
  selectors: [],
  permission: 's3:ListBucket',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  run: async ({ region, bucket }) => ok({ region, name: bucket.name }),
  render: ({ region, name }) => ({
    status: 200,
    headers: [
      ['x-amz-bucket-region', region],
      ['x-amz-bucket-arn', bucketArn(name)],
      ['x-amz-access-point-alias', 'false'],
      ['content-type', 'application/xml'],
    ],
    body: { kind: 'none' },
  }),
})

/** Errors: BucketNotEmpty, also when only old versions or delete markers are left. */
export const deleteBucket = define<undefined, undefined>({
  name: 'DeleteBucket',
  resource: 'bucket',
  method: 'DELETE',
  selectors: [],
  permission: 's3:DeleteBucket',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  async run({ store, bucket }) {
    const gone = await store.deleteBucket(bucket.id)
    if (gone.ok) return ok(undefined)
    if (gone.error === 'no-such-bucket') return fail(noSuchBucket(bucket.name))
    if (gone.error !== 'not-empty') return fail(storeFailure(gone.error))
    const elements = { BucketName: bucket.name }
    if (bucket.versioning === 'unversioned') return fail(s3Failure('BucketNotEmpty', { elements }))
    const message = 'The bucket you tried to delete is not empty. You must delete all versions in the bucket.'
    return fail(s3Failure('BucketNotEmpty', { message, elements }))
  },
  render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
})

/** The region, or nothing in us-east-1. */
export const getBucketLocation = define<undefined, string>({
  name: 'GetBucketLocation',
  resource: 'bucket',
  method: 'GET',
  selectors: ['location'],
  permission: 's3:GetBucketLocation',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  run: async ({ region }) => ok(region === 'us-east-1' ? '' : region),
  render: (region) => ({
    status: 200,
    headers: [],
    body: {
      kind: 'xml',
      text: xmlDocument('LocationConstraint', escapeXml(region)),
    },
  }),
})
