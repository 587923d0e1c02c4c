import { afterEach, describe, expect, it } from 'vitest';
import type { Artifact, FunctionConfig } from '../../src/core/executor.ts';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import { executorFor, failureOf, pause, type Responder, serve, until } from './server.ts';
import { configOf, NOT_FOUND, slots, zip } from './slots.ts';

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

describe('deployJob', () => {
  it('is one PUT of the raw zip with the whole config on one line, then a look at its health', async () => {
    const { server, executor, lines } = await platform(slots('jobferry'));
    const config = {
      memoryMb: 256,
      timeoutSecs: 9,
      maxConcurrency: 4,
      env: { LONG: 'x'.repeat(3000), Ä: 'ß' },
    };
    const deployment = await executor.deployJob(7, zip(), config);
    expect(lines()).toEqual(['PUT /api/functions/job7', 'GET /api/functions/job7/health']);
    const [put = expect.fail()] = server.requests;
    expect(put.headers['content-type']).toBe('application/zip');
    expect(put.body.toString()).toBe('PK');
    expect(configOf(put)).toEqual({
      memory_mb: 256,
      timeout_secs: 9,
      max_concurrency: 4,
      env_vars: config.env,
    });
    expect(deployment).toEqual({
      jobId: 7,
      functionName: 'job7',
      provider: 'custom-http',
      endpoint: 'http://platform.test/api/functions/job7/invoke',
      memoryMb: 256,
      timeoutSecs: 9,
      maxConcurrency: 4,
      deployedAt: '2026-11-20T12:00:00Z',
      artifactBytes: 2,
      sha256: zip().sha256,
    });
    expect(await executor.getDeployment(7)).toEqual(deployment);
  });

  it('always sends the two fields the reference server insists on', async () => {
    const { server, executor } = await platform(slots('spec10'));
    expect((await executor.deployJob(0, zip())).coldStartMs).toBe(500);
    expect(server.requests[0] && configOf(server.requests[0])).toEqual({ memory_mb: 512, timeout_secs: 300 });
  });

  it('of the same again changes nothing', async () => {
    const { executor, lines } = await platform(slots('jobferry'));
    const first = await executor.deployJob(7, zip());
    expect(await executor.deployJob(7, zip())).toEqual(first);
    expect(lines().filter((line) => line.startsWith('PUT'))).toEqual(
      Array(2).fill('PUT /api/functions/job7'),
    );
  });

  it('of other content replaces it in one step', async () => {
    const { executor, lines } = await platform(slots('jobferry'));
    await executor.deployJob(7, zip());
    const second = await executor.deployJob(7, zip('PK2'), { memoryMb: 128 });
    expect([second.sha256, second.memoryMb]).toEqual([zip('PK2').sha256, 128]);
    expect(lines().slice(2)).toEqual([
      'PUT /api/functions/job7',
      'PUT /api/functions/job7?replace=true',
      'GET /api/functions/job7/health',
    ]);
  });

  it('of other content on a spec 1.0 platform deletes and puts', async () => {
    const { executor, lines } = await platform(slots('spec10'));
    await executor.deployJob(7, zip());
    await executor.deployJob(7, zip('PK2'));
    expect(lines().slice(2)).toEqual([
      'PUT /api/functions/job7',
      'PUT /api/functions/job7?replace=true',
      'DELETE /api/functions/job7',
      'PUT /api/functions/job7',
      'GET /api/functions/job7/health',
    ]);
  });

  it('that fails after the old version is gone says so', async () => {
    let puts = 0;
    const { executor } = await platform((seen) => {
      if (seen.method === 'DELETE') return { body: { status: 'deleted' } };
      puts += 1;
      return puts < 3
        ? { status: 409 }
        : { status: 413, body: { error: 'too big', code: 'PAYLOAD_TOO_LARGE' } };
    });
    const error = await failureOf(executor.deployJob(7, zip()));
    expect(error.code).toBe('PAYLOAD_TOO_LARGE');
    expect(error.message).toMatch(/job7 was removed to make room.*too big/);
  });

  it('waits for a function that becomes healthy a little later', async () => {
    let asked = 0;
    const { executor } = await platform((seen, response) => {
      if (!seen.url.endsWith('/health')) return slots('jobferry')(seen, response);
      asked += 1;
      if (asked === 1) return NOT_FOUND;
      return asked === 2 ? { status: 503, body: { status: 'unhealthy' } } : { body: { status: 'healthy' } };
    });
    await executor.deployJob(7, zip());
    expect(asked).toBe(3);
  });

  it.each([
    ['missing', NOT_FOUND],
    ['unhealthy', { status: 503, body: { status: 'unhealthy' } }],
  ])('does not resolve for a function that stays %s', async (status, reply) => {
    const { executor } = await platform(slots('jobferry', { 'GET /api/functions/job7/health': reply }));
    const error = await failureOf(executor.deployJob(7, zip()));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).toMatch(new RegExp(`job7 was uploaded but is not known to work.*${status}`));
  });

  it.each([
    [{ status: 'pending' }, 'status'],
    [{}, 'status'],
    [{ status: 'deployed', memory_mb: 128 }, 'memory_mb'],
    [{ status: 'deployed', timeout_secs: 1 }, 'timeout_secs'],
    [{ status: 'deployed', function_id: 'job8' }, 'function_id'],
    [{ status: 'deployed', sha256: 'f00d' }, 'sha256'],
  ])('origin-defects 0.2: does not take %j for a success', async (body, field) => {
    const { executor } = await platform(slots('jobferry', { 'PUT /api/functions/job7': { body } }));
    const error = await failureOf(executor.deployJob(7, zip()));
    expect(error.code).toBe('PROTOCOL');
    expect(error.message).toContain(field);
  });

  it.each([
    [400, 'INVALID_REQUEST'],
    [401, 'AUTH'],
    [403, 'AUTH'],
    [404, 'NOT_FOUND'],
    [413, 'PAYLOAD_TOO_LARGE'],
    [415, 'INVALID_REQUEST'],
    [429, 'THROTTLED'],
    [500, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
  ])(
    'origin-defects 0.2 and 0.3: fails with what a %d of any step means, and never deletes for it',
    async (status, code) => {
      for (const step of ['PUT /api/functions/job7', 'GET /api/functions/job7/health']) {
        if (step.startsWith('GET') && (status === 404 || status === 503)) continue;
        const { executor, lines } = await platform(
          slots('jobferry', { [step]: { status, body: { error: 'why' } } }),
        );
        expect((await failureOf(executor.deployJob(7, zip()))).code).toBe(code);
        expect(lines().some((line) => line.startsWith('DELETE'))).toBe(false);
      }
    },
  );

  it('ends with its signal', async () => {
    const { server, executor } = await platform(() => pause(60_000).then(() => ({})));
    const stop = new AbortController();
    const outcome = failureOf(executor.deployJob(7, zip(), {}, stop.signal));
    await until(() => server.requests.length === 1);
    stop.abort();
    expect((await outcome).code).toBe('CANCELLED');
    await until(() => server.sockets.size === 0);
    expect((await failureOf(executor.deployJob(7, zip(), {}, AbortSignal.abort()))).executed).toBe('no');
    expect(server.requests).toHaveLength(1);
  });
});

