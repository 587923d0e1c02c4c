import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { defineJob, JobRunner, type Outcome } from '../../src/index.js';
import { delay, failure, gate, hanging, invoker } from '../support/invoker.js';

const square = defineJob({ id: 0, name: 'square', handler: async (n: number) => n * n });

describe('every accepted job ends in one outcome', () => {
  it('ok: carries the value of the local handler, typed', async () => {
    const outcomes: Outcome[] = [];
    const summary = await JobRunner.builder()
      .job(square)
      .producer([square.call(7, { metadata: { tenant: 'a' } })])
      .consumer((outcome) => {
        expectTypeOf(outcome.jobName).toEqualTypeOf<'square'>();
        expectTypeOf(outcome.input).toEqualTypeOf<number>();
        if (outcome.status === 'ok') expectTypeOf(outcome.value).toEqualTypeOf<number>();
        outcomes.push(outcome);
      })
      .run();
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({
      jobId: 0,
      jobName: 'square',
      status: 'ok',
      value: 49,
      attempts: 1,
      ranOn: 'local',
      fellBack: false,
      route: 'job',
      metadata: { tenant: 'a' },
    });
    expect(summary).toMatchObject({ accepted: 1, ok: 1, failed: 0 });
  });

  it('ok: the same job gives the same value through an executor, which gets the encoded input', async () => {
    const faas = invoker((call) => Number(new TextDecoder().decode(call.args)) ** 2);
    const outcomes = await run(square, [square.call(7)], faas);
    expect(outcomes[0]).toMatchObject({ status: 'ok', value: 49, ranOn: 'fake' });
    expect(faas.calls[0]).toMatchObject({ jobId: 0, attempt: 1, idempotent: false });
  });

  it('failed: what a handler throws is data, with its class name and message', async () => {
    const bad = defineJob({
      id: 1,
      name: 'bad',
      handler: () => {
        throw new RangeError('too far');
      },
    });
    const [outcome] = await run(bad, [bad.call()]);
    expect(outcome).toMatchObject({ status: 'failed', attempts: 1 });
    expect(outcome?.error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
  });

  it('failed: a handler that passes on the refusal of an executor it called is not run again for that', async () => {
    let runs = 0;
    const charge = defineJob({
      id: 1,
      name: 'charge',
      handler: () => {
        runs += 1;
        throw failure('THROTTLED', 'no');
      },
    });
    const [outcome] = await run(charge, [charge.call()]);
    expect(outcome).toMatchObject({ status: 'failed', attempts: 1 });
    expect(outcome?.error).toMatchObject({ code: 'FUNCTION_ERROR', executed: 'yes' });
    expect(runs).toBe(1);
  });

  it('failed: something thrown that is no Error', async () => {
    const bad = defineJob({ id: 1, name: 'bad', handler: () => Promise.reject('a string') });
    const [outcome] = await run(bad, [bad.call()]);
    expect(outcome?.error?.remote?.message).toContain('a string');
  });

  it('failed: an executor that throws something else than a FaasError is not trusted to have done nothing', async () => {
    const faas = invoker(() => {
      throw new Error('a bug');
    });
    const [outcome] = await run(square, [square.call(1)], faas);
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'PROTOCOL', executed: 'maybe' } });
    expect(faas.calls).toHaveLength(1);
  });

  it('timed-out: a handler that hangs ends at its deadline, and its late answer is dropped', async () => {
    const { opened, open } = gate();
    let aborted = false;
    const hang = defineJob({
      id: 2,
      name: 'hang',
      timeoutMs: 30,
      handler: async (_: undefined, context) => {
        context.signal.addEventListener('abort', () => {
          aborted = true;
        });
        await opened;
        return 1;
      },
    });
    const [outcome, ...rest] = await run(hang, [hang.call()]);
    open();
    await delay(1);
    expect(outcome).toMatchObject({ status: 'timed-out', error: { code: 'TIMEOUT', executed: 'yes' } });
    expect(aborted).toBe(true);
    expect(rest).toEqual([]);
  });

  it('timed-out: an executor that obeys its context reports the facts', async () => {
    const [outcome] = await run(square, [square.call(1, { deadline: Date.now() + 30 })], hanging());
    expect(outcome).toMatchObject({ status: 'timed-out', error: { executed: 'maybe', provider: 'fake' } });
  });

  it('timed-out: an executor that ignores its context cannot hold the outcome back', async () => {
    const deaf = invoker(() => new Promise(() => {}));
    const [outcome] = await run(square, [square.call(1, { deadline: Date.now() + 30 })], deaf);
    expect(outcome).toMatchObject({ status: 'timed-out', error: { executed: 'maybe' } });
  });

  it('timed-out: a deadline that has passed already runs nothing', async () => {
    const faas = invoker(() => 1);
    const [outcome] = await run(square, [square.call(1, { deadline: Date.now() - 1 })], faas);
    expect(outcome).toMatchObject({ status: 'timed-out', attempts: 0, error: { executed: 'no' } });
    expect(faas.calls).toEqual([]);
  });

  it('dead: every attempt it was allowed failed in a way that another one might cure', async () => {
    const faas = invoker(() => {
      throw failure('UNAVAILABLE', 'no');
    });
    const job = defineJob({ ...plain(square), retry: { attempts: 3, minDelayMs: 1 } });
    const [outcome] = await run(job, [job.call(1)], faas);
    expect(outcome).toMatchObject({
      status: 'dead',
      attempts: 3,
      error: { attempts: 3, code: 'UNAVAILABLE' },
    });
    expect(new Set(faas.calls.map((call) => call.callId)).size).toBe(1);
    expect(faas.calls.map((call) => call.attempt)).toEqual([1, 2, 3]);
  });

  it('a doubtful failure is not repeated unless the job is idempotent', async () => {
    const doubtful = () =>
      invoker(() => {
        throw failure('UNAVAILABLE', 'maybe');
      });
    const once = doubtful();
    const [careful] = await run(square, [square.call(1)], once);
    expect(careful).toMatchObject({ status: 'failed', attempts: 1 });
    const twice = doubtful();
    const idempotent = defineJob({
      ...plain(square),
      idempotent: true,
      retry: { attempts: 2, minDelayMs: 1 },
    });
    const [bold] = await run(idempotent, [idempotent.call(1)], twice);
    expect(bold).toMatchObject({ status: 'dead', attempts: 2 });
  });

  it('a handler error is repeated only when the job asks for it, locally too', async () => {
    let runs = 0;
    const flaky = defineJob({
      id: 3,
      name: 'flaky',
      retry: { attempts: 3, minDelayMs: 1, functionErrors: true },
      handler: (_: undefined, context) => {
        runs += 1;
        if (context.attempt < 3) throw new Error('not yet');
        return runs;
      },
    });
    const [outcome] = await run(flaky, [flaky.call()]);
    expect(outcome).toMatchObject({ status: 'ok', value: 3, attempts: 3 });
  });
});

