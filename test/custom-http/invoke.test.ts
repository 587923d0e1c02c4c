import { afterEach, describe, expect, it } from 'vitest';
import { callContext } from '../../src/core/scope.ts';
import { HttpFaasExecutor } from '../../src/executors/custom-http/index.ts';
import { call, executorFor, failureOf, jobCall, ok, type Responder, serve } from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function platform(respond: Responder, options = {}) {
  const server = await serve(respond);
  const executor = executorFor(server, options);
  open.push(server, executor);
  return { server, executor };
}

describe('an invoke', () => {
  it('origin-defects 0.22: is one POST of the spec with every fact of the call', async () => {
    const { server, executor } = await platform(() => ok());
    const deadline = Date.now() + 60_000;
    const metadata = { tenant: 'ä', trace: '1' };
    await call(executor, { callId: 'c:1._-', attempt: 3, deadline, metadata });
    expect(server.requests).toHaveLength(1);
    const [{ method, url, headers, body } = expect.fail()] = server.requests;
    expect([method, url]).toEqual(['POST', '/api/functions/job7/invoke']);
    expect(body.toString()).toBe('{"job_id":7,"args":[112,97,121]}');
    expect(headers).toMatchObject({
      host: server.url.slice('http://'.length),
      'content-type': 'application/json',
      'content-length': String(body.length),
      'x-faas-call-id': 'c:1._-',
      'x-faas-attempt': '3',
    });
    expect(Number(headers['x-faas-timeout-ms'])).toBeGreaterThan(1000);
    expect(Number(headers['x-faas-timeout-ms'])).toBeLessThanOrEqual(20_000);
    expect(JSON.parse(Buffer.from(String(headers['x-faas-metadata']), 'base64url').toString())).toEqual(
      metadata,
    );
    expect(headers).not.toHaveProperty('authorization');
    expect(headers).not.toHaveProperty('accept-encoding');
  });

  it('sends no time and no metadata where there are none', async () => {
    const { server, executor } = await platform(() => ok());
    await executor.invoke(jobCall(), callContext());
    expect(server.requests[0]?.headers).not.toHaveProperty('x-faas-timeout-ms');
    expect(server.requests[0]?.headers).not.toHaveProperty('x-faas-metadata');
  });

  it.each([0, 1, 100, 65_536, 300_000])('carries %d bytes of every value there and back', async (length) => {
    const args = Uint8Array.from({ length }, (_, index) => (index * 151) & 255);
    const { executor } = await platform(({ body }) => {
      const sent = JSON.parse(body.toString()) as { args: number[] };
      return ok(sent.args, { job_id: 7 });
    });
    const { result } = await call(executor, { args });
    expect(Buffer.from(result).equals(Buffer.from(args))).toBe(true);
  });

  it.each([0, 255, 256, 300, 2 ** 32 - 1])(
    'origin-defects 0.10 and 0.19: job %d is not taken for another',
    async (jobId) => {
      const { server, executor } = await platform(({ body }) =>
        ok([], { job_id: JSON.parse(body.toString()).job_id }),
      );
      await call(executor, { jobId });
      expect(server.requests[0]?.url).toBe(`/api/functions/job${jobId}/invoke`);
    },
  );

  it.each([2 ** 32, 2 ** 32 + 1, -1, 1.5, Number.NaN])(
    'origin-defects 0.19: job id %d is refused, never truncated',
    async (jobId) => {
      const { server, executor } = await platform(() => ok());
      expect((await failureOf(call(executor, { jobId }))).code).toBe('CONFIG');
      expect(server.requests).toEqual([]);
    },
  );

  it('origin-defects 0.18: metadata comes back on the result, overlaid with what the function says', async () => {
    const { executor } = await platform(() =>
      ok([], { metadata: { b: '2', c: '3', odd: 4, __proto__x: 'y' } }),
    );
    const { metadata } = await call(executor, { metadata: { a: '1', b: '1' } });
    expect(metadata).toEqual({ a: '1', b: '2', c: '3', __proto__x: 'y' });
  });

  it('keeps its own metadata when a spec 1.0 platform returns none', async () => {
    const { executor } = await platform(() => ok());
    expect((await call(executor, { metadata: { a: '1' } })).metadata).toEqual({ a: '1' });
  });

  it('is not polluted by a __proto__ key', async () => {
    const { executor } = await platform(() => ({
      body: '{"result":[1],"__proto__":{"polluted":"yes"},"metadata":{"__proto__":"x","constructor":"y"}}',
    }));
    const { metadata } = await call(executor);
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('tolerates fields it does not know, and any 2xx', async () => {
    const { executor } = await platform(() => ({
      status: 206,
      body: { result: [9], novelty: { deep: [1] } },
    }));
    expect([...(await call(executor)).result]).toEqual([9]);
  });
});

describe('origin-defects 0.9: a metric comes from evidence or is absent', () => {
  it('takes what the platform reports', async () => {
    const { executor } = await platform(() => ({
      headers: { 'x-faas-request-id': 'r-1' },
      body: { result: [], success: true, execution_ms: 12.5, memory_used_mb: 40, cold_start: false },
    }));
    const { metrics } = await call(executor);
    expect(metrics).toEqual({
      totalMs: expect.any(Number),
      executionMs: 12.5,
      memoryUsedMb: 40,
      coldStart: false,
      requestId: 'r-1',
    });
    expect(metrics.totalMs).toBeGreaterThan(0);
  });

  it('leaves out what is missing or cannot be true', async () => {
    for (const odd of [
      {},
      { execution_ms: -1, memory_used_mb: 0, cold_start: 'no' },
      { execution_ms: '5' },
      { execution_ms: null },
    ]) {
      const { executor } = await platform(() => ok([], odd));
      expect(Object.keys((await call(executor)).metrics)).toEqual(['totalMs']);
    }
  });
});

describe('where calls go', () => {
  it.each(['', '/', '///'])(
    'origin-defects 0.1: a base URL that ends in "%s" doubles no slash',
    async (end) => {
      const server = await serve(() => ok());
      const executor = new HttpFaasExecutor({ baseUrl: `${server.url}/prefix${end}` });
      open.push(server, executor);
      await call(executor);
      expect(server.requests[0]?.url).toBe('/prefix/api/functions/job7/invoke');
    },
  );

  it('takes the name from functionName and the URL from endpoints', async () => {
    const { server, executor } = await platform(() => ok(), {
      functionName: (id: number) => `blueprint-job-${id}`,
    });
    await call(executor);
    const other = executorFor(server, { endpoints: { 7: `${server.url}/run/it?v=1` } });
    open.push(other);
    await call(other);
    await call(other, { jobId: 8 });
    expect(server.requests.map(({ url }) => url)).toEqual([
      '/api/functions/blueprint-job-7/invoke',
      '/run/it?v=1',
      '/api/functions/job8/invoke',
    ]);
  });

  it('calls POST /job/{id} where the platform knows nothing else', async () => {
    const { server, executor } = await platform(() => ok(), { api: 'job-endpoint' });
    await call(executor, { jobId: 0 });
    expect([server.requests[0]?.method, server.requests[0]?.url]).toEqual(['POST', '/job/0']);
  });

  it('sends credentials and headers to its own origin only, unless told otherwise', async () => {
    const away = await serve(() => ok());
    open.push(away);
    const options = {
      auth: { bearer: 'token-1' },
      headers: { 'X-Api-Key': 'key' },
      endpoints: { 8: `${away.url}/f` },
    };
    const { server, executor } = await platform(() => ok(), options);
    await call(executor);
    await call(executor, { jobId: 8 });
    expect(server.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer token-1',
      'x-api-key': 'key',
    });
    expect(away.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(away.requests[0]?.headers).not.toHaveProperty('x-api-key');
    const trusting = executorFor(server, { ...options, endpointAuth: true });
    open.push(trusting);
    await call(trusting, { jobId: 8 });
    expect(away.requests[1]?.headers).toMatchObject({ authorization: 'Bearer token-1', 'x-api-key': 'key' });
  });
});

describe('a call that cannot be sent is refused before it is', () => {
  it.each([
    ['an input over the limit', { args: new Uint8Array(11) }, 'PAYLOAD_TOO_LARGE'],
    ['a call id with a line end', { callId: 'a\r\nx: y' }, 'INVALID_REQUEST'],
    ['an empty call id', { callId: '' }, 'INVALID_REQUEST'],
    ['a call id of 129 characters', { callId: 'x'.repeat(129) }, 'INVALID_REQUEST'],
    ['metadata that fits in no header', { metadata: { big: 'x'.repeat(9000) } }, 'PAYLOAD_TOO_LARGE'],
    ['a deadline in the past', { deadline: Date.now() - 1 }, 'TIMEOUT'],
  ])('%s', async (_title, changes, code) => {
    const { server, executor } = await platform(() => ok(), { limits: { maxPayloadBytes: 10 } });
    const error = await failureOf(call(executor, changes));
    expect([error.code, error.executed]).toEqual([code, 'no']);
    expect(server.requests).toEqual([]);
    expect((await call(executor, { args: new Uint8Array(10) })).result).toHaveLength(3);
  });
});

describe('many calls at once', () => {
  it('each gets its own answer', async () => {
    const { server, executor } = await platform(
      ({ body }) => {
        const { job_id, args } = JSON.parse(body.toString());
        return ok(args, { job_id });
      },
      { connections: 16 },
    );
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        call(executor, { jobId: index % 5, args: Uint8Array.of(index) }),
      ),
    );
    expect(answers.map(({ result }) => result[0])).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect(server.sockets.size).toBeLessThanOrEqual(16);
  });
});
