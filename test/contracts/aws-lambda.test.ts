import { afterEach, describe, expect, it, test } from 'vitest';
import { defineJob } from '../../src/core/define-job.js';
import { callContext } from '../../src/core/scope.js';
import { readRefusal, refusalError } from '../../src/executors/aws-lambda/errors.js';
import { contractJobs } from '../../src/testing/contract-jobs.js';
import { executorContract } from '../../src/testing/executor-contract.js';
import { artifact, bench, callOf, executorFor, failureOf, otherArtifact } from '../aws-lambda/setup.js';
import type { FakeLambdaOptions, ObservedExchange } from '../fakes/aws-lambda.js';
import { AwsModel } from './aws-model.js';
import { contractFile } from './folder.js';

const model = new AwsModel(contractFile('aws/lambda-2015-03-31.trimmed.json'));
/** Of other services, whose models are not in the folder. */
const ELSEWHERE = new Set(['FilterLogEvents', 'PutObject', 'HeadObject']);

let faults: string[] = [];
const seen = new Set<string>();

const observe = ({ request, reply }: ObservedExchange) => {
  if (ELSEWHERE.has(request.operation)) return;
  seen.add(request.operation);
  faults.push(...model.requestFaults(request), ...model.replyFaults(request, reply));
};
const checked = (options: FakeLambdaOptions = {}, executor = {}) => bench({ ...options, observe }, executor);

afterEach(() => {
  expect(faults).toEqual([]);
  faults = [];
});

const jobs = [defineJob({ id: 1, name: 'echo', codec: 'bytes', handler: (input: Uint8Array) => input })];
const FULL = {
  memoryMb: 256,
  timeoutSecs: 30,
  env: { AA: '1' },
  maxConcurrency: 3,
  keepWarm: 1,
  labels: { team: 'north' },
  secrets: { KEY: 'arn:aws:ssm:eu-central-1:123456789012:parameter/key' },
  aws: {
    architecture: 'arm64',
    layers: ['arn:aws:lambda:eu-central-1:123456789012:layer:tools:3'],
    vpc: { subnetIds: ['subnet-1'], securityGroupIds: ['sg-1'] },
    ephemeralStorageMb: 1024,
    deadLetterArn: 'arn:aws:sqs:eu-central-1:123456789012:dead',
    onFailureArn: 'arn:aws:sqs:eu-central-1:123456789012:failed',
    onSuccessArn: 'arn:aws:sqs:eu-central-1:123456789012:done',
    eventRetries: 1,
    eventMaxAgeSecs: 600,
    logFormat: 'JSON',
    tracing: 'Active',
    kmsKeyArn: 'arn:aws:kms:eu-central-1:123456789012:key/1',
  },
} as const;

describe('every request and every reply of the fake is valid under AWS’s model', () => {
  executorContract({
    name: 'LambdaExecutor',
    test,
    expect,
    create: async () => {
      const { executor, fake, deploy } = await checked({ jobs: contractJobs });
      return { executor, deploy, cleanup: () => fake.close() };
    },
  });

  it('through a life with every option, and without any again', async () => {
    await using it = await checked({ jobs, settleReads: 2, roleUnknownFor: 1 }, { alias: 'live' });
    await it.executor.deployJob(1, artifact, FULL);
    await it.executor.deployJob(1, otherArtifact, { ...FULL, env: { BB: '2' } });
    await it.executor.invoke(callOf(1), callContext());
    await it.executor.invokeAsync(callOf(1), callContext());
    for await (const _ of it.executor.invokeStream(callOf(1), callContext()));
    await it.executor.dryRun(1);
    await it.executor.warm(1, 2);
    await it.executor.listDeployments();
    await it.executor.deployJob(1, otherArtifact, {});
    await it.executor.healthCheck(1);
    await it.executor.undeployJob(1);
  });

  it('through a bucket', async () => {
    await using it = await checked({ jobs });
    const executor = executorFor(it.fake, {
      upload: { bucket: 'code-bucket', endpoint: it.fake.url, aboveBytes: 1 },
    });
    await executor.deployJob(1, artifact);
    await executor.deployJob(1, otherArtifact);
    await executor.close();
  });

  it('when it refuses: missing, busy, throttled, too large, drifted, denied', async () => {
    await using it = await checked({ jobs }, { limits: { maxPayloadBytes: 9_000_000 } });
    await failureOf(it.executor.invoke(callOf(1), callContext()));
    await it.deploy(1, { maxConcurrency: 1 });
    it.fake.functions.get('jobferry-job-1').inFlight = 1;
    await failureOf(it.executor.invoke(callOf(1), callContext()));
    const target = it.fake.functions.get('jobferry-job-1');
    it.fake.fault('UpdateFunctionConfiguration', {
      run: () => {
        target.configuration['RevisionId'] = 'someone-else';
      },
    });
    await it.deploy(1, { memoryMb: 1024 });
    it.fake.keys.clear();
    await failureOf(it.executor.healthCheck(1));
  });

  it('and all operations the executor has were seen', () => {
    expect([...seen].sort()).toEqual(
      [
        'CreateAlias',
        'CreateFunction',
        'DeleteFunction',
        'DeleteFunctionConcurrency',
        'DeleteProvisionedConcurrencyConfig',
        'GetAlias',
        'GetFunction',
        'GetFunctionConfiguration',
        'GetProvisionedConcurrencyConfig',
        'Invoke',
        'InvokeWithResponseStream',
        'ListFunctions',
        'PublishVersion',
        'PutFunctionConcurrency',
        'PutFunctionEventInvokeConfig',
        'PutProvisionedConcurrencyConfig',
        'TagResource',
        'UntagResource',
        'UpdateAlias',
        'UpdateFunctionCode',
        'UpdateFunctionConfiguration',
      ].sort(),
    );
  });
});

