/**
 * One started bootstrap: a process of its own in a tree of its own, with a private folder. It waits on stdin for its
 * one call, is fed, watched and judged, and leaves nothing behind.
 */

import type { CodeStore } from '../code/code-store.js';
import type { CallReply } from '../domain/call.js';
import { messageOf, type PlatformError, systemCode } from '../domain/errors.js';
import { type PlatformLimits, textBytesFor } from '../domain/limits.js';
import type { Log } from '../domain/log.js';
import { type Berth, type Berths, discard } from './berth.js';
import { abortReason, lost, notStarted, outOfMemory, outputTooLarge, timedOut } from './call-failures.js';
import { CappedOutput, OutputTail } from './child-output.js';
import { launchOrder } from './launch.js';
import type { ProcessTrees } from './process-tree.js';
import type { Sandbox } from './sandbox.js';
import type { ProcessEnd } from './spawner.js';
import { encodeBinaryRequest } from './stdio-binary.js';
import type { FunctionVersion, StdioCall } from './stdio-call.js';
import { encodeBootstrapRequest, functionEnvironment } from './stdio-protocol.js';
import { type Ending, judge } from './verdict.js';

const STDERR_KEPT_BYTES = 64 * 1024;
/** How long stdout may stay open behind the end of the bootstrap, held by a process it left. */
const STDOUT_GRACE_MS = 100;
const MEMORY_SAMPLE_MS = 100;

/** What every instance needs. */
export interface InstanceParts {
  readonly code: CodeStore;
  readonly trees: ProcessTrees;
  readonly sandbox: Sandbox | undefined;
  readonly berths: Berths;
  readonly limits: PlatformLimits;
  readonly log: Log;
}

/** The instance ended before it was asked: the call has not run, and another instance may take it. */
export class NeverAsked extends Error {
  override readonly name = 'NeverAsked';
}

export class Instance {
  readonly version: FunctionVersion;
  /** Resolves when it can take no call any more: its process ended, or printed something before it was asked. */
  readonly spent: Promise<'ended' | 'killed' | 'printed'>;
  readonly #parts: InstanceParts;
  readonly #berth: Berth;
  readonly #startedAhead: boolean;
  readonly #stdout: CappedOutput;
  readonly #stderr: OutputTail;
  #onOverflow: () => void = () => {};
  /** When its time is over, on the clock of `performance`; known once it was killed for it. */
  #timeOverAt: number | undefined;
  /** Did it take its whole input? Known once its process has ended. */
  inputRead = false;

  /**
   * @param call what it is started for, which it is given at once; undefined when it is started ahead of need
   * @throws PlatformError EXECUTION_ERROR with executed "no"; nothing stays behind then
   */
  static async start(
    version: FunctionVersion,
    call: StdioCall | undefined,
    parts: InstanceParts,
  ): Promise<Instance> {
    const { code, sandbox, berths } = parts;
    const { functionId, sha256, config } = version;
    code.hold(sha256);
    let berth: Berth | undefined;
    try {
      berth = await berths.take();
      const { home, tree, process } = berth;
      tree.limitMemory(config.memoryMb * 1024 * 1024);
      const codeFolder = code.pathOf(sha256);
      const env = functionEnvironment(functionId, call?.request.callId, home, config);
      process.order(launchOrder(codeFolder, env, sandbox?.around(codeFolder)));
      if (call !== undefined) process.feed(encode(call));
      return new Instance(version, berth, call === undefined, parts);
    } catch (error) {
      await putAway(version, berth, parts);
      throw notStarted(`${systemCode(error) ?? messageOf(error)} when starting the bootstrap`, error);
    }
  }

  private constructor(version: FunctionVersion, berth: Berth, startedAhead: boolean, parts: InstanceParts) {
    const { process } = berth;
    this.version = version;
    this.#parts = parts;
    this.#berth = berth;
    this.#startedAhead = startedAhead;
    const { maxResultBytes } = parts.limits;
    this.#stdout = new CappedOutput(process.stdout, textBytesFor(maxResultBytes), () => this.#onOverflow());
    this.#stderr = new OutputTail(process.stderr, STDERR_KEPT_BYTES);
    this.spent = Promise.race([
      process.ended.then((end) => (wasKilled(end) ? 'killed' : 'ended')),
      new Promise<'printed'>((resolve) => process.stdout.once('data', () => resolve('printed'))),
    ]);
  }

