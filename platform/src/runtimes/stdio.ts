/** Runs one call as one process of its own: start, feed, watch, end, and leave nothing behind. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { CallReply, CallRequest } from '../domain/call.js';
import { messageOf, type PlatformError, systemCode } from '../domain/errors.js';
import type { FunctionConfig } from '../domain/function-config.js';
import { textBytesFor } from '../domain/limits.js';
import type { Log } from '../domain/log.js';
import {
  abortReason,
  badOutput,
  failedExit,
  notExecuted,
  notStarted,
  outOfMemory,
  outputTooLarge,
  reportedFailure,
  timedOut,
} from './call-failures.js';
import { CappedOutput, OutputTail } from './child-output.js';
import type { ProcessTree, ProcessTrees } from './process-tree.js';
import { decodeBootstrapReply, encodeBootstrapRequest, functionEnvironment } from './stdio-protocol.js';

const STDERR_KEPT_BYTES = 64 * 1024;
/** How long stdout may stay open behind the end of the bootstrap, held by a process it left. */
const STDOUT_GRACE_MS = 100;
/** How long a killed process may take to end before the call is answered without it. */
const KILL_PATIENCE_MS = 5000;
const MEMORY_SAMPLE_MS = 100;

export interface StdioCall {
  readonly functionId: string;
  /** Unique over all calls. */
  readonly requestId: string;
  readonly codeFolder: string;
  readonly callsFolder: string;
  readonly config: FunctionConfig;
  readonly request: CallRequest;
  readonly limitMs: number;
  readonly maxResultBytes: number;
  readonly maxTasks: number;
}

/** How the process ended. `stopped` is set when the platform ended it. */
interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly executionMs: number;
  readonly stdout: Buffer;
  readonly stderr: OutputTail;
  readonly stopped: PlatformError | undefined;
  readonly peakSampledBytes: number | undefined;
}

/**
 * Runs the call to its end.
 * @param signal ends the call early; its reason must be a PlatformError and is what the call fails with
 * @throws PlatformError EXECUTION_ERROR, FUNCTION_ERROR, TIMEOUT, OUT_OF_MEMORY, BAD_OUTPUT, OUTPUT_TOO_LARGE
 */
export async function runStdio(
  call: StdioCall,
  trees: ProcessTrees,
  log: Log,
  signal: AbortSignal,
): Promise<CallReply> {
  const callFolder = join(call.callsFolder, call.requestId);
  const memoryBytes = call.config.memoryMb * 1024 * 1024;
  let tree: ProcessTree | undefined;
  try {
    try {
      await mkdir(callFolder, { mode: 0o700 });
      tree = trees.create({ id: call.requestId, callFolder, memoryBytes, maxTasks: call.maxTasks });
    } catch (error) {
      throw notStarted(messageOf(error), error);
    }
    const child = await start(call, callFolder, tree);
    const ending = await supervise(
      child,
      call,
      tree,
      trees.isolation.memory === 'sampled' ? memoryBytes : undefined,
      signal,
    );
    if (ending.stderr.text() !== '')
      log('info', 'function-stderr', { ...names(call), stderr: ending.stderr.text() });
    return judge(call, ending, tree);
  } finally {
    if (tree !== undefined && !(await tree.destroy())) log('error', 'process-survived', names(call));
    await rm(callFolder, { recursive: true, force: true });
  }
}

function names(call: StdioCall): Record<string, unknown> {
  return { functionId: call.functionId, requestId: call.requestId, callId: call.request.callId };
}

/** Starts the process; whatever the system says against it becomes EXECUTION_ERROR, thrown or emitted. */
async function start(
  call: StdioCall,
  callFolder: string,
  tree: ProcessTree,
): Promise<ChildProcessWithoutNullStreams> {
  const env = functionEnvironment(call.functionId, call.request.callId, callFolder, call.config);
  try {
    const child = spawn(tree.launch.file, [...tree.launch.args], {
      cwd: call.codeFolder,
      env,
      stdio: 'pipe',
      // A session of its own: Ctrl-C in the platform's terminal reaches the platform only.
      detached: true,
    });
    if (child.pid === undefined) {
      const [error] = await once(child, 'error');
      throw error;
    }
    child.on('error', () => {});
    tree.adopt(child.pid);
    return child;
  } catch (error) {
    throw notStarted(`${systemCode(error) ?? 'failure'} when starting the bootstrap`, error);
  }
}

