import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { fakeAzure, SUBSCRIPTION } from '../fakes/azure-functions.js';
import { artifact, bench, callOf, executorFor, failureOf } from './setup.js';

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
    await new Promise((resolve) => setTimeout(resolve, 300));
    return 'done';
  },
});
const jobs = [echo, failing, slow];

describe('a call', () => {
  it('is one POST of raw bytes with the key in a header; its figures are the entry’s', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.exchanges.length;
    const call = callOf(1, { args: Uint8Array.of(0, 255, 10), attempt: 2, metadata: { tenant: 'ö' } });
    const { result, metadata, metrics } = await it.executor.invoke(call, callContext({ timeoutMs: 9000 }));
    expect([[...result], metadata]).toEqual([[0, 255, 10], { tenant: 'ö' }]);
    const [exchange, ...more] = it.fake.exchanges.slice(before);
    expect(more).toEqual([]);
    expect(exchange).toMatchObject({ method: 'POST', host: it.site(1).host, target: '/api/job' });
    expect([...(exchange?.body ?? [])]).toEqual([0, 255, 10]);
    expect(exchange?.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-functions-key': it.site(1).functionKey,
      'x-faas-job-id': '1',
      'x-faas-call-id': call.callId,
      'x-faas-attempt': '2',
    });
    expect(Number(exchange?.headers['x-faas-timeout-ms'])).toBeGreaterThan(0);
    // Measured by the entry or absent: origin-defects 0.9: cold was what took longer than 800 ms.
    expect(Object.keys(metrics).sort()).toEqual(['coldStart', 'executionMs', 'totalMs']);
    expect(metrics.coldStart).toBe(false); // the deploy's own ping was the first
  });

  it('asks Azure once for host and key, however many calls wait: origin-defects: keys were listed before each', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using caller = executorFor(it.fake);
    const before = it.fake.operations.length;
    await Promise.all(Array.from({ length: 30 }, () => caller.invoke(callOf(1), callContext())));
    await caller.invoke(callOf(1), callContext());
    const asked = it.fake.operations.slice(before).filter((one) => one !== 'POST call');
    expect(asked).toEqual(['GET site', 'POST keys']);
  });

  it('a caller that gives up while the key is asked for leaves the others waiting', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using caller = executorFor(it.fake);
    const gone = new AbortController();
    it.fake.fault('GET site', { run: () => gone.abort() });
    const [first, second] = await Promise.allSettled([
      caller.invoke(callOf(1), callContext({ signal: gone.signal })),
      caller.invoke(callOf(1), callContext()),
    ]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'CANCELLED', executed: 'no' } });
    expect(second.status).toBe('fulfilled');
  });

  it('whose key was renewed is sent again with the new one, once', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const site = it.fake.arm.sites.get(it.site(1).name);
    if (site !== undefined) site.functionKey = 'key-of-tomorrow';
    const before = it.fake.operations.length;
    const call = callOf(1);
    await it.executor.invoke(call, callContext());
    expect(it.fake.operations.slice(before)).toEqual(['POST call', 'GET site', 'POST keys', 'POST call']);
    expect(it.fake.executions.get(call.callId)).toBe(1);
    // Azure has the same key still: asking again would change nothing.
    it.fake.fault('POST call', { status: 401, body: '' }, 5);
    const second = it.fake.operations.length;
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'AUTH',
      executed: 'no',
      status: 401,
    });
    expect(it.fake.operations.slice(second).filter((one) => one === 'POST call')).toHaveLength(1);
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
      status: 500,
      remote: { name: 'RangeError', message: 'too far', stack: expect.stringContaining('invoke.test') },
    });
  });

  it('needs no subscription and no credential with the addresses and keys of apps', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const { host, functionKey } = it.site(1);
    const apps = (jobId: number) => (jobId === 1 ? { url: `https://${host}`, functionKey } : undefined);
    await using caller = new AzureFunctionExecutor({ apps, dispatcher: it.fake.dispatcher });
    const before = it.fake.operations.length;
    await caller.invoke(callOf(1), callContext());
    expect(it.fake.operations.slice(before)).toEqual(['POST call']);
    expect(await failureOf(caller.invoke(callOf(2), callContext()))).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
    });
    const error = await failureOf(caller.getDeployment(1));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('needs `subscriptionId`');
  });

  it('of an app that was made anew elsewhere finds it with the next call', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await using caller = executorFor(it.fake);
    await caller.invoke(callOf(1), callContext());
    await it.executor.undeployJob(1);
    it.fake.arm.hostsOf = (name) => [`${name}.elsewhere.net`, `${name}.scm.elsewhere.net`];
    await it.deploy(1);
    it.fake.fault('POST call', { status: 404, body: '' });
    await caller.invoke(callOf(1), callContext()).catch(() => {});
    await caller.invoke(callOf(1), callContext()).catch(() => {});
    await caller.invoke(callOf(1), callContext());
  });

  it('that is not answered in time is TIMEOUT, and may have run', async () => {
    await using it = await bench({ jobs });
    await it.deploy(3);
    const error = await failureOf(it.executor.invoke(callOf(3), callContext({ timeoutMs: 100 })));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
    it.fake.fault('POST call', { hang: true });
    const hung = await failureOf(it.executor.invoke(callOf(3), callContext({ timeoutMs: 100 })));
    expect(hung).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
    const late = callOf(3, { deadline: Date.now() - 1 });
    expect(await failureOf(it.executor.invoke(late, callContext()))).toMatchObject({
      code: 'TIMEOUT',
      executed: 'no',
    });
  });

  it.each([
    ['upload', 'maybe', 0],
    ['before', 'maybe', 0],
    ['after', 'maybe', 1],
    // Its status had come: it ran.
    ['reply', 'yes', 1],
  ] as const)(
    'whose connection breaks (%s) says whether it ran: %s, and is sent once',
    async (reset, executed, runs) => {
      await using it = await bench({ jobs });
      await it.deploy(1);
      it.fake.fault('POST call', { reset });
      const call = callOf(1);
      const before = it.fake.operations.length;
      expect(await failureOf(it.executor.invoke(call, callContext()))).toMatchObject({ executed });
      expect(it.fake.operations.slice(before)).toEqual(['POST call']);
      expect(it.fake.executions.get(call.callId) ?? 0).toBe(runs);
    },
  );

  it('to a host that does not exist is UNAVAILABLE, and did not run', async () => {
    await using it = await bench({ jobs });
    const apps = () => ({ url: 'https://gone.azurewebsites.net', functionKey: 'k' });
    await using caller = new AzureFunctionExecutor({ apps, dispatcher: it.fake.dispatcher });
    expect(await failureOf(caller.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'no',
    });
  });

  it('too large is refused before it is sent', async () => {
    await using it = await bench({ jobs }, { limits: { maxPayloadBytes: 10 } });
    const error = await failureOf(it.executor.invoke(callOf(1, { args: new Uint8Array(11) }), callContext()));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'no' });
    expect(it.fake.operations).toEqual([]);
  });
});

