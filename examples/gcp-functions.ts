/**
 * Deploys a job to Google Cloud Functions, runs it there and cleans up. Needs GOOGLE_CLOUD_PROJECT, JOBFERRY_GCP_REGION
 * and JOBFERRY_GCP_INVOKER, for example serviceAccount:runner@my-project.iam.gserviceaccount.com: the account that runs this.
 */
import { JobRunner } from 'jobferry';
import { CloudFunctionExecutor } from 'jobferry/gcp-functions';
import { packageHandler } from 'jobferry/packaging';
import { primes } from './jobs.ts';

const { JOBFERRY_GCP_REGION: region, JOBFERRY_GCP_INVOKER: invoker } = process.env;
const { JOBFERRY_GCP_ENDPOINT: endpoint, JOBFERRY_GCP_RUN_ENDPOINT: runEndpoint } = process.env;
if (region === undefined) throw new Error('Set JOBFERRY_GCP_REGION, for example to europe-west1.');

let failed = 0;
const executor = new CloudFunctionExecutor({
  region,
  functionName: (jobId) => `jobferry-example-${jobId}`,
  ...(endpoint !== undefined && { endpoint, pollMs: 10 }),
  ...(runEndpoint !== undefined && { runEndpoint }),
  onProgress: ({ step, elapsedMs }) => console.log(`${step} after ${Math.round(elapsedMs)} ms`),
});
try {
  const artifact = await packageHandler({
    target: 'gcp-functions',
    entry: new URL('jobs.ts', import.meta.url).pathname,
  });
  const { endpoint: url } = await executor.deployJob(primes.id, artifact, {
    memoryMb: 256,
    timeoutSecs: 30,
    ...(invoker !== undefined && { gcp: { invokers: [invoker] } }),
  });
  console.log(`deployed ${url}`);
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
