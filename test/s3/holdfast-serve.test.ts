import { afterAll } from 'vitest'
import { startServingProcess } from './serving-process.ts'
import { endpointTests } from './suite/suite.ts'

// What one gateway thread has acknowledged the other must see: connections are spread over both.
const { endpoint, stop } = await startServingProcess()
endpointTests(endpoint)
afterAll(stop)
