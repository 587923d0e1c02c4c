/** Two executors behind one: when the first cannot be reached, the second runs the job, and none runs twice. */
import { JobRunner } from 'jobferry';
import { HttpFaasExecutor } from 'jobferry/custom-http';
import { circuitBreaker, failover, withLayers } from 'jobferry/layers';
import { MemoryExecutor } from 'jobferry/memory';
import { primes } from './jobs.ts';

// Nothing listens on port 1: a refused connection certainly did not run the job, so it may go elsewhere.
const dark = new HttpFaasExecutor({ baseUrl: 'http://127.0.0.1:1' });
const spare = new MemoryExecutor({ jobs: [primes] });
// After a few failures the breaker spares each call the vain attempt.
const executor = failover([withLayers(dark, circuitBreaker({ failureThreshold: 3 })), spare]);

const summary = await JobRunner.builder()
  .job(primes)
  .producer(Array.from({ length: 20 }, (_, n) => primes.call(n * 100)))
  .consumer(({ input, status, value, ranOn }) =>
    console.log(`primes(${input})`, status, value, `on ${ranOn}`),
  )
  .withFaasExecutor(primes.id, executor)
  .run();

console.log(`${summary.ok} of ${summary.accepted} ok`);
await dark.close();
