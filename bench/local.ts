/** (5): local dispatch with time-out, retry, context and events on, against a queue, a limiter and a bare loop. */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { compare, print, type Variant } from './compare.ts';

export async function localBench(rounds: number): Promise<void> {
  const redis = await startRedis();
  const names = ['p-queue around the bare handler', 'jobferry', 'bare handlers in lanes'];
  const remote = [...names, ...(redis === undefined ? [] : ['BullMQ drain'])].map((name) =>
    inOwnProcess(name, redis?.port ?? 0),
  );
  const [pQueue, jobferry, bare, bullmq] = remote as [
    RemoteVariant,
    RemoteVariant,
    RemoteVariant,
    RemoteVariant?,
  ];
  try {
    print('(5) local dispatch, concurrency 100', 'jobs/s', await compare([pQueue, jobferry, bare], rounds), {
      jobferry: '4x, and 1,000,000 jobs/s',
    });
    if (bullmq === undefined)
      console.log('  not measured against BullMQ: there is no redis-server on this machine');
    else print('', 'jobs/s', await compare([bullmq, jobferry], rounds), { jobferry: '50x' });
  } finally {
    for (const { stop } of remote) stop();
    await redis?.stop();
  }
}

interface RemoteVariant extends Variant {
  stop(): void;
}

/** A variant in a process of its own, idle unless it measures. */
function inOwnProcess(name: string, port: number): RemoteVariant {
  const child = fork(fileURLToPath(new URL('./local-variants.ts', import.meta.url)), [name, String(port)], {
    env: {},
  });
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`)));
  // Stopped at the end on purpose; only a wait for a figure makes this a failure.
  ended.catch(() => {});
  return {
    name,
    async measure() {
      child.send('measure');
      const [rate] = await Promise.race([once(child, 'message'), ended]);
      return rate as number;
    },
    stop: () => void child.kill(),
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
