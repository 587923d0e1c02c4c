import { describe, expect, it } from 'vitest';
import { defineJob, FaasError, type JobDefinition, JobRunner } from '../../src/index.js';
import { invoker } from '../support/invoker.js';

const job = defineJob({ id: 0, name: 'job', handler: () => 1 });
const message = (build: () => unknown): string => {
  try {
    build();
  } catch (error) {
    if (FaasError.is(error) && (error.code === 'CONFIG' || error.code === 'CONFLICT')) return error.message;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('a runner that cannot work says so before it starts', () => {
  it('no producer', () => {
    expect(message(() => JobRunner.builder().job(job).build())).toMatch(/no producer.*\.producer/);
  });

  it('no job', () => {
    expect(message(() => JobRunner.builder().producer([]).build())).toMatch(/no job/);
  });

  it('a job with neither handler nor executor', () => {
    const bare = defineJob({ id: 7, name: 'bare' });
    expect(message(() => JobRunner.builder().job(bare).producer([]).build())).toMatch(
      /"bare" has neither a handler nor an executor.*withFaasExecutor\(7/,
    );
  });

  it('two jobs with one id, two jobs with one name', () => {
    const twin = defineJob({ id: 0, name: 'twin', handler: () => 1 });
    const namesake = defineJob({ id: 1, name: 'job', handler: () => 1 });
    const text = message(() => JobRunner.builder().job(job).job(twin).job(namesake).producer([]).build());
    expect(text).toMatch(/"job" and "twin" share the id 0/);
    expect(text).toMatch(/jobs 0 and 1 share the name "job"/);
  });

  it('an executor for a job that is not defined', () => {
    const build = () =>
      JobRunner.builder()
        .job(job)
        .producer([])
        .withFaasExecutor(
          5,
          invoker(() => 1),
        )
        .build();
    expect(message(build)).toMatch(/job 5, which is not defined/);
  });

  it.each([
    ['memoryMb', { memoryMb: 20_000 }, /config\.memoryMb 20000, but fake takes 128 to 10240 in steps of 64/],
    ['memoryMb off the step', { memoryMb: 130 }, /config\.memoryMb 130/],
    ['timeoutSecs', { timeoutSecs: 901 }, /config\.timeoutSecs 901, but fake takes 1 to 900/],
  ])('a job over its executor’s limits: %s', (_name, config, expected) => {
    const big = defineJob({ id: 0, name: 'big', config, handler: () => 1 });
    const limits = {
      memoryMb: { min: 128, max: 10_240, step: 64 },
      timeoutSecs: { min: 1, max: 900 },
      asOf: '2026-11-20',
      source: 'this test',
    };
    const build = () =>
      JobRunner.builder()
        .job(big)
        .producer([])
        .withFaasExecutor(
          0,
          invoker(() => 1, { limits }),
        )
        .build();
    expect(message(build)).toMatch(expected);
  });

  it('a producer that cannot be iterated, and restarts of one that cannot be called again', () => {
    const build = () =>
      JobRunner.builder()
        .job(job)
        .producer(5 as never)
        .producer([], { restart: { attempts: 1 } })
        .build();
    expect(message(build)).toMatch(/producer-1 is neither iterable[\s\S]*producer-2 asks for restarts/);
  });

  it('numbers out of range, all named at once', () => {
    const text = message(() =>
      JobRunner.builder().job(job).producer([]).concurrency(0).timeoutMs(-1).graceMs(Number.NaN).build(),
    );
    expect(text).toMatch(/concurrency is 0[\s\S]*timeoutMs is -1[\s\S]*graceMs is NaN/);
  });

  it.each([
    [{ bufferSize: 0 }, /bufferSize of consumer-1 is 0; use an integer above 0/],
    [{ bufferBytes: -1 }, /bufferBytes of consumer-1 is -1; use a number above 0/],
    [{ timeoutMs: Number.NaN }, /timeoutMs of consumer-1 is NaN/],
    [{ attempts: 0 }, /attempts of consumer-1 is 0/],
    [{ overflow: 'drop' }, /overflow of consumer-1 is "drop"; use 'wait' or 'park'/],
    [{ onParked: 'log' }, /onParked of consumer-1 is not a function/],
    [{ bufersize: 5 }, /consumer-1 has the unknown option "bufersize"/],
  ])('a consumer with %o', (options, expected) => {
    const build = () =>
      JobRunner.builder()
        .job(job)
        .producer([])
        .consumer(() => {}, options as never)
        .build();
    expect(message(build)).toMatch(expected);
  });

  it('a consumer, a service, a handler that is none', () => {
    const text = message(() =>
      JobRunner.builder()
        .job(job)
        .producer([])
        .consumer(5 as never)
        .backgroundService({ name: 'x' } as never)
        .shutdownHandler(undefined as never)
        .always('x' as never)
        .build(),
    );
    expect(text).toMatch(/consumer-1 is not a function[\s\S]*background service 1 is neither/);
    expect(text).toMatch(/shutdown handler 1 is not a function[\s\S]*always handler 1 is not a function/);
  });

  it('restarts that make no sense', () => {
    const restart = { attempts: 0.5, minDelayMs: -1, maxDelayMs: Number.NaN };
    const text = message(() =>
      JobRunner.builder()
        .job(job)
        .producer(() => [], { restart })
        .build(),
    );
    expect(text).toMatch(/restart\.attempts of producer-1 is 0\.5[\s\S]*minDelayMs[\s\S]*maxDelayMs/);
  });

  it('a layer that cannot wrap an executor', () => {
    const refuses = () => {
      throw new FaasError({ code: 'CONFIG', executed: 'no', message: 'this layer wants a name' });
    };
    const build = () =>
      JobRunner.builder()
        .job(job)
        .producer([])
        .withFaasExecutor(
          0,
          invoker(() => 1),
        )
        .layers(refuses)
        .build();
    expect(message(build)).toMatch('this layer wants a name');
  });

  it('a wrong id and a job registered twice, at once', () => {
    const faas = invoker(() => 1);
    expect(message(() => JobRunner.builder().withFaasExecutor(2 ** 32, faas))).toMatch(/not valid/);
    expect(message(() => JobRunner.builder().withFaasExecutor(0, faas).withFaasExecutor(0, faas))).toMatch(
      /already/,
    );
  });

  it('run() rejects where build() throws', async () => {
    await expect(JobRunner.builder().job(job).run()).rejects.toMatchObject({ code: 'CONFIG' });
  });
});

describe('defineJob says what is wrong with a definition', () => {
  it.each([
    [{ name: '' }, /name must be/],
    [{ handler: 5 }, /handler must be a function/],
    [{ timeoutMs: 0 }, /timeoutMs must be/],
    [{ concurrency: 1.5 }, /concurrency must be/],
    [{ codec: 'xml' }, /codec must be/],
    [{ idempotnet: true }, /unknown option "idempotnet" \(known: .*idempotent/],
  ])('%o', (fault, expected) => {
    const definition = { id: 0, name: 'x', handler: () => 1, ...fault } as JobDefinition<
      0,
      'x',
      unknown,
      number
    >;
    expect(message(() => defineJob(definition))).toMatch(expected);
  });
});
