import { describe, expect, it } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { artifact, bench, failureOf } from './setup.js';

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const NAME = 'jobferry-job-1';

describe('a second deployer', () => {
  it('is noticed by the revision: look again, decide again', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const target = it.fake.functions.get(NAME);
    it.fake.fault('UpdateFunctionConfiguration', {
      run: () => {
        target.configuration['RevisionId'] = 'someone-else';
      },
    });
    await it.deploy(1, { memoryMb: 1024 });
    expect(it.fake.operations().filter((name) => name === 'UpdateFunctionConfiguration')).toHaveLength(2);
    expect(target.configuration['MemorySize']).toBe(1024);
  });

  it('that does not stop is a CONFLICT', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const target = it.fake.functions.get(NAME);
    let turn = 0;
    it.fake.fault(
      'UpdateFunctionConfiguration',
      {
        run: () => {
          target.configuration['RevisionId'] = `turn-${++turn}`;
        },
      },
      9,
    );
    const error = await failureOf(it.deploy(1, { memoryMb: 1024 }));
    expect(error).toMatchObject({ code: 'CONFLICT', status: 412, executed: 'no' });
    expect(turn).toBe(2);
  });

  it('whose update is in progress is waited for', async () => {
    await using it = await bench({ jobs });
    await it.deploy(1);
    const busy = { status: 409, type: 'ResourceConflictException', message: 'An update is in progress' };
    it.fake.fault('UpdateFunctionConfiguration', busy, 2);
    await it.deploy(1, { memoryMb: 1024 });
    expect(it.fake.functions.get(NAME).configuration['MemorySize']).toBe(1024);
  });
});

describe('a deploy that fails', () => {
  it('origin-defects 0.2: each write step that is refused fails the deploy, with AWS’s reason and what was done', async () => {
    const config = { keepWarm: 1, maxConcurrency: 2, labels: { a: 'b' }, aws: { eventRetries: 1 } };
    const writes = [
      'CreateFunction',
      'PutFunctionConcurrency',
      'PublishVersion',
      'CreateAlias',
      'PutFunctionEventInvokeConfig',
      'TagResource',
      'PutProvisionedConcurrencyConfig',
    ];
    for (const [index, operation] of writes.entries()) {
      for (const status of [400, 403, 404, 413]) {
        await using it = await bench({ jobs }, { alias: 'live' });
        it.fake.fault(operation, { status, type: 'SomeNewException', message: 'the reason' });
        const error = await failureOf(it.executor.deployJob(1, artifact, config));
        expect(error.message).toContain('the reason');
        expect(error.executed).toBe('no');
        expect(error.message).toContain(
          index === 0 ? 'was not deployed' : 'was deployed in part (done: create',
        );
      }
    }
  });

  it('a zip that Lambda calls broken is one attempt, although it is a 502', async () => {
    await using it = await bench({ jobs });
    it.fake.fault(
      'CreateFunction',
      { status: 502, type: 'InvalidZipFileException', message: 'Could not unzip' },
      9,
    );
    expect(await failureOf(it.deploy(1))).toMatchObject({ code: 'CONFIG', status: 502 });
    expect(it.fake.operations().filter((name) => name === 'CreateFunction')).toHaveLength(1);
  });

  it('throttles and outages are waited out, with Retry-After', async () => {
    await using it = await bench({ jobs });
    it.fake.fault('CreateFunction', {
      status: 429,
      type: 'TooManyRequestsException',
      headers: { 'retry-after': '1' },
    });
    it.fake.fault('GetFunction', { status: 500, type: 'ServiceException' });
    const startedMs = performance.now();
    await it.deploy(1);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1000);
  });

  it('origin-defects 0.4: a function that never gets ready ends with the deadline and names its state', async () => {
    await using it = await bench({ jobs, settleReads: 1e9 }, { deployTimeoutMs: 400 });
    const error = await failureOf(it.deploy(1));
    expect(error).toMatchObject({ code: 'TIMEOUT', executed: 'no' });
    expect(error.message).toMatch(
      /failed at wait for the end of: State Pending; Creating: The function is being created/,
    );
  });

  it('a function that fails to start carries AWS’s code, its text and what to do', async () => {
    await using it = await bench({
      jobs,
      outcome: () => ({ code: 'SubnetOutOfIPAddresses', reason: 'subnet-1 is full' }),
    });
    const error = await failureOf(it.deploy(1));
    expect(error.code).toBe('CONFIG');
    expect(error.message).toContain('SubnetOutOfIPAddresses: subnet-1 is full: use larger or more subnets');
  });

  it('an update that failed is written again by the next deploy, though nothing differs', async () => {
    let broken = false;
    await using it = await bench({
      jobs,
      outcome: () => (broken ? { code: 'InvalidSubnet', reason: 'gone' } : undefined),
    });
    await it.deploy(1);
    broken = true;
    await failureOf(it.deploy(1, { memoryMb: 1024 }));
    expect(await it.executor.healthCheck(1)).toMatchObject({ status: 'unhealthy' });
    broken = false;
    await it.deploy(1, { memoryMb: 1024 });
    expect(await it.executor.healthCheck(1)).toEqual({ status: 'healthy' });
  });

  it('that its caller gives up ends at once', async () => {
    await using it = await bench({ jobs, settleReads: 1e9 }, { pollMs: 60_000 });
    const controller = new AbortController();
    const outcome = failureOf(it.executor.deployJob(1, artifact, {}, controller.signal));
    setTimeout(() => controller.abort(), 300);
    expect(await outcome).toMatchObject({ code: 'CANCELLED', executed: 'no' });
  });

  it('a state that AWS adds some day is not ready yet, and no crash', async () => {
    await using it = await bench({ jobs }, { deployTimeoutMs: 300 });
    it.fake.fault('GetFunctionConfiguration', {
      run: () => {
        it.fake.functions.get(NAME).configuration['State'] = 'Dreaming';
      },
    });
    expect((await failureOf(it.deploy(1))).message).toContain('Dreaming');
  });
});
