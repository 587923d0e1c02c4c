import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { runJob, runJobStream } from '../../src/core/entry.js';
import { FaasError } from '../../src/core/errors.js';
import { checkJobId, nextAttempt } from '../../src/core/job.js';
import { callContext } from '../../src/core/scope.js';
import type { StandardSchema } from '../../src/core/standard-schema.js';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import { JobRunner } from '../../src/index.js';

describe('job ids', () => {
  it('every u32 is an id and nothing else is', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (id) => checkJobId(id) === id));
    const others = fc.oneof(
      fc.integer({ min: 2 ** 32, max: Number.MAX_SAFE_INTEGER }),
      fc.integer({ max: -1 }),
      fc.double({ noInteger: true }),
      fc.string(),
      fc.constant(-0),
      fc.constant(null),
    );
    fc.assert(
      fc.property(others, (id) => {
        expect(() => checkJobId(id)).toThrow(FaasError);
      }),
    );
  });

  it('the next attempt is the same call with another number, and lazy fields stay lazy', () => {
    let encoded = 0;
    const call = {
      jobId: 1,
      callId: 'c',
      attempt: 1,
      deadline: 5,
      idempotent: false,
      metadata: { a: '1' },
      get args() {
        encoded += 1;
        return new Uint8Array([1]);
      },
    };
    const second = nextAttempt(call, 2);
    expect(encoded).toBe(0);
    expect(second).toMatchObject({ callId: 'c', jobId: 1, metadata: { a: '1' } });
    expect(second.attempt).toBe(2);
    expect(second.args).toEqual(new Uint8Array([1]));
  });
});

describe('what a handler gets beside its input', () => {
  it('may be taken apart: remainingMs works on its own', async () => {
    const job = defineJob({ id: 1, name: 'left', handler: (_: null, { remainingMs }) => remainingMs() });
    const scope = callContext({ timeoutMs: 60_000 });
    const call = { jobId: 1, args: Buffer.from('null'), callId: 'c', attempt: 1, metadata: {} };
    const whole = { ...call, deadline: scope.deadline, idempotent: false };
    const left = JSON.parse(Buffer.from(await runJob(job, whole, scope, 'test')).toString());
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  });
});

describe('an output that cannot be encoded', () => {
  it('is a FUNCTION_ERROR that ran, in one piece and as a stream', async () => {
    const job = defineJob({ id: 1, name: 'loop', handler: () => 1n });
    const args = Buffer.from('null');
    const whole = {
      jobId: 1,
      args,
      callId: 'c',
      attempt: 1,
      metadata: {},
      deadline: Infinity,
      idempotent: false,
    };
    const ran = { code: 'FUNCTION_ERROR', executed: 'yes' };
    await expect(runJob(job, whole, callContext(), 'test')).rejects.toMatchObject(ran);
    await expect(runJobStream(job, whole, callContext(), 'test').next()).rejects.toMatchObject(ran);
  });
});

describe('a schema that throws', () => {
  const broken: StandardSchema<unknown, number> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: () => {
        throw new TypeError('a bug in the schema');
      },
    },
  };
  const call = { jobId: 1, args: Buffer.from('1'), callId: 'c', attempt: 1, metadata: {} };

  it.each(['local', 'memory'])('blames the schema, and knows whether the handler ran: %s', async (place) => {
    let ran = 0;
    const handler = (n: unknown) => {
      ran += 1;
      return n as number;
    };
    const before = defineJob({ id: 1, name: 'before', input: broken, handler });
    const after = defineJob({ id: 2, name: 'after', output: broken, handler });
    const errors: unknown[] = [];
    const builder = JobRunner.builder()
      .job(before)
      .job(after)
      .producer([before.call(1), after.call(1)])
      .consumer(({ error }) => errors.push(error));
    if (place === 'memory') builder.withFaasExecutor(2, new MemoryExecutor({ jobs: [after] }));
    await builder.run();
    expect(errors).toMatchObject([
      { code: 'INVALID_REQUEST', executed: 'no', message: expect.stringContaining('a bug in the schema') },
      {
        code: 'FUNCTION_ERROR',
        executed: 'yes',
        message: expect.stringContaining('The output of job "after"'),
      },
    ]);
    expect(ran).toBe(1);
  });

  it('is heard where the job runs, too', async () => {
    const job = defineJob({ id: 1, name: 'j', input: broken, handler: (n) => n });
    const work = runJob(job, { ...call, deadline: Infinity, idempotent: false }, callContext(), 'test');
    await expect(work).rejects.toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });
});
