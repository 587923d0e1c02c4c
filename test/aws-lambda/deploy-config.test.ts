import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { ROLE } from '../fakes/aws-lambda.js';
import { artifact, bench, executorFor, failureOf } from './setup.js';

const SECRET = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:jobferry/db';
const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('packages over the direct limit', () => {
  it('go through the bucket, once', async () => {
    await using it = await bench({ jobs });
    const executor = executorFor(it.fake, {
      upload: { bucket: 'code', endpoint: it.fake.url, aboveBytes: 10 },
    });
    const { sha256 } = await executor.deployJob(1, artifact);
    expect(sha256).toBe(artifact.sha256);
    expect([...it.fake.objects.keys()]).toEqual([`code/jobferry/${artifact.sha256}.zip`]);
    await executor.undeployJob(1);
    await executor.deployJob(1, artifact);
    expect(it.fake.writes().filter((name) => name === 'PutObject')).toHaveLength(1);
    await executor.close();
  });

  it('are refused without a bucket, with both sizes', async () => {
    await using it = await bench({ jobs });
    const bytes = new Uint8Array(51 * 1024 * 1024);
    const error = await failureOf(it.executor.deployJob(1, { ...artifact, bytes }));
    expect(error.code).toBe('PAYLOAD_TOO_LARGE');
    expect(error.message).toMatch(/53477376 bytes, and 52428800 fit.*`upload`/);
    expect(it.fake.requests).toEqual([]);
  });
});

describe('what Lambda cannot honour is refused by name before anything is created (origin-defects 0.11)', () => {
  it.each([
    [{ memoryMb: 64 }, 'CONFIG', 'memoryMb'],
    [{ timeoutSecs: 901 }, 'CONFIG', 'timeoutSecs'],
    [{ maxConcurrency: 0 }, 'CONFIG', 'maxConcurrency'],
    [{ env: { A: '1' } }, 'CONFIG', '`env` has a name'],
    [{ env: { JOBFERRY_JOB_ID: '1' } }, 'CONFIG', 'env.JOBFERRY_JOB_ID'],
    [{ env: { JOBFERRY_ENTRY: '1' } }, 'CONFIG', 'env.JOBFERRY_ENTRY'],
    [{ env: { JOBFERRY_SECRETS: '{}' } }, 'CONFIG', 'env.JOBFERRY_SECRETS'],
    [{ secrets: { JOBFERRY_ENTRY: SECRET } }, 'CONFIG', 'secrets.JOBFERRY_ENTRY'],
    [{ env: { AWS_REGION: 'eu-west-1' } }, 'CONFIG', 'env.AWS_REGION'],
    [{ env: { AWS_LAMBDA_FUNCTION_NAME: 'x' } }, 'CONFIG', 'env.AWS_LAMBDA_FUNCTION_NAME'],
    [{ secrets: { AWS_SECRET_ACCESS_KEY: SECRET } }, 'CONFIG', 'secrets.AWS_SECRET_ACCESS_KEY'],
    [{ env: { DB: 'plain text' }, secrets: { DB: SECRET } }, 'CONFIG', '`DB` stands in `env` and'],
    [{ env: { BIG: 'x'.repeat(4096) } }, 'CONFIG', '`env` takes'],
    [{ secrets: { KEY: 'plain text' } }, 'CONFIG', 'secrets.KEY'],
    [{ labels: { 'aws:x': '1' } }, 'CONFIG', 'labels.aws:x'],
    [{ labels: { 'AWS:x': '1' } }, 'CONFIG', 'labels.AWS:x'],
    [{ labels: { 'jobferry:x': '1' } }, 'CONFIG', 'labels.jobferry:x'],
    [{ labels: { 'a,b': '1' } }, 'CONFIG', '"a,b"'],
    [{ labels: { ['k'.repeat(129)]: '1' } }, 'CONFIG', 'no tag key'],
    [{ labels: { team: 'a;b' } }, 'CONFIG', 'labels.team'],
    [{ labels: { team: 'v'.repeat(257) } }, 'CONFIG', 'labels.team'],
    [{ labels: { team: 'aws:me' } }, 'CONFIG', 'labels.team'],
    [{ labels: Object.fromEntries([...Array(49).keys()].map((n) => [n, 'x'])) }, 'CONFIG', 'limit is 48'],
    [{ gpu: 1 }, 'UNSUPPORTED', 'gpu'],
    [{ aws: { role: ROLE, spotlight: 1 } }, 'UNSUPPORTED', 'spotlight'],
    [{ aws: { role: ROLE, ephemeralStorageMb: 1 } }, 'CONFIG', 'ephemeralStorageMb'],
    [{ aws: { role: ROLE, eventRetries: 3 } }, 'CONFIG', 'eventRetries'],
    [{ aws: { role: ROLE, layers: Array(6).fill('arn') } }, 'CONFIG', 'layers'],
    [{ aws: { role: undefined } }, 'CONFIG', 'aws.role'],
  ])('%j is %s', async (config, code, name) => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config as never));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(name);
    expect(error.message).not.toContain('plain text');
    expect(it.fake.requests).toEqual([]);
  });
});

describe('names that are the caller’s to set', () => {
  it('deploys with the store of the claims, as docs/claim-check.md does, and with names AWS leaves free', async () => {
    await using it = await bench({ jobs });
    const env = { JOBFERRY_CLAIM_STORE: 's3://claims/', AWS_LAMBDA_EXEC_WRAPPER: '/opt/wrap', TZ: 'UTC' };
    await it.deploy(1, { env, labels: { team: 'North + South' } });
    expect(it.fake.functions.find('jobferry-job-1')?.configuration['Environment']).toMatchObject({
      Variables: env,
    });
  });
});
