// Layers at their defaults inside a runner at its defaults: together they must lose nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ledger } from '../../src/costs/index.js';
import { defineJob, type FaasInvoker, type Job, JobRunner, type JobRunnerBuilder } from '../../src/index.js';
import {
  budget,
  circuitBreaker,
  claimCheck,
  concurrency,
  failover,
  withLayers,
} from '../../src/layers/index.js';
import { FolderStore } from '../../src/objects/index.js';
import { delay } from '../support/invoker.js';
import { failure, invoker } from './invokers.js';

const echo = defineJob({ id: 1, name: 'echo', idempotent: true, handler: (n: number) => n });

/** An executor that answers after `latencyMs`, unless `fault` has something to say. */
function provider(latencyMs: number, fault: () => Error | undefined = () => undefined, name = 'aws-lambda') {
  return invoker(
    async (call) => {
      await delay(latencyMs);
      const error = fault();
      if (error !== undefined) throw error;
      return { result: call.args, metadata: call.metadata, metrics: { totalMs: 1, billedMs: 1 } };
    },
    { provider: name, limits: { asOf: '2026-01-01', source: 'test', maxPayloadBytes: 6_000_000 } },
  );
}

/** Runs so many calls and counts how they ended: `ok`, or status, code, `executed` and attempts. */
async function run(
  calls: number,
  executor: FaasInvoker,
  set: (builder: JobRunnerBuilder) => unknown = () => {},
  job: Job<1, 'echo', number, number> = echo,
): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  const builder = JobRunner.builder();
  set(builder);
  await builder
    .job(job)
    .producer(Array.from({ length: calls }, (_, n) => job.call(n)))
    .withFaasExecutor(1, executor)
    .consumer(({ status, error, attempts }) => {
      const end = error === undefined ? status : `${status} ${error.code} ${error.executed} ${attempts}`;
      ends[end] = (ends[end] ?? 0) + 1;
    })
    .run();
  return ends;
}

describe('a limit inside a runner', () => {
  it('the composition of the README brings 20 000 calls through', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jobferry-'));
    const store = new FolderStore(folder);
    const executor = withLayers(
      provider(1),
      budget({ limit: { usd: 5, windowMs: 86_400_000 }, ledger: ledger({ jobs: [echo] }) }),
      claimCheck({ store }),
      concurrency({ adaptive: { min: 1, max: 200, initial: 20 } }),
      circuitBreaker(),
    );
    expect(await run(20_000, executor)).toEqual({ ok: 20_000 });
    await rm(folder, { recursive: true });
  }, 60_000);

  it('more calls than a fixed limit takes wait, and none is refused', async () => {
    expect(await run(3000, provider(1), (builder) => builder.layers(concurrency({ max: 10 })))).toEqual({
      ok: 3000,
    });
  });
});

describe('an open circuit inside a runner', () => {
  const outage = (forMs: number) => {
    const endsMs = performance.now() + forMs;
    return () => (performance.now() < endsMs ? failure('UNAVAILABLE', 'no') : undefined);
  };

  it('is waited for: a short outage loses no call, however many are in line', async () => {
    const executor = provider(1, outage(100));
    const ends = await run(5000, executor, (builder) =>
      builder
        .concurrency(50)
        // The first calls in flight meet the outage itself.
        .retryBudget({ reserve: 100 })
        .layers(circuitBreaker({ halfOpenAfterMs: 150 })),
    );
    expect(ends).toEqual({ ok: 5000 });
    expect(executor.calls.length).toBeLessThan(5200);
  });

  it('ends the wait of a call at its deadline: not run, not attempted, and told why', async () => {
    const executor = provider(0, () => failure('UNAVAILABLE', 'no'));
    const layer = circuitBreaker({ failureThreshold: 1, halfOpenAfterMs: 60_000 });
    const errors: string[] = [];
    await JobRunner.builder()
      .job(echo)
      .concurrency(1)
      .timeoutMs(100)
      .producer([echo.call(1), echo.call(2)])
      .withFaasExecutor(1, executor)
      .layers(layer)
      .consumer(({ status, attempts, error }) =>
        errors.push(`${status} ${error?.executed} ${attempts}/${error?.attempts}: ${error?.message}`),
      )
      .run();
    expect(executor.calls).toHaveLength(1);
    expect(errors[1]).toMatch(/^timed-out no 0\/0: .*The circuit to aws-lambda is open/);
  });

  it('is not waited for by a job that may run here instead, or that says so', async () => {
    const down = () => provider(0, () => failure('UNAVAILABLE', 'no'));
    const open = (builder: JobRunnerBuilder) =>
      builder
        .concurrency(1)
        .retry({ attempts: 1 })
        .layers(circuitBreaker({ failureThreshold: 1, halfOpenAfterMs: 60_000 }));
    const fallingBack = defineJob({ ...plain, localFallback: true });
    expect(await run(5, down(), open, fallingBack)).toEqual({ ok: 5 });
    const impatient = defineJob({ ...plain, retry: { waitWhenRejected: false } });
    expect(await run(5, down(), open, impatient)).toEqual({
      'dead UNAVAILABLE no 1': 1,
      'failed REJECTED no 0': 4,
    });
  });

  it('behind a failover does not hide that another executor was asked', async () => {
    const down = provider(0, () => failure('UNAVAILABLE', 'no'), 'down');
    const open = withLayers(
      provider(0, () => failure('UNAVAILABLE', 'no'), 'open'),
      circuitBreaker({ failureThreshold: 1, halfOpenAfterMs: 60_000 }),
    );
    const ends = await run(1, failover([down, open]), (builder) => builder.retry({ minDelayMs: 1 }));
    expect(ends).toEqual({ 'dead UNAVAILABLE no 3': 1 });
    expect(down.calls).toHaveLength(3);
  });
});

