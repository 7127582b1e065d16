/**
 * The suite on a server that runs already: HOLDFAST_TEST_ENDPOINT (http://host:port), HOLDFAST_TEST_ACCESS_KEY, HOLDFAST_TEST_SECRET_KEY and
 * HOLDFAST_TEST_REGION (default us-east-1). The configuration of the tests
 * leaves this file out where the first is not set. Other servers fail where they differ from Amazon: the comments say where.
 */
import { endpointTests } from './suite/suite.ts'

const { env } = process
const endpoint = env.HOLDFAST_TEST_ENDPOINT

if (endpoint === undefined) throw new Error('HOLDFAST_TEST_ENDPOINT must name the server to be tested.')

endpointTests({
  endpoint,
  region: env.HOLDFAST_TEST_REGION ?? 'us-east-1',
  credentials: { accessKeyId: env.HOLDFAST_TEST_ACCESS_KEY ?? '', secretAccessKey: env.HOLDFAST_TEST_SECRET_KEY ?? '' },
})
