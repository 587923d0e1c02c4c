import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner, type RunnerEvents } from '../../src/index.js';

const job = defineJob({ id: 0, name: 'job', handler: (n: number) => n });

/** A run in which everything around its one job fails. */
function broken() {
  function* source() {
    yield job.call(1, { ack: () => Promise.reject(new Error('queue gone')) });
    throw new Error('database gone');
  }
  let deliveries = 0;
  return JobRunner.builder()
    .job(job)
    .producer(source)
    .consumer(() => {
      deliveries += 1;
      if (deliveries === 1) throw new Error('disk full');
    })
    .backgroundService({ name: 'heartbeat', start: () => Promise.reject(new Error('no heart')) })
    .shutdownHandler(function closeDatabase() {
      throw new Error('close failed');
    });
}

describe('what goes wrong beside the jobs', () => {
  it('is counted in the summary, apart from the jobs', async () => {
    expect(await broken().run()).toEqual({
      accepted: 1,
      ok: 1,
      failed: 0,
      timedOut: 0,
      cancelled: 0,
      dead: 0,
      parked: 0,
      producerErrors: 1,
      ackErrors: 1,
      consumerErrors: 1,
      serviceErrors: 1,
      shutdownErrors: 1,
    });
  });

  it('is told to listeners, and then no warning is made', async () => {
    const warnings = await warningsDuring(async () => {
      const runner = broken().build();
      const seen: string[] = [];
      const kinds = ['producerError', 'ackError', 'consumerError', 'serviceError', 'shutdownError'] as const;
      for (const kind of kinds) {
        runner.on(kind, ((event: RunnerEvents[typeof kind][0]) => {
          seen.push(`${kind}: ${(event.error as Error).message}`);
        }) as never);
      }
      await runner.run();
      expect(seen.sort()).toEqual([
        'ackError: queue gone',
        'consumerError: disk full',
        'producerError: database gone',
        'serviceError: no heart',
        'shutdownError: close failed',
      ]);
    });
    expect(warnings).toEqual([]);
  });

  it('is a warning of the process when nobody listens, with the cause, once for each kind', async () => {
    const warnings = await warningsDuring(async () => {
      await broken()
        .shutdownHandler(() => {
          throw new Error('a second one');
        })
        .run();
    });
    expect(warnings.map(({ message }) => message.replace(/ Listen to all.*/, '')).sort()).toEqual([
      'Consumer "consumer-1" failed for an outcome of job "job": Error: disk full.',
      'Producer "producer-1" failed: Error: database gone.',
      'Service "heartbeat" failed: Error: no heart.',
      'Shutdown handler "closeDatabase" failed: Error: close failed.',
      'The ack() of an item failed: Error: queue gone.',
    ]);
    expect(warnings[0]?.message).toMatch(/runner\.on\('\w+', …\)/);
    expect(warnings.every(({ name, detail }) => name === 'JobferryWarning' && detail?.includes('at '))).toBe(
      true,
    );
  });

  it('a lost outcome is one of them', async () => {
    const warnings = await warningsDuring(async () => {
      await JobRunner.builder()
        .job(job)
        .producer([job.call(1), job.call(2)])
        .consumer(
          () => {
            throw new Error('no');
          },
          { attempts: 1 },
        )
        .run();
    });
    expect(warnings.map(({ message }) => message).join('\n')).toMatch(
      /did not take an outcome of job "job": it failed 1 times\. It is lost\./,
    );
    expect(warnings).toHaveLength(2);
  });

  it('an async producer whose next() gives nonsense is one of them', async () => {
    const nonsense = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(5) }) };
    const runner = JobRunner.builder()
      .job(job)
      .producer(nonsense as never)
      .producer([job.call(1)])
      .build();
    const errors: string[] = [];
    runner.on('producerError', ({ error }) => errors.push(String(error)));
    expect(await runner.run()).toMatchObject({ ok: 1, producerErrors: 1 });
    expect(errors).toEqual(['TypeError: its next() gave 5, not { done, value }']);
  });

  it('an item that throws when it is read is a failed outcome', async () => {
    const item = {
      get jobId(): number {
        throw new Error('a getter');
      },
      input: 1,
    };
    expect(
      await JobRunner.builder()
        .job(job)
        .producer([item, job.call(2)])
        .run(),
    ).toMatchObject({ accepted: 2, ok: 1, failed: 1 });
  });
});

async function warningsDuring(act: () => Promise<void>): Promise<(Error & { detail?: string })[]> {
  // Warnings are told a tick later: let those of another test pass.
  await new Promise((resolve) => setImmediate(resolve));
  const warnings: Error[] = [];
  const listener = (warning: Error) => warnings.push(warning);
  process.on('warning', listener);
  await act();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', listener);
  return warnings;
}
