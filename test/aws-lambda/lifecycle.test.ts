import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { artifact, bench, callOf, executorFor, failureOf } from './setup.js';

const ids = [1, 2, 255, 256, 300];
const jobs = ids.map((id) =>
  defineJob({ id, name: `job-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

describe('the list of deployments', () => {
  it('holds all pages, and nothing of others', async () => {
    await using it = await bench({ jobs, settleReads: 0 });
    const many = Array.from({ length: 120 }, (_, index) => index + 1000);
    for (const jobId of many) await it.deploy(jobId);
    const other = executorFor(it.fake, { functionName: (jobId) => `other-${jobId}` });
    await other.deployJob(1, artifact);
    const listed = await it.executor.listDeployments();
    expect(listed.map(({ jobId }) => jobId).sort((a, b) => a - b)).toEqual(many);
    expect((await other.listDeployments()).map(({ functionName }) => functionName)).toEqual(['other-1']);
    expect(it.fake.operations().filter((name) => name === 'ListFunctions').length).toBeGreaterThanOrEqual(6);
    await other.close();
  });
});

describe('health', () => {
  it('of a function that is being created is unhealthy, with its state', async () => {
    await using it = await bench({ jobs, settleReads: 1e9 }, { deployTimeoutMs: 100 });
    await failureOf(it.deploy(1));
    expect(await it.executor.healthCheck(1)).toEqual({
      status: 'unhealthy',
      reason: 'State Pending; Creating: The function is being created',
    });
  });

  it('origin-defects 1.2: a missing function is an answer, a denial is an error', async () => {
    await using it = await bench({ jobs });
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'missing' });
    it.fake.fault('GetFunctionConfiguration', {
      status: 403,
      type: 'AccessDeniedException',
      message: 'no lambda:GetFunctionConfiguration',
    });
    expect(await failureOf(it.executor.healthCheck(1))).toMatchObject({ code: 'AUTH' });
  });
});

describe('warming', () => {
  it.each([255, 256, 300])(
    'origin-defects 0.10: starts instances of job %i and runs it not once',
    async (jobId) => {
      await using it = await bench({ jobs });
      await it.deploy(jobId);
      expect(await it.executor.warm(jobId, 3)).toBe(3);
      expect(it.fake.functions.get(`jobferry-job-${jobId}`).instances).toBe(3);
      expect(it.fake.runs.executions.size).toBe(0);
      const { metrics } = await it.executor.invoke(callOf(jobId), callContext());
      expect(metrics.coldStart).toBe(false);
    },
  );

  it('refuses a function whose code does not know pings, since they would run it', async () => {
    const bare = await packageFiles([{ path: 'bootstrap', bytes: '#!/bin/sh\n', mode: 0o755 }]);
    await using it = await bench({ raw: { 'jobferry-job-1': () => null } });
    await it.executor.deployJob(1, bare);
    expect(it.fake.functions.get('jobferry-job-1').configuration['Runtime']).toBe('provided.al2023');
    expect(await failureOf(it.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    expect(it.fake.operations()).not.toContain('Invoke');
  });

  const throttle = { status: 429, type: 'TooManyRequestsException' };

  it('counts what is warm when some pings are throttled', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('Invoke', throttle, 2);
    expect(await it.executor.warm(1, 5)).toBe(3);
  });

  it('says why when none is warm', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('Invoke', throttle, 2);
    expect(await failureOf(it.executor.warm(1, 2))).toMatchObject({ code: 'THROTTLED', executed: 'no' });
    it.fake.fault('Invoke', { hang: true }, 1);
    const cancelled = failureOf(it.executor.warm(1, 2, AbortSignal.timeout(100)));
    expect(await cancelled).toMatchObject({ code: 'CANCELLED', executed: 'no' });
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])(
    'refuses %d instances before anything is asked',
    async (count) => {
      await using it = await bench({ jobs });
      const error = await failureOf(it.executor.warm(1, count));
      expect(error).toMatchObject({ code: 'CONFIG', executed: 'no', functionName: 'jobferry-job-1' });
      expect(error.message).toContain('`instances`');
      expect(it.fake.requests).toEqual([]);
    },
  );
});

describe('undeploy', () => {
  it('origin-defects 0.15: twice is fine, and nothing of ours remains listed', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    expect(await it.executor.listDeployments()).toEqual([]);
  });

  it('waits for a change in progress', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault(
      'DeleteFunction',
      { status: 409, type: 'ResourceConflictException', message: 'An update is in progress' },
      2,
    );
    await it.executor.undeployJob(1);
    expect(await it.executor.getDeployment(1)).toBeUndefined();
  });

  it('that is denied is an error', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('DeleteFunction', { status: 403, type: 'AccessDeniedException' });
    expect(await failureOf(it.executor.undeployJob(1))).toMatchObject({ code: 'AUTH' });
  });
});
