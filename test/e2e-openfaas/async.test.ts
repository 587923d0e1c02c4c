import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { CallbackReceiver } from '../../src/executors/e2e-openfaas/index.js';
import { accountBench, callOf, failureOf, gatewayBench } from './setup.js';

const jobs = [
  defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input }),
  defineJob({
    id: 2,
    name: 'fail',
    handler: () => {
      throw new RangeError('too far');
    },
  }),
];
const bytes = Uint8Array.of(0, 255, 10, 13);

describe('a queued call', () => {
  it('is taken with 202, and its result comes to the receiver', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    await using receiver = await new CallbackReceiver().open();
    const call = callOf(1, { args: bytes, metadata: { a: 'b' } });
    const queued = await it.executor.invokeAsync(call, callContext(), receiver);
    expect(queued.callId).toMatch(/^[0-9a-f-]{36}$/);
    expect(it.fake.queued[0]).toMatchObject({
      path: '/async-function/jobferry-job-1.openfaas-fn',
      headers: { 'x-call-id': queued.callId, 'x-callback-url': receiver.url },
    });
    const { result, metadata } = await queued.result(callContext({ timeoutMs: 10_000 }));
    expect([[...result], metadata]).toEqual([[...bytes], { a: 'b' }]);
  });

  it('of a function that fails, or is not there, says so when its result comes', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(2);
    await using receiver = await new CallbackReceiver().open();
    const failed = await it.executor.invokeAsync(callOf(2), callContext(), receiver);
    expect(await failureOf(failed.result(callContext({ timeoutMs: 10_000 })))).toMatchObject({
      code: 'FUNCTION_ERROR',
      remote: { name: 'RangeError' },
    });
    const missing = await it.executor.invokeAsync(callOf(1), callContext(), receiver);
    expect(await failureOf(missing.result(callContext({ timeoutMs: 10_000 })))).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
    });
  });

  it('takes results only at its secret path, only for its calls, and only once', async () => {
    await using receiver = await new CallbackReceiver().open();
    const place = { provider: 'p', functionName: 'f', origin: 'o' };
    const post = (url: string, id: string) =>
      fetch(url, { method: 'POST', headers: { 'x-call-id': id, 'x-function-status': '200' }, body: 'x' });
    receiver.expect('known');
    const { origin } = new URL(receiver.url);
    expect((await post(receiver.url, 'unknown')).status).toBe(404);
    expect((await post(`${origin}/guessed`, 'known')).status).toBe(404);
    expect((await fetch(receiver.url, { headers: { 'x-call-id': 'known' } })).status).toBe(404);
    const waiting = receiver.wait('known', place, callContext({ timeoutMs: 10_000 }));
    expect((await post(receiver.url, 'known')).status).toBe(200);
    expect((await waiting).body.toString()).toBe('x');
    expect((await post(receiver.url, 'known')).status).toBe(404);
  });

  it('whose result is not waited for to its end may have run', async () => {
    await using it = await gatewayBench({ jobs });
    await using receiver = await new CallbackReceiver().open();
    it.fake.fault('POST async', { status: 202 });
    const queued = await it.executor.invokeAsync(callOf(1), callContext(), receiver);
    expect(await failureOf(queued.result(callContext({ timeoutMs: 50 })))).toMatchObject({
      code: 'TIMEOUT',
      executed: 'maybe',
    });
  });

  it.each([
    [{ status: 500, body: 'Error queuing request: full\n' }, 'UNAVAILABLE', 'maybe'],
    [{ status: 404, body: '404 page not found\n' }, 'NOT_FOUND', 'no'],
    [{ reset: 'after' }, 'UNAVAILABLE', 'maybe'],
  ] as const)('that is not taken fails: %j', async (fault, code, executed) => {
    await using it = await gatewayBench({ jobs });
    it.fake.fault('POST async', fault);
    expect(await failureOf(it.executor.invokeAsync(callOf(1), callContext()))).toMatchObject({
      code,
      executed,
    });
  });

  it('is refused where there is no queue, over its limit, and for a callback that is no URL', async () => {
    await using account = await accountBench();
    expect(await failureOf(account.executor.invokeAsync(callOf(1), callContext()))).toMatchObject({
      code: 'UNSUPPORTED',
    });
    await using it = await gatewayBench({ jobs });
    const large = callOf(1, { args: new Uint8Array(1024 * 1024 + 1) });
    expect(await failureOf(it.executor.invokeAsync(large, callContext()))).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
    expect(await failureOf(it.executor.invokeAsync(callOf(1), callContext(), 'nowhere'))).toMatchObject({
      code: 'CONFIG',
    });
    const alone = await it.executor.invokeAsync(callOf(1), callContext());
    expect(await failureOf(alone.result(callContext()))).toMatchObject({ code: 'CONFIG' });
  });
});
