import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { type AwsCredentials, CredentialCache } from '../../src/executors/aws-lambda/credentials.js';
import { LambdaExecutor } from '../../src/executors/aws-lambda/index.js';
import { KEYS, REGION } from '../fakes/aws-lambda.js';
import { artifact, bench, callOf, failureOf } from './setup.js';

const echo = defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input });
const FRESH: AwsCredentials = { accessKeyId: 'AKIDFRESH', secretAccessKey: 's', sessionToken: 'token/2' };

afterEach(() => vi.unstubAllEnvs());

describe('credentials that AWS calls expired', () => {
  it('are renewed once by one request, and the call goes through: 200 calls at once', async () => {
    let asked = 0;
    await using it = await bench(
      { jobs: [echo] },
      {
        credentials: async () => {
          asked += 1;
          return asked === 1 ? KEYS : FRESH;
        },
      },
    );
    await it.deploy(1);
    it.fake.keys.set(KEYS.accessKeyId, { secretAccessKey: KEYS.secretAccessKey, expired: true });
    it.fake.keys.set('AKIDFRESH', { secretAccessKey: 's', sessionToken: 'token/2' });
    await Promise.all(Array.from({ length: 200 }, () => it.executor.invoke(callOf(1), callContext())));
    expect(asked).toBe(2);
  });

  it('end the call with AUTH when there are no others, after one request', async () => {
    await using it = await bench({ jobs: [echo] });
    it.fake.keys.set(KEYS.accessKeyId, { secretAccessKey: KEYS.secretAccessKey, expired: true });
    const error = await failureOf(it.executor.invoke(callOf(1), callContext()));
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(it.fake.requests).toHaveLength(1);
  });

  it('are renewed for the life cycle too', async () => {
    let asked = 0;
    await using it = await bench({ jobs: [echo] }, { credentials: () => (++asked === 1 ? KEYS : FRESH) });
    it.fake.keys.set(KEYS.accessKeyId, { secretAccessKey: KEYS.secretAccessKey, expired: true });
    it.fake.keys.set('AKIDFRESH', { secretAccessKey: 's', sessionToken: 'token/2' });
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'missing' });
    expect(asked).toBe(2);
  });
});

describe('a source of credentials that hangs', () => {
  const hung = { credentials: () => new Promise<AwsCredentials>(() => {}) };
  const abort = () => AbortSignal.timeout(50);

  it.each<[string, (executor: LambdaExecutor) => Promise<unknown>]>([
    ['getDeployment', (executor) => executor.getDeployment(1, abort())],
    ['deployJob', (executor) => executor.deployJob(1, artifact, {}, abort())],
    ['undeployJob', (executor) => executor.undeployJob(1, abort())],
  ])('%s ends when its caller says so', async (_name, work) => {
    await using it = await bench({ jobs: [echo] }, hung);
    const error = await failureOf(work(it.executor));
    expect(error).toMatchObject({ code: 'CANCELLED', executed: 'no' });
    expect(it.fake.requests).toEqual([]);
  });

  it('a deploy ends at its own deadline', async () => {
    await using it = await bench({ jobs: [echo] }, { ...hung, deployTimeoutMs: 50 });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
  });

  it('ends the wait for a renewal, too', async () => {
    let asked = 0;
    const credentials = () => (++asked === 1 ? KEYS : hung.credentials());
    await using it = await bench({ jobs: [echo] }, { credentials });
    it.fake.keys.set(KEYS.accessKeyId, { secretAccessKey: KEYS.secretAccessKey, expired: true });
    const error = await failureOf(it.executor.healthCheck(1, abort()));
    expect(error).toMatchObject({ code: 'CANCELLED', executed: 'no' });
  });
});

