/** What the CLI knows of each cloud: opened from the environment, looked at by doctor. */
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PROVIDERS, providerOf } from '../../src/cli/providers/index.js';
import { TARGET_NAMES } from '../../src/packaging/targets/index.js';
import { fakeDigitalOcean, REGION, TOKEN } from '../fakes/digitalocean.js';
import { bench as gcp } from '../gcp-functions/setup.js';

describe('every cloud of --to', () => {
  it.each(PROVIDERS.filter(({ target }) => target !== undefined).map((one) => [one.name, one] as const))(
    '%s has a target for packages, variables that are explained, and a guide',
    (name, { target, variables }) => {
      expect(TARGET_NAMES).toContain(target);
      for (const meaning of Object.values(variables)) expect(meaning.length).toBeGreaterThan(3);
      const room = ['openfaas', 'e2e'].includes(name) ? 'e2e-openfaas' : name;
      expect(existsSync(new URL(`../../src/executors/${room}/README.md`, import.meta.url))).toBe(true);
    },
  );

  it('is named when a name is none', () => {
    expect(() => providerOf('azure')).toThrow(
      new RegExp(`use one of ${PROVIDERS.map(({ name }) => name).join(', ')}`),
    );
  });
});

describe('what is missing in the environment is named', () => {
  const kept = { ...process.env };
  beforeEach(() => {
    for (const name of [
      'GOOGLE_CLOUD_PROJECT',
      'GCLOUD_PROJECT',
      'DIGITALOCEAN_TOKEN',
      'AZURE_SUBSCRIPTION_ID',
    ])
      delete process.env[name];
  });
  afterEach(() => {
    Object.assign(process.env, kept);
  });

  it.each([
    ['gcp-functions', {}, 'GOOGLE_CLOUD_PROJECT'],
    ['gcp-functions', { GOOGLE_CLOUD_PROJECT: 'my-project' }, 'region'],
    ['digitalocean', {}, 'DIGITALOCEAN_TOKEN'],
    ['azure-functions', {}, 'AZURE_SUBSCRIPTION_ID'],
  ])('%s with %j', async (name, env, text) => {
    await expect(providerOf(name).open(env)).rejects.toThrow(text);
    const checks = await providerOf(name).doctor(env);
    expect(checks.find(({ status }) => status === 'fail')?.message).toContain(text);
  });
});

describe('doctor --to', () => {
  it('gcp-functions proves project, region, credentials and API by a list', async () => {
    await using it = await gcp();
    const env = {
      GOOGLE_CLOUD_PROJECT: 'test-project',
      JOBFERRY_GCP_REGION: 'europe-west1',
      JOBFERRY_GCP_ENDPOINT: it.fake.endpoint,
    };
    expect(await providerOf('gcp-functions').doctor(env)).toMatchObject([
      { name: 'google-auth-library', status: 'ok' },
      { name: '@google-cloud/functions', status: 'ok' },
      { name: 'gcp-functions access', status: 'ok', message: 'works, 0 functions deployed' },
    ]);
    it.fake.fault('ListFunctions', { code: 7, message: 'cloudfunctions.functions.list denied' });
    const checks = await providerOf('gcp-functions').doctor(env);
    expect(checks.at(-1)).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('cloudfunctions.functions.list denied'),
    });
  });

  it('digitalocean proves token, region and key by a list', async () => {
    await using fake = await fakeDigitalOcean();
    const env = { DIGITALOCEAN_TOKEN: TOKEN, JOBFERRY_DO_REGION: REGION, JOBFERRY_DO_ENDPOINT: fake.url };
    expect(await providerOf('digitalocean').doctor(env)).toMatchObject([{ status: 'ok' }]);
    const wrong = { ...env, DIGITALOCEAN_TOKEN: 'dop_v1_wrong' };
    expect(await providerOf('digitalocean').doctor(wrong)).toMatchObject([{ status: 'fail' }]);
  });
});
