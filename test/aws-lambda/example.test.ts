/** The example that runs against AWS with credentials, here against the fake: the whole way of a user. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { primes } from '../../examples/jobs.js';
import { defineJob } from '../../src/core/define-job.js';
import { fakeLambda, KEYS, REGION, ROLE } from '../fakes/aws-lambda.js';

const EXAMPLE = fileURLToPath(new URL('../../examples/aws-lambda.ts', import.meta.url));

it('examples/aws-lambda.ts deploys, runs two jobs there and cleans up', async () => {
  // The example's job is of the built package; the fake runs jobs of the sources.
  const job = defineJob({
    id: primes.id,
    name: primes.name,
    handler: primes.handler as (limit: number) => number,
  });
  await using fake = await fakeLambda({ jobs: [job] });
  const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE], {
    env: {
      PATH: process.env['PATH'] ?? '',
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL_LAMBDA: fake.url,
      JOBFERRY_AWS_ROLE: ROLE,
    },
  });
  expect(
    stdout
      .split('\n')
      .filter((line) => line.startsWith('ok'))
      .sort(),
  ).toEqual(['ok 1229 on aws-lambda', 'ok 2262 on aws-lambda']);
  expect(stdout).toMatch(/deployed arn:aws:lambda:/);
  expect(fake.functions.find(`jobferry-example-${primes.id}`)).toBeUndefined();
  expect(fake.operations()).toContain('DeleteFunction');
});
