/**
 * What a packaged handler starts with. It chooses the wire by environment: the Lambda Runtime API where
 * AWS_LAMBDA_RUNTIME_API is set, else stdin and stdout, so that one artifact serves both.
 */
import type { FindJob } from './bootstrap/jobs.js';
import { jobsOf } from './bootstrap/jobs.js';
import { openStdio } from './bootstrap/stdio.js';

interface Wire {
  serve(findJob: FindJob): Promise<unknown>;
  fail(thrown: unknown): void | Promise<void>;
}

const wire = openWire();

// Also tells of a user's module that throws while it is loaded: this module is evaluated first.
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

/** Serves the jobs that `module` exports; ends the process when the wire has no more calls. */
export async function serve(module: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    const findJob = jobsOf(module);
    await (await wire).serve(findJob);
  } catch (thrown) {
    await fail(thrown);
  }
}

async function openWire(): Promise<Wire> {
  const runtimeApi = process.env['AWS_LAMBDA_RUNTIME_API'];
  if (runtimeApi === undefined) return openStdio();
  const { RuntimeApi } = await import('./bootstrap/runtime-api.js');
  return new RuntimeApi(runtimeApi);
}

async function fail(thrown: unknown): Promise<void> {
  console.error(thrown);
  try {
    await (await wire).fail(thrown);
  } finally {
    // The stdio wire exits by itself, once its answer is written.
    if (process.env['AWS_LAMBDA_RUNTIME_API'] !== undefined) process.exit(1);
  }
}
