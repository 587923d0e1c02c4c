import { describe, expect, it } from 'vitest';
import type { FaasInvoker } from '../../src/core/executor.js';
import { callContext } from '../../src/core/scope.js';
import {
  type CircuitBreakerOptions,
  type CircuitEvent,
  circuitBreaker,
  withLayers,
} from '../../src/layers/index.js';
import { callOf, errorOf, failure, invoker, OK } from './invokers.js';

const down = () => failure('UNAVAILABLE', 'no');

/** A breaker over an executor whose next outcome and clock the test sets. */
function setup(options: CircuitBreakerOptions = {}) {
  const world = { nowMs: 0, next: OK as ReturnType<typeof down> | typeof OK | Promise<typeof OK> };
  const inner = invoker(() => world.next);
  const events: string[] = [];
  const executor = withLayers(
    inner,
    circuitBreaker({
      failureThreshold: 3,
      windowMs: 1000,
      halfOpenAfterMs: 500,
      now: () => world.nowMs,
      onStateChange: ({ from, to }: CircuitEvent) => events.push(`${from} -> ${to}`),
      ...options,
    }),
  );
  return { world, inner, events, executor };
}

const invoke = (executor: FaasInvoker, changes = {}) => executor.invoke(callOf(changes), callContext());

async function fail(executor: FaasInvoker, times: number) {
  for (let index = 0; index < times; index++) await errorOf(invoke(executor));
}

describe('circuitBreaker', () => {
  it('opens after the threshold and rejects without sending', async () => {
    const { world, inner, executor, events } = setup();
    world.next = down();
    await fail(executor, 3);
    const error = await errorOf(invoke(executor));
    expect(error).toMatchObject({ code: 'REJECTED', executed: 'no', retryAfterMs: 500, provider: 'fake' });
    expect(inner.calls).toHaveLength(3);
    expect(events).toEqual(['closed -> open']);
  });

  it('counts faults in a row: an answer in between starts anew', async () => {
    const { world, executor, events } = setup();
    for (let round = 0; round < 5; round++) {
      world.next = down();
      await fail(executor, 2);
      world.next = OK;
      await invoke(executor);
    }
    expect(events).toEqual([]);
  });

  it('forgets faults that are older than the window', async () => {
    const { world, executor, events } = setup();
    world.next = down();
    await fail(executor, 2);
    world.nowMs = 1001;
    await fail(executor, 2);
    expect(events).toEqual([]);
  });

  it.each([
    ['FUNCTION_ERROR', 'yes'],
    ['INVALID_REQUEST', 'no'],
    ['THROTTLED', 'no'],
    ['CANCELLED', 'maybe'],
    ['TIMEOUT', 'yes'],
    ['NOT_FOUND', 'no'],
  ] as const)('never opens for %s that ran: %s', async (code, executed) => {
    const { world, executor, events } = setup();
    world.next = failure(code, executed);
    await fail(executor, 10);
    expect(events).toEqual([]);
  });

  it.each([
    ['UNAVAILABLE', 'maybe'],
    ['TIMEOUT', 'maybe'],
    ['PROTOCOL', 'yes'],
  ] as const)('opens for %s that ran: %s', async (code, executed) => {
    const { world, executor, events } = setup();
    world.next = failure(code, executed);
    await fail(executor, 3);
    expect(events).toEqual(['closed -> open']);
  });

  it('lets exactly one probe through after the wait, and closes when it is answered', async () => {
    const { world, inner, executor, events } = setup();
    world.next = down();
    await fail(executor, 3);
    world.nowMs = 500;
    let answer: (result: typeof OK) => void = () => {};
    world.next = new Promise((resolve) => {
      answer = resolve;
    });
    const probe = invoke(executor);
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'REJECTED', retryAfterMs: 50 });
    expect(inner.calls).toHaveLength(4);
    answer(OK);
    await probe;
    world.next = OK;
    await invoke(executor);
    expect(events).toEqual(['closed -> open', 'open -> half-open', 'half-open -> closed']);
  });

  it('opens again when the probe fails', async () => {
    const { world, executor, events } = setup();
    world.next = down();
    await fail(executor, 3);
    world.nowMs = 500;
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'UNAVAILABLE' });
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'REJECTED', retryAfterMs: 500 });
    expect(events.at(-1)).toBe('half-open -> open');
  });

  it('probes again at once when the probe was cancelled: it said nothing', async () => {
    const { world, executor } = setup();
    world.next = down();
    await fail(executor, 3);
    world.nowMs = 500;
    world.next = failure('CANCELLED', 'maybe');
    await fail(executor, 1);
    world.next = OK;
    expect(await invoke(executor)).toBe(OK);
  });

  it('ignores answers to calls from before it opened', async () => {
    const { world, executor, events } = setup();
    let answer: (result: typeof OK) => void = () => {};
    world.next = new Promise((resolve) => {
      answer = resolve;
    });
    const early = invoke(executor);
    world.next = down();
    await fail(executor, 3);
    answer(OK);
    await early;
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'REJECTED' });
    expect(events).toEqual(['closed -> open']);
  });

  it('keeps one circuit for each job and each executor', async () => {
    const { world, executor } = setup();
    world.next = down();
    await fail(executor, 3);
    world.next = OK;
    expect(await invoke(executor, { jobId: 2 })).toBe(OK);
    expect(await errorOf(invoke(executor))).toMatchObject({ code: 'REJECTED' });
  });

  it('takes another idea of a failure', async () => {
    const { world, executor, events } = setup({ isFailure: (error) => error.code === 'THROTTLED' });
    world.next = failure('THROTTLED', 'no');
    await fail(executor, 3);
    expect(events).toEqual(['closed -> open']);
  });

  it('refuses options out of range at once', () => {
    expect(() => circuitBreaker({ failureThreshold: 0 })).toThrow(/failureThreshold/);
    expect(() => circuitBreaker({ halfOpenAfterMs: 0 })).toThrow(/halfOpenAfterMs/);
  });
});
