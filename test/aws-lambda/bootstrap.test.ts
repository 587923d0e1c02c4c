import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import JSZip from 'jszip';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { type RuntimeProcess, runtimeProcess } from '../fakes/lambda-runtime-api.js';
import { bench, callOf, failureOf } from './setup.js';

const JOBS = `
  import { defineJob } from 'jobferry';
  export const upper = defineJob({ id: 7, name: 'upper', handler: (text: string, { callId }) => text.toUpperCase() + callId });
  export const fail = defineJob({ id: 8, name: 'fail', handler: () => { throw new RangeError('too far'); } });
`;

let folder: string;
let runtime: RuntimeProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-bootstrap-'));
  await writeFile(join(folder, 'jobs.ts'), JOBS);
  const zip = await JSZip.loadAsync((await packageHandler({ entry: join(folder, 'jobs.ts') })).bytes);
  await writeFile(join(folder, 'bootstrap'), (await zip.file('bootstrap')?.async('nodebuffer')) ?? '');
  await chmod(join(folder, 'bootstrap'), 0o755);
  runtime = await runtimeProcess(join(folder, 'bootstrap'));
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true, force: true });
});

describe('a custom runtime: the bootstrap of packageHandler behind the Runtime API', () => {
  const raw = {
    'jobferry-job-7': (event: unknown) => runtime.call(event),
    'jobferry-job-8': (event: unknown) => runtime.call(event),
  };
  const custom = {
    aws: { role: 'arn:aws:iam::123456789012:role/jobs', runtime: 'provided.al2023' },
  } as const;

  it('reads our events and answers so that we understand it, several calls in one process', async () => {
    await using it = await bench({ raw }, custom);
    await it.executor.deployJob(7, await packageFiles([{ path: 'bootstrap', bytes: 'x', mode: 0o755 }]));
    for (const text of ['quiet', 'loud']) {
      const call = callOf(7, { args: Buffer.from(JSON.stringify(text)), metadata: { a: 'ö' } });
      const { result, metadata } = await it.executor.invoke(call, callContext());
      expect(JSON.parse(Buffer.from(result).toString())).toBe(text.toUpperCase() + call.callId);
      expect(metadata).toEqual({ a: 'ö' });
    }
  });

  it('reads integers too, for those who tell the executor to send them', async () => {
    await using it = await bench({ raw }, { ...custom, encoding: 'number-array' });
    await it.executor.deployJob(7, await packageFiles([{ path: 'bootstrap', bytes: 'x', mode: 0o755 }]));
    const call = callOf(7, { args: Buffer.from('"quiet"') });
    const { result } = await it.executor.invoke(call, callContext());
    expect(JSON.parse(Buffer.from(result).toString())).toBe(`QUIET${call.callId}`);
  });

  it('reports what the handler threw', async () => {
    await using it = await bench({ raw }, custom);
    await it.executor.deployJob(8, await packageFiles([{ path: 'bootstrap', bytes: 'x', mode: 0o755 }]));
    const error = await failureOf(
      it.executor.invoke(callOf(8, { args: Buffer.from('null') }), callContext()),
    );
    expect(error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'RangeError', message: 'too far' },
    });
  });

  it('deployed where there is no Node.js is refused, and told how to package it', async () => {
    await using it = await bench({});
    const error = await failureOf(
      it.executor.deployJob(7, await packageHandler({ entry: join(folder, 'jobs.ts') })),
    );
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain('packageHandler');
  });
});
