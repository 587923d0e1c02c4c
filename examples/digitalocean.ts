/**
 * Deploys a job to DigitalOcean Functions, runs it there and cleans up. Needs DIGITALOCEAN_TOKEN and JOBFERRY_DO_REGION,
 * for example fra1. The namespace `jobferry-example` is made, and stays.
 */
import { JobRunner } from 'jobferry';
import { DigitalOceanExecutor } from 'jobferry/digitalocean';
import { packageHandler } from 'jobferry/packaging';
import { primes } from './jobs.ts';

const { JOBFERRY_DO_REGION: region, JOBFERRY_DO_ENDPOINT: endpoint } = process.env;
if (region === undefined) throw new Error('Set JOBFERRY_DO_REGION, for example to fra1.');

let failed = 0;
const executor = new DigitalOceanExecutor({
  region,
  namespace: 'jobferry-example',
  ...(endpoint !== undefined && { endpoint }),
  onProgress: ({ step, elapsedMs }) => console.log(`${step} after ${Math.round(elapsedMs)} ms`),
});
try {
  const artifact = await packageHandler({
    target: 'digitalocean',
    entry: new URL('jobs.ts', import.meta.url).pathname,
  });
  const { endpoint: url } = await executor.deployJob(primes.id, artifact, { memoryMb: 256, timeoutSecs: 30 });
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
