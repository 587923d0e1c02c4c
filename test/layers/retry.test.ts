import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { FaasInvoker } from '../../src/core/executor.js';
import { CallScope, callContext } from '../../src/core/scope.js';
import { defineJob, JobRunner } from '../../src/index.js';
import { RetryBudget, type RetryEvent, retry, withLayers } from '../../src/layers/index.js';
import { callOf, cancelReason, errorOf, failure, invoker, OK, scripted } from './invokers.js';

const quick = { minDelayMs: 0 };
const down = () => failure('UNAVAILABLE', 'no');
const invoke = (executor: FaasInvoker, changes = {}) => executor.invoke(callOf(changes), callContext());

describe('retry', () => {
  it('makes one request when the first succeeds', async () => {
    const inner = scripted(OK);
    expect(await invoke(withLayers(inner, retry()))).toBe(OK);
    expect(inner.calls).toHaveLength(1);
  });

  it('hands the very call and context to the first attempt', async () => {
    const inner = scripted(OK);
    const [call, context] = [callOf(), callContext()];
    await withLayers(inner, retry()).invoke(call, context);
    expect(inner.calls[0]?.call).toBe(call);
    expect(inner.calls[0]?.context).toBe(context);
  });

  it('attempts again what certainly did not run, with the same call id and the next attempt number', async () => {
    const inner = scripted(down(), down(), OK);
    expect(await invoke(withLayers(inner, retry(quick)))).toBe(OK);
    expect(inner.calls.map(({ call }) => call.attempt)).toEqual([1, 2, 3]);
    expect(inner.calls.map(({ call }) => call.callId)).toEqual(['call-1', 'call-1', 'call-1']);
  });

  it('never attempts again what might have run, unless the job is idempotent', async () => {
    const doubtful = scripted(failure('UNAVAILABLE', 'maybe'), OK);
    const error = await errorOf(invoke(withLayers(doubtful, retry(quick))));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', executed: 'maybe', attempts: 1 });
    expect(doubtful.calls).toHaveLength(1);

    const harmless = scripted(failure('UNAVAILABLE', 'maybe'), OK);
    expect(await invoke(withLayers(harmless, retry(quick)), { idempotent: true })).toBe(OK);
  });

  it('attempts a failed handler again only when the job asks for it', async () => {
    const failing = () => scripted(failure('FUNCTION_ERROR', 'yes'), OK);
    expect(await errorOf(invoke(withLayers(failing(), retry(quick))))).toMatchObject({
      code: 'FUNCTION_ERROR',
    });
    expect(await invoke(withLayers(failing(), retry({ ...quick, functionErrors: true })))).toBe(OK);
  });

  it('gives up after `attempts` requests and says how many were made', async () => {
    const inner = scripted(down());
    const error = await errorOf(invoke(withLayers(inner, retry({ ...quick, attempts: 4 }))));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', attempts: 4, executed: 'no' });
    expect(inner.calls).toHaveLength(4);
  });

  it('speaks for all attempts: one that might have run is not forgotten', async () => {
    const inner = scripted(failure('UNAVAILABLE', 'maybe'), failure('THROTTLED', 'no'));
    const error = await errorOf(
      invoke(withLayers(inner, retry({ ...quick, attempts: 2 })), { idempotent: true }),
    );
    expect(error).toMatchObject({ code: 'THROTTLED', executed: 'maybe', attempts: 2 });
  });

  it('leaves alone what an inner retry gave up on', async () => {
    const inner = scripted(down());
    const error = await errorOf(invoke(withLayers(inner, retry(quick), retry(quick))));
    expect(error.attempts).toBe(3);
    expect(inner.calls).toHaveLength(3);
  });

  it('waits at least as long as the provider asked', async () => {
    const events: RetryEvent[] = [];
    const inner = scripted(failure('THROTTLED', 'no', { retryAfterMs: 30 }), OK);
    await invoke(withLayers(inner, retry({ ...quick, onRetry: (event) => events.push(event) })));
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ delayMs: 30, provider: 'fake', error: { code: 'THROTTLED' } });
    expect(events[0]?.call.attempt).toBe(2);
  });

  it('gives up at once on a Retry-After beyond the longest wait', async () => {
    const inner = scripted(failure('THROTTLED', 'no', { retryAfterMs: 60_000 }), OK);
    const error = await errorOf(invoke(withLayers(inner, retry({ maxDelayMs: 1000 }))));
    expect(error).toMatchObject({ code: 'THROTTLED', attempts: 1, retryAfterMs: 60_000 });
  });

  it('gives up at once when the deadline comes before the next attempt', async () => {
    const inner = scripted(failure('THROTTLED', 'no', { retryAfterMs: 5000 }), OK);
    const context = callContext({ timeoutMs: 1000 });
    const error = await errorOf(withLayers(inner, retry()).invoke(callOf(), context));
    expect(error).toMatchObject({ code: 'THROTTLED', attempts: 1 });
    context.disarm();
  });

  it('stops waiting when the call is cancelled, and knows what ran before', async () => {
    const inner = scripted(down());
    const context = new CallScope();
    const waiting = retry({
      minDelayMs: 60_000,
      maxDelayMs: 60_000,
      random: () => 0.9,
      onRetry: () => setTimeout(() => context.cancel(cancelReason()), 5),
    });
    const error = await errorOf(withLayers(inner, waiting).invoke(callOf(), context));
    expect(error).toMatchObject({ code: 'CANCELLED', executed: 'no', attempts: 1 });
    expect(inner.calls).toHaveLength(1);
  });

  it('passes on what is no FaasError without a second attempt', async () => {
    const inner = invoker(() => Promise.reject(new TypeError('a bug')));
    await expect(invoke(withLayers(inner, retry(quick)))).rejects.toThrow('a bug');
    expect(inner.calls).toHaveLength(1);
  });

  it('keeps the request rate of a full outage within 1.1 times the calls', async () => {
    const inner = scripted(down());
    const executor = withLayers(inner, retry({ ...quick, attempts: 5 }));
    const calls = 2000;
    await Promise.all(Array.from({ length: calls }, () => errorOf(invoke(executor))));
    const reserve = 10;
    expect(inner.calls.length).toBeLessThanOrEqual(calls * 1.1 + reserve);
    // And the budget is used: without any retry this test would prove nothing.
    expect(inner.calls.length).toBeGreaterThan(calls);
  });

  it('shares one budget between the executors it wraps', async () => {
    const layer = retry({ ...quick, budget: new RetryBudget({ reserve: 1, ratio: 0.01 }) });
    const [a, b] = [scripted(down()), scripted(down())];
    await errorOf(invoke(withLayers(a, layer)));
    await errorOf(invoke(withLayers(b, layer)));
    expect(a.calls.length + b.calls.length).toBe(3);
  });

  it('attempts again what an invoker threw instead of rejecting, in a runner too', async () => {
    let invocations = 0;
    const throwing: FaasInvoker = {
      ...scripted(),
      invoke: async () => OK,
    };
    throwing.invoke = () => {
      invocations += 1;
      if (invocations % 2 === 1) throw down();
      return Promise.resolve(OK);
    };
    expect(await invoke(withLayers(throwing, retry(quick)))).toBe(OK);
    const job = defineJob({ id: 1, name: 'j', codec: 'bytes', handler: (bytes: Uint8Array) => bytes });
    const attempts: number[] = [];
    await JobRunner.builder()
      .job(job)
      .producer([job.call(Uint8Array.of(1))])
      .withFaasExecutor(1, throwing)
      .consumer((outcome) => attempts.push(outcome.attempts))
      .run();
    expect(attempts).toEqual([2]);
  });

  it('a listener that throws does not end the call', async () => {
    const warned = once(process, 'warning');
    const onRetry = () => {
      throw new Error('metrics are down');
    };
    expect(await invoke(withLayers(scripted(down(), OK), retry({ ...quick, onRetry })))).toBe(OK);
    expect(String(await warned)).toContain('metrics are down');
  });

  it('refuses options out of range at once', () => {
    expect(() => retry({ attempts: 0 })).toThrow(/attempts/);
    expect(() => retry({ attempts: 1.5 })).toThrow(/attempts/);
    expect(() => retry({ minDelayMs: -1 })).toThrow(/minDelayMs/);
  });
});
