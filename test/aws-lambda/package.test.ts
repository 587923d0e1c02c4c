import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import JSZip from 'jszip';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Artifact, FaasInvoker } from '../../src/core/executor.js';
import { callContext } from '../../src/core/scope.js';
import { LAMBDA_LIMITS } from '../../src/executors/aws-lambda/index.js';
import { decodeReply, encodeEvent } from '../../src/executors/shared/entry/event.js';
import { claimCheck, withLayers } from '../../src/layers/index.js';
import { FolderStore } from '../../src/objects/index.js';
import { packageExecutable } from '../../src/packaging/executable.js';
import { packageHandler } from '../../src/packaging/handler.js';
import { refuseSignature } from '../fakes/aws-sigv4.js';
import { callOf, failureOf } from './setup.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobferry-lambda-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function source(name: string, text: string, mode = 0o644): Promise<string> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

/** What Lambda's Node.js runtime does: loads `index.handler` in a process of its own and calls it. */
const RUNTIME = `
  const { handler } = await import(process.argv[2]).catch((error) => {
    console.log(JSON.stringify({ init: { errorType: error.name, errorMessage: error.message } }));
    process.exit(0);
  });
  const end = Date.now() + Number(process.argv[4]);
  const context = { getRemainingTimeInMillis: () => end - Date.now() };
  await handler(JSON.parse(process.argv[3]), context).then(
    (reply) => console.log(JSON.stringify({ reply })),
    (error) => console.log(JSON.stringify({ error: { errorType: error.name, errorMessage: error.message, stack: error.stack } })),
  );
  process.exit(0);
`;

interface Ran {
  readonly reply?: { result_base64: string; metadata: object; jobferry_warm?: boolean };
  readonly error?: { errorType: string; errorMessage: string; stack: string };
  readonly init?: { errorType: string; errorMessage: string };
}

async function runIn(
  artifact: Artifact,
  event: object,
  env: Record<string, string> = {},
  timeoutMs = 20_000,
): Promise<Ran> {
  const task = await mkdtemp(join(folder, 'task-'));
  const zip = await JSZip.loadAsync(artifact.bytes);
  for (const [name, file] of Object.entries(zip.files)) {
    await writeFile(join(task, name), await file.async('nodebuffer'));
    await chmod(join(task, name), Number(file.unixPermissions) & 0o777);
  }
  const runtime = await source('runtime.mjs', RUNTIME);
  const child: ChildProcess = spawn(
    process.execPath,
    [runtime, join(task, 'index.mjs'), JSON.stringify(event), String(timeoutMs)],
    {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (stderr += String(chunk)));
  await new Promise((resolve) => child.on('close', resolve));
  const last = stdout.trim().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`the runtime printed ${stdout} and ${stderr}`);
  return JSON.parse(last) as Ran;
}

const eventOf = (jobId: number, text: string, more: object = {}) => ({
  job_id: jobId,
  call_id: 'c-1',
  attempt: 2,
  metadata: { tenant: 'ö' },
  args_base64: Buffer.from(text).toString('base64'),
  ...more,
});
const textOf = ({ reply }: Ran) => Buffer.from(reply?.result_base64 ?? '', 'base64').toString('utf8');

const JOBS = `
  import { defineJob } from 'jobferry';
  export const add = defineJob({ id: 7, name: 'add', handler: (n: number, { callId, attempt, metadata }) => ({ sum: n + 1, callId, attempt, metadata }) });
  export const fail = defineJob({ id: 8, name: 'fail', handler: () => { throw new RangeError('too far'); } });
  export const wait = defineJob({ id: 9, name: 'wait', handler: (_: null, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve('stopped'))) });
`;

