import { defineConfig } from 'vitest/config';

// Suites that take minutes: .ci/run calls them after npm test. What states a time runs by itself, after all the others.
const ALONE = ['test/heavy/process-trees.test.ts', 'test/heavy/classification.test.ts'];
const timeouts = { testTimeout: 600_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...timeouts,
          name: 'together',
          include: ['test/heavy/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...timeouts, name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
