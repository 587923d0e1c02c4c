/** Both sides of spec 1.1 together: the SDK's executor on the real platform, with real processes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Platform, startPlatform } from '../../platform/src/index.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { callContext, FaasError, type JobCall } from '../../src/index.js';
import { packageHandler } from '../../src/packaging/index.js';
import { delay } from '../support/invoker.js';

const SOURCE = `
import { defineJob } from 'jobferry';
const codec = 'bytes';
export const echo = defineJob({ id: 7, name: 'echo', codec, handler: (b) => { console.log('said ' + b.length); return b; } });
export const slow = defineJob({ id: 8, name: 'slow', codec, handler: (b) => new Promise((r) => setTimeout(r, 60000, b)) });
export const fail = defineJob({ id: 9, name: 'fail', codec, handler: () => { throw new RangeError('far'); } });
`;
const big = Uint8Array.from({ length: 1_000_000 }, (_, n) => (n * 151) % 256);

let folder: string;
let platform: Platform;
let executor: HttpFaasExecutor;
let later: HttpFaasExecutor;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-11-'));
  const entry = join(folder, 'jobs.ts');
  await writeFile(entry, SOURCE);
  platform = await startPlatform({ port: 0, dataDir: join(folder, 'data') });
  executor = new HttpFaasExecutor({ baseUrl: platform.url, spec: '1.1' });
  later = new HttpFaasExecutor({ baseUrl: platform.url, mode: 'async' });
  const artifact = await packageHandler({ entry });
  for (const id of [7, 8, 9]) await executor.deployJob(id, artifact, { timeoutSecs: 20 });
});
afterAll(async () => {
  await executor.close();
  await later.close();
  await platform.close();
  await rm(folder, { recursive: true, force: true });
});

let count = 0;
const callOf = (changes: Partial<JobCall> = {}): JobCall => {
  count += 1;
  const facts = { attempt: 1, deadline: Infinity, idempotent: false, metadata: {} };
  return { jobId: 7, args: Uint8Array.of(1, 2, 3), callId: `call-${count}`, ...facts, ...changes };
};
const send = (on: HttpFaasExecutor, changes: Partial<JobCall> = {}) =>
  on.invoke(callOf(changes), callContext());
const failureOf = async (work: Promise<unknown>): Promise<FaasError> => {
  const error = await work.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (!FaasError.is(error)) throw new Error(`expected a FaasError, got ${String(error)}`);
  return error;
};

describe('HttpFaasExecutor on the platform, spec 1.1', () => {
  it('carries a megabyte as it is, with metadata that is no ASCII', async () => {
    const { result, metadata } = await send(executor, { args: big, metadata: { city: 'Köln' } });
    expect(Buffer.from(result).equals(Buffer.from(big))).toBe(true);
    expect(metadata).toEqual({ city: 'Köln' });
  });

  it('runs an idempotent call once, however often it is sent', async () => {
    await send(executor, { idempotent: true, callId: 'once' });
    const before = (await executor.healthCheck(7)).totalInvocations;
    await send(executor, { idempotent: true, callId: 'once', attempt: 2 });
    expect((await executor.healthCheck(7)).totalInvocations).toBe(before);
    const other = await failureOf(
      send(executor, { idempotent: true, callId: 'once', args: Uint8Array.of(1) }),
    );
    expect(other).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });

  it('asynchronous calls come back with their result, or with what the handler threw', async () => {
    const { result } = await send(later, { args: big });
    expect(Buffer.from(result).equals(Buffer.from(big))).toBe(true);
    const error = await failureOf(send(later, { jobId: 9 }));
    expect(error).toMatchObject({ code: 'FUNCTION_ERROR', executed: 'yes', remote: { message: 'far' } });
  });

  it('a cancelled asynchronous call is cancelled on the platform', async () => {
    const context = callContext();
    const outcome = failureOf(later.invoke(callOf({ jobId: 8, callId: 'unwanted' }), context));
    const status = async () => {
      const reply = await fetch(`${platform.url}/api/invocations/unwanted`);
      return ((await reply.json()) as { status?: string }).status;
    };
    await expect.poll(status, { timeout: 5000 }).toBe('running');
    context.cancel(new FaasError({ code: 'CANCELLED', executed: 'maybe', message: 'not needed' }));
    expect((await outcome).code).toBe('CANCELLED');
    await expect.poll(status, { timeout: 5000 }).toBe('cancelled');
  });

  it('lists what is deployed, all pages', async () => {
    expect((await executor.listDeployments()).map(({ jobId }) => jobId)).toEqual([7, 8, 9]);
  });

  it('reads the log of one call, and follows the log of a function', async () => {
    await send(executor, { callId: 'logged' });
    const lines: string[] = [];
    for await (const { message } of executor.logs(7, { callId: 'logged' })) lines.push(message);
    expect(lines.join('\n')).toContain('said 3');

    const stop = new AbortController();
    const followed: string[] = [];
    const ended = (async () => {
      const options = { follow: true, tail: 0, signal: stop.signal };
      for await (const { message } of executor.logs(7, options)) followed.push(message);
    })();
    await delay(300);
    await send(executor, { args: new Uint8Array(5) });
    await expect.poll(() => followed.join('\n'), { timeout: 5000 }).toContain('said 5');
    stop.abort();
    await ended;
  });

  it('a second deployer is told of the first, instead of overwriting it', async () => {
    const artifact = await packageHandler({ entry: join(folder, 'jobs.ts'), minify: false });
    await later.deployJob(9, artifact);
    expect(await failureOf(executor.deployJob(9, artifact, { memoryMb: 256 }))).toMatchObject({
      code: 'CONFLICT',
    });
    await executor.getDeployment(9);
    await executor.deployJob(9, artifact, { memoryMb: 256 });
  });
});
