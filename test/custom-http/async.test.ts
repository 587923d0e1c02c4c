import { afterEach, describe, expect, it } from 'vitest';
import type { JobCall } from '../../src/core/job.ts';
import { callContext } from '../../src/core/scope.ts';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { retry } from '../../src/layers/index.ts';
import type { FakePlatformOptions, FakeRequest, ScriptedReply } from '../../src/testing/index.ts';
import { isInvoke, OCTETS, stage } from './platform-11.ts';
import { call, cancelWith, failureOf, jobCall, pause, until } from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function staged(
  platformOptions: FakePlatformOptions = {},
  options: Partial<HttpFaasExecutorOptions> = {},
) {
  const made = await stage({ mode: 'async', ...options }, platformOptions);
  open.push(made);
  const record = async (id = 'call-1') => {
    const reply = await fetch(`${made.platform.url}/api/invocations/${id}`);
    return (await reply.json()) as Record<string, unknown>;
  };
  return { ...made, record };
}

const isPoll = ({ path }: FakeRequest) => path.includes('?wait=');
const isResult = ({ path }: FakeRequest) => path.endsWith('/result');
const slow: FakePlatformOptions = { functions: { job7: ({ args }) => pause(400).then(() => args) } };

/** A terminal record without its result, sent when the function has certainly ended. */
const bareRecord: ScriptedReply = {
  match: isPoll,
  delayMs: 200,
  respond: { status: 200, body: { invocation_id: 'call-1', status: 'completed', execution_ms: 5 } },
};

/** Starts a call whose end is not waited for. */
function start(executor: Parameters<typeof call>[0], changes: Partial<JobCall>, timeoutMs?: number) {
  const context = callContext(timeoutMs === undefined ? {} : { timeoutMs });
  const outcome = failureOf(executor.invoke(jobCall({ ...changes, deadline: context.deadline }), context));
  return { context, outcome };
}

describe('an asynchronous call', () => {
  it('is handed over, then its record is asked for until it is terminal', async () => {
    const { executor, platform, lines } = await staged();
    const metadata = { tenant: 'ä' };
    const { result, metrics, metadata: returned } = await call(executor, { metadata });
    expect([...result]).toEqual([112, 97, 121]);
    expect(returned).toEqual(metadata);
    expect(metrics).toMatchObject({ executionMs: expect.any(Number), coldStart: false });
    const [about, invoke, ...polls] = lines();
    expect([about, invoke]).toEqual(['GET /api', 'POST /api/functions/job7/invoke']);
    expect(polls.length).toBeGreaterThan(0);
    for (const poll of polls) expect(poll).toMatch(/^GET \/api\/invocations\/call-1\?wait=\d+$/);
    const handedOver = platform.requests[1];
    expect(handedOver?.headers).toMatchObject({ prefer: 'respond-async', 'content-type': OCTETS });
    expect(handedOver?.body.toString()).toBe('pay');
  });

  it('fetches the bytes of a result that its record leaves out', async () => {
    const { executor, platform, lines } = await staged();
    platform.script([bareRecord]);
    const args = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 151) & 255);
    const { result, metrics } = await call(executor, { args });
    expect(Buffer.from(result).equals(Buffer.from(args))).toBe(true);
    expect(metrics).toMatchObject({ executionMs: 5, requestId: 'call-1' });
    expect(lines().at(-1)).toBe('GET /api/invocations/call-1/result');
  });

  it('waits for a slow function without asking in a tight loop', async () => {
    const { executor, platform } = await staged(slow);
    await call(executor);
    expect(platform.requests.filter(isPoll).length).toBeLessThan(4);
  });

  it('asks at a measured pace where the platform does not hold the reply', async () => {
    const { executor, platform } = await staged(slow);
    const body = { invocation_id: 'call-1', status: 'running' };
    platform.script([{ match: isPoll, times: 2, respond: { status: 200, body } }]);
    await call(executor);
    const polls = platform.requests.filter(isPoll).length;
    expect(polls).toBeGreaterThan(2);
    expect(polls).toBeLessThan(20);
  });

  it('takes a result at once from a platform that ignores the wish', async () => {
    const { executor, platform } = await staged();
    platform.script([{ match: isInvoke, respond: { status: 200, body: { job_id: 7, result: [5] } } }]);
    expect([...(await call(executor)).result]).toEqual([5]);
  });

  it('that fails says so with the name and message of what was thrown', async () => {
    const { executor } = await staged();
    const error = await failureOf(call(executor, { jobId: 8 }));
    expect([error.code, error.executed, error.status]).toEqual(['FUNCTION_ERROR', 'yes', undefined]);
    expect(error.remote).toEqual({ name: 'TypeError', message: 'no luck' });
  });

  it('to a function that is not there is NOT_FOUND', async () => {
    const { executor } = await staged();
    const error = await failureOf(call(executor, { jobId: 5 }));
    expect([error.code, error.executed]).toEqual(['NOT_FOUND', 'no']);
  });

  it.each([
    [{ status: 'timeout', attempts: 0, executed: 'no', code: 'TIMEOUT' }, 'TIMEOUT', 'no'],
    [{ status: 'timeout', attempts: 1 }, 'TIMEOUT', 'maybe'],
    [{ status: 'cancelled', executed: 'no' }, 'CANCELLED', 'no'],
    [{ status: 'cancelled', executed: 'no', code: 'UNAVAILABLE' }, 'CANCELLED', 'no'],
    [{ status: 'cancelled', executed: 'yes', code: 'CANCELLED' }, 'CANCELLED', 'yes'],
    [{ status: 'dead', attempts: 3, executed: 'maybe' }, 'UNAVAILABLE', 'maybe'],
    [{ status: 'failed', code: 'OUTPUT_TOO_LARGE', executed: 'yes' }, 'PAYLOAD_TOO_LARGE', 'yes'],
    [{ status: 'failed' }, 'FUNCTION_ERROR', 'yes'],
    [{ status: 'exploded' }, 'PROTOCOL', 'maybe'],
    [{}, 'PROTOCOL', 'maybe'],
  ])('that ended as %j', async (record, code, executed) => {
    const { executor, platform } = await staged();
    platform.script([
      { match: isPoll, respond: { status: 200, body: { invocation_id: 'call-1', ...record } } },
    ]);
    const error = await failureOf(call(executor));
    expect([error.code, error.executed, error.functionName]).toEqual([code, executed, 'job7']);
  });

  it('that somebody cancelled is not sent again, whatever code the platform gives it', async () => {
    const { executor, platform } = await staged();
    const cancelled = { invocation_id: 'call-1', status: 'cancelled', code: 'UNAVAILABLE', executed: 'no' };
    platform.script([{ match: isPoll, respond: { status: 200, body: cancelled } }]);
    const error = await failureOf(retry()(executor).invoke(jobCall(), callContext()));
    expect([error.code, error.executed]).toEqual(['CANCELLED', 'no']);
    expect(platform.requests.filter(isInvoke)).toHaveLength(1);
  });

  it('accepted under another id may have run', async () => {
    const { executor, platform } = await staged();
    platform.script([
      { match: isInvoke, run: true, respond: { status: 202, body: { invocation_id: 'other' } } },
    ]);
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['PROTOCOL', 'maybe']);
  });
});

