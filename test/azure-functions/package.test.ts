/** What is uploaded, run as the Functions host runs a custom handler: its command, its port, the request forwarded. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import JSZip from 'jszip';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { primes } from '../../examples/jobs.js';
import { defineJob } from '../../src/core/define-job.js';
import type { Artifact } from '../../src/core/executor.js';
import { callContext } from '../../src/core/scope.js';
import { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { hasEntryIn } from '../../src/executors/azure-functions/package-entry.js';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { fakeAzure, SUBSCRIPTION, TOKEN } from '../fakes/azure-functions.js';
import { identityService } from '../fakes/azure-identity.js';
import { certFile } from '../fakes/loopback-tls.js';
import { callOf, failureOf } from './setup.js';

let folder: string;
const started: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-azure-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    const gone = once(child, 'exit');
    if (child.kill('SIGKILL')) await gone;
  }
  await rm(folder, { recursive: true, force: true });
});

async function source(name: string, text: string, mode = 0o644): Promise<string> {
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), mode);
  return join(folder, name);
}

interface Host {
  readonly version: string;
  readonly customHandler: {
    readonly description: { readonly defaultExecutablePath: string; readonly arguments: string[] };
    readonly enableForwardingHttpRequest: boolean;
  };
}

/** Unpacks it, reads its host.json, starts what is named there, and gives an executor that calls it. */
async function hosted(artifact: Artifact): Promise<AzureFunctionExecutor> {
  const root = await mkdtemp(join(folder, 'wwwroot-'));
  const zip = await JSZip.loadAsync(artifact.bytes);
  for (const [name, file] of Object.entries(zip.files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), await file.async('nodebuffer'));
    await chmod(join(root, name), Number(file.unixPermissions) & 0o777);
  }
  const host = JSON.parse(String(await zip.file('host.json')?.async('string'))) as Host;
  const { defaultExecutablePath, arguments: args } = host.customHandler.description;
  const port = await freePort();
  const env = { PATH: process.env['PATH'] ?? '', FUNCTIONS_CUSTOMHANDLER_PORT: String(port) };
  started.push(
    spawn(defaultExecutablePath, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }),
  );
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries += 1) {
    if (
      await fetch(url, { method: 'POST', headers: { 'x-faas-warm': '0' } }).then(
        () => true,
        () => false,
      )
    )
      break;
    if (tries === 200) throw new Error('the handler did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return new AzureFunctionExecutor({ apps: () => ({ url, functionKey: 'any' }) });
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

const JOBS = `
  import { defineJob } from 'jobferry';
  export const add = defineJob({ id: 7, name: 'add', handler: (n: number, { callId, attempt }) => ({ sum: n + 1, callId, attempt }) });
  export const fail = defineJob({ id: 8, name: 'fail', handler: () => { throw new RangeError('too far'); } });
`;

describe('a package for Azure', () => {
  it('has the layout of a custom handler: host.json at its root: origin-defects: it had none', async () => {
    const artifact = await packageHandler({
      target: 'azure-functions',
      entry: await source('jobs.ts', JOBS),
    });
    const zip = await JSZip.loadAsync(artifact.bytes);
    expect(Object.keys(zip.files).sort()).toEqual([
      'host.json',
      'index.mjs',
      'job/function.json',
      'jobferry-azure-functions.json',
      'package.json',
    ]);
    const host = JSON.parse(String(await zip.file('host.json')?.async('string'))) as Host;
    expect(host).toMatchObject({ version: '2.0', customHandler: { enableForwardingHttpRequest: true } });
    const trigger = JSON.parse(String(await zip.file('job/function.json')?.async('string')));
    expect(trigger.bindings).toEqual([
      expect.objectContaining({
        type: 'httpTrigger',
        authLevel: 'function',
        methods: ['post'],
        route: 'job',
      }),
      { type: 'http', direction: 'out', name: 'response' },
    ]);
  });

  it('of a TypeScript handler runs its jobs', async () => {
    const artifact = await packageHandler({
      target: 'azure-functions',
      entry: await source('jobs.ts', JOBS),
    });
    expect(await hasEntryIn(artifact.bytes)).toBe(true);
    await using executor = await hosted(artifact);
    const call = callOf(7, { args: Buffer.from('41'), attempt: 2, metadata: { tenant: 'ö' } });
    const { result, metadata, metrics } = await executor.invoke(call, callContext());
    expect(JSON.parse(textOf(result))).toEqual({ sum: 42, callId: call.callId, attempt: 2 });
    expect(metadata).toEqual({ tenant: 'ö' });
    expect(metrics.executionMs).toBeGreaterThanOrEqual(0);
    const failed = executor.invoke(callOf(8, { args: Buffer.from('null') }), callContext());
    expect(await failureOf(failed)).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
    const unknown = executor.invoke(callOf(9), callContext());
    expect(await failureOf(unknown)).toMatchObject({ code: 'CONFIG', executed: 'no' });
  });

  it('of an executable starts it for each call: origin-defects: a raw program was never started', async () => {
    const script = '#!/bin/sh\ncat > /dev/null; printf \'{"result":[52,50]}\'\n';
    const artifact = await packageExecutable({
      target: 'azure-functions',
      path: await source('answer', script, 0o755),
    });
    await using executor = await hosted(artifact);
    const { result } = await executor.invoke(callOf(1, { args: Uint8Array.of(0, 255) }), callContext());
    expect(textOf(result)).toBe('42');
    expect(await hasEntryIn(artifact.bytes)).toBe(true);
  });

  it('that cannot be loaded says so, and that nothing ran', async () => {
    const entry = await source('bad.ts', "throw new TypeError('no database url');\nexport default () => 1;");
    await using executor = await hosted(await packageHandler({ target: 'azure-functions', entry }));
    const error = await failureOf(executor.invoke(callOf(1, { args: Buffer.from('null') }), callContext()));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('TypeError: no database url');
  });

  it('is the same, byte for byte, when it is made again', async () => {
    const entry = await source('jobs.ts', JOBS);
    const [first, second] = [
      await packageHandler({ target: 'azure-functions', entry }),
      await packageHandler({ target: 'azure-functions', entry }),
    ];
    expect(first.sha256).toBe(second.sha256);
  });
});

it('examples/azure-functions.ts deploys, runs two jobs there and cleans up', async () => {
  const job = defineJob({
    id: primes.id,
    name: primes.name,
    handler: primes.handler as (limit: number) => number,
  });
  await using fake = await fakeAzure({ jobs: [job], loopback: true });
  const example = fileURLToPath(new URL('../../examples/azure-functions.ts', import.meta.url));
  // @azure/identity finds the token where a managed identity of App Service has it.
  await using identity = await identityService(() => TOKEN);
  const env = {
    PATH: process.env['PATH'] ?? '',
    NODE_EXTRA_CA_CERTS: certFile,
    AZURE_SUBSCRIPTION_ID: SUBSCRIPTION,
    JOBFERRY_AZURE_LOCATION: 'westeurope',
    JOBFERRY_AZURE_ENDPOINT: fake.url,
    ...identity.env,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [example], { env });
  const ok = stdout.split('\n').filter((line) => line.startsWith('ok'));
  expect(ok.sort()).toEqual(['ok 1229 on azure-functions', 'ok 2262 on azure-functions']);
  expect([fake.arm.sites.size, fake.arm.storage.size, fake.arm.groups.size]).toEqual([0, 0, 0]);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
