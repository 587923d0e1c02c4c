/**
 * Deploys a job to Azure Functions, runs it there and cleans up. Needs AZURE_SUBSCRIPTION_ID, JOBFERRY_AZURE_LOCATION,
 * for example westeurope, and a login that @azure/identity finds, such as `az login`.
 */
import { JobRunner } from 'jobferry';
import { AzureFunctionExecutor } from 'jobferry/azure-functions';
import { packageHandler } from 'jobferry/packaging';
import { primes } from './jobs.ts';

const { JOBFERRY_AZURE_LOCATION: location, JOBFERRY_AZURE_ENDPOINT: endpoint } = process.env;
if (location === undefined) throw new Error('Set JOBFERRY_AZURE_LOCATION, for example to westeurope.');

let failed = 0;
const executor = new AzureFunctionExecutor({
  location,
  resourceGroup: 'jobferry-example',
  ...(endpoint !== undefined && { endpoint }),
  onProgress: ({ step, elapsedMs }) => console.log(`${step} after ${Math.round(elapsedMs)} ms`),
});
try {
  const artifact = await packageHandler({
    target: 'azure-functions',
    entry: new URL('jobs.ts', import.meta.url).pathname,
  });
  const { endpoint: url } = await executor.deployJob(primes.id, artifact, { memoryMb: 512, timeoutSecs: 30 });
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
  console.log('removed', ...(await executor.removeShared()));
  await executor.close();
}
process.exitCode = failed === 0 ? 0 : 1;
