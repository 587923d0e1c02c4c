/** What is uploaded, run as OpenWhisk's Node.js runtimes do: `require` of the folder, then `main(params)`. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import JSZip from 'jszip';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { primes } from '../../examples/jobs.js';
import { defineJob } from '../../src/core/define-job.js';
import type { Artifact } from '../../src/core/executor.js';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { fakeDigitalOcean, REGION, TOKEN } from '../fakes/digitalocean.js';
import { bench } from './setup.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-do-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function source(name: string, text: string, mode = 0o644): Promise<string> {
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), mode);
  return join(folder, name);
}

async function runIn(artifact: Artifact, params: object) {
  const action = await mkdtemp(join(folder, 'action-'));
  const zip = await JSZip.loadAsync(artifact.bytes);
  for (const [name, file] of Object.entries(zip.files)) {
    await writeFile(join(action, name), await file.async('nodebuffer'));
    await chmod(join(action, name), Number(file.unixPermissions) & 0o777);
  }
  const script = `require(process.argv[1]).main(JSON.parse(process.argv[2])).then((r) => { console.log(JSON.stringify(r)); process.exit(0); });`;
  const args = ['-e', script, action, JSON.stringify(params)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { PATH: process.env['PATH'] ?? '' },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

const eventOf = (jobId: number, text: string) => ({
  job_id: jobId,
  call_id: 'c-1',
  attempt: 2,
  metadata: { tenant: 'ö' },
  args_base64: Buffer.from(text).toString('base64'),
});
const textOf = (reply: Record<string, unknown>) =>
  Buffer.from(String(reply['result_base64']), 'base64').toString();

const JOBS = `
  import { defineJob } from 'jobferry';
  export const add = defineJob({ id: 7, name: 'add', handler: (n: number, { callId, attempt }) => ({ sum: n + 1, callId, attempt }) });
  export const fail = defineJob({ id: 8, name: 'fail', handler: () => { throw new RangeError('too far'); } });
`;

describe('a package for DigitalOcean', () => {
  it('of a TypeScript handler runs its jobs', async () => {
    const artifact = await packageHandler({ target: 'digitalocean', entry: await source('jobs.ts', JOBS) });
    const reply = await runIn(artifact, eventOf(7, '41'));
    expect(JSON.parse(textOf(reply))).toEqual({ sum: 42, callId: 'c-1', attempt: 2 });
    expect(reply['metadata']).toEqual({ tenant: 'ö' });
    expect(await runIn(artifact, eventOf(8, 'null'))).toMatchObject({
      error: { name: 'RangeError', message: 'too far', code: 'FUNCTION_ERROR', executed: 'yes' },
    });
    expect(await runIn(artifact, { jobferry_warm: true, hold_ms: 1 })).toMatchObject({ jobferry_warm: true });
  });

  it('of an executable starts it for each call', async () => {
    const script = '#!/bin/sh\ncat > /dev/null; printf \'{"result":[52,50]}\'\n';
    const artifact = await packageExecutable({
      target: 'digitalocean',
      path: await source('answer', script, 0o755),
    });
    expect(textOf(await runIn(artifact, eventOf(1, '')))).toBe('42');
  });

  it('is known as one that answers pings', async () => {
    const artifact = await packageHandler({ target: 'digitalocean', entry: await source('jobs.ts', JOBS) });
    await using it = await bench();
    await it.executor.deployJob(7, artifact, { keepWarm: 1 });
    expect(it.fake.triggers.size).toBe(1);
    expect(await it.executor.warm(7)).toBe(1);
  });

  it('that cannot be loaded says so, and that nothing ran', async () => {
    const entry = await source('bad.ts', "throw new TypeError('no database url');\nexport default () => 1;");
    expect(
      await runIn(await packageHandler({ target: 'digitalocean', entry }), eventOf(1, 'null')),
    ).toMatchObject({
      error: {
        code: 'CONFIG',
        executed: 'no',
        message: expect.stringContaining('TypeError: no database url'),
      },
    });
  });
});

it('examples/digitalocean.ts deploys, runs two jobs there and cleans up', async () => {
  const job = defineJob({
    id: primes.id,
    name: primes.name,
    handler: primes.handler as (limit: number) => number,
  });
  await using fake = await fakeDigitalOcean({ jobs: [job] });
  const example = fileURLToPath(new URL('../../examples/digitalocean.ts', import.meta.url));
  const env = {
    PATH: process.env['PATH'] ?? '',
    DIGITALOCEAN_TOKEN: TOKEN,
    JOBFERRY_DO_REGION: REGION,
    JOBFERRY_DO_ENDPOINT: fake.url,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [example], { env });
  const ok = stdout.split('\n').filter((line) => line.startsWith('ok'));
  expect(ok.sort()).toEqual(['ok 1229 on digitalocean', 'ok 2262 on digitalocean']);
  expect(fake.actions.size).toBe(0);
});
