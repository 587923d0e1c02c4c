/** What is uploaded, run as of-watchdog and the Node.js template of E2E and OpenFaaS run it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import JSZip from 'jszip';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Artifact } from '../../src/core/executor.js';
import {
  loadSecrets,
  type TemplateContext,
  templateHandler,
} from '../../src/executors/e2e-openfaas/entry.js';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';

let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-faas-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function source(name: string, text: string, mode = 0o644): Promise<string> {
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), mode);
  return join(folder, name);
}

async function unzip(artifact: Artifact): Promise<string> {
  const target = await mkdtemp(join(folder, 'image-'));
  const zip = await JSZip.loadAsync(artifact.bytes);
  for (const [name, file] of Object.entries(zip.files)) {
    await writeFile(join(target, name), await file.async('nodebuffer'));
    await chmod(join(target, name), Number(file.unixPermissions) & 0o777);
  }
  return target;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** As `fprocess` does in the image. */
async function serve(artifact: Artifact, env: Record<string, string> = {}) {
  const port = await freePort();
  const own = { PATH: process.env['PATH'] ?? '', http_port: String(port), ...env };
  const child = spawn(process.execPath, [join(await unzip(artifact), 'index.mjs')], {
    env: own,
    stdio: 'inherit',
  });
  children.push(child);
  const call = async (headers: Record<string, string>, body = ''): Promise<Response> => {
    for (;;) {
      try {
        return await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body });
      } catch (error) {
        if (child.exitCode !== null) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  return { child, call };
}

/** As the template's `index.js` does, which then writes status, headers and value. */
async function runHandler(artifact: Artifact, headers: Record<string, string>, body: string, env = {}) {
  const script = `
    const [path, headers, body] = process.argv.slice(1);
    const reply = { status: 200 };
    const context = {
      status(code) { reply.status = code; return this; },
      headers(values) { reply.headers = values; return this; },
      succeed(value) { reply.body = value.toString('latin1'); reply.isBuffer = Buffer.isBuffer(value); },
    };
    require(path)({ body: Buffer.from(body), headers: JSON.parse(headers) }, context)
      .then(() => { console.log(JSON.stringify(reply)); process.exit(0); });`;
  const args = ['-e', script, join(await unzip(artifact), 'handler.js'), JSON.stringify(headers), body];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    readonly status: number;
    readonly headers: Record<string, string>;
    readonly body: string;
    readonly isBuffer: boolean;
  };
}

const headersOf = (jobId: number) => ({
  'content-type': 'application/octet-stream',
  'x-faas-job-id': String(jobId),
  'x-faas-call-id': 'c-1',
  'x-faas-attempt': '2',
});

const JOBS = `
  import { defineJob } from 'jobferry';
  export const add = defineJob({ id: 7, name: 'add', handler: (n: number, { callId, attempt }) => ({ sum: n + 1, callId, attempt }) });
  export const fail = defineJob({ id: 8, name: 'fail', handler: () => { throw new RangeError('too far'); } });
  export const env = defineJob({ id: 9, name: 'env', handler: () => process.env.DB_PASSWORD });
`;
const SCRIPT = '#!/bin/sh\ncat > /dev/null; printf \'{"result":[52,50]}\'\n';
const SECRET = { JOBFERRY_SECRETS: '{"DB_PASSWORD":"db-password"}', DB_PASSWORD: 'from the environment' };

