/** Deploys that broke off: what the next one makes of them, of the same code or of the code before. */
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { artifact, bench, callOf, executorFor, failureOf, otherArtifact, STEPS } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('a program that dies in the middle of a deploy', () => {
  it.each(STEPS)('at %s leaves what the next deploy finishes', async (step) => {
    await using it = await bench({ jobs });
    const dying = new AbortController();
    it.fake.fault(step, { reset: 'after', run: () => dying.abort() });
    const error = await failureOf(it.executor.deployJob(1, artifact, {}, dying.signal));
    expect(error).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    await using next = executorFor(it.fake);
    await next.deployJob(1, artifact);
    expect([it.fake.arm.sites.size, it.fake.arm.plans.size, it.fake.arm.storage.size]).toEqual([1, 1, 1]);
    await next.invoke(callOf(1), callContext());
    const before = it.fake.writes().length;
    await next.deployJob(1, artifact);
    expect(it.fake.writes()).toHaveLength(before);
  });

  it('between the code and its tag publishes the code again: a tag never speaks of code that is not there', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('PATCH tags', { status: 403 });
    await failureOf(it.executor.deployJob(1, otherArtifact));
    expect(it.site(1).resource.tags['jobferry-code-sha256']).toBe(artifact.sha256);
    expect(await it.executor.getDeployment(1)).toMatchObject({ sha256: artifact.sha256 });
    it.fake.fault('PATCH tags', {});
    it.fake.fault('PATCH tags', { status: 403 });
    await failureOf(it.executor.deployJob(1, otherArtifact));
    expect((await it.executor.getDeployment(1))?.sha256).toBeUndefined();
    await it.executor.deployJob(1, otherArtifact);
    expect(it.fake.writes().filter((one) => one === 'POST publish')).toHaveLength(3);
  });
});

describe('going back to what was there before a deploy that failed', () => {
  it('publishes it again, wherever that deploy ended', async () => {
    await using probe = await bench({ jobs });
    await probe.deploy(1);
    const before = probe.fake.operations.length;
    await probe.executor.deployJob(1, otherArtifact);
    const steps = probe.fake.operations.slice(before);
    expect(steps.filter((one) => one === 'PATCH tags')).toHaveLength(2);
    for (const [n, step] of steps.entries()) {
      await using it = await bench({ jobs });
      await it.deploy(1);
      const dying = new AbortController();
      it.fake.fault(step, {}, steps.slice(0, n).filter((one) => one === step).length);
      it.fake.fault(step, { reset: 'after', run: () => dying.abort() });
      await failureOf(it.executor.deployJob(1, otherArtifact, {}, dying.signal));
      await using next = executorFor(it.fake);
      expect(await next.deployJob(1, artifact)).toMatchObject({ sha256: artifact.sha256 });
      expect(it.site(1).zip?.equals(artifact.bytes), `after ${step} (${n})`).toBe(true);
      expect(it.site(1).resource.tags['jobferry-code-sha256']).toBe(artifact.sha256);
    }
  });

  it('is no silent no-op after code that never got ready', async () => {
    await using it = await bench({ jobs }, { readyTimeoutMs: 200 });
    await it.deploy(1);
    it.fake.fault('POST call', { status: 503, body: 'Function host is not running.' }, 10_000);
    expect(await failureOf(it.executor.deployJob(1, otherArtifact))).toMatchObject({ code: 'UNAVAILABLE' });
    it.fake.faults.length = 0;
    await it.deploy(1);
    expect(it.site(1).zip?.equals(artifact.bytes)).toBe(true);
  });
});

it('an instance of the code before, which cannot be loaded, does not end the deploy of code that can', async () => {
  await using it = await bench({ jobs });
  const headers = { 'x-faas-entry': '1', 'x-faas-instance': 'old' };
  const body = JSON.stringify({ error: 'The package cannot be loaded', code: 'CONFIG', executed: 'no' });
  it.fake.fault('POST call', { status: 500, headers, body }, 2);
  expect(await it.deploy(1)).toMatchObject({ sha256: artifact.sha256 });
});
