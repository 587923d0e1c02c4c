import { afterEach, describe, expect, it } from 'vitest';
import type { JobCall, JobResult } from '../../src/core/job.ts';
import { callContext } from '../../src/core/scope.ts';
import type { HttpFaasExecutor } from '../../src/executors/custom-http/index.ts';
import { retry } from '../../src/layers/index.ts';
import type { FakePlatformOptions } from '../../src/testing/index.ts';
import { isInvoke, learn, stage } from './platform-11.ts';
import { call, failureOf, jobCall, pause } from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function learned(platformOptions: FakePlatformOptions = {}) {
  const made = await stage({}, platformOptions);
  open.push(made);
  await learn(made);
  const keys = () =>
    made.platform.requests
      .filter((seen) => isInvoke(seen) && seen.headers['x-faas-call-id'] === 'call-1')
      .map(({ headers }) => headers['x-faas-idempotency-key']);
  return { ...made, keys };
}

/** Through the retry layer, as a runner would. */
function retried(
  executor: HttpFaasExecutor,
  options: Parameters<typeof retry>[0],
  changes: Partial<JobCall> = {},
): Promise<JobResult> {
  const context = callContext({ timeoutMs: 20_000 });
  const layered = retry({ minDelayMs: 1, ...options })(executor);
  return layered.invoke(jobCall({ idempotent: true, ...changes }), context).finally(() => context.disarm());
}

describe('an idempotent call carries its call id as key', () => {
  it('so that a retry after a reset gets the outcome of the first attempt', async () => {
    const { executor, platform, keys } = await learned();
    platform.script([{ match: isInvoke, run: true, reset: true }]);
    expect((await retried(executor, {})).result).toHaveLength(3);
    expect(platform.executions.get('call-1')).toBe(1);
    expect(keys()).toEqual(['call-1', 'call-1']);
  });

  it('so that a retry after a reply that was cut off gets it whole', async () => {
    const { executor, platform } = await learned();
    platform.script([{ match: isInvoke, truncate: 1 }]);
    expect((await retried(executor, {})).result).toHaveLength(3);
    expect(platform.executions.get('call-1')).toBe(1);
  });

  it('and a failure whose reply was lost is that failure, not a second run', async () => {
    const { executor, platform } = await learned();
    platform.script([{ match: isInvoke, run: true, reset: true }]);
    const error = await failureOf(retried(executor, {}, { jobId: 8 }));
    expect([error.code, error.executed]).toEqual(['FUNCTION_ERROR', 'yes']);
    expect(platform.executions.get('call-1')).toBe(1);
  });

  it('but a job that asks to run again after a failure does run again, under another key', async () => {
    let runs = 0;
    const { executor, platform, keys } = await learned({
      functions: {
        job7: ({ args }) => {
          runs += 1;
          if (runs === 2 || runs === 3) throw new Error('not yet');
          return args;
        },
      },
    });
    expect((await retried(executor, { functionErrors: true, attempts: 5 })).result).toHaveLength(3);
    expect(platform.executions.get('call-1')).toBe(3);
    expect(keys()).toEqual(['call-1', 'call-1.2', 'call-1.3']);
  });

  it('and nothing that certainly did not run is taken for an outcome', async () => {
    const { executor, platform, keys } = await learned();
    const busy = { status: 429, body: { code: 'THROTTLED', executed: 'no' } };
    platform.script([{ match: isInvoke, respond: busy }]);
    expect((await retried(executor, {})).result).toHaveLength(3);
    expect(keys()).toEqual(['call-1', 'call-1']);
  });
});

describe('while the first attempt still runs', () => {
  it('another one is CONFLICT, may have run, and says when to come back', async () => {
    const { executor } = await learned({
      functions: { job7: ({ args }) => pause(300).then(() => args) },
    });
    const first = call(executor, { idempotent: true });
    await pause(100);
    const error = await failureOf(call(executor, { idempotent: true, attempt: 2 }));
    expect([error.code, error.executed, error.retryAfterMs]).toEqual(['CONFLICT', 'maybe', 1000]);
    expect((await first).result).toHaveLength(3);
  });

  it('the retry layer waits for its outcome', async () => {
    const { executor, platform } = await learned({
      functions: { job7: ({ args }) => pause(300).then(() => args) },
    });
    const first = call(executor, { idempotent: true });
    await pause(100);
    expect((await retried(executor, {})).result).toHaveLength(3);
    await first;
    expect(platform.executions.get('call-1')).toBe(1);
  });
});

describe('a key', () => {
  it('that belongs to another input is INVALID_REQUEST and did not run', async () => {
    const { executor } = await learned();
    await call(executor, { idempotent: true });
    const error = await failureOf(call(executor, { idempotent: true, args: Uint8Array.of(9) }));
    expect([error.code, error.executed, error.status]).toEqual(['INVALID_REQUEST', 'no', 422]);
    expect(error.message).toContain('call id');
  });

  it('is not sent for a call that is not idempotent, nor to a platform that knows no keys', async () => {
    const { executor, keys } = await learned();
    await call(executor);
    const other = await learned({ features: ['binary'] });
    await call(other.executor, { idempotent: true });
    expect([keys(), other.keys()]).toEqual([[undefined], [undefined]]);
  });

  it('that would be too long is left out, rather than another call be taken for this one', async () => {
    const { executor, platform } = await learned();
    const callId = 'x'.repeat(128);
    const attempt = (n: number) =>
      failureOf(call(executor, { jobId: 8, callId, attempt: n, idempotent: true }));
    await attempt(1);
    await attempt(2);
    expect(platform.requests.slice(-2).map(({ headers }) => headers['x-faas-idempotency-key'])).toEqual([
      callId,
      undefined,
    ]);
    expect(platform.executions.get(callId)).toBe(2);
  });
});
