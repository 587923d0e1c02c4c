/** What a deploy changes of a function that is there, and what it leaves as it is. */
import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import type { GcpFunctionOptions } from '../../src/executors/gcp-functions/index.js';
import { type FakeGcp, PROJECT, REGION } from '../fakes/gcp-functions.js';
import { artifact, bench, failureOf } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const SERVICE = `projects/${PROJECT}/locations/${REGION}/services/jobferry-job-1`;
const [alice, bob, carol] = ['user:alice@b.c', 'user:bob@b.c', 'user:carol@b.c'] as const;

function invokersOf(fake: FakeGcp): unknown[] {
  const bindings = (fake.http.policies.get(SERVICE)?.['bindings'] ?? []) as { members: string[] }[];
  return bindings.flatMap(({ members }) => members);
}

/** As someone with the console does. */
function grant(fake: FakeGcp, ...members: string[]): void {
  const policy = fake.http.policies.get(SERVICE) ?? { version: 1, etag: 'e0' };
  const role = { role: 'roles/run.invoker', members: [...invokersOf(fake), ...members] };
  fake.http.policies.set(SERVICE, { ...policy, bindings: [role] });
}

function serviceOf(fake: FakeGcp): Record<string, unknown> {
  return (fake.functionNamed('jobferry-job-1')?.['serviceConfig'] ?? {}) as Record<string, unknown>;
}

describe('who may call', () => {
  it('loses what a deploy gave when the config no longer names them, and nobody loses what others gave', async () => {
    await using it = await bench({ jobs });
    const deploy = (gcp: GcpFunctionOptions) => it.deploy(1, { gcp });
    await deploy({ invokers: [alice, bob] });
    grant(it.fake, carol);
    await deploy({ invokers: [alice, carol] });
    expect(invokersOf(it.fake)).toEqual([alice, carol]);
    const before = it.fake.writes().length;
    await deploy({ invokers: [carol, alice] });
    expect(it.fake.writes()).toHaveLength(before);
    // Carol has it of someone else.
    await deploy({});
    expect(invokersOf(it.fake)).toEqual([carol]);
    await deploy({});
    expect(Object.keys(it.fake.functionNamed('jobferry-job-1')?.['labels'] ?? {}).join()).not.toContain(
      'invokers',
    );
  });

  it('is nobody any more after `allowUnauthenticated: false`, whoever let everyone in', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { gcp: { allowUnauthenticated: true } });
    expect(invokersOf(it.fake)).toEqual(['allUsers']);
    await it.deploy(1, { gcp: { allowUnauthenticated: false } });
    expect(invokersOf(it.fake)).toEqual([]);
    grant(it.fake, 'allAuthenticatedUsers', carol, 'allUsers');
    await it.deploy(1);
    expect(invokersOf(it.fake)).toEqual(['allAuthenticatedUsers', carol, 'allUsers']);
    await it.deploy(1, { gcp: { allowUnauthenticated: false } });
    expect(invokersOf(it.fake)).toEqual([carol]);
    const error = await failureOf(
      it.deploy(1, { gcp: { allowUnauthenticated: false, invokers: ['allUsers'] } }),
    );
    expect(error).toMatchObject({ code: 'CONFIG', executed: 'no' });
  });

  it('is known however a deploy breaks off: the next one takes back what it gave', async () => {
    for (const operation of ['UpdateFunction', 'GET policy', 'POST policy']) {
      for (let nth = 0; nth < 3; nth += 1) {
        await using it = await bench({ jobs });
        await it.deploy(1, { gcp: { invokers: [alice] } });
        const dying = new AbortController();
        it.fake.fault(operation, {}, nth);
        it.fake.fault(operation, { run: () => dying.abort() });
        const gcp = { invokers: [bob] };
        await it.executor.deployJob(1, artifact, { memoryMb: 512, gcp }, dying.signal).catch(() => undefined);
        it.fake.faults.length = 0;
        await it.deploy(1, { gcp: { invokers: [carol] } });
        expect(invokersOf(it.fake), `${operation} ${nth}`).toEqual([carol]);
      }
    }
  });

  it('of a service that is gone does not keep a deploy from making it anew', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { gcp: { invokers: [alice] } });
    it.fake.fault('GET policy', { status: 404, body: JSON.stringify({ error: { status: 'NOT_FOUND' } }) });
    await it.deploy(1, { maxConcurrency: 2, gcp: { invokers: [alice, bob] } });
    expect(invokersOf(it.fake)).toEqual([alice, bob]);
  });

  it('is read again when the policy changes in between', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { gcp: { invokers: [alice] } });
    it.fake.fault('POST policy', {
      status: 409,
      body: JSON.stringify({ error: { status: 'ABORTED', message: 'concurrent change' } }),
      run: () => grant(it.fake, carol),
    });
    await it.deploy(1, { gcp: { invokers: [bob] } });
    expect(invokersOf(it.fake)).toEqual([carol, bob]);
  });
});

