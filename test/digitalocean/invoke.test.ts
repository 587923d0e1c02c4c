import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { TOKEN } from '../fakes/digitalocean.js';
import { bench, callOf, failureOf } from './setup.js';

const echo = defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input });
const failing = defineJob({
  id: 2,
  name: 'failing',
  handler: () => {
    throw new RangeError('too far');
  },
});
const slow = defineJob({
  id: 3,
  name: 'slow',
  handler: async () => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    return 'done';
  },
});
const jobs = [echo, failing, slow];

describe('a call', () => {
  it('is one authenticated POST, and its figures are the activation’s', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.operations.length;
    const call = callOf(1, { args: Uint8Array.of(0, 255), metadata: { tenant: 'ö' } });
    const { result, metadata, metrics } = await it.executor.invoke(call, callContext());
    expect([[...result], metadata]).toEqual([[0, 255], { tenant: 'ö' }]);
    expect(metrics).toMatchObject({
      coldStart: true,
      initMs: 321,
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    const warm = await it.executor.invoke(callOf(1), callContext());
    expect(warm.metrics.coldStart).toBe(false);
    expect(warm.metrics.initMs).toBeUndefined();
    expect(it.fake.operations.slice(before)).toEqual(['POST action', 'POST action']);
  });

  it('that DigitalOcean lets go on is asked for until it ends', async () => {
    await using it = await bench({ jobs, blockingMs: 5 });
    await it.deploy(3);
    it.fake.hiddenReads = 2;
    it.fake.fault('GET activation', { status: 502, body: '<html>' });
    const { result, metrics } = await it.executor.invoke(callOf(3), callContext());
    expect(JSON.parse(Buffer.from(result).toString())).toBe('done');
    expect(metrics.requestId).toBeDefined();
    expect(it.fake.executions.size).toBe(1);
  });

  it('whose activation never ends is TIMEOUT with its id, and may have run', async () => {
    await using it = await bench({ jobs, blockingMs: 5 });
    await it.deploy(3);
    it.fake.hiddenReads = 1_000_000;
    const error = await failureOf(it.executor.invoke(callOf(3), callContext({ timeoutMs: 300 })));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
    expect(error.message).toMatch(/went on as activation [0-9a-f]{32}/);
  });

  it('brings back what the handler threw', async () => {
    await using it = await bench({ jobs });
    await it.deploy(2);
    const error = await failureOf(
      it.executor.invoke(callOf(2, { args: Buffer.from('null') }), callContext()),
    );
    expect(error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      status: 502,
      remote: { name: 'RangeError', message: 'too far', stack: expect.stringContaining('invoke.test') },
    });
  });

  it('of a namespace that was never made is NOT_FOUND, and says to deploy', async () => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'NOT_FOUND', executed: 'no' });
  });

  it('asks for the key once more when it was rotated, and is not sent a third time', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const [[id, namespace] = ['', {}]] = [...it.fake.namespaces];
    it.fake.namespaces.set(id, { ...namespace, key: 'rotated' });
    const before = it.fake.operations.length;
    await it.executor.invoke(callOf(1), callContext());
    expect(it.fake.operations.slice(before)).toEqual(['POST action', 'GET namespace', 'POST action']);
    it.fake.fault('POST action', { status: 401 }, 5);
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'AUTH',
      executed: 'no',
    });
  });

  it('too large for a megabyte is refused before it is sent', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.operations.length;
    const error = await failureOf(
      it.executor.invoke(callOf(1, { args: new Uint8Array(1_000_000) }), callContext()),
    );
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'no' });
    expect(it.fake.operations).toHaveLength(before);
  });

  /** Status and body -> what it means, and whether a call that must not run twice may be sent again. */
  const RECORD = (response: object) => JSON.stringify({ activationId: 'a1', response });
  it.each([
    ['429', { status: 429, headers: { 'retry-after': '2' } }, 'THROTTLED', 'no'],
    ['413', { status: 413 }, 'PAYLOAD_TOO_LARGE', 'no'],
    ['404', { status: 404 }, 'NOT_FOUND', 'no'],
    ['403', { status: 403 }, 'AUTH', 'no'],
    ['408', { status: 408 }, 'TIMEOUT', 'maybe'],
    ['500', { status: 500 }, 'UNAVAILABLE', 'maybe'],
    ['an HTML page of a gateway', { status: 502, body: '<html>bad gateway</html>' }, 'UNAVAILABLE', 'maybe'],
    [
      'a time-out without an activation',
      { status: 400, body: '{"error":"The action exceeded its time limits and timed out","code":"x"}' },
      'TIMEOUT',
      'maybe',
    ],
    [
      'an application error',
      {
        status: 502,
        body: RECORD({
          status: 'application error',
          statusCode: 1,
          success: false,
          result: { error: 'bad input' },
        }),
      },
      'FUNCTION_ERROR',
      'yes',
    ],
    [
      'a developer error',
      {
        status: 502,
        body: RECORD({
          status: 'action developer error',
          statusCode: 2,
          success: false,
          result: { error: 'the process died' },
        }),
      },
      'FUNCTION_ERROR',
      'maybe',
    ],
    [
      'an error of OpenWhisk',
      {
        status: 502,
        body: RECORD({ status: 'whisk internal error', statusCode: 3, success: false, result: {} }),
      },
      'UNAVAILABLE',
      'maybe',
    ],
    [
      'a record of a time-out',
      {
        status: 502,
        body: RECORD({
          status: 'action developer error',
          statusCode: 2,
          success: false,
          result: { error: 'The action exceeded its time limits of 1000 milliseconds.' },
        }),
      },
      'TIMEOUT',
      'maybe',
    ],
    [
      'a 200 that says no',
      { status: 200, body: RECORD({ status: 'application error', success: false, result: { error: 'no' } }) },
      'FUNCTION_ERROR',
      'yes',
    ],
    ['an empty 200', { status: 200, body: '' }, 'PROTOCOL', 'maybe'],
    [
      'a result without bytes',
      { status: 200, body: RECORD({ success: true, result: { anything: 1 } }) },
      'PROTOCOL',
      'yes',
    ],
  ])('answered with %s means what it should', async (_, fault, code, executed) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST action', fault);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect({ code: error.code, executed: error.executed }).toEqual({ code, executed });
    expect(error.message).not.toMatch(/undefined|\[object/);
  });

  it('waits as long as the API asks: Retry-After, or the second at which the limit ends', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST action', { status: 429, headers: { 'retry-after': '2' } });
    expect((await failureOf(it.executor.invoke(callOf(1), callContext()))).retryAfterMs).toBe(2000);
    const reset = String(Math.ceil(Date.now() / 1000) + 30);
    it.fake.fault('POST action', { status: 429, headers: { 'ratelimit-reset': reset } });
    expect((await failureOf(it.executor.invoke(callOf(1), callContext()))).retryAfterMs).toBeGreaterThan(
      20_000,
    );
  });

  it('whose connection breaks may have run, and is sent once', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST action', { reset: 'after' });
    const call = callOf(1);
    expect(await failureOf(it.executor.invoke(call, callContext()))).toMatchObject({ executed: 'maybe' });
    expect(it.fake.executions.get(call.callId)).toBe(1);
  });

  it('warms instances without a run of the job: origin-defects 0.10', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    expect(await it.executor.warm(1, 3)).toBe(3);
    expect(it.fake.executions.size).toBe(0);
  });

  it('has logs by activation, oldest first', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const [first, second] = [callOf(1), callOf(1)];
    await it.executor.invoke(first, callContext());
    await it.executor.invoke(second, callContext());
    const lines: string[] = [];
    for await (const { message, stream } of it.executor.logs(1)) lines.push(`${stream} ${message}`);
    expect(lines).toEqual([`stdout ran ${first.callId}`, `stdout ran ${second.callId}`]);
  });

  it('leaves no token and no key in any error', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const [namespace] = [...it.fake.namespaces.values()];
    const secrets = [TOKEN, String(namespace?.['key'])];
    for (const secret of secrets) {
      it.fake.fault('POST action', { status: 400, body: JSON.stringify({ error: `bad ${secret}` }) });
      it.fake.fault('GET namespaces', { status: 400, body: JSON.stringify({ message: `bad ${secret}` }) });
      const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
      expect(JSON.stringify(error) + error.stack).not.toContain(secrets[1]);
    }
  });
});
