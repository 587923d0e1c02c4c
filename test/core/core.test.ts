import { getEventListeners, once } from 'node:events';
import { inspect } from 'node:util';
import { build } from 'esbuild';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { bytesCodec, jsonCodec } from '../../src/core/codec.js';
import { Expiring } from '../../src/core/deadlines.js';
import { defineJob } from '../../src/core/define-job.js';
import { runJob, runJobStream } from '../../src/core/entry.js';
import { FaasError, functionError } from '../../src/core/errors.js';
import { checkJobId, nextAttempt } from '../../src/core/job.js';
import {
  DEFAULT_RETRY_POLICY,
  isCurable,
  mayRetry,
  RetryBudget,
  retryDelayMs,
} from '../../src/core/retry-policy.js';
import { CallScope, ChildScope, callContext, sleep } from '../../src/core/scope.js';
import type { StandardSchema } from '../../src/core/standard-schema.js';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import { JobRunner } from '../../src/index.js';
import { delay } from '../support/invoker.js';

const error = (code: FaasError['code'] = 'UNAVAILABLE', executed: FaasError['executed'] = 'no') =>
  new FaasError({ code, executed, message: 'for the test' });

describe('FaasError', () => {
  it('is recognised over two installs by its brand, not by its class', () => {
    class Other extends Error {}
    const foreign = Object.assign(new Other('x'), { [Symbol.for('jobferry.FaasError')]: true });
    expect(FaasError.is(foreign)).toBe(true);
    expect(FaasError.is(error())).toBe(true);
    for (const value of [new Error('x'), null, undefined, 'x', { code: 'TIMEOUT' }]) {
      expect(FaasError.is(value)).toBe(false);
    }
  });

  it('as JSON has its facts and nothing else: no stack, no cause, nothing absent', () => {
    const cause = new Error('secret-token');
    const data = new FaasError({ code: 'AUTH', executed: 'no', message: 'm', status: 401, cause }).toJSON();
    expect(data).toEqual({ code: 'AUTH', executed: 'no', message: 'm', status: 401 });
    expect(JSON.stringify(data)).not.toContain('secret');
  });

  it('with() changes facts of the same failure, and piles up no causes', () => {
    const cause = new Error('ECONNREFUSED');
    const first = error().with({ cause });
    const last = first.with({ executed: 'maybe' }).with({ provider: 'p' }).with({ attempts: 3 });
    expect(last).toMatchObject({ code: 'UNAVAILABLE', executed: 'maybe', provider: 'p', attempts: 3 });
    expect(last.cause).toBe(cause);
    expect(last.stack).toBe(first.stack);
  });

  it('with() keeps the original as the cause of what says something else', () => {
    const first = error();
    expect(first.with({ message: 'in other words' }).cause).toBe(first);
    expect(first.with({ code: 'TIMEOUT' }).cause).toBe(first);
    expect(first.with({ code: 'TIMEOUT', cause: undefined }).cause).toBeUndefined();
  });

  it('is printed briefly: each fact once, and the stack of what the handler threw once', async () => {
    const job = defineJob({
      id: 1,
      name: 'boom',
      handler: () => {
        throw new RangeError('out of cheese');
      },
    });
    const errors: unknown[] = [];
    const run = (executor?: MemoryExecutor) => {
      const builder = JobRunner.builder()
        .job(job)
        .producer([job.call()])
        .consumer(({ error }) => errors.push(error));
      if (executor !== undefined) builder.withFaasExecutor(1, executor);
      return builder.run();
    };
    await run();
    await run(new MemoryExecutor({ jobs: [job] }));
    for (const printed of errors.map((error) => inspect(error))) {
      expect(printed).toMatch(/^FaasError: boom failed on (local|memory): RangeError: out of cheese/);
      expect(printed).toContain("code: 'FUNCTION_ERROR'");
      expect(printed.match(/core\.test\.ts/g)?.length).toBeLessThanOrEqual(2);
      expect(printed.match(/RangeError: out of cheese\n/g)).toHaveLength(1);
      expect(printed.split('\n').length).toBeLessThan(25);
    }
  });

  it('prints its own stack where nothing lies below, and the stack of the other side as text', () => {
    expect(inspect(error())).toMatch(/^FaasError: for the test\n +at .*core\.test\.ts/);
    const remote = { name: 'KeyError', message: 'x', stack: 'KeyError: x\n    at handler.py:3' };
    const failed = new FaasError({ code: 'FUNCTION_ERROR', executed: 'yes', message: 'm', remote });
    expect(inspect(failed)).toContain('remote: KeyError: x\n');
    expect(inspect({ error: { deep: { deeper: error() } } })).toContain('[FaasError: for the test]');
  });

  it('has its name after bundling, too', async () => {
    const { outputFiles } = await build({
      entryPoints: ['src/core/errors.ts'],
      bundle: true,
      format: 'esm',
      target: 'node22',
      write: false,
    });
    expect(outputFiles[0]?.text).not.toMatch(/class _\w*Error/);
  });

  it('what a handler throws becomes a FUNCTION_ERROR that ran, whatever it says of itself', () => {
    const where = { provider: 'p', functionName: 'f' };
    const call = callContext();
    expect(functionError(new TypeError('bad'), where, call)).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      message: 'f failed on p: TypeError: bad',
      remote: { name: 'TypeError' },
    });
    const refusal = error('UNAVAILABLE', 'no');
    expect(functionError(refusal, where, call)).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      cause: refusal,
    });
  });

  it('a handler that gives up because its call is over passes the reason on, and did run', () => {
    const call = callContext();
    const reason = error('CANCELLED', 'maybe');
    call.cancel(reason);
    const failure = functionError(reason, { provider: 'p', functionName: 'f' }, call);
    expect(failure).toMatchObject({ code: 'CANCELLED', executed: 'yes' });
  });
});

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

