/** The runner under load and under attack at once. */
import { describe, expect, it } from 'vitest';
import { defineJob, JobRunner } from '../../src/index.js';

const JOBS = 10_000;

describe('10,000 jobs of which 10 % throw and 1 % hang, a producer that throws and a consumer that hangs', () => {
  it('gives exactly 10,000 outcomes in bounded memory, and the runner is still up', {
    timeout: 120_000,
  }, async () => {
    const work = defineJob({
      id: 0,
      name: 'work',
      timeoutMs: 250,
      handler: async (n: number) => {
        if (n % 100 === 7) await new Promise(() => {});
        if (n % 10 === 3) throw new Error(`job ${n}`);
        return n;
      },
    });
    const seen = new Map<number, number>();
    let peakBytes = 0;
    let peakRunning = 0;
    function* good() {
      for (let n = 0; n < JOBS; n += 1) yield work.call(n);
    }
    // biome-ignore lint/correctness/useYield: it fails before its first item, as a lost source does
    function* bad() {
      throw new Error('source lost');
    }
    let close: (() => void) | undefined;
    async function* open() {
      await new Promise<void>((resolve) => {
        close = resolve;
      });
      yield work.call(JOBS);
    }
    const producerErrors: string[] = [];
    const runner = JobRunner.builder()
      .job(work)
      .producer(good)
      .producer(bad)
      .producer(open)
      .concurrency(200)
      .consumer(({ input }) => {
        seen.set(input, (seen.get(input) ?? 0) + 1);
        peakBytes = Math.max(peakBytes, process.memoryUsage().heapUsed);
        peakRunning = Math.max(peakRunning, runner.stats().running);
      })
      .consumer(() => new Promise(() => {}), { name: 'hangs', timeoutMs: 500 })
      .build();
    runner.on('producerError', ({ error }) => producerErrors.push((error as Error).message));
    const startBytes = process.memoryUsage().heapUsed;
    const run = runner.run();
    while (seen.size < JOBS) await new Promise((resolve) => setTimeout(resolve, 10));

    // All outcomes are in, and the runner still takes work.
    close?.();
    const summary = await run;
    expect(summary).toMatchObject({
      accepted: JOBS + 1,
      ok: 8_901,
      failed: 1_000,
      timedOut: 100,
      cancelled: 0,
      dead: 0,
      parked: JOBS + 1,
    });
    expect(seen.size).toBe(JOBS + 1);
    expect([...seen.values()].every((count) => count === 1)).toBe(true);
    expect(producerErrors).toEqual(['source lost']);
    expect(peakRunning).toBeLessThanOrEqual(200);
    expect(peakBytes - startBytes).toBeLessThan(128 * 1024 * 1024);
  });
});