describe('a packaged handler', () => {
  it('serves its jobs, and tells them the facts of the call', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    const ran = await runIn(artifact, eventOf(7, '41'));
    expect(JSON.parse(textOf(ran))).toEqual({
      sum: 42,
      callId: 'c-1',
      attempt: 2,
      metadata: { tenant: 'ö' },
    });
    expect(ran.reply?.metadata).toEqual({ tenant: 'ö' });
  });

  it('reads arguments as an array of integers too', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    const ran = await runIn(artifact, { job_id: 7, args: [52, 49] });
    expect(JSON.parse(textOf(ran))).toMatchObject({ sum: 42 });
  });

  it('throws what the handler threw, with its name and stack', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    const { error } = await runIn(artifact, eventOf(8, 'null'));
    expect(error).toMatchObject({ errorType: 'RangeError', errorMessage: 'too far' });
    expect(error?.stack).toContain('index.mjs');
  });

  it('says of a job it does not hold, and of an event that is none, that nothing ran', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    expect((await runIn(artifact, eventOf(99, ''))).error?.errorType).toBe('FaasError.CONFIG.no');
    expect((await runIn(artifact, { job_id: 7, args_base64: '!' })).error?.errorType).toBe(
      'FaasError.INVALID_REQUEST.no',
    );
  });

  it('aborts the job’s signal shortly before Lambda’s own time-out', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    expect(textOf(await runIn(artifact, eventOf(9, 'null'), {}, 1500))).toBe('"stopped"');
  });

  it('whose caller’s deadline passed while it ran answers TIMEOUT, and that it ran', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    const { error } = await runIn(artifact, eventOf(9, 'null', { deadline_ms: Date.now() + 800 }));
    expect(error?.errorType).toBe('FaasError.TIMEOUT.yes');
  });

  it('origin-defects 0.10: answers a warm ping without the job', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', JOBS) });
    expect((await runIn(artifact, { jobferry_warm: true, hold_ms: 1 })).reply?.jobferry_warm).toBe(true);
  });

  it('that cannot be loaded says so, and that nothing ran', async () => {
    const artifact = await packageHandler({
      target: 'aws-lambda',
      entry: await source('jobs.ts', "throw new TypeError('no database url');\nexport default () => 1;"),
    });
    expect((await runIn(artifact, eventOf(7, ''))).init).toEqual({
      errorType: 'FaasError.CONFIG.no',
      errorMessage: 'The package cannot be loaded: TypeError: no database url',
    });
  });

  it('fetches an input that is too large for an event, and leaves such a result', async () => {
    const entry = await source(
      'reverse.ts',
      `import { defineJob } from 'jobferry';
       export const reverse = defineJob({ id: 7, name: 'reverse', codec: 'bytes', handler: (input: Uint8Array) => input.reverse() });`,
    );
    const artifact = await packageHandler({ target: 'aws-lambda', entry });
    const store = new FolderStore(join(folder, 'claims'));
    const events: number[] = [];
    const lambda: FaasInvoker = {
      provider: 'aws-lambda',
      limits: LAMBDA_LIMITS,
      async invoke(call) {
        const event = encodeEvent(call, Infinity, 'base64');
        events.push(event.length);
        const { reply, error } = await runIn(artifact, JSON.parse(event.toString()), {
          JOBFERRY_CLAIM_STORE: store.url,
        });
        const decoded = decodeReply(Buffer.from(JSON.stringify(reply ?? error)));
        if (decoded.kind !== 'result') throw new Error(JSON.stringify(error));
        return { ...decoded, metrics: { totalMs: 0 } };
      },
    };
    const args = randomBytes(8_000_000);
    const call = callOf(7, { args, metadata: { tenant: 'ö' } });
    const executor = withLayers(lambda, claimCheck({ store }));
    const { result, metadata } = await executor.invoke(call, callContext());
    expect(Buffer.from(result).equals(Buffer.from(args).reverse())).toBe(true);
    expect(metadata).toEqual({ tenant: 'ö' });
    expect(events[0]).toBeLessThan(2000);
  });

  it('streams what a handler yields, in a runtime that knows streams', async () => {
    const entry = await source(
      'pieces.ts',
      `import { defineJob } from 'jobferry';
       export const pieces = defineJob({ id: 7, name: 'pieces', handler: (n: number) =>
         (async function* () { for (let i = 0; i < n; i += 1) yield Buffer.from('<' + i + '>'); })() });`,
    );
    const zip = await JSZip.loadAsync((await packageHandler({ target: 'aws-lambda', entry })).bytes);
    const index = join(folder, 'streaming.mjs');
    await writeFile(index, (await zip.file('index.mjs')?.async('nodebuffer')) ?? '');
    const runtime = `
      globalThis.awslambda = { streamifyResponse: (handler) => handler };
      const { stream } = await import(process.argv[1]);
      await stream(JSON.parse(process.argv[2]), process.stdout, { getRemainingTimeInMillis: () => 9999 });`;
    const args = ['--input-type=module', '-e', runtime, index, JSON.stringify(eventOf(7, '3'))];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
    expect(await text(child.stdout)).toBe('<0><1><2>');
  });

  it('origin-defects 0.21: has the same bytes in any folder', async () => {
    const first = await packageHandler({ target: 'aws-lambda', entry: await source('a/jobs.ts', JOBS) });
    await cp(join(folder, 'a'), join(folder, 'deep/b'), { recursive: true });
    const second = await packageHandler({ target: 'aws-lambda', entry: join(folder, 'deep/b/jobs.ts') });
    expect(second.sha256).toBe(first.sha256);
  });

  it('needs a file that is there', async () => {
    expect(
      await failureOf(packageHandler({ target: 'aws-lambda', entry: join(folder, 'none.ts') })),
    ).toMatchObject({
      code: 'CONFIG',
    });
  });
});

