/**
 * What the suite needs of an S3 server, whichever it is, and the few words that its tests are written in.
 * Nothing here knows Holdfast: with HOLDFAST_TEST_ENDPOINT the same tests run against any other server.
 */
import { randomBytes } from 'node:crypto'
import { S3, S3ServiceException } from '@aws-sdk/client-s3'
import { afterAll, beforeAll } from 'vitest'

export type Endpoint = {
  /** 'http://127.0.0.1:9000' */
  readonly endpoint: string
  readonly region: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
}

/** A client that does not retry, so that a test sees the first answer. */
export function connect(endpoint: Endpoint): S3 {
  return new S3({
    endpoint: endpoint.endpoint,
    region: endpoint.region,
    credentials: endpoint.credentials,
    forcePathStyle: true,
    maxAttempts: 1,
  })
}

export type Refusal = { readonly code: string; readonly status: number | undefined; readonly message: string; readonly error: unknown }

/** How a call was refused; fails the test if it went well. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error
    return { code: error.name, status: error.$metadata.httpStatusCode, message: error.message, error }
  }
  throw new Error('The call went well, and should have been refused')
}

export const newBucketName = (): string => `suite-${randomBytes(8).toString('hex')}`
export const newKey = (): string => `key-${randomBytes(6).toString('hex')}`

/** A bucket of its own for the tests of one `describe`, emptied and removed after them. */
export function scratchBucket(s3: S3, options: { readonly versioning?: 'Enabled' | 'Suspended' } = {}): string {
  const bucket = newBucketName()
  beforeAll(async () => {
    await s3.createBucket({ Bucket: bucket })
    if (options.versioning !== undefined)
      await s3.putBucketVersioning({ Bucket: bucket, VersioningConfiguration: { Status: options.versioning } })
  })
  afterAll(() => removeBucket(s3, bucket))
  return bucket
}

export async function removeBucket(s3: S3, bucket: string): Promise<void> {
  const uploads = await s3.listMultipartUploads({ Bucket: bucket })
  for (const upload of uploads.Uploads ?? [])
    await s3.abortMultipartUpload({ Bucket: bucket, Key: upload.Key ?? '', UploadId: upload.UploadId ?? '' })
  for (;;) {
    const page = await s3.listObjectVersions({ Bucket: bucket })
    const doomed = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map((version) => ({
      Key: version.Key ?? '',
      ...(version.VersionId === undefined ? {} : { VersionId: version.VersionId }),
    }))
    if (doomed.length > 0) await s3.deleteObjects({ Bucket: bucket, Delete: { Objects: doomed, Quiet: true } })
    if (page.IsTruncated !== true) break
  }
  await s3.deleteBucket({ Bucket: bucket })
}

export async function bytesOf(body: { transformToByteArray(): Promise<Uint8Array> } | undefined): Promise<Buffer> {
  return Buffer.from((await body?.transformToByteArray()) ?? [])
}

/** The text of an object (of one version of it, or of a range). */
export async function readText(s3: S3, bucket: string, key: string, versionId?: string): Promise<string> {
  const got = await s3.getObject({ Bucket: bucket, Key: key, ...(versionId === undefined ? {} : { VersionId: versionId }) })
  return (await got.Body?.transformToString()) ?? ''
}

export const MiB = 1024 * 1024
