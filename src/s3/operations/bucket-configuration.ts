import { fail, ok, type Result } from '../../result.ts'
import type { S3Failure } from '../errors.ts'
import type { Context } from '../operation.ts'
import { storeFailure } from '../receive.ts'
import { noSuchBucket } from './versions.ts'

/** Sets a configuration of the bucket, by the name of its S3 subresource; undefined removes it. Errors: NoSuchBucket (it was deleted meanwhile), those of the store. */
export async function putConfiguration(
  { store, bucket }: Context,
  name: string,
  json: string | undefined,
): Promise<Result<undefined, S3Failure>> {
  const put = await store.putConfiguration(bucket.id, name, json)
  if (put.ok) return ok(undefined)
  return fail(put.error === 'no-such-bucket' ? noSuchBucket(bucket.name) : storeFailure(put.error))
}
