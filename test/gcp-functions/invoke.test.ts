import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { CloudFunctionExecutor } from '../../src/executors/gcp-functions/index.js';
import { PROJECT, REGION } from '../fakes/gcp-functions.js';
import { audienceOf } from '../fakes/gcp-http.js';
import { bench, callOf, failureOf } from './setup.js';

const jobs = [
  defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input }),
  defineJob({
    id: 2,
    name: 'fails',
    handler: () => {
      throw new RangeError('too far');
    },
  }),
];

describe('a call', () => {
  it('carries an ID token for exactly the function, never the access token: origin-defects', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    const [token] = it.fake.http.identityTokens;
    expect(audienceOf(token ?? '')).toBe(`${it.fake.http.url}/run/jobferry-job-1`);
  });

  it('is one request, with no look at the function before it: origin-defects', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    const before = it.fake.operations.length;
    for (let n = 0; n < 5; n += 1) await it.executor.invoke(callOf(1), callContext());
    expect(it.fake.operations.slice(before)).toEqual(Array(5).fill('POST run'));
  });

  it('of an executor that deployed nothing asks where the function is, once for all', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using caller = new CloudFunctionExecutor({
      project: PROJECT,
      region: REGION,
      endpoint: it.fake.endpoint,
    });
    const before = it.fake.operations.length;
    await Promise.all(Array.from({ length: 8 }, () => caller.invoke(callOf(1), callContext())));
    const after = it.fake.operations.slice(before);
    expect(after.filter((one) => one === 'GetFunction')).toHaveLength(1);
    expect(after.filter((one) => one === 'metadata identity')).toHaveLength(1);
  });

  it('needs no permission on the control plane where the URL is given', async () => {
    await using it = await bench({ jobs });
    const { endpoint } = await it.deploy(1);
    await using caller = new CloudFunctionExecutor({
      project: PROJECT,
      region: REGION,
      functionUrl: () => endpoint,
    });
    const before = it.fake.operations.length;
    await caller.invoke(callOf(1), callContext());
    expect(it.fake.operations.slice(before)).toEqual(['metadata identity', 'POST run']);
  });

  it('says cold or warm by the entry’s own word: origin-defects: slower than a second was cold', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const cold = await it.executor.invoke(callOf(1), callContext());
    const warm = await it.executor.invoke(callOf(1), callContext());
    expect([cold.metrics.coldStart, warm.metrics.coldStart]).toEqual([true, false]);
    expect(warm.metrics).not.toHaveProperty('billedMs');
    expect(warm.metrics.executionMs).toBeGreaterThanOrEqual(0);
  });

  it('brings back what the handler threw', async () => {
    await using it = await bench({ jobs });
    await it.deploy(2);
    const call = callOf(2, { args: Buffer.from('null') });
    expect(await failureOf(it.executor.invoke(call, callContext()))).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
  });

  it('asks for a fresh token once after a 401, and is not sent a third time', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    it.fake.http.revoked.add(it.fake.http.identityTokens[0] ?? '');
    const before = it.fake.operations.length;
    await it.executor.invoke(callOf(1), callContext());
    expect(it.fake.operations.slice(before)).toEqual(['POST run', 'metadata identity', 'POST run']);
    it.fake.fault('POST run', { status: 401 }, 5);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(error.message).toContain(`The token was made for ${it.fake.http.url}/run/jobferry-job-1`);
    expect(error.message).toContain('roles/run.invoker');
    expect(it.fake.faults).toHaveLength(3);
  });

  it('that is not routed yet, just after a deploy, may be retried', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST run', { status: 404 });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'no',
      retryAfterMs: 1000,
    });
  });

  it('to a function that has moved follows it, once', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using caller = new CloudFunctionExecutor({
      project: PROJECT,
      region: REGION,
      endpoint: it.fake.endpoint,
    });
    await caller.invoke(callOf(1), callContext());
    await it.deploy(2);
    const fn = it.fake.functionNamed('jobferry-job-1') ?? {};
    const service = fn['serviceConfig'] as Record<string, unknown>;
    service['uri'] = `${it.fake.http.url}/run/jobferry-job-2`;
    it.fake.fault('POST run', { status: 404 });
    await caller.invoke(callOf(1), callContext());
    it.fake.fault('POST run', { status: 404 });
    expect(await failureOf(caller.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
    });
  });

  it('of a function that is not there is NOT_FOUND', async () => {
    await using it = await bench({ jobs });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
    });
  });

  /** Status and body of a reply that is not from our entry -> what it means. */
  const CRASH = { headers: { 'x-google-status': 'crash' }, body: 'boom' };
  it.each([
    ['400', { status: 400 }, 'INVALID_REQUEST', 'no'],
    ['403', { status: 403 }, 'AUTH', 'no'],
    ['408', { status: 408 }, 'TIMEOUT', 'maybe'],
    ['413', { status: 413 }, 'PAYLOAD_TOO_LARGE', 'no'],
    ['a plain 429', { status: 429 }, 'THROTTLED', 'maybe'],
    ['429 for want of an instance', { status: 429, body: 'Rate exceeded.' }, 'THROTTLED', 'no'],
    [
      '500 for want of an instance',
      { status: 500, body: 'The request was aborted because there was no available instance.' },
      'THROTTLED',
      'no',
    ],
    ['a plain 500', { status: 500, body: 'Internal Server Error' }, 'UNAVAILABLE', 'maybe'],
    ['a crash of the handler', { status: 500, ...CRASH }, 'FUNCTION_ERROR', 'yes'],
    ['an HTML page of a gateway', { status: 502, body: '<html>' }, 'UNAVAILABLE', 'maybe'],
    ['503', { status: 503 }, 'UNAVAILABLE', 'maybe'],
    ['504', { status: 504 }, 'TIMEOUT', 'maybe'],
    ['a redirect', { status: 302 }, 'PROTOCOL', 'maybe'],
    ['an empty 200', { status: 200 }, 'PROTOCOL', 'maybe'],
    ['a 204', { status: 204 }, 'PROTOCOL', 'maybe'],
  ])('answered with %s means what it should', async (_, fault, code, executed) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST run', fault);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect({ code: error.code, executed: error.executed }).toEqual({ code, executed });
    expect(error.message).not.toMatch(/undefined|\[object/);
  });

  it('waits as long as Google asks', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST run', { status: 429, headers: { 'retry-after': '2' } });
    expect((await failureOf(it.executor.invoke(callOf(1), callContext()))).retryAfterMs).toBe(2000);
  });

  it('whose connection breaks may have run, and is sent once', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST run', { reset: 'after' });
    const call = callOf(1);
    expect(await failureOf(it.executor.invoke(call, callContext()))).toMatchObject({ executed: 'maybe' });
    expect(it.fake.http.executions.get(call.callId)).toBe(1);
  });

  it('whose first byte never comes ends at its deadline, and its socket is closed', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST run', { hang: true });
    const context = callContext({ timeoutMs: 200 });
    expect(await failureOf(it.executor.invoke(callOf(1), context))).toMatchObject({
      code: 'TIMEOUT',
      executed: 'maybe',
    });
  });

  it('without credentials says what to set, and shows no token', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('metadata identity', { status: 404, body: 'not found' }, 9);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(error.message).toContain('GOOGLE_APPLICATION_CREDENTIALS');
    expect(JSON.stringify(error) + error.stack).not.toContain('ya29');
  });
});
