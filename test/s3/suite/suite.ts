/** Every test of an S3 endpoint. Registers them with vitest; knows nothing of the server but its address, region and one key pair that may do everything. */
import { bucketTests } from './buckets.ts'
import { checksumTests } from './checksums.ts'
import { conditionTests } from './conditions.ts'
import { configurationTests } from './configurations.ts'
import { copyTests } from './copying.ts'
import { deletingTests } from './deleting.ts'
import { earlyRefusalTests } from './early-refusals.ts'
import type { Endpoint } from './endpoint.ts'
import { listingTests } from './listing.ts'
import { minioClientTests } from './minio-client.ts'
import { multipartTests } from './multipart.ts'
import { objectTests } from './objects.ts'
import { rangeTests } from './ranges.ts'
import { recordedTests } from './recorded.ts'
import { requestTests } from './requests.ts'
import { taggingTests } from './tagging.ts'
import { versioningTests } from './versioning.ts'

export function endpointTests(endpoint: Endpoint): void {
  requestTests(endpoint)
  bucketTests(endpoint)
  objectTests(endpoint)
  rangeTests(endpoint)
  conditionTests(endpoint)
  earlyRefusalTests(endpoint)
  checksumTests(endpoint)
  versioningTests(endpoint)
  listingTests(endpoint)
  copyTests(endpoint)
  deletingTests(endpoint)
  multipartTests(endpoint)
  taggingTests(endpoint)
  recordedTests(endpoint)
  configurationTests(endpoint)
  minioClientTests(endpoint)
}
