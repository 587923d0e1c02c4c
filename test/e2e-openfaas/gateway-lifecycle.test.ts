import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { callOf, failureOf, gatewayBench } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';

describe('the rest of a function’s life on a gateway', () => {
  it('undeploys twice: origin-defects 0.15: undeploy twice is fine', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    expect(await it.executor.listDeployments()).toEqual([]);
    it.fake.fault('DELETE functions', { status: 500, body: 'no' }, 9);
    expect(await failureOf(it.executor.undeployJob(1))).toMatchObject({
      code: 'UNAVAILABLE',
      executed: 'no',
    });
  });

  it('lists only functions of its own, and reads `null` as no list', async () => {
    await using it = await gatewayBench({ jobs });
    const foreign = { spec: { service: 'other', image: 'x' }, createdAt: '', replicas: 1, reads: 9 };
    it.fake.functions.set('other', foreign);
    it.fake.functions.set('renamed', {
      ...foreign,
      spec: { service: 'renamed', annotations: { 'jobferry-job-id': '1' } },
    });
    await it.deploy(1);
    expect((await it.executor.listDeployments()).map(({ functionName }) => functionName)).toEqual([NAME]);
    it.fake.fault('GET functions', { status: 200, body: 'null' });
    expect(await it.executor.listDeployments()).toEqual([]);
  });

  it('scales from and to zero, and a call wakes what sleeps', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    expect(await it.executor.scale(1, 3)).toBe(3);
    expect(await it.executor.scale(1, 0)).toBe(0);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
    await it.executor.invoke(callOf(1), callContext());
    expect(it.fake.functions.get(NAME)?.replicas).toBe(1);
    expect(await failureOf(it.executor.scale(1, -1))).toMatchObject({ code: 'CONFIG' });
    expect(await failureOf(it.executor.scale(2, 1))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('says how many copies a gateway really allows', async () => {
    await using it = await gatewayBench({ jobs, isCommunityEdition: true });
    await it.deploy(1);
    expect([await it.executor.scale(1, 99), await it.executor.scale(1, 0)]).toEqual([5, 1]);
  });

  it('is unhealthy with the reason while no copy is available', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    it.fake.stuck.add(NAME);
    expect(await it.executor.healthCheck(1)).toEqual({
      status: 'unhealthy',
      reason: '0 of 1 replicas available',
    });
  });

  it('warms by pings that run no job: origin-defects 0.10', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    expect(await it.executor.warm(1, 3)).toBe(1); // the fake is one instance
    expect(it.fake.executions.size).toBe(0);
  });

  it('keeps secrets: made, replaced, listed by name, deleted twice', async () => {
    await using it = await gatewayBench();
    const { server } = it.executor;
    await server.putSecret('token', 'one');
    await server.putSecret('token', 'two');
    await server.putSecret('raw', Uint8Array.of(0, 1, 255));
    expect(await server.listSecrets()).toEqual(['token', 'raw']);
    expect([it.fake.secrets.get('token'), it.fake.secrets.get('raw')]).toEqual(['two', '\x00\x01\xff']);
    await server.deleteSecret('token');
    await server.deleteSecret('token');
    expect(await server.listSecrets()).toEqual(['raw']);
  });

  it('knows namespaces and what the gateway says of itself', async () => {
    await using it = await gatewayBench();
    const { server } = it.executor;
    await server.createNamespace('staging');
    expect(await server.listNamespaces()).toEqual(['openfaas-fn', 'staging']);
    await server.deleteNamespace('staging');
    await server.deleteNamespace('staging');
    expect(await server.info()).toMatchObject({ provider: { provider: 'fake' } });
    it.fake.fault('POST namespace', {
      status: 501,
      body: 'Feature not implemented in this version of OpenFaaS\n',
    });
    expect(await failureOf(server.createNamespace('x'))).toMatchObject({ code: 'UNSUPPORTED' });
  });
});
