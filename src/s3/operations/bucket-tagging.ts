/** GetBucketTagging, PutBucketTagging, DeleteBucketTagging. Sources: Amazon S3 API Reference, the pages of those names. */
import { fail, ok } from '../../result.ts'
import type { Tags } from '../../store/terms.ts'
import { s3Failure } from '../errors.ts'
import { define } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readXml } from '../receive.ts'
import { putConfiguration } from './bucket-configuration.ts'
import { CHECKSUM_HEADERS, digestedPayload } from './checksums.ts'
import { BUCKET_TAGS, parseTagging, taggingDocument } from './tags.ts'

const NAME = 'tagging'

/** The configuration 'tagging': a JSON list of pairs. */
export const bucketTaggingJson = (tags: Tags): string => JSON.stringify(tags)

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
    const json = bucket.configuration[NAME]
    if (json === undefined) return fail(s3Failure('NoSuchTagSet', { elements: { BucketName: bucket.name } }))
    return ok(JSON.parse(json) as Tags)
  },
  render: (tags) => ({ status: 200, headers: [], body: { kind: 'xml', text: taggingDocument(tags) } }),
})

/** Errors: InvalidRequest (no digest of the body), MalformedXML, InvalidTag, BadRequest (more than 50). */
export const putBucketTagging = define<Payload, undefined>({
  name: 'PutBucketTagging',
  resource: 'bucket',
  method: 'PUT',
  selectors: ['tagging'],
  permission: 's3:PutBucketTagging',
  parameters: [],
  headers: [...CHECKSUM_HEADERS, 'x-amz-sdk-checksum-algorithm'],
  parse: digestedPayload,
  async run(context, payload) {
    const root = await readXml(payload)
    if (!root.ok) return root
    const tags = parseTagging(root.value, BUCKET_TAGS)
    if (!tags.ok) return tags
    return putConfiguration(context, NAME, tags.value.length === 0 ? undefined : bucketTaggingJson(tags.value))
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
  run: (context) => putConfiguration(context, NAME, undefined),
  render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
})
