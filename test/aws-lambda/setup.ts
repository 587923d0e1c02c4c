/** What the tests of this room share: a fake Lambda, an executor for it, packages and calls. */
import type { FunctionConfig } from '../../src/core/executor.js';
import type { JobCall } from '../../src/core/job.js';
import { LambdaExecutor, type LambdaExecutorOptions } from '../../src/executors/aws-lambda/index.js';
import { packageFiles } from '../../src/packaging/zip.js';
import {
  type FakeLambda,
  type FakeLambdaOptions,
  fakeLambda,
  KEYS,
  REGION,
  ROLE,
} from '../fakes/aws-lambda.js';

/** The fake runs jobs in its own process: what counts about a package is that it says how it is run. */
export const artifact = await packageFiles([
  { path: 'index.mjs', bytes: 'export const handler = () => null;\n' },
  { path: 'jobferry-lambda.json', bytes: '{"entry":1}\n' },
]);
export const otherArtifact = await packageFiles([
  { path: 'index.mjs', bytes: 'export const handler = () => 1;\n' },
  { path: 'jobferry-lambda.json', bytes: '{"entry":1}\n' },
]);

export function executorFor(fake: FakeLambda, options: LambdaExecutorOptions = {}): LambdaExecutor {
  return new LambdaExecutor({
    region: REGION,
    endpoint: fake.url,
    logsEndpoint: fake.url,
    credentials: KEYS,
    aws: { role: ROLE },
    pollMs: 1,
    ...options,
  });
}

/** A fake and an executor for it; closed together. */
export async function bench(fakeOptions: FakeLambdaOptions = {}, options: LambdaExecutorOptions = {}) {
  const fake = await fakeLambda(fakeOptions);
  const executor = executorFor(fake, options);
  return {
    fake,
    executor,
    deploy: (jobId: number, config: Partial<FunctionConfig> = {}) =>
      executor.deployJob(jobId, artifact, config),
    async [Symbol.asyncDispose]() {
      await executor.close();
      await fake.close();
    },
  };
}

let calls = 0;

export function callOf(jobId: number, changes: Partial<JobCall> = {}): JobCall {
  calls += 1;
  const call = {
    jobId,
    args: new Uint8Array(0),
    callId: `call-${calls}`,
    attempt: 1,
    deadline: Infinity,
    idempotent: false,
  };
  return { ...call, metadata: {}, ...changes };
}

/** The error of `work`; success and any other error fail the test. */
export async function failureOf(work: Promise<unknown>) {
  const { FaasError } = await import('../../src/core/errors.js');
  const outcome = await work.then(
    () => new Error('expected a failure, it succeeded'),
    (thrown: unknown) => thrown,
  );
  if (FaasError.is(outcome)) return outcome;
  throw outcome;
}
