/** The functions of the fake platform: what is deployed, and how a call runs. */
import { createHash } from 'node:crypto';
import type { AnyJob } from '../core/define-job.js';
import { runJob } from '../core/entry.js';
import { FaasError, remoteError } from '../core/errors.js';
import type { Metadata } from '../core/job.js';

export interface FakeReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Sent piece by piece instead of `body`, until it ends or the caller is gone. */
  readonly stream?: AsyncIterable<string>;
}

/** How a call ended, before it is written in one encoding or the other. */
export interface FakeOutcome {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Present when the function succeeded. */
  readonly result?: Uint8Array;
  /** Every other field of the JSON body. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a fake function knows of its call. */
export interface FakeCall {
  readonly jobId: number;
  readonly args: Uint8Array;
  readonly callId: string;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly deadline: number;
  readonly metadata: Metadata;
  /** Aborted when the caller disconnects or the time is up. */
  readonly signal: AbortSignal;
}

/** Returns the result's bytes; what it throws becomes a FUNCTION_ERROR. */
export type FakeFunction = (call: FakeCall) => Uint8Array | Promise<Uint8Array>;

export interface FakeConfig {
  readonly memory_mb: number;
  readonly timeout_secs: number;
  readonly max_concurrency?: number;
  readonly env_vars?: Readonly<Record<string, string>>;
}

export const DEFAULT_CONFIG: FakeConfig = { memory_mb: 512, timeout_secs: 300 };

export interface Deployed {
  readonly config: FakeConfig;
  readonly sha256: string;
  /** Stands for archive and configuration. */
  readonly etag: string;
  readonly zipBytes: number;
  readonly deployedAt: string;
  calls: number;
  inFlight: number;
  lastCall: string | undefined;
}

/** A job as a fake function, named `job{id}`. */
export function jobFunction(job: AnyJob): [name: string, run: FakeFunction] {
  const run: FakeFunction = ({ signal, ...call }) =>
    runJob(job, { ...call, idempotent: false }, { deadline: call.deadline, signal }, 'fake');
  return [`job${job.id}`, run];
}

export class FakeFunctions {
  readonly executions = new Map<string, number>();
  readonly maxArgsBytes: number;
  readonly #handlers: Readonly<Record<string, FakeFunction>>;
  readonly #deployed = new Map<string, Deployed>();

  constructor(options: { handlers: Record<string, FakeFunction>; deployed: boolean; maxArgsBytes: number }) {
    this.#handlers = options.handlers;
    this.maxArgsBytes = options.maxArgsBytes;
    if (options.deployed)
      for (const name of Object.keys(this.#handlers))
        this.deploy(name, new Uint8Array(), DEFAULT_CONFIG, true);
  }

  get(name: string): Deployed | undefined {
    return this.#deployed.get(name);
  }

  /** In order of their names. */
  names(): string[] {
    return [...this.#deployed.keys()].sort();
  }

  /** False when something else is deployed under the name and must not be replaced. */
  deploy(name: string, zip: Uint8Array, config: FakeConfig, replace: boolean): boolean {
    const sha256 = createHash('sha256').update(zip).digest('hex');
    const before = this.#deployed.get(name);
    const etag = createHash('sha256')
      .update(sha256)
      .update(JSON.stringify(config))
      .digest('hex')
      .slice(0, 16);
    if (before?.etag === etag) return true;
    if (before !== undefined && !replace) return false;
    this.#deployed.set(name, {
      config,
      sha256,
      etag,
      zipBytes: zip.length,
      deployedAt: new Date().toISOString(),
      calls: before?.calls ?? 0,
      inFlight: 0,
      lastCall: before?.lastCall,
    });
    return true;
  }

  remove(name: string): boolean {
    return this.#deployed.delete(name);
  }

  /** Runs one call to its end. */
  async run(
    name: string,
    target: Deployed,
    call: Omit<FakeCall, 'signal'>,
    gone: AbortSignal,
  ): Promise<FakeOutcome> {
    if (target.inFlight >= (target.config.max_concurrency ?? Infinity)) {
      const fields = errorBody('THROTTLED', 'no', `${name} has its most calls in flight`);
      return { status: 429, headers: { 'retry-after': '1' }, fields };
    }
    const handler = this.#handlers[name];
    if (handler === undefined) {
      const fields = errorBody('EXECUTION_ERROR', 'no', `fakePlatform was given no function for ${name}`);
      return { status: 500, fields };
    }
    this.executions.set(call.callId, (this.executions.get(call.callId) ?? 0) + 1);
    target.calls += 1;
    target.inFlight += 1;
    target.lastCall = new Date().toISOString();
    const stop = new AbortController();
    const abort = () => stop.abort();
    gone.addEventListener('abort', abort, { once: true });
    const timer = setTimeout(abort, Math.max(0, Math.min(call.deadline - Date.now(), 2 ** 31 - 1)));
    const startedMs = performance.now();
    try {
      const result = await Promise.race([handler({ ...call, signal: stop.signal }), timeUp(stop.signal)]);
      if (result === undefined) {
        return { status: 504, fields: errorBody('TIMEOUT', 'yes', 'killed at the limit') };
      }
      const execution_ms = Math.round(performance.now() - startedMs);
      const fields = { success: true, execution_ms, cold_start: false, metadata: call.metadata };
      return { status: 200, result, fields };
    } catch (thrown) {
      const { name, message } = (FaasError.is(thrown) ? thrown.remote : undefined) ?? remoteError(thrown);
      return { status: 500, fields: errorBody('FUNCTION_ERROR', 'yes', message, { name, message }) };
    } finally {
      clearTimeout(timer);
      gone.removeEventListener('abort', abort);
      target.inFlight -= 1;
    }
  }
}

/** The body of every failure. */
export function errorBody(
  code: string,
  executed: 'no' | 'maybe' | 'yes',
  error: string,
  details: object = {},
): Record<string, unknown> {
  return { success: false, error, code, details, executed };
}

function timeUp(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}