describe('a config from which something was taken out', () => {
  it('gives it back to Google, with one update', async () => {
    await using it = await bench({ jobs });
    const gcp = { serviceAccount: 'a@b.c', vpcConnector: 'projects/p/locations/l/connectors/c', cpu: '1' };
    await it.deploy(1, { maxConcurrency: 1, gcp, labels: { team: 'north' } });
    expect(serviceOf(it.fake)).toMatchObject({ maxInstanceCount: 1, serviceAccountEmail: 'a@b.c' });
    const before = it.fake.writes().length;
    const found = await it.deploy(1);
    expect(it.fake.writes().slice(before)).toEqual(['UpdateFunction']);
    expect(found.maxConcurrency).toBeUndefined();
    for (const field of ['maxInstanceCount', 'serviceAccountEmail', 'vpcConnector', 'availableCpu'])
      expect(serviceOf(it.fake)[field] || undefined, field).toBeUndefined();
    expect(it.fake.functionNamed('jobferry-job-1')?.['labels']).not.toHaveProperty('team');
    await it.deploy(1);
    expect(it.fake.writes()).toHaveLength(before + 1);
  });
});

describe('what others have set', () => {
  it('stays when something else changes', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { env: { A: '1' } });
    const theirs = {
      serviceAccountEmail: 'ops@b.c',
      vpcConnector: 'projects/p/locations/l/connectors/ops',
      maxInstanceCount: 7,
    };
    Object.assign(serviceOf(it.fake), theirs);
    const fn = it.fake.functionNamed('jobferry-job-1') ?? {};
    Object.assign(fn['labels'] as object, { cost: 'ops' });
    Object.assign(fn['buildConfig'] as object, { environmentVariables: { BUILD: 'theirs' } });
    const before = it.fake.writes().length;
    await it.deploy(1, { env: { A: '1' } });
    expect(it.fake.writes()).toHaveLength(before);
    await it.deploy(1, { env: { A: '2' } });
    expect(serviceOf(it.fake)).toMatchObject({
      ...theirs,
      environmentVariables: { A: '2' },
      service: SERVICE,
    });
    // A failed function is written whole, and with what is theirs.
    const failed = it.fake.functionNamed('jobferry-job-1') ?? {};
    failed['state'] = 'FAILED';
    await it.deploy(1, { env: { A: '2' } });
    expect(serviceOf(it.fake)).toMatchObject(theirs);
    expect(it.fake.functionNamed('jobferry-job-1')).toMatchObject({
      labels: { cost: 'ops' },
      buildConfig: { environmentVariables: { BUILD: 'theirs' } },
    });
  });
});

it('CPUs that Google derived from the memory go with it', async () => {
  await using it = await bench({ jobs });
  await it.deploy(1);
  serviceOf(it.fake)['availableCpu'] = '0.1666';
  await it.deploy(1, { env: { A: '1' } });
  expect(serviceOf(it.fake)['availableCpu']).toBe('0.1666');
  await it.deploy(1, { env: { A: '1' }, memoryMb: 2048 });
  expect(serviceOf(it.fake)['availableCpu'] || undefined).toBeUndefined();
});

describe('a create or an update that Google has no time for', () => {
  it.each([
    ['RESOURCE_EXHAUSTED', { code: 8, message: 'Quota exceeded for writes' }],
    ['UNAVAILABLE', { code: 14, message: 'try again' }],
    ['UNAVAILABLE after it was taken', { code: 14, after: true, message: 'connection reset' }],
  ])('(%s) is decided anew, and the package is uploaded once', async (_, fault) => {
    await using it = await bench({ jobs });
    it.fake.fault('CreateFunction', fault);
    expect(await it.deploy(1)).toMatchObject({ memoryMb: 256 });
    it.fake.fault('UpdateFunction', fault);
    expect(await it.deploy(1, { memoryMb: 512 })).toMatchObject({ memoryMb: 512 });
    const uploads = it.fake.operations.filter((one) => one === 'PUT upload');
    expect([uploads.length, it.fake.functions.size]).toEqual([1, 1]);
  });

  it('whose build fails for Google’s own fault is not built again', async () => {
    await using it = await bench({ jobs });
    it.fake.operationError = { code: 13, message: 'internal' };
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'UNAVAILABLE', executed: 'no' });
    expect(it.fake.operations.filter((one) => one === 'CreateFunction')).toHaveLength(1);
  });
});
