import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { PlatformError } from '../src/domain/errors.js';
import { type Replica, Replicas } from '../src/pool/replicas.js';
import { NotReached } from '../src/runtimes/call-failures.js';
import { eventually } from './support/platform.js';

/** An instance that ends when the test says so. */
class Fake implements Replica {
  readonly #end = Promise.withResolvers<string>();
  readonly ended = this.#end.promise;
  isDestroyed = false;
  destroyMs = 0;

  end(why: string): void {
    this.#end.resolve(why);
  }

  async destroy(): Promise<void> {
    this.isDestroyed = true;
    this.#end.resolve('destroyed');
    if (this.destroyMs > 0) await new Promise((resolve) => setTimeout(resolve, this.destroyMs));
  }
}

class Nursery {
  readonly made: Fake[] = [];
  startMs = 5;
  destroyMs = 0;
  /** The next starts fail for these reasons. */
  readonly failures: string[] = [];

  readonly start = async (): Promise<Fake> => {
    await new Promise((resolve) => setTimeout(resolve, this.startMs));
    const reason = this.failures.shift();
    if (reason !== undefined) throw new PlatformError('EXECUTION_ERROR', reason, { details: { reason } });
    const fake = new Fake();
    fake.destroyMs = this.destroyMs;
    this.made.push(fake);
    return fake;
  };

  get alive(): number {
    return this.made.filter((one) => !one.isDestroyed).length;
  }
}

const forever = new AbortController().signal;

describe('the instances of a version', () => {
  it('are as many as are wanted, and are replaced when they end', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 2 });
    await eventually(() => replicas.ready === 2, 'two');
    nursery.made[0]?.end('it fell over');
    await eventually(() => replicas.ready === 2 && nursery.made.length === 3, 'two again');
    expect(replicas.reason).toBeUndefined();
    await replicas.close();
    expect(nursery.alive).toBe(0);
  });

  it('share requests by how little they have to do', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 3 });
    await eventually(() => replicas.ready === 3, 'three');
    const open = Promise.withResolvers<void>();
    const lent: Fake[] = [];
    const uses = Array.from({ length: 6 }, () =>
      replicas.use(
        async (one) => {
          lent.push(one);
          await open.promise;
        },
        1000,
        forever,
      ),
    );
    await eventually(() => lent.length === 6, 'all are lent');
    expect(nursery.made.map((one) => lent.filter((other) => other === one).length)).toEqual([2, 2, 2]);
    expect(replicas.inflight).toBe(6);
    open.resolve();
    await Promise.all(uses);
    expect(replicas.inflight).toBe(0);
    await replicas.close();
  });

  it('that never start leave the version failed, with the reason, and nobody waits for them', async () => {
    const nursery = new Nursery();
    nursery.failures.push('no such module');
    const replicas = new Replicas({ start: nursery.start, replicas: 1 });
    await expect(replicas.settled).rejects.toThrow('no such module');
    expect(replicas.reason).toBe('no such module');
    await expect(replicas.use(async () => 1, 60_000, forever)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'no',
      details: { reason: 'no such module' },
    });
    expect(nursery.made).toHaveLength(0);
    await replicas.close();
  });

  it('that ran once are started again and again, and the version recovers', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 1 });
    await replicas.settled;
    nursery.failures.push('a', 'b', 'c');
    nursery.made[0]?.end('it fell over');
    await eventually(() => replicas.reason !== undefined, 'it counts as failed');
    await eventually(() => replicas.ready === 1, 'it is back');
    expect(replicas.reason).toBeUndefined();
    await replicas.close();
  });

  it('a request waits for the first instance, for as long as it may', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 1 });
    expect(await replicas.use(async () => 'lent', 5000, forever)).toBe('lent');
    replicas.scale(0);
    await expect(replicas.use(async () => 1, 20, forever)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const cancelled = AbortSignal.abort(new PlatformError('UNAVAILABLE', 'gone'));
    await expect(replicas.use(async () => 1, 20, cancelled)).rejects.toThrow('gone');
    await replicas.close();
  });

  it('an instance in which a request ran out of time is lent no more, but finishes what it has', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 1 });
    await replicas.settled;
    const open = Promise.withResolvers<void>();
    const slow = replicas.use(() => open.promise, 1000, forever);
    await expect(
      replicas.use(() => Promise.reject(new PlatformError('TIMEOUT', 'late')), 1000, forever),
    ).rejects.toThrow('late');
    const next = await replicas.use(async (one) => one, 5000, forever);
    expect(next).not.toBe(nursery.made[0]);
    expect(nursery.made[0]?.isDestroyed).toBe(false);
    open.resolve();
    await slow;
    await eventually(() => nursery.made[0]?.isDestroyed === true, 'it is put away');
    await replicas.close();
  });

  it('a request that never reached its instance goes to another one', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 1 });
    await replicas.settled;
    const asked: Fake[] = [];
    const work = async (one: Fake): Promise<string> => {
      asked.push(one);
      if (asked.length < 3) throw new NotReached('it is gone');
      return 'answered';
    };
    expect(await replicas.use(work, 10_000, forever)).toBe('answered');
    expect(new Set(asked).size).toBe(3);
    expect(asked.slice(0, 2).every((one) => one.isDestroyed)).toBe(true);
    await replicas.close();
  });

  it('close lets requests finish, and takes no more', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 2 });
    await eventually(() => replicas.ready === 2, 'two');
    const open = Promise.withResolvers<string>();
    const slow = replicas.use(() => open.promise, 1000, forever);
    const closed = replicas.close();
    await expect(replicas.use(async () => 1, 1000, forever)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(nursery.alive).toBeGreaterThan(0);
    open.resolve('done');
    expect(await slow).toBe('done');
    await closed;
    expect(nursery.alive).toBe(0);
  });

  it('scaling down ends what is too many, and one that is being started is not kept', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 4 });
    await replicas.settled;
    replicas.scale(1);
    await eventually(() => replicas.ready === 1 && nursery.alive === 1, 'one is left');
    replicas.scale(0);
    await eventually(() => nursery.alive === 0, 'none is left');
    await replicas.close();
  });

  it('a request that its caller gave up keeps its place, and is no reason to replace the instance', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 1, maxInflight: 1 });
    await replicas.settled;
    const open = Promise.withResolvers<void>();
    const caller = new AbortController();
    const given = replicas.use(() => open.promise, 1000, caller.signal);
    await eventually(() => replicas.inflight === 1, 'it is asked');
    caller.abort(new PlatformError('TIMEOUT', 'no patience'));
    await expect(given).rejects.toThrow('no patience');
    expect(replicas.inflight).toBe(1);
    await expect(replicas.use(async () => 1, 1000, forever)).rejects.toMatchObject({ code: 'THROTTLED' });
    open.resolve();
    await eventually(() => replicas.inflight === 0, 'it is over');
    expect(await replicas.use(async (one) => one, 1000, forever)).toBe(nursery.made[0]);
    await replicas.close();
  });

  it('an instance that does not get over an abandoned request is replaced', async () => {
    const nursery = new Nursery();
    const replicas = new Replicas({ start: nursery.start, replicas: 1 });
    await replicas.settled;
    const limit = Promise.withResolvers<void>();
    const given = replicas.use(() => limit.promise, 1000, AbortSignal.timeout(10));
    await expect(given).rejects.toThrow();
    limit.reject(new PlatformError('TIMEOUT', 'stuck'));
    await eventually(() => nursery.made[0]?.isDestroyed === true, 'it is put away');
    expect(await replicas.use(async (one) => one, 1000, forever)).toBe(nursery.made[1]);
    await replicas.close();
  });
});

