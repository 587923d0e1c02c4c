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
import { limitRate, OutputTail } from './child-output.js';
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
/** So many abandoned requests tell whether an instance is stuck; more would only be connections kept open. */
const MAX_WATCHED = 64;
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
  /** Requests that nobody waits for. */
  #watched = 0;
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
      if (signal.aborted) {
        // The function may be gone, and what an instance opens for it, such as its log, must not come back.
        await link.remove();
        throw abortReason(signal);
      }
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
    limitRate(process.stdout);
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

  /** How long one request may take, in milliseconds. */
  get limitMs(): number {
    return this.#fn.limits.timeoutSecs * 1000;
  }

  /**
   * Settles when the instance is done with the request. When the caller goes, a program of its own for each request is
   * killed; any other code cannot be stopped, and is watched until its limit to see whether it is stuck.
   * @param caller aborts when nobody waits for the answer any more
   * @throws PlatformError TIMEOUT, OUT_OF_MEMORY, FUNCTION_ERROR, OUTPUT_TOO_LARGE, INVALID_REQUEST; NotReached
   */
  async ask(request: WebRequest, caller: AbortSignal, sink?: WebSink): Promise<WebReply> {
    const stop = new AbortController();
    const timer = setTimeout(
      () => stop.abort(timedOut(this.#fn.id, this.limitMs, this.#stderr)),
      this.limitMs,
    );
    let isAnswering = false;
    let isWatched = false;
    const onGone = (): void => {
      isWatched = !isAnswering && this.#watched < MAX_WATCHED && !endsWithItsCaller(this.#fn);
      if (isWatched) this.#watched++;
      else stop.abort(abandoned());
    };
    const onAnswer = (): void => {
      isAnswering = true;
      if (isWatched) stop.abort(abandoned());
    };
    caller.addEventListener('abort', onGone, { once: true });
    if (caller.aborted) onGone();
    try {
      const { path: socketPath } = this.#link;
      const { maxResultBytes } = this.#parts.limits;
      const options = { agent: this.#agent, socketPath, maxResultBytes, signal: stop.signal, onAnswer, sink };
      return await exchange(request, options);
    } catch (error) {
      if (stop.signal.aborted) throw stop.signal.reason;
      if (error instanceof PlatformError) throw error;
      throw await this.#explain(error);
    } finally {
      clearTimeout(timer);
      caller.removeEventListener('abort', onGone);
      if (isWatched) this.#watched--;
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

/** Our watchdog kills the process that it started for a request when the connection ends. */
function endsWithItsCaller({ program, env }: WebFunction): boolean {
  return program.kind === 'command' && env['mode'] !== 'http';
}

function abandoned(): PlatformError {
  return new PlatformError('UNAVAILABLE', 'The caller has gone.', { executed: 'yes' });
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
