/** The executor contract over our own E2E door: the executor, the platform, and managed Node functions. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startPlatform } from '../../platform/src/index.js';
import { E2eOpenFaasExecutor } from '../../src/executors/e2e-openfaas/index.js';
import { packageHandler } from '../../src/packaging/index.js';
import { type ContractSubject, executorContract } from '../../src/testing/index.js';

const entry = fileURLToPath(new URL('../../src/testing/contract-jobs.ts', import.meta.url));
const artifact = packageHandler({ entry, target: 'e2e' });

executorContract({
  name: 'E2eOpenFaasExecutor on the platform',
  test,
  expect,
  async create(): Promise<ContractSubject> {
    const dataDir = await mkdtemp(join(tmpdir(), 'jobferry-e2e-'));
    const platform = await startPlatform({ port: 0, dataDir });
    const executor = new E2eOpenFaasExecutor({
      profile: 'e2e-platform',
      url: `${platform.url}/faas/api/v1`,
      authToken: 'none',
      apiKey: 'none',
      limits: { maxPayloadBytes: 6 * 1024 * 1024 },
    });
    return {
      executor,
      async deploy(jobId, config) {
        return await executor.deployJob(jobId, await artifact, { memoryMb: 256, timeoutSecs: 30, ...config });
      },
      async cleanup() {
        await executor.close();
        await platform.close();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  },
});
