/** What users' code may do in the middle of the runner's own steps. */
import { expect, it } from 'vitest';
import type { FaasInvoker } from '../../src/index.js';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { delay, gate, invoker } from '../support/invoker.js';

const job = defineJob({ id: 0, name: 'job', handler: (n: number) => n });

it('a listener of `outcome` that stops the runner does not cut off that outcome', async () => {
  const order: string[] = [];
  const runner = JobRunner.builder()
    .job(job)
    .producer([job.call(1, { ack: () => void order.push('ack') })])
    .consumer(async () => {
      await delay(20);
      order.push('consumed');
    })
    .build();
  runner.on('outcome', () => runner.stop());
  await runner.run();
  expect(order).toEqual(['consumed', 'ack']);
});

it('a consumer that stops the runner does not cut off what `always` runs beside the job', async () => {
  const order: string[] = [];
  const runner = JobRunner.builder()
    .job(job)
    .always(async () => {
      await delay(20);
      order.push('always');
    })
    // No JSON for a BigInt: fails in the same step in which it was taken.
    .producer([job.call(1n as unknown as number)])
    .withFaasExecutor(
      0,
      invoker(() => 1),
    )
    .consumer(({ route }) => {
      if (route === 'job') runner.stop();
    })
    .build();
  await runner.run();
  expect(order).toEqual(['always']);
});

it.each(['local', 'executor'])(
  '%s: after a schema that outlasts the call, the job does not begin',
  async (where) => {
    const { opened, open } = gate();
    let runs = 0;
    const checked = defineJob({
      id: 1,
      name: 'checked',
      timeoutMs: 20,
      input: {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: (value: unknown) => opened.then(() => ({ value: value as number })),
        },
      },
      handler: () => {
        runs += 1;
      },
    });
    const outcomes: Outcome[] = [];
    const builder = JobRunner.builder()
      .job(checked)
      .producer([checked.call(1)])
      .consumer((outcome) => void outcomes.push(outcome));
    const faas = invoker(() => {
      runs += 1;
    });
    await (where === 'local' ? builder : builder.withFaasExecutor(1, faas)).run();
    open();
    await delay(20);
    expect(outcomes).toMatchObject([{ status: 'timed-out', attempts: 0, error: { executed: 'no' } }]);
    expect(runs).toBe(0);
  },
);

it('an executor that returns no promise fails its call, and nothing else', async () => {
  const bad = { provider: 'bad', limits: {}, invoke: () => undefined } as unknown as FaasInvoker;
  const once = defineJob({ id: 0, name: 'once', retry: false, handler: (n: number) => n });
  const items = [once.call(1), once.call(2)];
  const summary = await JobRunner.builder().job(once).producer(items).withFaasExecutor(0, bad).run();
  expect(summary).toMatchObject({ accepted: 2, failed: 2 });
});

it('a producer that cannot even be opened does not disturb a stop', async () => {
  const locked = {
    [Symbol.asyncIterator]: (): AsyncIterator<never> => {
      throw new TypeError('the stream is locked');
    },
  };
  const runner = JobRunner.builder().job(job).producer(locked).build();
  runner.stop();
  expect(await runner.run()).toMatchObject({ accepted: 0, producerErrors: 1 });
});