  /**
   * Runs the call to its end: the one it was started for, or the first it gets. Once only.
   * @param startedAt when the time of the call began, on the clock of `performance`
   * @param signal ends the call early; its reason must be a PlatformError and is what the call fails with
   * @throws PlatformError FUNCTION_ERROR, TIMEOUT, OUT_OF_MEMORY, BAD_OUTPUT, OUTPUT_TOO_LARGE, EXECUTION_ERROR,
   *   INFRASTRUCTURE_ERROR; NeverAsked
   */
  async call(call: StdioCall, startedAt: number, signal: AbortSignal): Promise<CallReply> {
    const ending = await this.#supervise(call, startedAt, signal);
    return judge(ending, {
      version: this.version,
      folder: this.#berth.folder,
      isSandboxed: this.#parts.sandbox !== undefined,
      startedAhead: this.#startedAhead,
      usage: this.#berth.tree.usage(),
      maxResultBytes: this.#parts.limits.maxResultBytes,
    });
  }

  /** Kills what is left of it and puts everything away. */
  async destroy(): Promise<void> {
    await putAway(this.version, this.#berth, this.#parts);
    if (this.#timeOverAt === undefined) return;
    const { functionId } = this.version;
    const afterMs = Math.round(performance.now() - this.#timeOverAt);
    this.#parts.log('info', 'killed-at-limit', { functionId, id: this.#berth.id, afterMs });
  }

  async #supervise(call: StdioCall, startedAt: number, signal: AbortSignal): Promise<Ending> {
    const { process } = this.#berth;
    const { functionId, config } = this.version;
    let stopped: PlatformError | undefined;
    // Only the root is killed here; `destroy` takes the rest of the tree.
    const stop = (reason: PlatformError): void => {
      stopped ??= reason;
      process.kill();
    };
    this.#onOverflow = () => stop(outputTooLarge(this.#parts.limits.maxResultBytes));
    if (this.#stdout.hasOverflown) this.#onOverflow();
    if (call.onStderr !== undefined) this.#stderr.forward(call.onStderr);
    const closed = new Promise<void>((resolve) => process.stdout.once('close', resolve));
    const onAbort = (): void => stop(abortReason(signal));
    const timeOverAt = performance.now() + call.limitMs;
    const timer = setTimeout(() => {
      this.#timeOverAt = timeOverAt;
      stop(timedOut(functionId, call.limitMs, this.#stderr));
    }, call.limitMs);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const sampler = this.#watchMemory(() => stop(outOfMemory(functionId, config.memoryMb)));
    if (this.#startedAhead) process.feed(encode(call));

    const end = await process.ended;
    const executionMs = performance.now() - startedAt;
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    sampler?.stop();
    if (stopped === undefined && end.kind === 'exited') {
      // One that was started for this call may do without its input.
      if (this.#startedAhead && !end.inputGiven) throw new NeverAsked();
      await within(closed, STDOUT_GRACE_MS);
      this.inputRead = end.inputRead;
    }
    process.kill();
    if (stopped === undefined && end.kind === 'lost') stopped = lost(functionId);
    return {
      exitCode: end.kind === 'exited' ? end.exitCode : null,
      signal: end.kind === 'exited' ? end.signal : null,
      executionMs,
      stdout: this.#stdout.bytes(),
      stderr: this.#stderr,
      stopped,
      peakSampledBytes: sampler?.peakBytes(),
    };
  }

  /** Where the kernel does not. */
  #watchMemory(onOver: () => void): { stop(): void; peakBytes(): number | undefined } | undefined {
    if (this.#parts.trees.isolation.memory !== 'sampled') return undefined;
    const limitBytes = this.version.config.memoryMb * 1024 * 1024;
    let peak: number | undefined;
    const timer = setInterval(() => {
      const used = this.#berth.tree.sampleMemoryBytes();
      if (used > 0) peak = Math.max(peak ?? 0, used);
      if (used > limitBytes) onOver();
    }, MEMORY_SAMPLE_MS);
    return { stop: () => clearInterval(timer), peakBytes: () => peak };
  }
}

function encode({ version, request, limitMs }: StdioCall): readonly Uint8Array[] {
  const deadline = Date.now() + limitMs;
  return version.protocol === 'binary-1'
    ? encodeBinaryRequest(request, deadline)
    : [encodeBootstrapRequest(request, deadline)];
}

function wasKilled(end: ProcessEnd): boolean {
  return end.kind === 'lost' || end.signal !== null || (end.exitCode ?? 0) > 128;
}

async function putAway(
  { functionId, sha256 }: FunctionVersion,
  berth: Berth | undefined,
  { code, log }: InstanceParts,
): Promise<void> {
  if (berth !== undefined && !(await discard(berth)))
    log('error', 'process-survived', { functionId, id: berth.id });
  await code
    .release(sha256)
    .catch((error) => log('warn', 'code-not-removed', { sha256, error: messageOf(error) }));
}

async function within(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
