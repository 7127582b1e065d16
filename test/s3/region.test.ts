import { afterAll } from 'vitest'
import { startServer } from './start-server.ts'
import { bucketTests } from './suite/buckets.ts'

// Outside us-east-1 a bucket has a location constraint, and creating it again is refused.
const { endpoint, stop } = await startServer({ region: 'eu-central-1' })
bucketTests(endpoint)
afterAll(stop)