describe('codecs', () => {
  it('JSON values come back equal', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        // -0 is the one number JSON changes.
        expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('undefined travels as no bytes', () => {
    expect(jsonCodec.encode(undefined)).toHaveLength(0);
    expect(jsonCodec.decode(new Uint8Array(0))).toBeUndefined();
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [() => 1], [1n], [{ a: Number.NaN }]])(
    'refuses %s, which JSON would lose',
    (value) => {
      expect(() => jsonCodec.encode(value)).toThrow(TypeError);
    },
  );

  class Point {
    readonly x = 1;
  }
  it.each([
    [{ run: { f() {} } }, 'function at $.run.f'],
    [{ list: [1, { s: Symbol('s') }] }, 'symbol at $.list[1].s'],
    [{ big: 1n }, 'bigint at $.big'],
    [[1, undefined], 'undefined in an array at $[1]'],
    [{ tags: new Set(['a']) }, 'Set at $.tags'],
    [new Map([[1, 2]]), 'Map at $'],
    [{ error: new RangeError('lost') }, 'Error at $.error'],
    [{ image: Uint8Array.of(1) }, 'Uint8Array at $.image'],
    [{ answer: Promise.resolve(1) }, 'Promise at $.answer'],
    [{ at: new Date(Number.NaN) }, 'invalid Date at $.at'],
    [{ at: new Date(0), deep: { nan: Number.NaN } }, 'NaN at $.deep.nan'],
  ])('refuses %o and says where it is', (value, where) => {
    expect(() => jsonCodec.encode(value)).toThrow(`${where} cannot be written as JSON`);
  });

  it('leaves to JSON what is its own rule', () => {
    const value = { at: new Date(0), none: undefined, point: new Point(), bytes: Buffer.from([1]) };
    const back = { at: '1970-01-01T00:00:00.000Z', point: { x: 1 }, bytes: { type: 'Buffer', data: [1] } };
    expect(jsonCodec.decode(jsonCodec.encode(value))).toEqual(back);
  });

  it('takes values of any depth, and says when one contains itself', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 500; level += 1) deep = { deep };
    expect(jsonCodec.decode(jsonCodec.encode(deep))).toEqual(deep);
    const self: { self?: unknown } = {};
    self.self = self;
    expect(() => jsonCodec.encode(self)).toThrow(/circular/);
  });

  it('refuses bytes that are no UTF-8 instead of replacing them', () => {
    expect(() => jsonCodec.decode(new Uint8Array([0x22, 0xff, 0x22]))).toThrow();
  });

  it('bytes pass untouched, and nothing else does', () => {
    const bytes = new Uint8Array([0, 255]);
    expect(bytesCodec.decode(bytesCodec.encode(bytes))).toBe(bytes);
    expect(() => bytesCodec.encode('x' as never)).toThrow(/Uint8Array/);
  });
});

