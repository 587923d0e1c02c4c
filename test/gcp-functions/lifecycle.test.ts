import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { CloudFunctionExecutor } from '../../src/executors/gcp-functions/index.js';
import { PROJECT, REGION } from '../fakes/gcp-functions.js';
import { artifact, bench, callOf, failureOf, foreignArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

type Bench = Awaited<ReturnType<typeof bench>>;

describe('the rest of its life', () => {
  it('lists all pages, and only functions of ours', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const made = it.fake.functionNamed('jobferry-job-1') ?? {};
    for (let n = 0; n < 230; n += 1) {
      const name = `projects/${PROJECT}/locations/${REGION}/functions/other-${n}`;
      it.fake.functions.set(name, { ...made, name, labels: {} });
    }
    await it.deploy(2);
    expect((await it.executor.listDeployments()).map(({ jobId }) => jobId)).toEqual([1, 2]);
    expect(it.fake.operations.filter((one) => one === 'ListFunctions')).toHaveLength(3);
  });

  it('undeploys twice and waits for the end: origin-defects: the operation was not awaited', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    expect(it.fake.functions.size).toBe(0);
    await it.executor.undeployJob(1);
    expect(await it.executor.getDeployment(1)).toBeUndefined();
  });

  it('undeploys when a deploy that is under way has ended', async () => {
    await using it = await bench({ jobs, polls: 10 });
    const deploying = it.deploy(1);
    while (it.fake.functions.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await it.executor.undeployJob(1);
    expect(it.fake.functions.size).toBe(0);
    await deploying.catch(() => undefined);
  });

  it('tells states apart: origin-defects: health ignored the state', async () => {
    await using it = await bench({ jobs });
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'missing' });
    await it.deploy(1);
    const fn = it.fake.functionNamed('jobferry-job-1') ?? {};
    for (const state of ['DEPLOYING', 'FAILED', 'UNKNOWN']) {
      fn['state'] = state;
      expect(await it.executor.healthCheck(1)).toEqual({ status: 'unhealthy', reason: `state ${state}` });
    }
    it.fake.fault('GetFunction', { code: 7, message: 'no' });
    expect(await failureOf(it.executor.healthCheck(1))).toMatchObject({ code: 'AUTH' });
  });

  it('warms without a run of the job; whole ids, not eight bits: origin-defects', async () => {
    await using it = await bench({ jobs });
    await it.deploy(300);
    expect(await it.executor.warm(300, 3)).toBe(3);
    expect(it.fake.http.executions.size).toBe(0);
    expect(await failureOf(it.executor.warm(44))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is not warm when its package cannot be loaded', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.http.loadError = new Error('Cannot find module left-pad');
    const error = await failureOf(it.executor.warm(1, 2));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('Cannot find module left-pad');
  });

  it('does not ping a package without the entry: a ping would run it', async () => {
    await using it = await bench({ jobs });
    await it.executor.deployJob(1, foreignArtifact);
    const error = await failureOf(it.executor.warm(1));
    expect(error).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    await it.executor.deployJob(1, foreignArtifact, { keepWarm: 2 });
    expect(await it.executor.warm(1, 2)).toBe(2);
    expect(it.fake.operations).not.toContain('POST run');
  });

  it('has logs, oldest first, with a tail', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const calls = [callOf(1), callOf(1), callOf(1)];
    for (const call of calls) await it.executor.invoke(call, callContext());
    const read = async (options = {}) => {
      const lines: string[] = [];
      for await (const { message, stream } of it.executor.logs(1, options))
        lines.push(`${stream} ${message}`);
      return lines;
    };
    expect(await read()).toEqual(calls.map(({ callId }) => `stdout ran ${callId}`));
    expect(await read({ tail: 2 })).toEqual(calls.slice(1).map(({ callId }) => `stdout ran ${callId}`));
  });

  it('gets a fresh access token when the one it has is refused, on both APIs', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.http.accessToken = 'ya29.another-token-0123456789';
    const before = it.fake.operations.length;
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    expect(it.fake.operations.slice(before)).toEqual(['GetFunction', 'metadata token', 'GetFunction']);
    it.fake.http.accessToken = 'ya29.a-third-token-0123456789';
    for await (const _ of it.executor.logs(1));
    expect(it.fake.operations.slice(-3)).toEqual(['POST entries', 'metadata token', 'POST entries']);
  });

  it('waits for credentials no longer than it may, on both APIs', async () => {
    await using it = await bench({ jobs }, { deployTimeoutMs: 500 });
    it.fake.fault('metadata token', { hang: true }, 9);
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    const signal = AbortSignal.timeout(100);
    expect(await failureOf(it.executor.deployJob(1, artifact, {}, signal))).toMatchObject({
      code: 'CANCELLED',
      executed: 'no',
    });
    const startedMs = performance.now();
    for await (const _ of it.executor.logs(1, { signal: AbortSignal.timeout(100) }));
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(it.fake.functions.size).toBe(0);
  });

  it('says what to check when fresh credentials are refused too', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('GetFunction', { code: 16, message: 'invalid credentials' }, 2);
    const error = await failureOf(it.executor.healthCheck(1));
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(error.message).toContain('refused the credentials');
    expect(it.fake.faults).toEqual([]);
  });
});

