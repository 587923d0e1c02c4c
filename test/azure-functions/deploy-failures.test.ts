/** What goes wrong between the requests of a deploy: each step fails, breaks off, takes for ever. */
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import type { FakeAzure } from '../fakes/azure-functions.js';
import { artifact, bench, callOf, failureOf, otherArtifact, STEPS } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

const ANSWERS: readonly [number, string][] = [
  [401, 'AUTH'],
  [403, 'AUTH'],
  [400, 'INVALID_REQUEST'],
];

function distinct(fake: FakeAzure): string[] {
  return [...new Set(fake.operations)].filter((one) => one !== 'POST call');
}

it('the steps of a deploy are these', async () => {
  await using it = await bench({ jobs });
  await it.deploy(1);
  expect(distinct(it.fake)).toEqual(STEPS);
});

describe.each(STEPS)('a deploy whose %s', (step) => {
  // Azure answers 400 to a question for keys of a host that has not started: waited for, see below.
  const answers = step === 'POST keys' ? ANSWERS.slice(0, 2) : ANSWERS;
  it.each(answers)(
    'is refused with %i ends there: origin-defects: no status was looked at',
    async (status, code) => {
      await using it = await bench({ jobs });
      it.fake.fault(step, { status }, 5);
      const error = await failureOf(it.deploy(1));
      expect(error).toMatchObject({ code, executed: 'no', status, provider: 'azure-functions' });
      // Nothing that comes later was tried: no publish after a PUT that was refused.
      const later = STEPS.slice(STEPS.indexOf(step) + 1).filter((one) =>
        /^(PUT|POST publish|PATCH)/.test(one),
      );
      expect(it.fake.operations.filter((one) => later.includes(one))).toEqual([]);
      const done = it.fake.writes().filter((one) => !one.startsWith(step));
      expect(error.message).toMatch(
        done.length === 0 ? /was not deployed; it failed at/ : /was deployed in part \(done: /,
      );
    },
  );

  it.each(['upload', 'before', 'after', 'reply'] as const)('breaks off (%s) is sent again', async (reset) => {
    await using it = await bench({ jobs });
    it.fake.fault(step, { reset });
    await it.deploy(1);
    expect([it.fake.arm.sites.size, it.fake.arm.plans.size, it.fake.arm.storage.size]).toEqual([1, 1, 1]);
    await it.executor.invoke(callOf(1), callContext());
  });

  it('is throttled or meets an outage goes on when that is over', async () => {
    await using it = await bench({ jobs });
    it.fake.fault(step, { status: 429, headers: { 'retry-after': '0' } });
    it.fake.fault(step, { status: 503, body: '<html>cold</html>' });
    await it.deploy(1);
    expect(it.fake.arm.sites.size).toBe(1);
  });
});

describe('operations that Azure accepts', () => {
  it('and fails later: code and text arrive', async () => {
    await using it = await bench({ jobs });
    it.fake.arm.operationError = { code: 'BadSku', message: 'FC1 is not offered here.' };
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
    expect(error.message).toMatch(
      /done: group, storage, container, plan.*failed at app.*BadSku: FC1 is not offered here/,
    );
    expect(it.fake.operations).not.toContain('POST publish');
  });

  it('for a quota that is used up is CONFIG', async () => {
    await using it = await bench({ jobs });
    it.fake.arm.operationError = { code: 'QuotaExceeded', message: 'No cores.' };
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFIG' });
    expect(error.message).toContain('has no quota left');
  });

  it('and never ends: the deadline does', async () => {
    await using it = await bench({ jobs }, { deployTimeoutMs: 3000 });
    it.fake.arm.operationReads = 1_000_000;
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(error.message).toMatch(/failed at app/);
  });

  it('of an account that is never ready: the deadline ends it', async () => {
    await using it = await bench({ jobs }, { deployTimeoutMs: 3000 });
    it.fake.arm.storageReads = 1_000_000;
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(error.message).toMatch(/failed at storage for the end of: the storage account/);
  });

  it('are waited for as long as they take: origin-defects 0.4: not for 30 s, whatever happens', async () => {
    await using it = await bench({ jobs });
    Object.assign(it.fake.arm, { operationReads: 9, storageReads: 4, keyReads: 5 });
    Object.assign(it.fake, { deploymentReads: 6, unknownDeploymentReads: 3 });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
  });

  it('stop being polled when the caller gives up', async () => {
    await using it = await bench({ jobs }, { pollMs: 20 });
    it.fake.deploymentReads = 1_000_000;
    const caller = new AbortController();
    it.fake.fault('GET deployment', { status: 200, body: '{"status":1}', run: () => caller.abort() });
    const deploying = it.executor.deployJob(1, artifact, {}, caller.signal);
    expect(await failureOf(deploying)).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    const after = it.fake.operations.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(it.fake.operations.length - after).toBeLessThanOrEqual(1);
  });
});

describe('a deployment of the package', () => {
  it.each([
    [
      { status: 3, status_text: 'Validation failed', message: 'no function found', complete: true },
      'INVALID_REQUEST',
      /failed at .*Validation failed; no function found/,
    ],
    [{ status: 5, complete: true }, 'CONFLICT', /met another deployment/],
    [{ status: -1, complete: true }, 'CONFLICT', /was cancelled/],
    [{ status: 6, complete: true }, 'INVALID_REQUEST', /went through in part/],
    [{ complete: true }, 'INVALID_REQUEST', /ended without success/],
  ])('that ends with %j is an error with its words', async (end, code, text) => {
    await using it = await bench({ jobs });
    it.fake.deploymentEnd = end;
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toMatch(text);
    expect(it.fake.operations).not.toContain('PATCH tags');
  });

  it('that never is complete ends with the deadline: origin-defects: nobody waited for the deployment', async () => {
    await using it = await bench({ jobs }, { deployTimeoutMs: 3000 });
    it.fake.deploymentEnd = { status: 1 };
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(error.message).toMatch(/failed at publish for the end of: the deployment/);
  });

  it('that nobody knows of is given up', async () => {
    await using it = await bench({ jobs });
    it.fake.unknownDeploymentReads = 1_000_000;
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
    expect(error.message).toMatch(/ended without success/);
  });

  it('waits while another one runs', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('POST publish', { status: 409, body: 'There is a deployment currently in progress.' }, 12);
    await it.deploy(1);
    expect(it.site(1).zip?.length).toBe(artifact.bytes.length);
  });

  it('without an id in the answer is looked for as the latest', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('POST publish', { status: 202, body: '' });
    await it.executor.deployJob(1, otherArtifact);
    expect(it.fake.urls().some((url) => url.endsWith('/api/deployments/latest'))).toBe(true);
  });

  it('is asked for with a token of the other audience when that of the management API is refused', async () => {
    await using it = await bench({ jobs });
    it.fake.tokenFor = (scope) => (scope.includes('core.windows.net') ? 'core-token' : 'arm-token');
    it.fake.tokens.clear();
    for (const token of ['arm-token', 'core-token']) it.fake.tokens.add(token);
    it.fake.fault('POST publish', { status: 401 }, 1);
    await it.deploy(1);
    const publish = it.fake.exchanges.filter(({ operation }) => operation === 'POST publish');
    expect(publish.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer arm-token',
      'Bearer core-token',
    ]);
    // And from then on at once.
    const polls = it.fake.exchanges.filter(({ operation }) => operation === 'GET deployment');
    expect(polls.every(({ headers }) => headers.authorization === 'Bearer core-token')).toBe(true);
  });

  it('that fails with the page of a proxy is a protocol error with status and title', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('POST publish', { status: 418, body: '<html><title>Corporate proxy</title></html>' });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'PROTOCOL', executed: 'no', status: 418 });
    expect(error.message).toContain('Corporate proxy');
  });
});

