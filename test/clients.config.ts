import { defineConfig } from 'vitest/config'

/** The tests that need other people's software; `.ci/run` installs it and says where in HOLDFAST_CLIENTS. */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/clients/**/*.test.ts'],
    globalSetup: ['test/build-program.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 120_000,
  },
})
