import { afterEach, describe, expect, it } from 'vitest';
import { HttpFaasExecutor, type HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import type { FakePlatformOptions, FakeRequest } from '../../src/testing/index.ts';
import { stage } from './platform-11.ts';
import { call, failureOf, until } from './server.ts';
import { zip } from './slots.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function staged(
  options: Partial<HttpFaasExecutorOptions> = {},
  platformOptions: FakePlatformOptions = {},
) {
  const made = await stage(options, { deployed: false, ...platformOptions });
  const second = new HttpFaasExecutor({ baseUrl: made.platform.url, ...options });
  open.push(made, second);
  return { ...made, second };
}

const isPut = ({ method }: FakeRequest) => method === 'PUT';
const conditions = (requests: readonly FakeRequest[]) =>
  requests.filter(isPut).map(({ headers }) => headers['if-match'] ?? headers['if-none-match'] ?? 'none');

describe('a deploy on a platform with conditional-replace', () => {
  it('creates only what is not there, and replaces only the version it saw', async () => {
    const { executor, platform, lines } = await staged();
    await executor.deployJob(7, zip());
    await executor.deployJob(7, zip('PK2'), { memoryMb: 128 });
    expect(lines()).toEqual([
      'GET /api',
      'GET /api/functions/job7',
      'PUT /api/functions/job7',
      'GET /api/functions/job7/health',
      'PUT /api/functions/job7',
      'GET /api/functions/job7/health',
    ]);
    const [create, replace] = conditions(platform.requests);
    expect(create).toBe('*');
    expect(replace).toMatch(/^"[0-9a-f]+"$/);
    expect(await executor.getDeployment(7)).toMatchObject({ sha256: zip('PK2').sha256, memoryMb: 128 });
  });

  it('of the same again changes nothing, by whomever', async () => {
    const { executor, second } = await staged();
    const first = await executor.deployJob(7, zip());
    expect(await executor.deployJob(7, zip())).toEqual(first);
    expect(await second.deployJob(7, zip())).toEqual(first);
  });

  it('is a CONFLICT when someone else deployed in between, until it has looked again', async () => {
    const { executor, second } = await staged();
    await executor.deployJob(7, zip('PK1'));
    await second.deployJob(7, zip('PK2'));
    const error = await failureOf(executor.deployJob(7, zip('PK3')));
    expect([error.code, error.executed, error.status]).toEqual(['CONFLICT', 'no', 409]);
    expect(error.message).toMatch(/someone else.*getDeployment/);
    expect((await executor.getDeployment(7))?.sha256).toBe(zip('PK2').sha256);
    await executor.deployJob(7, zip('PK3'));
    expect((await second.getDeployment(7))?.sha256).toBe(zip('PK3').sha256);
  });

  it('one of two that come together wins, the other is a CONFLICT', async () => {
    const { executor, second, platform } = await staged();
    await executor.deployJob(7, zip('PK0'));
    await second.getDeployment(7);
    const outcomes = await Promise.allSettled([
      executor.deployJob(7, zip('PK1')),
      second.deployJob(7, zip('PK2')),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(platform.requests.some(({ path }) => path.includes('replace=true'))).toBe(false);
  });

  it('two that create together: the same content is fine, other content is a CONFLICT', async () => {
    for (const [content, rejected] of [
      ['PK1', 0],
      ['PK2', 1],
    ] as const) {
      const { executor, second } = await staged();
      await Promise.all([executor.getDeployment(7), second.getDeployment(7)]);
      const outcomes = await Promise.allSettled([
        executor.deployJob(7, zip('PK1')),
        second.deployJob(7, zip(content)),
      ]);
      expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(rejected);
    }
  });

  it('whose reply was lost may be made again', async () => {
    const { executor, platform } = await staged();
    await executor.deployJob(7, zip('PK1'));
    platform.script([{ match: isPut, run: true, reset: true }]);
    expect((await failureOf(executor.deployJob(7, zip('PK2')))).code).toBe('UNAVAILABLE');
    expect((await executor.deployJob(7, zip('PK2'))).sha256).toBe(zip('PK2').sha256);
  });

  it('after an undeploy creates again, and not over what another put there', async () => {
    const { executor, second } = await staged();
    await executor.deployJob(7, zip('PK1'));
    await executor.undeployJob(7);
    await executor.deployJob(7, zip('PK2'));
    await executor.undeployJob(7);
    await second.deployJob(7, zip('PK3'));
    expect((await failureOf(executor.deployJob(7, zip('PK4')))).code).toBe('CONFLICT');
  });

  it('without the feature replaces in one step, as before', async () => {
    const { executor, platform } = await staged({}, { features: ['list'] });
    await executor.deployJob(7, zip('PK1'));
    await executor.deployJob(7, zip('PK2'));
    expect(conditions(platform.requests)).toEqual(['none', 'none', 'none']);
  });
});

describe('listDeployments', () => {
  it('names every function of a job, over all pages', async () => {
    const ids = Array.from({ length: 1005 }, (_, id) => id);
    const functions = Object.fromEntries(ids.map((id) => [`job${id}`, () => new Uint8Array(0)]));
    const { executor, lines } = await staged({}, { deployed: true, functions });
    const deployments = await executor.listDeployments();
    expect(deployments.map(({ jobId }) => jobId).sort((a, b) => a - b)).toEqual(ids);
    expect(deployments[0]).toMatchObject({ functionName: 'job0', provider: 'custom-http', memoryMb: 512 });
    expect(lines()).toEqual([
      'GET /api',
      'GET /api/functions?limit=1000',
      expect.stringMatching(/^GET \/api\/functions\?limit=1000&after=job\d+$/),
    ]);
  });

  it('turns names back into ids, and leaves out what belongs to no job of this executor', async () => {
    const names = [
      'blueprint-job-7',
      'blueprint-job-007',
      'job7',
      'v2-blueprint-job-8',
      'other',
      'x4294967296',
    ];
    const functions = Object.fromEntries(names.map((name) => [name, () => new Uint8Array(0)]));
    const functionName = (id: number) => (id === 99 ? 'other' : `blueprint-job-${id}`);
    const { executor } = await staged({ functionName }, { deployed: true, functions });
    const ids = async () => (await executor.listDeployments()).map(({ jobId }) => jobId);
    expect(await ids()).toEqual([7]);
    // A name without the id in it is known from the first use of the job on.
    await call(executor, { jobId: 99 });
    expect(await ids()).toEqual([7, 99]);
  });

  it.each([
    ['without its list', { status: 200, body: {} }, 'PROTOCOL'],
    ['with the same page for ever', { status: 200, body: { functions: [], next: 'a' } }, 'PROTOCOL'],
    ['with 503', { status: 503, body: '' }, 'UNAVAILABLE'],
  ])('fails when the platform answers %s', async (_title, respond, code) => {
    const { executor, platform } = await staged();
    platform.script([{ match: ({ path }) => path.startsWith('/api/functions?'), times: 3, respond }]);
    expect((await failureOf(executor.listDeployments())).code).toBe(code);
  });

  it('is UNSUPPORTED without the feature, and ends with its signal', async () => {
    const { executor } = await staged({}, { features: ['logs'] });
    const error = await failureOf(executor.listDeployments());
    expect(error.code).toBe('UNSUPPORTED');
    expect(error.message).toContain('`list`');
    const other = await staged();
    other.platform.script([{ match: ({ path }) => path.startsWith('/api/functions?'), hang: true }]);
    const stop = new AbortController();
    const outcome = failureOf(other.executor.listDeployments(stop.signal));
    await until(() => other.platform.requests.length === 2);
    stop.abort();
    expect((await outcome).code).toBe('CANCELLED');
  });
});
