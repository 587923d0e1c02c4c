import { describe, expect, test } from 'vitest';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { KEYS } from '../fakes/aws-lambda.js';
import { bench } from './setup.js';

describe('the executor contract', () => {
  executorContract({
    name: 'LambdaExecutor',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await bench({ jobs: contractJobs });
      return {
        executor,
        deploy,
        cleanup: () => fake.close(),
        secrets: [KEYS.accessKeyId, KEYS.secretAccessKey],
      };
    },
  });
});
