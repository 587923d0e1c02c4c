/** Where @azure/arm-appservice 19 and Azure itself disagree: what Microsoft's client does alone, and what ours makes of it. */
import { type Site, WebSiteManagementClient } from '@azure/arm-appservice';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { AzureFunctionExecutor } from '../../src/executors/azure-functions/index.js';
import { scmHost } from '../../src/executors/azure-functions/scm.js';
import { type FakeAzure, fakeAzure, SUBSCRIPTION } from '../fakes/azure-functions.js';
import { cert } from '../fakes/loopback-tls.js';
import { artifact, bench, callOf, executorFor, failureOf, LOCATION } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('Microsoft’s client, with sockets of its own, against the same fake', () => {
  let fake: FakeAzure;
  let client: WebSiteManagementClient;
  let app: string;
  beforeAll(async () => {
    fake = await fakeAzure({ jobs, loopback: true });
    client = new WebSiteManagementClient(fake.credential, SUBSCRIPTION, {
      endpoint: fake.url,
      tlsOptions: { ca: cert },
      retryOptions: { maxRetries: 0 },
    });
    await using own = new AzureFunctionExecutor({
      subscriptionId: SUBSCRIPTION,
      location: LOCATION,
      credential: fake.credential,
      endpoint: fake.url,
      tls: { ca: cert },
      pollMs: 1,
    });
    app = (await own.deployJob(1, artifact, { env: { A: '1' } })).functionName;
    await own.invoke(callOf(1), callContext());
  });
  afterAll(() => fake.close());

  it('understands what our executor has made', async () => {
    const site = await client.webApps.get('jobferry', app);
    expect(site).toMatchObject({ name: app, httpsOnly: true, state: 'Running' });
    expect(site.functionAppConfig?.scaleAndConcurrency?.instanceMemoryMB).toBe(512);
    const names: (string | undefined)[] = [];
    for await (const { name } of client.webApps.listByResourceGroup('jobferry')) names.push(name);
    expect(names).toEqual([app]);
    const { properties } = await client.webApps.listApplicationSettings('jobferry', app);
    expect(properties?.['A']).toBe('1');
  });

  it('creates apps the fake accepts, through an operation', async () => {
    const plan = await client.appServicePlans.get('jobferry', `${app}-plan`);
    const made = await client.webApps
      .createOrUpdate(
        'jobferry',
        'made-by-microsoft',
        {
          location: 'westeurope',
          kind: 'functionapp,linux',
          serverFarmId: plan.id ?? '',
          siteConfig: { appSettings: [{ name: 'AzureWebJobsStorage', value: 'x' }] },
        },
        { updateIntervalInMs: 1 },
      )
      .pollUntilDone();
    expect(made.name).toBe('made-by-microsoft');
    await client.webApps.delete('jobferry', 'made-by-microsoft');
  });

  it('gives no function keys where Azure sends them flat: we ask by hand', async () => {
    fake.arm.keysWithProperties = false;
    expect(await client.webApps.listFunctionKeys('jobferry', app, 'job')).not.toHaveProperty(
      'properties.default',
    );
  });

  it('throws at a 200 for syncfunctiontriggers, which is a success: we ask by hand', async () => {
    fake.arm.syncStatus = 200;
    await expect(client.webApps.syncFunctionTriggers('jobferry', app)).rejects.toThrow();
    fake.arm.syncStatus = 204;
    await client.webApps.syncFunctionTriggers('jobferry', app);
  });

  it('loses the code of App Service’s errors: we read both forms ourselves', async () => {
    fake.fault('GET site', {
      status: 409,
      body: '{"Code":"Conflict","Message":"in use"}',
      headers: { 'content-type': 'application/json' },
    });
    const alone: unknown = await client.webApps.get('jobferry', app).catch((thrown: unknown) => thrown);
    expect(alone).toMatchObject({ statusCode: 409 });
    expect((alone as { code?: string }).code).toBeUndefined();
  });

  it('sends no token over plain HTTP, and no more do we', async () => {
    const plain = new WebSiteManagementClient(fake.credential, SUBSCRIPTION, {
      endpoint: fake.plainUrl,
      allowInsecureConnection: true,
    });
    await expect(plain.webApps.get('jobferry', app)).rejects.toThrow(/non-TLS/);
    expect(() => executorFor(fake, { endpoint: fake.plainUrl })).toThrow(/must be https/);
  });
});

describe('our use of it', () => {
  it('writes what is flat in JavaScript where Azure wants it: below properties', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const [put] = it.fake.exchanges.filter(({ operation }) => operation === 'PUT site');
    const body = JSON.parse(String(put?.body)) as {
      properties: Record<string, unknown>;
      serverFarmId?: unknown;
    };
    expect(body.serverFarmId).toBeUndefined();
    expect(body.properties).toMatchObject({
      serverFarmId: expect.stringMatching(/\/serverfarms\/.*-plan$/),
      httpsOnly: true,
      functionAppConfig: { runtime: { name: 'node', version: '22' } },
    });
  });

  it('publishes through the deployment service: its own operation for that takes no body', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    expect(it.fake.urls().filter((url) => url.includes('onedeploy'))).toEqual([]);
  });

  it('is repeated by us alone: five attempts of the client would be thirty', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('GET sites', { status: 503, body: '{"error":{"code":"Busy","message":"later"}}' }, 30);
    expect(await failureOf(it.executor.listDeployments())).toMatchObject({ code: 'UNAVAILABLE' });
    expect(it.fake.operations).toHaveLength(6);
  });

  it('waits as long as Azure asks for', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('GET sites', { status: 429, headers: { 'retry-after': '1' } });
    const startedMs = Date.now();
    await it.executor.listDeployments();
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(1000);
  });
});

describe('the host of the deployment service', () => {
  it('is the one that Azure names, hash and region and all', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const { scmHost: host, name } = it.site(1);
    expect(host).toBe(`${name}-c9f2x7.scm.westeurope-01.azurewebsites.net`);
    const publish = it.fake.exchanges.find(({ operation }) => operation === 'POST publish');
    expect(publish?.host).toBe(host);
  });

  it.each([
    [
      { enabledHostNames: ['a.azurewebsites.net', 'a-x.scm.eu-01.azurewebsites.net'] },
      'a-x.scm.eu-01.azurewebsites.net',
    ],
    [
      {
        hostNameSslStates: [
          { name: 'a.net', hostType: 'Standard' },
          { name: 'a.deploy.net', hostType: 'Repository' },
        ],
      },
      'a.deploy.net',
    ],
  ] as [Partial<Site>, string][])('of %j is %s', (site, host) => {
    expect(scmHost({ location: 'x', ...site } as Site, 'a')).toBe(host);
  });

  it('that Azure does not name is not made up', () => {
    expect(() => scmHost({ location: 'x' } as Site, 'a')).toThrow(/names no deployment host for a/);
  });
});
