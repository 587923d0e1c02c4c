// What must hold for every layer and every sequence of outcomes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FaasError, type FaasErrorCode } from '../../src/core/errors.js';
import type { FaasInvoker } from '../../src/core/executor.js';
import { CallScope, callContext } from '../../src/core/scope.js';
import {
  circuitBreaker,
  concurrency,
  failover,
  hedge,
  type Layer,
  retry,
  timeout,
  withLayers,
} from '../../src/layers/index.js';
import { callOf, cancelReason, errorOf, failure, hanging, OK, scripted } from './invokers.js';

const code = fc.constantFrom<FaasErrorCode>(
  'THROTTLED',
  'UNAVAILABLE',
  'TIMEOUT',
  'PROTOCOL',
  'FUNCTION_ERROR',
  'NOT_FOUND',
  'REJECTED',
  'CONFLICT',
  'AUTH',
);
const failed = fc
  .record({ code, executed: fc.constantFrom('no', 'maybe', 'yes') })
  .map(({ code, executed }) => failure(code, executed as 'no' | 'maybe' | 'yes'));
const outcomes = fc.array(fc.oneof(failed, fc.constant(OK)), { minLength: 1, maxLength: 8 });

const layers: Record<string, () => Layer[]> = {
  timeout: () => [timeout({ timeoutMs: 60_000 })],
  retry: () => [retry({ minDelayMs: 0, attempts: 4 })],
  'circuit breaker': () => [circuitBreaker()],
  'fixed concurrency': () => [concurrency({ max: 2 })],
  'adaptive concurrency': () => [concurrency({ adaptive: { min: 1, max: 8, initial: 2 } })],
  hedge: () => [hedge()],
  failover: () => [(inner) => failover([inner, inner, inner])],
  'retry over failover': () => [retry({ minDelayMs: 0, attempts: 2 }), (inner) => failover([inner, inner])],
  everything: () => [
    timeout({ timeoutMs: 60_000 }),
    retry({ minDelayMs: 0, attempts: 4 }),
    circuitBreaker(),
    concurrency({ max: 4 }),
    hedge(),
  ],
};
const MOST_REQUESTS: Record<string, number> = {
  retry: 4,
  failover: 3,
  'retry over failover': 4,
  everything: 4,
};

describe.each(Object.entries(layers))('%s', (name, make) => {
  it('never sends a call that is not idempotent again once it might have run', async () => {
    await fc.assert(
      fc.asyncProperty(outcomes, async (script) => {
        const inner = scripted(...script);
        const executor = withLayers(inner, ...make());
        await executor.invoke(callOf(), callContext()).catch(() => {});
        const answers = inner.calls.map((_call, index) => script[Math.min(index, script.length - 1)]);
        const mightHaveRun = answers.findIndex((answer) => !FaasError.is(answer) || answer.executed !== 'no');
        if (mightHaveRun >= 0) expect(answers.length).toBe(mightHaveRun + 1);
      }),
    );
  });

  it('keeps the call id, and sends no more requests than its policy says', async () => {
    await fc.assert(
      fc.asyncProperty(
        outcomes,
        fc.boolean(),
        fc.string({ minLength: 1 }),
        async (script, idempotent, callId) => {
          const inner = scripted(...script);
          const executor = withLayers(inner, ...make());
          await executor.invoke(callOf({ idempotent, callId }), callContext()).catch(() => {});
          expect(inner.calls.every(({ call }) => call.callId === callId)).toBe(true);
          expect(inner.calls.length).toBeLessThanOrEqual(MOST_REQUESTS[name] ?? 1);
        },
      ),
    );
  });

  it('never claims that nothing ran when a request might have', async () => {
    await fc.assert(
      fc.asyncProperty(outcomes, fc.boolean(), async (script, idempotent) => {
        const inner = scripted(...script);
        const executor = withLayers(inner, ...make());
        const outcome = await executor
          .invoke(callOf({ idempotent }), callContext())
          .catch((error: unknown) => error);
        if (!FaasError.is(outcome) || outcome.executed !== 'no') return;
        const answers = inner.calls.map((_call, index) => script[Math.min(index, script.length - 1)]);
        expect(answers.every((answer) => FaasError.is(answer) && answer.executed === 'no')).toBe(true);
      }),
    );
  });

  it('settles as soon as the call is cancelled, without waiting for any timer', async () => {
    const context = new CallScope();
    const outcome = errorOf(
      withLayers(hanging('maybe'), ...make()).invoke(callOf({ idempotent: true }), context),
    );
    await turns(3);
    let settled = false;
    const done = outcome.then((error) => {
      settled = true;
      return error;
    });
    context.cancel(cancelReason());
    await turns(3);
    expect(settled).toBe(true);
    expect(await done).toMatchObject({ code: 'CANCELLED', executed: 'maybe' });
  });

  it('hears an invoker that throws where it should reject, and leaves nothing behind', async () => {
    const inner: FaasInvoker = {
      ...scripted(),
      invoke: () => {
        throw failure('INVALID_REQUEST', 'no');
      },
    };
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout');
    const before = timers();
    const context = new CallScope();
    const work = withLayers(inner, ...make()).invoke(callOf({ idempotent: true }), context);
    expect(await errorOf(work)).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
    expect(timers()).toEqual(before);
  });

  it('forwards provider, limits and close', async () => {
    const inner = scripted(OK);
    const executor: FaasInvoker = withLayers(inner, ...make());
    expect(executor.provider).toContain('fake');
    expect(executor.limits).toEqual(inner.limits);
    await executor.close?.();
    await executor.close?.();
    expect(inner.closed).toBeGreaterThanOrEqual(2);
  });
});

/** Lets the event loop turn, without time passing. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
