import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { answer, echo, node, sh, textOf } from './support/bootstraps.js';
import {
  callsAreGone,
  eventually,
  type JsonReply,
  type TestPlatform,
  testPlatform,
} from './support/platform.js';

const EVERY_BYTE = Array.from({ length: 256 }, (_, byte) => byte);
const JSON_TYPE = { 'Content-Type': 'application/json' };

describe('invoking a function', () => {
  let server: TestPlatform;

  beforeAll(async () => {
    server = await testPlatform();
    expect((await server.deploy('echo', echo)).status).toBe(200);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Deploys a function under a name of its own and calls it once. */
  async function run(
    name: string,
    script: string,
    args: ArrayLike<number> = [],
    headers = {},
  ): Promise<JsonReply> {
    expect(await server.deploy(name, script)).toMatchObject({ status: 200 });
    return server.invoke(name, args, headers);
  }

  it('answers with the result, the job id and figures that were measured', async () => {
    const { status, body, headers } = await server.invoke('echo', [1, 2, 255]);
    expect(status).toBe(200);
    expect(body).toMatchObject({ job_id: 7, result: [1, 2, 255], success: true, cold_start: true });
    expect(body.execution_ms).toBeGreaterThan(0);
    expect(headers.get('x-faas-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('origin-defects 0.9: memory is measured, or absent', async () => {
    const { body } = await run('memory', node('Buffer.alloc(60 << 20, 1); reply([]);'));
    const enforced = server.platform.isolation.memory !== 'sampled';
    if (enforced) expect(body.memory_used_mb).toBeGreaterThan(60);
    else expect(body.memory_used_mb === undefined || body.memory_used_mb > 0).toBe(true);
  });

  it.each([
    ['no bytes', []],
    ['every byte', EVERY_BYTE],
    ['bytes that are not UTF-8', [0xc3, 0x28, 0xff, 0]],
    ['a large array', new Uint8Array(1 << 20).map((_, at) => at)],
  ])('carries %s unchanged', async (_, bytes) => {
    const { body } = await server.invoke('echo', bytes);
    expect(Buffer.from(body.result).equals(Buffer.from(bytes))).toBe(true);
  });

  it.each([0, 255, 256, 2 ** 32 - 1])('accepts the job id %d (origin-defects 0.19)', async (jobId) => {
    const reply = await server.request('POST', '/api/functions/echo/invoke', {
      headers: JSON_TYPE,
      body: JSON.stringify({ job_id: jobId, args: [] }),
    });
    expect(reply.body).toMatchObject({ job_id: jobId, success: true });
  });

  it.each([
    ['{"job_id":4294967296,"args":[]}', 'a job id above 32 bits'],
    ['{"job_id":-1,"args":[]}', 'a negative job id'],
    ['{"job_id":1.5,"args":[]}', 'half a job id'],
    ['{"job_id":"1","args":[]}', 'a job id as text'],
    ['{"args":[]}', 'no job id'],
    ['{"job_id":1}', 'no args'],
    ['{"job_id":1,"args":"x"}', 'args as text'],
    ['{"job_id":1,"args":[256]}', 'an argument above 255'],
    ['{"job_id":1,"args":[-1]}', 'an argument below 0'],
    ['{"job_id":1,"args":[]', 'malformed JSON'],
    ['', 'no body'],
  ])('refuses %s (%s)', async (body) => {
    const reply = await server.request('POST', '/api/functions/echo/invoke', { headers: JSON_TYPE, body });
    expect(reply.status).toBe(400);
    expect(reply.body).toMatchObject({
      code: 'INVALID_REQUEST',
      success: false,
      executed: 'no',
      details: {},
    });
    expect(reply.body.error).toEqual(expect.any(String));
  });

  it('hands the call id, the attempt, the deadline and the metadata to the function, and metadata back', async () => {
    const script = node(`const { args, ...rest } = input;
      reply([...Buffer.from(JSON.stringify(rest))], { metadata: input.metadata });`);
    const metadata = { tenant: 'ä', trace: '1' };
    const before = Date.now();
    const { body } = await run('context', script, [], {
      'X-Faas-Call-Id': 'call:1.a_b-c',
      'X-Faas-Attempt': '3',
      'X-Faas-Timeout-Ms': '20000',
      'X-Faas-Metadata': Buffer.from(JSON.stringify(metadata)).toString('base64url'),
    });
    const seen = JSON.parse(textOf(body.result));
    expect(seen).toMatchObject({ job_id: 7, call_id: 'call:1.a_b-c', attempt: 3, metadata });
    expect(seen.deadline_ms).toBeGreaterThan(before);
    expect(seen.deadline_ms).toBeLessThanOrEqual(Date.now() + 20_000);
    expect(body.metadata).toEqual(metadata);
  });

  it.each([
    ['X-Faas-Call-Id', 'has space'],
    ['X-Faas-Call-Id', 'x'.repeat(129)],
    ['X-Faas-Attempt', '0'],
    ['X-Faas-Attempt', 'one'],
    ['X-Faas-Timeout-Ms', '-5'],
    ['X-Faas-Metadata', 'e30='.repeat(3)],
    ['X-Faas-Metadata', Buffer.from('{"a":1}').toString('base64url')],
  ])('refuses the header %s: %s', async (name, value) => {
    const { status, body } = await server.invoke('echo', [], { [name]: value });
    expect([status, body.code, body.executed]).toEqual([400, 'INVALID_REQUEST', 'no']);
    expect(body.error).toContain(name);
  });

  it('serves POST and HEAD /job/{n} with the function bound to the job', async () => {
    await server.deploy('job12', answer(12));
    const reply = await server.request('POST', '/job/12', {
      headers: JSON_TYPE,
      body: '{"job_id":12,"args":[]}',
    });
    expect(reply.body).toMatchObject({ job_id: 12, result: [12], success: true });
    expect(await server.request('HEAD', '/job/12')).toMatchObject({ status: 200, body: undefined });
    expect(await server.request('HEAD', '/job/13')).toMatchObject({ status: 404, body: undefined });
    expect(await server.request('HEAD', '/api/functions/job12/invoke')).toMatchObject({ status: 200 });
    expect(
      (await server.request('POST', '/job/4294967296', { headers: JSON_TYPE, body: '{}' })).body.code,
    ).toBe('INVALID_NAME');
  });

  it('gives the function its own environment and nothing of the platform (custom-FaaS conformance 5)', async () => {
    process.env['PLATFORM_TEST_CANARY'] = 'secret';
    await server.deploy(
      'environment',
      node('reply([...Buffer.from(JSON.stringify({ env: process.env, cwd: process.cwd() }))]);'),
      {
        env_vars: { GREETING: 'hello', EMPTY: '' },
        memory_mb: 256,
        timeout_secs: 20,
      },
    );
    const { body } = await server.invoke('environment', [], { 'X-Faas-Call-Id': 'c1' });
    const { env, cwd } = JSON.parse(textOf(body.result));
    expect(
      Object.keys(env)
        .filter((name) => name !== '_' && name !== 'PWD')
        .toSorted(),
    ).toEqual([
      'EMPTY',
      'FAAS_CALL_ID',
      'FAAS_FUNCTION_ID',
      'FAAS_MEMORY_MB',
      'FAAS_TIMEOUT_SECS',
      'GREETING',
      'HOME',
      'LANG',
      'PATH',
      'TMPDIR',
      'TZ',
    ]);
    expect(env).toMatchObject({
      GREETING: 'hello',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      FAAS_FUNCTION_ID: 'environment',
      FAAS_MEMORY_MB: '256',
      FAAS_TIMEOUT_SECS: '20',
      FAAS_CALL_ID: 'c1',
    });
    expect(env.HOME).toBe(env.TMPDIR);
    expect(cwd.startsWith(join(server.dataDir, 'code'))).toBe(true);
  });

  it('gives each call a private folder and removes it', async () => {
    const script = node(`const { HOME } = process.env;
      fs.writeFileSync(HOME + '/left', 'x');
      reply([...Buffer.from(HOME + ' ' + fs.readdirSync(HOME).length)]);`);
    const first = textOf((await run('folder', script)).body.result);
    const second = textOf((await server.invoke('folder')).body.result);
    expect(first).not.toBe(second);
    expect([first, second].every((text) => text.endsWith(' 1'))).toBe(true);
    await callsAreGone(server);
  });

  describe('when the function fails', () => {
    it.each([
      ['exits with a code', sh('echo reason >&2; exit 3'), { exit_code: 3, stderr_tail: 'reason\n' }],
      ['exits with a code after valid output', sh(`printf '{"result":[1]}'; exit 4`), { exit_code: 4 }],
      ['is ended by a signal', sh('kill -TERM $$'), { signal: 'SIGTERM' }],
      [
        'says so itself',
        sh(`printf '{"success":false,"error":"no luck","error_name":"LuckError","error_stack":"at x"}'`),
        { name: 'LuckError', message: 'no luck', stack: 'at x', exit_code: 0 },
      ],
      [
        'says so and exits with a code',
        sh(`printf '{"success":false,"error":"no luck"}'; exit 1`),
        { message: 'no luck', exit_code: 1 },
      ],
    ])('because it %s, the answer is FUNCTION_ERROR', async (what, script, details) => {
      const { status, body } = await run(slug('fails', what), script);
      expect(status).toBe(500);
      expect(body).toMatchObject({
        job_id: 7,
        result: [],
        success: false,
        code: 'FUNCTION_ERROR',
        executed: 'yes',
        details,
      });
    });

    it.each([
      ['nothing at all', 'true'],
      ['no JSON', 'echo hello'],
      ['two documents', `echo '{"result":[]}{"result":[]}'`],
      ['a log line before the JSON', `echo starting; echo '{"result":[]}'`],
      ['a log line after the JSON', `echo '{"result":[]}'; echo done`],
      ['no result', `echo '{}'`],
      ['a result that is no array', `echo '{"result":"x"}'`],
      ['a result with 256 in it', `echo '{"result":[256]}'`],
      ['metadata that is no strings', `echo '{"result":[],"metadata":{"a":1}}'`],
      ['bytes that are not UTF-8', `printf '{"result":[],"x":"\\377"}'`],
    ])('because it prints %s, the answer is BAD_OUTPUT', async (what, line) => {
      const { status, body } = await run(slug('prints', what), sh(`echo because >&2\n${line}`));
      expect(status).toBe(500);
      expect(body).toMatchObject({
        success: false,
        code: 'BAD_OUTPUT',
        executed: 'yes',
        details: { stderr_tail: 'because\n' },
      });
    });

    it('no error repeats what the function was given or printed on stdout', async () => {
      const { body } = await run('canary', sh('cat; echo'), [...Buffer.from('canary')]);
      expect(JSON.stringify(body)).not.toContain([...Buffer.from('canary')].join(','));
      expect((await run('canary2', sh('echo hunter2'))).body.error).not.toContain('hunter2');
    });

    it('keeps the end of a long stderr', async () => {
      const { body } = await run(
        'chatty',
        sh('i=0; while [ $i -lt 20000 ]; do echo "line $i" >&2; i=$((i+1)); done; exit 1'),
      );
      expect(body.details.stderr_tail.length).toBeLessThanOrEqual(4096);
      expect(body.details.stderr_tail.endsWith('line 19999\n')).toBe(true);
    });

    it('a bootstrap that cannot be executed any more did not run', async () => {
      const { body: record } = await server.deploy('broken', answer(5, 5, 5));
      const code = join(server.dataDir, 'code', record.sha256);
      await chmod(join(code, 'bootstrap'), 0o644);
      expect((await server.invoke('broken')).body).toMatchObject({
        code: 'EXECUTION_ERROR',
        executed: 'no',
        success: false,
      });
      await rm(code, { recursive: true });
      const { status, body } = await server.invoke('broken');
      expect([status, body.code, body.executed]).toEqual([500, 'EXECUTION_ERROR', 'no']);
      expect(await server.request('GET', '/api/functions/broken/health')).toMatchObject({
        status: 503,
        body: { status: 'unhealthy' },
      });
      expect((await server.request('HEAD', '/api/functions/broken/health')).status).toBe(503);
      // Deploying the same again changes no record, and repairs the code.
      expect((await server.deploy('broken', answer(5, 5, 5))).body).toEqual(record);
      expect((await server.invoke('broken')).body.result).toEqual([5, 5, 5]);
    });
  });

  describe('with awkward pipes', () => {
    it('feeds more than a pipe holds to a child that writes first', async () => {
      const script = node(`fs.writeSync(2, 'x'.repeat(200000)); reply([input.args.length & 255]);`);
      const writesFirst = script.replace('const input', `fs.writeSync(1, ' '.repeat(150000));\nconst input`);
      expect((await run('writes-first', writesFirst, new Uint8Array(300_000))).body.result).toEqual([
        300_000 & 255,
      ]);
    });

    it('does not mind a child that never reads its input', async () => {
      const { body } = await run('never-reads', sh(`printf '{"result":[9]}'`), new Uint8Array(1 << 20));
      expect(body.result).toEqual([9]);
    });

    it('waits for a child that closes stdout and lives on', async () => {
      const { body } = await run('closes', sh(`printf '{"result":[1]}'; exec >&- 2>&-; sleep 0.3; exit 0`));
      expect(body.result).toEqual([1]);
      expect(body.execution_ms).toBeGreaterThanOrEqual(250);
    });

    it('does not wait for a grandchild that holds stdout, and ends it', async () => {
      const script = sh(`sleep 300 & echo $! > grandchild; printf '{"result":[1]}'`);
      const { body } = await run('daemon', script);
      expect(body.result).toEqual([1]);
      expect(body.execution_ms).toBeLessThan(60_000);
      const sleeper = await readPid(join(server.dataDir, 'code'), 'grandchild');
      await eventually(() => !isRunning(sleeper), 'the grandchild is gone');
    });
  });
});

/** A function id made of words. */
function slug(...words: string[]): string {
  return (
    words
      .join(' ')
      .toLowerCase()
      .match(/[a-z0-9]+/g)
      ?.join('-') ?? ''
  );
}

async function readPid(code: string, name: string): Promise<number> {
  for (const folder of await readdir(code)) {
    const pid = Number(await readFile(join(code, folder, name), 'utf8').catch(() => Number.NaN));
    if (pid > 0) return pid;
  }
  throw new Error(`no file ${name}`);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
