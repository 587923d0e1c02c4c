import { describe, expect, it } from 'vitest';
import type { FaasInvoker } from '../../src/core/executor.js';
import type { JobResult } from '../../src/core/job.js';
import { CallScope, callContext } from '../../src/core/scope.js';
import { hedge, withLayers } from '../../src/layers/index.js';
import { callOf, cancelReason, errorOf, failure, invoker, OK } from './invokers.js';

const SECOND: JobResult = { ...OK, result: Uint8Array.of(2) };
const invoke = (executor: FaasInvoker, changes = {}) =>
  executor.invoke(callOf({ idempotent: true, ...changes }), callContext());

/** Teaches the layer the latency of its executor, and fills its budget. */
async function learn(executor: FaasInvoker, calls = 40) {
  for (let index = 0; index < calls; index++) await invoke(executor);
}

describe('hedge', () => {
  it('asks a second time when a call is slower than usual; the first answer wins and the loser is cancelled', async () => {
    let cancelledLoser = false;
    const inner = invoker((call, context, index) => {
      if (index < 40) return OK;
      if (call.attempt > 1) return SECOND;
      return new Promise((_resolve, reject) => {
        context.onCancel((reason) => {
          cancelledLoser = true;
          reject(reason);
        });
      });
    });
    const executor = withLayers(inner, hedge());
    await learn(executor);
    expect(await invoke(executor)).toBe(SECOND);
    expect(cancelledLoser).toBe(true);
    const [first, second] = inner.calls.slice(40).map(({ call }) => call);
    expect(second).toMatchObject({ callId: first?.callId, attempt: 2 });
  });

  it('never asks twice for a job that is not idempotent', async () => {
    const inner = invoker((_call, _context, index) =>
      index < 40 ? OK : new Promise((resolve) => setTimeout(resolve, 60, OK)),
    );
    const executor = withLayers(inner, hedge());
    await learn(executor);
    await invoke(executor, { idempotent: false });
    expect(inner.calls).toHaveLength(41);
  });

  it('makes at most 5 % extra requests, even when every call is slow', async () => {
    const inner = invoker((_call, _context, index) =>
      index < 40 ? OK : new Promise((resolve) => setTimeout(resolve, 15, OK)),
    );
    const executor = withLayers(inner, hedge());
    await learn(executor);
    const calls = 400;
    for (let round = 0; round < 8; round++) {
      await Promise.all(Array.from({ length: calls / 8 }, () => invoke(executor)));
    }
    const extra = inner.calls.length - calls - 40;
    expect(extra).toBeLessThanOrEqual((calls + 40) * 0.05);
    // Else the bound would hold for a layer that does nothing.
    expect(extra).toBeGreaterThan(0);
  });

  it('waits for the other request when one fails', async () => {
    const inner = invoker((call, _context, index) => {
      if (index < 40) return OK;
      if (call.attempt > 1) return failure('UNAVAILABLE', 'no');
      return new Promise((resolve) => setTimeout(resolve, 60, OK));
    });
    const executor = withLayers(inner, hedge());
    await learn(executor);
    expect(await invoke(executor)).toBe(OK);
    expect(inner.calls).toHaveLength(42);
  });

  it('speaks for both requests when both fail', async () => {
    const inner = invoker((call, _context, index) => {
      if (index < 40) return OK;
      if (call.attempt > 1) return failure('UNAVAILABLE', 'maybe');
      return new Promise((_resolve, reject) => setTimeout(reject, 60, failure('THROTTLED', 'no')));
    });
    const executor = withLayers(inner, hedge());
    await learn(executor);
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'THROTTLED', executed: 'maybe' });
  });

  it('does not hide a quick failure behind a second request', async () => {
    const inner = invoker((_call, _context, index) => (index < 40 ? OK : failure('UNAVAILABLE', 'no')));
    const executor = withLayers(inner, hedge({ minDelayMs: 1000 }));
    await learn(executor);
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(inner.calls).toHaveLength(41);
  });

  it('cancels both requests with the call', async () => {
    const inner = invoker((_call, context, index) =>
      index < 40 ? OK : new Promise((_resolve, reject) => context.onCancel(reject)),
    );
    const executor = withLayers(inner, hedge());
    await learn(executor);
    const context = new CallScope();
    const outcome = errorOf(executor.invoke(callOf({ idempotent: true }), context));
    setTimeout(() => context.cancel(cancelReason()), 50);
    expect(await outcome).toMatchObject({ code: 'CANCELLED' });
    expect(inner.calls).toHaveLength(42);
  });

  it('cuts the slow tail: with 1 % stalls nearly no call has to wait for one', async () => {
    let stalls = 0;
    const inner = invoker((call, context, index) => {
      // Every hundredth first request stalls until it is cancelled.
      if (call.attempt > 1 || index % 100 !== 99) return OK;
      stalls += 1;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, 1000, SECOND);
        context.onCancel((reason) => {
          clearTimeout(timer);
          reject(reason);
        });
      });
    });
    const executor = withLayers(inner, hedge());
    let waited = 0;
    for (let index = 0; index < 2000; index++) if ((await invoke(executor)) === SECOND) waited += 1;
    expect(stalls).toBeGreaterThanOrEqual(19);
    expect(waited).toBe(0);
  });

  it('refuses options out of range at once', () => {
    expect(() => hedge({ percentile: 1 })).toThrow(/percentile/);
    expect(() => hedge({ maxExtraRatio: 0 })).toThrow(/maxExtraRatio/);
  });
});
