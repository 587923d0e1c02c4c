import { afterEach, describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { type FakePlatform, type FakePlatformOptions, fakePlatform } from '../../src/testing/index.js';

const square = defineJob({ id: 7, name: 'square', handler: (n: number) => n * n });
const broken = defineJob({
  id: 8,
  name: 'broken',
  handler: () => {
    throw new RangeError('too far');
  },
});
const ZIP = Buffer.from('PK\x03\x04 content');

const open: FakePlatform[] = [];
afterEach(() => Promise.all(open.splice(0).map((platform) => platform.close())));

async function start(options: FakePlatformOptions = {}): Promise<FakePlatform> {
  const platform = await fakePlatform({ jobs: [square, broken], ...options });
  open.push(platform);
  return platform;
}

const config = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');
const args = (value: unknown) => [...Buffer.from(JSON.stringify(value))];

async function ask(platform: FakePlatform, method: string, path: string, init: RequestInit = {}) {
  const response = await fetch(platform.url + path, { method, ...init });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? undefined : JSON.parse(text),
    headers: response.headers,
  };
}

const put = (
  platform: FakePlatform,
  path: string,
  headers: Record<string, string> = {},
  body: Buffer = ZIP,
) =>
  ask(platform, 'PUT', path, {
    headers: { 'content-type': 'application/zip', ...headers },
    body: new Uint8Array(body),
  });