describe('which calls are asynchronous', () => {
  it('with { asyncAboveMs }: those with more time left, or without a deadline', async () => {
    const { executor, platform } = await staged({}, { mode: { asyncAboveMs: 30_000 } });
    await call(executor, { callId: 'short' });
    await executor.invoke(jobCall({ callId: 'endless' }), callContext());
    const prefers = platform.requests.filter(isInvoke).map(({ headers }) => headers['prefer']);
    expect(prefers).toEqual([undefined, 'respond-async']);
  });

  it('none, on a platform without the feature: UNSUPPORTED, and nothing is sent', async () => {
    const { executor, lines } = await staged({ features: ['binary'] });
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['UNSUPPORTED', 'no']);
    expect(error.message).toContain('`async`');
    expect(lines()).toEqual(['GET /api']);
  });
});

describe('a connection that breaks costs an asynchronous call nothing', () => {
  it.each<[string, ScriptedReply[]]>([
    ['the reply that accepts it is lost', [{ match: isInvoke, run: true, reset: true }]],
    ['a gateway answers in its place', [{ match: isInvoke, run: true, respond: { status: 502 } }]],
    ['the reply that accepts it is cut off', [{ match: isInvoke, truncate: 5 }]],
    ['a question is reset', [{ match: isPoll, times: 2, reset: true }]],
    ['a question gets a 503', [{ match: isPoll, respond: { status: 503, body: { code: 'UNAVAILABLE' } } }]],
    ['a question gets a 429', [{ match: isPoll, respond: { status: 429, headers: { 'retry-after': '0' } } }]],
    ['the result is cut off', [{ match: isResult, truncate: 10 }, bareRecord]],
  ])('%s', async (_title, rules) => {
    const { executor, platform } = await staged();
    platform.script(rules);
    expect((await call(executor, { args: new Uint8Array(5000) })).result).toHaveLength(5000);
    expect(platform.executions.get('call-1')).toBe(1);
  });

  it('a call that was lost on its way is handed over again under its id, and runs once', async () => {
    const { executor, platform } = await staged();
    platform.script([{ match: isInvoke, reset: true, times: 5 }]);
    expect((await call(executor)).result).toHaveLength(3);
    expect(platform.executions.get('call-1')).toBe(1);
  });

  it('a call that is lost each time may still arrive: nobody claims that it did not run', async () => {
    const { executor, platform } = await staged();
    platform.script([{ match: isInvoke, reset: true, times: 8 }]);
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['UNAVAILABLE', 'maybe']);
    expect(platform.executions.get('call-1')).toBeUndefined();
  });

  it('a record that is gone may have run', async () => {
    const { executor, platform } = await staged(slow);
    const body = { invocation_id: 'call-1', status: 'running' };
    platform.script([
      { match: isPoll, respond: { status: 200, body } },
      { match: isPoll, respond: { status: 404, body: { code: 'NOT_FOUND', executed: 'no' } } },
    ]);
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['NOT_FOUND', 'maybe']);
  });

  it('credentials that are refused in between end the wait: it may have run', async () => {
    const { executor, platform } = await staged(slow);
    platform.script([
      { match: isPoll, respond: { status: 403, body: { code: 'FORBIDDEN', executed: 'no' } } },
    ]);
    const error = await failureOf(call(executor));
    expect([error.code, error.executed]).toEqual(['AUTH', 'maybe']);
  });
});

