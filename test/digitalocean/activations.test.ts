/** Calls that go on without a connection: turned asynchronous after 30 s, or handed over as such. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { type FakeFault, TOKEN } from '../fakes/digitalocean.js';
import { artifact, bench, callOf, failureOf } from './setup.js';

const slow = defineJob({
  id: 3,
  name: 'slow',
  handler: async (_, { metadata }) => {
    await delay(60);
    return `done for ${metadata['tenant']}`;
  },
});
const failing = defineJob({
  id: 4,
  name: 'failing',
  handler: () => {
    throw new RangeError('too far');
  },
});
const jobs = [slow, failing];
const nullCall = (jobId: number) =>
  callOf(jobId, { args: Buffer.from('null'), metadata: { tenant: 'north' } });
const textOf = (result: Uint8Array) => JSON.parse(Buffer.from(result).toString()) as unknown;

describe('a call that DigitalOcean lets go on', () => {
  const FAULTS: [string, Omit<FakeFault, 'operation'>][] = [
    ['a reset before', { reset: 'before' }],
    ['a reset after', { reset: 'after' }],
    ['a reset in mid-body', { reset: 'mid-body' }],
    ['429', { status: 429, headers: { 'retry-after': '0' } }],
    ['504', { status: 504, body: '<html>' }],
  ];
  it.each(FAULTS)('keeps its result when a poll meets %s', async (_, fault) => {
    await using it = await bench({ jobs, blockingMs: 5 });
    await it.deploy(3);
    it.fake.fault('GET activation', fault, 2);
    const { result } = await it.executor.invoke(nullCall(3), callContext());
    expect(textOf(result)).toBe('done for north');
    expect(it.fake.executions.size).toBe(1);
    expect(it.fake.faults).toEqual([]);
  });

  it('waits between polls as long as it is asked to', async () => {
    await using it = await bench({ jobs, blockingMs: 5 });
    await it.deploy(3);
    it.fake.fault('GET activation', { status: 429, headers: { 'retry-after': '1' } });
    const startedMs = performance.now();
    await it.executor.invoke(nullCall(3), callContext());
    expect(performance.now() - startedMs).toBeGreaterThan(900);
  });

  it('and that OpenWhisk has lost ends without a deadline, some time after the longest run', async () => {
    const limits = { timeoutSecs: { min: 1, max: 1 } };
    await using it = await bench({ jobs, blockingMs: 5 }, { limits });
    await it.executor.deployJob(3, artifact, { timeoutSecs: 1 });
    it.fake.hiddenReads = 1_000_000;
    const error = await failureOf(it.executor.invoke(nullCall(3), callContext()));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
    expect(error.requestId).toMatch(/^[0-9a-f]{32}$/);
  });

  it('and whose executor is closed meanwhile says so, and that it may have run', async () => {
    await using it = await bench({ jobs, blockingMs: 5 });
    await it.deploy(3);
    it.fake.hiddenReads = 1_000_000;
    const failure = failureOf(it.executor.invoke(nullCall(3), callContext()));
    await delay(50);
    await it.executor.close();
    expect(await failure).toMatchObject({ code: 'CONFIG', executed: 'maybe' });
  });
});

describe('the deadline of a call', () => {
  it('travels as what is left of it where the function starts at once: clocks may differ', async () => {
    const sent: Record<string, unknown>[] = [];
    await using it = await bench({
      jobs,
      observe: ({ operation, body }) => operation === 'POST action' && sent.push(body ?? {}),
    });
    await it.deploy(3);
    const deadline = Date.now() + 5000;
    await it.executor.invoke(nullCall(3), callContext({ timeoutMs: 5000 }));
    await it.executor.invokeAsync({ ...nullCall(3), deadline }, callContext());
    expect(sent[0]?.['timeout_ms']).toBeGreaterThan(4000);
    expect(sent[0]?.['timeout_ms']).toBeLessThanOrEqual(5000);
    expect(sent[1]).toMatchObject({ deadline_ms: deadline });
    expect(sent[1]).not.toHaveProperty('timeout_ms');
  });
});

describe('an asynchronous call', () => {
  it('is one POST that nobody waits for, and its result is there when it is asked for', async () => {
    await using it = await bench({ jobs });
    await it.deploy(3);
    const before = it.fake.operations.length;
    const { requestId } = await it.executor.invokeAsync(nullCall(3), callContext());
    expect(it.fake.operations.slice(before)).toEqual(['POST action']);
    const { result, metadata, metrics } = await it.executor.getResult(3, requestId, callContext());
    expect([textOf(result), metadata]).toEqual(['done for north', { tenant: 'north' }]);
    expect(metrics).toMatchObject({ requestId, coldStart: true, executionMs: expect.any(Number) });
    // Twice is fine.
    expect(textOf((await it.executor.getResult(3, requestId, callContext())).result)).toBe('done for north');
    expect(it.fake.executions.size).toBe(1);
  });

  it('has the deadline of the call, not of its handing over', async () => {
    await using it = await bench({ jobs });
    await it.deploy(3);
    const { requestId } = await it.executor.invokeAsync(nullCall(3), callContext({ timeoutMs: 40 }));
    await expect(it.executor.getResult(3, requestId, callContext())).resolves.toBeDefined();
  });

  it('that fails says what the handler threw', async () => {
    await using it = await bench({ jobs });
    await it.deploy(4);
    const { requestId } = await it.executor.invokeAsync(nullCall(4), callContext());
    expect(await failureOf(it.executor.getResult(4, requestId, callContext()))).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
  });

  it('goes on when nobody waits for it any longer', async () => {
    await using it = await bench({ jobs });
    await it.deploy(3);
    const { requestId } = await it.executor.invokeAsync(nullCall(3), callContext());
    const hasty = it.executor.getResult(3, requestId, callContext({ timeoutMs: 20 }));
    expect(await failureOf(hasty)).toMatchObject({ code: 'TIMEOUT', executed: 'maybe', requestId });
    await expect(it.executor.getResult(3, requestId, callContext())).resolves.toBeDefined();
  });

  it.each([
    ['429', { status: 429 }, 'THROTTLED', 'no'],
    ['404', { status: 404 }, 'NOT_FOUND', 'no'],
    ['a lost answer', { reset: 'after' as const }, 'UNAVAILABLE', 'maybe'],
    ['202 without an id', { status: 202, body: '{}' }, 'PROTOCOL', 'maybe'],
  ])('that was answered with %s', async (_, fault, code, executed) => {
    await using it = await bench({ jobs });
    await it.deploy(3);
    it.fake.fault('POST action', fault);
    const error = await failureOf(it.executor.invokeAsync(nullCall(3), callContext()));
    expect({ code: error.code, executed: error.executed }).toEqual({ code, executed });
    expect(JSON.stringify(error)).not.toContain(TOKEN);
  });
});
