import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { gate } from '../support/invoker.js';
import { artifact, bench, callOf, executorFor, failureOf, foreignArtifact } from './setup.js';

const jobs = [1, 2].map((id) =>
  defineJob({ id, name: `echo-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

type Bench = Awaited<ReturnType<typeof bench>>;

describe('undeploy', () => {
  it('removes app, plan and packages, twice is fine, and leaves what is shared: origin-defects 0.15', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.deploy(2);
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    expect([it.fake.arm.sites.size, it.fake.arm.plans.size]).toEqual([1, 1]);
    const [account] = [...it.fake.arm.storage.values()];
    expect([...(account?.containers ?? [])]).toEqual(['job-2']);
    expect(it.fake.urls().filter((url) => url.startsWith('DELETE') && url.includes('/sites/'))).toEqual([
      expect.stringMatching(
        /deleteMetrics=true.*deleteEmptyServerFarm=true|deleteEmptyServerFarm=true.*deleteMetrics=true/,
      ),
    ]);
    expect(await it.executor.getDeployment(1)).toBeUndefined();
    expect((await it.executor.listDeployments()).map(({ jobId }) => jobId)).toEqual([2]);
  });

  it('looks at the status: origin-defects: a delete that was refused looked done', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('DELETE site', { status: 403 });
    expect(await failureOf(it.executor.undeployJob(1))).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(it.fake.arm.sites.size).toBe(1);
  });

  it('of something in a group that is not there is fine', async () => {
    await using it = await bench({ jobs });
    await it.executor.undeployJob(1);
    expect(await it.executor.listDeployments()).toEqual([]);
    expect(it.fake.writes()).toEqual(['DELETE container']);
  });
});

describe('a plan that is paid for', () => {
  const azure = { plan: { kind: 'premium', sku: 'EP1' } } as const;

  it('goes with undeploy when the deploy failed at the app: Azure removed it with an app alone', async () => {
    await using it = await bench({ jobs }, { azure });
    it.fake.fault('PUT site', { status: 403 });
    await failureOf(it.deploy(1));
    expect([...it.fake.arm.plans.keys()]).toEqual(['jobferry-ep1']);
    await it.executor.undeployJob(1);
    expect(it.fake.arm.plans.size).toBe(0);
  });

  it('goes with what is shared, and is named', async () => {
    await using it = await bench({ jobs }, { azure });
    it.fake.fault('PUT site', { status: 403 });
    await failureOf(it.deploy(1));
    expect(await it.executor.removeShared()).toEqual(['jobferry-ep1', expect.any(String), 'jobferry']);
    expect(it.fake.arm.plans.size).toBe(0);
  });

  it('stays while another app stands on it, or when it is someone else’s', async () => {
    await using it = await bench({ jobs }, { azure });
    await it.deploy(1);
    await it.deploy(2);
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    expect(it.fake.arm.plans.size).toBe(1);
    await it.executor.undeployJob(2);
    expect(it.fake.arm.plans.size).toBe(0);
    it.fake.arm.plans.set('jobferry-ep1', { name: 'jobferry-ep1', tags: { owner: 'ops' } });
    await it.executor.undeployJob(2);
    await it.executor.removeShared();
    expect([it.fake.arm.plans.size, it.fake.arm.groups.size]).toEqual([1, 1]);
  });
});

describe('what jobs share', () => {
  it('goes when it was made here and no app is left: origin-defects: nothing was ever cleaned', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    expect(await failureOf(it.executor.removeShared())).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    await it.executor.undeployJob(1);
    expect(await it.executor.removeShared()).toEqual([
      expect.stringMatching(/^jobferry[0-9a-f]{16}$/),
      'jobferry',
    ]);
    expect([it.fake.arm.storage.size, it.fake.arm.groups.size]).toEqual([0, 0]);
    expect(await it.executor.removeShared()).toEqual([]);
  });

  it.each([1, 2, 3])('stays while an app is listed on a later page (%i a page)', async (perPage) => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.arm.resourcesPerPage = perPage;
    it.fake.fault('GET sites', { status: 200, body: '{"value":[]}' });
    expect(await failureOf(it.executor.removeShared())).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(it.fake.writes().filter((one) => one.startsWith('DELETE'))).toEqual([]);
  });

  it('stays while App Service has an app that the list of the group does not show yet', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    for (const name of [...it.fake.arm.sites.keys(), ...it.fake.arm.plans.keys()])
      it.fake.arm.lateResources.add(name);
    expect(await failureOf(it.executor.removeShared())).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(it.fake.arm.storage.size).toBe(1);
  });

  it('leaves the group when the last page has something of someone else', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    it.fake.arm.resourcesPerPage = 1;
    // Of the name of the account, and no account.
    const [name = ''] = it.fake.arm.storage.keys();
    it.fake.arm.otherResources.push({ name, type: 'Microsoft.Sql/servers' });
    expect(await it.executor.removeShared()).toEqual([expect.stringMatching(/^jobferry[0-9a-f]{16}$/)]);
    expect(it.fake.arm.groups.size).toBe(1);
  });

  it('sends no token to another host for the next page', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const body = JSON.stringify({ value: [], nextLink: 'https://elsewhere.example/resources' });
    it.fake.fault('GET resources', { status: 200, body });
    expect(await failureOf(it.executor.removeShared())).toMatchObject({ code: 'PROTOCOL', executed: 'no' });
  });

  it('of someone else is never touched', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    const group = it.fake.arm.groups.get('jobferry') ?? {};
    const [[name, account] = ['', {}]] = [...it.fake.arm.storage];
    Object.assign(group, { tags: { owner: 'ops' } });
    Object.assign(account, { tags: { owner: 'ops' } });
    expect(await it.executor.removeShared()).toEqual([]);
    // The group is ours, and holds an account that is not.
    Object.assign(group, { tags: { 'created-by': 'jobferry' } });
    expect(await it.executor.removeShared()).toEqual([]);
    expect([it.fake.arm.storage.has(name), it.fake.arm.groups.size]).toEqual([true, 1]);
  });
});

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
    expect(error.message).toContain('`instances` must be an integer of 1 or more');
    expect(it.fake.operations).toEqual([]);
  });
});

describe('a package without the entry', () => {
  it('is never pinged: a ping would run it', async () => {
    await using it = await bench({ jobs });
    await it.executor.deployJob(1, foreignArtifact);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    expect(await failureOf(it.executor.warm(1))).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    const error = await failureOf(it.executor.deployJob(1, foreignArtifact, { keepWarm: 1 }));
    expect(error).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    expect(error.message).toContain('`keepWarm`');
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

describe('logs', () => {
  it('come out of Application Insights, oldest first, cut to the newest', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const calls = [callOf(1), callOf(1), callOf(1)];
    for (const call of calls) await it.executor.invoke(call, callContext());
    const lines: string[] = [];
    for await (const { message } of it.executor.logs(1, { tail: 2 })) lines.push(message);
    expect(lines).toEqual(calls.slice(1).map(({ callId }) => `ran ${callId}`));
    const [query] = it.fake.exchanges.filter(({ operation }) => operation === 'POST query');
    expect(query?.body.toString()).toContain(`cloud_RoleName =~ '${it.site(1).name}'`);
    expect(it.site(1).settings['APPLICATIONINSIGHTS_CONNECTION_STRING']).toBeDefined();
    expect(it.fake.tokenRequests).toContain('https://api.applicationinsights.io/.default');
    const one: string[] = [];
    const { callId = '' } = calls[0] ?? {};
    for await (const { message } of it.executor.logs(1, { callId })) one.push(message);
    expect(one).toEqual([`ran ${callId}`]);
  });

  const numbered = (it: Bench, numbers: readonly number[]) => {
    for (const n of numbers) {
      const time = new Date(Date.now() - 60_000 + n).toISOString();
      it.fake.logLines.push({ app: '', time, message: String(n) });
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
    while (it.fake.operations.filter((one) => one === 'POST query').length < 3)
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

  it('without a place to log to are UNSUPPORTED, with the option’s name', async () => {
    await using it = await bench({ jobs });
    const bare = executorFor(it.fake, { applicationInsights: 'InstrumentationKey=1' });
    const reading = (async () => {
      for await (const _ of bare.logs(1));
    })();
    const error = await failureOf(reading);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', executed: 'no' });
    expect(error.message).toContain('`applicationInsights`');
  });
});

it('two deploys of one job at once end with one app', async () => {
  await using it = await bench({ jobs });
  await using other = executorFor(it.fake);
  await Promise.all([it.deploy(1), other.deployJob(1, artifact)]);
  expect([it.fake.arm.sites.size, it.fake.arm.plans.size]).toEqual([1, 1]);
});
