import { afterEach, describe, expect, it } from 'vitest';
import type { HttpFaasExecutorOptions } from '../../src/executors/custom-http/index.ts';
import type { FakePlatformOptions } from '../../src/testing/index.ts';
import { isInvoke, learn, OCTETS, stage } from './platform-11.ts';
import { call, failureOf } from './server.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function learned(
  options: Partial<HttpFaasExecutorOptions> = {},
  platformOptions: FakePlatformOptions = {},
) {
  const made = await stage(options, platformOptions);
  open.push(made);
  await learn(made);
  return made;
}

describe('a call with raw bytes', () => {
  it('is one POST of the bytes as they are, with every fact in headers', async () => {
    const { executor, platform } = await learned();
    const metadata = { tenant: 'ä' };
    const result = await call(executor, { args: Uint8Array.of(0, 10, 255), attempt: 2, metadata });
    const { path, headers, body } =
      platform.requests.find((seen) => isInvoke(seen) && seen.headers['x-faas-call-id'] === 'call-1') ??
      expect.fail();
    expect(path).toBe('/api/functions/job7/invoke');
    expect([...body]).toEqual([0, 10, 255]);
    expect(headers).toMatchObject({
      'content-type': OCTETS,
      accept: OCTETS,
      'x-faas-job-id': '7',
      'x-faas-attempt': '2',
    });
    expect([...result.result]).toEqual([0, 10, 255]);
    expect(result.metadata).toEqual(metadata);
    expect(result.metrics).toMatchObject({ executionMs: expect.any(Number), coldStart: false });
    expect(result.metrics.requestId).toMatch(/^fake-/);
    expect(result.metrics).not.toHaveProperty('memoryUsedMb');
  });

  it.each([0, 1, 65_536, 3_000_000])('carries %d bytes of every value there and back', async (length) => {
    const { executor } = await learned();
    const args = Uint8Array.from({ length }, (_, index) => (index * 151) & 255);
    const { result } = await call(executor, { args });
    expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype);
    expect(Buffer.from(result).equals(Buffer.from(args))).toBe(true);
  });

  it('goes to POST /job/{id} too', async () => {
    const { executor, lines } = await learned({ api: 'job-endpoint' });
    expect((await call(executor)).result).toHaveLength(3);
    expect(lines()).toEqual(['POST /job/7']);
  });

  it('that fails is told why in JSON', async () => {
    const { executor } = await learned();
    const error = await failureOf(call(executor, { jobId: 8 }));
    expect([error.code, error.executed]).toEqual(['FUNCTION_ERROR', 'yes']);
    expect(error.remote).toEqual({ name: 'TypeError', message: 'no luck' });
    expect((await failureOf(call(executor, { jobId: 5 }))).code).toBe('NOT_FOUND');
  });

  it('is not sent where the platform offers everything but `binary`', async () => {
    const { executor, platform } = await learned({}, { features: ['idempotency', 'list'] });
    await call(executor);
    expect(platform.requests.at(-1)?.headers['content-type']).toBe('application/json');
  });
});

describe('a reply with raw bytes', () => {
  it.each([
    ['of another job', { 'x-faas-job-id': '8' }, 'PROTOCOL', 'maybe'],
    ['of no job at all', { 'x-faas-job-id': 'seven' }, 'PROTOCOL', 'maybe'],
  ])('%s is refused', async (_title, headers, code, executed) => {
    const made = await learned();
    made.platform.script([
      { respond: { status: 200, headers: { 'content-type': OCTETS, ...headers }, body: 'x' } },
    ]);
    const error = await failureOf(call(made.executor));
    expect([error.code, error.executed]).toEqual([code, executed]);
  });

  it('keeps only figures that can be true, and metadata that is a map', async () => {
    const made = await learned();
    const headers = {
      'content-type': OCTETS,
      'x-faas-job-id': '7',
      'x-faas-execution-ms': '-1',
      'x-faas-memory-used-mb': '40',
      'x-faas-cold-start': 'perhaps',
      'x-faas-metadata': 'e30gISEh',
    };
    made.platform.script([{ respond: { status: 200, headers, body: 'x' } }]);
    const { metrics, metadata } = await call(made.executor, { metadata: { a: '1' } });
    expect(metrics).toEqual({ totalMs: expect.any(Number), requestId: expect.any(String), memoryUsedMb: 40 });
    expect(metadata).toEqual({ a: '1' });
  });

  it('may be JSON all the same: the two encodings are independent', async () => {
    const made = await learned();
    made.platform.script([{ respond: { status: 200, body: { job_id: 7, result: [4], success: true } } }]);
    expect([...(await call(made.executor)).result]).toEqual([4]);
  });

  it('that is cut off in the middle ran', async () => {
    const made = await learned();
    made.platform.script([{ truncate: 2 }]);
    const error = await failureOf(call(made.executor));
    expect([error.code, error.executed]).toEqual(['PROTOCOL', 'yes']);
  });
});
