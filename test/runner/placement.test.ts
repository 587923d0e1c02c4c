import { describe, expect, it } from 'vitest';
import { defineJob, FaasRegistry, JobRunner, type Layer, type Outcome } from '../../src/index.js';
import { delay, failure, gate, invoker } from '../support/invoker.js';

const job = defineJob({ id: 0, name: 'job', handler: (n: number) => `local ${n}` });

describe('registering while the runner runs', () => {
  it('a call under way keeps its executor; the next one goes to the new place', async () => {
    const first = gate();
    const requests = [gate(), gate(), gate()];
    async function* source() {
      for (const [index, { opened }] of requests.entries()) {
        await opened;
        yield job.call(index);
      }
    }
    const outcomes: Outcome[] = [];
    const old = invoker(async () => {
      await first.opened;
      return 'old';
    });
    const runner = JobRunner.builder()
      .job(job)
      .producer(source)
      .withFaasExecutor(0, old)
      .consumer((outcome) => outcomes.push(outcome))
      .build();
    const run = runner.run();
    requests[0]?.open();
    while (old.calls.length === 0) await delay(1);
    runner.register(
      0,
      invoker(() => 'new', { provider: 'other' }),
    );
    requests[1]?.open();
    while (outcomes.length < 1) await delay(1);
    runner.unregister(0);
    requests[2]?.open();
    while (outcomes.length < 2) await delay(1);
    first.open();
    await run;
    expect(outcomes.map(({ value, ranOn }) => `${value} on ${ranOn}`)).toEqual([
      'new on other',
      'local 2 on local',
      'old on fake',
    ]);
  });

  it('a job that lost its executor and has no handler fails, saying why', async () => {
    const bare = defineJob<1, 'bare', number, number>({ id: 1, name: 'bare' });
    const outcomes: Outcome[] = [];
    const runner = JobRunner.builder()
      .job(bare)
      .producer([bare.call(1)])
      .withFaasExecutor(
        1,
        invoker(() => 1),
      )
      .consumer((outcome) => outcomes.push(outcome))
      .build();
    runner.unregister(1);
    await runner.run();
    expect(outcomes[0]).toMatchObject({ status: 'failed', error: { code: 'CONFIG', executed: 'no' } });
  });

  it('refuses to register a job the runner does not know', () => {
    const runner = JobRunner.builder().job(job).producer([]).build();
    expect(() =>
      runner.register(
        9,
        invoker(() => 1),
      ),
    ).toThrow(/Job 9 is not defined/);
  });
});

describe('the registry', () => {
  const one = invoker(() => 1);
  const two = invoker(() => 2);

  it('registers, replaces, looks up, lists in order and forgets', () => {
    const registry = new FaasRegistry();
    registry.register(300, one);
    registry.register(4, one);
    expect(registry.jobIds()).toEqual([4, 300]);
    expect(registry.isFaasJob(300)).toBe(true);
    expect(registry.isFaasJob(44)).toBe(false);
    expect(() => registry.register(4, two)).toThrow(/replace/);
    expect(registry.replace(4, two)).toBe(one);
    expect(registry.get(4)).toBe(two);
    expect(registry.unregister(4)).toBe(two);
    expect(registry.unregister(4)).toBeUndefined();
    expect(registry.jobIds()).toEqual([300]);
  });

  it.each([-1, 2 ** 32, 1.5, Number.NaN])('refuses the id %s', (id) => {
    expect(() => new FaasRegistry().register(id, one)).toThrow(/not valid/);
  });

  it('refuses what cannot invoke', () => {
    expect(() => new FaasRegistry().register(0, {} as never)).toThrow(/no invoke/);
  });
});

describe('local fallback', () => {
  const careful = defineJob({
    id: 0,
    name: 'job',
    localFallback: true,
    retry: false,
    handler: (n: number) => `local ${n}`,
  });
  const run = async (error: Error, definition = careful) => {
    const outcomes: Outcome[] = [];
    await JobRunner.builder()
      .job(definition)
      .producer([definition.call(1)])
      .withFaasExecutor(
        0,
        invoker(() => {
          throw error;
        }),
      )
      .consumer((outcome) => outcomes.push(outcome as Outcome))
      .run();
    return outcomes[0];
  };

  it('runs the handler when the FaaS certainly did not', async () => {
    expect(await run(failure('UNAVAILABLE', 'no'))).toMatchObject({
      status: 'ok',
      value: 'local 1',
      ranOn: 'local',
      fellBack: true,
      attempts: 2,
    });
  });

  it.each(['maybe', 'yes'] as const)('does not when the function ran: %s', async (executed) => {
    expect(await run(failure('UNAVAILABLE', executed))).toMatchObject({ status: 'failed', fellBack: false });
  });

  it('does not when the job has not asked for it', async () => {
    const strict = defineJob({ id: 0, name: 'job', retry: false, handler: (n: number) => `local ${n}` });
    expect(await run(failure('UNAVAILABLE', 'no'), strict as never)).toMatchObject({ status: 'failed' });
  });
});