describe('the error table', () => {
  const place = { provider: 'aws-lambda', functionName: 'job', origin: 'https://lambda' };

  it.each([...model.errorsOf('Invoke')])('knows %s (%i) of the operation Invoke by name', (type, status) => {
    const reply = { status, headers: { 'x-amzn-errortype': type }, body: Buffer.from('{}') };
    const other = { ...reply, headers: { 'x-amzn-errortype': `${type}OfTheFuture` } };
    const known = refusalError(readRefusal(reply), 'invoke', place, (text) => text);
    const unknown = refusalError(readRefusal(other), 'invoke', place, (text) => text);
    // A 5xx that the table knew only by its status could not claim that nothing ran.
    if (status >= 500 && type !== 'ServiceException')
      expect([known.executed, unknown.executed]).toEqual(['no', 'maybe']);
    expect(known.status).toBe(status);
  });
});

describe('the check itself', () => {
  const headers = { 'x-amz-date': '20261120T000000Z' };
  const faultsOf = (method: string, target: string, body: object = {}, more = {}) =>
    model.requestFaults({
      method,
      target,
      headers: { ...headers, ...more },
      body: Buffer.from(JSON.stringify(body)),
    });
  const CREATE = { FunctionName: 'a', Role: 'arn:aws:iam::123456789012:role/a', Code: { ZipFile: 'AA==' } };

  it('passes a good request', () => {
    expect(faultsOf('POST', '/2015-03-31/functions', CREATE)).toEqual([]);
  });

  it.each([
    ['another path', 'POST', '/2015-03-31/function', CREATE, 'no operation'],
    ['another method', 'PATCH', '/2015-03-31/functions', CREATE, 'no operation'],
    ['a member of no model', 'POST', '/2015-03-31/functions', { ...CREATE, Color: 'red' }, 'Color'],
    [
      'a member that is missing',
      'POST',
      '/2015-03-31/functions',
      { FunctionName: 'a', Role: CREATE.Role },
      'Code',
    ],
    ['a wrong type', 'POST', '/2015-03-31/functions', { ...CREATE, Timeout: '3' }, 'Timeout'],
    ['a figure out of range', 'POST', '/2015-03-31/functions', { ...CREATE, MemorySize: 1 }, 'MemorySize'],
    ['a value out of the enum', 'POST', '/2015-03-31/functions', { ...CREATE, Runtime: 'cobol' }, 'Runtime'],
    ['a nested member', 'POST', '/2015-03-31/functions', { ...CREATE, Code: { ZipFiel: 'AA==' } }, 'ZipFiel'],
    ['a query of no model', 'GET', '/2015-03-31/functions?Colour=1', {}, 'Colour'],
    ['a name that is none', 'GET', '/2015-03-31/functions/a%20b', {}, 'path'],
  ])('finds %s', (_what, method, target, body, part) => {
    const found = faultsOf(method, target, body);
    expect(found.join('\n')).toContain(part);
  });

  it('finds a header of no model, and a reply that is none', () => {
    const target = '/2015-03-31/functions/a/invocations';
    expect(faultsOf('POST', target, {}, { 'x-amz-colour': 'red' }).join()).toContain('x-amz-colour');
    const request = {
      method: 'GET',
      target: '/2015-03-31/functions/a/configuration',
      headers,
      body: Buffer.alloc(0),
    };
    const reply = (status: number, body: object, more = {}) =>
      model.replyFaults(request, { status, headers: more, body: Buffer.from(JSON.stringify(body)) }).join();
    expect(reply(200, { FunctionName: 'a', State: 'Active' })).toBe('');
    expect(reply(200, { State: 'Dreaming' })).toContain('State');
    expect(reply(202, {})).toContain('202');
    expect(reply(418, {}, { 'x-amzn-errortype': 'TeapotException' })).toContain('TeapotException');
    expect(reply(409, {}, { 'x-amzn-errortype': 'ResourceNotFoundException' })).toContain('409');
  });
});
