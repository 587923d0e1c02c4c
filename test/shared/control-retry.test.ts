// Loaded here, since the fake clock would run past its first loading.
import 'p-retry';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FaasError } from '../../src/core/errors.js';
import { CallScope } from '../../src/core/scope.js';
import { untilItWorks } from '../../src/executors/shared/control-retry.js';
import { errorOf } from '../layers/invokers.js';

const throttle = (retryAfterMs?: number) =>
  new FaasError({ code: 'THROTTLED', executed: 'no', message: 'It asks to slow down.', retryAfterMs });

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The seconds at which `work` was tried, with failures in turn and then success. */
async function triesOf(failures: readonly (FaasError | undefined)[], timeoutSecs = 600) {
  const startedMs = Date.now();
  const triedSecs: number[] = [];
  const scope = new CallScope(startedMs + timeoutSecs * 1000);
  const outcome = untilItWorks(scope, async () => {
    triedSecs.push((Date.now() - startedMs) / 1000);
    const failure = failures[triedSecs.length - 1];
    if (failure !== undefined) throw failure;
    return 'done';
  }).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(timeoutSecs * 1000);
  return { triedSecs, outcome: await outcome };
}

describe('requests of a control plane that are throttled', () => {
  it('are never repeated before Retry-After', async () => {
    const { triedSecs, outcome } = await triesOf([throttle(60_000), throttle(45_000)]);
    expect(outcome).toBe('done');
    expect(triedSecs).toEqual([0, 60, 105]);
  });

  it('may be throttled for as long as the work may last', async () => {
    const { triedSecs, outcome } = await triesOf(Array(9).fill(throttle(60_000)));
    expect(outcome).toBe('done');
    expect(triedSecs).toHaveLength(10);
  });

  it('fail at once, with both times, when more is asked for than is left', async () => {
    const { triedSecs, outcome } = await triesOf([throttle(60_000), throttle(900_000)]);
    expect(triedSecs).toEqual([0, 60]);
    expect(outcome).toMatchObject({ code: 'THROTTLED', executed: 'no', retryAfterMs: 900_000 });
    expect((outcome as FaasError).message).toMatch(/come back in 900 s, and this work has 540 s left/);
  });

  it.each([undefined, 0])(
    'without a time are given up after six tries (Retry-After %s)',
    async (retryAfterMs) => {
      const { triedSecs, outcome } = await triesOf(Array(20).fill(throttle(retryAfterMs)));
      expect(triedSecs).toHaveLength(6);
      expect(outcome).toMatchObject({ code: 'THROTTLED' });
    },
  );

  it('stop waiting when the scope is cancelled', async () => {
    const scope = new CallScope(Date.now() + 600_000);
    const reason = new FaasError({ code: 'CANCELLED', executed: 'no', message: 'No more.' });
    const waiting = errorOf(untilItWorks(scope, () => Promise.reject(throttle(60_000))));
    await vi.advanceTimersByTimeAsync(1000);
    scope.cancel(reason);
    expect(await waiting).toBe(reason);
  });
});
