import { afterEach, describe, expect, it } from 'vitest';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { executorFor, failureOf, type Responder, serve } from './server.ts';
import { slots, zip } from './slots.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function platform(respond: Responder, options: Partial<HttpFaasExecutorOptions> = {}) {
  const server = await serve(respond);
  const executor = executorFor(server, options);
  open.push(server, executor);
  const lines = () => server.requests.map(({ method, url }) => `${method} ${url}`);
  return { server, executor, lines };
}

describe('healthCheck', () => {
  it.each([
    [
      200,
      { status: 'healthy', total_invocations: 4, last_invocation: '2026-11-20T12:00:00Z' },
      { status: 'healthy', totalInvocations: 4, lastInvocation: '2026-11-20T12:00:00Z' },
    ],
    [200, { status: 'healthy' }, { status: 'healthy' }],
    [200, '', { status: 'healthy' }],
    [200, { status: 'unhealthy', error: 'disk' }, { status: 'unhealthy', reason: 'disk' }],
    [503, { status: 'unhealthy' }, { status: 'unhealthy', reason: 'HTTP 503' }],
    [503, 'down', { status: 'unhealthy', reason: 'HTTP 503' }],
    [404, 'no', { status: 'missing' }],
  ])('%d with %j is the answer %j', async (status, body, expected) => {
    const { executor, lines } = await platform(() => ({ status, body }));
    expect(await executor.healthCheck(7)).toEqual(expected);
    expect(lines()).toEqual(['GET /api/functions/job7/health']);
  });

  it.each([
    [401, '', 'AUTH'],
    [500, '', 'UNAVAILABLE'],
    [503, { code: 'UNAVAILABLE', error: 'shutting down' }, 'UNAVAILABLE'],
    [302, '', 'PROTOCOL'],
  ])('%d with %j is no answer but %s', async (status, body, code) => {
    const { executor } = await platform(() => ({ status, body }));
    expect((await failureOf(executor.healthCheck(7))).code).toBe(code);
  });

  it.each([
    [200, 'healthy'],
    [404, 'missing'],
    [503, 'unhealthy'],
  ])('asks by HEAD where there are only job endpoints: %d is %s', async (status, expected) => {
    const { executor, lines } = await platform(() => ({ status }), { api: 'job-endpoint' });
    expect((await executor.healthCheck(9)).status).toBe(expected);
    expect(lines()).toEqual(['HEAD /job/9']);
  });
});

describe('undeployJob', () => {
  it('origin-defects 0.15: really deletes, and twice is fine', async () => {
    const { executor, lines } = await platform(slots('spec10'));
    await executor.deployJob(7, zip());
    await executor.undeployJob(7);
    await executor.undeployJob(7);
    expect(lines().filter((line) => line === 'DELETE /api/functions/job7')).toHaveLength(2);
    expect(await executor.getDeployment(7)).toBeUndefined();
    expect(await executor.healthCheck(7)).toEqual({ status: 'missing' });
  });

  it.each([
    [403, 'AUTH'],
    [500, 'UNAVAILABLE'],
  ])('a %d is a failure, not "already gone"', async (status, code) => {
    const { executor } = await platform(() => ({ status }));
    expect((await failureOf(executor.undeployJob(7))).code).toBe(code);
  });
});

describe('warm', () => {
  it('is what the platform says, and never an invoke', async () => {
    const { executor, lines } = await platform(slots('jobferry'));
    await executor.deployJob(300, zip());
    expect(await executor.warm(300, 9)).toBe(3);
    expect(lines().at(-1)).toBe('POST /api/functions/job300/warm');
    expect(lines().join()).not.toContain('invoke');
  });

  it.each([404, 405, 501])('is 0 where the platform has no such route (%d)', async (status) => {
    const { executor } = await platform(
      slots('jobferry', { 'POST /api/functions/job7/warm': { status, body: 'no route' } }),
    );
    await executor.deployJob(7, zip());
    expect(await executor.warm(7)).toBe(0);
  });

  it('of a function that is not there is NOT_FOUND', async () => {
    const { executor } = await platform(slots('jobferry'));
    expect((await failureOf(executor.warm(7))).code).toBe('NOT_FOUND');
  });

  it('without a number is a PROTOCOL error', async () => {
    const { executor } = await platform(() => ({ body: { status: 'warm' } }));
    expect((await failureOf(executor.warm(7))).code).toBe('PROTOCOL');
  });
});

describe('what spec 1.0 cannot do is UNSUPPORTED', () => {
  it('listing and logs', async () => {
    const { server, executor } = await platform(() => ({}));
    expect((await failureOf(executor.listDeployments())).code).toBe('UNSUPPORTED');
    const reading = (async () => {
      for await (const entry of executor.logs(7)) expect.fail(entry.message);
    })();
    expect((await failureOf(reading)).message).toContain('spec 1.0');
    expect(server.requests).toEqual([]);
  });

  it('the life cycle of a platform with job endpoints only', async () => {
    const { server, executor } = await platform(() => ({}), { api: 'job-endpoint' });
    for (const work of [
      executor.deployJob(7, zip()),
      executor.getDeployment(7),
      executor.warm(7),
      executor.undeployJob(7),
    ]) {
      expect((await failureOf(work)).code).toBe('UNSUPPORTED');
    }
    expect(server.requests).toEqual([]);
  });
});

describe('origin-defects 0.1: the request line of every operation', () => {
  it('with a prefix and a name of its own', async () => {
    const server = await serve(slots('jobferry'));
    const executor = executorFor({ url: `${server.url}/faas/` }, { functionName: (id) => `svc-${id}` });
    open.push(server, executor);
    await Promise.allSettled([
      executor.deployJob(1, zip()),
      executor.getDeployment(2),
      executor.healthCheck(3),
      executor.warm(4),
      executor.undeployJob(5),
    ]);
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(
      expect.arrayContaining([
        'PUT /faas/api/functions/svc-1',
        'GET /faas/api/functions/svc-2',
        'GET /faas/api/functions/svc-3/health',
        'POST /faas/api/functions/svc-4/warm',
        'DELETE /faas/api/functions/svc-5',
      ]),
    );
  });
});
