/**
 * One running copy of a web function: a process tree of its own that answers HTTP on a socket in its private folder.
 * It takes requests until it is put away; several at once, if its code can.
 */

import { Agent } from 'node:http';
import { connect } from 'node:net';

import { messageOf, PlatformError, systemCode } from '../domain/errors.js';
import type { PlatformLimits } from '../domain/limits.js';
import type { Log } from '../domain/log.js';
import type { WebReply, WebRequest, WebSink } from '../domain/web-call.js';
import type { WebFunction } from '../domain/web-function.js';
import type { FunctionLogs } from '../store/function-logs.js';
import { type Berth, type Berths, discard } from './berth.js';
import { abortReason, NotReached, outOfMemory, timedOut } from './call-failures.js';
import { OutputTail } from './child-output.js';
import { launchOrder } from './launch.js';
import type { ProcessTrees } from './process-tree.js';
import type { SocketLink, SocketLinks } from './socket-links.js';
import type { ProcessEnd } from './spawner.js';
import { exchange } from './web-exchange.js';
import { prepareLaunch, type WebLaunchParts } from './web-launch.js';

export interface WebInstanceParts extends WebLaunchParts {
  readonly berths: Berths;
  readonly trees: ProcessTrees;
  readonly sockets: SocketLinks;
  readonly limits: PlatformLimits;
  readonly functionLogs: FunctionLogs;
  /** How long code may take to load, in milliseconds. */
  readonly startMs: number;
  readonly log: Log;
}

/** What the Node process of the watchdog takes up by itself. */
const WATCHDOG_MB = 64;
const MEMORY_SAMPLE_MS = 100;
/** How long after a broken connection the end of the process may be heard. */
const END_PATIENCE_MS = 1000;
const STDERR_KEPT_BYTES = 8 * 1024;

export class WebInstance {
  /** Resolves, with the reason in words, when it can take no request any more. Never rejects. */
  readonly ended: Promise<string>;
  readonly #fn: WebFunction;
  readonly #berth: Berth;
  readonly #link: SocketLink;
  readonly #parts: WebInstanceParts;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #stderr: OutputTail;
  readonly #sampler: NodeJS.Timeout | undefined;
  #isOverMemory = false;
  #endedWhy: string | undefined;
  #destroyed: Promise<void> | undefined;

  /**
   * Resolves when the code is loaded and requests are taken.
   * @throws PlatformError EXECUTION_ERROR with the reason, INVALID_PACKAGE; nothing stays behind then
   */
  static async start(fn: WebFunction, signal: AbortSignal, parts: WebInstanceParts): Promise<WebInstance> {
    if (fn.code !== undefined) parts.code.hold(fn.code);
    let berth: Berth | undefined;
    let instance: WebInstance | undefined;
    try {
      berth = await parts.berths.take();
      berth.tree.limitMemory(memoryBytesOf(fn));
      const { command, env, folder, shown } = await prepareLaunch(fn, berth, parts);
      const link = await parts.sockets.linkTo(berth.home);
      instance = new WebInstance(fn, berth, link, parts);
      berth.process.order(launchOrder(folder, env, parts.sandbox?.around(folder, shown), command));
      await instance.#untilListening(signal);
      return instance;
    } catch (error) {
      if (instance !== undefined) await instance.destroy();
      else await putAway(fn, berth, parts);
      throw error instanceof PlatformError
        ? error
        : cannotStart(systemCode(error) ?? messageOf(error), error);
    }
  }

