import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { E2eOpenFaasExecutor } from '../../src/executors/e2e-openfaas/index.js';
import { PASSWORD, USER } from '../fakes/openfaas-gateway.js';
import { accountBench, callOf, failureOf, gatewayBench } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('credentials', () => {
  it('of Basic auth may be fetched each time, and are in no error: origin-defects 0.14', async () => {
    let password = 'wrong-password-1';
    const auth = { basic: { user: USER, password: () => password } };
    await using it = await gatewayBench({ jobs }, { auth });
    it.fake.fault('GET functions', { status: 401, body: `no: ${password}` }, 2);
    const error = await failureOf(it.executor.listDeployments());
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(error.message).not.toContain(password);
    password = PASSWORD;
    await it.executor.listDeployments();
  });

  it('of Bearer auth are asked for again after a 401, once', async () => {
    const tokens = ['stale-token', 'fresh-token', 'late-token'];
    const auth = { bearer: () => tokens.shift() ?? 'none' };
    await using it = await gatewayBench({ jobs, bearer: () => 'fresh-token' }, { auth });
    await it.executor.listDeployments();
    expect(it.fake.operations).toEqual(['GET functions', 'GET functions']);
    expect(await failureOf(it.executor.listDeployments())).toMatchObject({ code: 'AUTH' });
    expect(it.fake.operations).toHaveLength(4);
  });

  it('of a token exchange are made once for all, and anew when they end', async () => {
    const exchange = { idToken: 'the-id-token', audience: ['a'] };
    const fakeOptions = { jobs, bearer: () => 'exchanged-token', tokenLifeSecs: 11 };
    await using it = await gatewayBench(fakeOptions, { auth: { exchange } });
    await Promise.all([1, 2, 3].map(() => it.executor.listDeployments()));
    expect(it.fake.tokens).toBe(1);
    await using short = await gatewayBench({ ...fakeOptions, tokenLifeSecs: 5 }, { auth: { exchange } });
    await short.executor.listDeployments();
    await short.executor.listDeployments();
    expect(short.fake.tokens).toBe(2);
    it.fake.fault('GET functions', { status: 401 });
    await it.executor.listDeployments();
    expect(it.fake.tokens).toBe(2);
  });

  it('that cannot be exchanged are an AUTH error without the id token', async () => {
    await using it = await gatewayBench({ jobs }, { auth: { exchange: { idToken: 'the-id-token' } } });
    it.fake.fault('POST token', {
      status: 400,
      body: '{"error":"invalid_grant","error_description":"the-id-token is old"}',
    });
    const error = await failureOf(it.executor.listDeployments());
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no', status: 400 });
    expect(error.message).toContain('[redacted] is old');
  });

  it('of functions go with calls alone', async () => {
    await using it = await gatewayBench({ jobs }, { callAuth: { bearer: 'call-token' } });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    expect(it.fake.callHeaders.authorization).toBe('Bearer call-token');
  });

  it('of E2E are a Bearer token and a key in the query, which no error shows: origin-defects 0.14', async () => {
    await using it = await accountBench({}, { apiKey: 'wrong-key-0123456' });
    const error = await failureOf(it.deploy(1));
    expect(error.code).toBe('AUTH');
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('wrong-key-0123456');
    expect(it.fake.targets[0]).toBe(
      'POST /myaccount/api/v1/faas/namespace?apikey=wrong-key-0123456&project_id=4711&location=Delhi',
    );
  });
});

describe('the constructor', () => {
  it('does no I/O: origin-defects 0.8', () => {
    expect(() => new E2eOpenFaasExecutor({ url: 'http://192.0.2.1:1' })).not.toThrow();
  });

  it.each([
    [{ profile: 'knative' }, 'no profile "knative"'],
    [{ apiKey: 'x' }, 'no option `apiKey` for the profile openfaas'],
    [{ url: 'ftp://x' }, '`url` must be'],
    [{ url: 'http://user:pass@x' }, '`url` must be'],
    [{ namespace: 'No' }, '`namespace`'],
    [{ payload: 'json' }, '`payload`'],
    [{ pollMs: 0 }, '`pollMs`'],
    [{ profile: 'e2e', namespace: 'n' }, '`projectId`'],
    [{ profile: 'e2e', projectId: '1', apiKey: 'k', authToken: 't' }, '`namespace`'],
    [{ profile: 'e2e-platform', url: 'https://api.example/faas/api/v1' }, '`apiKey`'],
  ])('refuses %j by the name of the option', async (options, text) => {
    const error = await failureOf((async () => new E2eOpenFaasExecutor(options as never))());
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain(text);
    expect(error.message).not.toContain('pass@');
  });
});
