/** The executor against the real platform: real processes behind a real socket. */
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import JSZip from 'jszip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Platform, startPlatform } from '../../platform/src/index.ts';
import type { Artifact } from '../../src/core/executor.ts';
import { callContext } from '../../src/core/scope.ts';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.ts';
import { call, failureOf, jobCall } from './server.ts';

/** Does what its input says: echoes it, tells what it was told, fails, crashes or sleeps. */
const BOOTSTRAP = `#!/usr/bin/env node
let text = '';
for await (const chunk of process.stdin) text += chunk;
const { args, job_id, call_id, attempt, metadata } = JSON.parse(text);
const wish = Buffer.from(args).toString();
const reply = (fields) => console.log(JSON.stringify(fields));
if (wish === 'facts') {
  const facts = { job_id, call_id, attempt, metadata, env: process.env.GREETING };
  reply({ result: [...Buffer.from(JSON.stringify(facts))], metadata: { seen: 'yes' } });
} else if (wish === 'fail') {
  reply({ result: [], success: false, error: 'no luck', error_name: 'TypeError', error_stack: 'at f' });
} else if (wish === 'crash') {
  console.error('about to crash');
  process.exit(3);
} else if (wish === 'sleep') {
  setTimeout(() => {}, 60_000);
} else reply({ result: args });
`;

async function artifact(version: string): Promise<Artifact> {
  const zip = new JSZip().file('bootstrap', `${BOOTSTRAP}// ${version}\n`, { unixPermissions: 0o755 });
  const bytes = await zip.generateAsync({ type: 'uint8array', platform: 'UNIX' });
  return { format: 'zip', bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

let folder: string;
let platform: Platform;
let executor: HttpFaasExecutor;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'custom-http-platform-'));
  platform = await startPlatform({ port: 0, dataDir: folder });
  executor = new HttpFaasExecutor({ baseUrl: platform.url });
  await executor.deployJob(7, await artifact('1'), { timeoutSecs: 20, env: { GREETING: 'hello' } });
});
afterAll(async () => {
  await executor?.close();
  await platform?.close();
  await fs.rm(folder, { recursive: true, force: true });
});

const say = (text: string) => call(executor, { args: Buffer.from(text) });

describe('HttpFaasExecutor and the platform', () => {
  it('deploys, describes and calls', async () => {
    const deployment = await executor.getDeployment(7);
    expect(deployment).toMatchObject({ functionName: 'job7', memoryMb: 512, timeoutSecs: 20 });
    expect(deployment?.endpoint).toBe(`${platform.url}/api/functions/job7/invoke`);
    const every = Uint8Array.from({ length: 256 }, (_, index) => index);
    const { result, metrics } = await call(executor, { args: every });
    expect([...result]).toEqual([...every]);
    expect(metrics.executionMs).toBeGreaterThan(0);
    expect(metrics.requestId).toBeTruthy();
  });

  it('carries call id, attempt, metadata and environment to the function, and metadata back', async () => {
    const facts = { callId: 'c-9', attempt: 2, metadata: { tenant: 'ä' } };
    const { result, metadata } = await call(executor, { args: Buffer.from('facts'), ...facts });
    expect(JSON.parse(Buffer.from(result).toString())).toEqual({
      job_id: 7,
      call_id: 'c-9',
      attempt: 2,
      metadata: { tenant: 'ä' },
      env: 'hello',
    });
    expect(metadata).toEqual({ tenant: 'ä', seen: 'yes' });
  });

  it('tells a handler that failed from a process that crashed', async () => {
    const failed = await failureOf(say('fail'));
    expect([failed.code, failed.executed]).toEqual(['FUNCTION_ERROR', 'yes']);
    expect(failed.remote).toEqual({ name: 'TypeError', message: 'no luck', stack: 'at f' });
    const crashed = await failureOf(say('crash'));
    expect([crashed.code, crashed.executed]).toEqual(['FUNCTION_ERROR', 'yes']);
    expect(crashed.remote?.stack).toContain('about to crash');
  });

  it('ends a call at its deadline', async () => {
    const context = callContext({ timeoutMs: 1500 });
    const sleeper = jobCall({ args: Buffer.from('sleep'), deadline: context.deadline });
    const error = await failureOf(executor.invoke(sleeper, context));
    expect(error.code).toBe('TIMEOUT');
    expect(['maybe', 'yes']).toContain(error.executed);
  });

  it('replaces, undeploys twice, and knows what is missing', async () => {
    await executor.deployJob(8, await artifact('1'), { timeoutSecs: 5 });
    const second = await executor.deployJob(8, await artifact('2'), { timeoutSecs: 6 });
    expect(second.timeoutSecs).toBe(6);
    expect((await executor.healthCheck(8)).status).toBe('healthy');
    expect(await executor.warm(8)).toBeGreaterThanOrEqual(0);
    expect((await executor.healthCheck(8)).totalInvocations).toBe(0);
    await executor.undeployJob(8);
    await executor.undeployJob(8);
    expect(await executor.getDeployment(8)).toBeUndefined();
    expect(await executor.healthCheck(8)).toEqual({ status: 'missing' });
    const error = await failureOf(call(executor, { jobId: 8 }));
    expect([error.code, error.executed]).toEqual(['NOT_FOUND', 'no']);
  });

  it('speaks POST and HEAD of /job/{id} too', async () => {
    await using plain = new HttpFaasExecutor({ baseUrl: platform.url, api: 'job-endpoint' });
    expect([...(await call(plain)).result]).toEqual([112, 97, 121]);
    expect((await plain.healthCheck(7)).status).toBe('healthy');
    expect((await plain.healthCheck(8)).status).toBe('missing');
  });
});
