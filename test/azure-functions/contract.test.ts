import { describe, expect, test } from 'vitest';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { TOKEN } from '../fakes/azure-functions.js';
import { STORAGE_KEY } from '../fakes/azure-resources.js';
import { bench } from './setup.js';

describe('the executor contract', () => {
  executorContract({
    name: 'AzureFunctionExecutor',
    test,
    expect,
    create: async () => {
      // A limit that is small enough to be tried.
      const limits = { maxPayloadBytes: 2 * 1024 * 1024 };
      const { executor, fake, deploy } = await bench({ jobs: contractJobs }, { limits });
      return { executor, deploy, cleanup: () => fake.close(), secrets: [TOKEN, STORAGE_KEY] };
    },
  });
});
