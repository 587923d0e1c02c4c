/** Claims from end to end: HttpFaasExecutor with a limit of 6 MiB, our platform, a process for each call. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Platform, startPlatform } from '../../platform/src/index.js';
import { callContext } from '../../src/core/scope.js';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.js';
import { claimCheck } from '../../src/layers/index.js';
import { FolderStore } from '../../src/objects/index.js';
import { packageHandler } from '../../src/packaging/index.js';
import { callOf, errorOf } from '../layers/invokers.js';

const MIB = 1024 * 1024;
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

let folder: string;
let store: FolderStore;
let platform: Platform;
let executor: HttpFaasExecutor;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-claims-'));
  store = new FolderStore(join(folder, 'store'));
  // A sandbox hides the folder, as another machine would: a store that functions reach by network needs no such thing.
  const dataDir = join(folder, 'data');
  platform = await startPlatform({ port: 0, dataDir, concurrency: 2, isolation: 'off' });
  executor = new HttpFaasExecutor({ baseUrl: platform.url, limits: { maxPayloadBytes: 6 * MIB } });
  const artifact = await packageHandler({ entry: fixture('claim-jobs.ts') });
  const env = { JOBFERRY_CLAIM_STORE: store.url, NODE_OPTIONS: '--max-old-space-size=64' };
  for (const jobId of [1, 2])
    await executor.deployJob(jobId, artifact, { memoryMb: 512, timeoutSecs: 120, env });
});
afterAll(async () => {
  await executor.close();
  await platform.close();
  await rm(folder, { recursive: true, force: true });
});

describe('claims on the platform', () => {
  it('the executor alone refuses 20 MB', async () => {
    const error = await errorOf(executor.invoke(callOf({ args: randomBytes(20 * MIB) }), callContext()));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'no' });
  });

  it('with claimCheck 20 MB go in and 20 MB come out', async () => {
    const args = randomBytes(20 * MIB);
    const outer = claimCheck({ store })(executor);
    const { result, metadata } = await outer.invoke(callOf({ args }), callContext());
    expect(result.length).toBe(args.length);
    expect(Buffer.from(result.map((byte) => byte ^ 0xff)).equals(args)).toBe(true);
    expect(metadata).toEqual({});
    expect(await readdir(join(folder, 'store'))).toHaveLength(2);
  });

  it('what is small goes as it is, in the same function', async () => {
    const outer = claimCheck({ store })(executor);
    const { result } = await outer.invoke(callOf({ args: Uint8Array.of(1, 2) }), callContext());
    expect([...result]).toEqual([254, 253]);
  });

  it('a stream of 200 MB goes in and out with less than 100 MB more memory on either side', async () => {
    const caller = join(folder, 'caller.mjs');
    await build({
      entryPoints: [fixture('claim-caller.ts')],
      outfile: caller,
      bundle: true,
      platform: 'node',
      format: 'esm',
      logLevel: 'silent',
      banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    });
    const bytes = 200 * MIB;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--max-old-space-size=64', caller, platform.url, store.url, String(bytes)],
      { env: { PATH: process.env['PATH'] ?? '' } },
    );
    const report = JSON.parse(stdout) as Record<string, number>;
    expect(report).toMatchObject({ bytes, same: true });
    expect(report['callerGrownMb']).toBeLessThan(100);
    expect(report['functionGrownMb']).toBeLessThan(100);
  }, 120_000);
});
