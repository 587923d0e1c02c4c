import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { PROJECT, REGION } from '../fakes/gcp-functions.js';
import { artifact, bench, failureOf, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const FIRST_DEPLOY = ['GenerateUploadUrl', 'PUT upload', 'CreateFunction'];

describe('a deploy', () => {
  it('asks for an upload URL, uploads, creates and waits: origin-defects: it slept five seconds', async () => {
    const steps: string[] = [];
    await using it = await bench({ jobs }, { onProgress: ({ step }) => steps.push(step) });
    const deployment = await it.deploy(1, {
      env: { LEVEL: '9' },
      timeoutSecs: 60,
      keepWarm: 2,
      maxConcurrency: 5,
      labels: { team: 'north' },
      secrets: { DB: 'db-password:3', KEY: `projects/other/secrets/key` },
      gcp: { cpu: '1', serviceAccount: 'runner@p.iam.gserviceaccount.com', ingress: 'internal' },
    });
    expect(it.fake.writes()).toEqual(FIRST_DEPLOY);
    const fn = it.fake.functionNamed('jobferry-job-1');
    expect(fn).toMatchObject({
      environment: 'GEN_2',
      state: 'ACTIVE',
      labels: { team: 'north', 'jobferry-job-id': '1' },
      buildConfig: { runtime: 'nodejs22', entryPoint: 'main' },
      serviceConfig: {
        availableMemory: '256Mi',
        availableCpu: '1',
        timeoutSeconds: 60,
        minInstanceCount: 2,
        maxInstanceCount: 5,
        maxInstanceRequestConcurrency: 1,
        environmentVariables: { LEVEL: '9' },
        ingressSettings: 'ALLOW_INTERNAL_ONLY',
        serviceAccountEmail: 'runner@p.iam.gserviceaccount.com',
        secretEnvironmentVariables: [
          { key: 'DB', projectId: PROJECT, secret: 'db-password', version: '3' },
          { key: 'KEY', projectId: 'other', secret: 'key', version: 'latest' },
        ],
      },
    });
    expect(deployment).toMatchObject({
      functionName: 'jobferry-job-1',
      endpoint: `${it.fake.http.url}/run/jobferry-job-1`,
      memoryMb: 256,
      timeoutSecs: 60,
      maxConcurrency: 5,
      sha256: artifact.sha256,
      artifactBytes: artifact.bytes.length,
    });
    expect(steps).toEqual(['read', 'upload', 'create', 'wait', 'wait', 'done']);
  });

  it('uploads exactly the package, with no Authorization header', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    expect([...it.fake.http.uploads.values()]).toEqual([Buffer.from(artifact.bytes)]);
    expect(it.fake.http.uploadHeaders).toHaveLength(1);
    expect(it.fake.http.uploadHeaders[0]).toMatchObject({ 'content-type': 'application/zip' });
    expect(it.fake.http.uploadHeaders[0]).not.toHaveProperty('authorization');
  });

  it('of the same again writes nothing, whatever labels Google’s own tools have added', async () => {
    await using it = await bench({ jobs });
    const config = { env: { A: '1', B: '2' }, secrets: { S: 's' }, maxConcurrency: 4 };
    await it.deploy(1, config);
    const fn = it.fake.functionNamed('jobferry-job-1') ?? {};
    (fn['labels'] as Record<string, string>)['goog-managed-by'] = 'cloudfunctions';
    const before = it.fake.writes().length;
    await it.deploy(1, { ...config, env: { B: '2', A: '1' } });
    expect(it.fake.writes()).toHaveLength(before);
  });

  it('replaces only what differs: a configuration needs no new build, code does', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const before = it.fake.writes().length;
    await it.deploy(1, { memoryMb: 512 });
    expect(it.fake.writes().slice(before)).toEqual(['UpdateFunction']);
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 512 });
    expect(it.fake.writes().slice(before + 1)).toEqual(['GenerateUploadUrl', 'PUT upload', 'UpdateFunction']);
    expect(await it.executor.getDeployment(1)).toMatchObject({
      memoryMb: 512,
      sha256: otherArtifact.sha256,
    });
  });

  it('mends what somebody changed by hand', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const service = it.fake.functionNamed('jobferry-job-1')?.['serviceConfig'] as Record<string, unknown>;
    service['availableMemory'] = '1Gi';
    const before = it.fake.writes().length;
    expect(await it.deploy(1)).toMatchObject({ memoryMb: 256 });
    expect(it.fake.writes().slice(before)).toEqual(['UpdateFunction']);
  });

  it.each([
    ['refused', { code: 7, message: 'Permission cloudfunctions.functions.create denied' }, 'AUTH'],
    ['over a quota', { code: 8, message: 'Quota exceeded' }, 'THROTTLED'],
    ['no request', { code: 3, message: 'runtime not found' }, 'INVALID_REQUEST'],
  ])('whose create is %s fails: origin-defects: it was a success', async (_, fault, code) => {
    await using it = await bench({ jobs });
    it.fake.fault('CreateFunction', fault, 9);
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(fault.message);
    expect(error.message).toContain('deployed in part (done: upload); it failed at create');
  });

  it('whose upload is refused sends no create, and shows nothing of the signature', async () => {
    await using it = await bench({ jobs });
    const body = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Expired</Message></Error>';
    it.fake.fault('PUT upload', { status: 403, body });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'PROTOCOL', executed: 'no', status: 403 });
    expect(error.message).toContain('AccessDenied: Expired');
    expect(JSON.stringify(error) + error.stack).not.toContain('fake-signature');
    expect(it.fake.operations).not.toContain('CreateFunction');
  });

  it('whose build fails names the stage, the reason and the log', async () => {
    await using it = await bench({ jobs });
    it.fake.operationError = { code: 3, message: 'Build failed: index.js is missing' };
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
    expect(error.message).toContain('Build failed: index.js is missing at stage BUILD');
    expect(error.message).toContain('https://console.cloud.google.com/cloud-build/builds/1');
    // The next one makes it whole, though labels say that it is all there.
    await it.deploy(1);
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
  });

  it('whose operation ends well and whose function does not, fails with what the function says', async () => {
    await using it = await bench({ jobs });
    it.fake.endState = 'FAILED';
    const error = await failureOf(it.deploy(1));
    expect(error.message).toContain('state FAILED; CloudRunServiceNotFound: it did not start');
  });

  it('that never ends is a TIMEOUT which names operation and stage', async () => {
    await using it = await bench({ jobs, polls: 1_000_000 }, { deployTimeoutMs: 900 });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(error.message).toMatch(/for the end of: BUILD IN_PROGRESS \(.*operations\/operation-/);
  });

  it('stops when its signal does, and survives a state nobody knows', async () => {
    await using it = await bench({ jobs, polls: 1_000_000 });
    it.fake.endState = 'SOMETHING_NEW';
    const stop = new AbortController();
    const waiting = it.executor.deployJob(1, artifact, {}, stop.signal);
    setTimeout(() => stop.abort(), 800);
    expect(await failureOf(waiting)).toMatchObject({ code: 'CANCELLED', executed: 'no' });
  });

  it('finds what a create made whose answer was lost', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('CreateFunction', { after: true, code: 6, message: 'exists' });
    await it.deploy(1);
    expect(it.fake.functions.size).toBe(1);
  });

  it.each([
    'GetFunction',
    'GenerateUploadUrl',
    'PUT upload',
    'CreateFunction',
    'UpdateFunction',
    'GetOperation',
  ])(
    'cut off at %s is finished by the next one',
    async (operation) => {
      for (const after of [false, true]) {
        await using it = await bench({ jobs });
        if (operation === 'UpdateFunction') await it.executor.deployJob(1, otherArtifact);
        const http = operation.includes(' ');
        const fault = http
          ? { reset: after ? ('after' as const) : ('before' as const) }
          : { code: 14, after, message: 'connection reset' };
        // More than are retried, where they are.
        it.fake.fault(operation, fault, http || operation.startsWith('G') ? 6 : 1);
        const first = await it.deploy(1).catch((error: unknown) => error);
        if (first instanceof Error) expect(first).toMatchObject({ executed: 'no' });
        it.fake.faults.length = 0;
        const found = await it.deploy(1);
        expect(found).toMatchObject({ sha256: artifact.sha256, memoryMb: 256 });
        expect(it.fake.functions.size).toBe(1);
      }
    },
    60_000,
  );

  it('waits while the function is being deployed by someone else, and then writes what differs', async () => {
    await using it = await bench({ jobs, polls: 20 });
    const other = it.executor.deployJob(1, otherArtifact);
    while (it.fake.functions.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const [, second] = await Promise.all([other, it.deploy(1)]);
    expect(second).toMatchObject({ sha256: artifact.sha256 });
  });

  it('waits and goes on after ABORTED and after a precondition that will pass', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    it.fake.fault('UpdateFunction', { code: 10, message: 'another operation is in progress' });
    it.fake.fault('UpdateFunction', { code: 9, message: 'function is in state DEPLOYING' });
    expect(await it.deploy(1, { memoryMb: 512 })).toMatchObject({ memoryMb: 512 });
  });

  it.each([
    [{ memoryMb: 64 }, 'CONFIG', '`memoryMb` is 64'],
    [{ timeoutSecs: 3601 }, 'CONFIG', '`timeoutSecs` is 3601'],
    [{ env: { PORT: '1' } }, 'CONFIG', '`env` has a name that is taken or none: "PORT"'],
    [{ secrets: { A: 'a b' } }, 'CONFIG', '`secrets.A` is no secret of Secret Manager'],
    [{ maxConcurrency: 7, gcp: { concurrency: 4 } }, 'CONFIG', 'must be a multiple of `gcp.concurrency` (4)'],
    [{ labels: { 'jobferry-x': '1' } }, 'CONFIG', '`labels.jobferry-x` is taken'],
    [{ gcp: { ingress: 'some' } }, 'CONFIG', '`gcp.ingress` is "some": use one of all, internal'],
    [{ gcp: { colour: 'red' } }, 'UNSUPPORTED', '`colour`'],
    [{ aws: { role: 'x' } }, 'UNSUPPORTED', 'Cloud Functions has no `aws`'],
  ])('refuses %j by name before anything is asked', async (config, code, text) => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.executor.deployJob(1, artifact, config as object));
    expect(error).toMatchObject({ code, executed: 'no' });
    expect(error.message).toContain(text);
    expect(it.fake.operations).toEqual([]);
  });

  it('counts calls, not instances: origin-defects: max_concurrency went into maxInstanceCount', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { maxConcurrency: 20, gcp: { concurrency: 4 } });
    expect(it.fake.functionNamed('jobferry-job-1')?.['serviceConfig']).toMatchObject({
      maxInstanceCount: 5,
      maxInstanceRequestConcurrency: 4,
    });
  });

  it('gives run.invoker on the Cloud Run service, keeps what others gave, and writes it once', async () => {
    await using it = await bench({ jobs });
    const service = `projects/${PROJECT}/locations/${REGION}/services/jobferry-job-1`;
    const conditional = {
      role: 'roles/run.invoker',
      members: ['user:a@b.c'],
      condition: { title: 'office' },
    };
    it.fake.http.policies.set(service, {
      version: 3,
      etag: 'e7',
      bindings: [{ role: 'roles/run.invoker', members: ['user:old@b.c'] }, conditional],
    });
    const invokers = ['serviceAccount:runner@p.iam.gserviceaccount.com'];
    it.fake.fault('POST policy', {
      status: 409,
      body: JSON.stringify({ error: { status: 'ABORTED', message: 'concurrent change' } }),
    });
    await it.deploy(1, { gcp: { invokers } });
    expect(it.fake.http.policies.get(service)?.['bindings']).toEqual([
      conditional,
      { role: 'roles/run.invoker', members: ['user:old@b.c', ...invokers] },
    ]);
    const before = it.fake.writes().length;
    await it.deploy(1, { gcp: { invokers } });
    expect(it.fake.writes()).toHaveLength(before);
  });
});
