import { describe, expect, it, vi } from 'vitest';
import { bytesCodec } from '../../src/core/codec.js';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { lambdaHandler } from '../../src/executors/aws-lambda/entry.js';
import { LambdaExecutor } from '../../src/executors/aws-lambda/index.js';
import { KEYS, REGION } from '../fakes/aws-lambda.js';
import { artifact, bench, callOf, failureOf } from './setup.js';

const echo = defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input });
const slow = defineJob({
  id: 2,
  name: 'slow',
  codec: { input: bytesCodec, output: bytesCodec } as never,
  handler: async () => {
    await new Promise((resolve) => setTimeout(resolve, 3000));
    return new Uint8Array(0);
  },
});
const picky = defineJob({
  id: 3,
  name: 'picky',
  input: {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: () => ({ issues: [{ message: 'never good' }] }),
    },
  } as never,
  handler: () => 1,
});
const brief = defineJob({
  id: 4,
  name: 'brief',
  codec: 'bytes',
  handler: async (input: Uint8Array) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return input;
  },
});
const jobs = [echo, slow, picky, brief];

describe('a call', () => {
  it('is one signed POST to the function, with its facts in the event', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const call = callOf(1, { args: Uint8Array.of(0, 255), metadata: { tenant: 'ö' } });
    const before = it.fake.requests.length;
    const { result, metadata } = await it.executor.invoke(call, callContext());
    expect([...result]).toEqual([0, 255]);
    expect(metadata).toEqual({ tenant: 'ö' });
    const [request, ...more] = it.fake.requests.slice(before);
    expect(more).toEqual([]);
    expect(`${request?.method} ${request?.target}`).toBe(
      'POST /2015-03-31/functions/jobferry-job-1/invocations',
    );
    expect(request?.headers).toMatchObject({
      'x-amz-invocation-type': 'RequestResponse',
      'x-amz-log-type': 'Tail',
    });
    expect(JSON.parse(String(request?.body))).toEqual({
      job_id: 1,
      call_id: call.callId,
      attempt: 1,
      metadata: { tenant: 'ö' },
      args_base64: 'AP8=',
    });
  });

  it('brings the figures that the log holds: a cold start, then a warm one', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const first = await it.executor.invoke(callOf(1), callContext());
    const second = await it.executor.invoke(callOf(1), callContext());
    expect(first.metrics).toMatchObject({ coldStart: true, initMs: 187.33, memoryUsedMb: 71 });
    expect(second.metrics.coldStart).toBe(false);
    expect(second.metrics).not.toHaveProperty('initMs');
    expect(second.metrics.billedMs).toBeGreaterThanOrEqual(second.metrics.executionMs ?? Infinity);
    expect(second.metrics.requestId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has no figures when the log is not asked for', async () => {
    await using it = await bench({ jobs }, { logTail: false });
    await it.deploy(1);
    const { metrics } = await it.executor.invoke(callOf(1), callContext());
    expect(Object.keys(metrics).sort()).toEqual(['requestId', 'totalMs']);
  });

  it('reads figures from JSON logs, and hands the tail to whoever asks', async () => {
    const tails: string[] = [];
    await using it = await bench(
      { jobs },
      { onLogTail: ({ callId, text }) => tails.push(`${callId} ${text}`) },
    );
    await it.executor.deployJob(1, artifact, { aws: { logFormat: 'JSON' } });
    const call = callOf(1);
    const { metrics } = await it.executor.invoke(call, callContext());
    expect(metrics).toMatchObject({ coldStart: true, memoryUsedMb: 71 });
    expect(tails).toHaveLength(1);
    expect(tails[0]).toContain(`${call.callId} {"time"`);
  });

  it('goes to the qualifier', async () => {
    await using it = await bench({ jobs }, { alias: 'live' });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
    expect(it.fake.requests.at(-1)?.target).toBe(
      '/2015-03-31/functions/jobferry-job-1/invocations?Qualifier=live',
    );
  });

  it('that its function does not finish in time is TIMEOUT', async () => {
    await using it = await bench({ jobs });
    await it.deploy(2, { timeoutSecs: 1 });
    const error = await failureOf(it.executor.invoke(callOf(2), callContext()));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
    expect(error.remote?.message).toContain('Task timed out after 1.00 seconds');
  });

  it('that the schema refuses has not run, though Lambda calls it a function error', async () => {
    await using it = await bench({ jobs });
    await it.deploy(3);
    const error = await failureOf(it.executor.invoke(callOf(3, { args: Buffer.from('1') }), callContext()));
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });

  it('over 6 MB is refused before it is sent, with both numbers', async () => {
    await using it = await bench({ jobs }, { limits: { maxPayloadBytes: 10_000_000 } });
    const error = await failureOf(
      it.executor.invoke(callOf(1, { args: new Uint8Array(5_000_000) }), callContext()),
    );
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'no' });
    expect(error.message).toMatch(/66666\d\d bytes|6666\d+ bytes/);
    expect(error.message).toContain('6291456');
    expect(it.fake.requests).toEqual([]);
  });
});

