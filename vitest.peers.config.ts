import { defineConfig } from 'vitest/config';

// Meets foreign programs, which scripts/peers.sh installs; a suite whose program is missing fails with the reason.
export default defineConfig({
  test: { include: ['test/peers/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 600_000, maxWorkers: 1 },
});
