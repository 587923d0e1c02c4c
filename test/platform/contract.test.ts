/** The executor contract over the real thing: HttpFaasExecutor, the platform, and a process for each call. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startPlatform } from '../../platform/src/index.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { packageHandler } from '../../src/packaging/index.js';
import { type ContractSubject, executorContract } from '../../src/testing/index.js';

const entry = fileURLToPath(new URL('../../src/testing/contract-jobs.ts', import.meta.url));
const artifact = packageHandler({ entry });

executorContract({
  name: 'HttpFaasExecutor on the platform',
  test,
  expect,
  async create(): Promise<ContractSubject> {
    const dataDir = await mkdtemp(join(tmpdir(), 'jobferry-contract-'));
    const platform = await startPlatform({ port: 0, dataDir, concurrency: 4 });
    const executor = new HttpFaasExecutor({
      baseUrl: platform.url,
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