  private constructor(fn: WebFunction, berth: Berth, link: SocketLink, parts: WebInstanceParts) {
    this.#fn = fn;
    this.#berth = berth;
    this.#link = link;
    this.#parts = parts;
    const { process } = berth;
    this.#stderr = new OutputTail(process.stderr, STDERR_KEPT_BYTES);
    for (const stream of ['stdout', 'stderr'] as const) {
      const lines = parts.functionLogs.instanceLines(fn.id, stream, `${fn.name}-${berth.id.slice(0, 8)}`);
      process[stream].on('data', lines.write);
      process[stream].once('close', lines.end);
    }
    if (parts.trees.isolation.memory === 'sampled')
      this.#sampler = setInterval(() => this.#checkMemory(), MEMORY_SAMPLE_MS);
    this.ended = process.ended.then((end) => {
      clearInterval(this.#sampler);
      this.#endedWhy = this.#whyEnded(end);
      return this.#endedWhy;
    });
  }

  /**
   * @param signal ends the request early; its reason must be a PlatformError and is what the request fails with
   * @throws PlatformError TIMEOUT, OUT_OF_MEMORY, FUNCTION_ERROR, OUTPUT_TOO_LARGE, INVALID_REQUEST; NotReached
   */
  async ask(request: WebRequest, limitMs: number, signal: AbortSignal, sink?: WebSink): Promise<WebReply> {
    const failed = new AbortController();
    const fail = (reason: PlatformError): void => failed.abort(reason);
    const timer = setTimeout(() => fail(timedOut(this.#fn.id, limitMs, this.#stderr)), limitMs);
    const onAbort = (): void => fail(abortReason(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await exchange(request, {
        agent: this.#agent,
        socketPath: this.#link.path,
        maxResultBytes: this.#parts.limits.maxResultBytes,
        signal: failed.signal,
        sink,
      });
    } catch (error) {
      if (failed.signal.aborted) throw failed.signal.reason;
      if (error instanceof PlatformError) throw error;
      throw await this.#explain(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Highest memory so far in bytes; absent where nothing measured it. */
  peakMemoryBytes(): number | undefined {
    return this.#destroyed === undefined ? this.#berth.tree.usage().peakMemoryBytes : undefined;
  }

  /** Kills what is left of it and puts everything away. Twice is fine. */
  async destroy(): Promise<void> {
    this.#destroyed ??= this.#end();
    await this.#destroyed;
  }

  async #end(): Promise<void> {
    clearInterval(this.#sampler);
    this.#agent.destroy();
    await this.#link.remove();
    await putAway(this.#fn, this.#berth, this.#parts);
  }

  /** Whoever accepts a connection has loaded its code: hosts listen only then. */
  async #untilListening(signal: AbortSignal): Promise<void> {
    const giveUpAt = performance.now() + this.#parts.startMs;
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 50)) {
      if (signal.aborted) throw abortReason(signal);
      if (await accepts(this.#link.path)) return;
      if (this.#endedWhy !== undefined) throw cannotStart(this.#endedWhy);
      if (performance.now() > giveUpAt)
        throw cannotStart(`it did not take requests within ${this.#parts.startMs} ms of its start`);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Why a connection broke: most often the process has ended, which is heard a moment later. */
  async #explain(error: unknown): Promise<Error> {
    const code = systemCode(error);
    if (code === 'ERR_UNESCAPED_CHARACTERS' || code === 'ERR_INVALID_CHAR')
      return new PlatformError(
        'INVALID_REQUEST',
        'The path or a header has a character that cannot be sent.',
      );
    await Promise.race([this.ended, new Promise((resolve) => setTimeout(resolve, END_PATIENCE_MS))]);
    const why = this.#endedWhy ?? 'it closed the connection without an answer';
    if (code === 'ECONNREFUSED' || code === 'ENOENT') return new NotReached(why);
    if (this.#isOverMemory) return outOfMemory(this.#fn.name, this.#fn.limits.memoryMb);
    return new PlatformError('FUNCTION_ERROR', `The function gave no answer: ${why}.`, {
      executed: 'maybe',
      details: { reason: why },
    });
  }

  #checkMemory(): void {
    if (this.#berth.tree.sampleMemoryBytes() <= memoryBytesOf(this.#fn)) return;
    this.#isOverMemory = true;
    this.#berth.process.kill();
  }

  #whyEnded(end: ProcessEnd): string {
    // Asked now: what tells it is gone with the tree.
    if (this.#destroyed === undefined) this.#isOverMemory ||= this.#berth.tree.usage().outOfMemory;
    if (this.#isOverMemory) return `it needed more than its ${this.#fn.limits.memoryMb} MiB of memory`;
    const said = this.#stderr.text().trimEnd().split('\n').at(-1)?.trim();
    if (said !== undefined && said !== '') return said;
    if (end.kind === 'lost') return 'the process that had started it died';
    return end.signal === null ? `it ended with exit code ${end.exitCode}` : `it ended with ${end.signal}`;
  }
}

/** The watchdog beside a program is the platform's, and not on the program's account. */
function memoryBytesOf({ limits, program }: WebFunction): number {
  return (limits.memoryMb + (program.kind === 'command' ? WATCHDOG_MB : 0)) * 1024 * 1024;
}

async function putAway(
  { id, code: sha256 }: WebFunction,
  berth: Berth | undefined,
  { code, log }: WebInstanceParts,
): Promise<void> {
  if (berth !== undefined && !(await discard(berth)))
    log('error', 'process-survived', { functionId: id, id: berth.id });
  if (sha256 === undefined) return;
  await code
    .release(sha256)
    .catch((error) => log('warn', 'code-not-removed', { sha256, error: messageOf(error) }));
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const settle = (isOpen: boolean): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

function cannotStart(reason: string, cause?: unknown): PlatformError {
  return new PlatformError('EXECUTION_ERROR', `The function could not be started: ${reason}.`, {
    details: { reason },
    cause,
  });
}