describe('origin-defects 0.11: a config that cannot be honoured is refused by name, before any request', () => {
  const cases: [Partial<FunctionConfig>, string, string][] = [
    [{ keepWarm: 1 }, 'UNSUPPORTED', 'keepWarm'],
    [{ secrets: { A: 'vault/a' } }, 'UNSUPPORTED', 'secrets'],
    [{ labels: { team: 'x' } }, 'UNSUPPORTED', 'labels'],
    [{ gpu: 'a100' } as Partial<FunctionConfig>, 'UNSUPPORTED', 'gpu'],
    [{ memoryMb: 64 }, 'CONFIG', 'memoryMb'],
    [{ memoryMb: 10_304 }, 'CONFIG', 'memoryMb'],
    [{ memoryMb: 200 }, 'CONFIG', 'memoryMb'],
    [{ memoryMb: Number.NaN }, 'CONFIG', 'memoryMb'],
    [{ timeoutSecs: 0 }, 'CONFIG', 'timeoutSecs'],
    [{ timeoutSecs: 901 }, 'CONFIG', 'timeoutSecs'],
    [{ timeoutSecs: 1.5 }, 'CONFIG', 'timeoutSecs'],
    [{ maxConcurrency: 0 }, 'CONFIG', 'maxConcurrency'],
    [{ maxConcurrency: 1001 }, 'CONFIG', 'maxConcurrency'],
    [{ env: { A: 1 as unknown as string } }, 'CONFIG', 'env.A'],
  ];
  it.each(cases)('%j', async (config, code, field) => {
    const { server, executor } = await platform(slots('jobferry'));
    const error = await failureOf(executor.deployJob(7, zip(), config));
    expect([error.code, error.executed]).toEqual([code, 'no']);
    expect(error.message).toContain(field);
    expect(server.requests).toEqual([]);
  });

  it('asking for nothing is fine, and the ends of the ranges are in them', async () => {
    const { executor } = await platform(slots('jobferry'));
    await executor.deployJob(7, zip(), { keepWarm: 0, secrets: {}, labels: {} });
    await executor.deployJob(7, zip(), { memoryMb: 128, timeoutSecs: 1, maxConcurrency: 1 });
    await executor.deployJob(7, zip(), { memoryMb: 10_240, timeoutSecs: 900, maxConcurrency: 1000 });
  });

  it('an artifact that is empty, too large or no zip', async () => {
    const { server, executor } = await platform(slots('jobferry'), { limits: { maxArtifactBytes: 3 } });
    const image = { ...zip(), format: 'image' } as unknown as Artifact;
    expect((await failureOf(executor.deployJob(7, zip('')))).code).toBe('CONFIG');
    expect((await failureOf(executor.deployJob(7, zip('PK34')))).code).toBe('PAYLOAD_TOO_LARGE');
    expect((await failureOf(executor.deployJob(7, image))).code).toBe('UNSUPPORTED');
    expect(server.requests).toEqual([]);
    await executor.deployJob(7, zip('PK3'));
  });
});