describe('the same call again', () => {
  it('gets the outcome of the first, whatever attempt it is', async () => {
    const { executor, platform } = await staged();
    await call(executor);
    expect((await call(executor, { attempt: 2 })).result).toHaveLength(3);
    expect(platform.executions.get('call-1')).toBe(1);
  });

  it('after a failure that the caller wants to try again runs again, under an id of its own', async () => {
    const { executor, platform } = await staged();
    await failureOf(call(executor, { jobId: 8 }));
    await failureOf(call(executor, { jobId: 8, attempt: 2 }));
    expect([...platform.executions.keys()]).toEqual(['call-1', 'call-1.2']);
  });

  it('with another input is INVALID_REQUEST', async () => {
    const { executor } = await staged();
    await call(executor);
    const error = await failureOf(call(executor, { args: Uint8Array.of(1) }));
    expect([error.code, error.executed]).toEqual(['INVALID_REQUEST', 'no']);
  });
});

describe('cancelling an asynchronous call', () => {
  it('settles at once, may have run, and stops the function on the platform', async () => {
    const { executor, platform, record } = await staged();
    const { context, outcome } = start(executor, { jobId: 9 });
    await until(() => platform.requests.some(isPoll));
    let settled = false;
    outcome.then(() => {
      settled = true;
    });
    context.cancel(cancelWith());
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(true);
    expect([(await outcome).code, (await outcome).executed]).toEqual(['CANCELLED', 'maybe']);
    await until(() => platform.requests.some(({ path }) => path === '/api/invocations/call-1/cancel'));
    await expect.poll(async () => (await record())['status']).toBe('cancelled');
  });

  it('by its deadline is TIMEOUT', async () => {
    const { executor, platform } = await staged();
    const { outcome } = start(executor, { jobId: 9 }, 300);
    const error = await outcome;
    expect(error.code).toBe('TIMEOUT');
    expect(['maybe', 'yes']).toContain(error.executed);
    const [handedOver] = platform.requests.filter(isInvoke);
    expect(Number(handedOver?.headers['x-faas-timeout-ms'])).toBeLessThanOrEqual(300);
  });

  it('while it is handed over reaches the platform too', async () => {
    const { executor, platform } = await staged();
    platform.script([{ match: isInvoke, run: true, hang: true }]);
    const { context, outcome } = start(executor, { jobId: 9 });
    await until(() => platform.requests.some(isInvoke));
    context.cancel(cancelWith());
    expect((await outcome).executed).toBe('maybe');
    await until(() => platform.requests.some(({ path }) => path.endsWith('/cancel')));
  });

  it('only ends the wait where the platform cannot cancel', async () => {
    const { executor, platform } = await staged({ features: ['async'] });
    const { context, outcome } = start(executor, {});
    await until(() => platform.requests.some(isInvoke));
    context.cancel(cancelWith());
    expect((await outcome).code).toBe('CANCELLED');
    await executor.close();
    expect(platform.requests.some(({ path }) => path.endsWith('/cancel'))).toBe(false);
  });

  it('before it starts: nothing is handed over', async () => {
    const { executor, platform } = await staged();
    const context = callContext();
    context.cancel(cancelWith());
    const error = await failureOf(executor.invoke(jobCall(), context));
    expect([error.code, error.executed]).toEqual(['CANCELLED', 'no']);
    expect(platform.requests.some(isInvoke)).toBe(false);
  });
});

describe('closing', () => {
  it('lets asynchronous calls in flight finish and refuses new ones', async () => {
    const { executor, platform } = await staged(slow);
    const running = call(executor);
    await until(() => platform.requests.some(isPoll));
    const closing = executor.close();
    expect((await failureOf(call(executor, { callId: 'late' }))).code).toBe('CONFIG');
    expect((await running).result).toHaveLength(3);
    await closing;
  });

  it('waits until a cancellation has reached the platform', async () => {
    const { executor, platform, record } = await staged();
    const { context, outcome } = start(executor, { jobId: 9 });
    await until(() => platform.requests.some(isPoll));
    context.cancel(cancelWith());
    await outcome;
    await executor.close();
    expect((await record())['status']).toBe('cancelled');
  });
});
