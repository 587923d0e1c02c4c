/** The CLI on Azure: everything it needs comes from the environment, the token from a managed identity. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineJob } from '../../src/index.js';
import { cli, ended, startCli } from '../cli/cli.js';
import { type FakeAzure, fakeAzure, SUBSCRIPTION, TOKEN } from '../fakes/azure-functions.js';
import { type IdentityService, identityService } from '../fakes/azure-identity.js';
import { certFile } from '../fakes/loopback-tls.js';

const JOBS = `import { defineJob } from 'jobferry';
export const square = defineJob({ id: 7, name: 'square', handler: (n) => n * n });`;

let fake: FakeAzure;
let identity: IdentityService;
let folder: string;

beforeAll(async () => {
  const square = defineJob({ id: 7, name: 'square', handler: (n: number) => n * n });
  fake = await fakeAzure({ jobs: [square], loopback: true });
  identity = await identityService(() => TOKEN);
  folder = await mkdtemp(join(tmpdir(), 'jobferry-cli-'));
  await writeFile(join(folder, 'jobs.ts'), JOBS);
});

afterAll(async () => {
  await fake.close();
  await identity[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const onAzure = (command: string, ...args: string[]) =>
  cli([command, ...args, '--to', 'azure-functions'], { cwd: folder, env: azureEnv() });

const azureEnv = () => ({
  AZURE_SUBSCRIPTION_ID: SUBSCRIPTION,
  JOBFERRY_AZURE_LOCATION: 'westeurope',
  JOBFERRY_AZURE_ENDPOINT: fake.url,
  NODE_EXTRA_CA_CERTS: certFile,
  ...identity.env,
});

describe('jobferry --to azure-functions', () => {
  it('names the variable that is missing', async () => {
    const { code, stderr } = await cli(['list', '--to', 'azure-functions'], { cwd: folder });
    expect(stderr).toContain('AZURE_SUBSCRIPTION_ID');
    expect(code).not.toBe(0);
  });

  it('only says what it would do, with --dry-run', async () => {
    const { code, stdout } = await onAzure('deploy', 'jobs.ts', '--dry-run');
    expect(stdout).toMatch(/^\+ create square \(job 7\) on azure-functions: \d/);
    expect(code).toBe(0);
    expect(fake.writes()).toEqual([]);
  });

  it('deploys, calls, lists, asks for health and takes it away', async () => {
    const deployed = await onAzure('deploy', 'jobs.ts', '--memory', '2048');
    expect(deployed.stderr).toMatch(/group\n[\s\S]*publish\n[\s\S]*done\n/);
    expect(deployed.stdout).toMatch(/^square \(job 7\) deployed as jobferry-[0-9a-f]{8}-job-7 at https:/);
    expect((await onAzure('invoke', '7', '--input', '7')).stdout).toBe('49\n');
    expect((await onAzure('list')).stdout).toMatch(/^7 +jobferry-[0-9a-f]{8}-job-7 .*2048 MB/);
    expect((await onAzure('health', '7')).code).toBe(0);
    expect((await onAzure('undeploy', '7')).code).toBe(0);
    expect(fake.arm.sites.size).toBe(0);
  }, 120_000);

  it('killed in the middle of a deploy, leaves what the next one finishes', async () => {
    const args = ['deploy', 'jobs.ts', '--to', 'azure-functions'];
    const child = startCli(args, { cwd: folder, env: azureEnv() });
    const over = ended(child);
    fake.fault('POST publish', { reset: 'upload', run: () => child.kill('SIGKILL') });
    expect((await over).code).toBeNull();
    expect(fake.arm.sites.size).toBe(1);
    const before = fake.writes().length;
    expect((await onAzure('deploy', 'jobs.ts')).code).toBe(0);
    expect(fake.writes().slice(before)).toEqual(['POST publish', 'PATCH tags']);
    expect((await onAzure('invoke', '7', '--input', '8')).stdout).toBe('64\n');
    expect((await onAzure('undeploy', '7')).code).toBe(0);
  }, 120_000);

  it('doctor tells what works', async () => {
    const { stdout } = await onAzure('doctor');
    expect(stdout).toMatch(/azure access.*works, 0 functions deployed/);
    expect(stdout).toMatch(/@azure\/arm-appservice.*works/);
  });
});
