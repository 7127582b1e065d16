/** What is in a site, read through S3: to compare two sites with each other. */
import { createHash } from 'node:crypto'
import { GetBucketVersioningCommand, GetObjectCommand, ListBucketsCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { ACCESS_KEY, REGION, SECRET_KEY, type ServedSite } from '../served-site.ts'

/** Where a site is served, and with which keys. */
export const endpointOf = ({ endpoint }: Pick<ServedSite, 'endpoint'>) => ({
  endpoint,
  region: REGION,
  credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
})

/**
 * Each request has a connection of its own: while a test waits for a command (spawnSync), the server may close one that is idle, and this process
 * would not have heard of it when it writes its next request there.
 */
export function clientOf(site: Pick<ServedSite, 'endpoint'>): S3Client {
  return new S3Client({
    ...endpointOf(site),
    forcePathStyle: true,
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpAgent: { maxSockets: 32, keepAlive: false } }),
  })
}

/** Runs `work` on every item, `width` at a time. */
export async function inParallel<T>(items: readonly T[], width: number, work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++
      await work(items[index] as T, index)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
}

export type ListedVersion = {
  bucket: string
  key: string
  versionId: string
  latest: boolean
  marker: boolean
  etag: string
  bytes: number
  modified: string
}

/** Every version and marker of every bucket (or those given), in the order of the listings. */
export async function listing(client: S3Client, buckets?: readonly string[]): Promise<ListedVersion[]> {
  const names = buckets ?? ((await client.send(new ListBucketsCommand())).Buckets ?? []).map((bucket) => bucket.Name ?? '')
  const found: ListedVersion[] = []
  for (const bucket of names) {
    let KeyMarker: string | undefined
    let VersionIdMarker: string | undefined
    for (;;) {
      const page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, KeyMarker, VersionIdMarker }))
      for (const version of page.Versions ?? []) {
        found.push({
          bucket,
          key: version.Key ?? '',
          versionId: version.VersionId ?? '',
          latest: version.IsLatest === true,
          marker: false,
          etag: version.ETag ?? '',
          bytes: version.Size ?? 0,
          modified: version.LastModified?.toISOString() ?? '',
        })
      }
      for (const marker of page.DeleteMarkers ?? []) {
        found.push({
          bucket,
          key: marker.Key ?? '',
          versionId: marker.VersionId ?? '',
          latest: marker.IsLatest === true,
          marker: true,
          etag: '',
          bytes: 0,
          modified: marker.LastModified?.toISOString() ?? '',
        })
      }
      if (page.IsTruncated !== true) break
      KeyMarker = page.NextKeyMarker
      VersionIdMarker = page.NextVersionIdMarker
    }
  }
  const order = (one: ListedVersion): string => `${one.bucket}\0${one.key}\0${one.versionId}`
  return found.sort((one, other) => (order(one) < order(other) ? -1 : 1))
}

/** SHA-256 of the bytes, and the metadata, of one version. */
export async function contentOf(client: S3Client, version: Pick<ListedVersion, 'bucket' | 'key' | 'versionId'>): Promise<string> {
  const got = await client.send(
    new GetObjectCommand({ Bucket: version.bucket, Key: version.key, VersionId: version.versionId, ChecksumMode: 'ENABLED' }),
  )
  const hash = createHash('sha256')
  for await (const chunk of got.Body as AsyncIterable<Uint8Array>) hash.update(chunk)
  return JSON.stringify([
    hash.digest('hex'),
    got.ContentType,
    got.Metadata,
    got.TagCount,
    got.ChecksumCRC64NVME,
    got.ChecksumCRC32,
    got.ChecksumType,
  ])
}

/** The contents of every version, by bucket, key and version id. */
export async function contents(client: S3Client, versions: readonly ListedVersion[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  await inParallel(
    versions.filter((version) => !version.marker),
    16,
    async (version) => {
      found.set(`${version.bucket}/${version.key}@${version.versionId}`, await contentOf(client, version))
    },
  )
  return found
}

export async function versioningOf(client: S3Client, bucket: string): Promise<string | undefined> {
  return (await client.send(new GetBucketVersioningCommand({ Bucket: bucket }))).Status
}