describe('a packaged executable', () => {
  const UPPER = `#!/usr/bin/env node
    let text = '';
    process.stdin.on('data', (chunk) => { text += chunk; }).on('end', () => {
      const { job_id, args, metadata } = JSON.parse(text);
      console.error('runtime api: ' + process.env.AWS_LAMBDA_RUNTIME_API);
      if (job_id === 8) { console.log(JSON.stringify({ success: false, error: 'no ink', error_name: 'PrinterError' })); process.exit(1); }
      if (job_id === 9) { console.error('about to die'); process.exit(3); }
      if (job_id === 10) return setInterval(() => {}, 1000);
      console.log(JSON.stringify({ success: true, result: [...Buffer.from(String.fromCharCode(...args).toUpperCase())], metadata }));
    });`;

  it('runs unchanged: stdin, stdout, metadata, and no sight of the Runtime API', async () => {
    const artifact = await packageExecutable({
      target: 'aws-lambda',
      path: await source('upper', UPPER, 0o755),
    });
    const ran = await runIn(artifact, eventOf(7, 'quiet'), { AWS_LAMBDA_RUNTIME_API: '127.0.0.1:1' });
    expect(textOf(ran)).toBe('QUIET');
    expect(ran.reply?.metadata).toEqual({ tenant: 'ö' });
  });

  it('that reports a failure, or dies, is a function error with what it said', async () => {
    const artifact = await packageExecutable({
      target: 'aws-lambda',
      path: await source('upper', UPPER, 0o755),
    });
    expect((await runIn(artifact, eventOf(8, ''))).error).toMatchObject({
      errorType: 'PrinterError',
      errorMessage: 'no ink',
    });
    const died = (await runIn(artifact, eventOf(9, ''))).error;
    expect(died?.errorMessage).toBe('The executable ended with exit code 3.');
    expect(died?.stack).toContain('about to die');
  });

  it('is killed before Lambda’s time-out, and says that it ran', async () => {
    const artifact = await packageExecutable({
      target: 'aws-lambda',
      path: await source('upper', UPPER, 0o755),
    });
    expect((await runIn(artifact, eventOf(10, ''), {}, 1500)).error?.errorType).toBe('FaasError.TIMEOUT.yes');
  });

  it('that cannot be started never ran', async () => {
    const artifact = await packageExecutable({
      target: 'aws-lambda',
      path: await source('bad', '#!/no/such/interpreter\n', 0o755),
    });
    expect((await runIn(artifact, eventOf(7, ''))).error?.errorType).toBe('FaasError.CONFIG.no');
  });

  it('is refused when it is none', async () => {
    expect(
      await failureOf(packageExecutable({ target: 'aws-lambda', path: await source('plain', 'text') })),
    ).toMatchObject({
      code: 'CONFIG',
    });
  });
});

