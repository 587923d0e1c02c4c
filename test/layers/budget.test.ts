import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CostMeter } from '../../src/core/cost-meter.js';
import { callContext } from '../../src/core/scope.js';
import { defineJob, type FaasError, JobRunner, withLayers } from '../../src/index.js';
import { type Budget, budget, type ParkEvent } from '../../src/layers/index.js';
import { callOf, errorOf, type FakeInvoker, failure, invoker, OK } from './invokers.js';

/** Every call is expected to cost `expectedUsd`, and costs what its requestId says. */
function meter(expectedUsd: number | undefined = 1): CostMeter {
  return {
    expectedUsd: () => expectedUsd,
    record: ({ executed, metrics }) =>
      executed === 'no' ? 0 : metrics?.requestId === undefined ? undefined : Number(metrics.requestId),
  };
}

const costing = (usd: number | string) => ({ ...OK, metrics: { totalMs: 1, requestId: String(usd) } });
const ticks = async (count = 20) => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

const figures = ({ limitUsd, spentUsd, reservedUsd, parked }: Budget) => ({
  limitUsd,
  spentUsd,
  reservedUsd,
  parked,
});

/** An executor whose calls end when the test says so. */
function manual(): { executor: FakeInvoker; end: (usd: number) => Promise<void>; inFlight: () => number } {
  const open: ((usd: number) => void)[] = [];
  const executor = invoker(() => new Promise((resolve) => open.push((usd) => resolve(costing(usd)))));
  return {
    executor,
    inFlight: () => open.length,
    end: async (usd) => {
      open.shift()?.(usd);
      await ticks();
    },
  };
}

