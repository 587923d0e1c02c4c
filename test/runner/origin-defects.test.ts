/** Faults of the runner this one replaces: each is shown to be absent. */
import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { delay, failure, gate, invoker } from '../support/invoker.js';

const square = defineJob({ id: 0, name: 'square', handler: async (n: number) => n * n });
const calls = (count: number) => Array.from({ length: count }, (_, n) => square.call(n));

describe('origin-defects 0.17: nothing but stop() or the end of the producers ends the runner', () => {
  it('a failed FaaS call gives one failed outcome, and the next job runs', async () => {
    const outcomes: Outcome[] = [];
    let first = true;
    const faas = invoker(() => {
      if (!first) return 1;
      first = false;
      throw failure('FUNCTION_ERROR', 'yes');
    });
    const summary = await JobRunner.builder()
      .job(square)
      .producer(calls(3))
      .consumer((outcome) => outcomes.push(outcome))
      .withFaasExecutor(0, faas)
      .run();
    expect(summary).toMatchObject({ accepted: 3, ok: 2, failed: 1 });
    expect(outcomes).toHaveLength(3);
  });

  it('a producer that throws is reported and closed; the others go on', async () => {
    const errors: string[] = [];
    function* broken() {
      yield square.call(1);
      throw new Error('source lost');
    }
    const runner = JobRunner.builder()
      .job(square)
      .producer(broken, { name: 'broken' })
      .producer(calls(5))
      .build();
    runner.on('producerError', ({ producer, error }) =>
      errors.push(`${producer}: ${(error as Error).message}`),
    );
    expect(await runner.run()).toMatchObject({ accepted: 6, ok: 6 });
    expect(errors).toEqual(['broken: source lost']);
  });

  it('a producer that asks for it is started again, with growing waits', async () => {
    let starts = 0;
    const waits: (number | undefined)[] = [];
    async function* flaky() {
      starts += 1;
      yield square.call(starts);
      if (starts < 3) throw new Error('again');
    }
    const runner = JobRunner.builder()
      .job(square)
      .producer(flaky, { restart: { attempts: 5, minDelayMs: 1 } })
      .build();
    runner.on('producerError', ({ restartInMs }) => waits.push(restartInMs));
    expect(await runner.run()).toMatchObject({ accepted: 3 });
    expect(waits).toEqual([1, 2]);
  });

  it('a consumer that throws is tried again, then its outcome is parked; the other consumer has them all', async () => {
    const parked: string[] = [];
    const good: number[] = [];
    let tries = 0;
    const runner = JobRunner.builder()
      .job(square)
      .producer(calls(3))
      .consumer(
        ({ input }) => {
          if (input !== 1) return;
          tries += 1;
          throw new Error('full');
        },
        { name: 'bad', attempts: 2 },
      )
      .consumer(({ input }) => good.push(input))
      .build();
    runner.on('parked', ({ consumer, outcome }) => parked.push(`${consumer} ${outcome.input}`));
    expect(await runner.run()).toMatchObject({ ok: 3, parked: 1 });
    expect(tries).toBe(2);
    expect(parked).toEqual(['bad 1']);
    expect(good.sort()).toEqual([0, 1, 2]);
  });

  it('a finite producer drains: outcomes of running jobs are delivered before run() resolves', async () => {
    const slow = defineJob({ id: 1, name: 'slow', handler: () => delay(30) });
    let outcomes = 0;
    await JobRunner.builder()
      .job(slow)
      .producer([slow.call(), slow.call()])
      .consumer(async () => {
        await delay(5);
        outcomes += 1;
      })
      .run();
    expect(outcomes).toBe(2);
  });
});

