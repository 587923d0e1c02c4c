/**
 * Deploys a job to a platform that speaks the API of E2E's design documents, runs it there, scales it, reads its log and
 * cleans up. Needs no account: `npx jobferry dev` is such a platform. E2E_FAAS_URL, E2E_API_KEY and E2E_AUTH_TOKEN name
 * another one.
 */
import { JobRunner } from 'jobferry';
import { E2eOpenFaasExecutor } from 'jobferry/e2e-openfaas';
import { packageHandler } from 'jobferry/packaging';
import { primes } from './jobs.ts';

let failed = 0;
await using executor = new E2eOpenFaasExecutor({
  profile: 'e2e-platform',
  url: process.env['E2E_FAAS_URL'] ?? 'http://127.0.0.1:8080/faas/api/v1',
  onProgress: ({ step, elapsedMs }) => console.log(`${step} after ${Math.round(elapsedMs)} ms`),
});
try {
  const entry = new URL('jobs.ts', import.meta.url).pathname;
  const artifact = await packageHandler({ target: 'e2e', entry });
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
  console.log(`${await executor.scale(primes.id, 2)} copies`);
  for await (const { message } of executor.logs(primes.id)) console.log(message);
} finally {
  await executor.undeployJob(primes.id);
}
process.exitCode = failed === 0 ? 0 : 1;
