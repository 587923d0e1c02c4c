import { inspect } from 'node:util';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { FaasError, functionError } from '../../src/core/errors.js';
import { callContext } from '../../src/core/scope.js';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import { JobRunner } from '../../src/index.js';

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
      expect(printed.match(/errors\.test\.ts/g)?.length).toBeLessThanOrEqual(2);
      expect(printed.match(/RangeError: out of cheese\n/g)).toHaveLength(1);
      expect(printed.split('\n').length).toBeLessThan(25);
    }
  });

  it('prints its own stack where nothing lies below, and the stack of the other side as text', () => {
    expect(inspect(error())).toMatch(/^FaasError: for the test\n +at .*errors\.test\.ts/);
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
