import { getEventListeners, once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Expiring } from '../../src/core/deadlines.js';
import { FaasError } from '../../src/core/errors.js';
import { CallScope, ChildScope, callContext, sleep } from '../../src/core/scope.js';
import { delay } from '../support/invoker.js';

const error = (code: FaasError['code'] = 'UNAVAILABLE', executed: FaasError['executed'] = 'no') =>
  new FaasError({ code, executed, message: 'for the test' });

describe('deadlines', () => {
  it('one that is armed while others expire delays nobody', async () => {
    const startMs = performance.now();
    const endedMs: number[] = [];
    class Deadline extends Expiring {
      readonly #then: () => void;
      constructor(then: () => void) {
        super();
        this.#then = then;
      }
      protected onDeadline(): void {
        endedMs.push(performance.now() - startMs);
        this.#then();
      }
    }
    const again = new Deadline(() => {});
    // The first is due at 400 and arms the third then; the second is due at 600.
    new Deadline(() => again.arm(400)).arm(400);
    await delay(200);
    new Deadline(() => {}).arm(400);
    await delay(900);
    expect(endedMs).toHaveLength(3);
    expect(endedMs[1]).toBeLessThan(750);
  });

  class Entry extends Expiring {
    readonly #fire: () => void;
    constructor(fire: () => void) {
      super();
      this.#fire = fire;
    }
    protected override onDeadline(): void {
      this.#fire();
    }
  }
  const entry = (fired: number[], id: number) => new Entry(() => fired.push(id));

  it('fire once, in order of expiry, unless they were removed', async () => {
    const fired: number[] = [];
    const entries = Array.from({ length: 6 }, (_, id) => entry(fired, id));
    for (const [id, one] of entries.entries()) one.arm(id % 2 === 0 ? 30 : 10);
    entries[2]?.disarm();
    entries[2]?.disarm();
    await delay(60);
    expect(fired).toEqual([1, 3, 5, 0, 4]);
    entries[0]?.disarm();
  });

  it('any mix of adding and removing fires exactly what is left', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ timeoutMs: fc.integer({ min: 1, max: 8 }), removed: fc.boolean() }), {
          maxLength: 30,
        }),
        async (plan) => {
          const fired: number[] = [];
          const entries = plan.map((_, id) => entry(fired, id));
          for (const [id, { timeoutMs }] of plan.entries()) entries[id]?.arm(timeoutMs);
          for (const [id, { removed }] of plan.entries()) if (removed) entries[id]?.disarm();
          await delay(25);
          expect(fired.sort((a, b) => a - b)).toEqual(
            plan.flatMap(({ removed }, id) => (removed ? [] : [id])),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  it('never fires one that is Infinity, and one beyond the range of timers does not fire at once', async () => {
    const fired: number[] = [];
    const never = entry(fired, 1);
    const far = entry(fired, 2);
    never.arm(Number.POSITIVE_INFINITY);
    far.arm(2 ** 33);
    await delay(10);
    expect(fired).toEqual([]);
    far.disarm();
  });

  it('that are all different leave nothing behind once they are gone', () => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    const clear = vi.spyOn(globalThis, 'clearTimeout');
    for (let index = 0; index < 5000; index += 1) {
      const one = entry([], index);
      one.arm(1_000_000 + index);
      one.disarm();
    }
    expect(set.mock.calls.length - clear.mock.calls.length).toBeLessThan(100);
    set.mockClear();
    // The constant time-out of a job, the common case, needs no timer a call.
    for (let index = 0; index < 5000; index += 1) {
      const one = entry([], index);
      one.arm(300_000);
      one.disarm();
    }
    expect(set.mock.calls.length).toBeLessThanOrEqual(1);
    set.mockRestore();
    clear.mockRestore();
  });

  it('fire for the others when one throws', async () => {
    const thrown: unknown[] = [];
    const uncaught = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => thrown.push(error));
    const fired: number[] = [];
    entry(fired, 1).arm(20);
    new Entry(() => {
      throw new Error('a bad deadline');
    }).arm(20);
    entry(fired, 2).arm(20);
    await delay(60);
    process.removeAllListeners('uncaughtException');
    for (const listener of uncaught) process.on('uncaughtException', listener);
    expect(thrown.map(String)).toEqual(['Error: a bad deadline']);
    expect(fired).toEqual([1, 2]);
  });
});

