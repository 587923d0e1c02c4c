import { describe, expect, test } from 'vitest';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { accountBench, gatewayBench, platformBench, SECRETS } from './setup.js';

const limits = { maxPayloadBytes: 1024 * 1024 };

describe('the executor contract', () => {
  executorContract({
    name: 'a gateway',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await gatewayBench({ jobs: contractJobs }, { limits });
      return { executor, deploy, cleanup: () => fake.close(), secrets: SECRETS };
    },
  });
  executorContract({
    name: 'E2E’s account API',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await accountBench({ jobs: contractJobs }, { limits });
      return { executor, deploy, cleanup: () => fake.close(), secrets: SECRETS };
    },
  });
  executorContract({
    name: 'the API of E2E’s design documents',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await platformBench({ jobs: contractJobs }, { limits });
      return { executor, deploy, cleanup: () => fake.close(), secrets: SECRETS };
    },
  });
});
