/** The CLI on a cloud: everything it needs comes from the environment. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineJob } from '../../src/index.js';
import { type FakeLambda, fakeLambda, KEYS, REGION, ROLE } from '../fakes/aws-lambda.js';
import { cli } from './cli.js';

const JOBS = `import { defineJob } from 'jobferry';
export const square = defineJob({ id: 7, name: 'square', handler: (n) => n * n });`;

let fake: FakeLambda;
let folder: string;
const requests: string[] = [];

beforeAll(async () => {
  const square = defineJob({ id: 7, name: 'square', handler: (n: number) => n * n });
  fake = await fakeLambda({ jobs: [square], observe: ({ request }) => requests.push(request.operation) });
  folder = await mkdtemp(join(tmpdir(), 'jobferry-cli-'));
  await writeFile(join(folder, 'jobs.ts'), JOBS);
});

afterAll(async () => {
  await fake.close();
  await rm(folder, { recursive: true });
});

const onLambda = (command: string, ...args: string[]) =>
  cli([command, ...args, '--to', 'aws-lambda'], { cwd: folder, env: lambdaEnv() });

const lambdaEnv = () => ({
  AWS_REGION: REGION,
  AWS_ENDPOINT_URL_LAMBDA: fake.url,
  AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
  AWS_EC2_METADATA_DISABLED: 'true',
  JOBFERRY_AWS_ROLE: ROLE,
});

describe('jobferry deploy --to aws-lambda', () => {
  it('only says what it would do, with --dry-run', async () => {
    const { code, stdout } = await onLambda('deploy', 'jobs.ts', '--dry-run');
    expect(stdout).toMatch(/^\+ create square \(job 7\) on aws-lambda: \d/);
    expect(code).toBe(0);
    expect((await onLambda('deploy', 'jobs.ts', '--dry-run', '--json')).json()).toMatchObject({
      plans: [{ action: 'create', jobId: 7, provider: 'aws-lambda' }],
    });
    expect(requests.filter((operation) => !/^(Get|List)/.test(operation))).toEqual([]);
  });

  it('says it, does it step by step, and the function answers', async () => {
    const deployed = await onLambda('deploy', 'jobs.ts', '--memory', '256');
    expect(deployed.stderr).toMatch(/\+ create square .*256 MB[\s\S]* {2}create\n[\s\S]* {2}done\n/);
    expect(deployed.stdout).toMatch(/^square \(job 7\) deployed as jobferry-job-7 at arn:aws:lambda:/);
    expect((await onLambda('invoke', '7', '--input', '7')).stdout).toBe('49\n');
    expect((await onLambda('list')).stdout).toMatch(/^7 +jobferry-job-7 {2}arn:.*256 MB/);
    expect((await onLambda('health', '7')).code).toBe(0);
  });

  it('names what differs, and that nothing does', async () => {
    expect((await onLambda('deploy', 'jobs.ts', '--memory', '512', '--dry-run')).stdout).toContain(
      '~ update square (job 7) on aws-lambda: memoryMb 256 -> 512',
    );
    expect((await onLambda('deploy', 'jobs.ts', '--memory', '256', '--dry-run')).stdout).toContain(
      '= square (job 7) on aws-lambda is there with the same content',
    );
  });

  it('explains a missing permission with the action to allow', async () => {
    const message = `User: arn:aws:iam::1:user/x is not authorized to perform: lambda:UpdateFunctionConfiguration on resource: y`;
    fake.fault('UpdateFunctionConfiguration', { status: 403, type: 'AccessDeniedException', message });
    const { code, stderr } = await onLambda('deploy', 'jobs.ts', '--memory', '1024');
    expect(stderr).toContain('Allow the action lambda:UpdateFunctionConfiguration');
    expect(code).toBe(3);
  });

  it('names the variable that is missing', async () => {
    const { code, stderr } = await cli(['deploy', 'jobs.ts', '--to', 'aws-lambda'], { cwd: folder });
    expect(stderr).toContain('AWS_REGION');
    expect(code).toBe(2);
  });

  it('removes it again, twice', async () => {
    expect((await onLambda('undeploy', '7')).code).toBe(0);
    expect((await onLambda('undeploy', '7')).code).toBe(0);
    expect((await onLambda('invoke', '7', '--input', '7')).code).toBe(4);
  });
});

it('declared functions go to the same cloud by `provider`, and leave again', async () => {
  const file = `provider: aws-lambda
functions:
  square:
    runtime: node
    code_inline: "export default (n) => n * n;"
    config: { memory_mb: 256 }
    labels: { team: north }
    job_id: 8
`;
  await writeFile(join(folder, 'f.yaml'), file);
  const env = lambdaEnv();
  const run = (...args: string[]) => cli([...args, 'f.yaml'], { cwd: folder, env });
  const applied = await cli(['apply', 'f.yaml', '--auto-approve'], { cwd: folder, env });
  expect(applied.code, applied.stderr).toBe(0);
  expect(fake.functions.find('jobferry-job-8')?.configuration['MemorySize']).toBe(256);
  expect((await run('plan', '--detailed-exitcode')).code).toBe(0);
  expect((await run('destroy', '--auto-approve')).code).toBe(0);
  expect(fake.functions.find('jobferry-job-8')).toBeUndefined();
});

it('refuses a provider that does not exist, and an address for one that has its own', async () => {
  expect((await cli(['list', '--to', 'nowhere'])).stderr).toMatch(/use one of custom-http, aws-lambda/);
  expect((await cli(['list', '--to', 'aws-lambda', '--url', 'http://x'])).stderr).toMatch(
    /--url goes with custom-http only/,
  );
});
