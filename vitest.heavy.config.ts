import { defineConfig } from 'vitest/config';

// Suites that take minutes: .ci/run calls them after npm test.
export default defineConfig({
  test: { include: ['test/heavy/**/*.test.ts'], testTimeout: 600_000, hookTimeout: 60_000, maxWorkers: 1 },
});
