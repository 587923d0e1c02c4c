import { describe, expect, test } from 'vitest';
import type { FunctionConfig } from '../../src/core/executor.ts';
import type { JobId } from '../../src/core/job.ts';
import { HttpFaasExecutor, type HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { contractJobs } from '../../src/testing/contract-jobs.ts';
import type { ContractCapability } from '../../src/testing/contract-types.ts';
import { executorContract } from '../../src/testing/executor-contract.ts';
import { type FakePlatformOptions, fakePlatform } from '../../src/testing/fake-platform.ts';
import { zip } from './slots.ts';

const BEARER = 'contract-token-7a1';

function contract(
  name: string,
  platformOptions: FakePlatformOptions,
  options: Partial<HttpFaasExecutorOptions>,
  excluded: Partial<Record<ContractCapability, string>> = {},
): void {
  const create = async () => {
    const platform = await fakePlatform({ jobs: contractJobs, bearer: BEARER, ...platformOptions });
    const executor = new HttpFaasExecutor({ baseUrl: platform.url, auth: { bearer: BEARER }, ...options });
    const deploy = (jobId: JobId, config?: Partial<FunctionConfig>) =>
      executor.deployJob(jobId, zip(), config);
    return { executor, deploy, cleanup: () => platform.close(), secrets: [BEARER] };
  };
  executorContract({ name, test, expect, create, excluded });
}

describe('the executor contract', () => {
  contract(
    'HttpFaasExecutor on spec 1.0',
    {},
    { limits: { maxPayloadBytes: 200_000 } },
    {
      list: 'the custom-FaaS spec 1.0 has no list',
      logs: 'the custom-FaaS spec 1.0 has no logs',
    },
  );
});

describe('the executor contract, nothing excluded', () => {
  contract('HttpFaasExecutor on spec 1.1', { spec: '1.1', maxArgsBytes: 200_000 }, {});
  contract(
    'HttpFaasExecutor that insists on spec 1.1',
    { spec: '1.1', maxArgsBytes: 200_000 },
    { spec: '1.1' },
  );
});

describe('the executor contract for asynchronous calls', () => {
  contract(
    'HttpFaasExecutor, async',
    { spec: '1.1', maxArgsBytes: 200_000 },
    { mode: 'async' },
    {
      'call-id': 'an attempt after a stored success gets that success: it is not run again',
    },
  );
});
