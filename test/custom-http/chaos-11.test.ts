/** Spec 1.1 over a network that breaks: what keys and stored calls promise, compared with what ran. */
import { afterEach, describe, expect, it } from 'vitest';
import type { JobResult } from '../../src/core/job.ts';
import { callContext } from '../../src/core/scope.ts';
import { HttpFaasExecutor, type HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { RetryBudget } from '../../src/index.ts';
import { retry } from '../../src/layers/index.ts';
import { chaosProxy, type Fault, fakePlatform } from '../../src/testing/index.ts';
import { FUNCTIONS } from './platform-11.ts';
import { jobCall } from './server.ts';

const FAULTS: Fault[] = [
  { kind: 'latency', share: 0.05, minMs: 1, maxMs: 10 },
  { kind: 'reset-before-request', share: 0.06 },
  { kind: 'reset-after-request', share: 0.06 },
  { kind: 'reset-before-reply', share: 0.06 },
  { kind: 'half-close', share: 0.05 },
  { kind: 'truncate', share: 0.06, afterBytes: 60 },
];
const CALLS = 400;

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

/** The runs of every call, with as many attempts as it takes. */
async function runs(options: Partial<HttpFaasExecutorOptions>, idempotent: boolean): Promise<number[]> {
  const platform = await fakePlatform({ spec: '1.1', deployed: true, functions: FUNCTIONS });
  // With this seed the first exchange, in which the platform describes itself, is unharmed.
  const proxy = await chaosProxy({ target: platform.url, seed: 3, faults: FAULTS });
  const executor = new HttpFaasExecutor({ baseUrl: proxy.url, connections: 16, ...options });
  open.push(platform, proxy, executor);
  await executor.listDeployments().catch(() => {});
  expect(executor.limits.maxPayloadBytes).toBeDefined();
  const budget = new RetryBudget({ reserve: 10 * CALLS });
  const layered = retry({ attempts: 20, minDelayMs: 1, maxDelayMs: 2000, budget })(executor);
  let left = CALLS;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const args = Buffer.from(`input ${left}`);
      const context = callContext({ timeoutMs: 25_000 });
      const call = jobCall({ callId: `c-${left}`, args, idempotent, deadline: context.deadline });
      const { result }: JobResult = await layered.invoke(call, context);
      context.disarm();
      expect(Buffer.from(result).equals(args)).toBe(true);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  const { none: _, ...struck } = proxy.counts;
  expect(Object.values(struck).reduce((sum, count) => sum + count)).toBeGreaterThan(CALLS / 10);
  return Array.from({ length: CALLS }, (_unused, index) => platform.executions.get(`c-${index}`) ?? 0);
}

describe(`${CALLS} calls through the chaos proxy`, () => {
  it('idempotent ones, retried: all succeed, and each ran exactly once', async () => {
    expect(new Set(await runs({}, true))).toEqual(new Set([1]));
  });

  it('asynchronous ones, not idempotent: all succeed, and each ran exactly once', async () => {
    expect(new Set(await runs({ mode: 'async' }, false))).toEqual(new Set([1]));
  });
});
