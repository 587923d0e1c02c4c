import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import type { DeployStep } from '../../src/executors/aws-lambda/index.js';
import { artifact, bench, callOf, executorFor, failureOf, otherArtifact } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';

describe('a first deploy', () => {
  it('creates, waits until the function can be called, and says what AWS says', async () => {
    const steps: DeployStep[] = [];
    await using it = await bench({ jobs, settleReads: 3 }, { onProgress: ({ step }) => steps.push(step) });
    const deployment = await it.deploy(1, { memoryMb: 256, timeoutSecs: 30, maxConcurrency: 4 });
    expect(it.fake.writes()).toEqual(['CreateFunction', 'PutFunctionConcurrency']);
    expect(deployment).toMatchObject({
      functionName: NAME,
      endpoint: `arn:aws:lambda:eu-central-1:123456789012:function:${NAME}`,
      memoryMb: 256,
      timeoutSecs: 30,
      maxConcurrency: 4,
      sha256: artifact.sha256,
      artifactBytes: artifact.bytes.length,
    });
    expect(deployment).not.toHaveProperty('coldStartMs');
    expect(steps).toEqual(['read', 'create', 'wait', 'wait', 'concurrency', 'done']);
    await it.executor.invoke(callOf(1), callContext());
  });

  it('waits for a role that is too new, and only for that', async () => {
    await using it = await bench({ jobs, roleUnknownFor: 3 });
    await it.deploy(1);
    expect(it.fake.operations().filter((name) => name === 'CreateFunction')).toHaveLength(4);
    it.fake.fault('CreateFunction', {
      status: 400,
      type: 'InvalidParameterValueException',
      message: 'Unzipped size must be smaller',
    });
    expect(await failureOf(it.deploy(2))).toMatchObject({ code: 'INVALID_REQUEST', executed: 'no' });
    expect(it.fake.operations().filter((name) => name === 'CreateFunction')).toHaveLength(5);
  });

  it('that loses the race for the name goes on as an update', async () => {
    await using it = await bench({ jobs });
    const other = executorFor(it.fake);
    const [one, two] = await Promise.all([
      it.deploy(1, { memoryMb: 256 }),
      other.deployJob(1, artifact, { memoryMb: 256 }),
    ]);
    expect(one.sha256).toBe(two.sha256);
    await other.close();
  });

  it('whose reply is lost goes on as an update', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('CreateFunction', { reset: 'after' });
    expect((await it.deploy(1)).functionName).toBe(NAME);
    expect(it.fake.writes()).toEqual(['CreateFunction', 'CreateFunction']);
  });
});

describe('deploying again', () => {
  it('origin-defects 1.2: the same makes no write at all', async () => {
    await using it = await bench({ jobs }, { alias: 'live' });
    const config = {
      memoryMb: 256,
      env: { AA: '1' },
      maxConcurrency: 5,
      keepWarm: 2,
      labels: { team: 'north' },
      aws: {
        onFailureArn: 'arn:aws:sqs:eu-central-1:123456789012:dead',
        layers: ['arn:aws:lambda:eu-central-1:1:layer:a:1'],
      },
    };
    await it.executor.deployJob(1, artifact, config);
    const before = it.fake.writes().length;
    await it.executor.deployJob(1, artifact, config);
    expect(it.fake.writes().slice(before)).toEqual([]);
  });

  it('origin-defects 1.2: another environment is one write', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1, { env: { AA: '1' } });
    const before = it.fake.writes().length;
    await it.deploy(1, { env: { BB: '2' } });
    expect(it.fake.writes().slice(before)).toEqual(['UpdateFunctionConfiguration']);
    const { Environment } = it.fake.functions.get(NAME).configuration as {
      Environment: { Variables: object };
    };
    expect(Environment.Variables).toMatchObject({ BB: '2' });
    expect(Environment.Variables).not.toHaveProperty('AA');
  });

  it('origin-defects 1.2: code and configuration are written in turn, each after the other is in force', async () => {
    await using it = await bench({ jobs, settleReads: 3 });
    await it.deploy(1);
    const before = it.fake.operations().length;
    await it.executor.deployJob(1, otherArtifact, { memoryMb: 1024, aws: { architecture: 'arm64' } });
    const steps = it.fake.operations().slice(before);
    const reads = steps.slice(
      steps.indexOf('UpdateFunctionCode') + 1,
      steps.indexOf('UpdateFunctionConfiguration'),
    );
    expect(reads.length).toBeGreaterThanOrEqual(4);
    expect(new Set(reads)).toEqual(new Set(['GetFunctionConfiguration']));
    expect(it.fake.functions.get(NAME).configuration).toMatchObject({
      MemorySize: 1024,
      Architectures: ['arm64'],
    });
    expect((await it.executor.getDeployment(1))?.sha256).toBe(otherArtifact.sha256);
  });

  it('origin-defects 0.3: only a real 404 leads to a create', async () => {
    for (const fault of [
      { status: 403, type: 'AccessDeniedException' },
      { status: 404, body: '<html>not AWS</html>' },
      { status: 400, type: 'InvalidParameterValueException' },
    ]) {
      await using it = await bench({ jobs });
      it.fake.fault('GetFunction', fault);
      await failureOf(it.deploy(1));
      expect(it.fake.writes()).toEqual([]);
    }
  });

  it('takes away what is no longer asked for, and leaves the tags of others', async () => {
    await using it = await bench({ jobs }, { alias: 'live' });
    await it.executor.deployJob(1, artifact, {
      maxConcurrency: 5,
      keepWarm: 1,
      labels: { team: 'north' },
      aws: { eventRetries: 0, deadLetterArn: 'arn:aws:sqs:eu-central-1:123456789012:dead' },
    });
    const target = it.fake.functions.get(NAME);
    expect(target.configuration['DeadLetterConfig']).toEqual({
      TargetArn: 'arn:aws:sqs:eu-central-1:123456789012:dead',
    });
    target.tags['cost-centre'] = '7';
    await it.deploy(1);
    expect(target).toMatchObject({ reserved: undefined, tags: { 'cost-centre': '7' } });
    expect(Object.keys(target.tags)).toEqual(['cost-centre']);
    expect(target.provisioned.size).toBe(0);
    expect(target.configuration['DeadLetterConfig']).toBeUndefined();
    expect(target.events.get('live')).toMatchObject({
      MaximumRetryAttempts: 2,
      MaximumEventAgeInSeconds: 21_600,
    });
  });
});

describe('an alias', () => {
  it('points at a new version only when something changed, and warm instances follow', async () => {
    await using it = await bench({ jobs, settleReads: 2 }, { alias: 'live' });
    const deployment = await it.deploy(1, { keepWarm: 2 });
    expect(deployment.endpoint).toMatch(/:live$/);
    const target = it.fake.functions.get(NAME);
    expect(target.aliases.get('live')).toMatchObject({ FunctionVersion: '1' });
    await it.executor.deployJob(1, otherArtifact, { keepWarm: 2 });
    expect(target.aliases.get('live')).toMatchObject({ FunctionVersion: '2' });
    expect(target.provisioned.get('live')).toMatchObject({ requested: 2 });
    expect(await it.executor.warm(1, 2)).toBe(2);
  });

  it('is what `keepWarm` needs', async () => {
    await using it = await bench({ jobs });
    const error = await failureOf(it.deploy(1, { keepWarm: 1 }));
    expect(error).toMatchObject({ code: 'CONFIG' });
    expect(error.message).toContain('`alias`');
    expect(it.fake.requests).toEqual([]);
  });
});
