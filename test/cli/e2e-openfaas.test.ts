/** The CLI on a gateway and on E2E: everything it needs comes from the environment. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { providerOf } from '../../src/cli/providers/index.js';
import { defineJob } from '../../src/index.js';
import {
  API_KEY,
  AUTH_TOKEN,
  type FakeE2eCloud,
  fakeE2eCloud,
  NAMESPACE,
  PROJECT,
} from '../fakes/e2e-cloud.js';
import { type FakeGateway, fakeGateway, PASSWORD, USER } from '../fakes/openfaas-gateway.js';
import { cli } from './cli.js';

const JOBS = `import { defineJob } from 'jobferry';
export const square = defineJob({ id: 7, name: 'square', handler: (n) => n * n });`;
const jobs = [defineJob({ id: 7, name: 'square', handler: (n: number) => n * n })];

let gateway: FakeGateway;
let cloud: FakeE2eCloud;
let folder: string;

beforeAll(async () => {
  gateway = await fakeGateway({ jobs });
  cloud = await fakeE2eCloud({ jobs });
  folder = await mkdtemp(join(tmpdir(), 'jobferry-cli-'));
  await writeFile(join(folder, 'jobs.ts'), JOBS);
});

afterAll(async () => {
  await gateway.close();
  await cloud.close();
  await rm(folder, { recursive: true });
});

const on =
  (to: string, env: Record<string, string>) =>
  (command: string, args: readonly string[] = [], more = {}) =>
    cli([command, ...args, '--to', to], { cwd: folder, env: { ...env, ...more } });

const life = async (run: ReturnType<typeof on>, endpoint: RegExp) => {
  const deployed = await run('deploy', ['jobs.ts', '--memory', '256']);
  expect(deployed.stderr).toMatch(/ {2}create\n[\s\S]* {2}done\n/);
  expect(deployed.stdout).toMatch(endpoint);
  expect((await run('invoke', ['7', '--input', '7'])).stdout).toBe('49\n');
  expect((await run('list')).stdout).toMatch(/^7 +jobferry-job-7/);
  expect((await run('health', ['7'])).code).toBe(0);
  expect((await run('undeploy', ['7'])).code).toBe(0);
  expect((await run('list')).stdout).not.toMatch(/^7 /m);
};

describe('jobferry --to openfaas', () => {
  const env = () => ({
    OPENFAAS_URL: gateway.url,
    JOBFERRY_OPENFAAS_USER: USER,
    JOBFERRY_OPENFAAS_PASSWORD: PASSWORD,
    JOBFERRY_OPENFAAS_IMAGE: 'registry.example/jobs:1',
  });

  it('deploys, calls, lists, checks and takes away', async () => {
    await life(
      on('openfaas', env()),
      /deployed as jobferry-job-7 at http:.*\/function\/jobferry-job-7.openfaas-fn/,
    );
  });

  it('says what is missing', async () => {
    const { code, stderr } = await on('openfaas', env())('deploy', ['jobs.ts'], {
      JOBFERRY_OPENFAAS_IMAGE: '',
    });
    expect(stderr).toContain('`openfaas.image`');
    expect(code).not.toBe(0);
  });
});

describe('jobferry --to e2e', () => {
  const env = () => ({ E2E_API_KEY: API_KEY, E2E_AUTH_TOKEN: AUTH_TOKEN });

  it('speaks the API of the design documents', async () => {
    await life(
      on('e2e', { ...env(), E2E_FAAS_URL: cloud.platformUrl }),
      /deployed as jobferry-job-7 at http:/,
    );
  });

  it('speaks the account’s API, and keeps ids between commands', async () => {
    const account = {
      ...env(),
      JOBFERRY_E2E_PROFILE: 'e2e',
      E2E_FAAS_URL: cloud.accountUrl,
      E2E_PROJECT_ID: PROJECT,
      JOBFERRY_E2E_NAMESPACE: NAMESPACE,
    };
    await life(on('e2e', account), /deployed as jobferry-job-7 at http:/);
    expect(JSON.parse(await readFile(join(folder, '.jobferry/e2e-functions.json'), 'utf8'))).toEqual({});
  });

  it('names the variable that is missing', async () => {
    const { code, stderr } = await on('e2e', {})('list');
    expect(stderr).toContain('E2E_API_KEY');
    expect(code).toBe(2);
  });
});

describe('doctor --to', () => {
  it('openfaas proves the gateway, its provider and its credentials, and wants an image', async () => {
    const env = {
      OPENFAAS_URL: gateway.url,
      JOBFERRY_OPENFAAS_USER: USER,
      JOBFERRY_OPENFAAS_PASSWORD: PASSWORD,
    };
    const { doctor } = providerOf('openfaas');
    expect(await doctor(env)).toMatchObject([{ status: 'ok' }, { status: 'warn' }]);
    const whole = { ...env, JOBFERRY_OPENFAAS_REPOSITORY: 'registry.example/jobs' };
    expect(await doctor(whole)).toMatchObject([{ status: 'ok' }, { status: 'ok' }]);
    expect(await doctor({ ...env, JOBFERRY_OPENFAAS_PASSWORD: 'wrong' })).toMatchObject([
      { status: 'fail' },
      {},
    ]);
    gateway.fault('GET info', { status: 200, body: '{"provider":null,"version":{},"arch":""}' });
    expect(await doctor(whole)).toMatchObject([
      { status: 'fail', message: expect.stringContaining('provider') },
      {},
    ]);
  });

  it('e2e proves the credentials where the API lists, and says that the account’s was never tried', async () => {
    const { doctor } = providerOf('e2e');
    const env = { E2E_API_KEY: API_KEY, E2E_AUTH_TOKEN: AUTH_TOKEN, E2E_FAAS_URL: cloud.platformUrl };
    expect(await doctor(env)).toMatchObject([{ status: 'ok' }]);
    expect(await doctor({ ...env, E2E_API_KEY: 'wrong' })).toMatchObject([{ status: 'fail' }]);
    const account = {
      ...env,
      JOBFERRY_E2E_PROFILE: 'e2e',
      E2E_PROJECT_ID: PROJECT,
      JOBFERRY_E2E_NAMESPACE: NAMESPACE,
    };
    expect(await doctor(account)).toMatchObject([
      { status: 'warn', message: expect.stringContaining('never tried') },
    ]);
    expect(await doctor({ ...env, JOBFERRY_E2E_PROFILE: 'x' })).toMatchObject([{ status: 'fail' }]);
  });
});
