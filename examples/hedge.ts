/** Hedging: when a call takes longer than nearly all others, a second one races it. Idempotent jobs only. */
import { JobRunner, withLayers } from 'jobferry';
import { hedge } from 'jobferry/layers';
import { MemoryExecutor } from 'jobferry/memory';
import { primes } from './jobs.ts';

let requests = 0;
const executor = new MemoryExecutor({ jobs: [primes] });
const sometimesSlow = withLayers(executor, (inner) => ({
  provider: inner.provider,
  limits: inner.limits,
  async invoke(call, context) {
    requests += 1;
    // Every hundredth request meets a stalled instance.
    if (requests % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2_000));
    return await inner.invoke(call, context);
  },
}));

const startMs = performance.now();
const summary = await JobRunner.builder()
  .job(primes)
  .producer(Array.from({ length: 1_000 }, () => primes.call(1_000)))
  .consumer(() => {})
  .withFaasExecutor(primes.id, withLayers(sometimesSlow, hedge({ minDelayMs: 20 })))
  .concurrency(20)
  .run();

const seconds = (performance.now() - startMs) / 1000;
console.log(`${summary.ok} ok with ${requests - summary.ok} extra requests in ${seconds.toFixed(1)} s`);