describe('a clock that is minutes off', () => {
  /** The event that a call with 5 s left sends, and what our entry makes of it `aheadMs` later by its own clock. */
  async function answerAt(aheadMs: number, send: 'invoke' | 'invokeAsync') {
    await using it = await bench({ jobs });
    await it.deploy(4);
    await it.executor[send](callOf(4, { args: Uint8Array.of(7) }), callContext({ timeoutMs: 5000 }));
    const event: unknown = JSON.parse(it.fake.requests.at(-1)?.body.toString('utf8') ?? '');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + aheadMs });
    try {
      return await lambdaHandler(jobs)(event, { getRemainingTimeInMillis: () => 60_000 });
    } finally {
      vi.useRealTimers();
    }
  }

  it.each([600_000, -600_000])('takes no time from a call (the cloud is %i ms ahead)', async (aheadMs) => {
    expect(await answerAt(aheadMs, 'invoke')).toMatchObject({ success: true, result_base64: 'Bw==' });
  });

  it('an asynchronous call is late when its deadline has passed in the queue', async () => {
    await expect(answerAt(600_000, 'invokeAsync')).rejects.toMatchObject({ name: /TIMEOUT/ });
  });
});

describe('asynchronous calls and permissions', () => {
  it('an Event call is taken by AWS and runs there', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const call = callOf(1);
    const { requestId } = await it.executor.invokeAsync(call, callContext());
    expect(requestId).toBeTruthy();
    expect(it.fake.requests.at(-1)?.headers['x-amz-invocation-type']).toBe('Event');
    expect(it.fake.runs.executions.get(call.callId)).toBe(1);
  });

  it('an Event call over 1 MB is refused before it is sent', async () => {
    await using it = await bench({ jobs });
    const work = it.executor.invokeAsync(callOf(1, { args: new Uint8Array(1_000_000) }), callContext());
    expect(await failureOf(work)).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', executed: 'no' });
  });

  it('a dry run proves the permission and runs nothing', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.dryRun(1);
    expect(it.fake.runs.executions.size).toBe(0);
    expect((await failureOf(it.executor.dryRun(9))).code).toBe('NOT_FOUND');
  });
});

describe('when the network or AWS fails, a call', () => {
  it('is sent exactly once: a reset after it ran is UNAVAILABLE and maybe', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('Invoke', { reset: 'after' }, 5);
    const call = callOf(1);
    const error = await failureOf(it.executor.invoke(call, callContext()));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', executed: 'maybe' });
    expect(it.fake.runs.executions.get(call.callId)).toBe(1);
  });

  it('is sent once even when AWS answers 500 or 502', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.requests.length;
    it.fake.fault('Invoke', { status: 500, type: 'ServiceException' }, 5);
    await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(it.fake.requests.length - before).toBe(1);
  });

  it('ends with its deadline when nothing answers (origin-defects 0.13: hung server)', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('Invoke', { hang: true });
    const error = await failureOf(it.executor.invoke(callOf(1), callContext({ timeoutMs: 100 })));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'maybe' });
  });

  it('that met a throttle keeps its Reason and Retry-After', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { maxConcurrency: 1 });
    it.fake.functions.get('jobferry-job-1').inFlight = 1;
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'THROTTLED', executed: 'no', status: 429 });
    expect(error.message).toContain('ReservedFunctionConcurrentInvocationLimitExceeded');
  });

  it('gets a PROTOCOL error for an HTML page, and for a 200 that is no reply', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('Invoke', { status: 404, body: '<html>' });
    expect((await failureOf(it.executor.invoke(callOf(1), callContext()))).code).toBe('PROTOCOL');
    it.fake.fault('Invoke', { status: 200, body: '{"surprise":1}' });
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'PROTOCOL', executed: 'yes' });
  });

  it('to a function that is being created is a CONFLICT that may be sent again', async () => {
    await using it = await bench({ jobs, settleReads: 1000 });
    const controller = new AbortController();
    const deploying = it.executor.deployJob(1, artifact, {}, controller.signal).catch(() => {});
    while (it.fake.functions.find('jobferry-job-1') === undefined)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    controller.abort();
    await deploying;
  });
});

describe('a function that is none of ours', () => {
  it('may read and answer arrays of integers', async () => {
    const raw = {
      'jobferry-job-1': (event: unknown) => ({
        success: true,
        result: (event as { args: number[] }).args.toReversed(),
      }),
    };
    await using it = await bench({ raw }, { encoding: 'number-array' });
    await it.deploy(1);
    const { result } = await it.executor.invoke(callOf(1, { args: Uint8Array.of(1, 2, 255) }), callContext());
    expect([...result]).toEqual([255, 2, 1]);
  });

  it('origin-defects 0.16: `success: false` is a failure', async () => {
    const raw = { 'jobferry-job-1': () => ({ success: false, error: 'no ink', error_name: 'PrinterError' }) };
    await using it = await bench({ raw });
    await it.deploy(1);
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({
      code: 'FUNCTION_ERROR',
      executed: 'yes',
      remote: { name: 'PrinterError', message: 'no ink' },
    });
  });
});

describe('the constructor', () => {
  it('origin-defects 0.8: makes no request', () => {
    const executor = new LambdaExecutor({
      region: REGION,
      endpoint: 'http://127.0.0.1:1',
      credentials: KEYS,
    });
    expect(executor.provider).toBe('aws-lambda');
  });

  it.each([
    [{ region: 'Frankfurt!' }, 'region'],
    [{ region: REGION, endpoint: 'http://user:canary@host' }, 'endpoint'],
    [{ region: REGION, typo: 1 }, 'typo'],
    [{ region: REGION, credentials: { accessKeyId: 'canary' } }, 'credentials'],
    [{ region: REGION, pollMs: 0 }, 'pollMs'],
    [{ region: REGION, alias: 'a b' }, 'alias'],
  ])('names the option that is wrong: %#', async (options, name) => {
    const error = await failureOf((async () => new LambdaExecutor(options as never))());
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain(name);
    expect(error.message).not.toContain('canary');
  });
});
