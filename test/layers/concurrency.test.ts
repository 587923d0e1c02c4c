import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FaasInvoker } from '../../src/core/executor.js';
import type { JobResult } from '../../src/core/job.js';
import { CallScope, callContext } from '../../src/core/scope.js';
import { concurrency, withLayers } from '../../src/layers/index.js';
import { seededRandom } from '../../src/testing/seeded-random.js';
import { callOf, cancelReason, errorOf, failure, invoker, OK } from './invokers.js';

/** An executor whose calls end when the test says so, in the order they arrived. */
function gated() {
  const open: ((result: JobResult) => void)[] = [];
  const inner = invoker(() => new Promise<JobResult>((resolve) => open.push(resolve)));
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { inner, open, turn, finishOne: () => open.shift()?.(OK) };
}

const invoke = (executor: FaasInvoker, callId = 'call', context = callContext()) =>
  executor.invoke(callOf({ callId }), context);

describe('concurrency with a fixed limit', () => {
  it('sends at most `max` calls at once, the others in the order they came', async () => {
    const { inner, open, turn, finishOne } = gated();
    const executor = withLayers(inner, concurrency({ max: 2 }));
    const all = ['a', 'b', 'c', 'd', 'e'].map((id) => invoke(executor, id));
    await turn();
    expect(inner.calls).toHaveLength(2);
    while (open.length > 0) {
      expect(open.length).toBeLessThanOrEqual(2);
      finishOne();
      await turn();
    }
    await Promise.all(all);
    expect(inner.calls.map(({ call }) => call.callId)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('rejects when the queue is full, and says that the call did not run', async () => {
    const { inner, finishOne, turn } = gated();
    const executor = withLayers(inner, concurrency({ max: 1, queueSize: 1 }));
    const [running, waiting] = [invoke(executor), invoke(executor)];
    expect(await errorOf(invoke(executor))).toMatchObject({
      code: 'REJECTED',
      executed: 'no',
      provider: 'fake',
    });
    finishOne();
    await turn();
    finishOne();
    await Promise.all([running, waiting]);
  });

  it('lets a cancelled waiter leave its place to the next', async () => {
    const { inner, finishOne, turn } = gated();
    const executor = withLayers(inner, concurrency({ max: 1 }));
    const context = new CallScope();
    const first = invoke(executor, 'first');
    const impatient = errorOf(invoke(executor, 'impatient', context));
    const patient = invoke(executor, 'patient');
    context.cancel(cancelReason());
    expect(await impatient).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    finishOne();
    await first;
    await turn();
    finishOne();
    await patient;
    expect(inner.calls.map(({ call }) => call.callId)).toEqual(['first', 'patient']);
  });

  it('frees the place of a call that failed', async () => {
    const inner = invoker(() => failure('UNAVAILABLE', 'no'));
    const executor = withLayers(inner, concurrency({ max: 1 }));
    for (let index = 0; index < 3; index++) await errorOf(invoke(executor));
    expect(inner.calls).toHaveLength(3);
  });

  it('limits each executor on its own', async () => {
    const layer = concurrency({ max: 1 });
    const [a, b] = [gated(), gated()];
    const calls = [invoke(withLayers(a.inner, layer)), invoke(withLayers(b.inner, layer))];
    await a.turn();
    expect([a.open.length, b.open.length]).toEqual([1, 1]);
    a.finishOne();
    b.finishOne();
    await Promise.all(calls);
  });

  it('refuses options out of range at once', () => {
    expect(() => concurrency({ max: 0 })).toThrow(/max/);
    expect(() => concurrency({})).toThrow(/either max/);
    expect(() => concurrency({ max: 1, adaptive: { min: 1, max: 2, initial: 1 } })).toThrow(/either max/);
    expect(() => concurrency({ adaptive: { min: 0, max: 2, initial: 1 } })).toThrow(/adaptive.min/);
    expect(() => concurrency({ adaptive: { min: 1, max: 2, initial: 3 } })).toThrow(/adaptive.initial/);
  });
});

describe('concurrency that adapts', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A provider with a hidden capacity, under more load than it can take, in virtual time. */
  function world(options: { capacity: number; seed: number; queues?: boolean }) {
    const random = seededRandom(options.seed);
    const state = { capacity: options.capacity, active: 0, sent: 0, refused: 0, levelSum: 0, stop: false };
    const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const inner = invoker(async () => {
      state.sent += 1;
      const workMs = 40 + random() * 20;
      if (state.active >= state.capacity && options.queues !== true) {
        state.refused += 1;
        await wait(5);
        throw failure('THROTTLED', 'no');
      }
      state.active += 1;
      state.levelSum += state.active;
      // A provider that queues instead of refusing answers later, the more it has to do.
      await wait(workMs * Math.max(1, state.active / state.capacity));
      state.active -= 1;
      return OK;
    });
    const executor = withLayers(inner, concurrency({ adaptive: { min: 1, max: 200, initial: 5 } }));
    const worker = async () => {
      while (!state.stop) {
        try {
          await executor.invoke(callOf(), new CallScope());
        } catch {
          await wait(10);
        }
      }
    };
    const workers = Array.from({ length: 120 }, worker);
    /** Lets `seconds` pass and returns the mean level of calls in flight and the share of refusals in them. */
    const pass = async (seconds: number) => {
      Object.assign(state, { sent: 0, refused: 0, levelSum: 0 });
      await vi.advanceTimersByTimeAsync(seconds * 1000);
      return { level: state.levelSum / (state.sent - state.refused), refusals: state.refused / state.sent };
    };
    const end = async () => {
      state.stop = true;
      await vi.advanceTimersByTimeAsync(60_000);
      await Promise.all(workers);
    };
    return { state, pass, end };
  }

  it.each([1, 2, 3])(
    'finds a hidden capacity of 37 and follows it to 11 and back (seed %i)',
    async (seed) => {
      const { state, pass, end } = world({ capacity: 37, seed });
      for (const capacity of [37, 11, 37]) {
        state.capacity = capacity;
        await pass(15);
        const settled = await pass(30);
        expect(Math.abs(settled.level - capacity) / capacity).toBeLessThan(0.15);
        expect(settled.refusals).toBeLessThan(0.02);
      }
      await end();
    },
  );

  it('shrinks when a provider queues instead of refusing', async () => {
    const { pass, end } = world({ capacity: 20, seed: 4, queues: true });
    await pass(20);
    const { level } = await pass(30);
    expect(level).toBeLessThan(2.5 * 20);
    expect(level).toBeGreaterThan(20 * 0.5);
    await end();
  });

  it('sends nothing while the provider asked for a pause', async () => {
    let refuse = true;
    const startsMs: number[] = [];
    const inner = invoker(() => {
      startsMs.push(performance.now());
      return refuse ? failure('THROTTLED', 'no', { retryAfterMs: 3000 }) : OK;
    });
    const executor = withLayers(inner, concurrency({ adaptive: { min: 1, max: 8, initial: 4 } }));
    await errorOf(executor.invoke(callOf(), new CallScope()));
    refuse = false;
    const next = executor.invoke(callOf(), new CallScope());
    await vi.advanceTimersByTimeAsync(2900);
    expect(startsMs).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(await next).toBe(OK);
    expect((startsMs[1] ?? 0) - (startsMs[0] ?? 0)).toBeGreaterThanOrEqual(3000);
  });
});
