import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, type Dev, folderWith, startDev } from './cli.js';

const jobs = `
import { defineJob } from 'jobferry';
enum Step { Two = 2 } // needs more than type stripping
export const square = defineJob({ id: 0, name: 'square', handler: (n: number) => n ** Step.Two });
export const shout = defineJob({ id: 300, name: 'shout', codec: 'bytes', handler: (b: Uint8Array) => Buffer.from(Buffer.from(b).toString().toUpperCase()) });
export const environment = defineJob({ id: 5, name: 'environment', config: { memoryMb: 256 }, handler: () => process.env.LEVEL ?? null });
export const failing = defineJob({ id: 6, name: 'failing', handler: () => { throw new RangeError('too far'); } });
export const remote = defineJob({ id: 7, name: 'remote' });
`;

let folder: string;
let dev: Dev;
const on = (...args: string[]) => cli([...args, '--url', dev.url], { cwd: folder });

beforeAll(async () => {
  folder = await folderWith({ 'jobs.ts': jobs, 'handler.mjs': 'export default (name) => "hello " + name;' });
  dev = await startDev(join(folder, 'data'));
  const { code, stderr } = await on(
    'deploy',
    'jobs.ts',
    '--job',
    'square',
    '--job',
    '300',
    '--job',
    'failing',
  );
  expect(code).toBe(0);
  expect(stderr).toMatch(/^\+ create square \(job 0\) on custom-http: .*\n(\+ create .*\n)*$/);
});

afterAll(async () => {
  await dev[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('jobferry deploy', () => {
  it('prints one line a job, and changes nothing the second time', async () => {
    const { code, stdout } = await on('deploy', 'jobs.ts', '--job', 'square');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^square \(job 0\) deployed as job0 at http\S+ \(\S+ kB, sha256 [0-9a-f]{12}\)\n$/,
    );
  });

  it('takes memory and time limit from the job, and from the command line before it', async () => {
    const plain = (await on('deploy', 'jobs.ts', '--job', 'environment', '--json')).json();
    expect(plain).toMatchObject({ ok: true, deployments: [{ jobId: 5, memoryMb: 256, timeoutSecs: 300 }] });
    const given = (
      await on('deploy', 'jobs.ts', '--job', '5', '--json', '--memory', '192', '--timeout', '9')
    ).json();
    expect(given).toMatchObject({ deployments: [{ memoryMb: 192, timeoutSecs: 9 }] });
  });

  it('passes environment variables to the function', async () => {
    await on('deploy', 'jobs.ts', '--job', 'environment', '--env', 'LEVEL=a=b');
    expect((await on('invoke', '5')).stdout).toBe('"a=b"\n');
  });

  it('deploys a plain function under the id it is given', async () => {
    expect((await on('deploy', 'handler.mjs', '--job', '42')).code).toBe(0);
    expect((await on('invoke', '42', '--input', '"Ada"')).stdout).toBe('"hello Ada"\n');
  });

  it.each([
    [
      'a job that is not in the file',
      ['jobs.ts', '--job', 'none'],
      /exports no job "none"\. It exports 0 "square"/,
    ],
    ['a job without a handler', ['jobs.ts', '--job', 'remote'], /"remote" of jobs\.ts has no handler/],
    ['a file that does not exist', ['none.ts'], /none\.ts is not a file/],
    ['memory beyond the limit of the platform', ['jobs.ts', '--job', '0', '--memory', '99999'], /memory/i],
    ['a variable that is not set', ['jobs.ts', '--env', 'NOT_SET_HERE'], /--env "NOT_SET_HERE"/],
  ])('refuses %s with exit code 2', async (_, args, message) => {
    const { code, stderr } = await on('deploy', ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

describe('jobferry invoke', () => {
  it('prints the value', async () => {
    expect(await on('invoke', '0', '--input', '7')).toMatchObject({ code: 0, stdout: '49\n', stderr: '' });
  });

  it('knows jobs by name and codec when told the file', async () => {
    const bytes = await on('invoke', 'shout', '--file', 'jobs.ts', '--input', 'loud', '--json');
    expect(bytes.json()).toMatchObject({
      ok: true,
      jobId: 300,
      value: { base64: Buffer.from('LOUD').toString('base64') },
    });
  });

  it('reads the input from a file or from stdin', async () => {
    await writeFile(join(folder, 'input.json'), '12');
    expect((await on('invoke', '0', '--input', '@input.json')).stdout).toBe('144\n');
    const piped = await cli(['invoke', '0', '--input', '-', '--url', dev.url], { stdin: '5' });
    expect(piped.stdout).toBe('25\n');
  });

  it('exits with 1 and says what the handler threw', async () => {
    const { code, stderr, json } = await on('invoke', '6', '--json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/too far/);
    expect(json()).toMatchObject({
      ok: false,
      exitCode: 1,
      error: { code: 'FUNCTION_ERROR', executed: 'yes', remote: { name: 'RangeError', message: 'too far' } },
    });
  });

  it('exits with 4 when the function is not there', async () => {
    const { code, json } = await on('invoke', '77', '--json');
    expect(code).toBe(4);
    expect(json()).toMatchObject({ ok: false, error: { code: 'NOT_FOUND', executed: 'no' } });
  });

  it('exits with 2 for a name without a file, and for an input that is no JSON', async () => {
    expect(await on('invoke', 'square')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--file jobs\.ts/),
    });
    expect(await on('invoke', '0', '--input', '{')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/no JSON/),
    });
  });
});

describe('jobferry health, warm and undeploy', () => {
  it('tells a healthy function from one that is missing', async () => {
    expect(await on('health', '0')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^job 0 is healthy/),
    });
    const missing = await on('health', '88', '--json');
    expect(missing.code).toBe(4);
    expect(missing.json()).toMatchObject({ ok: false, jobId: 88, status: 'missing' });
  });

  it('says how many instances are warm, and then there is one', async () => {
    expect(await on('warm', '0')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^job 0 has [1-9]\d* warm instances?\n$/),
    });
  });

  it('takes a function away, twice if need be (origin-defects 0.15)', async () => {
    expect((await on('undeploy', '300')).code).toBe(0);
    expect((await on('undeploy', '300')).code).toBe(0);
    expect((await on('health', '300')).code).toBe(4);
  });

  it('refuses what is no job id', async () => {
    for (const id of ['-1', '4294967296', '1.5', 'abc']) {
      expect((await on('health', '--', id)).code).toBe(2);
    }
  });
});

describe('a platform that cannot be reached', () => {
  it('gives exit code 7 and names the address', async () => {
    const { code, stderr, json } = await cli(['health', '0', '--url', 'http://127.0.0.1:1', '--json']);
    expect(code).toBe(7);
    expect(stderr).toMatch(/127\.0\.0\.1:1/);
    expect(json()).toMatchObject({ ok: false, exitCode: 7, error: { code: 'UNAVAILABLE' } });
  });

  it('is found by JOBFERRY_URL too', async () => {
    const { stdout } = await cli(['invoke', '0', '--input', '3'], { env: { JOBFERRY_URL: dev.url } });
    expect(stdout).toBe('9\n');
  });

  it('never shows the key', async () => {
    const env = { JOBFERRY_TOKEN: 'secret-token-value' };
    const { stdout, stderr } = await cli(['health', '0', '--url', 'http://127.0.0.1:1', '--json'], { env });
    expect(stdout + stderr).not.toContain('secret-token-value');
  });
});
