/** GetBucketVersioning, PutBucketVersioning. Source: Amazon S3 API Reference. */
import { fail, ok } from '../../result.ts'
import type { Versioning } from '../../store/terms.ts'
import { s3Failure } from '../errors.ts'
import { define } from '../operation.ts'
import type { Payload } from '../payload.ts'
import { readXml, storeFailure } from '../receive.ts'
import { textOf, xmlDocument } from '../xml.ts'
import { noSuchBucket } from './versions.ts'

const STATUS: Readonly<Record<Versioning, string>> = {
  unversioned: '',
  enabled: '<Status>Enabled</Status>',
  suspended: '<Status>Suspended</Status>',
}

export const getBucketVersioning = define<undefined, Versioning>({
  name: 'GetBucketVersioning',
  resource: 'bucket',
  method: 'GET',
  selectors: ['versioning'],
  permission: 's3:GetBucketVersioning',
  parameters: [],
  headers: [],
  parse: () => ok(undefined),
  run: async ({ bucket }) => ok(bucket.versioning),
  render: (versioning) => ({
    status: 200,
    headers: [],
    body: { kind: 'xml', text: xmlDocument('VersioningConfiguration', STATUS[versioning]) },
  }),
})

/** Errors: MalformedXML, IllegalVersioningConfigurationException (no status), NotImplemented (MFA delete). */
export const putBucketVersioning = define<Payload, undefined>({
  name: 'PutBucketVersioning',
  resource: 'bucket',
  method: 'PUT',
  selectors: ['versioning'],
  permission: 's3:PutBucketVersioning',
  parameters: [],
  headers: [],
  parse: (request) => ok(request.payload),
  async run({ store, bucket }, payload) {
    const root = await readXml(payload)
    if (!root.ok) return root
    if (root.value.name !== 'VersioningConfiguration') return fail(s3Failure('MalformedXML'))
    if (textOf(root.value, 'MfaDelete') === 'Enabled') return fail(s3Failure('NotImplemented', { elements: { Header: 'MfaDelete' } }))
    const status = textOf(root.value, 'Status')
    if (status === undefined) {
      const message = 'The Versioning element must be specified'
      return fail(s3Failure('IllegalVersioningConfigurationException', { message }))
    }
    if (status !== 'Enabled' && status !== 'Suspended') return fail(s3Failure('MalformedXML'))
    const put = await store.putVersioning(bucket.id, status === 'Enabled' ? 'enabled' : 'suspended')
    if (put.ok) return ok(undefined)
    return fail(put.error === 'no-such-bucket' ? noSuchBucket(bucket.name) : storeFailure(put.error))
  },
  render: () => ({ status: 200, headers: [], body: { kind: 'none' } }),
})
