/**
 * The suite on a server that runs already: HOLDFAST_TEST_ENDPOINT (http://host:port), HOLDFAST_TEST_ACCESS_KEY, HOLDFAST_TEST_SECRET_KEY and
 * HOLDFAST_TEST_REGION (default us-east-1). Skipped without the first. Other servers fail where they differ from Amazon: the comments say where.
 */
import { test } from 'vitest'
import { endpointTests } from './suite/suite.ts'

const { env } = process
const endpoint = env.HOLDFAST_TEST_ENDPOINT

if (endpoint === undefined) test.skip('no other server is named by HOLDFAST_TEST_ENDPOINT')
else {
  endpointTests({
    endpoint,
    region: env.HOLDFAST_TEST_REGION ?? 'us-east-1',
    credentials: { accessKeyId: env.HOLDFAST_TEST_ACCESS_KEY ?? '', secretAccessKey: env.HOLDFAST_TEST_SECRET_KEY ?? '' },
  })
}
