/** GetBucketTagging, PutBucketTagging, DeleteBucketTagging. Sources: Amazon S3 API Reference, the pages of those names. */
import { fail, ok, type Result } from '../../result.ts'
import type { Tags } from '../../store/terms.ts'
import { type S3Failure, s3Failure } from '../errors.ts'
import { type Context, define } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readXml, storeFailure } from '../receive.ts'
import { CHECKSUM_HEADERS } from './checksums.ts'
import { BUCKET_TAGS, parseTagging, taggingDocument } from './tags.ts'
import { noSuchBucket } from './versions.ts'

/** The configuration 'tagging': a JSON list of pairs. */
export const bucketTaggingJson = (tags: Tags): string => JSON.stringify(tags)

async function replace(context: Context, json: string | undefined): Promise<Result<undefined, S3Failure>> {
  const put = await context.store.putConfiguration(context.bucket.id, 'tagging', json)
  if (put.ok) return ok(undefined)
  return fail(put.error === 'no-such-bucket' ? noSuchBucket(context.bucket.name) : storeFailure(put.error))
}

/** Errors: NoSuchTagSet. */
export const getBucketTagging = define<undefined, Tags>({
  name: 'GetBucketTagging',
  resource: 'bucket',
  method: 'GET',
  selectors: ['tagging'],
  permission: 's3:GetBucketTagging',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  async run({ bucket }) {
    const json = bucket.configuration.tagging
    if (json === undefined) return fail(s3Failure('NoSuchTagSet', { elements: { BucketName: bucket.name } }))
    return ok(JSON.parse(json) as Tags)
  },
  render: (tags) => ({ status: 200, headers: [], body: { kind: 'xml', text: taggingDocument(tags) } }),
})

/** Errors: MalformedXML, InvalidTag, BadRequest (more than 50). */
export const putBucketTagging = define<Payload, undefined>({
  name: 'PutBucketTagging',
  resource: 'bucket',
  method: 'PUT',
  selectors: ['tagging'],
  permission: 's3:PutBucketTagging',
  parameters: [],
  headers: [...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm'],
  parse: (request) => ok(request.payload),
  async run(context, payload) {
    const root = await readXml(payload)
    if (!root.ok) return root
    const tags = parseTagging(root.value, BUCKET_TAGS)
    if (!tags.ok) return tags
    return replace(context, tags.value.length === 0 ? undefined : bucketTaggingJson(tags.value))
  },
  render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
})

export const deleteBucketTagging = define<undefined, undefined>({
  name: 'DeleteBucketTagging',
  resource: 'bucket',
  method: 'DELETE',
  selectors: ['tagging'],
  permission: 's3:PutBucketTagging',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  run: (context) => replace(context, undefined),
  render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
})
