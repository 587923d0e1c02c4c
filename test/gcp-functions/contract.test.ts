import { describe, expect, test } from 'vitest';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { bench } from './setup.js';

describe('the executor contract', () => {
  executorContract({
    name: 'CloudFunctionExecutor',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await bench({ jobs: contractJobs });
      return { executor, deploy, cleanup: () => fake.close(), secrets: [fake.http.accessToken] };
    },
  });
});
