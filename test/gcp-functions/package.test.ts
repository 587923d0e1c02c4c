/** The example, from its own process, against the fake: credentials by the metadata server, gRPC over TLS. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import JSZip from 'jszip';
import { expect, it } from 'vitest';
import { primes } from '../../examples/jobs.js';
import { defineJob } from '../../src/core/define-job.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { fakeGcp, PROJECT, REGION } from '../fakes/gcp-functions.js';
import { certFile } from '../fakes/loopback-tls.js';

const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

it('examples/gcp-functions.ts deploys, runs two jobs there and cleans up', async () => {
  const job = defineJob({
    id: primes.id,
    name: primes.name,
    handler: primes.handler as (limit: number) => number,
  });
  await using fake = await fakeGcp({ jobs: [job] });
  const env = {
    PATH: process.env['PATH'] ?? '',
    GCE_METADATA_HOST: new URL(fake.http.url).host,
    METADATA_SERVER_DETECTION: 'assume-present',
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certFile,
    GOOGLE_CLOUD_PROJECT: PROJECT,
    JOBFERRY_GCP_REGION: REGION,
    JOBFERRY_GCP_INVOKER: 'serviceAccount:runner@p.iam.gserviceaccount.com',
    JOBFERRY_GCP_ENDPOINT: fake.endpoint,
    JOBFERRY_GCP_RUN_ENDPOINT: fake.http.url,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [example('gcp-functions.ts')], { env });
  const ok = stdout.split('\n').filter((line) => line.startsWith('ok'));
  expect(ok.sort()).toEqual(['ok 1229 on gcp-functions', 'ok 2262 on gcp-functions']);
  expect(fake.functions.size).toBe(0);
  expect(fake.http.policies.size).toBe(1);
});

it('a package says how it is to be built, and that it knows warm pings', async () => {
  const { bytes } = await packageHandler({ entry: example('jobs.ts'), target: 'gcp-functions' });
  const zip = await JSZip.loadAsync(bytes);
  expect(Object.keys(zip.files).sort()).toEqual(['index.js', 'jobferry-gcp.json', 'package.json']);
  expect(JSON.parse((await zip.file('package.json')?.async('string')) ?? '')).toMatchObject({
    main: 'index.js',
    dependencies: { '@google-cloud/functions-framework': expect.any(String) },
  });
});
