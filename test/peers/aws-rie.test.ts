/**
 * Packages under AWS's own Runtime Interface Emulator, called by the executor: our bootstrap, and a function in Python
 * on AWS's Python runtime client, which knows nothing of us but the event. The emulator is in the wheel of AWS SAM's
 * CLI; it takes no signatures, has one function and no control plane.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import JSZip from 'jszip';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.js';
import { LambdaExecutor } from '../../src/executors/aws-lambda/index.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { callOf, failureOf } from '../aws-lambda/setup.js';
import { freePort, type Program, programFromWheel, pythonWith, start } from './programs.js';

const SAM = 'aws-sam-cli==1.145.0';
const PYTHON_RUNTIME = 'awslambdaric==4.2.2';
const arch = process.arch === 'arm64' ? 'arm64' : 'x86_64';

let folder: string;
let emulator: string;
const running: Program[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-rie-'));
  emulator = await programFromWheel(SAM, `samcli/local/rapid/aws-lambda-rie-${arch}`);
});
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Starts the emulator around a runtime, and an executor whose only function is the emulator's. */
async function emulate(command: readonly string[], env: Record<string, string> = {}, encoding = {}) {
  const [port, apiPort] = [await freePort(), await freePort()];
  const addresses = [
    '--runtime-interface-emulator-address',
    `127.0.0.1:${port}`,
    '--runtime-api-address',
    `127.0.0.1:${apiPort}`,
  ];
  const settings = { AWS_LAMBDA_FUNCTION_TIMEOUT: '5', AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256', ...env };
  const isUp = async () => (await fetch(`http://127.0.0.1:${port}/`)).status > 0;
  running.push(await start(emulator, [...addresses, ...command], settings, isUp));
  return new LambdaExecutor({
    region: 'eu-central-1',
    endpoint: `http://127.0.0.1:${port}`,
    credentials: { accessKeyId: 'AKIDRIE', secretAccessKey: 'rie' },
    functionName: () => 'function',
    ...encoding,
  });
}

const JOBS = `
  import { defineJob } from 'jobferry';
  export const upper = defineJob({ id: 7, name: 'upper', handler: (text: string, { callId, metadata }) => text.toUpperCase() + callId + metadata.a });
  export const fail = defineJob({ id: 8, name: 'fail', handler: () => { throw new RangeError('too far'); } });
  export const slow = defineJob({ id: 9, name: 'slow', handler: () => new Promise((resolve) => setTimeout(resolve, 60_000)) });
`;

describe('the bootstrap of packageHandler under the emulator', () => {
  let bootstrap: string;
  beforeAll(async () => {
    await writeFile(join(folder, 'jobs.ts'), JOBS);
    const zip = await JSZip.loadAsync((await packageHandler({ entry: join(folder, 'jobs.ts') })).bytes);
    bootstrap = join(folder, 'bootstrap');
    await writeFile(bootstrap, (await zip.file('bootstrap')?.async('nodebuffer')) ?? '');
    await chmod(bootstrap, 0o755);
  });
  const env = { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` };

  it('answers call after call, with metadata', async () => {
    await using executor = await emulate([bootstrap], env);
    for (const word of ['one', 'two']) {
      const call = callOf(7, { args: Buffer.from(JSON.stringify(word)), metadata: { a: 'ö' } });
      const { result, metadata } = await executor.invoke(call, callContext());
      expect(JSON.parse(Buffer.from(result).toString())).toBe(`${word.toUpperCase()}${call.callId}ö`);
      expect(metadata).toEqual({ a: 'ö' });
    }
  });

  it('takes integers in place of base64 too', async () => {
    await using executor = await emulate([bootstrap], env, { encoding: 'number-array' });
    const call = callOf(7, { args: Buffer.from('"one"'), metadata: { a: '' } });
    const { result } = await executor.invoke(call, callContext());
    expect(JSON.parse(Buffer.from(result).toString())).toBe(`ONE${call.callId}`);
  });

  it('reports what the handler threw', async () => {
    await using executor = await emulate([bootstrap], env);
    const error = await failureOf(executor.invoke(callOf(8, { args: Buffer.from('null') }), callContext()));
    expect(error.remote).toMatchObject({ name: 'RangeError', message: 'too far' });
  });
});

describe('a function in Python on AWS’s own runtime client', () => {
  const HANDLER = `
import base64, json
def handler(event, context):
    text = json.loads(base64.b64decode(event["args_base64"]))
    if text == "fail":
        raise ValueError("no such text")
    answer = json.dumps(text[::-1] + event["call_id"])
    return {"success": True, "result_base64": base64.b64encode(answer.encode()).decode()}
`;
  let command: string[];
  let env: Record<string, string>;
  beforeAll(async () => {
    await writeFile(join(folder, 'app.py'), HANDLER);
    command = [await pythonWith(PYTHON_RUNTIME), '-m', 'awslambdaric', 'app.handler'];
    env = { LAMBDA_TASK_ROOT: folder, PYTHONPATH: folder, AWS_LAMBDA_FUNCTION_NAME: 'function' };
  });

  it('gets our event and is understood', async () => {
    await using executor = await emulate(command, env);
    const call = callOf(1, { args: Buffer.from('"abc"') });
    const { result } = await executor.invoke(call, callContext());
    expect(JSON.parse(Buffer.from(result).toString())).toBe(`cba${call.callId}`);
  });

  it('fails with its own class, message and stack', async () => {
    await using executor = await emulate(command, env);
    const error = await failureOf(executor.invoke(callOf(1, { args: Buffer.from('"fail"') }), callContext()));
    expect(error.remote).toMatchObject({ name: 'ValueError', message: 'no such text' });
    expect(error.remote?.stack).toContain('app.py');
  });
});