describe('origin-defects 0.16 and 0.18: results keep what they are and where they came from', () => {
  it('metadata of the call comes back on a FaaS result, with what the function added', async () => {
    const outcomes: Outcome[] = [];
    const faas = invoker(() => 1, {
      invoke: async (call) => ({
        result: new TextEncoder().encode('1'),
        metadata: { ...call.metadata, shard: '7' },
        metrics: { totalMs: 1, executionMs: 5, coldStart: true },
      }),
    });
    await JobRunner.builder()
      .job(square)
      .producer([square.call(1, { metadata: { 'x-call': '9' } })])
      .consumer((outcome) => outcomes.push(outcome))
      .withFaasExecutor(0, faas)
      .run();
    expect(outcomes[0]?.metadata).toEqual({ 'x-call': '9', shard: '7' });
    expect(outcomes[0]?.metrics).toMatchObject({ executionMs: 5, coldStart: true });
  });

  it('an error never becomes an empty success', async () => {
    const outcomes: Outcome[] = [];
    await JobRunner.builder()
      .job(square)
      .producer(calls(1))
      .consumer((outcome) => outcomes.push(outcome))
      .withFaasExecutor(
        0,
        invoker(() => {
          throw failure('FUNCTION_ERROR', 'yes');
        }),
      )
      .run();
    expect(outcomes[0]).toMatchObject({ status: 'failed', value: undefined });
  });
});

describe('origin-defects 0.19: ids are matched exactly, never truncated', () => {
  it.each([2 ** 32, 2 ** 32 + 1, -1, 1.5, Number.NaN, '0'])('%s is refused as the id of a job', (id) => {
    expect(() => defineJob({ id: id as number, name: 'x', handler: () => 1 })).toThrow(
      /not valid: use an integer/,
    );
  });

  it.each([255, 256, 300, 2 ** 32 - 1])('%i reaches the executor unchanged', async (id) => {
    const job = defineJob({ id, name: 'x', handler: () => 1 });
    const faas = invoker(() => 1);
    await JobRunner.builder().job(job).producer([job.call()]).withFaasExecutor(id, faas).run();
    expect(faas.calls.map((call) => call.jobId)).toEqual([id]);
  });

  it('an item for 2^32 is refused and delegated to nobody', async () => {
    const faas = invoker(() => 1);
    const summary = await JobRunner.builder()
      .job(square)
      .producer([{ jobId: 2 ** 32, input: 1 }])
      .withFaasExecutor(0, faas)
      .run();
    expect(summary).toMatchObject({ failed: 1 });
    expect(faas.calls).toEqual([]);
  });
});

describe('origin-defects 0.20 and 2.1: consumers, limits, stopping', () => {
  it('one slow consumer does not delay the other', async () => {
    const { opened, open } = gate();
    let fast = 0;
    const run = JobRunner.builder()
      .job(square)
      .producer(calls(2000))
      .consumer(() => opened, { name: 'slow' })
      .consumer(() => {
        fast += 1;
      })
      .run();
    while (fast < 2000) await delay(1);
    open();
    expect(await run).toMatchObject({ ok: 2000, parked: 0 });
  });

  it('a consumer that hangs is given up after its time limit; its outcomes are parked, not lost in silence', async () => {
    const parked: unknown[] = [];
    const runner = JobRunner.builder()
      .job(square)
      .producer(calls(50))
      .consumer(() => new Promise(() => {}), { name: 'hangs', timeoutMs: 50 })
      .build();
    runner.on('parked', ({ outcome }) => parked.push(outcome.input));
    expect(await runner.run()).toMatchObject({ ok: 50, parked: 50 });
    expect(parked).toHaveLength(50);
  });

  it('a full buffer holds the intake back instead of growing', async () => {
    const { opened, open } = gate();
    let pulled = 0;
    function* source() {
      for (const call of calls(1000)) {
        pulled += 1;
        yield call;
      }
    }
    const run = JobRunner.builder()
      .job(square)
      .producer(source)
      .concurrency(10)
      .consumer(() => opened, { bufferSize: 20 })
      .run();
    await delay(50);
    expect(pulled).toBeLessThanOrEqual(32);
    open();
    expect(await run).toMatchObject({ ok: 1000 });
  });

  it('the shutdown handler is awaited, after the last outcome', async () => {
    const order: string[] = [];
    await JobRunner.builder()
      .job(square)
      .producer(calls(1))
      .consumer(async () => {
        await delay(5);
        order.push('outcome');
      })
      .shutdownHandler(async () => {
        await delay(5);
        order.push('handler');
      })
      .run();
    expect(order).toEqual(['outcome', 'handler']);
  });

  it('a background service that fails is reported, and the runner goes on', async () => {
    const errors: string[] = [];
    const runner = JobRunner.builder()
      .job(square)
      .producer(calls(3))
      .backgroundService({ name: 'heart', start: () => Promise.reject(new Error('stopped beating')) })
      .build();
    runner.on('serviceError', ({ service, error }) => errors.push(`${service}: ${(error as Error).message}`));
    expect(await runner.run()).toMatchObject({ ok: 3 });
    expect(errors).toEqual(['heart: stopped beating']);
  });

  it('a background service that ends early is told of, and one that runs is stopped by its signal', async () => {
    const ended: string[] = [];
    let stopped = false;
    const runner = JobRunner.builder()
      .job(square)
      .producer(calls(1))
      .backgroundService(function short() {})
      .backgroundService(async function long({ signal }) {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        stopped = true;
      })
      .build();
    runner.on('serviceEnded', ({ service }) => ended.push(service));
    await runner.run();
    expect(ended).toEqual(['short']);
    expect(stopped).toBe(true);
  });
});

