/**
 * Deploys a job to AWS Lambda, runs it there and cleans up. Needs AWS credentials in the usual places, and
 * JOBFERRY_AWS_ROLE: the ARN of the role the function runs as. AWS_ENDPOINT_URL_LAMBDA sends it to an emulator.
 */
import { JobRunner } from 'jobferry';
import { LambdaExecutor } from 'jobferry/aws-lambda';
import { packageHandler } from 'jobferry/packaging';
import { primes } from './jobs.ts';

const role = process.env['JOBFERRY_AWS_ROLE'];
if (role === undefined) throw new Error('Set JOBFERRY_AWS_ROLE to the ARN of the role the function runs as.');

let failed = 0;
const executor = new LambdaExecutor({
  aws: { role },
  functionName: (jobId) => `jobferry-example-${jobId}`,
  onProgress: ({ step, elapsedMs }) => console.log(`${step} after ${Math.round(elapsedMs)} ms`),
});
try {
  const artifact = await packageHandler({
    target: 'aws-lambda',
    entry: new URL('jobs.ts', import.meta.url).pathname,
  });
  const { endpoint } = await executor.deployJob(primes.id, artifact, { memoryMb: 256, timeoutSecs: 30 });
  console.log(`deployed ${endpoint}`);
  await JobRunner.builder()
    .job(primes)
    .producer([10_000, 20_000].map((limit) => primes.call(limit)))
    .consumer(({ status, value, ranOn, error }) => {
      console.log(status, value ?? error?.message, `on ${ranOn}`);
      if (status !== 'ok') failed += 1;
    })
    .withFaasExecutor(primes.id, executor)
    .run();
} finally {
  await executor.undeployJob(primes.id);
  await executor.close();
}
process.exitCode = failed === 0 ? 0 : 1;