describe('a reply of Azure’s, not of the entry,', () => {
  it.each([
    ['400', { status: 400, body: 'Bad Request' }, 'INVALID_REQUEST', 'no'],
    ['401 without a new key', { status: 401, body: '' }, 'AUTH', 'no'],
    [
      '403',
      { status: 403, body: '<html><title>403 - This web app is stopped.</title></html>' },
      'AUTH',
      'no',
    ],
    ['404', { status: 404, body: '' }, 'NOT_FOUND', 'no'],
    ['408', { status: 408, body: '' }, 'TIMEOUT', 'maybe'],
    ['413', { status: 413, body: '' }, 'PAYLOAD_TOO_LARGE', 'no'],
    ['429', { status: 429, headers: { 'retry-after': '2' }, body: '' }, 'THROTTLED', 'no'],
    ['500 of the host', { status: 500, body: '' }, 'UNAVAILABLE', 'maybe'],
    ['502', { status: 502, body: '<html><title>502 - Bad gateway</title></html>' }, 'UNAVAILABLE', 'maybe'],
    ['503', { status: 503, body: 'Service Unavailable' }, 'UNAVAILABLE', 'maybe'],
    [
      '503 of a host that does not run',
      { status: 503, body: 'Function host is not running.' },
      'UNAVAILABLE',
      'no',
    ],
    [
      '504 after 230 s',
      { status: 504, body: '<html><title>504.0 GatewayTimeout</title></html>' },
      'TIMEOUT',
      'maybe',
    ],
    [
      'a redirect',
      { status: 302, headers: { location: 'https://login.example' }, body: '' },
      'PROTOCOL',
      'no',
    ],
    ['an unheard of 4xx', { status: 418, body: '' }, 'INVALID_REQUEST', 'no'],
    ['an unheard of 5xx', { status: 599, body: '' }, 'UNAVAILABLE', 'maybe'],
    ['an empty 200', { status: 200, body: '' }, 'PROTOCOL', 'maybe'],
    ['an empty 202', { status: 202, body: '' }, 'PROTOCOL', 'maybe'],
    ['204', { status: 204, body: '' }, 'PROTOCOL', 'maybe'],
    [
      'a page with 200',
      { status: 200, body: '<html><title>Up and running</title></html>' },
      'PROTOCOL',
      'maybe',
    ],
  ])('%s means what it should', async (_, fault, code, executed) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST call', fault);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect({ code: error.code, executed: error.executed }).toEqual({ code, executed });
    expect(error.message).not.toMatch(/undefined|\[object/);
    const title = /<title>([^<]*)</.exec(fault.body)?.[1];
    if (title !== undefined) expect(error.message).toContain(title.replace(/\.$/, ''));
    if (fault.status === 429) expect(error.retryAfterMs).toBe(2000);
  });

  it('is never taken for the entry’s, even when it looks like one', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST call', {
      status: 500,
      body: '{"error":"x","code":"FUNCTION_ERROR","executed":"no"}',
    });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'maybe',
    });
  });

  it('for another job is a protocol error', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const headers = { 'x-faas-entry': '1', 'x-faas-job-id': '2' };
    it.fake.fault('POST call', { status: 200, headers, body: 'x' });
    expect(await failureOf(it.executor.invoke(callOf(1), callContext()))).toMatchObject({
      code: 'PROTOCOL',
      executed: 'maybe',
    });
  });
});