describe('origin-defects 2.2: worth keeping', () => {
  it('`always` handlers run beside each job, local or FaaS, and see its input and metadata', async () => {
    const seen: unknown[] = [];
    const outcomes: Outcome[] = [];
    const summary = await JobRunner.builder()
      .job(square)
      .producer([square.call(3, { metadata: { a: '1' } })])
      .withFaasExecutor(
        0,
        invoker(() => 9),
      )
      .always((input, context) => {
        seen.push([input, context.jobId, context.metadata]);
      })
      .always(function audit() {
        return 'noted';
      })
      .consumer((outcome) => outcomes.push(outcome))
      .run();
    expect(seen).toEqual([[3, 0, { a: '1' }]]);
    expect(outcomes.map(({ route, jobName, value }) => [route, jobName, value]).sort()).toEqual([
      ['always', 'audit', 'noted'],
      ['job', 'square', 9],
    ]);
    expect(summary).toMatchObject({ accepted: 1, ok: 1 });
  });

  it('`fallback` runs for ids without a job, unless there is an `always` handler', async () => {
    const routes = async (withAlways: boolean) => {
      const outcomes: Outcome[] = [];
      const builder = JobRunner.builder()
        .job(square)
        .producer([{ jobId: 77, input: 'x' }])
        .fallback((input, { jobId }) => `${jobId} ${input}`)
        .consumer((outcome) => outcomes.push(outcome as Outcome));
      if (withAlways) builder.always(() => 'always');
      await builder.run();
      return outcomes.map(({ route, value, jobId }) => [route, value, jobId]);
    };
    expect(await routes(false)).toEqual([['fallback', '77 x', 77]]);
    expect(await routes(true)).toEqual([['always', 'always', 77]]);
  });

  it('producers take turns', async () => {
    const order: number[] = [];
    const a = Array.from({ length: 50 }, () => square.call(1));
    const b = Array.from({ length: 50 }, () => square.call(2));
    await JobRunner.builder()
      .job(square)
      .producer(a)
      .producer(b)
      .concurrency(1)
      .consumer(({ input }) => order.push(input))
      .run();
    expect(order.slice(0, 10).filter((input) => input === 1)).toHaveLength(5);
  });

  it('one executor serves many jobs', async () => {
    const cube = defineJob({ id: 1, name: 'cube', handler: (n: number) => n ** 3 });
    const faas = invoker((call) => call.jobId);
    const values: number[] = [];
    await JobRunner.builder()
      .job(square)
      .job(cube)
      .producer([square.call(1), cube.call(1)])
      .withFaasExecutor(0, faas)
      .withFaasExecutor(1, faas)
      .consumer((outcome) => values.push(outcome.value as number))
      .run();
    expect(values.sort()).toEqual([0, 1]);
  });
});
