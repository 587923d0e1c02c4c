/** One call as one process: started, fed, watched and killed with its whole group. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, Outcome, Rules } from './rules.js';

export interface Run {
  readonly functionId: string;
  readonly folder: string;
  readonly config: Config;
  readonly jobId: number;
  readonly args: Buffer;
  readonly callId: string;
  readonly attempt: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly limitMs: number;
  readonly speaksBinary: boolean;
  readonly signal: AbortSignal;
  readonly onStderr: (text: string) => void;
}

const MAX_STDOUT = 32 * 1024 * 1024;
export const CANCELLED = failure(409, 'CANCELLED', 'the caller has gone', 'yes');

export function failure(
  status: number,
  code: string,
  error: string,
  executed: Outcome['executed'],
  details: Record<string, unknown> = {},
): Outcome {
  return { status, code, error, executed, details, result: Buffer.alloc(0), executionMs: 0 };
}

export async function runBootstrap(run: Run, rules: Rules): Promise<Outcome> {
  const home = rules.home ?? (await mkdtemp(join(tmpdir(), 'conformance-call-')));
  try {
    return await start(run, home, rules);
  } finally {
    if (rules.home === undefined) await rm(home, { recursive: true, force: true });
  }
}

function requestOf(run: Run): Buffer {
  const common = {
    job_id: run.jobId,
    call_id: run.callId,
    attempt: run.attempt,
    deadline_ms: Date.now() + run.limitMs,
    metadata: run.metadata,
  };
  return run.speaksBinary
    ? Buffer.concat([
        Buffer.from(`${JSON.stringify({ ...common, args_length: run.args.length })}\n`),
        run.args,
      ])
    : Buffer.from(JSON.stringify({ ...common, args: [...run.args] }));
}

async function start(run: Run, home: string, rules: Rules): Promise<Outcome> {
  const startedAt = performance.now();
  // ulimit limits each process for itself; the address space stands for the memory. Good enough to be a model.
  const child = spawn('/bin/sh', ['-c', `ulimit -v ${run.config.memory_mb * 1024}; exec ./bootstrap`], {
    cwd: run.folder,
    env: rules.environment(run, home),
    detached: true,
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  let size = 0;
  let stopped: Outcome | undefined;
  const kill = (): void => {
    if (child.pid !== undefined) rules.kill(child.pid);
  };
  const stop = (reason: Outcome): void => {
    stopped ??= reason;
    kill();
  };
  const readStdout = (): void => {
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_STDOUT) stop(failure(500, 'OUTPUT_TOO_LARGE', 'too much output', 'yes'));
      else stdout.push(chunk);
    });
  };
  if (rules.readsWhileWriting) readStdout();
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = `${stderr}${chunk}`.slice(-200_000);
  });
  child.stdin.on('error', () => {});
  child.stdin.end(requestOf(run), rules.readsWhileWriting ? undefined : readStdout);
  const timer = setTimeout(() => stop(failure(504, 'TIMEOUT', 'killed at its limit', 'yes')), run.limitMs);
  const onGone = (): void => stop(CANCELLED);
  run.signal.addEventListener('abort', onGone, { once: true });
  if (run.signal.aborted) onGone();
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('error', () => resolve([127, null]));
    child.once('exit', (...ending) => resolve(ending));
  });
  clearTimeout(timer);
  run.signal.removeEventListener('abort', onGone);
  kill();
  // What the kill left in the pipes is still to be read.
  await Promise.race([
    new Promise((resolve) => child.once('close', resolve)),
    new Promise((resolve) => setTimeout(resolve, 200)),
  ]);
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  if (stderr !== '') run.onStderr(stderr);
  const executionMs = performance.now() - startedAt;
  const ended = stopped ?? rules.judge({ exitCode, signal, stdout: Buffer.concat(stdout), stderr });
  return { ...ended, executionMs };
}