const post = (platform: FakePlatform, path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(platform, 'POST', path, { headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

describe('fakePlatform: the life of a function', () => {
  it('deploys, describes, invokes and deletes', async () => {
    const platform = await start();
    const deployed = await put(platform, '/api/functions/job7', {
      'x-blueprint-config': config({ memory_mb: 256, timeout_secs: 30 }),
    });
    expect(deployed.status).toBe(200);
    expect(deployed.body).toMatchObject({
      function_id: 'job7',
      endpoint: `${platform.url}/api/functions/job7/invoke`,
      status: 'deployed',
      memory_mb: 256,
      timeout_secs: 30,
      binary_size_bytes: ZIP.length,
    });
    expect(deployed.body.cold_start_ms).toBeUndefined();
    expect((await ask(platform, 'GET', '/api/functions/job7')).body).toEqual(deployed.body);

    const reply = await post(platform, '/api/functions/job7/invoke', { job_id: 7, args: args(5) });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ job_id: 7, result: args(25), success: true });
    expect(reply.headers.get('x-faas-request-id')).toMatch(/./);

    expect((await ask(platform, 'DELETE', '/api/functions/job7')).body).toEqual({
      function_id: 'job7',
      status: 'deleted',
    });
    expect((await ask(platform, 'DELETE', '/api/functions/job7')).status).toBe(404);
    expect((await post(platform, '/api/functions/job7/invoke', { job_id: 7, args: [] })).body).toMatchObject({
      code: 'NOT_FOUND',
      executed: 'no',
      success: false,
    });
  });

  it('takes the same content again, refuses other content, and replaces it when asked', async () => {
    const platform = await start();
    const first = await put(platform, '/api/functions/job7');
    expect((await put(platform, '/api/functions/job7')).body).toEqual(first.body);
    const other = Buffer.from('PK other');
    expect((await put(platform, '/api/functions/job7', {}, other)).body).toMatchObject({ code: 'CONFLICT' });
    expect((await put(platform, '/api/functions/job7?replace=true', {}, other)).status).toBe(200);
  });

  it('reports health and warm truthfully', async () => {
    const platform = await start({ deployed: true });
    expect((await ask(platform, 'GET', '/api/functions/job7/health')).body).toEqual({
      function_id: 'job7',
      status: 'healthy',
      total_invocations: 0,
    });
    expect((await ask(platform, 'POST', '/api/functions/job7/warm')).body).toMatchObject({
      instances_warmed: 0,
    });
    await post(platform, '/job/7', { job_id: 7, args: args(2) });
    expect((await ask(platform, 'GET', '/api/functions/job7/health')).body).toMatchObject({
      total_invocations: 1,
    });
    expect((await ask(platform, 'HEAD', '/job/7')).status).toBe(200);
    expect((await ask(platform, 'HEAD', '/job/9')).status).toBe(404);
  });

  it.each([
    ['a name with capitals', '/api/functions/Job7', {}, 400, 'INVALID_NAME'],
    ['an escaped path', '/api/functions/%2e%2e', {}, 404, 'NOT_FOUND'],
    ['an escaped slash', '/api/functions/a%2Fb', {}, 400, 'INVALID_NAME'],
    [
      'another content type',
      '/api/functions/job7',
      { 'content-type': 'text/plain' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['bad base64', '/api/functions/job7', { 'x-blueprint-config': '{}' }, 400, 'INVALID_CONFIG'],
    [
      'an unknown field',
      '/api/functions/job7',
      { 'x-blueprint-config': config({ cpu: 1 }) },
      400,
      'INVALID_CONFIG',
    ],
    [
      'memory out of steps',
      '/api/functions/job7',
      { 'x-blueprint-config': config({ memory_mb: 130 }) },
      400,
      'INVALID_CONFIG',
    ],
  ])('refuses a deploy with %s', async (_what, path, headers, status, code) => {
    const platform = await start();
    const reply = await put(platform, path, headers as Record<string, string>);
    expect([reply.status, reply.body.code]).toEqual([status, code]);
  });
});

describe('fakePlatform: calls', () => {
  it('answers a failing function with FUNCTION_ERROR that ran', async () => {
    const platform = await start({ deployed: true });
    const reply = await post(platform, '/job/8', { job_id: 8, args: [] });
    expect(reply.status).toBe(500);
    expect(reply.body).toMatchObject({
      job_id: 8,
      result: [],
      success: false,
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      error: 'too far',
      details: { name: 'RangeError', message: 'too far' },
    });
  });

  it.each([
    ['no JSON', '{'],
    ['an id that is too large', { job_id: 2 ** 32, args: [] }],
    ['a negative id', { job_id: -1, args: [] }],
    ['an id that is text', { job_id: '7', args: [] }],
    ['a byte that is none', { job_id: 7, args: [256] }],
    ['no args', { job_id: 7 }],
  ])('refuses a call with %s', async (_what, body) => {
    const platform = await start({ deployed: true });
    const reply = await post(platform, '/job/7', body);
    expect([reply.status, reply.body.code, reply.body.executed]).toEqual([400, 'INVALID_REQUEST', 'no']);
    expect(platform.executions.size).toBe(0);
  });

  it('refuses args over its limit with 413', async () => {
    const platform = await start({ deployed: true, maxArgsBytes: 3 });
    expect((await post(platform, '/job/7', { job_id: 7, args: [1, 2, 3, 4] })).status).toBe(413);
  });

  it('hands the function its call id, attempt, metadata and deadline', async () => {
    let seen: object = {};
    const platform = await start({
      deployed: true,
      functions: {
        job9: ({ callId, attempt, metadata, deadline }) => {
          seen = { callId, attempt, metadata, leftMs: deadline - Date.now() };
          return new Uint8Array(0);
        },
      },
    });
    const reply = await post(
      platform,
      '/job/9',
      { job_id: 9, args: [] },
      {
        'x-faas-call-id': 'call-3',
        'x-faas-attempt': '2',
        'x-faas-timeout-ms': '60000',
        'x-faas-metadata': Buffer.from('{"tenant":"ä"}').toString('base64url'),
      },
    );
    expect(seen).toMatchObject({ callId: 'call-3', attempt: 2, metadata: { tenant: 'ä' } });
    expect((seen as { leftMs: number }).leftMs).toBeGreaterThan(50_000);
    expect(reply.body.metadata).toEqual({ tenant: 'ä' });
    expect(platform.executions.get('call-3')).toBe(1);
  });

  it('ends a function at its time limit with 504', async () => {
    const platform = await start({ deployed: true, functions: { job9: () => new Promise<never>(() => {}) } });
    const reply = await post(platform, '/job/9', { job_id: 9, args: [] }, { 'x-faas-timeout-ms': '20' });
    expect([reply.status, reply.body.code, reply.body.executed]).toEqual([504, 'TIMEOUT', 'yes']);
  });

  it('stops a function whose caller is gone', async () => {
    const stopped = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const platform = await start({
      deployed: true,
      functions: {
        job9: ({ signal }) => {
          started.resolve();
          signal.addEventListener('abort', () => stopped.resolve());
          return new Promise<never>(() => {});
        },
      },
    });
    const caller = new AbortController();
    const body = JSON.stringify({ job_id: 9, args: [] });
    const asked = fetch(`${platform.url}/job/9`, { method: 'POST', body, signal: caller.signal }).catch(
      () => 'gone',
    );
    await started.promise;
    caller.abort();
    expect(await asked).toBe('gone');
    await stopped.promise;
  });

  it('answers 429 with Retry-After over max_concurrency', async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<Uint8Array>();
    const platform = await start({
      functions: {
        job9: () => {
          started.resolve();
          return finish.promise;
        },
      },
    });
    await put(platform, '/api/functions/job9', { 'x-blueprint-config': config({ max_concurrency: 1 }) });
    const first = post(platform, '/job/9', { job_id: 9, args: [] });
    await started.promise;
    const second = await post(platform, '/job/9', { job_id: 9, args: [] });
    expect([second.status, second.body.code, second.body.executed]).toEqual([429, 'THROTTLED', 'no']);
    expect(second.headers.get('retry-after')).toBe('1');
    finish.resolve(new Uint8Array(0));
    expect((await first).status).toBe(200);
  });

  it('asks for its key when it has one', async () => {
    const platform = await start({ bearer: 'right' });
    expect((await ask(platform, 'GET', '/api')).status).toBe(401);
    const headers = { authorization: 'Bearer right' };
    expect((await ask(platform, 'GET', '/api', { headers })).body).toMatchObject({ spec: '1.0' });
  });
});

describe('fakePlatform: scripts', () => {
  const invoke = (platform: FakePlatform, callId = 'c') =>
    post(platform, '/job/7', { job_id: 7, args: args(3) }, { 'x-faas-call-id': callId });

  it('answers what the script says, in order, then as usual', async () => {
    const platform = await start({ deployed: true });
    platform.script([
      { respond: { status: 503, headers: { 'retry-after': '7' }, body: { success: false } } },
      { respond: { status: 500, body: '"text"' } },
    ]);
    const replies = [await invoke(platform), await invoke(platform), await invoke(platform)];
    expect(replies.map(({ status }) => status)).toEqual([503, 500, 200]);
    expect(replies[0]?.headers.get('retry-after')).toBe('7');
    expect(platform.executions.get('c')).toBe(1);
  });

  it('applies a rule only where it matches, as often as it says', async () => {
    const platform = await start({ deployed: true });
    platform.script([{ match: ({ method }) => method === 'GET', times: 2, respond: { status: 418 } }]);
    expect((await invoke(platform)).status).toBe(200);
    const health = async () => (await ask(platform, 'GET', '/api/functions/job7/health')).status;
    expect([await health(), await health(), await health()]).toEqual([418, 418, 200]);
  });

  it('resets the connection before or after the function ran', async () => {
    const platform = await start({ deployed: true });
    platform.script([{ reset: true }, { run: true, reset: true }]);
    await expect(invoke(platform, 'before')).rejects.toThrow();
    await expect(invoke(platform, 'after')).rejects.toThrow();
    expect([platform.executions.get('before'), platform.executions.get('after')]).toEqual([undefined, 1]);
  });

  it('cuts a reply short', async () => {
    const platform = await start({ deployed: true });
    platform.script([{ truncate: 10 }]);
    await expect(invoke(platform)).rejects.toThrow();
    expect(platform.executions.get('c')).toBe(1);
  });

  it('hangs until it is closed', async () => {
    const platform = await start({ deployed: true });
    platform.script([{ hang: true }]);
    const outcome = invoke(platform).catch(() => 'cut');
    await expect.poll(() => platform.requests.length).toBe(1);
    await platform.close();
    expect(await outcome).toBe('cut');
  });

  it('records every request with its body', async () => {
    const platform = await start({ deployed: true });
    platform.script([{ delayMs: 5 }]);
    await invoke(platform);
    expect(platform.requests).toHaveLength(1);
    expect(platform.requests[0]).toMatchObject({ method: 'POST', path: '/job/7' });
    expect(JSON.parse(String(platform.requests[0]?.body))).toEqual({ job_id: 7, args: args(3) });
  });
});
