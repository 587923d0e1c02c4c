import { describe, expect, it } from 'vitest';
import type { FaasInvoker, ProviderLimits } from '../../src/core/executor.js';
import type { JobResult } from '../../src/core/job.js';
import { CallScope, callContext } from '../../src/core/scope.js';
import { failover } from '../../src/layers/index.js';
import { callOf, cancelReason, errorOf, failure, hanging, invoker, OK, scripted } from './invokers.js';

const limits = (changes: Partial<ProviderLimits>): ProviderLimits => ({
  asOf: '2026-01-01',
  source: 'a',
  ...changes,
});
const withLimits = (changes: Partial<ProviderLimits>) => invoker(() => OK, { limits: limits(changes) });
const invoke = (executor: FaasInvoker, changes = {}) => executor.invoke(callOf(changes), callContext());

/** Failover says who answered. */
const answeredBy = (provider: string, result: JobResult): JobResult => ({
  ...result,
  metrics: { ...result.metrics, provider },
});

describe('failover', () => {
  it('says who answered, also through another failover', async () => {
    const dark = scripted(failure('UNAVAILABLE', 'no'));
    const inner = failover([dark, invoker(() => OK, { provider: 'spare' })]);
    expect(await invoke(failover([dark, inner]))).toEqual(answeredBy('spare', OK));
  });

  it('asks the first executor only while it answers', async () => {
    const [a, b] = [scripted(OK), scripted(OK)];
    await invoke(failover([a, b]));
    expect([a.calls.length, b.calls.length]).toEqual([1, 0]);
  });

  it.each(['UNAVAILABLE', 'THROTTLED', 'TIMEOUT', 'REJECTED', 'AUTH', 'NOT_FOUND'] as const)(
    'asks the next one after %s that did not run, with the same call id',
    async (code) => {
      const [a, b] = [scripted(failure(code, 'no')), scripted(OK)];
      expect(await invoke(failover([a, b]))).toEqual(answeredBy('fake', OK));
      expect(b.calls[0]?.call).toMatchObject({ callId: 'call-1', attempt: 2 });
    },
  );

  it.each([
    ['FUNCTION_ERROR', 'yes'],
    ['INVALID_REQUEST', 'no'],
    ['CANCELLED', 'no'],
    ['UNAVAILABLE', 'maybe'],
  ] as const)('does not ask the next one after %s that ran: %s', async (code, executed) => {
    const [a, b] = [scripted(failure(code, executed)), scripted(OK)];
    expect(await errorOf(invoke(failover([a, b])))).toMatchObject({ code, executed });
    expect(b.calls).toHaveLength(0);
  });

  it('asks the next one after a doubtful failure of an idempotent job', async () => {
    const [a, b] = [scripted(failure('UNAVAILABLE', 'maybe')), scripted(OK)];
    expect(await invoke(failover([a, b]), { idempotent: true })).toEqual(answeredBy('fake', OK));
  });

  it('tells every failure when all fail, and speaks for all of them', async () => {
    const a = scripted(failure('UNAVAILABLE', 'maybe', { provider: 'a' }));
    const b = scripted(failure('THROTTLED', 'no', { provider: 'b' }));
    const error = await errorOf(invoke(failover([a, b]), { idempotent: true }));
    expect(error).toMatchObject({ code: 'THROTTLED', executed: 'maybe', provider: 'b' });
    expect(error.message).toMatch(/a: scripted UNAVAILABLE.*b: scripted THROTTLED/);
  });

  it('gives each executor its own time', async () => {
    const executor = failover([hanging('no'), scripted(OK)], { attemptTimeoutMs: 20 });
    expect(await invoke(executor)).toEqual(answeredBy('fake', OK));
  });

  it('drops the late answer of an executor that was given up', async () => {
    const late = invoker(
      (_call, context) => new Promise((resolve) => context.onCancel(() => setTimeout(resolve, 60, OK))),
    );
    const second = { ...OK, result: Uint8Array.of(2) };
    const executor = failover([late, scripted(second)], { attemptTimeoutMs: 10 });
    expect(await invoke(executor, { idempotent: true })).toEqual(answeredBy('fake', second));
  });

  it('stops when the call is cancelled', async () => {
    const context = new CallScope();
    const b = scripted(OK);
    const outcome = errorOf(failover([hanging('no'), b]).invoke(callOf(), context));
    context.cancel(cancelReason());
    expect(await outcome).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    expect(b.calls).toHaveLength(0);
  });

  it('names its executors and closes them all, even when one fails to', async () => {
    const [a, b] = [invoker(() => OK, { provider: 'a' }), invoker(() => OK, { provider: 'b' })];
    const broken: FaasInvoker = { ...a, provider: 'broken', close: () => Promise.reject(new Error('stuck')) };
    const executor = failover([broken, b]);
    expect(executor.provider).toBe('failover(broken, b)');
    await expect(executor.close?.()).rejects.toThrow('stuck');
    expect(b.closed).toBe(1);
  });

  it('states the limits that suit all executors', () => {
    const combined = failover([
      withLimits({
        maxPayloadBytes: 100,
        memoryMb: { min: 128, max: 10_240, step: 64 },
        namePattern: /^[a-z]+$/,
      }),
      withLimits({
        maxPayloadBytes: 50,
        memoryMb: { min: 100, max: 8192 },
        namePattern: /^.{1,5}$/,
        source: 'b',
      }),
    ]).limits;
    expect(combined).toMatchObject({
      maxPayloadBytes: 50,
      memoryMb: { min: 128, max: 8192, step: 64 },
      source: 'a; b',
    });
    expect(combined.maxResultBytes).toBeUndefined();
    const names = ['abc', 'abcdef', 'AB'].map((name) => combined.namePattern?.test(name));
    expect(names).toEqual([true, false, false]);
  });

  it('finds the steps two executors share, or refuses', () => {
    const both = (one: ProviderLimits['memoryMb'], other: ProviderLimits['memoryMb']) =>
      failover([
        withLimits({ ...(one && { memoryMb: one }) }),
        withLimits({ ...(other && { memoryMb: other }) }),
      ]).limits.memoryMb;
    expect(both({ min: 0, max: 100, step: 4 }, { min: 6, max: 90, step: 6 })).toEqual({
      min: 12,
      max: 90,
      step: 12,
    });
    expect(() => both({ min: 0, max: 10 }, { min: 20, max: 30 })).toThrow(/memoryMb/);
    expect(() => both({ min: 0, max: 100, step: 2 }, { min: 1, max: 100, step: 2 })).toThrow(/memoryMb/);
  });

  it('refuses an empty list at once', () => {
    expect(() => failover([])).toThrow(/at least one/);
  });
});
