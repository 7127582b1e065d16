import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { HEADER_BYTES_MAX } from '../src/http/limits.ts'

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build-program.ts'],
    // test/long: `npm run long`, and .ci/run. The suite for any S3 server runs against another one only where that is named.
    exclude: [
      'test/clients/**',
      ...(process.env.HOLDFAST_LONG === undefined ? ['test/long/**'] : []),
      ...(process.env.HOLDFAST_TEST_ENDPOINT === undefined ? ['test/s3/elsewhere.test.ts'] : []),
    ],
    pool: 'forks',
    // As the program's entry sets it, for tests that start the adapter by themselves.
    env: { UWS_HTTP_MAX_HEADERS_SIZE: String(HEADER_BYTES_MAX) },
    // Much of the time goes into waiting for disks and other processes: more than one worker per core.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
