/** The contestants of (5). Started as a process of its own each: one's garbage is not another's pause. */
import { Queue, Worker } from 'bullmq';
import { defineJob, type JobContext, JobRunner } from 'jobferry';
import PQueue from 'p-queue';
import type { Variant } from './compare.ts';

const CONCURRENCY = 100;
const handler = async (n: number) => n;

function jobferry(): Variant {
  const count = 400_000;
  const job = defineJob({
    id: 0,
    name: 'bench',
    timeoutMs: 30_000,
    retry: { attempts: 3 },
    handler: (n: number, context: JobContext) => handler(n + context.attempt),
  });
  function* producer() {
    for (let n = 0; n < count; n += 1) yield job.call(n);
  }
  return {
    name: 'jobferry',
    async measure() {
      let outcomes = 0;
      let events = 0;
      const runner = JobRunner.builder()
        .job(job)
        .producer(producer)
        .consumer(() => {
          outcomes += 1;
        })
        .concurrency(CONCURRENCY)
        .build();
      runner.on('outcome', () => {
        events += 1;
      });
      const startMs = performance.now();
      await runner.run();
      const seconds = (performance.now() - startMs) / 1000;
      if (outcomes !== count || events !== count) throw new Error('outcomes are missing');
      return count / seconds;
    },
  };
}

function bareLoop(): Variant {
  const count = 400_000;
  return {
    name: 'bare handlers in lanes',
    async measure() {
      let next = 0;
      const lane = async () => {
        while (next < count) {
          next += 1;
          await handler(next);
        }
      };
      const startMs = performance.now();
      await Promise.all(Array.from({ length: CONCURRENCY }, lane));
      return count / ((performance.now() - startMs) / 1000);
    },
  };
}

function pQueue(): Variant {
  const count = 50_000;
  return {
    name: 'p-queue around the bare handler',
    async measure() {
      const queue = new PQueue({ concurrency: CONCURRENCY });
      const startMs = performance.now();
      // In chunks, as its own documentation advises, since it keeps what waits in memory.
      for (let done = 0; done < count; done += 10_000) {
        await Promise.all(Array.from({ length: 10_000 }, (_, n) => queue.add(() => handler(n))));
      }
      return count / ((performance.now() - startMs) / 1000);
    },
  };
}

function bullmq(port: number): Variant {
  const count = 5_000;
  return {
    name: 'BullMQ drain',
    async measure() {
      const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
      const queue = new Queue('bench', { connection });
      const jobs = Array.from({ length: count }, (_, n) => ({
        name: 'x',
        data: n,
        opts: { removeOnComplete: true },
      }));
      await queue.addBulk(jobs);
      let done = 0;
      const startMs = performance.now();
      await new Promise<void>((resolve) => {
        const worker = new Worker('bench', async (job) => handler(job.data), {
          connection,
          concurrency: CONCURRENCY,
        });
        worker.on('completed', () => {
          done += 1;
          if (done === count) void worker.close().then(() => resolve());
        });
      });
      const seconds = (performance.now() - startMs) / 1000;
      await queue.close();
      return count / seconds;
    },
  };
}

const [, , name = '', port = '0'] = process.argv;
const variants: Record<string, () => Variant> = {
  jobferry,
  'bare handlers in lanes': bareLoop,
  'p-queue around the bare handler': pQueue,
  'BullMQ drain': () => bullmq(Number(port)),
};
const variant = variants[name]?.();
if (variant === undefined) throw new Error(`no variant is called ${name}`);
process.on('message', async () => process.send?.(await variant.measure()));
