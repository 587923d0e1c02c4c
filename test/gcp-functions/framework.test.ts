/** What is uploaded, run by Google's functions framework, and called by our data plane. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import JSZip from 'jszip';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Artifact } from '../../src/core/executor.js';
import { callContext } from '../../src/core/scope.js';
import { CloudFunctionExecutor } from '../../src/executors/gcp-functions/index.js';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { fakeGcp, PROJECT, REGION } from '../fakes/gcp-functions.js';
import { freePort } from '../peers/programs.js';
import { callOf, failureOf, useMetadataServer } from './setup.js';

const framework = createRequire(import.meta.url).resolve('@google-cloud/functions-framework');

let folder: string;
let running: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-gcp-'));
});
afterEach(async () => {
  running?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function source(name: string, text: string, mode = 0o644): Promise<string> {
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), mode);
  return join(folder, name);
}

/** Unpacks, starts the framework on it as Google's image does, and waits until it listens. */
async function serve(artifact: Artifact): Promise<string> {
  const place = await mkdtemp(join(folder, 'source-'));
  const zip = await JSZip.loadAsync(artifact.bytes);
  for (const [name, file] of Object.entries(zip.files)) {
    await writeFile(join(place, name), await file.async('nodebuffer'));
    await chmod(join(place, name), Number(file.unixPermissions) & 0o777);
  }
  const port = await freePort();
  const main = join(framework, '../../../build/src/main.js');
  const flags = ['--target=main', `--source=${place}`, `--port=${port}`, '--signature-type=http'];
  const child = spawn(process.execPath, [main, ...flags], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  await new Promise<void>((resolve, reject) => {
    let said = '';
    const read = (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('URL: http')) resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) => reject(new Error(`functions-framework ended with ${code}: ${said}`)));
  });
  return `http://127.0.0.1:${port}`;
}

async function callerOf(url: string) {
  const fake = await fakeGcp();
  useMetadataServer(fake.http.url);
  const executor = new CloudFunctionExecutor({
    project: PROJECT,
    region: REGION,
    functionUrl: () => url,
  });
  return {
    executor,
    async [Symbol.asyncDispose]() {
      await executor.close();
      await fake.close();
    },
  };
}

const JOBS = `
  import { defineJob } from 'jobferry';
  export const add = defineJob({ id: 7, name: 'add', handler: (n: number, { callId, attempt }) => ({ sum: n + 1, callId, attempt }) });
  export const bytes = defineJob({ id: 8, name: 'bytes', codec: 'bytes', handler: (input: Uint8Array) => input });
  export const fail = defineJob({ id: 9, name: 'fail', handler: () => { throw new RangeError('too far'); } });
`;

describe('Google’s functions framework', () => {
  it('runs a TypeScript handler: ids, bytes, metadata, failures arrive', async () => {
    const url = await serve(
      await packageHandler({ target: 'gcp-functions', entry: await source('jobs.ts', JOBS) }),
    );
    await using it = await callerOf(url);
    const call = callOf(7, { args: Buffer.from('41'), attempt: 3, metadata: { tenant: 'ö' } });
    const { result, metadata, metrics } = await it.executor.invoke(call, callContext());
    expect(JSON.parse(Buffer.from(result).toString())).toEqual({
      sum: 42,
      callId: call.callId,
      attempt: 3,
    });
    expect(metadata).toEqual({ tenant: 'ö' });
    expect(metrics.coldStart).toBe(true);
    const noise = Uint8Array.from({ length: 100_000 }, (_, n) => (n * 31) & 255);
    const echoed = await it.executor.invoke(callOf(8, { args: noise }), callContext());
    expect(Buffer.from(echoed.result).equals(noise)).toBe(true);
    expect(echoed.metrics.coldStart).toBe(false);
    // The framework must not read a body that looks like JSON and is none.
    const text = await it.executor.invoke(callOf(8, { args: Buffer.from('{"half":') }), callContext());
    expect(Buffer.from(text.result).toString()).toBe('{"half":');
    expect(
      await failureOf(it.executor.invoke(callOf(9, { args: Buffer.from('null') }), callContext())),
    ).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
  });

  it('runs an executable for each call', async () => {
    const script = '#!/bin/sh\ncat > /dev/null; printf \'{"result":[52,50]}\'\n';
    const path = await source('answer', script, 0o755);
    const url = await serve(await packageExecutable({ target: 'gcp-functions', path }));
    await using it = await callerOf(url);
    const { result } = await it.executor.invoke(callOf(1), callContext());
    expect(Buffer.from(result).toString()).toBe('42');
  });

  it('with a package that cannot be loaded says so, and that nothing ran', async () => {
    const entry = await source('bad.ts', "throw new TypeError('no database url');\nexport default () => 1;");
    const url = await serve(await packageHandler({ target: 'gcp-functions', entry }));
    await using it = await callerOf(url);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('TypeError: no database url');
  });
});