describe('in any order of events', () => {
  afterEach(() => vi.useRealTimers());

  const ms = fc.nat({ max: 120 });
  const events = fc.array(
    fc.oneof(
      fc.record({ do: fc.constant('scale' as const), replicas: fc.nat({ max: 3 }) }),
      fc.record({ do: fc.constant('wait' as const), ms }),
      fc.record({ do: fc.constant('end' as const), at: fc.nat({ max: 9 }) }),
      fc.record({ do: fc.constant('fail' as const) }),
      fc.record({
        do: fc.constant('use' as const),
        workMs: ms,
        end: fc.constantFrom('answer' as const, 'time-out' as const, 'not-reached' as const),
        callerMs: ms,
      }),
    ),
    { maxLength: 15 },
  );

  const work =
    ({ workMs, end }: { workMs: number; end: string }) =>
    async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, workMs));
      if (end === 'time-out') throw new PlatformError('TIMEOUT', 'stuck');
      if (end === 'not-reached') throw new NotReached('it is gone');
    };

  it('there are in the end as many instances as are wanted, with nothing to do, and every caller knows', async () => {
    vi.useFakeTimers();
    const check = async (replicas: number, startMs: number, destroyMs: number, steps: Steps) => {
      const nursery = Object.assign(new Nursery(), { startMs, destroyMs });
      const all = new Replicas({ start: nursery.start, replicas, maxInflight: 2 });
      const [asked, answered] = [[] as unknown[], [] as unknown[]];
      for (const step of steps) {
        if (step.do === 'scale') all.scale(step.replicas);
        if (step.do === 'wait') await vi.advanceTimersByTimeAsync(step.ms);
        if (step.do === 'end') all.all()[step.at]?.end('it fell over');
        if (step.do === 'fail') nursery.failures.push('no start');
        if (step.do === 'use') {
          const caller = new AbortController();
          setTimeout(() => caller.abort(new PlatformError('TIMEOUT', 'no patience')), step.callerMs);
          asked.push(step);
          const told = (): unknown => answered.push(step);
          all.use(work(step), 1000, caller.signal).then(told, told);
        }
      }
      nursery.failures.length = 0;
      await vi.advanceTimersByTimeAsync(60_000);
      expect([answered.length, all.inflight]).toEqual([asked.length, 0]);
      // Code that never ran is tried again only when somebody asks for it.
      if (all.reason === undefined || nursery.made.length > 0) {
        expect(all.ready).toBe(all.wanted);
        expect(nursery.alive).toBe(all.wanted);
      }
      const closed = all.close();
      await vi.advanceTimersByTimeAsync(1000);
      await closed;
      expect(nursery.alive).toBe(0);
    };
    type Steps = typeof events extends fc.Arbitrary<infer Value> ? Value : never;
    await fc.assert(fc.asyncProperty(fc.nat({ max: 3 }), ms, ms, events, check), {
      numRuns: 300,
      examples: [
        // Wanted again while the one that nobody wanted was being put away.
        [
          1,
          100,
          50,
          [
            { do: 'wait', ms: 50 },
            { do: 'scale', replicas: 0 },
            { do: 'wait', ms: 70 },
            { do: 'scale', replicas: 1 },
          ],
        ],
      ],
    });
  });
});
