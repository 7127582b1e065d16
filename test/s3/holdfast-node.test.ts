import { afterAll } from 'vitest'
import { startServer } from './start-server.ts'
import { endpointTests } from './suite/suite.ts'

const { endpoint, stop } = await startServer()
endpointTests(endpoint)
afterAll(stop)
