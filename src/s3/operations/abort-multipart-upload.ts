import { fail, ok } from '../../result.ts'
import { define } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { noSuchUpload } from './versions.ts'

/** Gives an upload up with all its parts. Errors: NoSuchUpload. Source: Amazon S3 API Reference, AbortMultipartUpload. */
export const abortMultipartUpload = define<{ readonly key: string; readonly uploadId: string }, undefined>({
  name: 'AbortMultipartUpload',
  resource: 'object',
  method: 'DELETE',
  selectors: ['uploadId'],
  permission: 's3:AbortMultipartUpload',
  parameters: [],
  headers: ['x-amz-request-payer'],
  parse: (request) => ok({ key: request.key, uploadId: request.query.get('uploadId') ?? '' }),
  async run({ store, bucket }, { key, uploadId }) {
    const gone = await store.abortUpload(bucket.id, key, uploadId)
    if (gone.ok) return ok(undefined)
    return fail(gone.error === 'no-such-upload' ? noSuchUpload(uploadId) : storeFailure(gone.error))
  },
  render: () => ({ status: 204, headers: [], body: { kind: 'none' } }),
})