describe('types and schemas', () => {
  const typed = defineJob({
    id: 4,
    name: 'typed',
    input: z.object({ width: z.number().positive() }),
    output: z.number(),
    handler: ({ width }) => width * 2,
  });

  it('validates the input before anything is sent', async () => {
    const faas = invoker(() => 1);
    const [outcome] = await run(typed, [{ jobId: 4, input: { width: -1 } }], faas);
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'INVALID_REQUEST', executed: 'no' } });
    expect(outcome?.error?.message).toContain('width');
    expect(faas.calls).toEqual([]);
  });

  it('validates the input of a local handler', async () => {
    const [outcome] = await run(typed, [{ jobId: 4, input: { width: 'x' } }]);
    expect(outcome?.error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });

  it('validates what comes back from a function', async () => {
    const [outcome] = await run(
      typed,
      [typed.call({ width: 1 })],
      invoker(() => 'no number'),
    );
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'INVALID_REQUEST', executed: 'yes' } });
  });

  it('says what is wrong with an output that is not the codec’s', async () => {
    const garbled = invoker(() => 1, {
      invoke: async (call) => ({
        result: new Uint8Array([0xff]),
        metadata: call.metadata,
        metrics: { totalMs: 1 },
      }),
    });
    const [outcome] = await run(square, [square.call(1)], garbled);
    expect(outcome?.error).toMatchObject({ code: 'PROTOCOL', executed: 'yes' });
  });

  it('an input that the codec cannot take fails that job alone', async () => {
    const [outcome] = await run(
      square,
      [square.call(Number.NaN)],
      invoker(() => 1),
    );
    expect(outcome?.error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });
});

describe('items that make no sense', () => {
  it.each([
    ['null', null],
    ['a string', 'x'],
    ['an id beyond 32 bits', { jobId: 2 ** 32, input: 1 }],
    ['a fraction', { jobId: 0.5, input: 1 }],
    ['metadata with a number', { jobId: 0, input: 1, metadata: { a: 1 } }],
    ['an empty call id', { jobId: 0, input: 1, callId: '' }],
  ])('%s becomes a failed outcome', async (_name, item) => {
    const [outcome, ...rest] = await run(square, [item as never]);
    expect(outcome).toMatchObject({ status: 'failed', error: { code: 'INVALID_REQUEST', executed: 'no' } });
    expect(rest).toEqual([]);
  });

  it('an id or a name without a job becomes a failed outcome that names it', async () => {
    const outcomes = await run(square, [
      { jobId: 9, input: 1 },
      { jobName: 'cube', input: 1 },
    ]);
    expect(outcomes.map((outcome) => outcome.error?.code)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
    expect(outcomes[1]?.error?.message).toContain('cube');
  });

  it('a job can be named instead of numbered', async () => {
    expect((await run(square, [{ jobName: 'square', input: 3 }]))[0]).toMatchObject({ value: 9 });
  });
});

type AnyBuilderJob = Parameters<ReturnType<typeof JobRunner.builder>['job']>[0];

async function run(
  job: AnyBuilderJob,
  items: Parameters<ReturnType<typeof JobRunner.builder>['producer']>[0],
  faas?: Parameters<ReturnType<typeof JobRunner.builder>['withFaasExecutor']>[1],
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const builder = JobRunner.builder()
    .job(job)
    .producer(items)
    .consumer((outcome) => outcomes.push(outcome as Outcome));
  if (faas !== undefined) builder.withFaasExecutor(job.id, faas);
  await builder.run();
  return outcomes;
}

function plain<T extends { id: number; name: string; handler: unknown }>(
  job: T,
): Pick<T, 'id' | 'name'> & {
  handler: (n: number) => Promise<number>;
} {
  return { id: job.id, name: job.name, handler: job.handler as (n: number) => Promise<number> };
}