describe('a package for OpenFaaS', () => {
  it('is a build context whose process answers calls, warm pings and SIGTERM', async () => {
    const artifact = await packageHandler({ target: 'openfaas', entry: await source('jobs.ts', JOBS) });
    const { child, call } = await serve(artifact);
    const reply = await call(headersOf(7), '41');
    expect(await reply.json()).toEqual({ sum: 42, callId: 'c-1', attempt: 2 });
    expect(reply.headers.get('x-faas-entry')).toBe('1');
    const failed = await call(headersOf(8), 'null');
    expect([failed.status, await failed.json()]).toEqual([
      500,
      expect.objectContaining({
        code: 'FUNCTION_ERROR',
        executed: 'yes',
        details: expect.objectContaining({ name: 'RangeError' }),
      }),
    ]);
    expect((await call({ 'x-faas-warm': '1' })).status).toBe(200);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });

  it('of an executable starts it for each call, beside a Dockerfile that copies it', async () => {
    const path = await source('answer', SCRIPT, 0o755);
    const artifact = await packageExecutable({ target: 'openfaas', path });
    const { call } = await serve(artifact);
    expect(await (await call(headersOf(1))).text()).toBe('42');
    const zip = await JSZip.loadAsync(artifact.bytes);
    const dockerfile = await zip.file('Dockerfile')?.async('string');
    for (const line of [
      'COPY function ./',
      'RUN chmod 755 function',
      'COPY index.mjs ./',
      'mode=http',
      'CMD ["fwatchdog"]',
    ])
      expect(dockerfile).toContain(line);
    expect(Object.keys(zip.files).sort()).toEqual(['Dockerfile', 'function', 'index.mjs']);
  });

  it('tells a job to stop before the watchdog gives up on it', async () => {
    const handler = `
      import { defineJob } from 'jobferry';
      export default defineJob({ id: 1, name: 'wait', handler: (_: null, context) =>
        new Promise((resolve) => { const left = context.remainingMs(); context.signal.addEventListener('abort', () => resolve(left)); }) });`;
    const artifact = await packageHandler({ target: 'openfaas', entry: await source('wait.ts', handler) });
    const { call } = await serve(artifact, { exec_timeout: '1s' });
    const left = Number(await (await call(headersOf(1), 'null')).json());
    expect(left).toBeGreaterThan(300);
    expect(left).toBeLessThanOrEqual(750);
    const own = await call({ ...headersOf(1), 'x-faas-timeout-ms': '100' }, 'null');
    expect(await own.json()).toMatchObject({ code: 'TIMEOUT', executed: 'yes' });
  });

  it('reads secrets before the code that may want them, and says which is missing', async () => {
    const entry = await source('jobs.ts', JOBS);
    const artifact = await packageHandler({ target: 'openfaas', entry });
    const { call } = await serve(artifact, SECRET);
    expect(await (await call(headersOf(9))).json()).toBe('from the environment');
    const { call: without } = await serve(artifact, { JOBFERRY_SECRETS: '{"DB":"absent"}' });
    expect(await (await without(headersOf(9))).json()).toMatchObject({
      code: 'CONFIG',
      executed: 'no',
      error: expect.stringContaining('The secret absent, for DB, is not there'),
    });
  });

  it('of secrets prefers the files, byte for byte', async () => {
    const folderOfSecrets = join(folder, 'secrets');
    await mkdir(folderOfSecrets);
    await writeFile(join(folderOfSecrets, 'db-password'), 'from the file\n');
    const env: NodeJS.ProcessEnv = { ...SECRET, FAAS_SECRETS_DIR: folderOfSecrets };
    await loadSecrets(env);
    expect(env['DB_PASSWORD']).toBe('from the file\n');
  });
});

describe('a package for E2E', () => {
  it('is a handler of the Node.js template that runs its jobs', async () => {
    const artifact = await packageHandler({ target: 'e2e', entry: await source('jobs.ts', JOBS) });
    const reply = await runHandler(artifact, headersOf(7), '41');
    expect(reply).toMatchObject({
      status: 200,
      isBuffer: true,
      headers: { 'x-faas-entry': '1', 'x-faas-job-id': '7' },
    });
    expect(JSON.parse(reply.body)).toEqual({ sum: 42, callId: 'c-1', attempt: 2 });
    const failed = await runHandler(artifact, headersOf(8), 'null');
    expect([failed.status, JSON.parse(failed.body)]).toEqual([
      500,
      expect.objectContaining({ executed: 'yes' }),
    ]);
    const secret = await runHandler(artifact, headersOf(9), '', SECRET);
    expect(JSON.parse(secret.body)).toBe('from the environment');
    expect(Object.keys((await JSZip.loadAsync(artifact.bytes)).files).sort()).toEqual([
      'handler.js',
      'package.json',
    ]);
  });

  it('of an executable starts it for each call', async () => {
    const path = await source('answer', SCRIPT, 0o755);
    const artifact = await packageExecutable({ target: 'e2e', path });
    expect((await runHandler(artifact, headersOf(1), '')).body).toBe('42');
  });

  it('that cannot be loaded says so, and that nothing ran', async () => {
    const entry = await source('bad.ts', "throw new TypeError('no database url');\nexport default () => 1;");
    const { body } = await runHandler(await packageHandler({ target: 'e2e', entry }), headersOf(1), 'null');
    expect(JSON.parse(body)).toMatchObject({
      code: 'CONFIG',
      executed: 'no',
      error: expect.stringContaining('TypeError: no database url'),
    });
  });

  it('refuses a body that the template has parsed, and takes one that is not there', async () => {
    const runner = async () => ({ result: new Uint8Array(0), metadata: {} });
    const handler = templateHandler(async () => runner);
    const seen: unknown[] = [];
    const context: TemplateContext = {
      status: (code: number) => {
        seen.push(code);
        return context;
      },
      headers: () => context,
      succeed: (value: unknown) => seen.push(String(value)),
    };
    await handler({ body: { parsed: true }, headers: headersOf(1) }, context);
    expect(seen).toEqual([500, expect.stringContaining('Set RAW_BODY=true')]);
    for (const body of [undefined, {}, '', Buffer.alloc(0)]) {
      seen.length = 0;
      await handler({ body, headers: headersOf(1) }, context);
      expect(seen).toEqual([200, '']);
    }
  });
});