async function supervise(
  child: ChildProcessWithoutNullStreams,
  call: StdioCall,
  tree: ProcessTree,
  sampledLimitBytes: number | undefined,
  signal: AbortSignal,
): Promise<Ending> {
  const startedAt = performance.now();
  let stopped: PlatformError | undefined;
  let giveUp: NodeJS.Timeout | undefined;
  const ended = Promise.withResolvers<void>();
  // Only the root is killed here; its end leads to `destroy`, which takes the rest of the tree.
  const stop = (reason: PlatformError): void => {
    if (stopped !== undefined) return;
    stopped = reason;
    child.kill('SIGKILL');
    giveUp = setTimeout(ended.resolve, KILL_PATIENCE_MS);
  };
  const stdout = new CappedOutput(child.stdout, textBytesFor(call.maxResultBytes), () =>
    stop(outputTooLarge(call.maxResultBytes)),
  );
  const stderr = new OutputTail(child.stderr, STDERR_KEPT_BYTES);
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.once('exit', () => ended.resolve());
  // A bootstrap that does not read its input is free to; the broken pipe is no failure.
  child.stdin.on('error', () => {});
  child.stdin.end(encodeBootstrapRequest(call.request, Date.now() + call.limitMs));

  const onAbort = (): void => stop(abortReason(signal));
  const timer = setTimeout(() => stop(timedOut(call.functionId, call.limitMs, stderr)), call.limitMs);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const sampler =
    sampledLimitBytes === undefined
      ? undefined
      : watchMemory(tree, sampledLimitBytes, () => stop(outOfMemory(call.functionId, call.config.memoryMb)));
  await ended.promise;
  const executionMs = performance.now() - startedAt;
  clearTimeout(timer);
  clearTimeout(giveUp);
  signal.removeEventListener('abort', onAbort);
  sampler?.stop();
  if (stopped === undefined) await within(closed, STDOUT_GRACE_MS);
  child.stdout.destroy();
  child.stderr.destroy();
  child.stdin.destroy();
  return {
    exitCode: child.exitCode,
    signal: child.signalCode,
    executionMs,
    stdout: stdout.bytes(),
    stderr,
    stopped,
    peakSampledBytes: sampler?.peakBytes(),
  };
}

/** Turns the end of the process into the outcome of the call. */
function judge(call: StdioCall, ending: Ending, tree: ProcessTree): CallReply {
  if (ending.stopped !== undefined) throw ending.stopped;
  const usage = tree.usage();
  if (usage.outOfMemory) throw outOfMemory(call.functionId, call.config.memoryMb);
  const failedCleanly = ending.exitCode !== 0 && tree.launch.startFailedMarker !== undefined;
  if (failedCleanly && existsSync(tree.launch.startFailedMarker ?? '')) {
    throw notExecuted(ending.stderr);
  }
  const reply = decodeBootstrapReply(ending.stdout);
  if (ending.exitCode !== 0) throw failedExit(ending, typeof reply === 'string' ? undefined : reply);
  if (typeof reply === 'string') throw badOutput(reply, ending.stderr);
  if (reply.result !== undefined && reply.result.length > call.maxResultBytes)
    throw outputTooLarge(call.maxResultBytes);
  if (!reply.success) throw reportedFailure(reply, ending.stderr);
  const peakMemoryBytes = usage.peakMemoryBytes ?? ending.peakSampledBytes;
  return {
    result: reply.result ?? new Uint8Array(0),
    executionMs: ending.executionMs,
    // Every call starts its own process.
    coldStart: true,
    ...(reply.metadata !== undefined && { metadata: reply.metadata }),
    ...(peakMemoryBytes !== undefined && { peakMemoryBytes }),
  };
}

function watchMemory(
  tree: ProcessTree,
  limitBytes: number,
  onOver: () => void,
): { stop(): void; peakBytes(): number | undefined } {
  let peak: number | undefined;
  const timer = setInterval(() => {
    const used = tree.sampleMemoryBytes();
    if (used > 0) peak = Math.max(peak ?? 0, used);
    if (used > limitBytes) onOver();
  }, MEMORY_SAMPLE_MS);
  return { stop: () => clearInterval(timer), peakBytes: () => peak };
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
