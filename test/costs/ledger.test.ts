import { describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { ledger, PRICES, type PriceTable } from '../../src/costs/index.js';
import { defineJob, type FaasInvoker, JobRunner, withLayers } from '../../src/index.js';
import { callOf, errorOf, failure, invoker, OK } from '../layers/invokers.js';

const resize = defineJob({ id: 1, name: 'resize', handler: (n: number) => n, config: { memoryMb: 1024 } });
const aws = { provider: 'aws-lambda' };
const answering = (metrics: object) => invoker(() => ({ ...OK, metrics: { totalMs: 500, ...metrics } }), aws);

async function invokeThrough(inner: FaasInvoker, costs = ledger({ jobs: [resize] }), call = callOf()) {
  await withLayers(inner, costs.layer).invoke(call, callContext());
  return costs;
}

describe('the ledger', () => {
  it('prices the milliseconds that the provider says it charges', async () => {
    const costs = await invokeThrough(answering({ billedMs: 200, executionMs: 150 }));
    // 0.2 s × 1 GB × 0.0000166667 + 0.0000002 for the request.
    expect(costs.totalUsd).toBeCloseTo(0.2 * 0.0000166667 + 0.0000002, 12);
    expect(costs.entries()).toMatchObject([
      { jobId: 1, provider: 'aws-lambda', attempts: 1, unpriced: 0, billedMs: 200 },
    ]);
  });

  it('rounds the execution time by the rules of the provider where nothing is said of charges', async () => {
    const gcp = invoker(() => ({ ...OK, metrics: { totalMs: 500, executionMs: 101 } }), {
      provider: 'gcp-functions',
    });
    const costs = await invokeThrough(gcp);
    expect(costs.totalUsd).toBeCloseTo(0.2 * (0.0000025 + 0.583 * 0.000024) + 0.0000004, 12);
    expect(costs.entries()).toMatchObject([{ billedMs: 200 }]);
  });

  it('counts an attempt without evidence as unpriced, and guesses nothing', async () => {
    const costs = await invokeThrough(answering({}));
    expect(costs.entries()).toMatchObject([{ attempts: 1, unpriced: 1, usd: 0 }]);
  });

  it('counts a job it does not know, and a provider without a table, as unpriced', async () => {
    const costs = await invokeThrough(answering({ billedMs: 5 }), ledger({ jobs: [] }));
    expect(costs.entries()).toMatchObject([{ unpriced: 1 }]);
    const own = await invokeThrough(invoker(() => ({ ...OK, metrics: { totalMs: 1, billedMs: 1 } })));
    expect(own.entries()).toMatchObject([{ provider: 'fake', unpriced: 1 }]);
  });

  it('writes a failed attempt down, but none that certainly did not run', async () => {
    const costs = ledger({ jobs: [resize] });
    for (const executed of ['no', 'maybe', 'yes'] as const) {
      await errorOf(
        invokeThrough(
          invoker(() => failure('UNAVAILABLE', executed), aws),
          costs,
        ),
      );
    }
    expect(costs.entries()).toMatchObject([{ attempts: 2, unpriced: 2 }]);
  });

  it('names who answered where several executors stand behind one', async () => {
    const costs = await invokeThrough(answering({ billedMs: 100, provider: 'digitalocean' }));
    expect(costs.entries()).toMatchObject([{ provider: 'digitalocean', unpriced: 0 }]);
  });

  it('expects the dearest attempt so far, and before there is one the longest that a function may run', async () => {
    const costs = ledger({ jobs: [resize] });
    expect(costs.expectedUsd(1, 'aws-lambda')).toBeCloseTo(300 * 0.0000166667 + 0.0000002, 9);
    await invokeThrough(answering({ billedMs: 100 }), costs);
    expect(costs.expectedUsd(1, 'aws-lambda')).toBeCloseTo(0.1 * 0.0000166667 + 0.0000002, 12);
    expect(costs.expectedUsd(1, 'somewhere else')).toBeUndefined();
  });

  it('refuses prices in a currency it does not count in', () => {
    const inr = { ...(PRICES[0] as PriceTable), currency: 'INR' } as const;
    expect(() => ledger({ jobs: [], prices: [inr] })).toThrow(/INR/);
  });

  it('sees every attempt of a runner, the ones that were retried as well', async () => {
    const costs = ledger({ jobs: [resize] });
    const executor = invoker(
      (_call, _context, index) =>
        index === 0
          ? failure('UNAVAILABLE', 'maybe')
          : {
              ...OK,
              result: Buffer.from('7'),
              metrics: { totalMs: 1, billedMs: 10 },
            },
      aws,
    );
    const job = defineJob({
      id: 1,
      name: 'resize',
      handler: (n: number) => n,
      idempotent: true,
      retry: { attempts: 3 },
    });
    const summary = await JobRunner.builder()
      .job(job)
      .withFaasExecutor(1, executor)
      .layers(costs.layer)
      .producer([job.call(7)])
      .build()
      .run();
    expect(summary.ok).toBe(1);
    expect(costs.entries()).toMatchObject([{ attempts: 2, unpriced: 1, billedMs: 10 }]);
  });
});