describe('credentials that never come', () => {
  const credential = { getToken: () => new Promise<never>(() => {}) };

  it('end with the deadline of the deploy', async () => {
    await using it = await bench({ jobs }, { credential, deployTimeoutMs: 200 });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
  });

  it('end with the signal of the caller', async () => {
    await using it = await bench({ jobs }, { credential });
    const waiting = it.executor.deployJob(1, artifact, {}, AbortSignal.timeout(100));
    expect(await failureOf(waiting)).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    expect(it.fake.operations).toEqual([]);
  });
});

describe('keys of a new app', () => {
  it('that are not there yet are waited for: 404, 400, 503, then there', async () => {
    await using it = await bench({ jobs });
    for (const status of [404, 400, 503]) it.fake.fault('POST keys', { status });
    await it.deploy(1);
    await it.executor.invoke(callOf(1), callContext());
  });

  it('that never come are an error that says so', async () => {
    await using it = await bench({ jobs }, { readyTimeoutMs: 2000 });
    it.fake.arm.keyReads = 1_000_000;
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
    expect(error.message).toMatch(/failed at ready.*has not answered for 2 s/);
  });

  it('that are there before the function is: the deploy waits until the entry answers', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('POST call', { status: 404, body: '' }, 2);
    it.fake.fault('POST call', { status: 200, body: '<html>Your Functions app is up and running</html>' });
    it.fake.fault('POST call', { status: 401, body: '' });
    it.fake.fault('POST call', { status: 503, body: 'Function host is not running.' });
    await it.deploy(1);
    expect(it.fake.executions.size).toBe(0);
    expect(it.fake.operations.filter((one) => one === 'POST call').length).toBeGreaterThanOrEqual(6);
  });

  it('come flat, or as the published description has them: the SDK gives an empty object for the flat form', async () => {
    for (const keysWithProperties of [false, true]) {
      await using it = await bench({ jobs });
      it.fake.arm.keysWithProperties = keysWithProperties;
      await it.deploy(1);
      await it.executor.invoke(callOf(1), callContext());
    }
  });
});

