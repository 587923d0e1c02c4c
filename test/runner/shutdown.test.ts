/** The end of a run: producers, the grace period, services, shutdown handlers, and stop() from anywhere. */
import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, stopOnSignals } from '../../src/index.js';
import { channel } from '../../src/sources/index.js';
import { delay, gate } from '../support/invoker.js';

const job = defineJob({ id: 0, name: 'job', handler: (n: number) => n });
const nap = defineJob({ id: 1, name: 'nap', handler: (ms: number) => delay(ms) });
const never = () => new Promise<never>(() => {});

async function* forever() {
  while (true) {
    yield job.call(1);
    await delay(1);
  }
}

describe('a stopping runner waits for its producers', () => {
  it('for a pull under way, its nack, and the finally, all before the shutdown handlers', async () => {
    const order: string[] = [];
    async function* queue() {
      try {
        for (let n = 0; ; n += 1) {
          await delay(n === 0 ? 0 : 60);
          yield job.call(n, {
            nack: async () => {
              await delay(5);
              order.push(`nack ${n}`);
            },
          });
        }
      } finally {
        await delay(10);
        order.push('cursor closed');
      }
    }
    const runner = JobRunner.builder()
      .job(job)
      .producer(queue)
      .shutdownHandler(() => void order.push('database closed'))
      .build();
    const run = runner.run();
    await delay(20);
    runner.stop();
    await run;
    expect(order).toEqual(['nack 1', 'cursor closed', 'database closed']);
  });

  it('tells them by a signal, so that one that waits long ends at once', async () => {
    const startMs = performance.now();
    const runner = JobRunner.builder()
      .job(job)
      .producer(async function* ({ signal }) {
        yield job.call(1);
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      })
      .build();
    const run = runner.run();
    await delay(10);
    runner.stop();
    expect(await run).toMatchObject({ ok: 1, producerErrors: 0 });
    expect(performance.now() - startMs).toBeLessThan(1000);
  });

  it('but not longer than the grace period, and then says which one did not end', async () => {
    const errors: string[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer(
        async function* () {
          yield job.call(1);
          await never();
        },
        { name: 'deaf' },
      )
      .build();
    runner.on('producerError', ({ producer, error }) =>
      errors.push(`${producer}: ${(error as Error).message}`),
    );
    const run = runner.run();
    await delay(10);
    runner.stop({ graceMs: 20 });
    expect(await run).toMatchObject({ ok: 1, producerErrors: 1 });
    expect(errors).toEqual([
      'deaf: it did not end within the grace period; end its waits when its signal is aborted',
    ]);
  });

  it('tells an error of theirs that comes while it stops', async () => {
    const runner = JobRunner.builder()
      .job(job)
      .producer(async function* () {
        yield job.call(1);
        await delay(30);
        throw new Error('connection lost');
      })
      .build();
    const errors: unknown[] = [];
    runner.on('producerError', ({ error }) => errors.push((error as Error).message));
    const run = runner.run();
    await delay(10);
    runner.stop();
    await run;
    expect(errors).toEqual(['connection lost']);
  });

  it('a producer may call stop() itself; what it yields after that is handed back, and its finally runs', async () => {
    const seen: string[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer(function* () {
        try {
          yield job.call(1);
          runner.stop();
          yield job.call(2, { nack: () => void seen.push('nack') });
        } finally {
          seen.push('finally');
        }
      })
      .build();
    expect(await runner.run()).toMatchObject({ accepted: 1, ok: 1, producerErrors: 0 });
    expect(seen).toEqual(['nack', 'finally']);
  });
});

describe('stop() from inside, even awaited, ends the run without delay', () => {
  const graceMs = 5000;
  it.each<[string, (stop: () => Promise<void>) => ReturnType<typeof JobRunner.builder>]>([
    [
      'a consumer, after it waited',
      (stop) =>
        JobRunner.builder()
          .job(job)
          .producer([job.call(1), job.call(2)])
          .consumer(async () => {
            await delay(1);
            await stop();
          }) as never,
    ],
    [
      'a job',
      (stop) => {
        const stops = defineJob({ id: 2, name: 'stops', handler: () => stop() });
        return JobRunner.builder().job(stops).producer([stops.call()]) as never;
      },
    ],
    [
      'a shutdown handler',
      (stop) =>
        JobRunner.builder()
          .job(job)
          .producer([job.call(1)])
          .shutdownHandler(stop) as never,
    ],
    [
      'a background service',
      (stop) => JobRunner.builder().job(job).producer(forever).backgroundService(stop) as never,
    ],
    [
      'a producer',
      (stop) =>
        JobRunner.builder()
          .job(job)
          .producer(async function* () {
            yield job.call(1);
            await stop();
          }) as never,
    ],
  ])('%s', async (_, build) => {
    const startMs = performance.now();
    const runner: JobRunner = build(async () => await runner.stop())
      .graceMs(graceMs)
      .build();
    const summary = await runner.run();
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(summary).toMatchObject({ ok: summary.accepted, parked: 0, serviceErrors: 0 });
  });
});

describe('one grace period for everything', () => {
  it('a late stop() leaves no timer behind', async () => {
    const runner = JobRunner.builder()
      .job(job)
      .producer([job.call(1)])
      .shutdownHandler(() => delay(30))
      .build();
    const run = runner.run();
    await delay(10);
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const during = timers();
    runner.stop();
    await run;
    // The shutdown handler's own timer is gone, and no other one was there.
    expect(timers()).toBeLessThan(during);
    runner.stop();
    expect(timers()).toBeLessThan(during);
  });

  it('a second stop() shortens what services have, too', async () => {
    const startMs = performance.now();
    const runner = JobRunner.builder()
      .job(job)
      .producer(forever)
      .backgroundService({ name: 'deaf', start: never })
      .graceMs(60_000)
      .build();
    const errors: string[] = [];
    runner.on('serviceError', ({ service, error }) => errors.push(`${service}: ${(error as Error).message}`));
    const run = runner.run();
    await delay(10);
    runner.stop();
    await delay(10);
    runner.stop({ graceMs: 0 });
    expect(await run).toMatchObject({ serviceErrors: 1 });
    expect(performance.now() - startMs).toBeLessThan(3000);
    expect(errors).toEqual(['deaf: it did not end within the grace period; end when its signal is aborted']);
  });

  it('what the drain used of it, services do not have again', async () => {
    const startMs = performance.now();
    const runner = JobRunner.builder()
      .job(nap)
      .producer([nap.call(1200)])
      .producer(() => ({ [Symbol.asyncIterator]: () => ({ next: () => delay(1).then(never) }) }))
      .backgroundService(never)
      .build();
    runner.on('serviceError', () => {});
    const run = runner.run();
    await delay(10);
    runner.stop({ graceMs: 1500 });
    await run;
    // 1500 for the drain, the last second for the service.
    expect(performance.now() - startMs).toBeLessThan(2900);
  });

  it('a later stop() cannot lengthen it', async () => {
    const runner = JobRunner.builder()
      .job(nap)
      .producer([nap.call(5000)])
      .build();
    const run = runner.run();
    await delay(10);
    runner.stop({ graceMs: 20 });
    runner.stop({ graceMs: 60_000 });
    expect(await run).toMatchObject({ cancelled: 1 });
  });

  it('Infinity is no end, not one millisecond', async () => {
    const runner = JobRunner.builder()
      .job(nap)
      .producer([nap.call(50)])
      .graceMs(Infinity)
      .build();
    const run = runner.run();
    await delay(10);
    runner.stop();
    expect(await run).toMatchObject({ ok: 1, cancelled: 0 });
  });

  it('a service that ends its wait by the signal has no fault', async () => {
    const { setTimeout: wait } = await import('node:timers/promises');
    const runner = JobRunner.builder()
      .job(job)
      .producer([job.call(1)])
      .backgroundService(async ({ signal }) => {
        await wait(60_000, undefined, { signal });
      })
      .build();
    expect(await runner.run()).toMatchObject({ serviceErrors: 0 });
  });
});

it('the reason of the signal that stopped the runner is in the story of what it cancelled', async () => {
  const quit = new AbortController();
  const errors: unknown[] = [];
  const run = JobRunner.builder()
    .job(nap)
    .producer([nap.call(60_000)])
    .consumer(({ error }) => void errors.push(error))
    .graceMs(1)
    .run({ signal: quit.signal });
  await delay(10);
  const reason = new Error('the operator said so');
  quit.abort(reason);
  await run;
  let story = errors[0];
  while (story !== undefined && story !== reason) story = (story as Error).cause;
  expect(story).toBe(reason);
});

it('a push into a channel that nobody read yet ends with the run', async () => {
  for (const stopFirst of [true, false]) {
    const inbox = channel<ReturnType<typeof job.call>>();
    const runner = JobRunner.builder().job(job).producer(inbox).build();
    const pushed = inbox.push(job.call(1));
    if (stopFirst) runner.stop();
    await runner.run({ signal: AbortSignal.abort() });
    await expect(pushed).rejects.toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
  }
});

describe('stop() before run()', () => {
  it('makes it return at once: nothing is taken, no service starts, shutdown handlers run', async () => {
    const seen: string[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer(function* () {
        seen.push('taken');
        yield job.call(1);
      })
      .backgroundService(() => void seen.push('service'))
      .shutdownHandler(() => void seen.push('shutdown'))
      .build();
    runner.on('stopped', () => seen.push('stopped'));
    runner.stop();
    runner.stop({ graceMs: 0 });
    expect(await runner.run()).toMatchObject({ accepted: 0 });
    expect(seen).toEqual(['shutdown', 'stopped']);
    await expect(runner.run()).rejects.toMatchObject({ code: 'CONFIG' });
  });

  it('a signal that came before run() is not forgotten', async () => {
    const runner = JobRunner.builder()
      .job(job)
      .producer([job.call(1)])
      .build();
    stopOnSignals(runner, { signals: ['SIGUSR2'] });
    process.emit('SIGUSR2', 'SIGUSR2');
    // A second one has its usual effect: it ends a process that hangs while it starts.
    expect(process.listenerCount('SIGUSR2')).toBe(0);
    expect(runner.phase).toBe('draining');
    expect(await runner.run()).toMatchObject({ accepted: 0 });
    expect(runner.phase).toBe('over');
  });

  it('await using waits for the end, and for nothing when the runner never ran', async () => {
    const { opened, open } = gate();
    const waits = defineJob({ id: 3, name: 'waits', handler: () => opened });
    let ended = false;
    {
      await using runner = JobRunner.builder().job(waits).producer([waits.call()]).build();
      void runner.run().then(() => {
        ended = true;
      });
      setTimeout(open, 20);
    }
    expect(ended).toBe(true);
    {
      await using _ = JobRunner.builder().job(job).producer([]).build();
    }
  });
});

it('a listener that rejects is a warning and ends nothing', async () => {
  const runner = JobRunner.builder()
    .job(job)
    .producer([job.call(1)])
    .consumer(() => Promise.reject(new Error('no')), { attempts: 1 })
    .build();
  runner.on('consumerError', () => {});
  runner.on('parked', async () => {
    throw new Error('dead-letter store is down');
  });
  const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
  expect(await runner.run()).toMatchObject({ parked: 1 });
  expect((await warning).message).toBe(
    'A listener of the runner event "parked" rejected: Error: dead-letter store is down',
  );
});
