/**
 * The main job: for every file of a folder a checksum, made here, and a compressed copy, made on a FaaS platform.
 *
 *   npm start -- [DIR] [--out DIR] [--json] [--concurrency N]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPlatform } from '@jobferry/platform';
import { JobRunner, stopOnSignals } from 'jobferry';
import { HttpFaasExecutor } from 'jobferry/custom-http';
import { packageHandler } from 'jobferry/packaging';
import { readArguments } from './arguments.ts';
import { walk } from './files.ts';
import { checksum, compress } from './jobs.ts';
import { maxArgsBytes } from './platform-limits.ts';
import { requests } from './producer.ts';
import { Report } from './report.ts';

const { folder, out, json, concurrency } = await readArguments(process.argv.slice(2));

// Ctrl-C before the runner listens ends the start-up; afterwards this only remembers it.
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interruption.abort());
const { signal } = interruption;

const dataDir = await mkdtemp(join(tmpdir(), 'jobferry-main-job-'));
try {
  const allWell = await compressFolder();
  process.exitCode = signal.aborted ? 130 : allWell ? 0 : 1;
} catch (error) {
  if (!signal.aborted) throw error;
  process.exitCode = 130;
} finally {
  await rm(dataDir, { recursive: true, force: true });
}

async function compressFolder(): Promise<boolean> {
  await using platform = await startPlatform({ port: 0, dataDir, concurrency });
  const executor = new HttpFaasExecutor({ baseUrl: platform.url });
  try {
    const entry = fileURLToPath(new URL('jobs.ts', import.meta.url));
    await executor.deployJob(compress.id, await packageHandler({ entry }), compress.config, signal);
    return await runJobs(executor, await maxArgsBytes(platform.url, signal));
  } finally {
    await executor.close();
  }
}

async function runJobs(executor: HttpFaasExecutor, maxBytes: number): Promise<boolean> {
  const report = new Report(out, await countFiles());
  const runner = JobRunner.builder()
    .job(checksum)
    .job(compress)
    .producer(requests(walk(folder, out), folder, maxBytes, report), { name: 'files' })
    .consumer((outcome) => report.add(outcome), { name: 'report' })
    .withFaasExecutor(compress.id, executor, { concurrency })
    // Every call under way holds its file in memory.
    .concurrency(2 * concurrency)
    .build();
  runner.on('producerError', ({ producer, error }) => report.failed(`producer ${producer}`, error));
  runner.on('parked', ({ outcome, reason }) => report.failed(`the report of ${outcome.jobName}`, reason));
  runner.on('draining', () => report.draining());
  stopOnSignals(runner);
  await runner.run({ signal });
  return report.finish(json);
}

/** For the progress bar. Files may come and go until they are read; nothing else relies on it. */
async function countFiles(): Promise<number> {
  let count = 0;
  for await (const { kind } of walk(folder, out)) if (kind !== 'skipped') count += 1;
  return count;
}
