import { defineConfig } from 'vitest/config';

// Checks what we send, and what our fakes answer, against the published API models in JOBFERRY_CONTRACTS.
export default defineConfig({
  test: { include: ['test/contracts/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 30_000, maxWorkers: 2 },
});