it('no key and no token is ever in a URL, a log or an error: origin-defects 0.14', async () => {
  const seen: string[] = [];
  const fake = await fakeAzure({ jobs });
  await using executor = executorFor(fake, { onProgress: (progress) => seen.push(JSON.stringify(progress)) });
  await executor.deployJob(1, artifact, { env: { PASSWORD: 'env-password' } });
  await executor.invoke(callOf(1), callContext());
  const [site] = [...fake.arm.sites.values()];
  const secrets = [
    ...fake.tokens,
    site?.functionKey ?? '',
    'c3RvcmFnZS1rZXktdGhhdC1tdXN0LW5vdC1sZWFr',
    'env-password',
  ];
  for (const operation of new Set(fake.operations)) {
    for (const fault of [
      { status: 400 },
      { status: 401 },
      { reset: 'after' as const },
      { status: 503, body: '' },
    ]) {
      fake.fault(operation, fault, 8);
      const other = executorFor(fake, { deployTimeoutMs: 3000, readyTimeoutMs: 50 });
      const works = [other.deployJob(2, artifact), other.invoke(callOf(1), callContext())];
      for (const outcome of await Promise.allSettled<unknown>(works)) {
        if (outcome.status === 'fulfilled') continue;
        const { reason } = outcome;
        seen.push(`${String(reason)} ${JSON.stringify(reason)} ${String((reason as Error).cause)}`);
      }
      fake.faults.length = 0;
      await other.close();
    }
  }
  seen.push(...fake.urls());
  expect(seen.length).toBeGreaterThan(100);
  expect(seen.filter((text) => secrets.some((secret) => text.includes(secret)))).toEqual([]);
  expect(fake.urls().filter((url) => /[?&](code|key|sig|token)=/i.test(url))).toEqual([]);
  await fake.close();
});

it('origin-defects: every URL has a host that exists and a path of its own: the slash was stripped', async () => {
  await using it = await bench({ jobs });
  await it.deploy(1);
  await it.executor.invoke(callOf(1), callContext());
  await it.executor.listDeployments();
  await it.executor.undeployJob(1);
  const arm = it.fake.urls().filter((url) => url.includes('management.azure.com'));
  expect(arm.length).toBeGreaterThan(15);
  for (const url of arm) {
    expect(url).toMatch(
      new RegExp(
        `^[A-Z]+ https://management\\.azure\\.com/subscriptions/${SUBSCRIPTION}/[^?]+\\?.*api-version=\\d{4}-\\d\\d-\\d\\d`,
      ),
    );
  }
  // Each kind of resource has a version of its own: origin-defects: one for all.
  const kindOf = (url: string) => /.*\/providers\/([\w.]+)/.exec(url)?.[1] ?? 'groups';
  const versions = arm.map((url) => `${kindOf(url)} ${/api-version=([\d-]+)/.exec(url)?.[1]}`);
  expect([...new Set(versions)].sort()).toEqual([
    'Microsoft.Resources 2025-04-01',
    'Microsoft.Storage 2025-08-01',
    'Microsoft.Web 2025-05-01',
    'groups 2025-04-01',
  ]);
});
