/** (5): local dispatch with time-out, retry, context and events on, against a queue, a limiter and a bare loop. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { defineJob, type JobContext, JobRunner } from 'jobferry';
import PQueue from 'p-queue';
import { compare, print, type Variant } from './compare.ts';

const CONCURRENCY = 100;
const handler = async (n: number) => n;

export async function localBench(rounds: number): Promise<void> {
  const rows = await compare([bareLoop(), jobferry(), pQueue()], rounds);
  print(`(5) local dispatch, concurrency ${CONCURRENCY}`, 'jobs/s', rows);
  print('', 'jobs/s', await compare([pQueue(), jobferry()], rounds), {
    jobferry: '4x, and 1,000,000 jobs/s',
  });
  const redis = await startRedis();
  if (redis === undefined) {
    console.log('  not measured against BullMQ: there is no redis-server on this machine');
    return;
  }
  try {
    print('', 'jobs/s', await compare([bullmq(redis.port), jobferry()], Math.min(rounds, 5)), {
      jobferry: '50x',
    });
  } finally {
    await redis.stop();
  }
}

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

async function startRedis(): Promise<{ port: number; stop(): Promise<void> } | undefined> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'jobferry-bench-'));
  const child = spawn('redis-server', ['--port', String(port), '--save', '', '--dir', folder], {
    stdio: 'ignore',
  });
  const failed = new Promise<false>((resolve) => child.once('error', () => resolve(false)));
  const spawned = new Promise<true>((resolve) => child.once('spawn', () => resolve(true)));
  if (!(await Promise.race([failed, spawned]))) {
    await rm(folder, { recursive: true });
    return undefined;
  }
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => {});
  await client.ping();
  client.disconnect();
  return {
    port,
    async stop() {
      child.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