describe('warming', () => {
  it('a ping that is throttled leaves the others warm; none is an error', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST run', { status: 429, body: '' });
    expect(await it.executor.warm(1, 3)).toBe(2);
    it.fake.fault('POST run', { status: 429, body: '' }, 3);
    expect(await failureOf(it.executor.warm(1, 3))).toMatchObject({ code: 'THROTTLED' });
  });

  it.each([0, -1, 1.5, Number.NaN])('%s instances are refused', async (instances) => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.warm(1, instances));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('Use a whole number of 1 or more');
    expect(it.fake.operations).toEqual([]);
  });
});

describe('logs', () => {
  const numbered = (it: Bench, numbers: readonly number[]) => {
    for (const n of numbers) {
      const time = new Date(Date.now() - 60_000 + n).toISOString();
      it.fake.http.logs.push({
        insertId: `numbered-${n}`,
        timestamp: time,
        textPayload: String(n),
        logName: 'projects/test-project/logs/run.googleapis.com%2Fstdout',
        labels: { service: 'jobferry-job-1' },
      });
    }
  };

  it.each([
    [2, ['6', '7', '8', '9']],
    [0, ['8', '9']],
    [undefined, ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']],
  ])('followed with a tail of %s give what was asked for, and then what comes', async (tail, wanted) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    numbered(it, [0, 1, 2, 3, 4, 5, 6, 7]);
    const stop = new AbortController();
    const lines: string[] = [];
    const reading = (async () => {
      const following = { follow: true, signal: stop.signal, ...(tail !== undefined && { tail }) };
      for await (const { message } of it.executor.logs(1, following)) {
        lines.push(message);
        if (message === '9') stop.abort();
      }
    })();
    while (it.fake.operations.filter((one) => one === 'POST entries').length < 3)
      await new Promise((resolve) => setTimeout(resolve, 5));
    numbered(it, [8, 9]);
    await reading;
    expect(lines).toEqual(wanted);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });

  it('are not asked for with a tail of nothing', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    numbered(it, [0, 1]);
    for await (const line of it.executor.logs(1, { tail: 0 })) expect(line).toBeUndefined();
  });

  it('of more than a page are all there', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const all = Array.from({ length: 2345 }, (_, n) => n);
    numbered(it, all);
    const read = async (options = {}) => {
      const lines: number[] = [];
      for await (const { message } of it.executor.logs(1, options)) lines.push(Number(message));
      return lines;
    };
    expect(await read()).toEqual(all);
    expect(await read({ tail: 1500 })).toEqual(all.slice(-1500));
  });
});

describe('options', () => {
  it.each([
    [{ region: REGION }, 'needs `project`'],
    [{ project: PROJECT }, 'needs `region`'],
    [{ project: PROJECT, region: REGION, colour: 1 }, 'has no option `colour`'],
    [{ project: PROJECT, region: REGION, endpoint: 'http://localhost:1' }, '`endpoint` must be https'],
    [{ project: PROJECT, region: REGION, gcp: { colour: 1 } }, 'has no option `gcp.colour`'],
    [{ project: PROJECT, region: REGION, pollMs: 0 }, '`pollMs` must be an integer of 1 or more'],
  ])('%j is refused', (options, text) => {
    const { GOOGLE_CLOUD_PROJECT, GCLOUD_PROJECT } = process.env;
    delete process.env['GOOGLE_CLOUD_PROJECT'];
    delete process.env['GCLOUD_PROJECT'];
    expect(() => new CloudFunctionExecutor(options as never)).toThrow(text);
    if (GOOGLE_CLOUD_PROJECT !== undefined) process.env['GOOGLE_CLOUD_PROJECT'] = GOOGLE_CLOUD_PROJECT;
    if (GCLOUD_PROJECT !== undefined) process.env['GCLOUD_PROJECT'] = GCLOUD_PROJECT;
  });

  it('a name Google does not take is refused', async () => {
    await using it = await bench({}, { functionName: () => 'Bad_Name' });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'CONFIG' });
  });
});
