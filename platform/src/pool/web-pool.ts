/**
 * The versions of web functions that run: for each function the one that answers and, while it is being replaced, the
 * one that is to follow it. The old one answers until the new one does.
 */

import { messageOf, PlatformError } from '../domain/errors.js';
import type { Log } from '../domain/log.js';
import type { WebReply, WebRequest, WebSink } from '../domain/web-call.js';
import type { Scale, WebFunction, WebStatus } from '../domain/web-function.js';
import { abortReason } from '../runtimes/call-failures.js';
import type { WebInstance } from '../runtimes/web-instance.js';
import type { FunctionLogs } from '../store/function-logs.js';
import { Replicas } from './replicas.js';
import { Scaler, type ScalerOptions } from './scaler.js';
import { WebCounter, type WebFigures } from './web-figures.js';

export interface WebPoolParts {
  /** Resolves when the instance takes requests. */
  readonly startInstance: (fn: WebFunction, signal: AbortSignal) => Promise<WebInstance>;
  readonly functionLogs: FunctionLogs;
  /** How long a request waits for an instance that is being started. */
  readonly patienceMs: number;
  readonly scaler: ScalerOptions;
  readonly log: Log;
}

export interface WebMetrics extends WebFigures {
  readonly inflight: number;
  readonly ready: number;
  /** The most any instance that runs now has used; absent when nothing measured it. */
  readonly peakMemoryBytes?: number;
}

export interface WebAsk {
  readonly request: WebRequest;
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Told when the function is about to be asked. */
  readonly onBegin: () => void;
  readonly sink?: WebSink;
}

interface Running {
  serving?: Replicas<WebInstance>;
  coming?: Replicas<WebInstance>;
  readonly counter: WebCounter;
  readonly scaler: Scaler;
}

export class WebPool {
  readonly #parts: WebPoolParts;
  readonly #running = new Map<string, Running>();
  readonly #leaving = new Set<Promise<void>>();

  constructor(parts: WebPoolParts) {
    this.#parts = parts;
  }

  /** Starts instances of this version, to take over when the first is ready. */
  roll(fn: WebFunction): void {
    const running = this.#of(fn.id);
    this.#leave(running.coming?.close());
    const { maxInflight } = fn.limits;
    const next = new Replicas<WebInstance>({
      start: (signal) => this.#parts.startInstance(fn, signal),
      replicas: fn.scale.replicas,
      ...(maxInflight !== undefined && { maxInflight }),
    });
    running.coming = next;
    next.settled.then(
      () => this.#takeOver(running, next, fn),
      (error) => {
        if (running.coming !== next) return;
        this.#parts.functionLogs.note(fn.id, `version ${fn.version} failed`);
        this.#parts.log('warn', 'not-running', { functionId: fn.id, name: fn.name, error: messageOf(error) });
      },
    );
  }

  status(id: string): WebStatus {
    const { serving, coming } = this.#running.get(id) ?? {};
    const ready = serving?.ready ?? 0;
    if (coming?.reason !== undefined) {
      const reason = ready > 0 ? `${coming.reason} (the version before still answers)` : coming.reason;
      return { state: 'failed', ready, reason };
    }
    if (coming !== undefined) return { state: serving === undefined ? 'deploying' : 'updating', ready };
    if (serving === undefined) return { state: 'deploying', ready };
    if (serving.wanted === 0) return { state: 'idle', ready };
    if (ready > 0) return { state: 'running', ready };
    const { reason } = serving;
    return reason === undefined ? { state: 'deploying', ready } : { state: 'failed', ready, reason };
  }

  metrics(id: string): WebMetrics {
    const { serving, counter } = this.#running.get(id) ?? { counter: new WebCounter() };
    const peaks = (serving?.all() ?? []).flatMap((instance) => instance.peakMemoryBytes() ?? []);
    return {
      ...counter.figures,
      inflight: serving?.inflight ?? 0,
      ready: serving?.ready ?? 0,
      ...(peaks.length > 0 && { peakMemoryBytes: Math.max(...peaks) }),
    };
  }

  scale(id: string, replicas: number): void {
    const { serving, coming } = this.#of(id);
    serving?.scale(replicas);
    coming?.scale(replicas);
  }

  /** How many instances the load of the function asks for; undefined while it is not running. */
  wantedBy(id: string, scale: Scale): number | undefined {
    const { serving, counter, scaler } = this.#running.get(id) ?? {};
    if (serving === undefined || scaler === undefined) return undefined;
    return scaler.next(scale, counter?.figures.requests ?? 0, serving.inflight > 0, Date.now());
  }

  /** Is there a version, and does it keep no instance? */
  sleeps(id: string): boolean {
    const { serving, coming } = this.#running.get(id) ?? {};
    return (serving ?? coming)?.wanted === 0;
  }

  /** @throws PlatformError UNAVAILABLE, THROTTLED, and what the instance fails with */
  async ask(id: string, { request, limitMs, signal, onBegin, sink }: WebAsk): Promise<WebReply> {
    const { serving, coming, counter } = this.#running.get(id) ?? {};
    const replicas = serving ?? coming;
    if (replicas === undefined || counter === undefined)
      throw new PlatformError('UNAVAILABLE', 'The function is not deployed.');
    const begunAt = performance.now();
    const caller = new AbortController();
    const onGone = (): void => caller.abort(abortReason(signal));
    signal.addEventListener('abort', onGone, { once: true });
    if (signal.aborted) onGone();
    let timer: NodeJS.Timeout | undefined;
    try {
      const work = (instance: WebInstance): Promise<WebReply> => {
        onBegin();
        // The instance watches its own limit: what a caller of less patience misses says nothing against it.
        if (limitMs < instance.limitMs)
          timer ??= setTimeout(() => caller.abort(outOfPatience(id, limitMs)), limitMs);
        return instance.ask(request, caller.signal, sink);
      };
      const reply = await replicas.use(work, Math.min(limitMs, this.#parts.patienceMs), caller.signal);
      counter.answered(reply.status, performance.now() - begunAt);
      return reply;
    } catch (error) {
      counter.failed(error);
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onGone);
    }
  }

  /** Running requests finish. */
  remove(id: string): void {
    const running = this.#of(id);
    const { serving, coming } = running;
    this.#running.delete(id);
    // What becomes of it is nobody's news any more.
    delete running.coming;
    this.#leave(serving?.close());
    this.#leave(coming?.close());
  }

  /** Ends every instance; calls must have ended before. */
  async close(): Promise<void> {
    for (const { serving, coming } of this.#running.values()) {
      this.#leave(serving?.close(true));
      this.#leave(coming?.close(true));
    }
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  #takeOver(running: Running, next: Replicas<WebInstance>, { id, version }: WebFunction): void {
    if (running.coming !== next) return;
    this.#leave(running.serving?.close());
    running.serving = next;
    delete running.coming;
    this.#parts.functionLogs.note(
      id,
      next.wanted === 0 ? `version ${version} is idle` : `version ${version} is running`,
    );
  }

  #of(id: string): Running {
    const running = this.#running.get(id) ?? {
      counter: new WebCounter(),
      scaler: new Scaler(Date.now(), this.#parts.scaler),
    };
    this.#running.set(id, running);
    return running;
  }

  #leave(departure: Promise<void> | undefined): void {
    if (departure === undefined) return;
    const left = departure.finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}

function outOfPatience(functionId: string, limitMs: number): PlatformError {
  const limit = Math.round(limitMs);
  return new PlatformError('TIMEOUT', `Function ${functionId} gave no answer in its caller's ${limit} ms.`, {
    executed: 'yes',
    details: { limit_ms: limit },
  });
}
