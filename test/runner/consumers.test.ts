import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { delay, gate } from '../support/invoker.js';

const job = defineJob({
  id: 0,
  name: 'job',
  handler: async (n: number) => {
    await delay(1);
    return n;
  },
});
const calls = (count: number) => Array.from({ length: count }, (_, n) => job.call(n));

describe('a consumer that is slow', () => {
  it('loses the one outcome that took too long, and gets all the others', async () => {
    const saved: number[] = [];
    const parked: unknown[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer(calls(500))
      .consumer(
        async ({ input }) => {
          if (input === 0) await delay(120);
          saved.push(input);
        },
        { timeoutMs: 40 },
      )
      .build();
    runner.on('parked', ({ outcome, reason }) => parked.push(`${outcome.input} ${reason}`));
    expect(await runner.run()).toMatchObject({ ok: 500, parked: 1 });
    expect(parked).toEqual(['0 it took over 40 ms']);
    expect(saved).toEqual(expect.arrayContaining(calls(499).map((_, n) => n + 1)));
  });

  it('is stuck after three in a row: what waits is parked at once, until a delivery ends', async () => {
    const { opened, open } = gate();
    const saved: number[] = [];
    const reasons: string[] = [];
    async function* source() {
      for (let n = 0; n < 20; n += 1) yield job.call(n);
      await delay(150);
      yield job.call(20);
      open();
      await delay(10);
      yield job.call(21);
    }
    const runner = JobRunner.builder()
      .job(job)
      .producer(source)
      .concurrency(1)
      .consumer(
        async ({ input }) => {
          if (input < 3) await opened;
          saved.push(input);
        },
        { timeoutMs: 30 },
      )
      .build();
    runner.on('parked', ({ reason }) => reasons.push(reason));
    expect(await runner.run()).toMatchObject({ ok: 22, parked: 21 });
    expect(reasons.filter((reason) => reason === 'it took over 30 ms')).toHaveLength(3);
    expect(reasons.at(-1)).toBe('its last 3 deliveries took over 30 ms each');
    expect(saved).toEqual([0, 1, 2, 21]);
  });

  it('an error of a delivery that was given up is told all the same', async () => {
    const errors: string[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer([job.call(1), job.call(2)])
      .consumer(
        async ({ input }) => {
          await delay(input === 1 ? 40 : 60);
          if (input === 1) throw new Error('too late');
        },
        { timeoutMs: 30 },
      )
      .build();
    runner.on('consumerError', ({ error }) => errors.push((error as Error).message));
    await runner.run();
    expect(errors).toEqual(['too late']);
  });

  it('may take any time where timeoutMs is Infinity', async () => {
    const summary = await JobRunner.builder()
      .job(job)
      .producer(calls(3))
      .consumer(() => delay(20), { timeoutMs: Infinity })
      .run();
    expect(summary).toMatchObject({ ok: 3, parked: 0 });
  });
});

describe('onParked', () => {
  it('gets what its consumer did not take, one by one, before the nack and before run() returns', async () => {
    const order: string[] = [];
    let now = 0;
    const runner = JobRunner.builder()
      .job(job)
      .producer([0, 1, 2].map((n) => job.call(n, { nack: () => void order.push(`nack ${n}`) })))
      .consumer(
        () => {
          throw new Error('down');
        },
        {
          attempts: 1,
          onParked: async (outcome, reason) => {
            now += 1;
            expect(now).toBe(1);
            await delay(5);
            now -= 1;
            order.push(`saved ${outcome.input} since ${reason}`);
          },
        },
      )
      .build();
    expect(await runner.run()).toMatchObject({ ok: 3, parked: 3 });
    expect(order).toEqual([0, 1, 2].flatMap((n) => [`saved ${n} since it failed 1 times`, `nack ${n}`]));
  });

  it('is tried again when it throws, and what it will not take is announced as parked again', async () => {
    const seen: string[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer(calls(1))
      .consumer(
        () => {
          throw new Error('down');
        },
        { name: 'db', attempts: 2, onParked: () => Promise.reject(new Error('dead-letter store is down')) },
      )
      .build();
    runner.on('parked', ({ consumer }) => seen.push(`parked by ${consumer}`));
    runner.on('consumerError', ({ consumer, error }) =>
      seen.push(`${consumer}: ${(error as Error).message}`),
    );
    expect(await runner.run()).toMatchObject({ parked: 1, consumerErrors: 4 });
    expect(seen).toEqual([
      'db: down',
      'db: down',
      'parked by db',
      'db (onParked): dead-letter store is down',
      'db (onParked): dead-letter store is down',
      'parked by db (onParked)',
    ]);
  });
});

describe('acknowledgements', () => {
  it('nack tells how the call ended, so that a queue need not run it twice', async () => {
    const nacks: { reason: string; status: string | undefined; executed: string | undefined }[] = [];
    const item = (input: number) =>
      pay.call(input, {
        nack: (reason, outcome) => {
          nacks.push({
            reason: (reason as Error).message,
            status: outcome?.status,
            executed: outcome?.error?.executed,
          });
        },
      });
    const { opened, open } = gate();
    const pay = defineJob({ id: 1, name: 'pay', concurrency: 1, handler: (_: number) => opened });
    async function* late() {
      await delay(60);
      yield item(3);
    }
    const runner = JobRunner.builder()
      .job(pay)
      .producer([item(1), item(2)])
      .producer(late)
      .build();
    const run = runner.run();
    await delay(10);
    await runner.stop({ graceMs: 20 });
    await run;
    await delay(60);
    open();
    expect(nacks).toEqual([
      { reason: 'the runner stopped', status: 'cancelled', executed: 'no' },
      { reason: 'the runner stopped', status: 'cancelled', executed: 'yes' },
      { reason: 'the runner stopped before it took this item', status: undefined, executed: undefined },
    ]);
  });

  it('nack of an outcome that a consumer did not take has that outcome, ok included', async () => {
    const nacked: (Outcome | undefined)[] = [];
    await JobRunner.builder()
      .job(job)
      .producer([job.call(7, { nack: (_, outcome) => void nacked.push(outcome as Outcome) })])
      .consumer(() => Promise.reject(new Error('no')), { attempts: 1 })
      .run();
    expect(nacked).toMatchObject([{ status: 'ok', value: 7 }]);
  });

  class Message {
    readonly input = 1;
    readonly #receipt = 'receipt-1';
    readonly #seen: string[];
    constructor(seen: string[]) {
      this.#seen = seen;
    }
    ack(): void {
      this.#seen.push(this.#receipt);
    }
  }
  class Numbered extends Message {
    readonly jobId = 0;
  }
  class Named extends Message {
    readonly jobName = 'job';
  }
  class Senseless extends Message {
    readonly jobId = 'x' as unknown as number;
  }

  it.each([
    ['with a number', Numbered],
    ['with a name', Named],
    ['that makes no sense', Senseless],
  ])('a message of a class, %s, is acknowledged as a method', async (_, Kind) => {
    const seen: string[] = [];
    const summary = await JobRunner.builder()
      .job(job)
      .producer([new Kind(seen)])
      .run();
    expect(summary).toMatchObject({ accepted: 1, ackErrors: 0 });
    expect(seen).toEqual(['receipt-1']);
  });
});