describe('deadlines', () => {
  class Entry extends Expiring {
    readonly #fire: () => void;
    constructor(fire: () => void) {
      super();
      this.#fire = fire;
    }
    protected override onDeadline(): void {
      this.#fire();
    }
  }
  const entry = (fired: number[], id: number) => new Entry(() => fired.push(id));

  it('fire once, in order of expiry, unless they were removed', async () => {
    const fired: number[] = [];
    const entries = Array.from({ length: 6 }, (_, id) => entry(fired, id));
    for (const [id, one] of entries.entries()) one.arm(id % 2 === 0 ? 30 : 10);
    entries[2]?.disarm();
    entries[2]?.disarm();
    await delay(60);
    expect(fired).toEqual([1, 3, 5, 0, 4]);
    entries[0]?.disarm();
  });

  it('any mix of adding and removing fires exactly what is left', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ timeoutMs: fc.integer({ min: 1, max: 8 }), removed: fc.boolean() }), {
          maxLength: 30,
        }),
        async (plan) => {
          const fired: number[] = [];
          const entries = plan.map((_, id) => entry(fired, id));
          for (const [id, { timeoutMs }] of plan.entries()) entries[id]?.arm(timeoutMs);
          for (const [id, { removed }] of plan.entries()) if (removed) entries[id]?.disarm();
          await delay(25);
          expect(fired.sort((a, b) => a - b)).toEqual(
            plan.flatMap(({ removed }, id) => (removed ? [] : [id])),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it('never fires one that is Infinity, and one beyond the range of timers does not fire at once', async () => {
    const fired: number[] = [];
    const never = entry(fired, 1);
    const far = entry(fired, 2);
    never.arm(Number.POSITIVE_INFINITY);
    far.arm(2 ** 33);
    await delay(10);
    expect(fired).toEqual([]);
    far.disarm();
  });

  it('that are all different leave nothing behind once they are gone', () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const clear = vi.spyOn(globalThis, 'clearTimeout');
    for (let index = 0; index < 5000; index += 1) {
      const one = entry([], index);
      one.arm(1_000_000 + index);
      one.disarm();
    }
    expect(set.mock.calls.length - clear.mock.calls.length).toBeLessThan(100);
    set.mockClear();
    // The constant time-out of a job, the common case, needs no timer a call.
    for (let index = 0; index < 5000; index += 1) {
      const one = entry([], index);
      one.arm(300_000);
      one.disarm();
    }
    expect(set.mock.calls.length).toBeLessThanOrEqual(1);
    set.mockRestore();
    clear.mockRestore();
  });

  it('fire for the others when one throws', async () => {
    const thrown: unknown[] = [];
    const uncaught = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => thrown.push(error));
    const fired: number[] = [];
    entry(fired, 1).arm(20);
    new Entry(() => {
      throw new Error('a bad deadline');
    }).arm(20);
    entry(fired, 2).arm(20);
    await delay(60);
    process.removeAllListeners('uncaughtException');
    for (const listener of uncaught) process.on('uncaughtException', listener);
    expect(thrown.map(String)).toEqual(['Error: a bad deadline']);
    expect(fired).toEqual([1, 2]);
  });
});

describe('scopes', () => {
  it('cancel once: signal, listeners and late listeners get the first reason', () => {
    const scope = new CallScope();
    const heard: string[] = [];
    const leave = scope.onCancel(() => heard.push('left'));
    scope.onCancel(({ code }) => heard.push(`a ${code}`));
    scope.onCancel(({ code }) => heard.push(`b ${code}`));
    leave();
    expect(scope.cancel(error('TIMEOUT'))).toBe(true);
    expect(scope.cancel(error('CANCELLED'))).toBe(false);
    scope.onCancel(({ code }) => heard.push(`late ${code}`));
    expect(heard.slice(0, 2).sort()).toEqual(['a TIMEOUT', 'b TIMEOUT']);
    expect(heard.slice(2)).toEqual(['late TIMEOUT']);
    expect(scope.signal.aborted).toBe(true);
    expect(scope.signal.reason).toMatchObject({ code: 'TIMEOUT' });
  });

  it('a listener that throws silences neither the others nor the calls with the same time-out', async () => {
    const warned = once(process, 'warning');
    const heard: string[] = [];
    const [bad, good] = [new CallScope(), new CallScope()];
    bad.onCancel(() => {
      throw new Error('socket already closed');
    });
    bad.onCancel(() => heard.push('second listener'));
    good.onCancel(() => heard.push('second call'));
    for (const scope of [bad, good]) scope.arm(10);
    await delay(40);
    expect(heard).toEqual(['second listener', 'second call']);
    expect(String(await warned)).toContain('socket already closed');
  });

  it('a child ends with its parent, and on its own without it', async () => {
    const parent = new CallScope();
    const first = new ChildScope(parent, 5);
    const second = new ChildScope(parent);
    await delay(20);
    expect(first.reason?.code).toBe('TIMEOUT');
    expect(parent.reason).toBeUndefined();
    parent.cancel(error('CANCELLED'));
    expect(second.reason?.code).toBe('CANCELLED');
  });

  it('a disposed child no longer hears its parent', () => {
    const parent = new CallScope();
    const child = new ChildScope(parent, 1000);
    child.dispose();
    parent.cancel(error());
    expect(child.reason).toBeUndefined();
  });

  it('sleep ends early with the reason', async () => {
    const scope = new CallScope();
    const nap = sleep(60_000, scope);
    scope.cancel(error('CANCELLED'));
    await expect(nap).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(sleep(60_000, scope)).rejects.toMatchObject({ code: 'CANCELLED' });
    await sleep(1, new CallScope());
  });

  it('callContext follows an AbortSignal and a time limit', async () => {
    const controller = new AbortController();
    const scope = callContext({ signal: controller.signal, timeoutMs: 60_000 });
    expect(scope.deadline).toBeGreaterThan(Date.now());
    controller.abort(new Error('enough'));
    expect(scope.reason).toMatchObject({ code: 'CANCELLED', cause: { message: 'enough' } });
    const brief = callContext({ timeoutMs: 5 });
    await delay(20);
    expect(brief.reason?.code).toBe('TIMEOUT');
    const far = callContext({ timeoutMs: 2 ** 33 });
    await delay(5);
    expect(far.reason).toBeUndefined();
    expect(callContext({ signal: controller.signal }).reason?.code).toBe('CANCELLED');
  });
});

