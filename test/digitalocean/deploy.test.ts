import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { DigitalOceanExecutor } from '../../src/executors/digitalocean/index.js';
import { REGION, TOKEN } from '../fakes/digitalocean.js';
import { artifact, bench, callOf, failureOf, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

describe('a deploy', () => {
  it('makes the namespace, uploads the code to OpenWhisk, and is done: origin-defects: not to a trigger', async () => {
    await using it = await bench({ jobs });
    const deployment = await it.deploy(1, {
      env: { LEVEL: '9' },
      timeoutSecs: 60,
      labels: { team: 'north' },
    });
    expect(it.fake.writes()).toEqual(['POST namespaces', 'PUT action']);
    expect(it.fake.actions.get('jobferry-job-1')).toMatchObject({
      exec: {
        kind: 'nodejs:18',
        main: 'main',
        binary: true,
        code: Buffer.from(artifact.bytes).toString('base64'),
      },
      limits: { memory: 256, timeout: 60_000 },
      parameters: [{ key: 'LEVEL', value: '9', init: true }],
      annotations: expect.arrayContaining([{ key: 'label-team', value: 'north' }]),
    });
    expect(deployment).toMatchObject({
      functionName: 'jobferry-job-1',
      memoryMb: 256,
      timeoutSecs: 60,
      sha256: artifact.sha256,
      artifactBytes: artifact.bytes.length,
      endpoint: `${it.fake.url}/api/v1/namespaces/_/actions/jobferry-job-1`,
    });
  });

  it('of the same content writes nothing, whatever annotations others have added', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { env: { A: '1', B: '2' } });
    const before = it.fake.writes().length;
    await it.deploy(1, { env: { B: '2', A: '1' } });
    expect(it.fake.writes()).toHaveLength(before);
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 256, env: { A: '1', B: '2' } });
    expect(it.fake.writes().slice(before)).toEqual(['PUT action']);
  });

  it('uses a namespace only of its own label and region: origin-defects: one of another region was taken', async () => {
    await using it = await bench({ jobs });
    const elsewhere = new DigitalOceanExecutor({ token: TOKEN, region: 'nyc1', endpoint: it.fake.url });
    await elsewhere.deployJob(1, artifact);
    await it.deploy(1);
    expect([...it.fake.namespaces.values()].map(({ region }) => region)).toEqual(['nyc1', REGION]);
    await elsewhere.close();
  });

  it.each([
    ['a list that fails', 'GET namespaces', 500, 'UNAVAILABLE'],
    ['a token that is refused', 'GET namespaces', 401, 'AUTH'],
  ])('creates nothing after %s: origin-defects: it went on to create', async (_, operation, status, code) => {
    await using it = await bench({ jobs });
    it.fake.fault(operation, { status });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code, executed: 'no' });
    expect(it.fake.writes()).toEqual([]);
  });

  it('looks for a namespace whose create got no answer, before it would make another', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('POST namespaces', { reset: 'after' });
    await it.deploy(1);
    expect(it.fake.namespaces.size).toBe(1);
  });

  it.each(['POST namespaces', 'GET action', 'PUT action'])(
    'cut off at %s is finished by the next one',
    async (operation) => {
      for (const reset of ['before', 'after'] as const) {
        await using it = await bench({ jobs });
        it.fake.fault(operation, { reset });
        const first = await it.deploy(1).catch((error: unknown) => error);
        if (first instanceof Error) expect(first).toMatchObject({ executed: 'no' });
        await it.deploy(1);
        expect([it.fake.namespaces.size, it.fake.actions.size]).toEqual([1, 1]);
      }
    },
  );

  it('waits for someone else’s deploy of the same function', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('PUT action', { status: 409 }, 2);
    await it.deploy(1);
    it.fake.fault('PUT action', { status: 409 }, 9);
    const busy = it.deploy(1, { memoryMb: 512 });
    expect(await failureOf(busy)).toMatchObject({ code: 'CONFLICT', executed: 'no' });
  });

  it.each([
    [{ maxConcurrency: 3 }, 'UNSUPPORTED', '`maxConcurrency`'],
    [{ secrets: { A: 'b' } }, 'UNSUPPORTED', '`secrets`'],
    [{ memoryMb: 2048 }, 'CONFIG', '`memoryMb` is 2048: use an integer from 128 to 1024'],
    [{ timeoutSecs: 901 }, 'CONFIG', '`timeoutSecs` is 901'],
    [{ keepWarm: 3 }, 'CONFIG', '`keepWarm` is 0 or 1'],
    [{ env: { __OW_X: '1' } }, 'CONFIG', '`env` has a name that is taken'],
  ])('refuses %j by name before anything is made', async (config, code, text) => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
    expect(it.fake.operations).toEqual([]);
  });

  it('keeps an instance warm by a scheduled ping, and takes it away again', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { keepWarm: 1 });
    expect(it.fake.triggers.get('jobferry-job-1-keep-warm')).toMatchObject({
      function: 'jobferry-job-1',
      type: 'SCHEDULED',
      is_enabled: true,
      scheduled_details: { cron: '* * * * *', body: { jobferry_warm: true } },
    });
    await it.deploy(1);
    expect(it.fake.triggers.size).toBe(0);
  });

  it('says what it does', async () => {
    const steps: string[] = [];
    await using it = await bench({ jobs }, { onProgress: ({ step }) => steps.push(step) });
    await it.deploy(1);
    expect(steps).toEqual(['namespace', 'read', 'write', 'done']);
  });
});

describe('the rest of its life', () => {
  it('lists all pages, and only functions of ours', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const made = it.fake.actions.get('jobferry-job-1') ?? {};
    for (let n = 0; n < 450; n += 1)
      it.fake.actions.set(`other-${n}`, { ...made, name: `other-${n}`, annotations: [] });
    await it.deploy(2);
    expect((await it.executor.listDeployments()).map(({ jobId }) => jobId)).toEqual([1, 2]);
  });

  it('undeploys twice, with its trigger, and leaves the namespace: origin-defects 0.15', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { keepWarm: 1 });
    await it.executor.undeployJob(1);
    await it.executor.undeployJob(1);
    expect([it.fake.actions.size, it.fake.triggers.size, it.fake.namespaces.size]).toEqual([0, 0, 1]);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'missing' });
  });

  it('needs nothing of the account when it is given the host and a key', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const [namespace] = [...it.fake.namespaces.values()];
    const accessKey = `${namespace?.['uuid']}:${namespace?.['key']}`;
    await using own = new DigitalOceanExecutor({ apiHost: it.fake.url, accessKey });
    const before = it.fake.operations.length;
    await own.invoke(callOf(1), callContext());
    expect(it.fake.operations.slice(before)).toEqual(['POST action']);
    expect((await own.listDeployments()).map(({ jobId }) => jobId)).toEqual([1]);
  });

  it('makes no request in its constructor, and names the option that is missing: origin-defects', () => {
    expect(() => new DigitalOceanExecutor({ token: 't' })).toThrow(/`region`/);
    expect(() => new DigitalOceanExecutor({ apiHost: 'https://x' })).toThrow(
      /`apiHost` and `accessKey` together/,
    );
    expect(() => new DigitalOceanExecutor({ token: 't', region: 'r', nonsense: 1 } as never)).toThrow(
      /no option `nonsense`/,
    );
  });
});
