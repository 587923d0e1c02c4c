import { createHash } from 'node:crypto';
import JSZip from 'jszip';
import { describe, expect, test } from 'vitest';
import type { Artifact } from '../../src/core/executor.ts';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.ts';
import { contractJobs } from '../../src/testing/contract-jobs.ts';
import { executorContract } from '../../src/testing/executor-contract.ts';
import { fakePlatform } from '../../src/testing/fake-platform.ts';

// The fake platform does not look inside.
const bytes = await new JSZip().file('bootstrap', '#!/bin/sh\n').generateAsync({ type: 'uint8array' });
const artifact: Artifact = {
  format: 'zip',
  bytes,
  sha256: createHash('sha256').update(bytes).digest('hex'),
};
const BEARER = 'contract-token-7a1';

describe('the executor contract', () => {
  executorContract({
    name: 'HttpFaasExecutor',
    test,
    expect,
    create: async () => {
      const platform = await fakePlatform({ jobs: contractJobs, bearer: BEARER });
      const executor = new HttpFaasExecutor({
        baseUrl: platform.url,
        auth: { bearer: BEARER },
        limits: { maxPayloadBytes: 200_000 },
      });
      return {
        executor,
        deploy: (jobId, config) => executor.deployJob(jobId, artifact, config),
        cleanup: () => platform.close(),
        secrets: [BEARER],
      };
    },
    excluded: {
      list: 'the custom-FaaS spec 1.0 has no list',
      logs: 'the custom-FaaS spec 1.0 has no logs',
    },
  });
});
