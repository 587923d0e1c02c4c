import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpFaasExecutor } from '../../src/executors/custom-http/index.ts';
import { call, executorFor, failureOf, ok, type Reply, serve, type TestServer } from './server.ts';

let next: Reply;
let server: TestServer;
let executor: HttpFaasExecutor;

beforeAll(async () => {
  server = await serve(() => next);
  executor = executorFor(server);
});
afterAll(async () => {
  await executor.close();
  await server[Symbol.asyncDispose]();
});

async function failureFor(reply: Reply) {
  next = reply;
  return failureOf(call(executor));
}

describe('origin-defects 0.12: each status has its meaning', () => {
  it.each([
    [300, 'PROTOCOL', 'maybe'],
    [302, 'PROTOCOL', 'maybe'],
    [304, 'PROTOCOL', 'maybe'],
    [307, 'PROTOCOL', 'maybe'],
    [400, 'INVALID_REQUEST', 'no'],
    [401, 'AUTH', 'no'],
    [403, 'AUTH', 'no'],
    [404, 'NOT_FOUND', 'no'],
    [405, 'INVALID_REQUEST', 'no'],
    [408, 'TIMEOUT', 'maybe'],
    [409, 'CONFLICT', 'no'],
    [412, 'CONFLICT', 'no'],
    [413, 'PAYLOAD_TOO_LARGE', 'no'],
    [415, 'INVALID_REQUEST', 'no'],
    [418, 'INVALID_REQUEST', 'maybe'],
    [422, 'INVALID_REQUEST', 'maybe'],
    [429, 'THROTTLED', 'no'],
    [500, 'UNAVAILABLE', 'maybe'],
    [501, 'UNAVAILABLE', 'maybe'],
    [502, 'UNAVAILABLE', 'maybe'],
    [503, 'UNAVAILABLE', 'maybe'],
    [504, 'TIMEOUT', 'maybe'],
    [599, 'UNAVAILABLE', 'maybe'],
  ])('%d alone is %s and ran: %s', async (status, code, executed) => {
    for (const body of [
      '',
      'plain text <html>',
      '{}',
      '{"error":"words"}',
      '[1]',
      '{"code":7,"details":null}',
    ]) {
      const error = await failureFor({ status, body });
      expect([error.code, error.executed, error.status]).toEqual([code, executed, status]);
      expect([error.provider, error.functionName]).toEqual(['custom-http', 'job7']);
    }
  });
});

describe("the platform's own code", () => {
  it.each([
    [500, 'FUNCTION_ERROR', 'FUNCTION_ERROR', 'yes'],
    [500, 'OUT_OF_MEMORY', 'FUNCTION_ERROR', 'yes'],
    [500, 'BAD_OUTPUT', 'FUNCTION_ERROR', 'yes'],
    [500, 'OUTPUT_TOO_LARGE', 'PAYLOAD_TOO_LARGE', 'yes'],
    [500, 'EXECUTION_ERROR', 'UNAVAILABLE', 'maybe'],
    [500, 'INFRASTRUCTURE_ERROR', 'UNAVAILABLE', 'maybe'],
    [504, 'TIMEOUT', 'TIMEOUT', 'maybe'],
    [429, 'THROTTLED', 'THROTTLED', 'no'],
    [400, 'INVALID_REQUEST', 'INVALID_REQUEST', 'no'],
    [400, 'INVALID_NAME', 'INVALID_REQUEST', 'no'],
    [400, 'INVALID_CONFIG', 'INVALID_REQUEST', 'no'],
    [400, 'INVALID_PACKAGE', 'INVALID_REQUEST', 'no'],
    [401, 'UNAUTHORIZED', 'AUTH', 'no'],
    [403, 'FORBIDDEN', 'AUTH', 'no'],
    [404, 'NOT_FOUND', 'NOT_FOUND', 'no'],
    [405, 'METHOD_NOT_ALLOWED', 'INVALID_REQUEST', 'no'],
    [409, 'CONFLICT', 'CONFLICT', 'no'],
    [409, 'IN_PROGRESS', 'CONFLICT', 'maybe'],
    [409, 'NOT_FINISHED', 'CONFLICT', 'maybe'],
    [409, 'NO_RESULT', 'PROTOCOL', 'maybe'],
    [409, 'CANCELLED', 'CANCELLED', 'maybe'],
    [412, 'PRECONDITION_FAILED', 'CONFLICT', 'no'],
    [422, 'IDEMPOTENCY_MISMATCH', 'INVALID_REQUEST', 'no'],
    [413, 'PAYLOAD_TOO_LARGE', 'PAYLOAD_TOO_LARGE', 'no'],
    [415, 'UNSUPPORTED_MEDIA_TYPE', 'INVALID_REQUEST', 'no'],
    [503, 'UNAVAILABLE', 'UNAVAILABLE', 'maybe'],
    [503, 'SOMETHING_NEW', 'UNAVAILABLE', 'maybe'],
    [500, 'constructor', 'UNAVAILABLE', 'maybe'],
  ])('%d %s is %s and, unless it says more, ran: %s', async (status, platformCode, code, executed) => {
    const silent = await failureFor({ status, body: { error: 'words', code: platformCode, details: {} } });
    expect([silent.code, silent.executed]).toEqual([code, executed]);
    for (const stated of ['no', 'maybe', 'yes']) {
      const body = { success: false, error: 'words', code: platformCode, details: {}, executed: stated };
      const error = await failureFor({ status, body });
      expect(error.executed).toBe(stated);
      if (platformCode.toUpperCase() === platformCode && platformCode !== 'SOMETHING_NEW') {
        expect(error.code).toBe(code);
      }
    }
  });

  it('does not believe an `executed` it does not know', async () => {
    for (const executed of ['perhaps', true, null, 1]) {
      const error = await failureFor({ status: 503, body: { code: 'UNAVAILABLE', executed } });
      expect(error.executed).toBe('maybe');
    }
  });
});

