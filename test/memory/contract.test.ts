// The executor contract over MemoryExecutor, and over every layer wrapped around it.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Artifact, FaasExecutor, FaasInvoker } from '../../src/core/executor.js';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import {
  circuitBreaker,
  concurrency,
  failover,
  hedge,
  type Layer,
  retry,
  timeout,
  withLayers,
} from '../../src/layers/index.js';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';

const MAX_PAYLOAD_BYTES = 200_000;
const bytes = new TextEncoder().encode('the memory executor does not look inside');
const artifact: Artifact = {
  format: 'zip',
  bytes,
  sha256: createHash('sha256').update(bytes).digest('hex'),
};

/** The data plane of `invoker` beside the control plane of `executor`. */
function joined(invoker: FaasInvoker, executor: FaasExecutor): FaasExecutor {
  return {
    provider: executor.provider,
    limits: invoker.limits,
    invoke: (call, context) => invoker.invoke(call, context),
    close: async () => invoker.close?.(),
    deployJob: (...args) => executor.deployJob(...args),
    getDeployment: (...args) => executor.getDeployment(...args),
    listDeployments: (...args) => executor.listDeployments(...args),
    healthCheck: (...args) => executor.healthCheck(...args),
    warm: (...args) => executor.warm(...args),
    undeployJob: (...args) => executor.undeployJob(...args),
    logs: (...args) => executor.logs(...args),
  };
}

const layers: Record<string, Layer[]> = {
  timeout: [timeout({ timeoutMs: 50_000 })],
  retry: [retry()],
  circuitBreaker: [circuitBreaker()],
  'concurrency with a fixed limit': [concurrency({ max: 4 })],
  'adaptive concurrency': [concurrency({ adaptive: { min: 1, max: 64, initial: 4 } })],
  hedge: [hedge()],
  failover: [(inner) => failover([inner])],
  'all of them': [
    timeout({ timeoutMs: 50_000 }),
    retry(),
    circuitBreaker(),
    concurrency({ max: 16 }),
    hedge(),
    (inner) => failover([inner], { attemptTimeoutMs: 40_000 }),
  ],
};

function contractOver(name: string, wrapping: Layer[]): void {
  const summary = executorContract({
    name,
    test,
    expect,
    create: async () => {
      const memory = new MemoryExecutor({
        jobs: contractJobs,
        limits: { maxPayloadBytes: MAX_PAYLOAD_BYTES },
      });
      const executor = wrapping.length === 0 ? memory : joined(withLayers(memory, ...wrapping), memory);
      return {
        executor,
        deploy: (jobId, config) => executor.deployJob(jobId, artifact, config),
      };
    },
  });
  test(`${name}: nothing was left out`, () => {
    expect(summary.cases).toBeGreaterThanOrEqual(35);
    expect(summary.skipped).toBe(0);
  });
}

describe('the executor contract', () => {
  contractOver('memory', []);
  for (const [name, wrapping] of Object.entries(layers)) contractOver(`${name} around memory`, wrapping);
});
