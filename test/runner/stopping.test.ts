import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { delay, gate, hanging } from '../support/invoker.js';

const forever = async function* (make: () => ReturnType<typeof wait.call>) {
  while (true) {
    yield make();
    await delay(1);
  }
};
const wait = defineJob({ id: 0, name: 'wait', handler: (ms: number) => delay(ms) });

describe('stop()', () => {
  it('takes no more, finishes what runs and delivers it, before run() returns', async () => {
    let outcomes = 0;
    const runner = JobRunner.builder()
      .job(wait)
      .producer(forever(() => wait.call(20)))
      .consumer(() => {
        outcomes += 1;
      })
      .build();
    const run = runner.run();
    await delay(30);
    runner.stop();
    const summary = await run;
    expect(summary.accepted).toBeGreaterThan(1);
    expect(summary).toMatchObject({ ok: summary.accepted, cancelled: 0 });
    expect(outcomes).toBe(summary.accepted);
    expect(runner.stats()).toEqual({ running: 0, waiting: 0, undelivered: 0 });
  });

  it('cancels what still runs after the grace period, each with an outcome', async () => {
    const outcomes: Outcome[] = [];
    const runner = JobRunner.builder()
      .job(wait)
      .producer([wait.call(1)])
      .producer(forever(() => wait.call(1)))
      .withFaasExecutor(0, hanging())
      .consumer((outcome) => outcomes.push(outcome))
      .build();
    const run = runner.run();
    await delay(20);
    runner.stop({ graceMs: 10 });
    const summary = await run;
    expect(summary.cancelled).toBe(summary.accepted);
    expect(outcomes).toHaveLength(summary.accepted);
    expect(outcomes[0]).toMatchObject({
      status: 'cancelled',
      error: { code: 'CANCELLED', executed: 'maybe' },
    });
  });

  it('calls that still waited for a place did certainly not run', async () => {
    const outcomes: Outcome[] = [];
    const single = defineJob({ id: 1, name: 'single', concurrency: 1, handler: () => new Promise(() => {}) });
    const runner = JobRunner.builder()
      .job(single)
      .producer([single.call(), single.call()])
      .consumer((outcome) => outcomes.push(outcome))
      .build();
    const run = runner.run();
    await delay(10);
    runner.stop({ graceMs: 0 });
    await run;
    expect(outcomes.map(({ error }) => error?.executed).sort()).toEqual(['no', 'yes']);
  });

  it('an AbortSignal stops the run, also one that was aborted before', async () => {
    const controller = new AbortController();
    const build = () =>
      JobRunner.builder()
        .job(wait)
        .producer(forever(() => wait.call(1)))
        .build();
    const run = build().run({ signal: controller.signal });
    await delay(10);
    controller.abort();
    expect((await run).accepted).toBeGreaterThan(0);
    expect(await build().run({ signal: controller.signal })).toMatchObject({ accepted: 0 });
  });

  it('closes the producers', async () => {
    let closed = false;
    async function* source() {
      try {
        while (true) {
          yield wait.call(1);
          await delay(1);
        }
      } finally {
        closed = true;
      }
    }
    const runner = JobRunner.builder().job(wait).producer(source).build();
    const run = runner.run();
    await delay(10);
    runner.stop();
    await run;
    await delay(5);
    expect(closed).toBe(true);
  });

  it('a producer of endless items that never waits cannot starve stop()', async () => {
    const now = defineJob({ id: 2, name: 'now', handler: () => 1 });
    function* endless() {
      while (true) yield now.call();
    }
    const runner = JobRunner.builder().job(now).producer(endless).build();
    const run = runner.run();
    await delay(20);
    runner.stop();
    expect((await run).ok).toBeGreaterThan(100);
  });

  it('a runner runs once', async () => {
    const runner = JobRunner.builder().job(wait).producer([]).build();
    await runner.run();
    await expect(runner.run()).rejects.toMatchObject({ code: 'CONFIG' });
    runner.stop();
  });
});

describe('items are acknowledged after their outcome reached the consumers', () => {
  it('ack comes after the slowest consumer, and run() waits for it', async () => {
    const order: string[] = [];
    await JobRunner.builder()
      .job(wait)
      .producer([
        wait.call(1, {
          ack: async () => {
            await delay(5);
            order.push('ack');
          },
        }),
      ])
      .consumer(async () => {
        await delay(10);
        order.push('slow consumer');
      })
      .consumer(() => order.push('fast consumer'))
      .run();
    expect(order).toEqual(['fast consumer', 'slow consumer', 'ack']);
  });

  it('nack when a consumer would not take it, when the runner was stopped, and for an item never taken', async () => {
    const reasons: string[] = [];
    const nack = (reason: unknown) => {
      reasons.push((reason as Error).message);
    };
    await JobRunner.builder()
      .job(wait)
      .producer([wait.call(1, { nack })])
      .consumer(
        () => {
          throw new Error('no');
        },
        { attempts: 1 },
      )
      .run();
    const { opened, open } = gate();
    async function* late() {
      await opened;
      yield wait.call(1, { nack });
    }
    const stuck = defineJob({ id: 1, name: 'stuck', handler: () => new Promise(() => {}) });
    const runner = JobRunner.builder()
      .job(wait)
      .job(stuck)
      .producer([stuck.call(undefined, { nack })])
      .producer(late())
      .build();
    const run = runner.run();
    await delay(5);
    runner.stop({ graceMs: 20 });
    open();
    await run;
    expect(reasons).toEqual([
      'a consumer did not take the outcome',
      'the runner stopped before it took this item',
      'the runner stopped',
    ]);
  });

  it('an ack that fails is reported and ends nothing', async () => {
    const errors: unknown[] = [];
    const runner = JobRunner.builder()
      .job(wait)
      .producer([wait.call(1, { ack: () => Promise.reject(new Error('queue gone')) }), wait.call(1)])
      .build();
    runner.on('ackError', ({ error }) => errors.push((error as Error).message));
    expect(await runner.run()).toMatchObject({ ok: 2, ackErrors: 1 });
    expect(errors).toEqual(['queue gone']);
  });
});

describe('signals, in a real process', () => {
  const script = fileURLToPath(new URL('../fixtures/runner-with-signals.mjs', import.meta.url));
  const start = async () => {
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    while (!output.includes('running')) await delay(5);
    return { child, output: () => output };
  };

  it('SIGTERM drains and the process ends by itself with code 0', async () => {
    const { child, output } = await start();
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(output()).toMatch(/draining\nended \{"accepted":1,"ok":1/);
  });

  it('a second SIGTERM cancels at once', async () => {
    const { child, output } = await start();
    child.kill('SIGTERM');
    while (!output().includes('draining')) await delay(5);
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(output()).toMatch(/"cancelled":1/);
  });
});