describe('origin-defects 0.16: success:false is a failure of the function', () => {
  it.each([200, 201, 400, 404, 418, 500, 503])('with status %d', async (status) => {
    const error = await failureFor({
      status,
      body: { job_id: 7, result: [], success: false, error: 'no luck' },
    });
    expect([error.code, error.executed]).toEqual(['FUNCTION_ERROR', 'yes']);
    expect(error.remote).toEqual({ name: 'Error', message: 'no luck' });
    expect(error.message).toContain('no luck');
  });

  it('without any reason, as the reference server of spec 1.0 answers', async () => {
    const error = await failureFor({ status: 500, body: { job_id: 7, result: [], success: false } });
    expect(error.code).toBe('FUNCTION_ERROR');
    expect(error.remote?.message).toBe('The function gave no reason.');
  });

  it('with the name, message and stack of what was thrown', async () => {
    const details = { name: 'TypeError', message: 'x is no function', stack: 'TypeError: x\n  at f' };
    const error = await failureFor({
      status: 500,
      body: { success: false, error: 'failed', code: 'FUNCTION_ERROR', details, executed: 'yes' },
    });
    expect(error.remote).toEqual(details);
  });

  it('with the end of the log when the process only crashed', async () => {
    const details = { exit_code: 3, stderr_tail: 'Traceback: boom' };
    const error = await failureFor({
      status: 500,
      body: { success: false, error: 'exited with code 3', code: 'FUNCTION_ERROR', details },
    });
    expect(error.remote).toEqual({
      name: 'FUNCTION_ERROR',
      message: 'exited with code 3',
      stack: 'Traceback: boom',
    });
  });

  it('with texts of any length cut to something one can read', async () => {
    const error = await failureFor({
      status: 500,
      body: { success: false, error: 'e'.repeat(1_000_000), details: { stack: 's'.repeat(1_000_000) } },
    });
    expect(error.message.length).toBeLessThan(3000);
    expect(error.remote?.stack?.length).toBeLessThan(9000);
  });
});

describe('Retry-After and request id', () => {
  it('are kept on the error', async () => {
    const error = await failureFor({
      status: 429,
      headers: { 'retry-after': '2', 'x-faas-request-id': 'r-9' },
      body: { code: 'THROTTLED', error: 'busy' },
    });
    expect([error.retryAfterMs, error.requestId]).toEqual([2000, 'r-9']);
    expect(error.message).toContain('busy');
  });

  it('a 503 with Retry-After may still have run', async () => {
    const error = await failureFor({ status: 503, headers: { 'retry-after': '1' } });
    expect([error.executed, error.retryAfterMs]).toEqual(['maybe', 1000]);
  });

  it('a Retry-After that makes no sense is no Retry-After', async () => {
    expect(
      (await failureFor({ status: 429, headers: { 'retry-after': '-3' } })).retryAfterMs,
    ).toBeUndefined();
  });
});

