/** The plan `consumption` reads its package from storage: a deploy with Azurite, Microsoft's emulator of storage. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { artifact, bench, callOf, otherArtifact } from '../azure-functions/setup.js';
import { cacheFolder, freePort, type Program, start } from './programs.js';

// Azurite's own account, which its documentation publishes.
const ACCOUNT = 'devstoreaccount1';
const KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

let azurite: Program;
let folder: string;
let blob: string;

beforeAll(async () => {
  const command = join(cacheFolder, 'azurite', 'node_modules', '.bin', 'azurite-blob');
  if (!existsSync(command)) throw new Error(`${command} is missing: run scripts/peers.sh.`);
  folder = await mkdtemp(join(tmpdir(), 'jobferry-azurite-'));
  const port = await freePort();
  blob = `http://127.0.0.1:${port}/${ACCOUNT}`;
  const args = ['--blobPort', String(port), '--location', folder, '--skipApiVersionCheck', '--silent'];
  azurite = await start(command, args, {}, async () => (await fetch(blob)).status > 0);
  const connection = `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${blob}`;
  // Containers are made by the management API, which Azurite does not have.
  await BlobServiceClient.fromConnectionString(connection).createContainer('job-1');
});
afterAll(async () => {
  await azurite?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

it('is uploaded under its hash, read by the host without a login, and by nobody without the signature', async () => {
  const plan = { kind: 'consumption' } as const;
  await using it = await bench({ jobs }, { storageAccount: ACCOUNT, azure: { plan } });
  it.fake.arm.groups.set('jobferry', { name: 'jobferry', location: 'westeurope' });
  it.fake.arm.storageKey = KEY;
  it.fake.arm.storage.set(ACCOUNT, {
    containers: new Set(['job-1']),
    properties: { provisioningState: 'Succeeded', primaryEndpoints: { blob: `${blob}/` } },
  });
  expect(await it.deploy(1)).toMatchObject({ sha256: artifact.sha256 });
  expect(it.site(1).zip?.equals(artifact.bytes)).toBe(true);
  await it.executor.invoke(callOf(1), callContext());

  const url = new URL(it.site(1).settings['WEBSITE_RUN_FROM_PACKAGE'] ?? '');
  expect(url.pathname).toBe(`/${ACCOUNT}/job-1/${artifact.sha256}.zip`);
  expect(url.searchParams.get('sp')).toBe('r');
  expect((await fetch(`${url.origin}${url.pathname}`)).ok).toBe(false);
  expect((await fetch(url, { method: 'DELETE' })).ok).toBe(false);

  const before = it.fake.writes().length;
  await it.deploy(1);
  expect(it.fake.writes()).toHaveLength(before);
  await it.executor.deployJob(1, otherArtifact);
  expect(it.site(1).zip?.equals(otherArtifact.bytes)).toBe(true);
  expect(it.fake.writes().slice(before)).toEqual(['PATCH tags', 'PUT settings', 'POST sync', 'PATCH tags']);
});