describe('scopes', () => {
  it('cancel once: signal, listeners and late listeners get the first reason', () => {
    const scope = new CallScope();
    const heard: string[] = [];
    const leave = scope.onCancel(() => heard.push('left'));
    scope.onCancel(({ code }) => heard.push(`a ${code}`));
    scope.onCancel(({ code }) => heard.push(`b ${code}`));
    leave();
    expect(scope.cancel(error('TIMEOUT'))).toBe(true);
    expect(scope.cancel(error('CANCELLED'))).toBe(false);
    scope.onCancel(({ code }) => heard.push(`late ${code}`));
    expect(heard.slice(0, 2).sort()).toEqual(['a TIMEOUT', 'b TIMEOUT']);
    expect(heard.slice(2)).toEqual(['late TIMEOUT']);
    expect(scope.signal.aborted).toBe(true);
    expect(scope.signal.reason).toMatchObject({ code: 'TIMEOUT' });
  });

  it('a listener that throws silences neither the others nor the calls with the same time-out', async () => {
    const warned = once(process, 'warning');
    const heard: string[] = [];
    const [bad, good] = [new CallScope(), new CallScope()];
    bad.onCancel(() => {
      throw new Error('socket already closed');
    });
    bad.onCancel(() => heard.push('second listener'));
    good.onCancel(() => heard.push('second call'));
    for (const scope of [bad, good]) scope.arm(10);
    await delay(40);
    expect(heard).toEqual(['second listener', 'second call']);
    expect(String(await warned)).toContain('socket already closed');
  });

  it('a child ends with its parent, and on its own without it', async () => {
    const parent = new CallScope();
    const first = new ChildScope(parent, 5);
    const second = new ChildScope(parent);
    await delay(20);
    expect(first.reason?.code).toBe('TIMEOUT');
    expect(parent.reason).toBeUndefined();
    parent.cancel(error('CANCELLED'));
    expect(second.reason?.code).toBe('CANCELLED');
  });

  it('a disposed child no longer hears its parent', () => {
    const parent = new CallScope();
    const child = new ChildScope(parent, 1000);
    child.dispose();
    parent.cancel(error());
    expect(child.reason).toBeUndefined();
  });

  it('sleep ends early with the reason', async () => {
    const scope = new CallScope();
    const nap = sleep(60_000, scope);
    scope.cancel(error('CANCELLED'));
    await expect(nap).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(sleep(60_000, scope)).rejects.toMatchObject({ code: 'CANCELLED' });
    await sleep(1, new CallScope());
  });

  it('callContext follows an AbortSignal and a time limit', async () => {
    const controller = new AbortController();
    const scope = callContext({ signal: controller.signal, timeoutMs: 60_000 });
    expect(scope.deadline).toBeGreaterThan(Date.now());
    controller.abort(new Error('enough'));
    expect(scope.reason).toMatchObject({ code: 'CANCELLED', cause: { message: 'enough' } });
    const brief = callContext({ timeoutMs: 5 });
    await delay(20);
    expect(brief.reason?.code).toBe('TIMEOUT');
    const far = callContext({ timeoutMs: 2 ** 33 });
    await delay(5);
    expect(far.reason).toBeUndefined();
    expect(callContext({ signal: controller.signal }).reason?.code).toBe('CANCELLED');
  });
});

describe('a context for a call made by hand', () => {
  it('lets go of timer and signal at the end of its block, and when it is cancelled', async () => {
    const { signal } = new AbortController();
    const kept: CallScope[] = [];
    {
      using context = callContext({ signal, timeoutMs: 10 });
      kept.push(context);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const forgotten = callContext({ signal, timeoutMs: 10 });
    await delay(30);
    expect(kept[0]?.reason).toBeUndefined();
    expect(forgotten.reason?.code).toBe('TIMEOUT');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('keeps no process alive', () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    callContext({ timeoutMs: 60_000 });
    expect(timers()).toBe(before);
  });
});
