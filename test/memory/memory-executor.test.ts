import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import type { Artifact, LogEntry } from '../../src/core/executor.js';
import { CallScope, callContext } from '../../src/core/scope.js';
import { MemoryExecutor } from '../../src/executors/memory/index.js';
import { callOf, cancelReason, errorOf } from '../layers/invokers.js';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const artifact: Artifact = { format: 'zip', bytes: bytesOf('PK'), sha256: 'a'.repeat(64) };

const square = defineJob({ id: 7, name: 'square', handler: (n: number) => n * n });
let release: () => void = () => {};
const wait = defineJob({
  id: 8,
  name: 'wait',
  handler: () =>
    new Promise<string>((resolve) => {
      release = () => resolve('done');
    }),
});

const call = (jobId: number, input?: unknown, callId = 'call-1') =>
  callOf({ jobId, callId, args: input === undefined ? new Uint8Array(0) : bytesOf(JSON.stringify(input)) });

describe('MemoryExecutor', () => {
  it('runs the jobs of its constructor without a deploy', async () => {
    await using executor = new MemoryExecutor({ jobs: [square] });
    const { result, metrics } = await executor.invoke(call(7, 12), callContext());
    expect(new TextDecoder().decode(result)).toBe('144');
    expect(metrics.executionMs).toBeLessThanOrEqual(metrics.totalMs);
  });

  it('refuses two jobs with one id', () => {
    expect(() => new MemoryExecutor({ jobs: [square, square] })).toThrow(/id 7/);
  });

  it('says what to pass when an unknown job is deployed', async () => {
    await using executor = new MemoryExecutor({ jobs: [square] });
    const error = await errorOf(executor.deployJob(9, artifact));
    expect(error).toMatchObject({ code: 'NOT_FOUND', executed: 'no' });
    expect(error.message).toMatch(/known: 7.*jobs:/);
  });

  it.each([
    [{ env: { A: '1' } }, 'UNSUPPORTED', /env/],
    [{ secrets: { A: 'ref' } }, 'UNSUPPORTED', /secrets/],
    [{ labels: { a: 'b' } }, 'UNSUPPORTED', /labels/],
    [{ memoryMb: 100 }, 'INVALID_REQUEST', /memoryMb.*128 to 1024 in steps of 64/],
    [{ memoryMb: 150 }, 'INVALID_REQUEST', /memoryMb/],
    [{ timeoutSecs: 901 }, 'INVALID_REQUEST', /timeoutSecs/],
    [{ maxConcurrency: 0 }, 'INVALID_REQUEST', /maxConcurrency/],
  ] as const)('refuses the config %j by the name of its field', async (config, code, message) => {
    const limits = { memoryMb: { min: 128, max: 1024, step: 64 }, timeoutSecs: { min: 1, max: 900 } };
    await using executor = new MemoryExecutor({ jobs: [square], limits });
    const error = await errorOf(executor.deployJob(7, artifact, config));
    expect(error).toMatchObject({ code, executed: 'no', message: expect.stringMatching(message) });
  });

  it('refuses an artifact over its limit', async () => {
    await using executor = new MemoryExecutor({ jobs: [square], limits: { maxArtifactBytes: 1 } });
    expect(await errorOf(executor.deployJob(7, artifact))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  });

  it('refuses an output over its limit, and says that the job ran', async () => {
    await using executor = new MemoryExecutor({ jobs: [square], limits: { maxResultBytes: 2 } });
    const error = await errorOf(executor.invoke(call(7, 12), callContext()));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'yes' });
  });

  it('enforces maxConcurrency with THROTTLED', async () => {
    await using executor = new MemoryExecutor({ jobs: [wait] });
    await executor.deployJob(8, artifact, { maxConcurrency: 1 });
    const first = executor.invoke(call(8), callContext());
    const error = await errorOf(executor.invoke(call(8), callContext()));
    expect(error).toMatchObject({ code: 'THROTTLED', executed: 'no' });
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await first;
  });

  it('keeps the count of calls in flight over an update', async () => {
    await using executor = new MemoryExecutor({ jobs: [wait] });
    const first = executor.invoke(call(8), callContext());
    await executor.deployJob(8, artifact, { maxConcurrency: 1 });
    expect(await errorOf(executor.invoke(call(8), callContext()))).toMatchObject({ code: 'THROTTLED' });
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await first;
    const second = executor.invoke(call(8), callContext());
    await new Promise((resolve) => setImmediate(resolve));
    release();
    expect((await second).result.length).toBeGreaterThan(0);
  });

  it('enforces timeoutSecs with TIMEOUT, and says that the job ran', async () => {
    await using executor = new MemoryExecutor({ jobs: [wait] });
    await executor.deployJob(8, artifact, { timeoutSecs: 1 });
    const error = await errorOf(executor.invoke(call(8), callContext()));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'yes', provider: 'memory' });
  });

  it('cancels at once: "no" before the job started, "yes" after', async () => {
    await using slow = new MemoryExecutor({ jobs: [wait], latencyMs: 60_000 });
    await using quick = new MemoryExecutor({ jobs: [wait] });
    for (const [executor, executed] of [
      [slow, 'no'],
      [quick, 'yes'],
    ] as const) {
      const context = new CallScope();
      const outcome = errorOf(executor.invoke(call(8), context));
      await new Promise((resolve) => setImmediate(resolve));
      context.cancel(cancelReason());
      expect(await outcome).toMatchObject({ code: 'CANCELLED', executed });
    }
  });

  it('shares no memory with its caller', async () => {
    const mutate = defineJob({
      id: 9,
      name: 'mutate',
      codec: 'bytes',
      handler: (input: Uint8Array) => input.fill(0),
    });
    await using executor = new MemoryExecutor({ jobs: [mutate] });
    const args = Buffer.from('keep');
    await executor.invoke(callOf({ jobId: 9, args }), callContext());
    expect(args.toString()).toBe('keep');
  });

  it('keeps logs of calls, without input or output', async () => {
    await using executor = new MemoryExecutor({ jobs: [square] });
    await executor.invoke(call(7, 12345, 'one'), callContext());
    await errorOf(executor.invoke(callOf({ jobId: 7, args: bytesOf('{'), callId: 'two' }), callContext()));
    const read = async (options = {}) => {
      const entries: LogEntry[] = [];
      for await (const entry of executor.logs(7, options)) entries.push(entry);
      return entries.map(({ callId, message }) => `${callId}: ${message}`);
    };
    expect(await read()).toEqual([
      'one: attempt 1 started',
      'one: ended: ok',
      'two: attempt 1 started',
      'two: ended: INVALID_REQUEST',
    ]);
    expect(await read({ tail: 1 })).toEqual(['two: ended: INVALID_REQUEST']);
    expect(await read({ callId: 'one' })).toHaveLength(2);
    expect(await read({ since: new Date(Date.now() + 1000) })).toEqual([]);
  });

  it.each(['undeploy', 'close', 'abort'] as const)('ends those who follow its logs on %s', async (end) => {
    const executor = new MemoryExecutor({ jobs: [square] });
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { message } of executor.logs(7, { follow: true, signal: stop.signal }))
        seen.push(message);
    })();
    await new Promise((resolve) => setImmediate(resolve));
    await executor.invoke(call(7, 2), callContext());
    await new Promise((resolve) => setImmediate(resolve));
    if (end === 'undeploy') await executor.undeployJob(7);
    else if (end === 'close') await executor.close();
    else stop.abort();
    await following;
    expect(seen).toEqual(['attempt 1 started', 'ended: ok']);
  });
});
