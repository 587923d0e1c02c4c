/** What goes when a job goes, and what stays: apps, plans, what jobs share. */
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { bench, failureOf } from './setup.js';

const jobs = [1, 2].map((id) =>
  defineJob({ id, name: `echo-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

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
