// The facts of an executor and the decisions of the retry layer together, over a network that breaks.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaasError } from '../../src/core/errors.js';
import { callContext } from '../../src/core/scope.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { RetryBudget, retry, withLayers } from '../../src/layers/index.js';
import {
  type ChaosProxy,
  CONTRACT_IDS,
  chaosProxy,
  contractJobs,
  type FakePlatform,
  type Fault,
  fakePlatform,
} from '../../src/testing/index.js';
import { callOf } from './invokers.js';

const FAULTS: Fault[] = [
  { kind: 'reset-before-request', share: 0.1 },
  { kind: 'reset-after-request', share: 0.1 },
  { kind: 'reset-before-reply', share: 0.1 },
  { kind: 'half-close', share: 0.1 },
  { kind: 'truncate', share: 0.1, afterBytes: 40 },
  { kind: 'slow-drip', share: 0.02, bytes: 40, everyMs: 1 },
  { kind: 'blackhole', share: 0.01 },
];

let platform: FakePlatform;
let proxy: ChaosProxy;
let executor: HttpFaasExecutor;
beforeEach(async () => {
  platform = await fakePlatform({ jobs: contractJobs, deployed: true });
  proxy = await chaosProxy({ target: platform.url, seed: 8, faults: FAULTS });
  executor = new HttpFaasExecutor({ baseUrl: proxy.url, connections: 16 });
});
afterEach(async () => {
  await executor.close();
  await proxy.close();
  await platform.close();
});

/** Sends `calls` calls, 16 at once, and returns how each ended: `ok` or the error. */
async function sendAll(calls: number, idempotent: boolean): Promise<Map<string, FaasError | 'ok'>> {
  const invoker = withLayers(
    executor,
    retry({ attempts: 3, minDelayMs: 1, budget: new RetryBudget({ ratio: 1 }) }),
  );
  const outcomes = new Map<string, FaasError | 'ok'>();
  let next = 0;
  const worker = async () => {
    while (next < calls) {
      const callId = `call-${next++}`;
      const context = callContext({ timeoutMs: 1000 });
      const call = callOf({ jobId: CONTRACT_IDS.echo, callId, idempotent, args: Uint8Array.of(1, 2, 3) });
      try {
        const { result } = await invoker.invoke(call, context);
        expect([...result]).toEqual([1, 2, 3]);
        outcomes.set(callId, 'ok');
      } catch (error) {
        if (!FaasError.is(error)) throw error;
        outcomes.set(callId, error);
      } finally {
        context.disarm();
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return outcomes;
}

describe('retry over HTTP through a network that breaks', () => {
  it('never runs a call twice that is not idempotent, and tells the truth about what ran', async () => {
    const calls = 1500;
    const outcomes = await sendAll(calls, false);
    expect(outcomes.size).toBe(calls);
    for (const [callId, outcome] of outcomes) {
      const runs = platform.executions.get(callId) ?? 0;
      expect(runs).toBeLessThanOrEqual(1);
      if (outcome === 'ok' || outcome.executed === 'yes') expect(runs).toBe(1);
      else if (outcome.executed === 'no') expect(runs).toBe(0);
    }
    const struck = Object.entries(proxy.counts).filter(([kind]) => kind !== 'none');
    // Every fault struck, or the test proved less than it says.
    for (const [kind, times] of struck)
      if (kind !== 'latency') expect(`${kind}: ${times > 0}`).toBe(`${kind}: true`);
  });

  it('brings more idempotent calls through, since it may try them again', async () => {
    const okOf = (outcomes: Map<string, FaasError | 'ok'>) =>
      [...outcomes.values()].filter((outcome) => outcome === 'ok').length;
    const once = okOf(await sendAll(400, false));
    const retried = okOf(await sendAll(400, true));
    expect(retried).toBeGreaterThan(once);
  });
});