describe('a success that makes no sense', () => {
  it.each([
    ['no JSON', 'done'],
    ['nothing', ''],
    ['no object', '[1]'],
    ['no result', '{"success":true}'],
    ['a result that is text', '{"result":"aGk="}'],
    ['numbers beyond a byte', '{"result":[256]}'],
    ['fractions', '{"result":[1.5]}'],
    ['a result cut off', '{"result":[1,2'],
    ['the page of a portal', '<html>log in to the Wi-Fi</html>'],
    ['the id of another reply', '{"id":7}'],
  ])(
    'is a PROTOCOL error, and of a function that ran if the platform shows itself: %s',
    async (_title, body) => {
      const shown = body.includes('"success":true');
      const error = await failureFor({ body });
      expect([error.code, error.executed, error.status]).toEqual(['PROTOCOL', shown ? 'yes' : 'maybe', 200]);
      const named = await failureFor({ body, headers: { 'x-faas-request-id': 'r-1' } });
      expect([named.code, named.executed]).toEqual(['PROTOCOL', 'yes']);
    },
  );

  it.each([
    [200, { job_id: 7 }, 'yes'],
    [200, { job_id: 7, success: true, result: 'x' }, 'yes'],
    [202, { invocation_id: 'i', job_id: 7, status: 'pending' }, 'maybe'],
  ])('%d with %j ran: %s', async (status, body, executed) => {
    const error = await failureFor({ status, body, headers: { 'x-faas-request-id': 'r-1' } });
    expect([error.code, error.executed]).toEqual(['PROTOCOL', executed]);
  });

  it.each([8, '7', null, 7.5])('for another job is a PROTOCOL error: job_id %j', async (jobId) => {
    const error = await failureFor({ body: { job_id: jobId, result: [1], success: true } });
    expect([error.code, error.executed]).toEqual(['PROTOCOL', 'maybe']);
  });

  it('a redirect is never followed, and the error says where the fault is', async () => {
    const before = server.requests.length;
    const error = await failureFor({
      status: 302,
      headers: { location: `${server.url}/elsewhere?key=hidden` },
    });
    expect(server.requests.length).toBe(before + 1);
    expect(error.message).toMatch(/redirect.*baseUrl/);
    expect(error.message).not.toContain('hidden');
  });
});

describe('an error shows neither secrets nor payload', () => {
  const SECRET = 'sk-very-secret-1234';
  const API_KEY = 'key-header-98765';

  it('even when the server echoes them', async () => {
    const own = executorFor(server, { auth: { bearer: SECRET }, headers: { 'x-api-key': API_KEY } });
    const echo = `you sent Bearer ${SECRET} and ${API_KEY}, ${'x'.repeat(480)}${SECRET}`;
    const bodies: unknown[] = [
      { success: false, error: echo, code: echo, details: { name: echo, message: echo, stack: echo } },
      { error: echo, code: 'THROTTLED' },
      { error: `${'y'.repeat(490)}${SECRET}`, code: 'UNAUTHORIZED' },
      echo,
    ];
    for (const body of bodies) {
      for (const status of [200, 401, 429, 500]) {
        next = { status, body };
        const error = await failureOf(call(own, { args: Buffer.from('PAYLOAD-BYTES') }));
        const shown = `${inspect(error, { depth: 10, showHidden: true })}${JSON.stringify(error)}${error.stack}`;
        for (const hidden of [SECRET, SECRET.slice(0, 9), API_KEY, 'PAYLOAD-BYTES'])
          expect(shown).not.toContain(hidden);
      }
    }
    expect(inspect(own, { depth: 10, showHidden: true })).not.toContain(SECRET);
    await own.close();
  });

  it('origin-defects 0.14: keys in an endpoint URL are in no error', async () => {
    const own = executorFor(server, { endpoints: { 7: `${server.url}/run?code=hidden-key` } });
    next = { status: 404, body: 'no' };
    expect(inspect(await failureOf(call(own)), { depth: 10 })).not.toContain('hidden-key');
    next = ok();
    await own.close();
  });
});
