import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { accountBench, callOf, failureOf, gatewayBench, platformBench } from './setup.js';

const jobs = [
  defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input }),
  defineJob({
    id: 2,
    name: 'fail',
    handler: () => {
      throw new RangeError('too far');
    },
  }),
];
const bytes = Uint8Array.of(0, 255, 10, 13);

describe('a call', () => {
  it('is one POST of raw bytes, with the facts of the call in headers', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    const before = it.fake.targets.length;
    const call = callOf(1, { args: bytes, attempt: 3, metadata: { tenant: 'ö' } });
    const { result, metadata, metrics } = await it.executor.invoke(call, callContext({ timeoutMs: 5000 }));
    expect(it.fake.targets.slice(before)).toEqual(['POST /function/jobferry-job-1.openfaas-fn']);
    expect([...result]).toEqual([...bytes]);
    expect(metadata).toEqual({ tenant: 'ö' });
    expect(metrics).toMatchObject({ coldStart: true, executionMs: expect.any(Number) });
    expect(metrics.requestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(metrics.memoryUsedMb ?? metrics.billedMs).toBeUndefined();
    expect(it.fake.callHeaders).toMatchObject({
      'x-faas-job-id': '1',
      'x-faas-call-id': call.callId,
      'x-faas-attempt': '3',
      'content-type': 'application/octet-stream',
    });
    expect(Number(it.fake.callHeaders['x-faas-timeout-ms'])).toBeLessThanOrEqual(5000);
    expect(it.fake.callHeaders.authorization).toBeUndefined();
  });

  it('of E2E goes to the address that the API reports, which is asked for once: origin-defects 0.5', async () => {
    for (const bench of [accountBench, platformBench]) {
      await using it = await bench({ jobs });
      await it.deploy(1);
      const deployed = await it.executor.getDeployment(1);
      const before = it.fake.operations.length;
      for (let n = 0; n < 3; n += 1) await it.executor.invoke(callOf(1), callContext());
      const after = it.fake.operations.slice(before);
      expect(after.filter((operation) => operation === 'POST call')).toHaveLength(3);
      expect(after.filter((operation) => operation.startsWith('GET')).length).toBeLessThanOrEqual(2);
      expect(`${it.fake.origin}${it.fake.targets.at(-1)?.split(' ')[1]}`).toBe(deployed?.endpoint);
    }
  });

  it('looks its address up again when the function is not there any more', async () => {
    await using it = await platformBench({ jobs });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    it.fake.fault('POST call', { status: 404 });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
    });
    await it.executor.invoke(callOf(1), callContext());
  });

  it('says that nothing ran when the address cannot be had', async () => {
    await using it = await platformBench({ jobs });
    it.fake.fault('GET functions', { status: 500 });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'no',
    });
    it.fake.fault('GET functions', { reset: 'after' });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({ executed: 'no' });
  });

  it('of a function that fails carries its error, and is told from an error of the platform', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(2);
    expect(await failureOf(it.executor.invoke(callOf(2), callContext()))).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
    it.fake.fault('POST call', { status: 500, body: 'oops' });
    expect(await failureOf(it.executor.invoke(callOf(2), callContext()))).toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'maybe',
    });
  });

  it('that no entry answers is no success: origin-defects 0.16', async () => {
    await using it = await gatewayBench({ raw: () => ({ status: 200, body: 'secret payload' }) });
    await it.deploy(1);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'PROTOCOL', executed: 'maybe' });
    expect(error.message).not.toContain('secret payload');
    expect(error.message).toContain('`payload`');
  });

  it('ends at its deadline when the server hangs: origin-defects 0.13', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST call', { hang: true });
    const error = await failureOf(it.executor.invoke(callOf(1), callContext({ timeoutMs: 100 })));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
  });
});

describe('a function without our entry', () => {
  const raw = (options: { readonly contentType?: string } = {}) => ({ payload: 'raw', ...options }) as const;

  it('gets the bytes as they are, as the type that was asked for, and answers bytes', async () => {
    let seen: { body: string; type: string | undefined; timeout: unknown } | undefined;
    await using it = await gatewayBench(
      {
        raw: ({ bytes: body, headers }) => {
          seen = { body: body.toString(), type: headers['content-type'], timeout: headers['x-timeout'] };
          return { status: 200, body: { sum: 3 } };
        },
      },
      raw({ contentType: 'application/json' }),
    );
    await it.deploy(1);
    const call = callOf(1, { args: Buffer.from('[1,2]') });
    const { result, metrics } = await it.executor.invoke(call, callContext({ timeoutMs: 60_000 }));
    expect(Buffer.from(result).toString()).toBe('{"sum":3}');
    expect(seen).toEqual({
      body: '[1,2]',
      type: 'application/json',
      timeout: expect.stringMatching(/^\d+ms$/),
    });
    expect(metrics).toMatchObject({ executionMs: expect.any(Number), requestId: expect.any(String) });
    expect(metrics.coldStart).toBeUndefined();
  });

  it.each([
    [404, 'FUNCTION_ERROR', 'yes'],
    [500, 'FUNCTION_ERROR', 'yes'],
    [503, 'FUNCTION_ERROR', 'yes'],
  ])('that answers %i behind a watchdog failed by itself', async (status, code, executed) => {
    await using it = await gatewayBench({ raw: () => ({ status, body: 'no such row' }) }, raw());
    await it.deploy(1);
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code,
      executed,
      remote: { name: 'HttpError', message: 'no such row' },
    });
  });

  it('is warmed by scaling: a ping would run it: origin-defects 0.10', async () => {
    await using it = await gatewayBench({ raw: () => ({ status: 200 }) }, raw());
    await it.deploy(1);
    expect(await it.executor.warm(1, 2)).toBe(2);
    expect(it.fake.operations.filter((operation) => operation === 'POST call')).toEqual([]);
    await using account = await accountBench({}, raw());
    await account.deploy(1);
    expect(await failureOf(account.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('gets secrets as files alone: an environment name is refused', async () => {
    await using it = await gatewayBench({}, raw());
    it.fake.secrets.set('s', '1');
    expect((await failureOf(it.deploy(1, { secrets: { A: 's' } }))).message).toContain(
      '`openfaas.secretFiles`',
    );
    await it.deploy(1, { openfaas: { secretFiles: ['s'] } });
    expect(it.fake.functions.get('jobferry-job-1')?.spec['secrets']).toEqual(['s']);
  });
});