describe('a context for a call made by hand', () => {
  it('lets go of timer and signal at the end of its block, and when it is cancelled', async () => {
    const { signal } = new AbortController();
    const kept: CallScope[] = [];
    {
      using context = callContext({ signal, timeoutMs: 10 });
      kept.push(context);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const forgotten = callContext({ signal, timeoutMs: 10 });
    await delay(30);
    expect(kept[0]?.reason).toBeUndefined();
    expect(forgotten.reason?.code).toBe('TIMEOUT');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('keeps no process alive', () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    callContext({ timeoutMs: 60_000 });
    expect(timers()).toBe(before);
  });
});

describe('retry decisions', () => {
  it.each([
    ['THROTTLED', 'no', false, false, true],
    ['UNAVAILABLE', 'no', false, false, true],
    ['UNAVAILABLE', 'maybe', false, false, false],
    ['UNAVAILABLE', 'maybe', true, false, true],
    ['TIMEOUT', 'maybe', false, false, false],
    ['TIMEOUT', 'maybe', true, false, true],
    ['FUNCTION_ERROR', 'yes', true, false, false],
    ['FUNCTION_ERROR', 'yes', false, true, true],
    ['PROTOCOL', 'yes', false, true, false],
    ['AUTH', 'no', true, true, false],
    ['NOT_FOUND', 'no', true, true, false],
    ['INVALID_REQUEST', 'no', true, true, false],
    ['PAYLOAD_TOO_LARGE', 'no', true, true, false],
    ['CONFIG', 'no', true, true, false],
    ['CANCELLED', 'no', true, true, false],
    ['REJECTED', 'no', true, true, false],
  ] as const)(
    '%s, executed %s, idempotent %s, functionErrors %s -> %s',
    (code, executed, idempotent, asked, may) => {
      expect(mayRetry(error(code, executed), idempotent, asked)).toBe(may);
      expect(isCurable(error(code, executed), idempotent, asked)).toBe(may);
    },
  );

  it('an error that was retried further in is left alone', () => {
    expect(mayRetry(error().with({ attempts: 3 }), true, true)).toBe(false);
  });

  it('waits grow, stay within the bound, and never come before Retry-After', () => {
    const attempts = fc.integer({ min: 2, max: 40 });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(attempts, random, (attempt, chance) => {
        const waitMs = retryDelayMs(DEFAULT_RETRY_POLICY, attempt, undefined, () => chance);
        return waitMs >= 0 && waitMs <= Math.min(20_000, 100 * 2 ** (attempt - 2));
      }),
    );
    fc.assert(
      fc.property(attempts, random, fc.integer({ min: 0, max: 20_000 }), (attempt, chance, afterMs) => {
        return retryDelayMs(DEFAULT_RETRY_POLICY, attempt, afterMs, () => chance) >= afterMs;
      }),
    );
  });

  it('the budget lets a tenth of the calls be retried in a long outage', () => {
    const budget = new RetryBudget({ reserve: 10 });
    let retries = 0;
    for (let call = 0; call < 10_000; call += 1) {
      budget.deposit();
      if (budget.withdraw()) retries += 1;
    }
    expect(retries).toBeLessThanOrEqual(1_011);
    expect(retries).toBeGreaterThan(950);
    expect(budget.available).toBeLessThan(2);
  });
});
