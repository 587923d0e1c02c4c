import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { DigitalOceanExecutor } from '../../src/executors/digitalocean/index.js';
import { type FakeFault, REGION, TOKEN } from '../fakes/digitalocean.js';
import { artifact, bench, callOf, failureOf, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];

function changed(annotations: unknown, key: string): unknown[] {
  const list = annotations as { key: string; value: unknown }[];
  return list.map((one) => (one.key === key ? { key, value: 'changed' } : one));
}

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
    it.fake.fault(operation, { status }, 6);
    expect(await failureOf(it.deploy(1))).toMatchObject({ code, executed: 'no' });
    expect(it.fake.writes()).toEqual([]);
  });

  it('looks for a namespace whose create got no answer, before it would make another', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('POST namespaces', { reset: 'after' });
    await it.deploy(1);
    expect(it.fake.namespaces.size).toBe(1);
    expect(it.fake.writes()).toEqual(['POST namespaces', 'PUT action']);
  });

  const FAULTS: [string, Omit<FakeFault, 'operation'>][] = [
    ['429 with Retry-After', { status: 429, headers: { 'retry-after': '0' } }],
    ['503', { status: 503 }],
    ['an HTML page of a gateway', { status: 502, body: '<html>' }],
    ['504', { status: 504 }],
    ['a reset before', { reset: 'before' }],
    ['a reset after', { reset: 'after' }],
    ['a reset in mid-body', { reset: 'mid-body' }],
  ];
  it.each(
    ['GET namespaces', 'GET namespace', 'GET action', 'PUT action', 'GET trigger', 'POST triggers'].flatMap(
      (operation) => FAULTS.map(([what, fault]) => [operation, what, fault] as const),
    ),
  )('goes on when %s meets %s', async (operation, _, fault) => {
    await using it = await bench({ jobs });
    it.fake.fault(operation, fault);
    await it.deploy(1, { keepWarm: 1 });
    expect(it.fake.faults).toEqual([]);
    expect([it.fake.namespaces.size, it.fake.actions.size, it.fake.triggers.size]).toEqual([1, 1, 1]);
  });

  it.each(['DELETE trigger', 'DELETE action'])('is undone although %s meets an outage', async (operation) => {
    await using it = await bench({ jobs });
    await it.deploy(1, { keepWarm: 1 });
    it.fake.fault(operation, { status: 503 });
    it.fake.fault(operation, { reset: 'after' });
    it.fake.fault('DELETE action', { status: 409 });
    await it.executor.undeployJob(1);
    expect([it.fake.actions.size, it.fake.triggers.size]).toEqual([0, 0]);
  });

  it('gives up in the end, and what the next one finds is finished', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('PUT action', { status: 503 }, 6);
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
    await it.deploy(1);
    expect([it.fake.namespaces.size, it.fake.actions.size]).toEqual([1, 1]);
  });

  it('does not take a 400 that speaks of a timeout for an outage', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('PUT action', { status: 400, body: '{"error":"limits.timeout is not allowed"}' });
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
  });

  it('waits for someone else’s deploy of the same function', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('PUT action', { status: 409 }, 2);
    await it.deploy(1);
    it.fake.fault('PUT action', { status: 409 }, 9);
    const busy = it.deploy(1, { memoryMb: 512 });
    expect(await failureOf(busy)).toMatchObject({ code: 'CONFLICT', executed: 'no' });
  });

  const CHANGES: [string, (action: Record<string, unknown>) => Record<string, unknown>][] = [
    ['memory', (one) => ({ ...one, limits: { ...(one['limits'] as object), memory: 128 } })],
    ['time limit', (one) => ({ ...one, limits: { ...(one['limits'] as object), timeout: 1000 } })],
    ['kind', (one) => ({ ...one, exec: { ...(one['exec'] as object), kind: 'nodejs:14' } })],
    ['main', (one) => ({ ...one, exec: { ...(one['exec'] as object), main: 'other' } })],
    ['environment', (one) => ({ ...one, parameters: [{ key: 'A', value: '2', init: true }] })],
    ['label', (one) => ({ ...one, annotations: changed(one['annotations'], 'label-team') })],
  ];
  it.each(CHANGES)('brings back what somebody has changed: the %s', async (_, change) => {
    await using it = await bench({ jobs });
    const config = { env: { A: '1' }, labels: { team: 'north' } };
    await it.deploy(1, config);
    const made = it.fake.actions.get('jobferry-job-1') ?? {};
    it.fake.actions.set('jobferry-job-1', change(made));
    await it.deploy(1, config);
    const { limits, exec, parameters, annotations } = made;
    const now = it.fake.actions.get('jobferry-job-1');
    expect(now).toMatchObject({ limits, exec, parameters, annotations });
  });

  it('takes what the API leaves out for what it was', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { env: { A: '1' } });
    const { limits: _, parameters: __, ...brief } = it.fake.actions.get('jobferry-job-1') ?? {};
    it.fake.actions.set('jobferry-job-1', { ...brief, exec: { binary: true } });
    const before = it.fake.writes().length;
    await it.deploy(1, { env: { A: '1' } });
    expect(it.fake.writes()).toHaveLength(before);
  });

  it.each([
    [{ maxConcurrency: 3 }, 'UNSUPPORTED', '`maxConcurrency`'],
    [{ secrets: { A: 'b' } }, 'UNSUPPORTED', '`secrets`'],
    [{ memoryMb: 2048 }, 'CONFIG', '`memoryMb` is 2048: use an integer from 128 to 1024'],
    [{ timeoutSecs: 901 }, 'CONFIG', '`timeoutSecs` is 901'],
    [{ keepWarm: 3 }, 'CONFIG', '`keepWarm` is 0 or 1'],
    [{ digitalocean: { knd: 'nodejs:20' } as object }, 'UNSUPPORTED', 'has no `knd`'],
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
    const wrong = (option: object) => () =>
      new DigitalOceanExecutor({ token: 't', region: 'r', ...option } as never);
    expect(wrong({ nonsense: 1 })).toThrow(/no option `nonsense`/);
    expect(wrong({ digitalocean: { knd: 'x' } })).toThrow(/no option `digitalocean.knd`. Known: kind, main/);
  });
});