describe('a name that is taken', () => {
  it('by someone else’s site is CONFIG, once, in App Service’s own form of an error', async () => {
    await using it = await bench({ jobs }, { appName: () => 'popular' });
    it.fake.arm.takenNames.add('popular');
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no', status: 409 });
    expect(error.message).toMatch(
      /Choose another `appName`.*Conflict: Website with given name popular already exists/,
    );
    expect(it.fake.operations.filter((one) => one === 'PUT site')).toHaveLength(1);
  });

  it.each([
    ['MissingSubscriptionRegistration', 409, 'CONFIG', /Register Microsoft.Web/],
    ['StorageAccountAlreadyTaken', 409, 'CONFIG', /Choose another `storageAccount`/],
    ['AnotherOperationInProgress', 409, 'CONFLICT', /changes it for someone else now/],
  ])('%s with %i is %s', async (azureCode, status, code, text) => {
    await using it = await bench({ jobs });
    const body = JSON.stringify({ error: { code: azureCode, message: 'Azure’s words.' } });
    it.fake.fault('PUT storage', { status, body }, 9);
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code, executed: 'no', status });
    expect(error.message).toMatch(text);
    const tries = it.fake.operations.filter((one) => one === 'PUT storage').length;
    expect(tries > 1).toBe(code === 'CONFLICT');
  });

  it('a subscription that is not there is no empty place', async () => {
    await using it = await bench({ jobs }, { subscriptionId: 'no-such-subscription' });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
    expect(error.message).toContain('Check `subscriptionId`');
    expect(it.fake.writes()).toEqual([]);
  });
});

it('origin-defects 0.3: a 404 that is not Azure’s own is no missing app, and creates nothing', async () => {
  for (const body of ['', 'not found', '<html><title>proxy</title></html>']) {
    await using it = await bench({ jobs });
    it.fake.fault('GET site', { status: 404, body });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'PROTOCOL', executed: 'no', status: 404 });
    expect(it.fake.writes()).toEqual([]);
  }
});

it.each([
  'GET site',
  'GET group',
  'GET storage',
  'GET plan',
  'PUT site',
  'POST settings',
  'POST keys',
  'POST storage keys',
])(
  'an empty answer to %s is an error of the deploy, or as good as the thing itself, and never an exception of ours',
  async (operation) => {
    for (const fault of [
      { status: 200, body: '' },
      { status: 200, body: '[]' },
    ]) {
      await using it = await bench({ jobs }, { deployTimeoutMs: 10_000 });
      it.fake.fault(operation, fault);
      const outcome: unknown = await it.deploy(1).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ name: 'FaasError', executed: 'no' });
        expect(outcome.message).toMatch(/deployed/);
      }
    }
  },
);