describe('limits on what runs at once', () => {
  const counter = () => {
    let now = 0;
    let most = 0;
    return {
      most: () => most,
      handler: async () => {
        now += 1;
        most = Math.max(most, now);
        await delay(2);
        now -= 1;
      },
    };
  };

  it('in all', async () => {
    const { most, handler } = counter();
    const any = defineJob({ id: 0, name: 'any', handler });
    await JobRunner.builder()
      .job(any)
      .producer(Array.from({ length: 40 }, () => any.call()))
      .concurrency(7)
      .run();
    expect(most()).toBe(7);
  });

  it('for one job, without holding the others up', async () => {
    const limited = counter();
    const free = counter();
    const slow = defineJob({ id: 0, name: 'slow', concurrency: 2, handler: limited.handler });
    const quick = defineJob({ id: 1, name: 'quick', handler: free.handler });
    const summary = await JobRunner.builder()
      .job(slow)
      .job(quick)
      .producer(Array.from({ length: 20 }, () => slow.call()))
      .producer(Array.from({ length: 20 }, () => quick.call()))
      .concurrency(40)
      .run();
    expect(limited.most()).toBe(2);
    expect(free.most()).toBeGreaterThan(2);
    expect(summary).toMatchObject({ ok: 40 });
  });

  it('for one executor, over all its jobs', async () => {
    const { most, handler } = counter();
    const a = defineJob({ id: 0, name: 'a', handler: () => 1 });
    const b = defineJob({ id: 1, name: 'b', handler: () => 1 });
    const faas = invoker(handler);
    await JobRunner.builder()
      .job(a)
      .job(b)
      .producer(Array.from({ length: 10 }, () => a.call()))
      .producer(Array.from({ length: 10 }, () => b.call()))
      .withFaasExecutor(0, faas, { concurrency: 3 })
      .withFaasExecutor(1, faas)
      .run();
    expect(most()).toBe(3);
  });

  it('a call whose deadline passes while it waits did not run, and its place in the queue is free', async () => {
    const { opened, open } = gate();
    const single = defineJob({
      id: 0,
      name: 'single',
      concurrency: 1,
      handler: async (n: number) => (n === 0 ? opened : n),
    });
    const outcomes: Outcome[] = [];
    const run = JobRunner.builder()
      .job(single)
      .producer([single.call(0), single.call(1, { deadline: Date.now() + 20 }), single.call(2)])
      .consumer((outcome) => outcomes.push(outcome))
      .run();
    while (outcomes.length === 0) await delay(1);
    expect(outcomes[0]).toMatchObject({
      input: 1,
      status: 'timed-out',
      attempts: 0,
      error: { executed: 'no' },
    });
    open();
    expect(await run).toMatchObject({ ok: 2, timedOut: 1 });
  });
});

describe('layers of the runner', () => {
  /** Wraps no executor called `bad`. */
  const picky: Layer = (inner) => {
    if (inner.provider === 'bad') throw new Error('not with me');
    return inner;
  };

  it('that refuse an executor are heard by register(), and the job stays where it was', async () => {
    const { opened, open } = gate();
    const outcomes: Outcome[] = [];
    const bad = invoker(() => 1, { provider: 'bad' });
    const runner = JobRunner.builder()
      .job(job)
      .producer(async function* () {
        await opened;
        yield job.call(3);
      })
      .layers(picky)
      .consumer((outcome) => outcomes.push(outcome))
      .build();
    const run = runner.run();
    expect(() => runner.register(0, bad)).toThrow('not with me');
    expect(runner.registry.get(0)).toBeUndefined();
    open();
    await run;
    expect(outcomes).toMatchObject([{ status: 'ok', ranOn: 'local' }]);
  });

  it('that refuse an executor put into the registry itself fail each call, and the runner goes on', async () => {
    const outcomes: Outcome[] = [];
    const bad = invoker(() => 1, { provider: 'bad' });
    const runner = JobRunner.builder()
      .job(job)
      .producer(async function* () {
        await delay(1);
        yield job.call(1);
        yield job.call(2);
        runner.registry.unregister(0);
        yield job.call(3);
      })
      .layers(picky)
      .consumer((outcome) => outcomes.push(outcome))
      .build();
    const run = runner.run();
    runner.registry.register(0, bad);
    expect(await run).toMatchObject({ accepted: 3, failed: 2, ok: 1 });
    expect(outcomes[0]?.error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(outcomes[0]?.error?.message).toContain('not with me');
  });

  it('wrap each executor once, the first listed outermost', async () => {
    const order: string[] = [];
    const named =
      (name: string): Layer =>
      (inner) => {
        order.push(`made ${name}`);
        return {
          provider: inner.provider,
          limits: inner.limits,
          invoke: (call, context) => {
            order.push(name);
            return inner.invoke(call, context);
          },
        };
      };
    const other = defineJob({ id: 1, name: 'other', handler: () => 1 });
    const faas = invoker(() => 1);
    await JobRunner.builder()
      .job(job)
      .job(other)
      .producer([job.call(1), other.call()])
      .withFaasExecutor(0, faas)
      .withFaasExecutor(1, faas)
      .layers(named('outer'), named('inner'))
      .run();
    expect(order).toEqual(['made inner', 'made outer', 'outer', 'inner', 'outer', 'inner']);
  });
});

describe('events', () => {
  it('tell the life of a call, and a listener that throws ends nothing', async () => {
    const seen: string[] = [];
    const runner = JobRunner.builder()
      .job(job)
      .producer([job.call(1)])
      .build();
    runner.on('started', () => seen.push('started'));
    runner.on('accepted', ({ jobName }) => seen.push(`accepted ${jobName}`));
    runner.on('attempt', ({ attempt, ranOn }) => seen.push(`attempt ${attempt} on ${ranOn}`));
    runner.on('outcome', ({ status }) => seen.push(`outcome ${status}`));
    runner.on('stopped', () => seen.push('stopped'));
    runner.on('outcome', () => {
      throw new Error('a bad listener');
    });
    const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
    expect(await runner.run()).toMatchObject({ ok: 1 });
    expect(seen).toEqual(['started', 'accepted job', 'attempt 1 on local', 'outcome ok', 'stopped']);
    expect((await warning).message).toContain('a bad listener');
  });
});