describe('secrets', () => {
  const NEEDS = `
    import { defineJob } from 'jobferry';
    const atLoad = [process.env.DB, process.env.TOKEN, process.env.FIELD].join();
    export const show = defineJob({ id: 7, name: 'show', handler: () => atLoad });
  `;
  const KEY = {
    AWS_ACCESS_KEY_ID: 'AKIDROLE',
    AWS_SECRET_ACCESS_KEY: 'role-secret',
    AWS_SESSION_TOKEN: 'role/token',
  };
  const SECRETS = {
    DB: 'arn:aws:secretsmanager:eu-central-1:1:secret:db-abc',
    TOKEN: 'arn:aws:ssm:eu-central-1:1:parameter/team/token',
    FIELD: 'arn:aws:secretsmanager:eu-central-1:1:secret:json-abc:password',
  };

  async function withSecrets(
    refuse: boolean,
    work: (env: Record<string, string>) => Promise<void>,
  ): Promise<void> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const signed = { method: 'POST', target: request.url ?? '', headers: request.headers, body };
      const keys = new Map([['AKIDROLE', { secretAccessKey: 'role-secret', sessionToken: 'role/token' }]]);
      const expected = { region: 'eu-central-1', services: ['ssm', 'secretsmanager'], nowMs: Date.now() };
      const fault = refuse
        ? { status: 400, type: 'AccessDeniedException' }
        : refuseSignature(signed, keys, expected);
      if (fault !== undefined)
        return response.writeHead(fault.status, { 'x-amzn-errortype': fault.type }).end('{}');
      const input = JSON.parse(body.toString('utf8')) as {
        SecretId?: string;
        Name?: string;
        WithDecryption?: boolean;
      };
      if (request.headers['x-amz-target'] === 'AmazonSSM.GetParameter' && input.WithDecryption === true) {
        return response.end(JSON.stringify({ Parameter: { Name: input.Name, Value: 'token-value' } }));
      }
      const isJson = input.SecretId === 'arn:aws:secretsmanager:eu-central-1:1:secret:json-abc';
      return response.end(
        JSON.stringify({ SecretString: isJson ? '{"password":"field-value"}' : 'db-value' }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await work({
        ...KEY,
        AWS_ENDPOINT_URL_SSM: url,
        AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
        JOBFERRY_SECRETS: JSON.stringify(SECRETS),
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it('are in the environment before the code is loaded', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', NEEDS) });
    await withSecrets(false, async (env) => {
      expect(JSON.parse(textOf(await runIn(artifact, eventOf(7, 'null'), env)))).toBe(
        'db-value,token-value,field-value',
      );
    });
  });

  it('that cannot be read keep the function from starting, by name', async () => {
    const artifact = await packageHandler({ target: 'aws-lambda', entry: await source('jobs.ts', NEEDS) });
    await withSecrets(true, async (env) => {
      const { init } = await runIn(artifact, eventOf(7, 'null'), env);
      expect(init?.errorType).toBe('FaasError.AUTH.no');
      expect(init?.errorMessage).toMatch(
        /The secret (DB|TOKEN|FIELD) could not be fetched: HTTP 400 AccessDeniedException/,
      );
    });
  });
});
