import { describe, expect, test } from 'vitest';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { TOKEN } from '../fakes/digitalocean.js';
import { bench } from './setup.js';

describe('the executor contract', () => {
  executorContract({
    name: 'DigitalOceanExecutor',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await bench({ jobs: contractJobs });
      return { executor, deploy, cleanup: () => fake.close(), secrets: [TOKEN] };
    },
  });
});
