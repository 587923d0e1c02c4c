/** Runner to Azure Functions over a network that breaks: what the errors claim is compared with what ran. */
import { describe, expect, it } from 'vitest';
import { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { chaosProxy, type Fault } from '../../src/testing/index.js';
import { bench } from '../azure-functions/setup.js';

const CALLS = 10_000;
const FAULTS: Fault[] = [
  { kind: 'latency', share: 0.05, minMs: 1, maxMs: 10 },
  { kind: 'reset-before-request', share: 0.08 },
  { kind: 'reset-after-request', share: 0.08 },
  { kind: 'reset-before-reply', share: 0.08 },
  { kind: 'half-close', share: 0.05 },
  { kind: 'truncate', share: 0.08, afterBytes: 400 },
  { kind: 'slow-drip', share: 0.03, bytes: 200, everyMs: 1 },
  { kind: 'blackhole', share: 0.005 },
];

describe.each([1, 20_261_120])(
  '10,000 non-idempotent Azure calls through the chaos proxy, seed %i',
  (seed) => {
    it('no function runs twice, and every `executed` is true', async () => {
      const once = defineJob({ id: 1, name: 'once', timeoutMs: 3_000, handler: (n: number) => n + 1 });
      await using it = await bench({ jobs: [once] });
      const { fake } = it;
      await it.deploy(once.id, { timeoutSecs: 30 });
      const { functionKey } = it.site(once.id);
      // Over plain HTTP, so that faults meet requests and replies, and not the handshakes of TLS.
      await using proxy = await chaosProxy({ target: fake.plainUrl, seed, faults: FAULTS });
      const apps = () => ({ url: proxy.url, functionKey });
      await using executor = new AzureFunctionExecutor({ apps, connections: 32 });
      const outcomes: Outcome[] = [];
      function* calls() {
        for (let n = 0; n < CALLS; n += 1) yield once.call(n);
      }
      const summary = await JobRunner.builder()
        .job(once)
        .producer(calls)
        .consumer((outcome) => outcomes.push(outcome))
        .withFaasExecutor(once.id, executor, { concurrency: 32 })
        .concurrency(32)
        .retry({ attempts: 4, minDelayMs: 1 })
        .run();

      expect(outcomes).toHaveLength(CALLS);
      const runs = (outcome: Outcome) => fake.executions.get(outcome.callId) ?? 0;
      expect(outcomes.filter((outcome) => runs(outcome) > 1)).toEqual([]);
      const lies = outcomes.filter((outcome) => {
        if (outcome.status === 'ok')
          return runs(outcome) !== 1 || outcome.value !== (outcome.input as number) + 1;
        if (outcome.error.executed === 'no') return runs(outcome) !== 0;
        if (outcome.error.executed === 'yes') return runs(outcome) !== 1;
        return false;
      });
      expect(lies).toEqual([]);
      // The faults did strike, and most calls came through all the same.
      const struck = Object.entries(proxy.counts).filter(([kind]) => kind !== 'none');
      expect(struck.filter(([, count]) => count === 0).map(([kind]) => kind)).toEqual([]);
      expect(summary.ok).toBeGreaterThan(CALLS / 2);
      console.log(`seed ${seed}: ${summary.ok} ok of ${CALLS}; ${JSON.stringify(proxy.counts)}`);
    });
  },
);
