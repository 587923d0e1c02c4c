/** Runs calls: one attempt each, in its turn, on the version that is deployed when its turn comes. */

import { randomUUID } from 'node:crypto';

import type { CallReply, CallRequest } from './domain/call.js';
import { type Executed, messageOf, PlatformError } from './domain/errors.js';
import type { Log } from './domain/log.js';
import type { WebSink } from './domain/web-call.js';
import { outOfPatience, Slots } from './pool/slots.js';
import type { FunctionLogs } from './store/function-logs.js';

/** A deployed version, as far as a call needs to know it. */
export interface CallTarget {
  /** Does a call start a process of its own, or go to an instance that is there? Each kind has its own places. */
  readonly lane: Lane;
  readonly maxConcurrency: number;
  readonly timeoutSecs: number;
  /** @throws PlatformError; its `executed` tells whether the function ran */
  run(attempt: Attempt, signal: AbortSignal): Promise<CallReply>;
}

export type Lane = 'process' | 'warm';

export interface Attempt {
  readonly requestId: string;
  readonly request: CallRequest;
  readonly limitMs: number;
  /** Hears what the function prints on stderr for this call alone. */
  readonly onStderr: (chunk: Buffer) => void;
  /** Told when the function is about to be asked. */
  readonly onBegin: () => void;
  readonly sink?: WebSink;
}

export interface CallsParts {
  /** @throws PlatformError NOT_FOUND */
  readonly targetOf: (functionId: string) => CallTarget;
  /** Calls that run at once. */
  readonly concurrency: Readonly<Record<Lane, number>>;
  readonly queueSize: number;
  readonly functionLogs: FunctionLogs;
  readonly log: Log;
}

/** A call that wants to run. */
export interface CallTicket {
  readonly functionId: string;
  /** Unique over all requests; see `newRequestId`. */
  readonly requestId: string;
  /** The time the caller still has; undefined for as long as it takes. */
  readonly budgetMs: number | undefined;
  /** Hands over the call when its turn has come; the function starts as soon as it is there. */
  readonly begin: () => CallRequest | Promise<CallRequest>;
  /** Registers, at once, what ends the call early; it then fails with CANCELLED and `why`. */
  readonly onCancel: (cancel: (why?: string) => void) => void;
  /** For functions that answer HTTP: the answer goes here as it comes, and the reply has no bytes. */
  readonly sink?: WebSink;
}

export interface CallCount {
  /** Calls begun since the platform was started. */
  readonly total: number;
  readonly last: string | undefined;
}

/** Of one deployment: it is not found again once that is deleted. */
type Counter = { -readonly [Field in keyof CallCount]: CallCount[Field] };

export class Calls {
  readonly #parts: CallsParts;
  readonly #slots: Readonly<Record<Lane, Slots>>;
  readonly #counters = new Map<string, Counter>();
  readonly #active = new Map<AbortController, { executed: Executed }>();
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    const { concurrency, queueSize } = parts;
    this.#slots = {
      process: new Slots(concurrency.process, queueSize),
      warm: new Slots(concurrency.warm, queueSize),
    };
  }

  /** @throws PlatformError; its `executed` tells whether the function ran */
  async run(ticket: CallTicket): Promise<CallReply> {
    this.refuseWhenClosing();
    const { functionId, budgetMs } = ticket;
    const arrivedAt = performance.now();
    const call = new AbortController();
    const state: { executed: Executed } = { executed: 'no' };
    this.#active.set(call, state);
    ticket.onCancel((why = 'The caller has gone.') =>
      call.abort(new PlatformError('CANCELLED', why, { executed: state.executed })),
    );
    try {
      const { maxConcurrency, lane } = this.#parts.targetOf(functionId);
      const slots = this.#slots[lane];
      await slots.acquire({ functionId, maxConcurrency, patienceMs: budgetMs, signal: call.signal });
      try {
        const request = await ticket.begin();
        call.signal.throwIfAborted();
        const leftMs = budgetMs === undefined ? undefined : budgetMs - (performance.now() - arrivedAt);
        return await this.#start(ticket, request, leftMs, call.signal, state);
      } finally {
        slots.release(functionId);
      }
    } finally {
      this.#active.delete(call);
      if (this.#active.size === 0) this.#onIdle?.();
    }
  }

  countOf(functionId: string): CallCount {
    return this.#counters.get(functionId) ?? { total: 0, last: undefined };
  }

  forget(functionId: string): void {
    this.#counters.delete(functionId);
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** @throws PlatformError UNAVAILABLE */
  refuseWhenClosing(): void {
    if (this.#isClosing) throw shuttingDown('no');
  }

  /** Refuses new work, lets running calls finish within the grace, then kills them. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    for (const [call, { executed }] of this.#active) if (executed === 'no') call.abort(shuttingDown('no'));
    if (this.#active.size === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const timer = setTimeout(() => {
      for (const call of this.#active.keys()) call.abort(shuttingDown('yes'));
    }, graceMs);
    await idle;
    clearTimeout(timer);
  }

  /** The version is chosen here, when the slot is there; it stays in place until this call ends. */
  async #start(
    { functionId, requestId, sink }: CallTicket,
    request: CallRequest,
    leftMs: number | undefined,
    signal: AbortSignal,
    state: { executed: Executed },
  ): Promise<CallReply> {
    const { functionLogs, log } = this.#parts;
    const { callId } = request;
    const target = this.#parts.targetOf(functionId);
    if (leftMs !== undefined && leftMs <= 0) throw outOfPatience();
    const limitMs = Math.min(target.timeoutSecs * 1000, leftMs ?? Number.POSITIVE_INFINITY);
    // Those of the deployment that runs the call, which may be deleted before the call ends.
    const callLog = functionLogs.ofCall(functionId, callId);
    const count = this.#counterOf(functionId);
    const onBegin = (): void => {
      count.total++;
      count.last = new Date().toISOString();
      state.executed = 'yes';
    };
    try {
      const reply = await target.run(
        {
          requestId,
          request,
          limitMs,
          onStderr: callLog.stderr.write,
          onBegin,
          ...(sink !== undefined && { sink }),
        },
        signal,
      );
      callLog.stderr.end();
      callLog.note(`completed in ${Math.round(reply.executionMs)} ms`);
      log('info', 'call', { functionId, requestId, callId, executionMs: reply.executionMs });
      return reply;
    } catch (error) {
      callLog.stderr.end();
      const reason = error instanceof PlatformError ? error.code : 'INFRASTRUCTURE_ERROR';
      callLog.note(`failed with ${reason}`);
      log('warn', 'call-failed', { functionId, requestId, callId, code: reason, error: messageOf(error) });
      throw error;
    }
  }

  #counterOf(functionId: string): Counter {
    const known = this.#counters.get(functionId);
    if (known !== undefined) return known;
    const counter: Counter = { total: 0, last: undefined };
    this.#counters.set(functionId, counter);
    return counter;
  }
}

/** A name for one request, also for its process and its folder. */
export function newRequestId(): string {
  return randomUUID();
}

function shuttingDown(executed: Executed): PlatformError {
  const what = executed === 'no' ? 'It takes no more work.' : 'It stopped before the function had finished.';
  return new PlatformError('UNAVAILABLE', `The platform is shutting down. ${what}`, {
    executed,
    retryAfterSecs: 1,
  });
}