const plain = { id: 1, name: 'echo', idempotent: true, handler: (n: number) => n } as const;

describe('the retry budget inside a runner', () => {
  it('is not spent on the flow control of a provider: a throttle of a moment loses no call', async () => {
    const endsMs = performance.now() + 150;
    const executor = provider(5, () =>
      performance.now() < endsMs ? failure('THROTTLED', 'no', { retryAfterMs: 200 }) : undefined,
    );
    expect(await run(500, executor, (builder) => builder.retry({ attempts: 8 }))).toEqual({ ok: 500 });
  });

  it('counts attempts all the same, so a throttle that stays ends a call', async () => {
    const executor = provider(0, () => failure('THROTTLED', 'no'));
    const ends = await run(50, executor, (builder) => builder.retry({ minDelayMs: 0 }));
    expect(ends).toEqual({ 'dead THROTTLED no 3': 50 });
  });

  it('belongs to one executor: another that is down takes nothing from it', async () => {
    const dark = defineJob({ id: 2, name: 'dark', idempotent: true, handler: (n: number) => n });
    const blipped = new Set<number>();
    const flaky = invoker((call) => {
      const isFirst = !blipped.has(Number(call.callId)) && Number(call.callId) % 50 === 0;
      blipped.add(Number(call.callId));
      return isFirst
        ? failure('UNAVAILABLE', 'no')
        : { result: call.args, metadata: {}, metrics: { totalMs: 1 } };
    });
    const statuses = new Set<string>();
    await JobRunner.builder()
      .job(echo)
      .job(dark)
      .concurrency(10)
      .retry({ minDelayMs: 0 })
      .producer(
        (function* () {
          for (let n = 0; n < 500; n++) yield* [dark.call(n), echo.call(n, { callId: String(n) })];
        })(),
      )
      .withFaasExecutor(1, flaky)
      .withFaasExecutor(
        2,
        provider(0, () => failure('UNAVAILABLE', 'no')),
      )
      .consumer((outcome) => outcome.jobName === 'echo' && statuses.add(outcome.status))
      .run();
    expect([...statuses]).toEqual(['ok']);
  });

  it('keeps a full outage within 1.1 times the calls, and says when it was the reason to give up', async () => {
    const executor = provider(0, () => failure('UNAVAILABLE', 'no'));
    const messages = new Set<string | undefined>();
    await run(2000, executor, (builder) =>
      builder.retry({ minDelayMs: 0 }).consumer((outcome: { error?: Error }) => {
        messages.add(outcome.error?.message);
      }),
    );
    expect(executor.calls.length).toBeGreaterThan(2000);
    expect(executor.calls.length).toBeLessThanOrEqual(2000 * 1.1 + 10);
    expect([...messages].join()).toContain('No further attempt: the retry budget of aws-lambda is empty');
  });

  it('can be set: as large as one likes, and never to nonsense', async () => {
    const executor = provider(0, () => failure('UNAVAILABLE', 'no'));
    const set = (builder: JobRunnerBuilder) =>
      builder.retry({ minDelayMs: 0 }).retryBudget({ reserve: 1000 });
    expect(await run(200, executor, set)).toEqual({ 'dead UNAVAILABLE no 3': 200 });
    expect(() => JobRunner.builder().retryBudget({ ratio: -1 })).toThrow(/ratio of 0 or more/);
    expect(() => JobRunner.builder().retryBudget({ reserve: 0 })).toThrow(/reserve of 1 or more/);
  });
});
