/** warm and keepWarm: a ping reaches only code that knows it, and what is warm can work at once. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { openWhiskMain } from '../../src/executors/digitalocean/entry.js';
import { artifact, bench, callOf, failureOf, foreignArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('code without our entry', () => {
  it('is never pinged each minute: `keepWarm` is refused before anything is made', async () => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, foreignArtifact, { keepWarm: 1 }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    expect(error.message).toContain('`keepWarm`');
    expect(it.fake.operations).toEqual([]);
  });

  it('is never called by `warm`, nor by a look at its health', async () => {
    await using it = await bench({ jobs });
    await it.executor.deployJob(1, foreignArtifact);
    expect(await failureOf(it.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    expect(it.fake.operations).not.toContain('POST action');
  });

  it('is what another `main` of a package of ours is, too', async () => {
    await using it = await bench({ jobs }, { digitalocean: { main: 'other' } });
    expect(await failureOf(it.deploy(1, { keepWarm: 1 }))).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('loses the ping of the code that was there before it arrives', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { keepWarm: 1 });
    const before = it.fake.writes().length;
    await it.executor.deployJob(1, foreignArtifact);
    expect(it.fake.writes().slice(before)).toEqual(['DELETE trigger', 'PUT action']);
    expect(await failureOf(it.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED' });
    await it.executor.deployJob(1, artifact);
    expect(await it.executor.warm(1)).toBe(1);
  });

  it('is not promised a ping by a client that cannot make its trigger', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const [namespace] = [...it.fake.namespaces.values()];
    const accessKey = `${namespace?.['uuid']}:${namespace?.['key']}`;
    await using other = await bench({ jobs }, { apiHost: it.fake.url, accessKey });
    const error = await failureOf(other.executor.deployJob(1, artifact, { keepWarm: 1 }));
    expect(error.message).toContain('without `apiHost`');
  });
});

describe('warm', () => {
  it('resolves to how many are warm when some pings are refused', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST action', { status: 429 }, 2);
    expect(await it.executor.warm(1, 5)).toBe(3);
  });

  it('says why when none is', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST action', { status: 429 }, 2);
    expect(await failureOf(it.executor.warm(1, 2))).toMatchObject({ code: 'THROTTLED' });
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuses %d instances', async (instances) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.operations.length;
    expect(await failureOf(it.executor.warm(1, instances))).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(it.fake.operations).toHaveLength(before);
  });
});

describe('the entry', () => {
  it('has loaded the job when it answers a ping, so that the first call does not', async () => {
    let loaded = 0;
    const main = openWhiskMain(async () => {
      loaded += 1;
      return async () => ({ result: new Uint8Array(0), metadata: {} });
    });
    expect(await main({ jobferry_warm: true, hold_ms: 0 })).toMatchObject({ jobferry_warm: true });
    expect(loaded).toBe(1);
    await main({ job_id: 1, args_base64: '' });
    expect(loaded).toBe(1);
  });

  it('takes the time of loading from the call’s own', async () => {
    let deadline = 0;
    const main = openWhiskMain(async () => {
      await delay(80);
      return async (call) => {
        deadline = call.deadline;
        return { result: new Uint8Array(0), metadata: {} };
      };
    });
    const startedMs = Date.now();
    await main({ job_id: 1, args_base64: '', timeout_ms: 100 });
    expect(deadline - startedMs).toBeLessThan(150);
  });

  it('that cannot load says so to a ping', async () => {
    const main = openWhiskMain(async () => {
      throw new TypeError('no database url');
    });
    expect(await main({ jobferry_warm: true, hold_ms: 0 })).toMatchObject({
      error: { code: 'CONFIG', executed: 'no' },
    });
  });

  it('still runs calls after pings', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.warm(1, 2);
    const { result } = await it.executor.invoke(callOf(1, { args: Uint8Array.of(7) }), callContext());
    expect([...result]).toEqual([7]);
  });
});
