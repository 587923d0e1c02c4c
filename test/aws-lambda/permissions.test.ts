/** The policies that are shipped: what they must allow, against what the executor asks AWS for. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { bench } from './setup.js';

interface Policy {
  readonly Statement: readonly { readonly Action: string | readonly string[] }[];
}

async function actionsOf(policy: string): Promise<string[]> {
  const url = new URL(`../../src/executors/aws-lambda/permissions/${policy}.json`, import.meta.url);
  const { Statement } = JSON.parse(await readFile(url, 'utf8')) as Policy;
  return Statement.flatMap(({ Action }) => Action);
}

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('deploy.json', () => {
  it('allows every request of a deploy that uses everything', async () => {
    await using it = await bench({ jobs }, { alias: 'live' });
    const config = { keepWarm: 1, maxConcurrency: 2, labels: { a: 'b' }, aws: { eventRetries: 1 } };
    await it.deploy(1, config);
    await it.deploy(1, { memoryMb: 1024 });
    await it.executor.warm(1);
    await it.executor.listDeployments();
    await it.executor.undeployJob(1);
    const asked = new Set(
      it.fake.operations().map((name) => `lambda:${name.replace(/^Invoke$/, 'InvokeFunction')}`),
    );
    expect(await actionsOf('deploy')).toEqual(expect.arrayContaining([...asked]));
  });

  it('allows what AWS asks of whoever deploys with layers, or into a VPC', async () => {
    const needed = [
      'lambda:GetLayerVersion',
      'ec2:DescribeSecurityGroups',
      'ec2:DescribeSubnets',
      'ec2:DescribeVpcs',
    ];
    expect(await actionsOf('deploy')).toEqual(expect.arrayContaining(needed));
  });
});

describe('claim-store.json', () => {
  it('allows to read and to write, and nothing else', async () => {
    expect(await actionsOf('claim-store')).toEqual([
      's3:AbortMultipartUpload',
      's3:GetObject',
      's3:PutObject',
    ]);
  });

  it('claim-store-sweep.json adds what a sweep needs', async () => {
    expect(await actionsOf('claim-store-sweep')).toEqual(['s3:ListBucket', 's3:DeleteObject']);
  });
});
