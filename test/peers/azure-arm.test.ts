/**
 * Our executor against Microsoft's own models: the fake server that is generated with their SDK for Go reads every
 * request to App Service and writes every reply. Groups, storage and deployments stay with our fake behind it.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import type { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { artifact, callOf, executorFor, otherArtifact } from '../azure-functions/setup.js';
import { type FakeAzure, fakeAzure } from '../fakes/azure-functions.js';
import { certFile, key } from '../fakes/loopback-tls.js';
import { cacheFolder, freePort, type Program, start } from './programs.js';

const source = fileURLToPath(new URL('azure-arm-server', import.meta.url));
const APP = 'peer-app';
const FUNCTION_KEY = 'peer-function-key';
const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

let folder: string;
let fake: FakeAzure;
let program: Program;
let executor: AzureFunctionExecutor;
let endpoint: string;

/** Built once for its source; the Go modules come from the module proxy, checked against the checksum database. */
async function build(): Promise<string> {
  const files = await Promise.all(
    ['main.go', 'go.mod', 'go.sum'].map((name) => readFile(join(source, name))),
  );
  const digest = createHash('sha256').update(Buffer.concat(files)).digest('hex').slice(0, 16);
  const program = join(cacheFolder, 'azure-arm-server', digest);
  if (await stat(program).catch(() => undefined)) return program;
  await mkdir(join(cacheFolder, 'azure-arm-server'), { recursive: true });
  try {
    await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd: source, timeout: 540_000 });
    return program;
  } catch (cause) {
    throw new Error('test/peers/azure-arm-server cannot be built: it needs go 1.24 or newer.', { cause });
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-arm-'));
  await writeFile(join(folder, 'key.pem'), key, { mode: 0o600 });
  fake = await fakeAzure({ jobs });
  const [host, scmHost] = fake.arm.hostsOf(APP);
  const port = await freePort();
  endpoint = `https://localhost:${port}`;
  const env = {
    PORT: String(port),
    UPSTREAM: fake.plainUrl,
    APP_HOST: host,
    SCM_HOST: scmHost,
    FUNCTION_KEY,
    CERT_FILE: certFile,
    KEY_FILE: join(folder, 'key.pem'),
  };
  program = await start(await build(), [], env, async () => {
    const reply = await fake.dispatcher.request({ origin: endpoint, method: 'GET', path: '/' });
    await reply.body.dump();
    return true;
  });
  // What the fake's front door and deployment service have to know of the app.
  fake.arm.sites.set(APP, {
    host,
    scmHost,
    functionKey: FUNCTION_KEY,
    settings: {},
    configuration: {},
    restarts: 0,
    startReads: 0,
    zip: undefined,
    resource: { name: APP, tags: {}, properties: {} },
  });
  executor = executorFor(fake, { endpoint, appName: () => APP });
});

afterAll(async () => {
  await executor?.close();
  await program?.stop();
  await fake?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('Microsoft’s generated server', () => {
  it('takes a first deploy, and what it gives back is what was asked for: a second one writes nothing', async () => {
    expect(await executor.getDeployment(1)).toBeUndefined();
    const config = {
      memoryMb: 2048,
      timeoutSecs: 60,
      env: { LEVEL: '9' },
      labels: { team: 'north' },
      maxConcurrency: 60,
      keepWarm: 2,
      secrets: { DB: 'https://vault.vault.azure.net/secrets/db' },
    };
    const deployment = await executor.deployJob(1, artifact, config);
    expect(deployment).toMatchObject({
      functionName: APP,
      memoryMb: 2048,
      timeoutSecs: 60,
      maxConcurrency: 60,
      sha256: artifact.sha256,
    });
    const steps: string[] = [];
    await using other = executorFor(fake, {
      endpoint,
      appName: () => APP,
      onProgress: ({ step }) => steps.push(step),
    });
    expect(await other.deployJob(1, artifact, config)).toEqual(deployment);
    expect(steps).toEqual(['done']);
  });

  it('serves a call, changes, the list and the rest of a life', async () => {
    const { result } = await executor.invoke(callOf(1, { args: Uint8Array.of(1, 2) }), callContext());
    expect([...result]).toEqual([1, 2]);
    const changed = await executor.deployJob(1, otherArtifact, { memoryMb: 4096, env: { LEVEL: '10' } });
    expect(changed).toMatchObject({ memoryMb: 4096, timeoutSecs: 230, sha256: otherArtifact.sha256 });
    expect((await executor.listDeployments()).map(({ functionName }) => functionName)).toEqual([APP]);
    expect(await executor.healthCheck(1)).toEqual({ status: 'healthy' });
    await executor.undeployJob(1);
    await executor.undeployJob(1);
    expect(await executor.healthCheck(1)).toEqual({ status: 'missing' });
  });

  it('was the one that answered, and refuses what Microsoft’s models do not have', async () => {
    expect(
      fake.operations.filter((one) => /site|plan|settings|keys$/.test(one) && !one.includes('storage')),
    ).toEqual([]);
    const path = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/a?api-version=2025-05-01';
    const body = JSON.stringify({ location: 'x', properties: { httpsOnly: 'yes' } });
    const headers = { 'content-type': 'application/json' };
    const reply = await fake.dispatcher.request({ origin: endpoint, method: 'PUT', path, headers, body });
    expect([reply.statusCode, await reply.body.json()]).toEqual([
      400,
      { error: { code: 'NotInTheModel', message: expect.stringContaining('HTTPSOnly') } },
    ]);
  });
});
