import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import { SUBSCRIPTION } from '../fakes/azure-functions.js';
import { STORAGE_KEY } from '../fakes/azure-resources.js';
import { artifact, bench, callOf, executorFor, failureOf, otherArtifact } from './setup.js';

const jobs = [1, 2].map((id) =>
  defineJob({ id, name: `echo-${id}`, codec: 'bytes', handler: (input: Uint8Array) => input }),
);

describe('a deploy', () => {
  it('makes group, storage, container, plan and app, publishes, and waits until it answers: origin-defects: an app had no plan and no storage', async () => {
    await using it = await bench({ jobs });
    const deployment = await it.deploy(1, {
      env: { LEVEL: '9' },
      timeoutSecs: 60,
      labels: { team: 'north' },
    });
    expect(it.fake.writes()).toEqual([
      'PUT group',
      'PUT storage',
      'PUT container',
      'PUT plan',
      'PUT site',
      'POST publish',
      'PATCH tags',
    ]);
    const { host, settings, resource, zip } = it.site(1);
    expect(resource).toMatchObject({
      kind: 'functionapp,linux',
      location: 'westeurope',
      tags: { 'created-by': 'jobferry', 'jobferry-job-id': '1', team: 'north' },
      properties: {
        httpsOnly: true,
        functionAppConfig: {
          deployment: {
            storage: {
              type: 'blobContainer',
              value: expect.stringMatching(
                /^https:\/\/jobferry[0-9a-f]{16}\.blob\.core\.windows\.net\/job-1$/,
              ),
              authentication: {
                type: 'StorageAccountConnectionString',
                storageAccountConnectionStringName: 'DEPLOYMENT_STORAGE_CONNECTION_STRING',
              },
            },
          },
          runtime: { name: 'node', version: '22' },
          scaleAndConcurrency: { instanceMemoryMB: 512, maximumInstanceCount: 100, alwaysReady: [] },
        },
      },
    });
    expect(settings).toMatchObject({
      LEVEL: '9',
      AzureFunctionsJobHost__functionTimeout: '00:01:00',
      AzureWebJobsStorage: expect.stringContaining(
        `AccountKey=${STORAGE_KEY};EndpointSuffix=core.windows.net`,
      ),
    });
    expect(zip?.equals(artifact.bytes)).toBe(true);
    expect(deployment).toEqual({
      jobId: 1,
      functionName: it.site(1).name,
      provider: 'azure-functions',
      endpoint: `https://${host}/api/job`,
      memoryMb: 512,
      timeoutSecs: 60,
      sha256: artifact.sha256,
      artifactBytes: artifact.bytes.length,
      deployedAt: '2026-11-20T10:00:00.000Z',
    });
    expect(await it.executor.getDeployment(1)).toEqual(deployment);
  });

  it('of the same content writes nothing: no PUT, no publish', async () => {
    await using it = await bench({ jobs });
    const config = { env: { A: '1', B: '2' }, labels: { team: 'north' }, maxConcurrency: 50, keepWarm: 2 };
    const first = await it.deploy(1, config);
    const before = it.fake.writes().length;
    const steps: string[] = [];
    await using other = executorFor(it.fake, { onProgress: ({ step }) => steps.push(step) });
    const again = await other.deployJob(1, artifact, { ...config, env: { B: '2', A: '1' } });
    expect(it.fake.writes()).toHaveLength(before);
    expect(again).toEqual(first);
    expect(steps).toEqual(['done']);
  });

  it('of other code publishes it and writes nothing else', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.writes().length;
    const { sha256 } = await it.executor.deployJob(1, otherArtifact);
    expect(it.fake.writes().slice(before)).toEqual(['PATCH tags', 'POST publish', 'PATCH tags']);
    expect(sha256).toBe(otherArtifact.sha256);
    expect((await it.executor.getDeployment(1))?.sha256).toBe(otherArtifact.sha256);
  });

  it('of another env replaces ours alone, and others’ stay: origin-defects: env was written once, for all jobs', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { env: { OLD: '1', KEPT: '1' } });
    const { name } = it.site(1);
    const site = it.fake.arm.sites.get(name);
    if (site !== undefined) site.settings = { ...site.settings, SOMEONE_ELSES: 'x' };
    const before = it.fake.writes().length;
    await it.deploy(1, { env: { NEW: '2', KEPT: '1' } });
    expect(it.fake.writes().slice(before)).toEqual(['PUT settings']);
    const { settings } = it.site(1);
    expect(settings).toMatchObject({ NEW: '2', KEPT: '1', SOMEONE_ELSES: 'x' });
    expect(settings['OLD']).toBeUndefined();
    expect(settings['AzureWebJobsStorage']).toBeDefined();
  });

  it('keeps tags of others, and takes away labels that are left out', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { labels: { old: '1' } });
    it.site(1).resource.tags['owner'] = 'someone';
    await it.deploy(1, { labels: { fresh: '1' } });
    const { tags } = it.site(1).resource;
    expect(tags).toMatchObject({ owner: 'someone', fresh: '1', 'jobferry-code-sha256': artifact.sha256 });
    expect(tags['old']).toBeUndefined();
  });

  it('makes an app for each job: origin-defects: job 1 destroyed job 0', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    await it.deploy(2);
    expect(it.fake.arm.sites.size).toBe(2);
    for (const id of [1, 2]) {
      const { result } = await it.executor.invoke(callOf(id, { args: Uint8Array.of(id) }), callContext());
      expect([...result]).toEqual([id]);
    }
  });

  it('gives apps names that nobody else has: origin-defects: every user of a region had the same', async () => {
    const nameOf = async (subscriptionId: string, resourceGroup: string) => {
      const executor = new AzureFunctionExecutor({ subscriptionId, resourceGroup, location: 'westeurope' });
      return (await failureOf(executor.deployJob(7, artifact, { memoryMb: 1 }))).functionName;
    };
    const names = [await nameOf('s1', 'a'), await nameOf('s1', 'b'), await nameOf('s2', 'a')];
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(name).toMatch(/^jobferry-[0-9a-f]{8}-job-7$/);
  });

  it('honours memory, instances, warm instances and secrets: origin-defects: memory and time were ignored', async () => {
    await using it = await bench({ jobs });
    const secret = 'https://vault.vault.azure.net/secrets/db';
    const deployment = await it.deploy(1, {
      memoryMb: 2048,
      maxConcurrency: 60,
      keepWarm: 3,
      secrets: { DB: secret },
    });
    expect(deployment).toMatchObject({ memoryMb: 2048, maxConcurrency: 60 });
    const { resource, settings } = it.site(1);
    expect(resource['identity']).toEqual({ type: 'SystemAssigned' });
    expect(settings['DB']).toBe(`@Microsoft.KeyVault(SecretUri=${secret})`);
    expect(resource.properties['functionAppConfig']).toMatchObject({
      scaleAndConcurrency: {
        instanceMemoryMB: 2048,
        maximumInstanceCount: 60,
        alwaysReady: [{ name: 'http', instanceCount: 3 }],
        triggers: { http: { perInstanceConcurrency: 1 } },
      },
    });
    // Never on Flex Consumption: its deployments fail with them.
    expect(Object.keys(settings).filter((name) => /^(FUNCTIONS_|WEBSITE_RUN)/.test(name))).toEqual([]);
  });

  it('on Elastic Premium shares a plan, uses zipdeploy and syncs triggers', async () => {
    await using it = await bench({ jobs }, { azure: { plan: { kind: 'premium', sku: 'EP1' } } });
    for (const answer of [204, 200] as const) {
      it.fake.arm.syncStatus = answer;
      await it.deploy(answer === 204 ? 1 : 2, { keepWarm: 2 });
    }
    expect(it.fake.arm.plans.size).toBe(1);
    expect(it.fake.writes().filter((one) => /zipdeploy|sync/.test(one))).toEqual([
      'POST zipdeploy',
      'POST sync',
      'POST zipdeploy',
      'POST sync',
    ]);
    expect([...it.fake.arm.plans.values()][0]).toMatchObject({
      sku: { name: 'EP1', tier: 'ElasticPremium' },
    });
    expect(it.site(1).settings).toMatchObject({
      FUNCTIONS_EXTENSION_VERSION: '~4',
      FUNCTIONS_WORKER_RUNTIME: 'node',
      WEBSITE_RUN_FROM_PACKAGE: '1',
    });
    const before = it.fake.writes().length;
    await it.deploy(1, { keepWarm: 2 });
    expect(it.fake.writes()).toHaveLength(before);
    await it.deploy(1, { keepWarm: 5 });
    expect(it.fake.writes().slice(before)).toEqual(['PATCH configuration']);
    expect(it.site(1).configuration).toMatchObject({
      linuxFxVersion: 'node|22',
      minimumElasticInstanceCount: 5,
    });
    const moved = it.executor.deployJob(1, artifact, { azure: { plan: { kind: 'flex' } } });
    expect(await failureOf(moved)).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(it.fake.writes().slice(before)).toEqual(['PATCH configuration']);
  });

  it('uses a group and an account that are there as they are, and where the group is', async () => {
    await using it = await bench({ jobs }, { storageAccount: 'theirs' });
    it.fake.arm.groups.set('jobferry', { name: 'jobferry', location: 'northeurope', tags: { owner: 'ops' } });
    it.fake.arm.storage.set('theirs', {
      containers: new Set(),
      tags: { owner: 'ops' },
      properties: {
        provisioningState: 'Succeeded',
        primaryEndpoints: { blob: 'https://theirs.blob.core.chinacloudapi.cn/' },
      },
    });
    await using own = new AzureFunctionExecutor({
      subscriptionId: SUBSCRIPTION,
      storageAccount: 'theirs',
      credential: it.fake.credential,
      dispatcher: it.fake.dispatcher,
      pollMs: 1,
    });
    await own.deployJob(1, artifact);
    expect(it.fake.writes()).not.toContain('PUT group');
    expect(it.fake.writes()).not.toContain('PUT storage');
    expect(it.site(1).resource['location']).toBe('northeurope');
    expect(it.site(1).settings['AzureWebJobsStorage']).toContain('EndpointSuffix=core.chinacloudapi.cn');
  });

  it('without a group needs to know where to make one', async () => {
    await using it = await bench({ jobs });
    await using nowhere = new AzureFunctionExecutor({
      subscriptionId: SUBSCRIPTION,
      credential: it.fake.credential,
      dispatcher: it.fake.dispatcher,
    });
    const error = await failureOf(nowhere.deployJob(1, artifact));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('needs `location`');
    expect(it.fake.writes()).toEqual([]);
  });

  it('never touches an app of someone else', async () => {
    await using it = await bench({ jobs }, { appName: () => 'theirs' });
    await it.deploy(1);
    const { tags } = (it.fake.arm.sites.get('theirs') ?? it.site(1)).resource;
    delete tags['created-by'];
    const before = it.fake.writes().length;
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(await failureOf(it.executor.undeployJob(1))).toMatchObject({ code: 'CONFLICT', executed: 'no' });
    expect(it.fake.writes()).toHaveLength(before);
  });

  it('says what it does, step by step', async () => {
    const steps: string[] = [];
    await using it = await bench({ jobs }, { onProgress: ({ step }) => steps.push(step) });
    await it.deploy(1);
    const inOrder = [...new Set(steps)];
    expect(inOrder).toEqual(['group', 'storage', 'container', 'plan', 'app', 'publish', 'ready', 'done']);
  });

  it.each([
    [{ memoryMb: 1024 }, 'CONFIG', '`memoryMb` is 1024: use one of 512, 2048, 4096'],
    [{ timeoutSecs: 300 }, 'CONFIG', '`timeoutSecs` is 300, and Azure waits at most 230 s'],
    [{ timeoutSecs: 0 }, 'CONFIG', '`timeoutSecs` is 0'],
    [{ maxConcurrency: 3 }, 'CONFIG', '`maxConcurrency` is 3: use an integer from 40 to 1000'],
    [
      { maxConcurrency: 50, azure: { perInstanceConcurrency: 4 } },
      'CONFIG',
      '`maxConcurrency` counts instances',
    ],
    [{ keepWarm: 1001 }, 'CONFIG', '`keepWarm` is 1001'],
    [{ keepWarm: 1, azure: { plan: { kind: 'consumption' as const } } }, 'UNSUPPORTED', '`keepWarm`'],
    [
      { maxConcurrency: 50, azure: { plan: { kind: 'consumption' as const } } },
      'UNSUPPORTED',
      '`maxConcurrency`',
    ],
    [
      { memoryMb: 512, azure: { plan: { kind: 'premium' as const, sku: 'EP1' as const } } },
      'CONFIG',
      '`memoryMb`',
    ],
    [{ azure: { plan: { kind: 'dedicated' } } }, 'CONFIG', '`azure.plan.kind`'],
    [{ azure: { slots: 1 } }, 'UNSUPPORTED', '`slots`'],
    [{ env: { AzureWebJobsStorage: 'x' } }, 'CONFIG', '`env` has a name that is taken'],
    [{ env: { WEBSITE_RUN_FROM_PACKAGE: 'x' } }, 'CONFIG', '`env` has a name that is taken'],
    [{ secrets: { A: 'plain text' } }, 'CONFIG', '`secrets.A` must be a URI'],
    [{ labels: { 'a,b': '1' } }, 'CONFIG', '`labels` has a name that is taken or none: "a,b"'],
    [
      { labels: Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`long-name-${n}`, '1'])) },
      'CONFIG',
      'and a tag that remembers them takes 256',
    ],
    [{ labels: { 'created-by': 'me' } }, 'CONFIG', '`labels` has a name that is taken'],
    [{ unheardOf: 1 }, 'UNSUPPORTED', '`unheardOf`'],
  ])('refuses %j by name before anything is made', async (config, code, text) => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config as object));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
    expect(it.fake.operations).toEqual([]);
  });

  it('refuses a package that no host would start: origin-defects: a zip without host.json', async () => {
    await using it = await bench({ jobs });
    const foreign = await packageFiles([{ path: 'bootstrap', bytes: '#!/bin/sh\n', mode: 0o755 }]);
    const error = await failureOf(it.executor.deployJob(1, foreign));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('no host.json and no job/function.json');
    const limited = executorFor(it.fake, { limits: { maxArtifactBytes: 100 } });
    expect(await failureOf(limited.deployJob(1, artifact))).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(it.fake.operations).toEqual([]);
  });

  it.each([
    ['EP1', 3584],
    ['EP2', 7168],
    ['EP3', 14_336],
  ] as const)('has the memory of %s within its limits', async (sku, memoryMb) => {
    await using it = await bench({ jobs });
    await it.deploy(1, { memoryMb, azure: { plan: { kind: 'premium', sku } } });
    const { min = 0, max = 0 } = it.executor.limits.memoryMb ?? {};
    expect([memoryMb >= min, memoryMb <= max]).toEqual([true, true]);
  });

  it('has 230 s for a function when none are asked for', async () => {
    await using it = await bench({ jobs });
    expect((await it.deploy(1)).timeoutSecs).toBe(230);
  });
});

describe('the executor', () => {
  it('makes no request in its constructor, and names the option that is wrong: origin-defects 0.8', () => {
    const make = (options: object) => () => new AzureFunctionExecutor(options);
    expect(make({ subscriptionId: 's', nonsense: 1 })).toThrow(/no option `nonsense`/);
    expect(make({ subscriptionId: 's', storageAccount: 'No' })).toThrow(/`storageAccount`/);
    expect(make({ subscriptionId: 's', resourceGroup: 'a/b' })).toThrow(/`resourceGroup`/);
    expect(make({ subscriptionId: 's', pollMs: 0 })).toThrow(/`pollMs`/);
    // Tokens are never sent over plain HTTP.
    expect(make({ subscriptionId: 's', endpoint: 'http://127.0.0.1:1' })).toThrow(/`endpoint` must be https/);
    expect(make({ subscriptionId: 's' })).not.toThrow();
  });
});
