import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import type { DeployProgress } from '../../src/executors/e2e-openfaas/index.js';
import { artifact, callOf, failureOf, gatewayBench, IMAGE, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';

describe('a deploy to a gateway', () => {
  it('asks for what the config says, and is done when a copy answers: origin-defects 0.4: no fixed sleeps', async () => {
    const steps: string[] = [];
    const onProgress = ({ step, functionName }: DeployProgress) => steps.push(`${step} ${functionName}`);
    await using it = await gatewayBench({ jobs, settleReads: 4 }, { onProgress });
    it.fake.secrets.set('db-password', 's');
    const deployment = await it.deploy(1, {
      timeoutSecs: 60,
      env: { LEVEL: '9' },
      labels: { team: 'north' },
      secrets: { DB_PASSWORD: 'db-password' },
      keepWarm: 2,
      maxConcurrency: 8,
      openfaas: {
        cpu: '100m',
        maxReplicas: 4,
        annotations: { note: 'two\nlines' },
        requests: { memoryMb: 128 },
      },
    });
    expect(it.fake.functions.get(NAME)?.spec).toEqual({
      service: NAME,
      namespace: 'openfaas-fn',
      image: IMAGE,
      envVars: {
        LEVEL: '9',
        exec_timeout: '60s',
        read_timeout: '60s',
        write_timeout: '60s',
        max_inflight: '2',
        JOBFERRY_SECRETS: '{"DB_PASSWORD":"db-password"}',
      },
      secrets: ['db-password'],
      labels: {
        team: 'north',
        'com.openfaas.scale.min': '2',
        'com.openfaas.scale.max': '4',
        faas_function: NAME,
      },
      limits: { memory: '256Mi', cpu: '100m' },
      requests: { memory: '128Mi' },
      annotations: expect.objectContaining({ note: 'two\nlines', 'jobferry-job-id': '1' }),
    });
    expect(deployment).toMatchObject({
      functionName: NAME,
      endpoint: `${it.fake.url}/function/${NAME}.openfaas-fn`,
      memoryMb: 256,
      timeoutSecs: 60,
      maxConcurrency: 8,
      sha256: artifact.sha256,
      artifactBytes: artifact.bytes.length,
    });
    expect(deployment.coldStartMs).toBeUndefined();
    expect(steps).toEqual(['read', 'update', 'create', 'wait', 'done'].map((step) => `${step} ${NAME}`));
    await it.executor.invoke(callOf(1), callContext());
  });

  it('sends exactly these request lines: origin-defects 0.1', async () => {
    await using it = await gatewayBench({ jobs, settleReads: 0 });
    await it.deploy(1);
    await it.executor.listDeployments();
    await it.executor.scale(1, 2);
    await it.executor.undeployJob(1);
    const ns = 'namespace=openfaas-fn';
    expect(it.fake.targets).toEqual([
      `GET /system/function/${NAME}?${ns}`,
      'PUT /system/functions',
      'POST /system/functions',
      `GET /system/function/${NAME}?${ns}`,
      `GET /system/functions?${ns}`,
      `GET /system/function/${NAME}?${ns}`,
      `POST /system/scale-function/${NAME}?${ns}`,
      `GET /system/function/${NAME}?${ns}`,
      `DELETE /system/functions?${ns}`,
      `GET /system/function/${NAME}?${ns}`,
    ]);
  });

  it('works below a path of its URL, with or without a slash at its end', async () => {
    await using it = await gatewayBench({ jobs });
    for (const url of [`${it.fake.url}/gw`, `${it.fake.url}/gw/`]) {
      await using below = await gatewayBench({ jobs }, { url });
      await failureOf(below.deploy(1));
      expect(it.fake.targets.pop()).toMatch(/^(GET|PUT|POST) \/gw\/system\/function/);
    }
  });

  it('of the same content writes nothing; of another image, code or setting it writes', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1, { env: { A: '1', B: '2' } });
    const before = it.fake.writes().length;
    await it.deploy(1, { env: { B: '2', A: '1' } });
    expect(it.fake.writes()).toHaveLength(before);
    await it.deploy(1, { env: { A: '1' } });
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 256, env: { A: '1' } });
    await it.executor.deployJob(1, otherArtifact, {
      memoryMb: 256,
      env: { A: '1' },
      openfaas: { image: 'other' },
    });
    expect(it.fake.writes().slice(before)).toEqual(['PUT functions', 'PUT functions', 'PUT functions']);
  });

  it('builds the image from the artifact once, and not at all when nothing changed', async () => {
    const built: string[] = [];
    const image = async ({
      sha256,
      zip,
      functionName,
    }: {
      sha256: string;
      zip: Uint8Array;
      functionName: string;
    }) => {
      built.push(`${functionName} ${zip.length}`);
      return `registry.example/jobs:${sha256.slice(0, 12)}`;
    };
    await using it = await gatewayBench({ jobs }, { openfaas: { image } });
    it.fake.fault('POST functions', { status: 502 });
    await it.deploy(1);
    await it.deploy(1);
    expect(built).toEqual([`${NAME} ${artifact.bytes.length}`]);
    expect(it.fake.functions.get(NAME)?.spec['image']).toBe(
      `registry.example/jobs:${artifact.sha256.slice(0, 12)}`,
    );
  });

  it('says why a function does not come up, and how many copies there are', async () => {
    await using it = await gatewayBench({ jobs }, { deployTimeoutMs: 150 });
    it.fake.stuck.add(NAME);
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no', functionName: NAME });
    expect(error.message).toContain('in part (done: create)');
    expect(error.message).toContain('0 of 1 replicas available');
  });

  it.each([
    ['a missing secret', { secrets: { A: 'nope' } }, 'INVALID_REQUEST', 'secrets "nope" not found'],
    ['a refused image', { openfaas: { image: 'x' } }, 'UNAVAILABLE', 'cannot pull'],
  ])('keeps the text of the gateway: %s', async (_, config, code, text) => {
    await using it = await gatewayBench({ jobs });
    if (code === 'UNAVAILABLE') it.fake.fault('PUT functions', { status: 500, body: 'cannot pull x\n' }, 9);
    const error = await failureOf(it.deploy(1, config));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
  });

  it.each([401, 403, 500, 502])(
    'makes nothing after a read that fails with %i: origin-defects 0.3: only a 404 means missing',
    async (status) => {
      await using it = await gatewayBench({ jobs }, { deployTimeoutMs: 100 });
      it.fake.fault('GET function', { status }, 99);
      await failureOf(it.deploy(1));
      expect(it.fake.writes()).toEqual([]);
    },
  );

  it.each([400, 401, 403, 409, 413, 501])(
    'fails when the PUT is answered with %i: origin-defects 0.2',
    async (status) => {
      await using it = await gatewayBench({ jobs });
      it.fake.fault('PUT functions', { status }, 9);
      expect(await failureOf(it.deploy(1))).toMatchObject({ status, executed: 'no' });
      expect(it.fake.functions.size).toBe(0);
    },
  );

  it('does not believe a 200 that changed nothing, as one provider gives', async () => {
    await using it = await gatewayBench({ jobs }, { deployTimeoutMs: 150 });
    await it.deploy(1);
    it.fake.fault('PUT functions', { status: 200, body: '' });
    const error = await failureOf(it.deploy(1, { memoryMb: 512 }));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(error.message).toContain('the change is not shown yet');
    await it.deploy(1, { memoryMb: 512 });
  });

  it('loses a race against another deploy, and brings its own to an end', async () => {
    await using it = await gatewayBench({ jobs });
    const other = {
      spec: { service: NAME, image: 'theirs' },
      createdAt: new Date().toISOString(),
      replicas: 1,
      reads: 0,
    };
    it.fake.fault('PUT functions', {
      status: 404,
      body: 'not found',
      run: () => void it.fake.functions.set(NAME, other),
    });
    await it.deploy(1);
    expect(it.fake.writes()).toEqual(['PUT functions', 'POST functions', 'PUT functions']);
    expect(it.fake.functions.get(NAME)?.spec['image']).toBe(IMAGE);
  });

  it('wakes a function that is at zero, unless it may sleep', async () => {
    await using it = await gatewayBench({ jobs });
    await it.deploy(1);
    await it.executor.scale(1, 0);
    await it.deploy(1, { memoryMb: 512 });
    expect(it.fake.functions.get(NAME)?.replicas).toBe(1);
    await it.executor.scale(1, 0);
    await it.deploy(1, { openfaas: { minReplicas: 0 } });
    expect(it.fake.functions.get(NAME)).toMatchObject({
      replicas: 0,
      spec: { labels: { 'com.openfaas.scale.zero': 'true' } },
    });
  });

  it.each([
    [{ memoryMb: 0 }, 'CONFIG', '`memoryMb` is 0'],
    [{ timeoutSecs: 1.5 }, 'CONFIG', '`timeoutSecs` is 1.5'],
    [{ env: { fprocess: 'x' } }, 'CONFIG', '`env` has a name that is taken'],
    [{ env: { exec_timeout: '9s' } }, 'CONFIG', '`env` has a name that is taken'],
    [{ secrets: { A: 'No_Name' } }, 'CONFIG', '"No_Name" is no name of a secret'],
    [{ labels: { 'com.openfaas.scale.min': '1' } }, 'CONFIG', 'use `openfaas.minReplicas`'],
    [{ keepWarm: 9 }, 'CONFIG', 'raise `openfaas.maxReplicas`'],
    [{ maxConcurrency: 5, openfaas: { maxReplicas: 2 } }, 'CONFIG', 'use a multiple of 2'],
    [{ e2e: { runtime: 'node20' } }, 'UNSUPPORTED', 'OpenFaaS has no `e2e`'],
    [{ openfaas: { image: 'two words' } }, 'CONFIG', '`openfaas.image`'],
  ])('refuses %j by name before anything is made: origin-defects 0.11', async (config, code, text) => {
    await using it = await gatewayBench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
    expect(it.fake.operations).toEqual([]);
  });

  it('needs an image', async () => {
    await using it = await gatewayBench({ jobs }, { openfaas: {} });
    expect((await failureOf(it.deploy(1))).message).toContain('give `openfaas.image`');
  });
});

describe('after a crash at any request of a deploy to a gateway, a second deploy converges', () => {
  it.each(
    ['GET function', 'PUT functions', 'POST functions'].flatMap((operation) =>
      (['before', 'after'] as const).flatMap((reset) =>
        [true, false].map((existed) => ({ operation, reset, existed })),
      ),
    ),
  )(
    'at $operation, cut $reset it was done (function existed: $existed)',
    async ({ operation, reset, existed }) => {
      await using it = await gatewayBench({ jobs });
      if (existed) await it.deploy(1);
      const crash = new AbortController();
      it.fake.fault(operation, { reset, run: () => crash.abort() });
      const config = { memoryMb: 512, env: { A: '1' } };
      await it.executor.deployJob(1, otherArtifact, config, crash.signal).catch(() => {});
      await it.executor.deployJob(1, otherArtifact, config);
      const writes = it.fake.writes().length;
      const deployment = await it.executor.deployJob(1, otherArtifact, config);
      expect(it.fake.writes()).toHaveLength(writes);
      expect(deployment).toMatchObject({ memoryMb: 512, sha256: otherArtifact.sha256 });
      expect(it.fake.functions.size).toBe(1);
    },
  );
});
