import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { gate } from '../support/invoker.js';
import { artifact, bench, callOf, executorFor, failureOf, foreignArtifact } from './setup.js';

const jobs = [1, 2].map((id) =>
  defineJob({ id, name: `echo-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

describe('health', () => {
  it('is Azure’s state of the app and an answer of its entry', async () => {
    await using it = await bench({ jobs });
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'missing' });
    await it.deploy(1);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    it.fake.fault('POST call', { status: 503, body: 'Function host is not running.' });
    expect(await it.executor.healthCheck(1)).toMatchObject({
      status: 'unhealthy',
      reason: expect.stringContaining('Function host is not running'),
    });
    const { properties } = it.site(1).resource;
    properties['availabilityState'] = 'Limited';
    expect(await it.executor.healthCheck(1)).toMatchObject({
      status: 'unhealthy',
      reason: expect.stringContaining('Limited'),
    });
    properties['state'] = 'Stopped';
    expect(await it.executor.healthCheck(1)).toMatchObject({
      status: 'unhealthy',
      reason: expect.stringContaining('Stopped'),
    });
    expect(it.fake.executions.size).toBe(0);
  });

  it.each([401, 403, 500, 503])('whose key Azure does not tell (%i) is an error as well', async (status) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST keys', { status }, 8);
    expect((await failureOf(it.executor.healthCheck(1))).status).toBe(status);
    it.fake.faults.length = 0;
    it.fake.fault('POST keys', { status: 404 });
    expect(await it.executor.healthCheck(1)).toMatchObject({ status: 'unhealthy' });
    it.fake.fault('POST call', { status: 401, body: '' });
    expect(await it.executor.healthCheck(1)).toMatchObject({ status: 'unhealthy' });
  });

  it('of a package that cannot be loaded is not good, nor is it warm or ready', async () => {
    await using it = await bench({ jobs });
    it.fake.loadError = new Error('Cannot find module left-pad');
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toMatch(/failed at ready.*Cannot find module left-pad/);
    expect(await it.executor.healthCheck(1)).toMatchObject({
      status: 'unhealthy',
      reason: expect.stringContaining('Cannot find module left-pad'),
    });
    expect(await failureOf(it.executor.warm(1, 2))).toMatchObject({ code: 'CONFIG', executed: 'no' });
  });

  it.each([401, 403, 500])('that Azure does not tell (%i) is an error, not "missing"', async (status) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('GET site', { status }, 8);
    expect((await failureOf(it.executor.healthCheck(1))).status).toBe(status);
  });
});

it('warming counts the instances that answered, and runs no job: origin-defects 0.10', async () => {
  await using it = await bench({ jobs });
  await it.deploy(1);
  expect(await it.executor.warm(1, 3)).toBe(3);
  expect(it.fake.executions.size).toBe(0);
});

describe('warming', () => {
  it('a ping that is throttled leaves the others warm; none is an error', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST call', { status: 429, body: '' });
    expect(await it.executor.warm(1, 3)).toBe(2);
    it.fake.fault('POST call', { status: 429, body: '' }, 3);
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

describe('a package without the entry', () => {
  it('is never pinged: a ping would run it', async () => {
    await using it = await bench({ jobs });
    await it.executor.deployJob(1, foreignArtifact);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    expect(await failureOf(it.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    // Always-ready instances need no pings: Azure itself keeps them.
    await it.executor.deployJob(1, foreignArtifact, { keepWarm: 1 });
    expect(it.fake.operations).not.toContain('POST call');
  });

  it('is told from one with it after each deploy, and while one replaces the other', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST publish', { status: 403 });
    await failureOf(it.executor.deployJob(1, foreignArtifact));
    expect(await failureOf(it.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED' });
    await it.deploy(1);
    expect(await it.executor.warm(1)).toBe(1);
  });

  it('was deployed before there was such a tag: the next deploy sets it, and nothing else', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    delete it.site(1).resource.tags['jobferry-entry'];
    const before = it.fake.writes().length;
    await it.deploy(1);
    expect(it.fake.writes().slice(before)).toEqual(['PATCH tags']);
    expect(await it.executor.warm(1)).toBe(1);
  });
});

it('a cold start is what the entry says, not what took long', async () => {
  const { opened, open } = gate();
  const { opened: began, open: begin } = gate();
  const waiting = defineJob({
    id: 1,
    name: 'waiting',
    codec: 'bytes',
    handler: async (input: Uint8Array) => {
      if (input.length > 0) return input;
      begin();
      await opened;
      return input;
    },
  });
  await using it = await bench({ jobs: [waiting] });
  await it.deploy(1);
  const taken = it.executor.invoke(callOf(1), callContext());
  await began;
  // The one instance there is works: this call needs another.
  const fresh = await it.executor.invoke(callOf(1, { args: Uint8Array.of(1) }), callContext());
  open();
  expect([(await taken).metrics.coldStart, fresh.metrics.coldStart]).toEqual([false, true]);
});

describe('what is described', () => {
  it('is what Azure says, not what was asked for: origin-defects: memory and time were constants', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { timeoutSecs: 60 });
    const site = it.fake.arm.sites.get(it.site(1).name);
    if (site === undefined) throw new Error('no site');
    site.settings['AzureFunctionsJobHost__functionTimeout'] = '00:02:30';
    site.resource.properties['functionAppConfig'] = { scaleAndConcurrency: { instanceMemoryMB: 4096 } };
    const found = await it.executor.getDeployment(1);
    expect(found).toMatchObject({ memoryMb: 4096, timeoutSecs: 150 });
    expect(found?.maxConcurrency).toBeUndefined();
    expect(found?.coldStartMs).toBeUndefined();
  });

  it('lists apps of ours alone, in the order of their jobs', async () => {
    await using it = await bench({ jobs });
    await it.deploy(2);
    await it.deploy(1);
    const theirs = structuredClone(it.site(1).resource);
    const at = it.fake.arm.sites.get(it.site(1).name);
    if (at !== undefined) {
      it.fake.arm.sites.set('foreign', { ...at, resource: { ...theirs, name: 'foreign', tags: {} } });
      const other = { ...theirs, name: 'other-prefix-job-1' };
      it.fake.arm.sites.set('other-prefix-job-1', { ...at, resource: other });
    }
    const list = await it.executor.listDeployments();
    expect(list.map(({ jobId, memoryMb, timeoutSecs }) => [jobId, memoryMb, timeoutSecs])).toEqual([
      [1, 512, undefined],
      [2, 512, undefined],
    ]);
  });
});

it('two deploys of one job at once end with one app', async () => {
  await using it = await bench({ jobs });
  await using other = executorFor(it.fake);
  await Promise.all([it.deploy(1), other.deployJob(1, artifact)]);
  expect([it.fake.arm.sites.size, it.fake.arm.plans.size]).toEqual([1, 1]);
});
