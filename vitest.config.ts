import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 90_000,
    maxWorkers: 2,
    pool: 'forks',
    // ilp-protocol-stream 2.7 throws where nobody listens when a late packet reaches a server that has just been made.
    onUnhandledError: ({ message }) => message !== 'Unexpected call to handleData - server is not connected',
  },
})
