import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'platform/test/**/*.test.ts'],
    exclude: ['test/heavy/**', 'test/contracts/**', 'test/peers/**', '**/node_modules/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // The machines that run this have two cores, and many tests start real processes.
    maxWorkers: 2,
  },
});
