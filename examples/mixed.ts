/** One runner, two places: `primes` on a FaaS platform, `shout` in this process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPlatform } from '@jobferry/platform';
import { JobRunner } from 'jobferry';
import { HttpFaasExecutor } from 'jobferry/custom-http';
import { packageHandler } from 'jobferry/packaging';
import { primes, shout } from './jobs.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'jobferry-example-'));
const platform = await startPlatform({ port: 0, dataDir });
const executor = new HttpFaasExecutor({ baseUrl: platform.url });
const entry = fileURLToPath(new URL('./jobs.ts', import.meta.url));
await executor.deployJob(primes.id, await packageHandler({ entry }), { memoryMb: 256, timeoutSecs: 30 });

await JobRunner.builder()
  .job(primes)
  .job(shout)
  .producer([primes.call(10_000), shout.call('all aboard'), primes.call(20_000)])
  .consumer(({ jobName, status, value, ranOn }) => console.log(jobName, status, value, `on ${ranOn}`))
  .withFaasExecutor(primes.id, executor)
  .run();

await executor.close();
await platform.close();
await rm(dataDir, { recursive: true });