describe('the cache of credentials', () => {
  const at = (epochMs: number, id: string): AwsCredentials => ({
    accessKeyId: id,
    secretAccessKey: 's',
    expiration: new Date(epochMs),
  });

  it('renews early in the background, and keeps the old ones while that fails', async () => {
    let nowMs = 0;
    let asked = 0;
    const cache = new CredentialCache(
      () => {
        asked += 1;
        if (asked === 2) throw new Error('the broker is down');
        return at(asked === 1 ? 3_600_000 : 7_200_000, `key-${asked}`);
      },
      () => nowMs,
    );
    expect((await cache.get()).accessKeyId).toBe('key-1');
    nowMs = 3_400_000;
    expect((await cache.get()).accessKeyId).toBe('key-1');
    await Promise.resolve();
    nowMs += 1000;
    expect((await cache.get()).accessKeyId).toBe('key-1');
    expect(asked).toBe(2);
    nowMs += 20_000;
    await cache.get();
    await new Promise((resolve) => setTimeout(resolve));
    expect((await cache.get()).accessKeyId).toBe('key-3');
  });

  it('waits for new ones when the old have expired, and says what to do when there are none', async () => {
    let nowMs = 0;
    let broken = false;
    const cache = new CredentialCache(
      () => {
        if (broken) throw new Error('canary');
        return at(nowMs + 3_600_000, 'key');
      },
      () => nowMs,
    );
    await cache.get();
    nowMs = 4_000_000;
    broken = true;
    const error = await failureOf(Promise.resolve(cache.get()));
    expect(error).toMatchObject({ code: 'AUTH', executed: 'no' });
    expect(error.message).not.toContain('canary');
  });
});

describe('the default chain', () => {
  it('reads the environment', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', KEYS.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', KEYS.secretAccessKey);
    vi.stubEnv('AWS_REGION', REGION);
    await using it = await bench({ jobs: [echo] });
    await it.deploy(1);
    await using executor = new LambdaExecutor({ endpoint: it.fake.url });
    expect((await executor.invoke(callOf(1, { args: Uint8Array.of(7) }), callContext())).result).toEqual(
      Uint8Array.of(7),
    );
  });

  it('asks the container’s endpoint with its token, and signs with what it serves', async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      response.end(
        JSON.stringify({ AccessKeyId: 'AKIDFRESH', SecretAccessKey: 's', Token: 'token/2', Expiration }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    for (const name of [
      'AWS_ACCESS_KEY_ID',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_PROFILE',
      'AWS_WEB_IDENTITY_TOKEN_FILE',
    ])
      vi.stubEnv(name, undefined);
    vi.stubEnv(
      'AWS_CONTAINER_CREDENTIALS_FULL_URI',
      `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    );
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN', 'container-token');
    vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null');
    await using it = await bench({ jobs: [echo] });
    await it.deploy(1);
    it.fake.keys.clear();
    it.fake.keys.set('AKIDFRESH', { secretAccessKey: 's', sessionToken: 'token/2' });
    await using executor = new LambdaExecutor({ region: REGION, endpoint: it.fake.url });
    await executor.invoke(callOf(1), callContext());
    server.close();
    server.closeAllConnections();
    expect(seen).toEqual(['container-token']);
  });
});

describe('a clock that is wrong', () => {
  it.each([600_000, -600_000])(
    'by %i ms is corrected by AWS’s own, with one more request',
    async (clockMs) => {
      await using it = await bench({ jobs: [echo] });
      await it.deploy(1);
      it.fake.clockMs = clockMs;
      const before = it.fake.requests.length;
      await it.executor.invoke(callOf(1), callContext());
      await it.executor.invoke(callOf(1), callContext());
      expect(it.fake.requests.length - before).toBe(3);
    },
  );
});

describe('secrets', () => {
  it('origin-defects 0.14: are in no URL, no error and no progress event', async () => {
    const seen: string[] = [];
    await using it = await bench(
      { jobs: [echo] },
      { onProgress: (progress) => seen.push(JSON.stringify(progress)) },
    );
    await it.deploy(1, { env: { API_KEY: 'canary-env-value' } });
    await it.executor.invoke(callOf(1), callContext());
    it.fake.fault('UpdateFunctionConfiguration', {
      status: 400,
      type: 'InvalidParameterValueException',
      message: `${KEYS.secretAccessKey} is wrong`,
    });
    const error = await failureOf(it.deploy(1, { env: { API_KEY: 'canary-other-value' } }));
    const shown = [
      ...it.fake.requests.map(({ target }) => target),
      ...seen,
      inspect(error, { depth: 9, showHidden: true }),
    ].join();
    for (const secret of [KEYS.accessKeyId, KEYS.secretAccessKey, 'canary'])
      expect(shown).not.toContain(secret);
  });
});
