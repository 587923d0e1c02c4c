/**
 * The control plane against moto, an implementation that is not ours. It has no states, no revisions, no calls and no provisioned
 * concurrency, which every deploy with an alias asks about: those are proved against the fake.
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import aws4 from 'aws4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LambdaExecutor } from '../../src/executors/aws-lambda/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { artifact, failureOf, otherArtifact } from '../aws-lambda/setup.js';
import { freePort, type Program, pythonWith, start } from './programs.js';

const MOTO = 'moto[server]==5.2.5';
const REGION = 'eu-central-1';
const KEYS = { accessKeyId: 'AKIDMOTO', secretAccessKey: 'moto' };

let program: Program;
let endpoint: string;
let role: string;

beforeAll(async () => {
  const python = await pythonWith(MOTO);
  const port = await freePort();
  endpoint = `http://127.0.0.1:${port}`;
  const isUp = async () => (await fetch(`${endpoint}/moto-api/data.json`)).ok;
  program = await start(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {}, isUp);
  const settings = { lambda: { use_docker: false }, iam: { load_aws_managed_policies: false } };
  await fetch(`${endpoint}/moto-api/config`, { method: 'POST', body: JSON.stringify(settings) });
  role = await createRole('jobs');
});
afterAll(() => program?.stop());

async function createRole(name: string): Promise<string> {
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
    ],
  };
  const body = new URLSearchParams({
    Action: 'CreateRole',
    Version: '2010-05-08',
    RoleName: name,
    AssumeRolePolicyDocument: JSON.stringify(policy),
  });
  const host = new URL(endpoint).host;
  const { headers } = aws4.sign(
    { service: 'iam', region: 'us-east-1', method: 'POST', host, path: '/', body: body.toString() },
    KEYS,
  );
  const { Host: _, 'Content-Length': __, ...sent } = headers as Record<string, string>;
  const reply = await fetch(endpoint, { method: 'POST', headers: sent, body: body.toString() });
  const arn = /<Arn>([^<]+)<\/Arn>/.exec(await reply.text())?.[1];
  if (arn === undefined) throw new Error(`moto made no role: HTTP ${reply.status}`);
  return arn;
}

function executor(more: object = {}): LambdaExecutor {
  return new LambdaExecutor({
    region: REGION,
    endpoint,
    credentials: KEYS,
    aws: { role },
    pollMs: 20,
    ...more,
  });
}

describe('against moto', () => {
  it('a function is created, described, listed, updated and deleted twice', async () => {
    await using it = executor();
    const created = await it.deployJob(1, artifact, {
      memoryMb: 256,
      env: { AA: '1' },
      maxConcurrency: 2,
      labels: { team: 'north' },
    });
    expect(created).toMatchObject({
      functionName: 'jobferry-job-1',
      memoryMb: 256,
      maxConcurrency: 2,
      sha256: artifact.sha256,
    });
    expect(await it.healthCheck(1)).toEqual({ status: 'healthy' });
    expect((await it.listDeployments()).map(({ jobId }) => jobId)).toEqual([1]);
    const updated = await it.deployJob(1, otherArtifact, { memoryMb: 512, timeoutSecs: 60 });
    expect(updated).toMatchObject({ memoryMb: 512, timeoutSecs: 60, sha256: otherArtifact.sha256 });
    expect(updated).not.toHaveProperty('maxConcurrency');
    await it.undeployJob(1);
    await it.undeployJob(1);
    expect(await it.getDeployment(1)).toBeUndefined();
    expect(await it.healthCheck(1)).toEqual({ status: 'missing' });
  });

  it('a second deploy of the same changes nothing', async () => {
    await using it = executor();
    const config = { env: { AA: '1' }, labels: { team: 'north' } };
    const first = await it.deployJob(2, artifact, config);
    expect(await it.deployJob(2, artifact, config)).toEqual(first);
    await it.undeployJob(2);
  });

  it('two deployers of one name both end well', async () => {
    await using one = executor();
    await using two = executor();
    const [a, b] = await Promise.all([one.deployJob(3, artifact), two.deployJob(3, artifact)]);
    expect(a.sha256).toBe(b.sha256);
    await one.undeployJob(3);
  });

  it('a role that does not exist is waited for and then named', async () => {
    await using it = executor({
      aws: { role: 'arn:aws:iam::123456789012:role/none' },
      deployTimeoutMs: 1500,
    });
    const steps: string[] = [];
    await using watched = executor({
      aws: { role: 'arn:aws:iam::123456789012:role/none' },
      deployTimeoutMs: 1500,
      onProgress: ({ step }: { step: string }) => steps.push(step),
    });
    const error = await failureOf(watched.deployJob(4, artifact));
    expect(error.executed).toBe('no');
    expect(steps.filter((step) => step === 'wait-for-role').length).toBeGreaterThan(1);
    expect(await it.getDeployment(4)).toBeUndefined();
  });

  it('a package goes through a bucket', async () => {
    const s3 = new S3Client({ region: REGION, endpoint, credentials: KEYS, forcePathStyle: true });
    await s3.send(
      new CreateBucketCommand({ Bucket: 'code', CreateBucketConfiguration: { LocationConstraint: REGION } }),
    );
    s3.destroy();
    const large = await packageFiles([
      { path: 'index.mjs', bytes: `export const handler = () => null; // ${'x'.repeat(100_000)}\n` },
      { path: 'jobferry-lambda.json', bytes: '{"entry":1}\n' },
    ]);
    await using it = executor({ upload: { bucket: 'code', endpoint, aboveBytes: 100 } });
    expect((await it.deployJob(5, large)).sha256).toBe(large.sha256);
    await it.undeployJob(5);
  });
});