describe('budget', () => {
  it('sends while there is money and parks the rest', async () => {
    const { executor, end, inFlight } = manual();
    const events: ParkEvent[] = [];
    const layer = budget({ limit: { usd: 2 }, ledger: meter(), onPark: (event) => events.push(event) });
    const limited = withLayers(executor, layer);
    const answers = [1, 2, 3].map((id) => limited.invoke(callOf({ callId: `call-${id}` }), callContext()));
    await ticks();
    expect(inFlight()).toBe(2);
    expect(figures(layer)).toEqual({ reservedUsd: 2, spentUsd: 0, parked: 1, limitUsd: 2 });
    expect(events).toMatchObject([{ callId: 'call-3', parked: 1, limitUsd: 2 }]);
    await end(1);
    expect(layer.parked).toBe(1);
    await end(0.5);
    // 1.5 spent, nothing in flight: one call may always go while something is left.
    expect(layer.parked).toBe(0);
    await end(0.25);
    await Promise.all(answers);
    expect(figures(layer)).toMatchObject({ spentUsd: 1.75, reservedUsd: 0 });
  });

  it('goes on when the limit is raised, in the order of arrival', async () => {
    const executor = invoker(() => costing(1));
    const layer = budget({ limit: { usd: 0 }, ledger: meter() });
    const limited = withLayers(executor, layer);
    const answers = ['a', 'b', 'c'].map((callId) => limited.invoke(callOf({ callId }), callContext()));
    await ticks();
    expect(executor.calls).toHaveLength(0);
    layer.raise(2);
    await ticks();
    expect(executor.calls.map(({ call }) => call.callId)).toEqual(['a', 'b']);
    layer.raise(1);
    await Promise.all(answers);
    expect(layer.spentUsd).toBe(3);
  });

  it('goes on when the window is over', async () => {
    const executor = invoker(() => costing(1));
    const layer = budget({ limit: { usd: 1, windowMs: 60 }, ledger: meter() });
    const limited = withLayers(executor, layer);
    await limited.invoke(callOf(), callContext());
    expect(layer.spentUsd).toBe(1);
    await limited.invoke(callOf(), callContext());
    expect(executor.calls).toHaveLength(2);
  });

  it('a parked call ends with its deadline, was not executed, and says that it was parked', async () => {
    const executor = invoker(() => OK);
    const layer = budget({ limit: { usd: 0 }, ledger: meter() });
    const error = await errorOf(withLayers(executor, layer).invoke(callOf(), callContext({ timeoutMs: 20 })));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no', provider: 'fake' });
    expect(error.message).toMatch(/parked by the budget/);
    expect(executor.calls).toHaveLength(0);
    expect(layer.parked).toBe(0);
  });

  it('a listener that throws neither ends a parked call nor keeps its money', async () => {
    const warned = once(process, 'warning');
    const onPark = () => {
      throw new Error('metrics are down');
    };
    const layer = budget({ limit: { usd: 0 }, ledger: meter(), onPark });
    const parked = withLayers(
      invoker(() => costing(1)),
      layer,
    ).invoke(callOf(), callContext());
    expect(String(await warned)).toContain('metrics are down');
    expect(layer.parked).toBe(1);
    layer.raise(1);
    await parked;
    expect(figures(layer)).toEqual({ limitUsd: 1, spentUsd: 1, reservedUsd: 0, parked: 0 });
  });

  it('a cancelled one lets the next in when that is cheaper', async () => {
    let usd = 5;
    const cheaper: CostMeter = { expectedUsd: () => usd, record: () => usd };
    const { executor, inFlight } = manual();
    const layer = budget({ limit: { usd: 6 }, ledger: cheaper });
    const limited = withLayers(executor, layer);
    void limited.invoke(callOf(), callContext());
    const stop = new AbortController();
    const dear = errorOf(limited.invoke(callOf(), callContext({ signal: stop.signal })));
    usd = 1;
    void limited.invoke(callOf(), callContext());
    await ticks();
    expect([inFlight(), layer.parked]).toEqual([1, 2]);
    stop.abort();
    expect(await dear).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    await ticks();
    expect([inFlight(), layer.parked]).toEqual([2, 0]);
  });

  it('takes an attempt of unknown cost at what was set aside, and one that did not run at nothing', async () => {
    const layer = budget({ limit: { usd: 10 }, ledger: meter(3) });
    await errorOf(
      withLayers(
        invoker(() => failure('UNAVAILABLE', 'no')),
        layer,
      ).invoke(callOf(), callContext()),
    );
    expect(layer.spentUsd).toBe(0);
    await errorOf(
      withLayers(
        invoker(() => failure('UNAVAILABLE', 'maybe')),
        layer,
      ).invoke(callOf(), callContext()),
    );
    expect(layer.spentUsd).toBe(3);
    await withLayers(
      invoker(() => OK),
      layer,
    ).invoke(callOf(), callContext());
    expect(layer.spentUsd).toBe(6);
  });

  it('refuses a call nobody knows the price of, instead of sending it past the limit', async () => {
    const executor = invoker(() => OK);
    const none: CostMeter = { expectedUsd: () => undefined, record: () => undefined };
    const limited = withLayers(executor, budget({ limit: { usd: 1 }, ledger: none }));
    expect(await errorOf(limited.invoke(callOf(), callContext()))).toMatchObject({
      code: 'CONFIG',
      executed: 'no',
    });
    expect(executor.calls).toHaveLength(0);
  });

  it.each([{ usd: -1 }, { usd: Number.NaN }, { usd: 1, windowMs: 0 }])(
    'refuses the limit %o at once',
    (limit) => {
      expect(() => budget({ limit, ledger: meter() })).toThrow(/budget/);
    },
  );

  it('never exceeds the limit by more than calls in flight cost beyond what was set aside for them', async () => {
    const plan = fc.array(fc.record({ usd: fc.integer({ min: 0, max: 9 }), endsAfter: fc.nat(3) }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(
        plan,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 9 }),
        async (calls, usd, expected) => {
          const { executor, end, inFlight } = manual();
          const layer = budget({ limit: { usd }, ledger: meter(expected) });
          const limited = withLayers(executor, layer);
          const costs = calls.map((call) => call.usd);
          let windowCost = 0;
          const step = async () => {
            await end(costs.shift() ?? 0);
          };
          for (const { endsAfter } of calls) {
            const sentBefore = executor.calls.length;
            const spentBefore = layer.spentUsd;
            void limited.invoke(callOf(), callContext());
            await ticks();
            // Nothing is sent once the limit is reached.
            if (spentBefore >= usd) expect(executor.calls.length).toBe(sentBefore);
            windowCost = Math.max(windowCost, inFlight() * 9);
            for (let i = 0; i < endsAfter; i++) await step();
            expect(layer.spentUsd).toBeLessThan(usd + Math.max(windowCost, 1));
          }
          while (inFlight() > 0) await step();
          expect(layer.spentUsd).toBeLessThan(usd + Math.max(windowCost, 1));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('never exceeds the limit at all when nothing costs more than expected and the limit holds one call', async () => {
    const costs = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(costs, fc.integer({ min: 4, max: 30 }), async (planned, usd) => {
        const { executor, end, inFlight } = manual();
        const layer = budget({ limit: { usd }, ledger: meter(4) });
        const limited = withLayers(executor, layer);
        for (const _ of planned) void limited.invoke(callOf(), callContext());
        await ticks();
        for (const cost of planned) {
          const wasLast = layer.spentUsd > usd - 4;
          await end(cost);
          // The one call that goes while something is left may take the rest of it, and 3 more.
          expect(layer.spentUsd).toBeLessThanOrEqual(wasLast ? usd + 3 : usd);
        }
        expect(inFlight()).toBeLessThanOrEqual(planned.length);
      }),
      { numRuns: 100 },
    );
  });
});

describe('budget in a runner', () => {
  it('a job parked at stop() is given back to its producer, not executed', async () => {
    const executor = invoker(() => OK);
    const nacked: unknown[] = [];
    const outcomes: { status: string; error?: FaasError | undefined }[] = [];
    const job = defineJob({ id: 1, name: 'costly', handler: () => {} });
    const runner = JobRunner.builder()
      .job(job)
      .withFaasExecutor(1, executor)
      .layers(budget({ limit: { usd: 0 }, ledger: meter(), onPark: () => void runner.stop({ graceMs: 10 }) }))
      .producer([job.call(undefined, { nack: (reason) => void nacked.push(reason) })])
      .consumer((outcome) => void outcomes.push(outcome))
      .build();
    const summary = await runner.run();
    expect(summary).toMatchObject({ accepted: 1, cancelled: 1 });
    expect(outcomes).toMatchObject([{ status: 'cancelled', error: { code: 'CANCELLED', executed: 'no' } }]);
    expect(executor.calls).toHaveLength(0);
    expect(nacked).toHaveLength(1);
  });
});

it('a job of a runner that was parked until its deadline says what it waited for', async () => {
  const job = defineJob({ id: 1, name: 'paid', timeoutMs: 150 });
  const { executor } = manual();
  const messages: string[] = [];
  const summary = await JobRunner.builder()
    .job(job)
    .withFaasExecutor(1, withLayers(executor, budget({ limit: { usd: 0 }, ledger: meter() })))
    .producer([job.call(undefined)])
    .consumer(({ error }) => {
      messages.push(`${error?.executed}: ${error?.message}`);
    })
    .run();
  expect(summary.timedOut).toBe(1);
  expect(messages.join()).toMatch(/^no: .*parked by the budget/);
});
