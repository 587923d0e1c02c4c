import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { delay, gate, invoker } from '../support/invoker.js';

/** Far more than a stack of wake-ups, one inside the other, can hold. */
const MANY = 20_000;

describe('a local handler that runs on after its deadline', () => {
  it('keeps the place of its job, while its outcome is out and others end by their own deadline', async () => {
    const { opened, open } = gate();
    let now = 0;
    let most = 0;
    const outcomes: Outcome[] = [];
    const exclusive = defineJob({
      id: 0,
      name: 'exclusive',
      concurrency: 1,
      timeoutMs: 200,
      handler: async (n: number) => {
        now += 1;
        most = Math.max(most, now);
        if (n === 0) await opened;
        now -= 1;
      },
    });
    async function* items() {
      yield exclusive.call(0);
      yield exclusive.call(1, { deadline: Date.now() + 50 });
      while (outcomes.length < 2) await delay(1);
      setTimeout(open, 30);
      yield exclusive.call(2);
    }
    const summary = await JobRunner.builder()
      .job(exclusive)
      .producer(items)
      .consumer((outcome) => outcomes.push(outcome))
      .run();
    expect(summary).toMatchObject({ ok: 1, timedOut: 2 });
    expect(most).toBe(1);
    expect(outcomes.map(({ input, error }) => [input, error?.executed])).toEqual([
      [1, 'no'],
      [0, 'yes'],
      [2, undefined],
    ]);
  });

  it('and never ends, holds up neither the run nor other jobs', async () => {
    const hangs = defineJob({
      id: 0,
      name: 'hangs',
      concurrency: 1,
      timeoutMs: 30,
      handler: () => new Promise(() => {}),
    });
    const other = defineJob({ id: 1, name: 'other', handler: () => 1 });
    const summary = await JobRunner.builder()
      .job(hangs)
      .job(other)
      .producer([hangs.call(), hangs.call(), other.call()])
      .run();
    expect(summary).toMatchObject({ ok: 1, timedOut: 2 });
  });
});

describe('long lines before a limit', () => {
  it('of one producer hold up no other producer, and make their own wait', async () => {
    const { opened, open } = gate();
    const slow = defineJob({ id: 0, name: 'slow', concurrency: 1, handler: () => opened });
    const quick = defineJob({ id: 1, name: 'quick', handler: () => 1 });
    let taken = 0;
    function* manySlow() {
      for (; taken < 1000; taken += 1) yield slow.call();
    }
    function* manyQuick() {
      for (let n = 0; n < 1000; n += 1) yield quick.call();
    }
    let ended = 0;
    const summary = await JobRunner.builder()
      .job(slow)
      .job(quick)
      .producer(manySlow)
      .producer(manyQuick)
      .consumer(({ jobName }) => {
        if (jobName === 'slow') return;
        ended += 1;
        if (ended < 1000) return;
        // One runs, and as many wait as may run at once.
        expect(taken).toBe(10);
        open();
      })
      .concurrency(10)
      .run();
    expect(summary).toMatchObject({ accepted: 2000, ok: 2000, consumerErrors: 0 });
  });

  it('calls that fail the moment they are woken do not stop the ones behind them', async () => {
    const { opened, open } = gate();
    const faas = invoker(() => opened);
    const job = defineJob({ id: 0, name: 'job', concurrency: 1, handler: (n: unknown) => n });
    function* items() {
      yield job.call(1);
      // No JSON for a BigInt: fails before anything is sent.
      for (let n = 0; n < MANY; n += 1) yield job.call(1n);
    }
    const runner = JobRunner.builder()
      .job(job)
      .producer(items)
      .withFaasExecutor(0, faas)
      .concurrency(MANY)
      .build();
    const run = runner.run();
    while (runner.stats().waiting < MANY) await delay(1);
    open();
    expect(await run).toMatchObject({ accepted: MANY + 1, ok: 1, failed: MANY });
  });

  it('two limits on the way let everybody through, in the order they came', async () => {
    const order: number[] = [];
    const faas = invoker((call) => order.push(Number(new TextDecoder().decode(call.args))));
    const job = defineJob({ id: 0, name: 'job', concurrency: 50, handler: (n: number) => n });
    const summary = await JobRunner.builder()
      .job(job)
      .producer(Array.from({ length: MANY }, (_, n) => job.call(n)))
      .withFaasExecutor(0, faas, { concurrency: 50 })
      .concurrency(8000)
      .run();
    expect(summary).toMatchObject({ ok: MANY });
    expect(order).toEqual(Array.from({ length: MANY }, (_, n) => n));
  });

  it('a call that waits for its executor leaves its place for the job when its deadline passes', async () => {
    const { opened, open } = gate();
    const faas = invoker(() => opened);
    const blocks = defineJob({ id: 0, name: 'blocks', handler: () => 1 });
    const job = defineJob({ id: 1, name: 'job', concurrency: 1, handler: () => 1 });
    const outcomes: Outcome[] = [];
    const run = JobRunner.builder()
      .job(blocks)
      .job(job)
      .producer([blocks.call(), job.call(undefined, { deadline: Date.now() + 20 }), job.call()])
      .withFaasExecutor(0, faas, { concurrency: 1 })
      .withFaasExecutor(1, faas)
      .consumer((outcome) => outcomes.push(outcome))
      .run();
    while (outcomes.length === 0) await delay(1);
    expect(outcomes[0]).toMatchObject({ jobId: 1, status: 'timed-out', error: { executed: 'no' } });
    open();
    expect(await run).toMatchObject({ ok: 2, timedOut: 1 });
  });
});
