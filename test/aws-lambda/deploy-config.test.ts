import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { ROLE } from '../fakes/aws-lambda.js';
import { artifact, bench, executorFor, failureOf } from './setup.js';

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
    [{ env: { JOBFERRY_X: '1' } }, 'CONFIG', 'env.JOBFERRY_X'],
    [{ env: { BIG: 'x'.repeat(4096) } }, 'CONFIG', '`env` takes'],
    [{ secrets: { KEY: 'plain text' } }, 'CONFIG', 'secrets.KEY'],
    [{ labels: { 'aws:x': '1' } }, 'CONFIG', 'labels'],
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
